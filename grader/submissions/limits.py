"""How much may be handed in, and what to say of what is more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

PYTHON, NOTEBOOK, ZIP = ".py", ".ipynb", ".zip"

SIZE_LIMIT = 1 << 20
"""Bytes of one Python file; a hand-written backward pass is a few thousand."""

HELPERS_LIMIT = 4 << 20
"""Bytes of the modules beside it, which travel into its box with it."""

NOTEBOOK_LIMIT = 20 << 20
"""Bytes of a notebook, whose plots are in it."""

ZIP_LIMIT = 16 << 20
"""Bytes of a zip that a student hands in."""

SUBMISSION_LIMIT = 64 << 20
"""Bytes of one submission in all: whatever is read or unpacked of it, zips included."""

FILES_LIMIT = 100
"""Python files and notebooks that are taken of one submission."""

_LIMITS = {NOTEBOOK: NOTEBOOK_LIMIT, ZIP: ZIP_LIMIT}

_ADVICE = {
    NOTEBOOK: "clear its outputs, which are not graded, and hand it in again "
    "(in Jupyter: Kernel, Restart Kernel and Clear Outputs of All Cells)",
    PYTHON: "hand in the code alone, and leave data out of it",
    ZIP: "leave out all but the Python files and the notebook",
}


class Untakeable(Exception):
    """A file that cannot or must not be taken, by the fault of whoever handed it in; the message says why."""


class TooLarge(Untakeable):
    """A file that is larger than it may be."""


class Readable(Protocol):
    """What the bytes of a file can be had from."""

    def check(self, limit: int) -> None:
        """Refuse what can be seen to be no file to take, without reading it.

        Raises:
            Untakeable: it is not to be read.
            OSError: it cannot be looked at.
        """

    def read(self, limit: int) -> bytes:
        """Return its bytes, at most one more than the limit; what lies beyond is neither read nor unpacked.

        Raises:
            Untakeable: it is not to be read.
            OSError: it cannot be read.
        """
        ...


@dataclass
class Budget:
    """How many more bytes may be read or unpacked of one submission."""

    left: int = SUBMISSION_LIMIT

    def read(self, filename: str, content: Readable) -> bytes:
        """Read a file, and count it.

        Args:
            filename: its name, whose ending says how large it may be.
            content: its content.

        Raises:
            TooLarge: it is larger than such a file may be, or than what is left.
            Untakeable: it is not to be read.
            OSError: it cannot be read.
        """
        limit = limit_of(filename)
        allowed = min(limit, self.left)
        found = content.read(allowed)
        self.left = max(0, self.left - len(found))
        if len(found) > allowed:
            raise TooLarge(too_large(filename) if len(found) > limit else over_budget(filename))
        return found


def limit_of(filename: str) -> int:
    """How many bytes a file of that name may have."""
    return _LIMITS.get(_ending(filename), SIZE_LIMIT)


def too_large(filename: str) -> str:
    """What to say of a file that is larger than its kind may be: how large that is, and how to shrink it."""
    limit, advice = limit_of(filename), _ADVICE[_ending(filename)]
    return f"expected at most {limit >> 20} MiB ({limit} bytes), found more: {advice}"


def over_budget(filename: str) -> str:
    """What to say of a file for which nothing is left of what a submission may have in all."""
    allowed = f"{SUBMISSION_LIMIT >> 20} MiB ({SUBMISSION_LIMIT} bytes)"
    return f"expected at most {allowed} of one submission in all, found more: {_ADVICE[_ending(filename)]}"


def _ending(filename: str) -> str:
    lower = filename.lower()
    return next((ending for ending in _LIMITS if lower.endswith(ending)), PYTHON)
