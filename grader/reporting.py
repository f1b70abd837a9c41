"""Reports beside the scorecards: what ``--report KIND=PATH`` asks for, and how it is delivered."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError, GraderFault, OperatorError
from grader.files import write_whole
from grader.forward import did_you_mean
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import Kind, kinds
from grader.scorecard import Scorecard
from grader.submission import name_of


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
            write_whole(self.path, text)


def deliver(requests: Iterable[Request], scorecards: Sequence[Scorecard], context: ReportContext) -> None:
    """Deliver every report, also where one before it cannot be.

    Raises:
        GraderError: the first that could not.
    """
    trouble: list[GraderError] = []
    for request in requests:
        try:
            request.deliver(scorecards, context)
        except GraderError as error:
            trouble.append(error)
    if trouble:
        raise trouble[0]


def brackets(requests: Iterable[Request]) -> tuple[str, str]:
    """What to print before anything else, and after everything but :func:`console`."""
    pairs = [request.kind.brackets(secrets.token_hex(16)) for request in requests]
    return "".join(before for before, _ in pairs), "".join(after for _, after in reversed(pairs))


def console(requests: Iterable[Request], scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """What the reports have for the standard output."""
    return "".join(request.kind.console(scorecards, context) for request in requests)


def warnings(
    requests: Iterable[Request], scorecards: Sequence[Scorecard], context: ReportContext
) -> Iterator[str]:
    """What the person who asked should be told."""
    for request in requests:
        yield from request.kind.warnings(scorecards, context)


def folders(paths: Iterable[Path]) -> Mapping[str, str]:
    """Where each submission's files lie, relative to the working directory; those elsewhere are left out."""
    found = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        relative = os.path.relpath(folder)
        if not relative.startswith(os.pardir) and not os.path.isabs(relative):
            found[name_of(path)] = Path(relative).as_posix()
    return found


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from error
