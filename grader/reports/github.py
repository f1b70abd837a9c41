"""GitHub Actions: a page for the job, and hints on the student's own lines of a pull request.

``--report github=PATH`` appends the page to PATH, which is meant to be ``$GITHUB_STEP_SUMMARY``, and prints
the annotations, because the runner reads those from the standard output and from nowhere else.

What the runner takes for a command decides what has to be escaped. It reads each line of a step's output; a
line that begins with ``::`` after blanks is a command, and so is one with ``##[`` *anywhere* in it. So
nothing of a student's may stand in a line of ours unescaped, and everything else that is printed (the table
of the scorecard, a warning) is put between a ``stop-commands`` and its token.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands ; for the escapes
and what is parsed, https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs ; for the
limit of 10 errors a step, https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md#limitations
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.reports import markdown
from grader.reports.context import ReportContext
from grader.reports.wording import LOOKS, Tone, one_line, place, reason, visible
from grader.scorecard.model import ExerciseResult, Gradient, Outcome, Scorecard

KIND = "github"
USES = frozenset({"assignment"})
APPENDS = True

SUMMARY_LIMIT = 240_000
"""Characters of the page; GitHub takes 1 MiB of UTF-8 from a step, and a character is at most four bytes."""

MESSAGE_LIMIT = 1_000
"""Characters of an annotation's message."""

ANNOTATIONS_LIMIT = 10
"""Errors that GitHub shows for one step; it drops the others without a word."""


@dataclass(frozen=True)
class Annotation:
    """A message on a line of a file; None where there is no place for it."""

    file: str | None
    line: int | None
    title: str
    message: str

    def __str__(self) -> str:
        """The workflow command, one line without its end."""
        place = [("file", self.file), ("line", None if self.line is None else str(self.line))]
        properties = [*(place if self.file else []), ("title", self.title)]
        told = ",".join(f"{name}={_property(value)}" for name, value in properties if value)
        return f"::error {told}::{_data(self.message)}"


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The page for the job, in Markdown, to be appended to the step's summary file.

    Args:
        scorecards: what to report.
        context: as for the ``markdown`` report.
    """
    # The runner joins what several commands append; a heading must begin a line.
    return "\n" + markdown.summary(scorecards, context, SUMMARY_LIMIT)


def console(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The annotations, one workflow command a line, to be printed on the standard output.

    Args:
        scorecards: what to report.
        context: ``folders`` says where in the repository each submission lies; without it an annotation
            appears on the run's page only.

    Returns:
        At most :data:`ANNOTATIONS_LIMIT` lines; where there is more to say, the last says so. Stubs that are
        still to be written get none: an untouched template would use them all up.
    """
    found = list(remarks(scorecards, context))
    if len(found) > ANNOTATIONS_LIMIT:
        more = len(found) - ANNOTATIONS_LIMIT + 1
        rest = Annotation(
            None, None, "And more", f"{more} more gradients do not score; the job's summary has them."
        )
        found = [*found[: ANNOTATIONS_LIMIT - 1], rest]
    return "".join(f"{annotation}\n" for annotation in found)


def remarks(scorecards: Sequence[Scorecard], context: ReportContext) -> Iterator[Annotation]:
    """What to say on which line, in the order of the scorecards."""
    for card in scorecards:
        for exercise in card.exercises:
            path = context.path(card.submission.name, exercise)
            for gradient in exercise.gradients:
                look = LOOKS[gradient.outcome]
                if not gradient.outcome.scores and look.tone is not Tone.OPEN:
                    title = f"{gradient.name}: {look.word}{_cell(gradient)}"
                    line = _line(exercise, gradient) if gradient.outcome is not Outcome.GRADER_FAULT else None
                    yield Annotation(path, line, title, _message(gradient))


def brackets(token: str) -> tuple[str, str]:
    """The lines between which the runner obeys nothing.

    Args:
        token: letters and digits that nobody can guess, drawn anew for each run.
    """
    return f"::stop-commands::{token}\n", f"::{token}::\n"


def _line(exercise: ExerciseResult, gradient: Gradient) -> int | None:
    """The line that raised the error, if it is in this exercise's own file; else the stub's first.

    A notebook has none: its cells' lines are not its file's.
    """
    fault = gradient.error
    if gradient.cell is not None:
        return None
    if fault is None or fault.line is None:
        return gradient.line
    here = not fault.traceback or fault.traceback[-1].lstrip().startswith(f"{exercise.file}:{fault.line} ")
    return fault.line if here or gradient.line is None else gradient.line


def _cell(gradient: Gradient) -> str:
    return "" if gradient.cell is None else f" ({place(gradient)})"


def _message(gradient: Gradient) -> str:
    why = gradient.hint.message if gradient.hint is not None else reason(gradient)
    lines = [one_line(why) or f"{gradient.name} {LOOKS[gradient.outcome].phrase}."]
    if gradient.hint is not None and gradient.hint.forward_line:
        lines.append(f"Forward pass: {one_line(gradient.hint.forward_line)}")
    return "\n".join(line[:MESSAGE_LIMIT] for line in lines)


def _data(text: str) -> str:
    # Percent first: the runner undoes it last.
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
