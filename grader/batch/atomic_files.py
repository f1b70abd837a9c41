"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from grader.errors import UsageError


def encoded(text: str) -> bytes:
    """A text as it is written; what has no UTF-8 form, as a lone surrogate in a file's name, is replaced."""
    return text.encode("utf-8", "replace")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it: beside its place first, then moved there.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def writable_folder(path: Path) -> None:
    """Make a folder that will be written to, before the work begins whose result goes there.

    Raises:
        UsageError: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UsageError(
            f"{path}: expected a folder that can be written: {error.strerror}", setting="out"
        ) from error
