"""The reports that ``--report KIND=PATH`` can write, found in this package.

A report is a module with ``KIND`` and ``render(scorecards, context) -> str``, a pure function; adding one
adds a file and changes none. It may also have

* ``APPENDS = True``: its text is added to the end of the file instead of replacing it;
* ``FILLS_IN = True``: where there is the export of a gradebook, its text is that, filled in;
* ``console(scorecards, context) -> str``: lines for the standard output beside the file;
* ``brackets(token) -> (str, str)``: lines to print before and after everything else that is printed, so that
  what a student wrote there means nothing to whoever reads the log; ``token`` must be unguessable;
* ``warnings(scorecards, context) -> Sequence[str]``: what the person who runs it should be told.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import grader.reports
from grader.reports.context import ReportContext
from grader.scorecard import Scorecard

Cards = Sequence[Scorecard]


def _nothing(scorecards: Cards, context: ReportContext) -> str:
    return ""


def _silence(scorecards: Cards, context: ReportContext) -> Sequence[str]:
    return ()


def _bare(token: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True)
class Kind:
    """One kind of report; see this module for what its parts are."""

    name: str
    summary: str
    render: Callable[[Cards, ReportContext], str]
    console: Callable[[Cards, ReportContext], str] = _nothing
    brackets: Callable[[str], tuple[str, str]] = _bare
    warnings: Callable[[Cards, ReportContext], Sequence[str]] = _silence
    appends: bool = False
    fills_in: bool = False

    @classmethod
    def of(cls, module: ModuleType) -> Kind:
        """The kind that a module declares."""
        return cls(
            name=module.KIND,
            summary=(module.__doc__ or "").partition("\n")[0],
            render=module.render,
            console=getattr(module, "console", _nothing),
            brackets=getattr(module, "brackets", _bare),
            warnings=getattr(module, "warnings", _silence),
            appends=getattr(module, "APPENDS", False),
            fills_in=getattr(module, "FILLS_IN", False),
        )


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of report in this package, by name, sorted."""
    names = [
        found.name for found in pkgutil.iter_modules(grader.reports.__path__) if found.name != "__main__"
    ]
    modules = [importlib.import_module(f"grader.reports.{name}") for name in sorted(names)]
    found = [Kind.of(module) for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.name)}
