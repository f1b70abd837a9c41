"""What a student handed in for one exercise, or why it cannot be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A submission's file for one exercise, and the modules beside it, as bytes by file name."""

    filename: str
    content: bytes = field(repr=False)
    helpers: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def files(self) -> Mapping[str, bytes]:
        """All of them, the file itself first, as a box takes them."""
        return {self.filename: self.content, **self.helpers}


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be taken.

    Args:
        filename: which one.
        problem: why, in words for its author.
        is_ours: whether the grader or its operator is to blame, and not the author.
    """

    filename: str
    problem: str
    is_ours: bool = False


@dataclass(frozen=True)
class HandedIn:
    """A submission's file for one exercise.

    Exactly one of these is there: ``source``, the stubs as they are; ``script``, a notebook or a script in the
    lecture's style, still to be read for its stubs; or ``problem``, why it cannot be taken, in words.
    ``is_ours`` says that the grader or its operator is to blame for the problem: no student loses a point for it.
    """

    filename: str
    source: Source | None = None
    script: bytes | None = field(default=None, repr=False)
    problem: str | None = None
    is_ours: bool = False

    @classmethod
    def lost(cls, file: Unreadable) -> HandedIn:
        """A file that cannot be taken."""
        return cls(file.filename, problem=file.problem, is_ours=file.is_ours)
