"""Reports beside the scorecards: what ``--report KIND=PATH`` asks for, and how it is delivered."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import GraderError, GraderFault, OperatorError
from grader.files import encoded, write_whole
from grader.forward import did_you_mean
from grader.reports import stored
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import Kind, kinds
from grader.scorecard import Scorecard
from grader.submission import name_of

if TYPE_CHECKING:
    from grader.gradebook import Group


@dataclass(frozen=True)
class Request:
    """One report that was asked for, and the file it goes to."""

    kind: Kind
    path: Path

    @classmethod
    def read(cls, word: str) -> Request:
        """A request as it stands on the command line.

        Raises:
            OperatorError: it is not KIND=PATH, or there is no such kind.
        """
        name, equals, path = word.partition("=")
        if not equals or not path:
            raise OperatorError(f"--report: expected KIND=PATH, found {word!r}")
        if name not in kinds():
            near = did_you_mean(name, list(kinds()))
            raise OperatorError(f"--report: expected one of {', '.join(kinds())}, found {name!r}{near}")
        return cls(kinds()[name], Path(path))

    def deliver(self, scorecards: Sequence[Scorecard], context: ReportContext) -> None:
        """Render and write the report.

        Raises:
            OperatorError: it cannot be made of these scorecards, or the file cannot be written.
            GraderFault: it has no word for a fault of the grader's, and there is one.
        """
        try:
            text = self.kind.render(scorecards, context)
        except ReportError as error:
            ours = any(card.at_fault for card in scorecards)
            raise (GraderFault if ours else OperatorError)(str(error)) from error
        if self.kind.appends:
            _append(self.path, text)
        else:
            write_whole(self.path, self._bytes(text, context))

    def _bytes(self, text: str, context: ReportContext) -> bytes:
        # An export is in whatever encoding it is: what _text could not read of it stays the bytes it was.
        export = self.kind.fills_in and context.gradebook is not None
        return text.encode("utf-8", "surrogateescape") if export else encoded(text)


@dataclass(frozen=True)
class Delivery:
    """Reports on some scorecards, ready to go out.

    Args:
        requests: which, and where to.
        scorecards: what they are on.
        context: what they say besides.
        closing: what to print after everything the grader itself prints.
    """

    requests: tuple[Request, ...]
    scorecards: tuple[Scorecard, ...]
    context: ReportContext
    closing: str

    def warnings(self) -> tuple[str, ...]:
        """What the person who asked should be told."""
        told = (request.kind.warnings(self.scorecards, self.context) for request in self.requests)
        return tuple(warning for warnings in told for warning in warnings)

    def console(self) -> str:
        """What is still to be printed: the closing, then what the reports have for the standard output."""
        spoken = (request.kind.console(self.scorecards, self.context) for request in self.requests)
        return self.closing + "".join(spoken)

    def deliver(self) -> None:
        """Deliver every report, also where one before it cannot be.

        Raises:
            OperatorError, GraderFault: some could not, and why each of them.
        """
        trouble: list[GraderError] = []
        for request in self.requests:
            try:
                request.deliver(self.scorecards, self.context)
            except GraderError as error:
                trouble.append(error)
        if trouble:
            ours = any(isinstance(error, GraderFault) for error in trouble)
            raise (GraderFault if ours else OperatorError)("; ".join(map(str, trouble)))


@dataclass(frozen=True)
class Reports:
    """The reports that were asked for.

    Args:
        requests: which, and where to.
        opening: what to print before anything else, for the consoles that need it.
        closing: its counterpart.
        assignment: the title of a gradebook's column, None for the report's own.
        gradebook: the instructor's own export, text, for the reports that fill one in.
        commit_time: when the graded commit was made.
        started: on ``time.monotonic()``'s clock.
    """

    requests: tuple[Request, ...]
    opening: str
    closing: str
    assignment: str | None
    gradebook: str | None
    commit_time: datetime | None
    started: float

    @classmethod
    def read(
        cls, words: Iterable[str], assignment: str | None, exported: Path | None, commit_time: datetime | None
    ) -> Reports:
        """The reports asked for in words.

        Raises:
            OperatorError: one of them is not ``KIND=PATH``, or the export cannot be read.
        """
        requests = tuple(map(Request.read, words))
        pairs = [request.kind.brackets(secrets.token_hex(16)) for request in requests]
        opening = "".join(before for before, _ in pairs)
        closing = "".join(after for _, after in reversed(pairs))
        gradebook = _text(exported) if exported is not None else None
        return cls(requests, opening, closing, assignment, gradebook, commit_time, time.monotonic())

    def on(self, group: Group, scorecard: Callable[[str], str]) -> Delivery:
        """The reports on some submissions.

        Args:
            group: the submissions, and whose they are.
            scorecard: gives a submission's scorecard as JSON text, by its name.
        """
        cards = tuple(stored.slim(stored.load(scorecard(one.name))) for one in group.found)
        context = ReportContext(
            seconds=time.monotonic() - self.started,
            folders=folders(one.path for one in group.found),
            known_as=known_as(group),
            commit_time=self.commit_time,
            assignment=self.assignment,
            gradebook=self.gradebook,
            environment=os.environ,
        )
        return Delivery(self.requests, cards, context, self.closing)


def folders(paths: Iterable[Path]) -> Mapping[str, str]:
    """Where each submission's files lie, relative to the working directory; those elsewhere are left out."""
    found = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        relative = os.path.relpath(folder)
        if not relative.startswith(os.pardir) and not os.path.isabs(relative):
            found[name_of(path)] = Path(relative).as_posix()
    return found


def known_as(group: Group) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """What each who handed in a submission is known as: what its archive tells, joined with the roster."""
    people = [[*one.known_as] for one in group.found]
    for student, index in group.join.submissions.items():
        _introduce(people[index], tuple(filter(None, (student.id, student.email, student.name))))
    return {one.name: tuple(told) for one, told in zip(group.found, people, strict=True) if told}


def _introduce(people: list[tuple[str, ...]], student: tuple[str, ...]) -> None:
    """Add a student of the roster to those who handed in a submission, or to what is known of one of them."""
    keys = {word.casefold() for word in student}
    alone = [0] if len(people) == 1 else []
    same = alone or [i for i, one in enumerate(people) if keys & {word.casefold() for word in one}]
    if len(same) == 1:
        people[same[0]] = tuple(dict.fromkeys((*people[same[0]], *student)))
    else:
        people.append(student)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from error


def _text(path: Path) -> str:
    """A file's text, every byte kept whatever its encoding, so that it can be written back as it was."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from error
