"""What a report may need to know beside the scorecards, gathered by whoever runs it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from grader.scorecard.model import ExerciseResult, Scorecard


class ReportError(ValueError):
    """What was asked for cannot be reported; the message says what was expected and what was found."""


@dataclass(frozen=True)
class ReportContext:
    """The surroundings of a run.

    Args:
        seconds: how long the whole run took, in seconds.
        folders: where each submission's files lie, by the submission's name: a folder relative to the root
            of the repository, with forward slashes. A submission that is not in here gets no annotations.
        known_as: by a submission's name, ids, addresses and names of each of those who handed it in, as far as
            somebody else than they themselves told; nothing where there is only the submission's name.
        commit_time: when the graded commit was made; aware of its time zone.
        assignment: what the place where grades go calls the work: the title of one gradebook column that
            takes the total, or None for one column per exercise.
        gradebook: the CSV text exported from Canvas or Moodle, to be filled in; with its line ends.
        exported: what to call that export in a message.
        environment: the environment variables that a platform describes the submission with.
    """

    seconds: float = 0.0
    folders: Mapping[str, str] = field(default_factory=dict)
    known_as: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict, repr=False)
    commit_time: datetime | None = None
    assignment: str | None = None
    gradebook: str | None = field(default=None, repr=False)
    exported: str = "the gradebook"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def unfit(self, message: str) -> ReportError:
        """The error that the export is not what it should be."""
        return ReportError(f"{self.exported}: {message}")

    def path(self, submission: str, exercise: ExerciseResult) -> str | None:
        """Where an exercise's file lies in the repository, None where that is not known."""
        folder = self.folders.get(submission)
        return None if folder is None or exercise.file is None else posixpath.join(folder, exercise.file)


def only(scorecards: Sequence[Scorecard], kind: str) -> Scorecard:
    """The one scorecard of a report that is about one submission, and whose score may be taken as final.

    Raises:
        ReportError: there is not exactly one, or the grader itself failed on it. A fault of ours must never
            arrive as a student's zero, and these formats have no word for it: no report is the right one.
    """
    if len(scorecards) != 1:
        raise ReportError(f"report {kind}: expected one submission, found {len(scorecards)}")
    if scorecards[0].at_fault:
        raise ReportError(f"report {kind}: the grader itself failed on this submission; it has no score")
    return scorecards[0]
