"""Write files so that a reader finds a whole file or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from grader.errors import UsageError


def encoded(text: str) -> bytes:
    """Encode a text as UTF-8; replace what has no UTF-8 form, such as a lone surrogate in a file's name."""
    return text.encode("utf-8", "replace")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file to a temporary name in the same folder, then move it, so that nobody sees half of it.

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
    """Make the folder for results, and check that it can be written, before the work begins.

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
