"""What tests want of the machine: a browser, jq, isolation layers, a system.

All skips are made here, so that one variable can forbid them. A test names the tools that it wants in a
mark, ``@pytest.mark.wants("browser")``, or asks for one as it runs, ``tool("jq")``. What a platform does
not have, and nobody could install, is told by ``only_where``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import pytest

NO_SKIPS = "GRADER_NO_SKIPS"
"""The environment variable that, set to 1, makes a test fail where it would be skipped for want of something."""


def not_to_be_had(reason: str) -> NoReturn:
    """Skip the test that runs for want of something, or fail it where nothing may be wanting."""
    if os.environ.get(NO_SKIPS) == "1":
        pytest.fail(f"{NO_SKIPS}=1, and yet {reason}", pytrace=False)
    pytest.skip(reason)


def only_where(condition: bool, reason: str) -> pytest.MarkDecorator:
    """Mark tests of what other platforms do not have: they are skipped there, whatever is installed."""
    return pytest.mark.skipif(not condition, reason=reason)


@dataclass(frozen=True)
class Tool:
    """Something that a test wants and a machine may lack.

    Attributes:
        find: where it is; None where it is missing.
        how: how to get it.
    """

    find: Callable[[], str | None]
    how: str


def _first_of(*names: str) -> Callable[[], str | None]:
    return lambda: next(filter(None, map(shutil.which, names)), None)


def _module(name: str) -> Callable[[], str | None]:
    def find() -> str | None:
        found = importlib.util.find_spec(name)
        return found and found.origin

    return find


PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

TOOLS: Mapping[str, Tool] = {
    "browser": Tool(
        _first_of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "apt-get install chromium",
    ),
    "dask": Tool(_module("distributed"), "pip install '.[cluster]'"),
    "jq": Tool(_first_of("jq"), "apt-get install jq"),
    "mutmut": Tool(_module("mutmut"), "pip install '.[mutation]'"),
    "system python": Tool(
        lambda: shutil.which(PYTHON, path="/usr/bin:/usr/local/bin"),
        f"install {PYTHON} for all users, or run the tests by a Python that every user may run",
    ),
    "xdist": Tool(_module("xdist"), "pip install pytest-xdist"),
}


def tool(name: str) -> str:
    """Where a tool is; without it, the test that asks is skipped, or fails where nothing may be wanting."""
    wanted = TOOLS[name]
    return wanted.find() or not_to_be_had(f"there is no {name} here; to get it: {wanted.how}")
