"""The pytest plugin on notebooks and on scripts in the lecture's style: which it takes, and what it shows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import indent
from xml.etree import ElementTree

import pytest

from grader.apps.pytest_files import claim, functions_of
from grader.course.course import Course
from tests.apps.plugin.conftest import EX1, EX2, EX3, EX4, IMPORTED, Student, collected
from tests.apps.plugin.test_pytest_plugin import run
from tests.conftest import ROOT
from tests.submissions.notebooks.build import DATA, Piece, notebook, pieces, stored

pytest_plugins = ["pytester"]

SCRIPT = (DATA / "script.py").read_text("utf-8")
RUINED = (
    ("dcounts += torch.ones_like(counts) * dcounts_sum\n", ""),
    ("dh = dlogits @ W2.T", "dh = dlogits @ W2.T.T.T @ n"),
    ("dlogits /= n\n", ""),
)
"""Mistakes in exercises 1 and 2 of the lecture's notebook."""


def ruined() -> list[Piece]:
    """The lecture's notebook with mistakes in it."""
    cells = pieces("lecture")
    for old, new in RUINED:
        place = next(i for i, (_, text) in enumerate(cells) if old in text)
        kind, text = cells[place]
        cells[place] = kind, text.replace(old, new, 1)
    return cells


@pytest.fixture
def all_ids(course: Course) -> list[str]:
    """The ids of every gradient that a notebook answers, without the file's name."""
    return [f"{name}::{ask}" for name in course.ids for ask in functions_of(course, name)]


def test_a_notebook_is_one_test_for_each_gradient(me: Student, all_ids: list[str]) -> None:
    me.folder.joinpath("part4.ipynb").write_bytes(stored("lecture"))
    expected = [f"me/part4.ipynb::{name}" for name in all_ids]
    for argument in ("me/part4.ipynb", "me", "."):
        assert collected(me.runs("--collect-only", "-q", argument)) == expected
    one = me.runs("--collect-only", "-q", f"me/part4.ipynb::{EX3}::dhprebn")
    assert collected(one) == [f"me/part4.ipynb::{EX3}::dhprebn"]
    assert me.engine.graded == []


def test_a_script_is_one_test_for_each_gradient(me: Student, all_ids: list[str]) -> None:
    me.writes("part4", SCRIPT)
    for argument in ("me/part4.py", "me", "."):
        assert collected(me.runs("--collect-only", "-q", argument)) == [f"me/part4.py::{i}" for i in all_ids]


def test_outcomes_of_a_notebook_become_results(me: Student) -> None:
    me.folder.joinpath("part4.ipynb").write_bytes(notebook(ruined()))
    result = me.runs("me", "--junit-xml=out.xml")
    result.assert_outcomes(passed=35, failed=3)
    assert me.engine.graded == [EX1, EX2, EX3, EX4]
    result.stdout.fnmatch_lines(
        [
            "*_ ex1_step_by_step::dcounts _*",
            "wrong value: Right, except that it lacks what flows back through the other line *",
            "    me/part4.ipynb, cell 12, line 9: dcounts = counts_sum_inv * dprobs",
            "*_ ex1_step_by_step::dh _*",
            "error: *: cell 12, line 15: *",
            "    part4.ipynb, cell 12, line 15, in dh: dh = dlogits @ W2.T.T.T @ n",
            "*_ ex2_cross_entropy::dlogits _*",
            "wrong value: *a factor of n*",
        ]
    )
    assert "pytest_plugin.py" not in result.stdout.str()
    assert "script.py" not in result.stdout.str()
    found = ElementTree.parse(me.pytester.path / "out.xml").iter("testcase")
    cases = {(case.get("classname"), case.get("name")): case for case in found}
    assert len(cases) == 38
    failure = cases[f"me.part4.ipynb.{EX2}", "dlogits"].find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("wrong value")


def test_a_script_s_failure_names_file_and_line(me: Student) -> None:
    path = me.writes("part4", SCRIPT.replace("dh = dlogits @ W2.T", "dh = dlogits @ W2"))
    result = me.runs("me", "-k", "ex1 and dh")
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("dh ="))
    assert f"    me/part4.py:{line}: dh = dlogits @ W2" in result.outlines


