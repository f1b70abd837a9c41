"""Notebooks and scripts, read for the stubs that are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grader.course.exercise import Exercise
from grader.submissions.notebooks import ReaderFault, ReadingError, Translation, translate
from grader.submissions.notebooks.reader import cells_of
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
        if isinstance(translations, HandedIn):
            found[name] = Work(translations)
        elif name in translations:
            one = translations[name]
            stubs = HandedIn(file.filename, Source(GENERATED, one.content))
            found[name] = Work(stubs, one)
    return found


def _translated(
    filename: str, content: bytes, exercises: Sequence[Exercise]
) -> Mapping[str, Translation] | HandedIn:
    """The stubs of each exercise in a script, or the problem that keeps it from being read."""
    try:
        return translate(cells_of(filename, content), exercises, GENERATED, filename)
    except ReadingError as error:
        return HandedIn(filename, problem=str(error), is_ours=isinstance(error, ReaderFault))
