"""A submission is its bytes, wherever they come from."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from grader.course.course import Course
from grader.errors import SubmissionError
from grader.submissions.submission import FILES_LIMIT, SIZE_LIMIT, Submission

ROOT = Path(__file__).parents[2]
EX1, EX2 = "ex1_step_by_step.py", "ex2_cross_entropy.py"
NOTEBOOK = b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'


@pytest.fixture(scope="module")
def course() -> Course:
    return Course.shipped()


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


HANDED_IN: Mapping[str, Mapping[str, bytes]] = {
    "one exercise": {EX1: b"x = 1\n"},
    "two and a module": {EX1: b"import helper\n", EX2: b"y = 2\n", "helper.py": b"z = 3\n"},
    "a notebook": {"part4.ipynb": NOTEBOOK},
    "two notebooks": {"a.ipynb": NOTEBOOK, "b.ipynb": NOTEBOOK},
    "a script": {"solution.py": b"x = 1\n"},
    "nothing to grade": {"essay.txt": b"?"},
    "nothing": {},
    "too large": {EX1: b"#" * (SIZE_LIMIT + 1)},
    "too many": {**{f"a{i:03}.py": b"x" for i in range(FILES_LIMIT + 5)}, EX1: b"x = 1\n"},
    "deeper": {f"hw/{EX1}": b"x = 1\n", "hw/helper.py": b"y = 2\n", "notes.txt": b"?"},
    "a zip": {"hw.zip": zipped({f"hw/{EX1}": b"x = 1\n"})},
    "a copy": {"ex1_step_by_step (2).py": b"x = 1\n"},
    "an ending in capitals": {"Solution.PY": b"x = 1\n"},
    "a name outside ASCII": {EX1: b"import h\xc3\xa9", "h\u00e9.py": b"x"},
}


@pytest.mark.parametrize("files", HANDED_IN.values(), ids=HANDED_IN)
def test_the_same_files_are_the_same_submission_by_path_and_by_bytes(
    files: Mapping[str, bytes], course: Course, tmp_path: Path
) -> None:
    folder = tmp_path / "ada"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    by_path = Submission.from_path(folder, course)
    by_bytes = Submission.from_files("ada", files, course)
    assert by_bytes == by_path
    assert (by_path.path, by_bytes.path) == (folder, None)


@pytest.mark.parametrize("name", ["part4.ipynb", "solution.py", EX1])
def test_a_file_is_the_same_submission_by_path_and_by_bytes(
    name: str, course: Course, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(NOTEBOOK)
    by_path = Submission.from_path(tmp_path / name, course)
    assert Submission.from_files(Path(name).stem, {name: NOTEBOOK}, course) == by_path


def test_wanting_one_exercise_takes_any_script_for_it(course: Course) -> None:
    found = Submission.from_files("ada", {"mine.py": b"x = 1"}, course, only=("ex2_cross_entropy",))
    assert list(found.files) == ["ex2_cross_entropy"]


def test_a_submission_travels_as_bytes(course: Course) -> None:
    for folder in sorted((ROOT / "submissions").iterdir()):
        found = Submission.from_path(folder, course)
        message = pickle.dumps(found)
        assert pickle.loads(message) == found
        assert len(message) < 16_000, folder.name


def test_a_name_that_is_a_path_leads_nowhere(course: Course) -> None:
    found = Submission.from_files("eve", {f"../ada/{EX1}": b"x", f"/tmp/{EX1}": b"x"}, course)
    assert not any(one.source or one.script for one in found.files.values())
    assert [one.filename for one in found.unreadable] == [f"../ada/{EX1}", f"/tmp/{EX1}"]


def test_where_there_is_nothing_is_said(course: Course, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no such file or folder"):
        Submission.from_path(tmp_path / "nobody", course)
