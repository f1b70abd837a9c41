"""Grade one save: only what it touched is graded anew, and compared with the result before.

A file that cannot be run at all (a syntax error while one types, a file that an editor is just replacing)
says nothing about its gradients. Its last results stay on show, and the next ones are compared with those.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from grader.apps.watch.changes import Change, changes
from grader.grading.engine import Engine
from grader.reports.explanation import fault_line, has_no_stub
from grader.scorecard.model import ExerciseResult, Scorecard
from grader.submissions.source import Source
from grader.submissions.submission import HandedIn, Submission


@dataclass(frozen=True)
class Unreadable:
    """Why a whole file cannot be graded: in words, and the student's line if it is known."""

    filename: str
    message: str
    line: int | None = None
    source: str | None = None


@dataclass(frozen=True)
class Save:
    """The state after one save.

    Args:
        card: every exercise as it is now; those the save did not touch are as before.
        shown: the same, but a file in trouble keeps its last readable result.
        troubles: the files in trouble, by exercise id.
        changes: what this save changed.
        graded: the exercises this save had graded.
        seconds: how long that took.
        inputs: what each exercise was graded on.
    """

    card: Scorecard
    shown: Scorecard
    troubles: Mapping[str, Unreadable]
    changes: tuple[Change, ...]
    graded: tuple[str, ...]
    seconds: float
    inputs: Mapping[str, HandedIn | None] = field(repr=False)


def stale(engine: Engine, work: Submission, last: Save | None) -> tuple[str, ...]:
    """The exercises that have to be graded anew, because a file they depend on is not what it was."""
    if last is None:
        return engine.ids
    return tuple(name for name in engine.ids if needed(work.files.get(name)) != last.inputs[name])


def play(engine: Engine, work: Submission, last: Save | None) -> Save:
    """Grade a save.

    Args:
        engine: grades it.
        work: the submission as it was saved.
        last: the save before, None for the first.

    Raises:
        IsolationError: no box can be opened.
    """
    started = time.perf_counter()
    todo = stale(engine, work, last)
    fresh = engine.grade(work, todo)
    card = _whole(engine, fresh, last)
    troubles = _troubles(fresh, work, last)
    shown = _shown(card, troubles, last)
    return Save(
        card=card,
        shown=shown,
        troubles=troubles,
        changes=_changes(shown, last),
        graded=todo,
        seconds=time.perf_counter() - started,
        inputs={name: needed(work.files.get(name)) for name in engine.ids},
    )


def needed(handed_in: HandedIn | None) -> HandedIn | None:
    """A file with no more modules beside it than it can import: those it mentions, and those they mention.

    Every file travels with all its neighbours, the other exercises among them. Without this, each save would
    have every exercise graded.
    """
    if handed_in is None or not isinstance(handed_in.source, Source):
        return handed_in
    helpers = _mentioned(handed_in.source.content, handed_in.source.helpers)
    return replace(handed_in, source=replace(handed_in.source, helpers=helpers))


def _mentioned(content: bytes, helpers: Mapping[str, bytes]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    unread = [content]
    while unread:
        text = unread.pop()
        for name, code in helpers.items():
            word = re.escape(name.removesuffix(".py").encode("utf-8", "replace"))
            if name not in found and re.search(rb"(?<!\w)" + word + rb"(?!\w)", text):
                found[name] = code
                unread.append(code)
    return found


def _troubles(fresh: Scorecard, work: Submission, last: Save | None) -> Mapping[str, Unreadable]:
    """The files in trouble: those just graded that are, and those that were and have not been touched."""
    found = {result.id: _trouble(result, work, last) for result in fresh.exercises}
    kept = {} if last is None else {name: old for name, old in last.troubles.items() if name not in found}
    return kept | {name: new for name, new in found.items() if new is not None}


def _trouble(result: ExerciseResult, work: Submission, last: Save | None) -> Unreadable | None:
    """Say why an exercise's file cannot be graded; None if it can."""
    handed_in = work.files.get(result.id)
    before = last.shown.exercises if last is not None else ()
    was = next((earlier.file for earlier in before if earlier.id == result.id), None)
    if handed_in is None:
        return Unreadable(was, "is gone") if was is not None else None
    if was is not None and isinstance(handed_in.source, Source) and not handed_in.source.content.strip():
        return Unreadable(handed_in.filename, "is empty")
    return _not_run(result, handed_in)


def _not_run(result: ExerciseResult, handed_in: HandedIn) -> Unreadable | None:
    """Say what kept the file from being run; None if nothing did."""
    faults = [gradient.error for gradient in result.gradients if has_no_stub(gradient)]
    if not faults or len(faults) < len(result.gradients) or faults[0] is None:
        return None
    fault = faults[0]
    if fault.type == "UnreadableFile":
        return Unreadable(handed_in.filename, fault.message.removeprefix(f"{handed_in.filename}: "))
    # With a traceback, the line may be one of a module beside this file.
    quoted = None if fault.traceback else source_line(handed_in, fault.line)
    return Unreadable(handed_in.filename, fault_line(fault), fault.line, quoted)


def source_line(handed_in: HandedIn, line: int | None) -> str | None:
    """Return a line of a student's file; None if there is no such line."""
    if line is None or not isinstance(handed_in.source, Source):
        return None
    lines = handed_in.source.content.decode("utf-8", "replace").splitlines()
    return lines[line - 1].rstrip() if 0 < line <= len(lines) else None


def _whole(engine: Engine, fresh: Scorecard, last: Save | None) -> Scorecard:
    """Complete a new scorecard of some exercises with the other exercises' results from before."""
    results = {result.id: result for result in (last.card.exercises if last else ())}
    results |= {result.id: result for result in fresh.exercises}
    return _with(fresh, tuple(results[name] for name in engine.ids))


def _shown(card: Scorecard, troubles: Mapping[str, Unreadable], last: Save | None) -> Scorecard:
    before = {result.id: result for result in (last.shown.exercises if last else ())}
    exercises = (before.get(e.id, e) if e.id in troubles else e for e in card.exercises)
    return _with(card, tuple(exercises))


def _with(card: Scorecard, exercises: tuple[ExerciseResult, ...]) -> Scorecard:
    return replace(
        card,
        exercises=exercises,
        score=sum(result.score for result in exercises),
        max_score=sum(result.max_score for result in exercises),
    )


def _changes(shown: Scorecard, last: Save | None) -> tuple[Change, ...]:
    if last is None:
        return ()
    pairs = zip(last.shown.exercises, shown.exercises, strict=True)
    return tuple(change for before, after in pairs for change in changes(before, after))
