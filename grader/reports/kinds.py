"""The kinds of reports: found in this package and in installed ones, and rendered by name.

A kind is a module with ``KIND`` (its name) and ``render(scorecards, context) -> str``, a pure function. Adding one
adds a file to this package and changes none. Another package adds one with an entry point of the group
``backprop_grader.reports`` that leads to such a module. The first line of its docstring says what it is.
It may also have

* ``APPENDS = True``: its text is added to the end of the file instead of replacing it;
* ``ALONE = True``: it is about exactly one submission;
* ``USES``: which of ``assignment``, ``gradebook`` and ``commit_time`` of the context it looks at; with a
  ``gradebook``, its text is that export, filled in;
* ``check(titles, context) -> None``: raises what ``render`` would for reasons that are known before
  anything is graded; ``titles`` are those of the exercises, by their ids;
* ``console(scorecards, context) -> str``: lines for the standard output beside the file;
* ``brackets(token) -> (str, str)``: lines to print before and after everything else that is printed, so that
  what a student wrote there means nothing to whoever reads the log; ``token`` must be unguessable;
* ``warnings(scorecards, context) -> Sequence[str]``: what the person who runs it should be told.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, NoReturn

import grader.reports
from grader import plugins
from grader.plugins import PluginError
from grader.reports.context import ReportContext, ReportError
from grader.scorecard.model import Scorecard

Cards = Sequence[Scorecard]

_log = logging.getLogger("grader.reports")


def _no_console(scorecards: Cards, context: ReportContext) -> str:
    return ""


def _no_warnings(scorecards: Cards, context: ReportContext) -> Sequence[str]:
    return ()


def _no_check(titles: Mapping[str, str], context: ReportContext) -> None:
    return None


def _no_brackets(token: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True)
class Kind:
    """One kind of report; this module's docstring says what its parts are."""

    name: str
    summary: str
    render: Callable[[Cards, ReportContext], str]
    console: Callable[[Cards, ReportContext], str] = _no_console
    brackets: Callable[[str], tuple[str, str]] = _no_brackets
    warnings: Callable[[Cards, ReportContext], Sequence[str]] = _no_warnings
    appends: bool = False
    alone: bool = False
    uses: frozenset[str] = frozenset()
    check: Callable[[Mapping[str, str], ReportContext], None] = _no_check

    @classmethod
    def of(cls, module: Any) -> Kind:
        """Return the kind that a module declares.

        Raises:
            AttributeError: the module has no ``KIND`` or no ``render``.
        """
        return cls(
            name=module.KIND,
            summary=(module.__doc__ or "").partition("\n")[0],
            render=module.render,
            console=getattr(module, "console", _no_console),
            brackets=getattr(module, "brackets", _no_brackets),
            warnings=getattr(module, "warnings", _no_warnings),
            appends=getattr(module, "APPENDS", False),
            alone=getattr(module, "ALONE", False),
            uses=frozenset(getattr(module, "USES", ())),
            check=getattr(module, "check", _no_check),
        )

    @classmethod
    def broken(cls, name: str, error: PluginError) -> Kind:
        """Return a kind that stands for a plugin that cannot be used: whoever asks for it is told why."""

        def refuse(*_: object) -> NoReturn:
            raise ReportError(f"report {name}: {error}") from error

        return cls(name=name, summary=f"cannot be used: {error}", render=refuse, check=refuse)

    @property
    def speaks(self) -> bool:
        """Whether it prints, beside what goes to its file."""
        return self.console is not _no_console or self.brackets is not _no_brackets


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind of report, of this package and of installed ones, by name, sorted.

    A plugin that cannot be used is among them, under its entry point's name: it raises a :class:`ReportError` that
    says why as soon as it is checked or rendered.
    """
    found = dict(_own())
    for name, loaded in plugins.added("reports", broken=Kind.broken).items():
        kind = loaded if isinstance(loaded, Kind) else _plugged_in(name, loaded)
        if kind.name in found:
            _log.warning("the entry point %r adds a report %r, which there is already", name, kind.name)
        else:
            found[kind.name] = kind
    return dict(sorted(found.items()))


@cache
def _own() -> Mapping[str, Kind]:
    """The kinds of this package."""
    names = [one.name for one in pkgutil.iter_modules(grader.reports.__path__) if one.name != "__main__"]
    modules = [importlib.import_module(f"grader.reports.{name}") for name in names]
    found = [Kind.of(module) for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in found}


def _plugged_in(name: str, module: Any) -> Kind:
    """The kind that another package's module declares."""
    try:
        return Kind.of(module)
    except AttributeError as error:
        return Kind.broken(
            name, plugins.unusable("reports", name, f"a report has KIND and render, but {error}")
        )


def render(kind: str, scorecards: Scorecard | Iterable[Scorecard], **context: Any) -> str:
    """Render a report as text; no file is read or written.

    Args:
        kind: what to make: ``"table"``, ``"html"`` or ``"json"``, which show one submission, or a report of
            docs/reports.md such as ``"junit"``, ``"markdown"`` or ``"gradescope"``.
        scorecards: one scorecard, or several. ``gradescope``, ``classroom50`` and ``prairielearn`` take one only.
        context: what the report may need besides: fields of
            :class:`~grader.reports.context.ReportContext`, such as ``assignment="Backprop"`` and
            ``gradebook=text`` for ``canvas`` and ``moodle``.

    Returns:
        What ``grade`` would have written to the report's file.

    Raises:
        ReportError: there is no such kind (the message names those there are), or it cannot be made of these
            scorecards.
        TypeError: a keyword is not a field of the context.
    """
    cards = (scorecards,) if isinstance(scorecards, Scorecard) else tuple(scorecards)
    surroundings = _context(context)
    page = pages().get(kind)
    if page is not None:
        return page(_single(cards, kind))
    found = _own().get(kind) or kinds().get(
        kind
    )  # other packages are asked only for one that is not in this one
    if found is None:
        names = ", ".join(sorted((*pages(), *kinds())))
        raise ReportError(f"report: expected one of {names}, found {kind!r}")
    return found.render(cards, surroundings)


@cache
def pages() -> Mapping[str, Callable[[Scorecard], str]]:
    """Return the formats that show one scorecard, by name: those written for every submission, and the table."""
    from grader.reports import files, table

    return {suffix.removeprefix("."): show for suffix, show in files().items()} | {"table": table.render}


def _single(cards: Cards, kind: str) -> Scorecard:
    if len(cards) != 1:
        raise ReportError(f"report {kind}: expected one submission, found {len(cards)}")
    return cards[0]


def _context(given: Mapping[str, Any]) -> ReportContext:
    known = [field.name for field in fields(ReportContext)]
    for name in given:
        if name not in known:
            raise TypeError(f"render: expected keywords among {', '.join(known)}, found {name!r}")
    return ReportContext(**given)