def test_only_what_is_chosen_of_a_notebook_is_run(me: Student) -> None:
    me.folder.joinpath("part4.ipynb").write_bytes(stored("lecture"))
    me.runs("me", "-k", "ex3").assert_outcomes(passed=1, deselected=37)
    assert me.engine.graded == [EX3]


def test_a_notebook_s_failure_ends_it_and_comes_first_next_time(me: Student) -> None:
    path = me.folder / "part4.ipynb"
    path.write_bytes(notebook(ruined()))
    me.runs("me", "-x", "-k", "ex2 or ex3").assert_outcomes(failed=1, deselected=36)
    assert me.engine.graded == [EX2]
    path.write_bytes(stored("lecture"))
    result = me.runs("me", "--lf", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"me/part4.ipynb::{EX2}::dlogits PASSED*"])


def test_what_is_still_to_be_written_is_said_where(me: Student) -> None:
    """The lecture's own notebook names every gradient in comments before a line of it is filled."""
    names = [ask[1:] for ask in functions_of(Course.at(ROOT), EX1)]
    cells = [
        *pieces("lecture")[:11],
        ("code", "".join(f"# cmp('{name}', d{name}, {name})\n" for name in names)),
    ]
    me.folder.joinpath("part4.ipynb").write_bytes(notebook(cells))
    result = me.runs("me")
    result.assert_outcomes(failed=38)
    assert "    me/part4.ipynb: no dprobs here" in result.outlines


def test_names_of_ones_own_are_known_by_the_forward_pass(me: Student) -> None:
    me.folder.joinpath("mine.ipynb").write_bytes(stored("own_names"))
    me.runs("-k", "ex1").assert_outcomes(passed=26, deselected=12)
    me.folder.joinpath("mine.ipynb").unlink()
    path = me.writes("mine", (DATA / "own_names.py").read_text("utf-8"))
    for argument in (path, "me"):
        assert len(collected(me.runs("--collect-only", "-q", argument))) == 38
    assert collected(me.runs("--collect-only", "-q", ".")) == []


def test_a_notebook_answers_what_no_file_beside_it_does(me: Student, all_ids: list[str]) -> None:
    me.folder.joinpath("part4.ipynb").write_bytes(stored("lecture"))
    me.hands_in("alice", EX2, EX3)
    found = collected(me.runs("--collect-only", "-q", "me"))
    assert found[:2] == [f"me/{EX2}.py::dlogits", f"me/{EX3}.py::dhprebn"]
    answered = [name for name in all_ids if not name.startswith((EX2, EX3))]
    assert found[2:] == [f"me/part4.ipynb::{name}" for name in answered]
    found = collected(me.runs("--collect-only", "-q", "me/part4.ipynb"))
    assert found == [f"me/part4.ipynb::{name}" for name in all_ids]


def test_a_module_beside_the_exercises_is_theirs(me: Student) -> None:
    me.hands_in("alice", EX2)
    me.writes("part4", SCRIPT)
    assert collected(me.runs("--collect-only", "-q", "me")) == [f"me/{EX2}.py::dlogits"]


@pytest.mark.parametrize("options", [(), ("-o", "python_files=*.py"), ("--doctest-modules",)])
def test_a_script_is_never_imported(me: Student, options: tuple[str, ...]) -> None:
    me.writes("part4", IMPORTED + SCRIPT)
    me.writes("__init__", IMPORTED)
    for argument in ("me", "me/part4.py"):
        me.runs(argument, *options, "-k", "ex3").assert_outcomes(passed=1, deselected=37)


NETWORK = [
    "import numpy as np",
    "def forward(X): return np.tanh(X @ W1 + b1) @ W2 + b2",
    "dlogits = (probs - Y) / n\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)\ndh = dlogits @ W2.T\n"
    "dhpreact = (1 - h**2) * dh\ndW1 = X.T @ dhpreact\ndb1 = dhpreact.sum(0)",
]
GATE = """
{0} = sigmoid(W{0} @ x + b{0})
d{0} = dh * {0}
dW{0} = d{0} @ x.T
W{0} -= dW{0}
db{0} = d{0}
b{0} -= db{0}
"""
OTHERS = {
    "empty.ipynb": b"",
    "data.ipynb": b"\x00\xff" * 1000,
    "prose.ipynb": notebook([("markdown", "# dprobs, dcounts and dlogits"), ("code", "import torch")]),
    "network.ipynb": notebook([("code", text) for text in NETWORK]),
    "gates.ipynb": notebook([("code", "".join(map(GATE.format, "ifogcu")))]),
    "network.py": "\n".join(NETWORK).encode(),
    "conftest.py": b"",
    "test_theirs.py": f"def test_it():\n    pass\n\n\nif False:\n{indent(SCRIPT, '    ')}".encode(),
}
"""Files of somebody's own project; the gates derive as many gradients by hand as a submission does."""


