"""Hints in words: one sentence on the mistake, one of evidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from grader.checks.cases import LECTURE, RANDOM
from grader.hints.lines import Line
from grader.scorecard.model import Hint

Mend = Callable[[Tensor, tuple[int, ...]], Tensor | None]
"""From an answer as it came and its right shape, the answer without a mistake; None where it cannot be."""


@dataclass(frozen=True)
class Flaw:
    """A mistake that hides whether there is another, and how to mend it to see.

    Args:
        hint: what is said of it where it is the only one.
        mend: how to mend it, None where it cannot be.
    """

    hint: Hint
    mend: Mend | None = None


ORDER = (
    "sign",
    "scale",
)
"""What comes first where a kind is made of several."""


def kinds(names: Iterable[str]) -> str:
    """Several kinds as one, ``sign+missing_path``."""
    unique = dict.fromkeys(names)
    first = [name for name in ORDER if name in unique]
    return "+".join([*first, *(name for name in unique if name not in ORDER)])


def hint(kind: str, line: Line | None, *sentences: str) -> Hint:
    """A hint from its sentences, the last of which is the evidence."""
    return Hint(
        kind, " ".join(sentence for sentence in sentences if sentence), line.step.source if line else None
    )


def quoted_names(hint: Hint, names: Iterable[str]) -> Iterator[str]:
    """Those of some tensors' names that a hint quotes, themselves or as their gradients' names.

    A hint's message sets code between backquotes, as :func:`quoted` does.
    """
    code = " ".join([*re.findall(r"`([^`]*)`", hint.message), hint.forward_line or ""])
    yield from (name for name in names if re.search(rf"(?<!\w)d?{re.escape(name)}(?!\w)", code))


def case(name: str) -> str:
    """A case as a sentence names it."""
    return {LECTURE: "the lecture's case", RANDOM: "the case with random upstream gradients"}.get(
        name, f"case {name}"
    )


def listed(names: Iterable[str], last: str = "and") -> str:
    """Names as an enumeration: ``a, b and c``."""
    *front, end = names
    return f"{', '.join(front)} {last} {end}" if front else end


def quoted(line: Line) -> str:
    """A forward line as a sentence quotes it."""
    return f"`{line.step.source}`"
