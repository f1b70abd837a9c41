"""Pytest plugin: a submission's gradients as tests, one each, graded by the same judge in the same box.

``pytest submissions/alice``, or ``pytest`` in one's own folder, shows ids such as
``alice/ex1_step_by_step.py::dprobs``; of a notebook, or a script in the lecture's style, such as
``part4.ipynb::ex1_step_by_step::dprobs``.
:mod:`grader.apps.pytest_files` says which files are a submission's; nothing else
is ever collected, and nobody's other tests notice this plugin.

A submission's file is never imported here, neither by this plugin nor by pytest's own collectors: the judge
sends its text to a box. Pytest itself, however, runs a ``conftest.py`` wherever it finds one. So this is for
one's own work on one's own machine; grade the work of others with ``grade``.

How an outcome is shown:

* it scores: passed; what the judge noted is in the section "notes";
* anything else, ``missing`` included: failed. A gradient still to be written is no reason to skip: an empty
  submission must not pass in CI, and ``--lf`` is to come back to it;
* ``grader_fault``, or a judge that cannot work: an error, raised while the test is set up.

Nothing heavy is imported until the first gradient is graded.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.errors import GraderError

if TYPE_CHECKING:
    from grader.apps.pytest_files import PytestSubmission
    from grader.course.course import Course
    from grader.grading.engine import Engine
    from grader.scorecard.model import ExerciseResult

GRADERS = pytest.StashKey["Graders"]()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a submission's file, and keep the collectors away that would import it."""
    from grader.apps.pytest_files import Requested, claim, is_submission

    others = yield
    harmless = [other for other in others if not isinstance(other, pytest.Module)]
    asked = parent.session.isinitpath
    found = claim(file_path, Requested(asked(file_path) and not harmless, asked(file_path.parent)))
    if found is not None:
        return [SubmissionFile.from_parent(parent, path=file_path, claim=found), *harmless]
    if file_path.name == "__init__.py" and is_submission(file_path.parent):
        return harmless
    return others


@pytest.hookimpl(wrapper=True, optionalhook=True)  # pytest 7 has no such hook, and would refuse it otherwise
def pytest_collect_directory(
    path: Path, parent: pytest.Collector
) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
    """Treat a submission's folder as a plain one: pytest would import the ``__init__.py`` of a package."""
    from grader.apps.pytest_files import is_submission

    found = yield
    if isinstance(found, pytest.Package) and is_submission(path):
        return pytest.Dir.from_parent(parent, path=path)
    return found


