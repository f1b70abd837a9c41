"""A test that needs a tool is skipped without it, and fails if skips are not allowed."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests import wanted
from tests.conftest import pytest_runtest_setup

TESTS = Path(__file__).parent
SKIPS = re.compile(r"pytest\.(skip|importorskip)\(|mark\.skip|unittest\.skip|SkipTest")


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a telescope."""
    monkeypatch.setitem(wanted.TOOLS, "telescope", wanted.Tool(lambda: None, "apt-get install telescope"))  # type: ignore[arg-type]


@pytest.mark.usefixtures("lacking")
@pytest.mark.parametrize(("no_skips", "ends"), [("1", pytest.fail.Exception), ("0", pytest.skip.Exception)])
def test_a_missing_tool_fails_where_nothing_may_be_skipped(
    no_skips: str, ends: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(wanted.NO_SKIPS, no_skips)
    with pytest.raises(ends, match="no telescope here; to get it: apt-get install telescope"):
        wanted.tool("telescope")


@pytest.mark.usefixtures("lacking")
def test_a_mark_asks_for_its_tools(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``@pytest.mark.wants("telescope")`` above a test would."""
    monkeypatch.setenv(wanted.NO_SKIPS, "0")
    request.node.add_marker(pytest.mark.wants("telescope"))
    with pytest.raises(pytest.skip.Exception, match="telescope"):
        pytest_runtest_setup(request.node)


def test_ctrl_c_reaches_what_tests_start() -> None:
    """Even where the tests themselves run in the background of a shell."""
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_a_tool_that_is_there_is_told() -> None:
    assert wanted.tool("xdist").endswith("__init__.py")


def test_all_skips_are_made_in_one_place() -> None:
    """Or the variable that forbids them would not reach them."""
    ours = {TESTS / "wanted.py", Path(__file__)}
    stored = {path for folder in ("corpus", "hostile/corpus") for path in (TESTS / folder).rglob("*.py")}
    files = {path for path in TESTS.rglob("*.py") if "data" not in path.parts} - ours - stored
    assert not [str(path) for path in sorted(files) if SKIPS.search(path.read_text("utf-8"))]
