"""What an operator chose for one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.course.exercise import Exercise
    from grader.sandbox.process import Limits

DEFAULT_SEED = 1
"""What cases are drawn from where an operator does not say: public, so that runs repeat."""


@dataclass(frozen=True)
class Settings:
    """A seed, a word list, limits (None leaves them to the exercise), and how much hints may tell."""

    seed: int = DEFAULT_SEED
    words: Path | None = None
    time_limit_s: float | None = None
    memory_limit_mb: int | None = None
    hints: str = "full"

    def limits(self, exercise: Exercise) -> Limits:
        """What a box of this exercise may use."""
        # Imported here: the command line takes the default seed from this module before it does anything.
        from grader.sandbox.process import Limits

        return Limits(
            self.time_limit_s or exercise.time_limit_s, self.memory_limit_mb or exercise.memory_limit_mb
        )
