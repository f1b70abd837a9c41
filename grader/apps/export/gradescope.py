"""``grade export gradescope OUT.zip``: what an instructor uploads to Gradescope.

In the zip's root are ``setup.sh``, run once when the image is built, ``run_autograder``, run for every
submission, ``settings.json``, which an instructor may edit, and the grader's kit.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.apps.export import kit
from grader.course.course import Course
from grader.course.settings import DEFAULT_SEED
from grader.errors import UsageError

SCRIPTS = ("setup.sh", "run_autograder")
SAME_DAY = (2020, 1, 1, 0, 0, 0)
"""The date of every file, so that the same course makes the same bytes."""


@dataclass(frozen=True)
class GradescopeSettings:
    """What the run script reads from ``settings.json``."""

    exercises: tuple[str, ...] = ()
    seed: int = DEFAULT_SEED
    visibility: str = "visible"
    isolation: str = "auto"


def export(
    out: Path,
    course: Course,
    settings: GradescopeSettings = GradescopeSettings(),
    *,
    reference: bool = False,
) -> None:
    """Write the zip.

    Args:
        out: where to.
        course: whose exercises.
        settings: what to put into ``settings.json``.
        reference: whether the instructor's solutions come along, where a submission may find them.

    Raises:
        UsageError: there is no such exercise, or the file cannot be written.
    """
    members = list(contents(course, settings, reference=reference))
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(_entry(name), content)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error


def contents(
    course: Course, settings: GradescopeSettings, *, reference: bool = False
) -> Iterator[tuple[str, bytes]]:
    """The zip's files: path and content."""
    for name in SCRIPTS:
        yield name, kit.template(name).encode()
    yield "settings.json", (json.dumps(asdict(settings), indent=1) + "\n").encode()
    course.select(settings.exercises)  # refuses what the course does not have
    for name, content in kit.files(course, reference=reference):
        yield f"kit/{name}", content


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, SAME_DAY)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, or the permissions are not read
    entry.external_attr = (0o755 if name in SCRIPTS else 0o644) << 16
    return entry
