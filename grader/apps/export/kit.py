"""The grader and a course as a source tree that pip can install, without this checkout.

What is exported is the code that runs here and the exercises that were chosen here, so that grades elsewhere
are the grades here. The reference solution stays behind unless it is asked for: grading does without it, and
a student may come to see what is exported.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import grader
from grader.course.course import EXERCISES, REFERENCE, SHIPPED, Course

PACKAGE = Path(grader.__file__).parent
TEMPLATES = Path(__file__).parent / "templates"

_PROJECT = """\
# Written by `grade export`: the grader {version} and a course, to be installed with pip.
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "backprop-grader"
version = "{version}"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[project.scripts]
grade = "grader.apps.cli:main"

[tool.hatch.build.targets.wheel]
packages = ["grader"]

[tool.hatch.build.targets.wheel.force-include]
{folders}
"""


def files(course: Course, *, reference: bool = False) -> Iterator[tuple[str, bytes]]:
    """The kit's files.

    Args:
        course: whose exercises; all of them, because one may go back through another's forward pass.
        reference: whether the instructor's solutions come along.

    Yields:
        Path with forward slashes, and content, in order of path within each part.
    """
    yield "pyproject.toml", _project(reference=reference).encode()
    # An installed package carries a course, which is not the one that was asked for.
    yield from _tree(PACKAGE, "grader", without=SHIPPED)
    yield from _tree(course.root / EXERCISES, EXERCISES)
    if reference and (course.root / REFERENCE).is_dir():
        yield from _tree(course.root / REFERENCE, REFERENCE)


def write(target: Path, contents: Iterator[tuple[str, bytes]]) -> None:
    """Write files below a folder, which is made where it does not exist."""
    for name, content in contents:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def template(name: str) -> str:
    """A file that is exported as it is."""
    return (TEMPLATES / name).read_text("utf-8")


def clear(target: Path) -> None:
    """Remove a folder that an earlier export wrote, so that nothing stale is left in it."""
    if target.exists():
        shutil.rmtree(target)


def _tree(root: Path, name: str, without: str = "") -> Iterator[tuple[str, bytes]]:
    """The files below a folder, but for those in one folder directly below it."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part == "__pycache__" or part.startswith(".") for part in parts)
        if path.is_file() and not hidden and parts[0] != without and path.suffix != ".pyc":
            yield "/".join((name, *parts)), path.read_bytes()


def _project(*, reference: bool) -> str:
    needed = [line for line in metadata.requires("backprop-grader") or () if "extra ==" not in line]
    folders = (EXERCISES, REFERENCE) if reference else (EXERCISES,)
    return _PROJECT.format(
        version=grader.__version__,
        dependencies=", ".join(f'"{line}"' for line in needed),
        folders="\n".join(f'"{folder}" = "grader/_shipped_course/{folder}"' for folder in folders),
    )
