"""The run of a class: what cannot be written, and what two runs share."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import grader
from grader.batch.store import ResultStore
from grader.errors import UsageError
from tests.batch import students
from tests.conftest import ROOT

THREE = ("ada", "ben", "lea")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return students.hand_in(tmp_path / "work", {name: students.WORK[name] for name in THREE})


def run(folder: Path, out: Path) -> list[grader.TaskResult]:
    """Grade the three, and collect what comes before whatever is raised."""
    found: list[grader.TaskResult] = []
    for result in grader.grade_class(
        [folder / name for name in THREE], course=ROOT, exercises=[students.EXERCISE], store=ResultStore(out)
    ):
        found.append(result)
    return found


def test_a_folder_in_the_place_of_a_result_ends_no_class(folder: Path, tmp_path: Path) -> None:
    """The others are written, the gradebook too, and it is said at the end."""
    out = tmp_path / "out"
    (out / "ben.html").mkdir(parents=True)
    done = students.grade(folder, "--out", out)
    assert done.returncode == 2
    assert "ben.html: cannot be written: Is a directory" in done.stderr and "Traceback" not in done.stderr
    assert (out / "gradebook.csv").exists() and students.score(out, "ada") == students.score(out, "lea") == 1
    assert "3 submissions" in done.stdout
    with pytest.raises(UsageError, match=r"ben\.html: cannot be written"):
        run(folder, tmp_path / "out")


def test_a_full_disk_ends_it_at_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else were graded could not be written either."""
    tried: list[Path] = []

    def full(path: Path, content: bytes) -> None:
        tried.append(path)
        raise UsageError(f"{path}: full") from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("grader.batch.store.write_whole", full)
    with pytest.raises(UsageError, match="full"):
        run(folder, tmp_path / "out")
    assert len(tried) == 1


def test_two_submissions_of_one_name_are_refused(folder: Path) -> None:
    twins = [folder / "ada", folder / ".." / "work" / "ada"]
    with pytest.raises(UsageError, match="expected one submission named ada"):
        list(grader.grade_class(twins, course=ROOT, exercises=[students.EXERCISE]))
