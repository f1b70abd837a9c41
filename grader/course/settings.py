"""What an operator chose for one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_SEED = 1
"""What cases are drawn from where an operator does not say: public, so that runs repeat."""


@dataclass(frozen=True)
class Settings:
    """What an operator chose.

    Args:
        seed: what cases are drawn from.
        words: a word list, or None for the exercise's own.
        time_limit_s: seconds for one function, or None for what the exercise says.
        memory_limit_mb: MiB a submission may allocate, or None for what the exercise says.
        hints: how much a hint may tell: ``full``, ``line`` or ``off``.
        own_cases: whether each submission is graded on fresh cases of its own, which takes longer for a class.
            What one submission is handed, or prints, is then of no use to another.
    """

    seed: int = DEFAULT_SEED
    words: Path | None = None
    time_limit_s: float | None = None
    memory_limit_mb: int | None = None
    hints: str = "full"
    own_cases: bool = False
