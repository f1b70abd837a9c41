"""Grades one person's work at each save, and shows it: on one screen, or line by line where there is none."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from grader.apps.process import quick_start
from grader.apps.watch.display import Display, display_on
from grader.apps.watch.file_events import ticks
from grader.apps.watch.save import Save, play, stale
from grader.course.course import Course
from grader.course.settings import Settings
from grader.errors import SubmissionError
from grader.grading.engine import Engine
from grader.submissions import submission
from grader.submissions.submission import Submission


@dataclass(frozen=True)
class Place:
    """Where the work is: a submission's folder, or one file.

    Args:
        path: absolute, so that it still means the same when the folder one is in comes and goes.
        is_folder: what was there at first.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty.
    """

    path: Path
    is_folder: bool
    exercise_ids: tuple[str, ...]
    only: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder to watch."""
        return self.path if self.is_folder else self.path.parent

    def read(self) -> Submission | None:
        """What is there now; None if nothing is, or nothing that can be read."""
        try:
            if self.path.is_dir() is not self.is_folder or not os.path.lexists(self.path):
                return None
            return submission.read(self.path, self.exercise_ids, self.only)
        except (OSError, SubmissionError):
            return None


@dataclass
class Watcher:
    """Looks at a place, grades what changed there, and shows it."""

    engine: Engine
    place: Place
    display: Display
    last: Save | None = None
    _gone: bool = False

    def look(self) -> None:
        """Look once.

        Raises:
            IsolationError: no box can be opened.
        """
        work = self.place.read()
        if work is None:
            self._miss()
        elif self.last is None or self._gone or stale(self.engine, work, self.last):
            self._grade(work)
        else:
            self.display.steady()

    def _miss(self) -> None:
        if not self._gone:
            self.display.waiting(f"{self.place.path} is gone or cannot be read; waiting for it (Ctrl-C ends)")
        self._gone = True

    def _grade(self, work: Submission) -> None:
        if self.last is not None:
            self.display.grading(self.last)
        self.last = play(self.engine, work, self.last)
        self._gone = False
        self.display.show(self.last)


def watch(path: Path, *, only: Sequence[str], course: Path | None, settings: Settings) -> None:
    """Grade a submission now and at each save, until interrupted.

    Args:
        path: one submission: a folder, or a file.
        only: ids of the exercises to grade, all of the course where empty.
        course: the course's folder, or None for the one around the path.
        settings: what the operator chose.

    Raises:
        UsageError: the path, an id or the course is not as it should be.
        IsolationError: no box can be opened.
    """
    home = Course.at(course) if course is not None else Course.around(path)
    home.check(only)
    place = _place(path, home, only)
    with _interruptible(), display_on(Console(highlight=False)) as display:
        _watch(display, place, home, settings)


def _watch(display: Display, place: Place, home: Course, settings: Settings) -> None:
    try:
        display.waiting("Warming up ...")
        with quick_start():
            engine = Engine(home, place.only, settings, reuse=True)
        with engine:
            watcher = Watcher(engine, place, display)
            watcher.look()
            for _ in ticks(place.folder):
                watcher.look()
    except KeyboardInterrupt:
        pass  # the usual way to end a watch


def _place(path: Path, home: Course, only: Sequence[str]) -> Place:
    """The one submission at a path.

    Raises:
        SubmissionError: there is none, or there are several.
    """
    found = submission.find([path], home.ids, only)
    if len(found) != 1:
        raise SubmissionError(f"{path}: expected one submission to watch, found {len(found)}")
    (one,) = found
    if one.is_dir():
        return Place(one.absolute(), True, home.ids, tuple(only))
    # Someone who watches one file wants the exercises in it, not those in other files.
    inside = submission.read(one, home.ids, only).files
    return Place(one.absolute(), False, home.ids, tuple(only) or tuple(inside))


@contextmanager
def _interruptible() -> Iterator[None]:
    """End the watch on a signal as on Ctrl-C, so that the terminal is restored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
