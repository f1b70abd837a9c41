"""Reports by name, from scorecards in memory to text, those of other packages included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from grader import plugins
from grader.plugins import PluginError
from grader.reports import files, junit, table
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import kinds, pages, render
from grader.scorecard.model import Scorecard
from tests.reports.builders import perfect, sample

Add = Callable[..., None]


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Have other packages add reports, by their entry points' names; an exception is what loading one raises."""

    def installed(**added: Any) -> None:
        entries = [_Entry(name, what) for name, what in added.items()]
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: entries if group.endswith(".reports") else []
        )
        kinds.cache_clear()

    yield installed
    kinds.cache_clear()


class _Entry:
    """An entry point, as importlib.metadata has them."""

    group = "backprop_grader.reports"
    dist = SimpleNamespace(name="grader-latex")

    def __init__(self, name: str, loaded: Any) -> None:
        self.name, self.value, self._loaded = name, f"grader_latex.{name}", loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def latex(scorecards: Any, context: ReportContext) -> str:
    return f"\\score{{{sum(card.score for card in scorecards):g}}} {context.assignment}"


def test_a_report_is_rendered_by_its_name() -> None:
    assert render("junit", [sample(), perfect()]) == junit.render([sample(), perfect()], ReportContext())
    assert render("junit", iter([sample()])) == render("junit", sample())


@pytest.mark.parametrize("name", ["table", "html", "json"])
def test_a_page_shows_one_scorecard(name: str) -> None:
    show = table.render if name == "table" else files()[f".{name}"]
    assert render(name, sample()) == show(sample())
    with pytest.raises(ReportError, match=f"report {name}: expected one submission, found 2"):
        render(name, [sample(), perfect()])


def test_the_text_of_json_is_the_scorecards_own() -> None:
    assert Scorecard.from_json(render("json", sample())) == sample()


def test_keywords_are_what_a_report_may_need_besides() -> None:
    assert "Backprop" in render("canvas", sample(), assignment="Backprop").partition("\n")[0]


def test_a_keyword_that_there_is_none_of_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(
        TypeError, match=r"expected keywords among seconds, .*assignment.*, found 'asignment'"
    ):
        render("canvas", sample(), asignment="Backprop")


def test_an_unknown_kind_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ReportError) as caught:
        render("jnuit", sample())
    assert all(name in str(caught.value) for name in (*kinds(), *pages(), "found 'jnuit'"))


def test_another_package_adds_a_report(add: Add) -> None:
    """A module of the same interface as ours, among ours and rendered as they are."""
    add(
        latex=SimpleNamespace(
            KIND="latex", render=latex, __doc__="The score for a paper.\n\nMore.", ALONE=True
        )
    )
    kind = kinds()["latex"]
    assert (kind.name, kind.summary, kind.alone, kind.speaks) == (
        "latex",
        "The score for a paper.",
        True,
        False,
    )
    assert list(kinds()) == sorted(kinds()) and "junit" in kinds()
    assert render("latex", perfect(), assignment="Backprop") == "\\score{26} Backprop"


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (ImportError("No module named 'pylatex'"), "ImportError: No module named 'pylatex'"),
        (AttributeError("no 'report'"), "AttributeError: no 'report'"),
        (ZeroDivisionError("oh"), "ZeroDivisionError: oh"),
        (SimpleNamespace(KIND="latex"), "a report has KIND and render, but .*render"),
        (SimpleNamespace(render=latex), "a report has KIND and render, but .*KIND"),
        (None, "a report has KIND and render, but .*KIND"),
    ],
)
def test_a_broken_plugin_is_one_error_for_whoever_asks_for_it(add: Add, what: Any, why: str) -> None:
    """It names the entry point, comes before anything is graded, and costs no other report."""
    add(latex=what)
    for ask in (lambda: render("latex", sample()), lambda: kinds()["latex"].check({}, ReportContext())):
        with pytest.raises(ReportError, match=f"report latex: the entry point .?latex.*{why}"):
            ask()
    assert render("junit", sample())
    assert kinds()["junit"].render([sample()], ReportContext())


def test_a_plugin_takes_no_name_of_ours(add: Add, caplog: pytest.LogCaptureFixture) -> None:
    add(mine=SimpleNamespace(KIND="junit", render=latex))
    assert kinds()["junit"].render is junit.render
    assert "'mine' adds a report 'junit', which there is already" in caplog.text


def test_a_plugin_that_cannot_be_loaded_names_its_package(add: Add) -> None:
    add(latex=ImportError("oh"))
    with pytest.raises(
        PluginError, match=r"`latex = grader_latex.latex` of the package grader-latex in the group"
    ):
        plugins.added("reports")


def test_no_entry_point_is_read_for_a_report_of_ours() -> None:
    """They are looked up only for a name that this package does not have; reading them takes a while."""
    code = (
        "import sys\nfrom grader import plugins\nfrom grader.reports.kinds import render\n"
        "from tests.reports.builders import sample\n"
        "plugins.entry_points = lambda **_: sys.exit('read')\n"
        "for kind in ('junit', 'html', 'markdown'): render(kind, sample())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
