"""The pytest plugin: a submission's gradients as tests, and nobody else's tests touched.

Most runs are made in this process, with this session's judge; a few are made as a student makes them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import pytest

from grader.apps.pytest_files import Requested, claim, functions_of
from grader.apps.pytest_plugin import stub_line
from grader.course.course import Course
from grader.errors import IsolationError
from grader.scorecard.model import Outcome, Scorecard
from grader.submissions.submission import Submission
from tests.apps.plugin.conftest import EX1, EX2, EX3, IMPORTED, Recorder, Student, collected, words
from tests.conftest import ROOT

pytest_plugins = ["pytester"]


def test_one_test_for_each_gradient(me: Student, course: Course) -> None:
    for exercise in course.exercises:
        me.writes(exercise.id, "")
    result = me.runs("--collect-only", "-q", "me")
    assert collected(result) == [f"me/{e.id}.py::{ask}" for e in course.exercises for ask in e.asks]
    assert me.engine.graded == []


def test_functions_are_known_without_loading_an_exercise(course: Course) -> None:
    for exercise in course.exercises:
        found = functions_of(course, exercise.id)
        assert list(found) == list(exercise.asks)
        assert found == {ask: exercise.function_of(ask).name for ask in exercise.asks}


def test_outcomes_become_results(me: Student) -> None:
    me.hands_in("bob", EX1, EX2, EX3)
    result = me.runs("me", "--junit-xml=out.xml")
    assert result.ret == 1
    counts = result.parseoutcomes()
    assert counts["failed"] == 14
    assert counts["passed"] == 14
    assert me.engine.graded == [EX1, EX2, EX3]
    result.stdout.fnmatch_lines(
        [
            "*_ ex1_step_by_step::dcounts_sum_inv _*",
            "wrong shape: *",
            "*(32, 1)*",
            "*_ ex1_step_by_step::dbnraw _*",
            "error: On the way back through `hpreact = *",
            "    RuntimeError: The size of tensor *",
            "*ex1_step_by_step.py:68 in dbnraw: return bngain.T * dhpreact",
            "*_ ex1_step_by_step::demb _*",
            "missing",
        ]
    )
    assert "pytest_plugin.py" not in result.stdout.str()
    assert "judge.py" not in result.stdout.str()
    cases = {
        (case.get("classname"), case.get("name")): case
        for case in ElementTree.parse(me.pytester.path / "out.xml").iter("testcase")
    }
    assert len(cases) == 28
    failure = cases["me.ex2_cross_entropy", "dlogits"].find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("wrong value")


def test_a_failure_ends_at_the_students_line(me: Student) -> None:
    path = me.writes(EX2, "import torch\n\n\ndef dlogits(logits):\n    return logits.sum(3)\n")
    assert "    me/ex2_cross_entropy.py:5: return logits.sum(3)" in me.runs("me").outlines
    path.write_text("import torch\n\n\ndef dlogits(logits):\n    return logits\n")
    assert "    me/ex2_cross_entropy.py:4: def dlogits(logits):" in me.runs("me").outlines
    path.write_text("x = 1\ndef dlogits(:\n")
    result = me.runs("me")
    assert "    me/ex2_cross_entropy.py:2: def dlogits(:" in result.outlines
    result.assert_outcomes(failed=1)


def test_what_a_stub_prints_is_shown_with_its_failure(me: Student) -> None:
    me.writes(EX2, "def dlogits(logits):\n    print('here I am')\n    return logits\n")
    me.runs("me").stdout.fnmatch_lines(["*Captured stdout call*", "*here I am*"])


def test_in_ones_own_folder(me: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    me.hands_in("alice", EX2, EX3)
    monkeypatch.chdir(me.folder)
    me.runs().assert_outcomes(passed=2)


@pytest.mark.parametrize("argument", [f"me/{EX2}.py", f"me/{EX2}.py::dlogits"])
def test_a_file_or_a_gradient_may_be_named(me: Student, argument: str) -> None:
    me.hands_in("alice", EX2, EX3)
    me.runs(argument).assert_outcomes(passed=1)
    assert me.engine.graded == [EX2]


def test_only_what_is_chosen_is_run(me: Student) -> None:
    me.hands_in("alice", EX1, EX2, EX3)
    me.runs("me", "-k", "ex3").assert_outcomes(passed=1, deselected=27)
    assert me.engine.graded == [EX3]


def test_the_first_failure_may_end_it_and_comes_first_next_time(me: Student) -> None:
    me.hands_in("bob", EX2, EX3)
    me.runs("me", "-x").assert_outcomes(failed=1)
    assert me.engine.graded == [EX2]
    me.hands_in("alice", EX2)
    result = me.runs("me", "--lf", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"me/{EX2}.py::dlogits PASSED*"])


@pytest.mark.parametrize("options", [(), ("-o", "python_files=*.py"), ("--doctest-modules",)])
def test_a_students_file_is_never_imported(me: Student, options: tuple[str, ...]) -> None:
    for name in (EX2, "__init__"):
        me.writes(name, IMPORTED)
    for argument in ("me", f"me/{EX2}.py"):
        result = me.runs(argument, *options)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["error: SystemExit: this file was imported*"])


def test_tests_of_ones_own_are_left_alone(me: Student) -> None:
    me.hands_in("alice", EX2)
    me.writes("test_mine", "def test_mine():\n    pass\n")
    me.runs("me").assert_outcomes(passed=2)


def test_other_peoples_tests_are_left_alone(me: Student) -> None:
    (me.pytester.path / "ex1_other.py").write_text("def test_a():\n    pass\n")
    result = me.runs("-o", "python_files=ex*.py", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ex1_other.py::test_a PASSED*"])


def test_a_submission_without_stubs_does_not_pass(me: Student) -> None:
    me.writes(EX2, "")
    me.runs("me").assert_outcomes(failed=1)


def test_a_fault_of_ours_is_an_error(me: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    me.hands_in("alice", EX2)
    whole = Recorder.grade

    def faulty(desk: Recorder, work: Submission, ids: Sequence[str]) -> Scorecard:
        card = whole(desk, work, ids)
        (result,) = card.exercises
        gradients = tuple(replace(g, outcome=Outcome.GRADER_FAULT, score=None) for g in result.gradients)
        return replace(card, exercises=(replace(result, gradients=gradients),))

    monkeypatch.setattr(Recorder, "grade", faulty)
    result = me.runs("me")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["grader fault"])


def test_without_boxes_it_is_an_error_said_once_for_each(
    me: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refused(course: Course, ids: Sequence[str], *, reuse: bool) -> NoReturn:
        tried.append(tuple(ids))
        raise IsolationError("no box can be opened here")

    monkeypatch.setattr("grader.grading.engine.Engine", refused)
    me.hands_in("alice", EX2, EX3)
    result = me.runs("me")
    result.assert_outcomes(errors=2)
    assert "Traceback" not in result.stdout.str()
    assert tried == [(EX2, EX3)]


def test_a_broken_course_is_one_line(me: Student) -> None:
    exercise = me.pytester.path / "course/exercises/ex1"
    exercise.mkdir(parents=True)
    (exercise / "exercise.toml").write_text("title =")
    folder = me.pytester.path / "course/submissions/me"
    folder.mkdir(parents=True)
    (folder / "ex1.py").write_text(IMPORTED)
    result = me.runs("course/submissions")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*exercise.toml: expected TOML*"])


def test_nothing_of_the_project_but_its_submissions_is_one() -> None:
    for folder in ("grader", "exercises", "reference", "tests", "benchmarks", "docs"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert [path for path in files if claim(path, Requested(file=True, folder=True)) is not None] == []
    found = claim(ROOT / f"submissions/alice/{EX1}.py")
    assert found is not None
    assert (found.course, found.exercises) == (Course.at(ROOT), (EX1,))


def test_a_course_s_own_files_are_not_submissions(tmp_path: Path) -> None:
    exercise = tmp_path / "exercises/ex1"
    exercise.mkdir(parents=True)
    (exercise / "exercise.toml").write_text("")
    found = claim(tmp_path / "submissions/me/ex1.py")
    assert found is not None
    assert found.course == Course.at(tmp_path)
    assert claim(tmp_path / "submissions/me/ex2.py") is None
    assert claim(tmp_path / "reference/ex1.py") is None
    assert claim(tmp_path / "exercises/ex1/ex1.py") is None
    assert claim(tmp_path / "tests/data/ex1.py") is None


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def dprobs(probs):\n    pass\n", 1),
        ("import torch\n\nasync  def dprobs(\n", 3),
        ("def dprobs():\n    pass\ndef dprobs():\n    pass\n", 3),
        ("x = (\ndprobs = lambda probs: probs\n", 2),
        ("dprobs: object = torch.log\n", 1),
        ("def dprobs_too():\n    dprobs = 1\n", None),
        ("dprobs == 1\n", None),
    ],
)
def test_a_stub_is_found_in_whatever_state_the_file_is(source: str, line: int | None) -> None:
    assert stub_line(source, "dprobs") == line


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run pytest as a student does."""
    command = [sys.executable, "-m", "pytest", *words(*arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_as_a_student_runs_it(tmp_path: Path) -> None:
    """Strict about warnings, and with nothing heavy imported before something is graded."""
    folder = tmp_path / "me"
    folder.mkdir()
    for name in (EX2, EX3):
        (folder / f"{name}.py").write_bytes((ROOT / f"submissions/bob/{name}.py").read_bytes())
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_collection_finish():\n    assert 'torch' not in sys.modules\n"
    )
    result = run(tmp_path, "-W", "error", "me")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "2 failed in" in result.stdout
    assert re.search(r"^wrong value", result.stdout, re.M)


@pytest.mark.wants("xdist")
def test_with_several_workers(tmp_path: Path) -> None:
    for name in (EX2, EX3):
        (tmp_path / f"{name}.py").write_bytes((ROOT / f"submissions/alice/{name}.py").read_bytes())
    result = run(tmp_path, "-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed in" in result.stdout