class SubmissionFile(pytest.File):
    """A submission's file; its text is read, never run."""

    def __init__(self, *, claim: PytestSubmission, **node: Any) -> None:
        super().__init__(**node)
        self.claim = claim

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The gradients of the exercise it is named after, else a group of them for each it answers."""
        for exercise in self.claim.exercises:
            if self.claim.is_named:
                yield from gradients(self, exercise)
            else:
                yield ExerciseInScript.from_parent(self, name=exercise)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A broken course in one line."""
        if isinstance(excinfo.value, GraderError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def text(self, cell: int | None = None) -> str:
        """The text as the judge would read it, of the file or of one of its cells; nothing where it would not."""
        from grader.submissions.notebooks.reader import NotebookError, cells_of

        handed_in = self.claim.read().files.get(self.claim.exercises[0])
        if handed_in is None:
            return ""
        content = handed_in.source.content if handed_in.source is not None else handed_in.script or b""
        if cell is None:
            return content.decode("utf-8", "replace")
        try:
            return next((c.source for c in cells_of(self.path.name, content) if c.number == cell), "")
        except NotebookError:
            return ""


class ExerciseInScript(pytest.Collector):
    """One of the exercises that a notebook or a script answers."""

    def collect(self) -> Iterator[GradientItem]:
        """Its gradients."""
        assert isinstance(self.parent, SubmissionFile)
        yield from gradients(self, self.name)


def gradients(parent: SubmissionFile | ExerciseInScript, exercise: str) -> Iterator[GradientItem]:
    """One item for each gradient that an exercise asks for, whether or not there is a stub for it."""
    from grader.apps.pytest_files import functions_of

    file = parent if isinstance(parent, SubmissionFile) else parent.parent
    assert isinstance(file, SubmissionFile)
    source = file.text() if file.path.suffix == ".py" else ""
    for ask, function in functions_of(file.claim.course, exercise).items():
        line = stub_line(source, function)
        yield GradientItem.from_parent(parent, name=ask, file=file, exercise=exercise, line=line)


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
    """One gradient of one exercise of one submission.

    Args:
        file: the file it is to be derived in.
        exercise: the exercise's id.
        line: where, as far as one can tell without reading the file in full.
        node: what pytest needs of every item.
    """

    def __init__(self, *, file: SubmissionFile, exercise: str, line: int | None, **node: Any) -> None:
        super().__init__(**node)
        self.file = file
        self.exercise = exercise
        self._line = line

    def setup(self) -> None:
        """Have the exercise graded, unless that was done for another of its gradients."""
        try:
            self._result = Graders.of(self.session).result(self)
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
        """Say why the point was lost, without the grader's own frames."""
        if isinstance(excinfo.value, PointLost):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where an editor should go: the stub, or the top of the file as long as there is none.

        A notebook has no such line: its cells are not where its file's lines are.
        """
        line = (self._line or 1) - 1 if self.path.suffix == ".py" else None
        return self.path, line, f"{self.exercise}::{self.name}"

    def _explained(self) -> str:
        from grader.reports.explanation import details, verdict

        gradient = self._gradient
        lines = [*details(gradient, self._result)]
        if gradient.cell is None or gradient.error is None:  # in a notebook an error has said where
            lines.append(self._where())
        return "\n    ".join((verdict(gradient), *lines))

    def _where(self) -> str:
        """The student's line: the one at fault if it is one of this file, else the stub's."""
        from grader.reports.wording import visible

        gradient = self._gradient
        path = os.path.relpath(self.path, self.config.invocation_params.dir)
        line = self._line_at_fault() or gradient.line or self._line
        if line is None:
            return f"{path}: no {self.name} here"
        quoted = "".join(self.file.text(gradient.cell).splitlines()[line - 1 : line]).strip()
        place = f"{path}:{line}" if gradient.cell is None else f"{path}, cell {gradient.cell}, line {line}"
        return visible(f"{place}: {quoted}")

    def _line_at_fault(self) -> int | None:
        fault = self._gradient.error
        if fault is None:
            return None
        # The fault may be in a module beside this file; the last line of the traceback names the module.
        is_here = not fault.traceback or fault.traceback[-1].startswith(f"{self.path.name}:{fault.line} ")
        return fault.line if is_here else None


class Graders:
    """The engines of a session, one for each course, and the results of every file graded so far."""

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        self._wanted = [item for item in items if isinstance(item, GradientItem)]
        self._open = ExitStack()
        self._engines: dict[Course, Engine | GraderError] = {}
        self._results: dict[tuple[Path, str], ExerciseResult] = {}

    @classmethod
    def of(cls, session: pytest.Session) -> Graders:
        """The session's graders, for the exercises it is about to run; closed when the session is over."""
        stash = session.config.stash
        if GRADERS not in stash:
            stash[GRADERS] = cls(session.items)
            session.config.add_cleanup(stash[GRADERS]._open.close)
        return stash[GRADERS]

    def result(self, item: GradientItem) -> ExerciseResult:
        """The result of an item's exercise; it is graded when the first of its gradients asks.

        Raises:
            GraderError: the judge cannot work.
        """
        key = (item.path, item.exercise)
        if key not in self._results:
            card = self._engine(item.file.claim.course).grade(item.file.claim.read(), (item.exercise,))
            (self._results[key],) = card.exercises
        return self._results[key]

    def _engine(self, course: Course) -> Engine:
        if course not in self._engines:
            self._engines[course] = self._opened(course)
        engine = self._engines[course]
        if isinstance(engine, GraderError):
            raise engine
        return engine

    def _opened(self, course: Course) -> Engine | GraderError:
        """An engine, or the error that kept it from opening, so that it is not tried again for each gradient."""
        ids = sorted({item.exercise for item in self._wanted if item.file.claim.course == course})
        # A project's warning filters are about its own code, not about what torch does when it is imported.
        from grader.apps.process import quick_start
        from grader.grading.engine import Engine

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with quick_start():
                    engine = Engine(course, ids, reuse=True)
                return self._open.enter_context(engine)
            except GraderError as error:
                return error
