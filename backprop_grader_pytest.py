"""The door through which pytest finds the plugin: it stands aside where another ``grader`` would be imported.

A student may well have a file ``grader.py`` beside their tests, and Python then takes that for the package. This
module has a name that nobody else uses, and looks before it imports.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path


def _is_ours() -> bool:
    """Whether ``import grader`` gives the package with the plugin in it."""
    loaded = sys.modules.get("grader")
    found = loaded.__spec__ if loaded is not None else importlib.util.find_spec("grader")
    if found is None or found.origin is None:
        return False
    return Path(found.origin).with_name("apps").joinpath("pytest_plugin.py").is_file()


if _is_ours():
    from grader.apps.pytest_plugin import pytest_collect_directory, pytest_collect_file

    __all__ = ["pytest_collect_directory", "pytest_collect_file"]
else:
    warnings.warn(
        "another module named `grader` stands in the way: submissions are not collected",
        stacklevel=1,
    )
