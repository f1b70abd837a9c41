"""Mutants that no test can notice, with the reason: ``equivalents.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Equivalent:
    """A change that makes no difference.

    Attributes:
        module: the path of the changed module.
        went: the lines that go, without their indentation.
        came: those that come instead.
        reason: why nothing is different.
    """

    module: str
    went: str
    came: str
    reason: str


def equivalents(path: Path = LIST) -> tuple[Equivalent, ...]:
    """All that are listed."""
    return tuple(Equivalent(**one) for one in tomllib.loads(path.read_text("utf-8")).get("mutant", ()))
