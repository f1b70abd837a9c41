"""Whatever a student hands in, reading it ends in stubs or in a problem of that file."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.course.course import Course
from grader.submissions.notebooks import ReaderFault, ScriptError, algebra, is_script, translate
from grader.submissions.notebooks.reader import cells_of
from grader.submissions.notebooks.stubs import Work, interpret
from grader.submissions.submission import Submission
from tests.submissions.notebooks.build import DATA, notebook

COURSE = Course.shipped()
TRANSLATING = "grader.submissions.notebooks.translate"
HUGE = "0x" + "f" * 4000
SHORT = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def work(files: Mapping[str, bytes]) -> Mapping[str, Work]:
    """What is read of some files."""
    return interpret(Submission.from_files("ada", files, COURSE).files, COURSE.exercises)


def check(filename: str, content: bytes) -> None:
    """Read a file, and fail where the readers did; stubs that were made are Python."""
    for one in work({filename: content}).values():
        assert not one.handed_in.is_ours, one.handed_in.problem
        if one.translation is not None:
            ast.parse(one.translation.content)


LINES = sorted({line for path in DATA.glob("*.py") for line in path.read_text("utf-8").splitlines()})

ODD = (
    f"x = {HUGE}", f"y = x[{HUGE}]", f"dlogits = {{a: {HUGE}}}", "%%time", "!ls", "def f(:", "    return",
    "    loss.backward()", "with torch.no_grad():", "# Exercise 1", "\\", "'''", "(" * 150, "x = 1e999",
    "\ufeffx = 1", "e\u0301 = 1", "match x:", "    case {**r}:", "*a, = b", "@d", "async def f():", "global x",
    "for i in x:", "1_0j", "\tx = 1", "-1 ** 1e9", "x = 2.0 ** 1e308 / 0", "x = (0.0 / 0.0) ** -1.0",
)  # fmt: skip

words = st.sampled_from(
    ["dlogits", "dprobs", "probs", "logits", "h", "x", "1", "0.5", HUGE, "1e308", "-1", "None"]
)
BETWEEN = (" + ", " * ", " / ", " ** ", " @ ", " < ", " if x else ")
BEHIND = (".sum(0, keepdim=True)", "[0]", ".T", ".mean(0)", ".view(-1, 3)")
TARGETS = ("dlogits", "dprobs", "probs", "logits", "h", "x")
expressions = st.recursive(
    words,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(BETWEEN), inner).map("".join),
        st.tuples(inner, st.sampled_from(BEHIND)).map("".join),
        inner.map("({})".format),
        inner.map("torch.where({}, 0, 1)".format),
        inner.map("(lambda a: {})".format),
        inner.map("[{} for i in x]".format),
    ),
    max_leaves=8,
)  # fmt: skip
statements = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(ODD),
    st.tuples(
        st.sampled_from(TARGETS), st.sampled_from([" = ", " += ", "[0] = ", ": int = "]), expressions
    ).map("".join),
    st.text(max_size=30),
)  # fmt: skip
scripts = st.lists(statements, max_size=25).map("\n".join)


@SHORT
@given(scripts)
def test_any_script_is_read(source: str) -> None:
    check("mine.py", source.encode("utf-8", "surrogatepass"))


@SHORT
@given(st.lists(st.tuples(st.sampled_from(["code", "markdown"]), scripts), max_size=5))
def test_any_notebook_is_read(cells: Sequence[tuple[str, str]]) -> None:
    made = [{"cell_type": kind, "source": text, "metadata": {}, "outputs": []} for kind, text in cells]
    document = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    check("mine.ipynb", json.dumps(document).encode())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
malformed = st.dictionaries(
    st.sampled_from(["cells", "worksheets", "metadata", "nbformat", "nbformat_minor", "orig_nbformat"]),
    anything
    | st.lists(
        st.dictionaries(
            st.sampled_from(["cell_type", "source", "input", "outputs", "cells", "level", "metadata"]),
            anything,
        )
        | anything,
        max_size=3,
    )
    | st.sampled_from([1, 2, 3, 4, 5]),
)


@SHORT
@given(malformed)
def test_any_json_is_read_as_a_notebook(document: Any) -> None:
    check("mine.ipynb", json.dumps(document).encode())


@SHORT
@given(st.sampled_from(["mine.py", "mine.ipynb", "ex1_step_by_step.py"]), st.binary(max_size=200))
def test_any_bytes_are_read(filename: str, content: bytes) -> None:
    check(filename, content)


HUGE_NUMBERS = {
    "alone": f"x = {HUGE}",
    "in a gradient": f"dlogits = dprobs * {HUGE}",
    "as an index": f"logits = h[{HUGE}]\ndlogits = dprobs[{HUGE}]",
    "in a function": f"loss = (lambda: {HUGE})()",
    "in a loop that trains": f"for i in range({HUGE}):\n    loss.backward()\n    W1 += -{HUGE} * dW1",
    "in what is compared": f"cmp('logits', dlogits, {HUGE})",
}


@pytest.mark.parametrize("name", HUGE_NUMBERS)
def test_a_number_that_python_cannot_write_in_decimal_is_read(name: str) -> None:
    check("mine.py", HUGE_NUMBERS[name].encode())
    check("mine.ipynb", notebook([("code", HUGE_NUMBERS[name])]))


def test_expressions_with_huge_numbers_are_told_apart() -> None:
    def tree(source: str) -> algebra.Tree:
        return algebra.tree(ast.parse(source, mode="eval").body, lambda name: (name, 0))

    assert tree(f"{{a: {HUGE}}}") == tree(f"{{a: {HUGE}}}")
    assert len({tree(HUGE), tree(f"{HUGE[:-1]}e"), tree(f"{{a: {HUGE}}}"), tree(f"{{b: {HUGE}}}")}) == 4


def test_a_filename_in_no_encoding_can_be_told_in_a_stub() -> None:
    found = work({"mine\udcff.py": b"x = 1"})
    assert all(one.translation is not None for one in found.values())


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("planted")


def test_a_fault_of_the_readers_is_one_files_problem_and_no_students(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside it, files that need no translation are as they are."""
    monkeypatch.setattr(sys.modules[TRANSLATING], "match", broken)
    found = work({"ex1_step_by_step.py": b"x = 1", "part4.ipynb": notebook([("code", "x = 1")])})
    assert found["ex1_step_by_step"].handed_in.source is not None
    lost = found["ex2_cross_entropy"].handed_in
    assert lost.is_ours and lost.problem is not None and "ZeroDivisionError" in lost.problem
    assert "part4.ipynb" in caplog.text and "planted" in caplog.text


def test_readers_raise_nothing_undeclared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[TRANSLATING], "match", broken)
    cells = cells_of("a.py", b"x = 1")
    with pytest.raises(ReaderFault):
        translate(cells, COURSE.exercises, "a.py", "a.py")
    with pytest.raises(ReaderFault):
        is_script(cells, COURSE.exercises)


def test_code_that_is_nested_too_deeply_is_its_authors_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: object) -> None:
        deep()

    monkeypatch.setattr(sys.modules[TRANSLATING], "match", deep)
    with pytest.raises(ScriptError, match="nested too deeply") as raised:
        translate(cells_of("a.py", b"x = 1"), COURSE.exercises, "a.py", "a.py")
    assert not isinstance(raised.value, ReaderFault)
