"""A course as bytes: what travels to a machine that has none of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from grader.course.course import EXERCISES, REFERENCE, Course
from grader.errors import CourseError

SIZE_LIMIT = 64 << 20
"""Bytes of a course that travels; a word list has some hundred thousand."""


@dataclass(frozen=True)
class CourseBundle:
    """The exercises and reference solutions of a course.

    Args:
        files: the bytes of each file, by its place in the course's folder, written with ``/``.
    """

    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, course: Course) -> CourseBundle:
        """Read a course's files.

        Raises:
            CourseError: a file cannot be read, or all of them are larger than 64 MiB.
        """
        files: dict[str, bytes] = {}
        size = 0
        for path in _files(course.root):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise CourseError(f"{path}: cannot be read: {error.strerror}") from error
            size += len(content)
            if size > SIZE_LIMIT:
                raise CourseError(
                    f"{course.root}: expected at most {SIZE_LIMIT >> 20} MiB of exercises and reference solutions "
                    f"to send, found more: move what is not needed out of {EXERCISES}/ and {REFERENCE}/"
                )
            files[path.relative_to(course.root).as_posix()] = content
        return cls(files)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and bytes, as hexadecimal digits."""
        digest = hashlib.sha256()
        for place, content in sorted(self.files.items()):
            for part in (place.encode("utf-8", "surrogateescape"), content):
                digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def unpack(self, folder: Path) -> Course:
        """Write the files into a folder; the course they make.

        Raises:
            CourseError: a place leads out of the folder, or the files make no course.
        """
        for place, content in self.files.items():
            inside = PurePosixPath(place)
            if inside.is_absolute() or ".." in inside.parts:
                raise CourseError(
                    f"{place}: expected a place inside the course, found one that leads out of it"
                )
            path = folder / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Course.at(folder)


def _files(root: Path) -> Iterator[Path]:
    for name in (EXERCISES, REFERENCE):
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
