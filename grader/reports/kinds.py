"""The reports that ``--report KIND=PATH`` can write, found in this package.

A report is a module with ``KIND`` and ``render(scorecards, context) -> str``, a pure function; adding one
adds a file and changes none. It may also have

* ``APPENDS = True``: its text is added to the end of the file instead of replacing it;
* ``ALONE = True``: it is about exactly one submission;
* ``USES``: which of ``assignment``, ``gradebook`` and ``commit_time`` of the context it looks at; with a
  ``gradebook``, its text is that export, filled in;
* ``check(titles, context) -> None``: raises what :func:`render` would for reasons that are known before
  anything is graded; ``titles`` are those of the exercises, by their ids;
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
from grader.scorecard.model import Scorecard

Cards = Sequence[Scorecard]


def _nothing(scorecards: Cards, context: ReportContext) -> str:
    return ""


def _silence(scorecards: Cards, context: ReportContext) -> Sequence[str]:
    return ()


def _anything(titles: Mapping[str, str], context: ReportContext) -> None:
    return None


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
    alone: bool = False
    uses: frozenset[str] = frozenset()
    check: Callable[[Mapping[str, str], ReportContext], None] = _anything

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
            alone=getattr(module, "ALONE", False),
            uses=getattr(module, "USES", frozenset()),
            check=getattr(module, "check", _anything),
        )

    @property
    def speaks(self) -> bool:
        """Whether it prints, beside what goes to its file."""
        return self.console is not _nothing or self.brackets is not _bare


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of report in this package, by name, sorted."""
    names = [
        found.name for found in pkgutil.iter_modules(grader.reports.__path__) if found.name != "__main__"
    ]
    modules = [importlib.import_module(f"grader.reports.{name}") for name in sorted(names)]
    found = [Kind.of(module) for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.name)}
