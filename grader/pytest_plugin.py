"""Pytest plugin: a submission's gradients as tests, one each, graded by the same judge in the same box.

``pytest submissions/alice``, or ``pytest`` in one's own folder, shows ids such as
``alice/ex1_step_by_step.py::dprobs``. A file is a submission's if it is named after an exercise of the course
in force and does not lie in that course's own folders; nothing else is ever collected, and nobody's other
tests notice this plugin.

A submission's file is never imported here, neither by this plugin nor by pytest's own collectors: the judge
sends its text to a box. Pytest itself, however, runs a ``conftest.py`` wherever it finds one. So this is for
one's own work at one's own desk; to grade the work of others there is ``grade``.

What becomes of an outcome:

* it scores: passed; what the judge noted is in the section "notes";
* anything else, ``missing`` included: failed. A gradient still to be written is no reason to skip: an empty
  submission must not pass in CI, and ``--lf`` is to come back to it;
* ``grader_fault``, or a judge that cannot work: an error, raised while the test is set up.

Nothing heavy is imported until the first gradient is graded.
"""

from __future__ import annotations

import os
import re
import tomllib
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.errors import GraderError

if TYPE_CHECKING:
    from grader.course import Course
    from grader.scorecard import ExerciseResult
    from grader.submission import Submission
    from grader.watching.desk import Desk

GRADERS = pytest.StashKey["Graders"]()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a submission's file, and keep the collectors away that would import it."""
    others = yield
    course = course_of(file_path)
    if course is None and not (file_path.name == "__init__.py" and is_submission(file_path.parent)):
        return others
    harmless = [other for other in others if not isinstance(other, pytest.Module)]
    if course is None:
        return harmless
    return [SubmissionFile.from_parent(parent, path=file_path, course=course), *harmless]


@pytest.hookimpl(wrapper=True, optionalhook=True)  # pytest 7 has no such hook, and must not stumble over it
def pytest_collect_directory(
    path: Path, parent: pytest.Collector
) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
    """Take a submission's folder for a plain one: pytest would import the ``__init__.py`` of a package."""
    found = yield
    if isinstance(found, pytest.Package) and is_submission(path):
        return pytest.Dir.from_parent(parent, path=path)
    return found


def course_of(path: Path) -> Course | None:
    """The course a submission's file is graded by, None where the file is not a submission's.

    Args:
        path: any file that pytest comes across; to say no to one is quick.
    """
    if path.suffix != ".py":
        return None
    course = _course_in(path.parent)
    return course if course is not None and path.stem in course.ids else None


def is_submission(folder: Path) -> bool:
    """Whether a submission's file lies in a folder."""
    return any(course_of(path) for path in folder.glob("*.py"))


@cache
def _course_in(folder: Path) -> Course | None:
    """The course in force for submissions in a folder, None where no submission can lie."""
    from grader.course import EXERCISES, REFERENCE, Course, is_course

    for inside in (folder, *folder.parents):
        if inside.name in (EXERCISES, REFERENCE, "tests") and is_course(inside.parent):
            return None
    try:
        return Course.around(folder / "any.py")
    except GraderError:
        return None  # an incomplete installation must not stop other people's tests


class SubmissionFile(pytest.File):
    """A submission's file for one exercise; its text is read, never run."""

    def __init__(self, *, course: Course, **node: Any) -> None:
        super().__init__(**node)
        self.course = course

    def collect(self) -> Iterator[GradientItem]:
        """One item for each gradient that the exercise asks for, whether or not there is a stub for it."""
        source = self.source
        for ask, function in functions_of(self.course, self.path.stem).items():
            yield GradientItem.from_parent(self, name=ask, line=stub_line(source, function))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A broken course in one line."""
        if isinstance(excinfo.value, GraderError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def read(self) -> Submission:
        """The submission this file is part of, with the modules beside it."""
        from grader import submission

        return submission.read(self.path.parent, self.course.ids)

    @property
    def source(self) -> str:
        """The file's text as the judge would read it; nothing where it would not."""
        handed_in = self.read().files.get(self.path.stem)
        if handed_in is None:
            return ""
        content = handed_in.source.content if handed_in.source is not None else handed_in.script
        return (content or b"").decode("utf-8", "replace")


