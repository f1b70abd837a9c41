"""A kept result is taken over only if nothing that it depends on has changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.fingerprint import RunFingerprint
from grader.scorecard.model import Isolation, MissingLayer
from grader.submissions.submission import Submission
from tests.conftest import ROOT

ISOLATION = Isolation(("process",), ())
ADA = Submission("ada", Path("ada"), "d1", {})


@pytest.fixture
def course(tmp_path: Path) -> Course:
    for part in ("exercises", "reference"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return Course.at(tmp_path)


def terms(
    course: Course, settings: Settings | None = None, isolation: Isolation = ISOLATION
) -> RunFingerprint:
    fresh = Course.at(course.root)
    exercises = fresh.select(("ex2_cross_entropy",))
    return RunFingerprint.of(fresh, exercises, settings or Settings(), isolation)


def test_the_same_terms_have_the_same_digest(course: Course) -> None:
    assert terms(course) == terms(course)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(seed=2),
        Settings(time_limit_s=3),
        Settings(memory_limit_mb=512),
        Settings(words=ROOT / "exercises" / "data" / "README.md"),
    ],
    ids=str,
)
def test_every_setting_counts(course: Course, settings: Settings) -> None:
    assert terms(course, settings) != terms(course)


@pytest.mark.parametrize(
    "isolation", [Isolation((), ()), Isolation(("process",), (MissingLayer("seccomp", "none"),))], ids=str
)
def test_the_layers_in_force_count(course: Course, isolation: Isolation) -> None:
    assert terms(course, isolation=isolation) != terms(course)


@pytest.mark.parametrize(
    "part",
    [
        "exercises/ex1_step_by_step/forward.py",  # which exercise 2 shares
        "exercises/ex2_cross_entropy/exercise.toml",
        "exercises/data/names.txt",
        "reference/ex2_cross_entropy.py",
    ],
)
def test_every_file_that_grades_hang_on_counts(course: Course, part: str) -> None:
    before = terms(course)
    path = course.root / part
    path.write_text(
        path.read_text("utf-8") + ("zoe\n" if path.suffix == ".txt" else "\n# changed\n"), "utf-8"
    )
    assert terms(course) != before


def test_what_grades_do_not_hang_on_does_not_count(course: Course) -> None:
    before = terms(course)
    (course.root / "exercises/ex2_cross_entropy/README.md").write_text("better said", "utf-8")
    (course.root / "reference/ex3_batchnorm.py").write_text("# another exercise's", "utf-8")
    assert terms(course) == before


def test_the_key_is_the_submissions_own(course: Course) -> None:
    found = terms(course)
    keys = {found.key(ADA), found.key(replace(ADA, digest="d2")), found.key(replace(ADA, name="ben"))}
    assert len(keys) == 3
    assert found.key(replace(ADA, path=Path("elsewhere"))) == found.key(ADA)
