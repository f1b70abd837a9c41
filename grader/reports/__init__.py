"""Scorecards for people and programs: one module for each format, each a pure function of scorecards.

No torch and no grading. :func:`grader.reports.kinds.render` renders a format by its name. A module with
``SUFFIX`` and ``render(scorecard) -> str`` is written to a file for every submission; one with ``KIND`` is written
where it is asked for, see :mod:`grader.reports.kinds`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache

from grader.scorecard.model import Scorecard

Render = Callable[[Scorecard], str]


@cache
def files() -> Mapping[str, Render]:
    """Return the formats that are written to a file for every submission, by the file's ending."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    return {module.SUFFIX: module.render for module in modules if hasattr(module, "SUFFIX")}
