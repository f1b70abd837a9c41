"""Notebooks and scripts, read for the stubs that are in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.course.exercise import Exercise
from grader.hints import reduced
from grader.scorecard.model import Gradient, Hint
from grader.submissions.notebooks import ScriptError, Translation, translate
from grader.submissions.notebooks.reader import NotebookError, cells_of
from grader.submissions.source import Source
from grader.submissions.submission import HandedIn

GENERATED = "script.py"
"""What the box calls the stubs made from a script; a student sees their own cells and lines instead."""


@dataclass(frozen=True)
class Work:
    """What a student handed in for one exercise, ready to be asked.

    Args:
        handed_in: stubs, or a problem.
        translation: what the stubs were made from; None where they are the student's own.
    """

    handed_in: HandedIn
    translation: Translation | None = None

    def placed(self, gradient: Gradient, hints: str) -> Gradient:
        """A gradient's outcome with its lines in the student's own cells, and with what was noticed.

        Args:
            gradient: as the generated stub was graded.
            hints: how much a hint may tell.
        """
        made = self.translation
        if made is None:
            return gradient
        causes, told = made.causes.get(gradient.name, ()), gradient.hint
        notes = list(made.notes.get(gradient.name, ()))
        if gradient.outcome.scores:
            notes += (cause.message for cause in causes)
        elif gradient.error is None and causes:
            told = reduced(causes[0], hints)  # what the numbers look like says less than what made them so
        elif told is not None:
            notes += _in_own_names(told, made.own)
        return replace(
            gradient,
            hint=told,
            error=made.origins.fault(gradient.error) if gradient.error else None,
            line=made.origins.line(gradient.line),
            cell=made.origins.cell(gradient.line),
            notes=(*gradient.notes, *notes),
        )


def _in_own_names(hint: Hint, own: Mapping[str, str]) -> Iterator[str]:
    """What the author calls the values that a hint speaks of."""
    quoted = " ".join([*re.findall(r"`([^`]*)`", hint.message), hint.forward_line or ""])
    named = [name for name in own if re.search(rf"(?<!\w)d?{re.escape(name)}(?!\w)", quoted)]
    if named:
        yield f"in your names: {', '.join(f'{name} is {own[name]}' for name in named)}"


def interpret(files: Mapping[str, HandedIn], exercises: Sequence[Exercise]) -> Mapping[str, Work]:
    """The work for each exercise.

    Args:
        files: what was handed in, by exercise id.
        exercises: those that are graded.
    """
    scripts = {file.filename: file.script for file in files.values() if file.script is not None}
    made = {name: _translated(name, content, exercises) for name, content in scripts.items()}
    found = {}
    for name, file in files.items():
        if file.script is None:
            found[name] = Work(file)
            continue
        translations = made[file.filename]
        if isinstance(translations, str):
            found[name] = Work(HandedIn(file.filename, problem=translations))
        elif name in translations:
            one = translations[name]
            stubs = HandedIn(file.filename, Source(GENERATED, one.content))
            found[name] = Work(stubs, one)
    return found


def _translated(
    filename: str, content: bytes, exercises: Sequence[Exercise]
) -> Mapping[str, Translation] | str:
    """The stubs of each exercise in a script, or in words why it cannot be read."""
    try:
        return translate(cells_of(filename, content), exercises, GENERATED, filename)
    except (NotebookError, ScriptError) as error:
        return str(error)
