"""What the sandbox's tests share: code run in a box, and folders that a box could enter."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.sandbox.box import Box
from grader.sandbox.process import Limits, Opener


def printed(boxes: Opener, source: str, limits: Limits, *, ended: bool = False) -> str:
    """What a file prints that is run in a fresh box.

    Args:
        boxes: opens it.
        source: the file.
        limits: what the box may use.
        ended: return only when the box's process is known to have ended, which takes half a second.

    Raises:
        AssertionError: the file did not run to its end.
    """
    process = boxes.open(limits)
    with Box(process, limits) as box:
        _, failed, output = box.load({"work.py": source.encode()}, [])
        if ended:
            process.death()
    assert failed is None, failed
    return output or ""


@contextmanager
def public_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()