@pytest.fixture
def project(me: Student) -> Path:
    """A project that has nothing to do with a course."""
    folder = me.pytester.mkdir("project")
    for name, content in OTHERS.items():
        (folder / name).write_bytes(content)
    (folder / "folder.ipynb").mkdir()
    os.mkfifo(folder / "pipe.ipynb")
    with (folder / "huge.ipynb").open("wb") as file:
        file.truncate(1 << 30)
    return folder


def test_other_people_s_files_are_left_alone(me: Student, project: Path) -> None:
    result = me.runs("project", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["project/test_theirs.py::test_it PASSED*"])
    for name in OTHERS:
        if name != "test_theirs.py":
            assert collected(me.runs("--collect-only", "-q", project / name)) == []


def test_to_say_no_to_a_notebook_it_is_not_parsed(
    me: Student, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "gates.ipynb").unlink()

    def parsed(*arguments: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(json, "loads", parsed)
    monkeypatch.setattr("grader.submissions.notebooks.program.Program.read", parsed)
    me.runs("project").assert_outcomes(passed=1)


def test_another_plugin_s_notebooks_stay_with_it(me: Student) -> None:
    """One that is named for its sake and is no submission by its text is none of ours."""
    me.pytester.makeconftest(
        "import pytest\n"
        "class Notebook(pytest.File):\n    def collect(self):\n        yield Cell.from_parent(self, name='cell')\n"
        "class Cell(pytest.Item):\n    def runtest(self):\n        pass\n"
        "def pytest_collect_file(file_path, parent):\n"
        "    if file_path.suffix == '.ipynb':\n        return Notebook.from_parent(parent, path=file_path)\n"
    )
    path = me.folder / "forward.ipynb"
    path.write_bytes(notebook(pieces("own_names")[:6]))
    assert collected(me.runs("--collect-only", "-q", path)) == ["me/forward.ipynb::cell"]
    path.write_bytes(stored("lecture"))
    assert len(collected(me.runs("--collect-only", "-q", path))) == 1 + 38


@pytest.mark.wants("xdist")
def test_a_notebook_s_tests_with_several_workers(tmp_path: Path) -> None:
    """As a student runs it, with nothing heavy imported before something is graded."""
    (tmp_path / "part4.ipynb").write_bytes(stored("lecture"))
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_collection_finish():\n    assert 'torch' not in sys.modules\n"
    )
    result = run(tmp_path, "-W", "error", "-n", "2", "-k", "ex2 or ex3")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed" in result.stdout


def test_a_fresh_notebook_of_a_course_of_ones_own(tmp_path: Path) -> None:
    """What is asked for comes from the course's settings, not from this course's names."""
    exercise = tmp_path / "exercises/ex1"
    exercise.mkdir(parents=True)
    (exercise / "exercise.toml").write_text('asks = ["dscores", "dweights", "dvalues"]\n')
    folder = tmp_path / "submissions/me"
    folder.mkdir(parents=True)
    for text, is_one in (
        ("dscores = 1\ndweights = 2", True),
        ("dprobs = 1\ndlogits = 2\ndvalues = 3", False),
    ):
        (folder / "a.ipynb").write_bytes(notebook([("code", text)]))
        assert (claim(folder / "a.ipynb") is not None) is is_one


def test_nothing_is_imported_for_a_project_without_submissions(tmp_path: Path) -> None:
    """What this plugin costs those who have no use for it."""
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n"
        "    loaded = set(sys.modules)\n"
        "    assert not {'torch', 'nbformat', 'grader.grading.judge', 'rich'} & loaded\n"
        "    assert 'grader.submissions.notebooks' not in loaded\n"
    )
    (tmp_path / "data.ipynb").write_bytes(OTHERS["prose.ipynb"])
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
