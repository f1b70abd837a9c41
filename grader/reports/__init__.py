"""Scorecards for people and programs: one module for each format, each a function of a scorecard.

A module with ``SUFFIX`` and ``render(scorecard) -> str`` is written to a file for every submission.
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
    """The formats that are written to files, by the ending of the file."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    return {module.SUFFIX: module.render for module in modules if hasattr(module, "SUFFIX")}
