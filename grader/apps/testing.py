"""``grade test PATH...``: run pytest on submissions without importing any of their files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from grader.apps.process import ended_by_interrupt
from grader.errors import InternalError, UsageError

STATUS = {0: 0, 1: 1, 2: 130, 5: 2}
"""Pytest's exit status (all passed, some failed, interrupted, nothing collected) as one of this command's."""


def run(paths: Sequence[Path], expression: str | None = None) -> int:
    """Run pytest on some submissions; the exit status.

    Args:
        paths: submissions, or folders of them.
        expression: which gradients, as pytest's ``-k`` takes it.

    Raises:
        UsageError: pytest is not installed, or nothing at the paths is a submission's.
    """
    try:
        import pytest
    except ImportError as error:
        raise UsageError("pytest: expected it to be installed; `pip install pytest` does that") from error
    from grader.apps import pytest_plugin

    with tempfile.TemporaryDirectory(prefix="grade-test-") as empty:
        arguments = [*_apart(Path(empty)), *(["-k", expression] if expression else [])]
        arguments += [os.path.abspath(path) for path in paths]
        before = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        try:
            with ended_by_interrupt():
                found = int(pytest.main(arguments, plugins=[pytest_plugin, _only_submissions()]))
        finally:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
            os.environ.update({name: value for name, value in before.items() if value is not None})
    if found in (4, 5) and expression:
        raise UsageError(
            f"-k {expression}: expected words that fit the name of a gradient, found none that do"
        )
    if found == 5:
        raise UsageError(f"{', '.join(map(str, paths))}: expected submissions, found no file of one")
    if found not in STATUS:
        raise InternalError(f"pytest ended with status {found}")
    return STATUS[found]


def _apart(empty: Path) -> list[str]:
    """Arguments by which pytest reads no settings, runs no conftest.py and loads no plugin of a submission's."""
    settings = empty / "pytest.ini"
    settings.write_text("[pytest]\n", "utf-8")
    return [
        "-c",
        str(settings),
        f"--rootdir={empty}",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:doctest",
    ]


def _only_submissions() -> object:
    """A plugin that leaves submissions' files alone with the grader's: pytest's own collectors import theirs."""
    import pytest

    from grader.apps.pytest_plugin import SubmissionFile

    class OnlySubmissions:
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_collect_file(self) -> Generator[None, list[Any], list[Any]]:
            found = yield
            return [one for one in found if isinstance(one, SubmissionFile)]

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_collect_directory(self, path: Path, parent: Any) -> Generator[None, Any, Any]:
            yield
            return pytest.Dir.from_parent(parent, path=path)

    return OnlySubmissions()
