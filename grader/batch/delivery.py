"""Reports beside the scorecards: which were asked for, as ``KIND=PATH``, and how they are delivered."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grader.batch.atomic_files import encoded, write_whole
from grader.course.forward import did_you_mean
from grader.errors import GraderError, InternalError, UsageError
from grader.reports import stored
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import Kind, kinds
from grader.scorecard.model import Scorecard
from grader.submissions.submission import name_of

if TYPE_CHECKING:
    from grader.batch.gradebook import Group


@dataclass(frozen=True)
class Request:
    """One report that was asked for, and the file it goes to."""

    kind: Kind
    path: Path

    @classmethod
    def read(cls, word: str) -> Request:
        """A request as it stands on the command line.

        Raises:
            UsageError: it is not KIND=PATH, or there is no such kind.
        """
        name, equals, path = word.partition("=")
        if not equals or not path:
            raise UsageError(f"expected KIND=PATH, found {word!r}", setting="report")
        if name not in kinds():
            near = did_you_mean(name, list(kinds()))
            raise UsageError(f"expected one of {', '.join(kinds())}, found {name!r}{near}", setting="report")
        return cls(kinds()[name], Path(path))

    def check(self, submissions: int, titles: Mapping[str, str], context: ReportContext, out: Path) -> None:
        """Check, before grading, whether the report can be delivered, as far as that is known by then.

        Args:
            submissions: how many there are.
            titles: the titles of the exercises that will be graded, by their ids.
            context: as for :meth:`deliver`.
            out: a folder that will be there by then.

        Raises:
            UsageError: it could not be made, or its file could not be written.
        """
        if self.kind.alone and submissions != 1:
            raise UsageError(f"report {self.kind.name}: expected one submission, found {submissions}")
        try:
            self.kind.check(titles, context)
        except ReportError as error:
            raise UsageError(str(error)) from error
        _try_out(self.path, out, appends=self.kind.appends)

    def deliver(self, scorecards: Sequence[Scorecard], context: ReportContext) -> None:
        """Render and write the report.

        Raises:
            UsageError: it cannot be made of these scorecards, or the file cannot be written.
            InternalError: it has no word for a fault of the grader's, and there is one.
        """
        try:
            text = self.kind.render(scorecards, context)
        except ReportError as error:
            ours = any(card.at_fault for card in scorecards)
            raise (InternalError if ours else UsageError)(str(error)) from error
        if self.kind.appends:
            _append(self.path, text)
        else:
            write_whole(self.path, self._bytes(text, context))

    def _bytes(self, text: str, context: ReportContext) -> bytes:
        # An export may have any encoding: bytes that _text could not decode are written back unchanged.
        export = "gradebook" in self.kind.uses and context.gradebook is not None
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
        """What to tell the person who asked for the reports."""
        found: list[str] = []
        for request in self.requests:
            with suppress(ReportError):  # a report that cannot be made says so when it is delivered
                found += request.kind.warnings(self.scorecards, self.context)
        return tuple(found)

    def console(self) -> str:
        """What is still to be printed: the closing, then what the reports have for the standard output."""
        spoken = (request.kind.console(self.scorecards, self.context) for request in self.requests)
        return self.closing + "".join(spoken)

    def deliver(self) -> None:
        """Deliver every report, even after one that cannot be delivered.

        Raises:
            UsageError, InternalError: some reports failed; the message says why each of them did.
        """
        trouble: list[GraderError] = []
        for request in self.requests:
            try:
                request.deliver(self.scorecards, self.context)
            except GraderError as error:
                trouble.append(error)
        if trouble:
            ours = any(isinstance(error, InternalError) for error in trouble)
            raise (InternalError if ours else UsageError)("; ".join(map(str, trouble)))


@dataclass(frozen=True)
class Reports:
    """The reports that were asked for.

    Args:
        requests: which, and where to.
        opening: what to print before anything else, for the consoles that need it.
        closing: its counterpart.
        assignment: the title of a gradebook's column, None for the report's own.
        exported: the instructor's own export, for the reports that fill one in.
        gradebook: its text.
        commit_time: when the graded commit was made.
        started: on ``time.monotonic()``'s clock.
    """

    requests: tuple[Request, ...]
    opening: str
    closing: str
    assignment: str | None
    exported: Path | None
    gradebook: str | None
    commit_time: datetime | None
    started: float

    @classmethod
    def read(
        cls, words: Iterable[str], assignment: str | None, exported: Path | None, commit_time: datetime | None
    ) -> Reports:
        """Parse the reports that were asked for.

        Raises:
            UsageError: one of them is not ``KIND=PATH``, two go to one path, none uses what is given
                besides, or the export cannot be read.
        """
        requests = tuple(map(Request.read, words))
        _refuse_one_path(requests)
        _refuse_unused(requests, assignment=assignment, gradebook=exported, commit_time=commit_time)
        pairs = [request.kind.brackets(secrets.token_hex(16)) for request in requests]
        opening = "".join(before for before, _ in pairs)
        closing = "".join(after for _, after in reversed(pairs))
        gradebook = _text(exported) if exported is not None else None
        return cls(requests, opening, closing, assignment, exported, gradebook, commit_time, time.monotonic())

    @property
    def spoken(self) -> tuple[str, ...]:
        """The kinds of the reports that also print."""
        return tuple(request.kind.name for request in self.requests if request.kind.speaks)

    def check(self, submissions: int, titles: Mapping[str, str], out: Path) -> None:
        """Check, before grading, whether all reports can be delivered.

        Args:
            submissions: how many there are.
            titles: the titles of the exercises that will be graded, by their ids.
            out: the folder of the scorecards, which need not be there yet.

        Raises:
            UsageError: some cannot; the message lists every reason.
        """
        trouble: list[UsageError] = []
        for request in self.requests:
            try:
                request.check(submissions, titles, self._context(), out)
            except UsageError as error:
                trouble.append(error)
        if trouble:
            raise UsageError("; ".join(map(str, trouble)))

    def on(self, group: Group, scorecard: Callable[[str], str]) -> Delivery:
        """The reports on some submissions.

        Args:
            group: the submissions, and whose they are.
            scorecard: gives a submission's scorecard as JSON text, by its name.
        """
        cards = tuple(stored.slim(stored.load(scorecard(one.name))) for one in group.found)
        context = replace(
            self._context(),
            seconds=time.monotonic() - self.started,
            folders=folders(one.path for one in group.found if one.path is not None),
            known_as=known_as(group),
        )
        return Delivery(self.requests, cards, context, self.closing)

    def _context(self) -> ReportContext:
        """Return the part of the context that is known before anything is graded."""
        return ReportContext(
            commit_time=self.commit_time,
            assignment=self.assignment,
            gradebook=self.gradebook,
            exported=f"gradebook {self.exported}",
            environment=os.environ,
        )


def _refuse_one_path(requests: Sequence[Request]) -> None:
    """Refuse two reports for one file: the second would overwrite the first."""
    seen: dict[str, Request] = {}
    for request in requests:
        other = seen.setdefault(os.path.realpath(request.path), request)
        if other is not request:
            both = f"{other.kind.name} and {request.kind.name}"
            raise UsageError(f"expected a path for each, found {request.path} for {both}", setting="report")


def _refuse_unused(requests: Sequence[Request], **options: object) -> None:
    """Refuse an option that no report uses: most likely a report was forgotten."""
    for name, value in options.items():
        if value is not None and not any(name in request.kind.uses for request in requests):
            users = " or ".join(f"{kind.name}=PATH" for kind in kinds().values() if name in kind.uses)
            found = ", ".join(request.kind.name for request in requests) or "none"
            raise UsageError(f"expected the report {users}, found {found}", setting=name.replace("_", "-"))


def folders(paths: Iterable[Path]) -> Mapping[str, str]:
    """Return where each submission lies, relative to the working directory; leave out those outside it."""
    found = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        relative = os.path.relpath(folder)
        if not relative.startswith(os.pardir) and not os.path.isabs(relative):
            found[name_of(path)] = Path(relative).as_posix()
    return found


def known_as(group: Group) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Return the names and ids of each submission's students: those in the archive, joined with the roster."""
    people = [[*one.known_as] for one in group.found]
    for student, index in group.join.submissions.items():
        _introduce(people[index], tuple(filter(None, (student.id, student.email, student.name))))
    return {one.name: tuple(told) for one, told in zip(group.found, people, strict=True) if told}


def _introduce(people: list[tuple[str, ...]], student: tuple[str, ...]) -> None:
    """Add a student of the roster to a submission's students, or add their ids to the one they match."""
    keys = {word.casefold() for word in student}
    alone = [0] if len(people) == 1 else []
    same = alone or [i for i, one in enumerate(people) if keys & {word.casefold() for word in one}]
    if len(same) == 1:
        people[same[0]] = tuple(dict.fromkeys((*people[same[0]], *student)))
    else:
        people.append(student)


def _try_out(path: Path, out: Path, *, appends: bool) -> None:
    """Check that a file can be written, and leave nothing behind."""
    try:
        if path.is_dir():
            raise UsageError(f"{path}: expected a file, found a folder")
        if not path.parent.exists() and path.parent.resolve() in (out.resolve(), *out.resolve().parents):
            return
        if appends and os.access(path, os.W_OK):
            return
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _text(path: Path) -> str:
    """Read a file as text, and keep every byte whatever its encoding, so that it can be written back."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
