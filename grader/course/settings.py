"""What an operator chose for one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
