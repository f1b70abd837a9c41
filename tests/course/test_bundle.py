"""A course as bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.course import bundle
from grader.course.bundle import CourseBundle
from grader.course.course import Course
from grader.errors import CourseError


def test_what_is_unpacked_is_the_same_course(course: Course, tmp_path: Path) -> None:
    """The same files with the same bytes, and so the same digest."""
    packed = CourseBundle.of(course)
    unpacked = packed.unpack(tmp_path)
    assert unpacked.ids == course.ids
    assert CourseBundle.of(unpacked) == packed and CourseBundle.of(unpacked).digest == packed.digest
    assert "reference/ex1_step_by_step.py" in packed.files and not any(
        "submissions" in one for one in packed.files
    )


def test_another_byte_is_another_digest(course: Course) -> None:
    files = dict(CourseBundle.of(course).files)
    changed = CourseBundle({**files, "exercises/README.md": b"other"})
    moved = CourseBundle({**files, "exercises/READ": b"ME.md"})
    assert len({CourseBundle(files).digest, changed.digest, moved.digest}) == 3


@pytest.mark.parametrize("place", ["../outside", "/etc/outside", "exercises/../../outside"])
def test_no_file_is_written_outside(place: str, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="leads out of it"):
        CourseBundle({place: b""}).unpack(tmp_path / "in")
    assert not list(tmp_path.rglob("outside"))


def test_a_course_too_large_to_send_is_refused(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "SIZE_LIMIT", 1000)
    with pytest.raises(CourseError, match="expected at most 0 MiB of exercises"):
        CourseBundle.of(course)
