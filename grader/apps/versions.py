"""Which versions of torch the grader was tried with. Another may behave differently, so a command warns of it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

OLDEST, NEWEST = (2, 4), (2, 13)
"""Of torch, as pyproject.toml has them."""


def untried() -> str | None:
    """Return a warning about the installed torch; None if this version was tried."""
    try:
        found = version("torch")
    except PackageNotFoundError:
        return None  # its import will say so
    number = re.match(r"(\d+)\.(\d+)", found)
    if number is None or OLDEST <= (int(number[1]), int(number[2])) <= NEWEST:
        return None
    oldest, newest = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
    return f"not tried with torch {found}, expected {oldest} to {newest}: if anything is odd, install one of those"
