"""When to look again: at once when something in a folder was saved, and every half second in any case.

The steady tick is what makes this work where no change is reported (network drives, too many watches in
use), where a folder comes and goes, and where an editor puts another folder in its place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

TICK_S = 0.5
"""Seconds between two looks when no change is reported."""

SETTLED_MS = 20
"""Quiet time after which a save counts as whole: editors write, rename and delete in quick succession."""

LONGEST_MS = 200
"""Milliseconds after which a folder is looked at even if it keeps changing."""


def ticks(folder: Path) -> Iterator[None]:
    """Yield each time the folder should be looked at, without end; it need not exist.

    Args:
        folder: the folder itself is watched, not its files: an editor that saves by renaming puts a new file
            in the old one's place.
    """
    while True:
        try:
            yield from _told(folder)
        except (OSError, RuntimeError):  # cannot be watched; watchfiles' own failures are RuntimeErrors
            time.sleep(TICK_S)
            yield


def _told(folder: Path) -> Iterator[None]:
    """Yield at each change, until another folder has taken this one's name.

    Raises:
        OSError: there is no such folder, or it cannot be watched.
        RuntimeError: the system's watcher failed.
    """
    # Imported here: it is needed by this command alone.
    from watchfiles import watch

    watched = _identity(folder)
    changes = watch(
        folder,
        watch_filter=None,
        debounce=LONGEST_MS,
        step=SETTLED_MS,
        rust_timeout=int(TICK_S * 1000),
        yield_on_timeout=True,
        recursive=False,
    )
    for _ in changes:
        yield
        if _identity(folder) != watched:
            return


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