def functions_of(course: Course, exercise_id: str) -> Mapping[str, str]:
    """What an exercise asks for, in its order, and the function that each is asked of.

    Read from the settings alone where they can be: to load an exercise is to import torch.

    Raises:
        CourseError: the settings are broken.
    """
    from grader.course import EXERCISES
    from grader.exercise import DESCENT, LOSSES, PARAMETERS, SETTINGS

    try:
        settings = tomllib.loads((course.root / EXERCISES / exercise_id / SETTINGS).read_text("utf-8"))
        owners = {
            ask: name
            for name, about in settings.get("functions", {}).items()
            for ask in _names(about.get("returns", [LOSSES, PARAMETERS, DESCENT]))
        }
        return {ask: owners.get(ask, ask) for ask in settings["asks"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        (exercise,) = course.select((exercise_id,))  # says what is wrong with them
        return {ask: exercise.function_of(ask).name for ask in exercise.asks}


def _names(tree: Iterable[Any]) -> Iterator[str]:
    """Every name in a tree of names."""
    for item in tree:
        yield from (item,) if isinstance(item, str) else _names(item)


def stub_line(source: str, name: str) -> int | None:
    """The line, from 1, on which a function is defined; found without running or even parsing the file.

    While a student types, the file often cannot be parsed; the place of a stub should not change with that.
    """
    pattern = rf"^(?:(?:async\s+)?def\s+{re.escape(name)}\b|{re.escape(name)}\s*(?::[^=\n]*)?=(?!=))"
    found = list(re.finditer(pattern, source, re.MULTILINE))
    return source.count("\n", 0, found[-1].start()) + 1 if found else None


class PointLost(Exception):
    """A gradient does not score; its text says why."""


class GradientItem(pytest.Item):
    """One gradient of one exercise of one submission."""

    def __init__(self, *, line: int | None, **node: Any) -> None:
        super().__init__(**node)
        self._line = line

    @property
    def file(self) -> SubmissionFile:
        """The file it is to be defined in."""
        assert isinstance(self.parent, SubmissionFile)
        return self.parent

    def setup(self) -> None:
        """Have the exercise graded, unless that was done for another of its gradients."""
        try:
            self._result = Graders.of(self.session).result(self.file)
        except GraderError as error:
            pytest.fail(str(error), pytrace=False)
        (self._gradient,) = (gradient for gradient in self._result.gradients if gradient.name == self.name)
        if self._gradient.score is None:
            pytest.fail(self._explained(), pytrace=False)

    def runtest(self) -> None:
        """Pass if the gradient scores.

        Raises:
            PointLost: it does not.
        """
        gradient = self._gradient
        self.user_properties.append(("outcome", str(gradient.outcome)))
        if gradient.output:
            self.add_report_section("call", "stdout", gradient.output)
        if not gradient.outcome.scores:
            raise PointLost(self._explained())
        if gradient.notes:
            self.add_report_section("call", "notes", "\n".join(gradient.notes))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Why the point was lost, in the student's terms; the grader's own frames are none of theirs."""
        if isinstance(excinfo.value, PointLost):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where an editor should go: the stub, or the top of the file as long as there is none."""
        return self.path, (self._line or 1) - 1, f"{self.path.stem}::{self.name}"

    def _explained(self) -> str:
        from grader.watching.explanation import details, verdict

        lines = (*details(self._gradient, self._result), self._where())
        return "\n    ".join((verdict(self._gradient), *lines))

    def _where(self) -> str:
        """The student's line: the one at fault if it is one of this file, else the stub's."""
        from grader.reports.wording import visible

        line = self._line_at_fault() or self._gradient.line or self._line
        path = os.path.relpath(self.path, self.config.invocation_params.dir)
        if line is None:
            return f"{path}: no {self.name} here"
        quoted = self.file.source.splitlines()[line - 1 : line]
        return visible(f"{path}:{line}: {''.join(quoted).strip()}")

    def _line_at_fault(self) -> int | None:
        fault = self._gradient.error
        if fault is None:
            return None
        # The fault may be in a module beside this file; the last line of the traceback names the module.
        is_here = not fault.traceback or fault.traceback[-1].startswith(f"{self.path.name}:{fault.line} ")
        return fault.line if is_here else None


class Graders:
    """What a session grades with: a desk for each course, and every file's result once it is known."""

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        self._wanted = [item.file for item in items if isinstance(item, GradientItem)]
        self._open = ExitStack()
        self._desks: dict[Course, Desk | GraderError] = {}
        self._results: dict[Path, ExerciseResult] = {}

    @classmethod
    def of(cls, session: pytest.Session) -> Graders:
        """The session's graders, for the exercises it is about to run; closed when the session is over."""
        stash = session.config.stash
        if GRADERS not in stash:
            stash[GRADERS] = cls(session.items)
            session.config.add_cleanup(stash[GRADERS]._open.close)
        return stash[GRADERS]

    def result(self, file: SubmissionFile) -> ExerciseResult:
        """A file's result; it is graded when the first of its gradients asks.

        Raises:
            GraderError: the judge cannot work.
        """
        if file.path not in self._results:
            card = self._desk(file.course).grade(file.read(), (file.path.stem,))
            (self._results[file.path],) = card.exercises
        return self._results[file.path]

    def _desk(self, course: Course) -> Desk:
        if course not in self._desks:
            self._desks[course] = self._opened(course)
        desk = self._desks[course]
        if isinstance(desk, GraderError):
            raise desk
        return desk

    def _opened(self, course: Course) -> Desk | GraderError:
        """A desk, or what keeps one from being opened: it is not tried again for each gradient."""
        from grader.settings import Settings
        from grader.watching.desk import open_desk

        ids = sorted({file.path.stem for file in self._wanted if file.course == course})
        # A project's warning filters are about its own code, not about what torch does when it is imported.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self._open.enter_context(open_desk(course, ids, Settings()))
            except GraderError as error:
                return error
