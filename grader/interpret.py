"""Notebooks and scripts, read for the stubs that are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from grader.box.box import Source
from grader.exercise import Exercise
from grader.notebook import NotebookError, cells_of
from grader.scorecard import Gradient
from grader.script import Origins, ScriptError, Translation, translate
from grader.submission import HandedIn

GENERATED = "script.py"
"""What the box calls the stubs made from a script; a student sees their own cells and lines instead."""


@dataclass(frozen=True)
class Work:
    """What a student handed in for one exercise, ready to be asked.

    Args:
        handed_in: stubs, or a problem.
        origins: where the lines of generated stubs come from; None where the stubs are the student's own.
        notes: what was noticed on the way, by gradient.
    """

    handed_in: HandedIn
    origins: Origins | None = None
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def placed(self, gradient: Gradient) -> Gradient:
        """A gradient's outcome with its lines in the student's own cells, and with what was noticed."""
        if self.origins is None:
            return gradient
        return replace(
            gradient,
            error=self.origins.fault(gradient.error) if gradient.error else None,
            line=self.origins.line(gradient.line),
            cell=self.origins.cell(gradient.line),
            notes=(*gradient.notes, *self.notes.get(gradient.name, ())),
        )


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
            found[name] = Work(stubs, one.origins, one.notes)
    return found


def _translated(
    filename: str, content: bytes, exercises: Sequence[Exercise]
) -> Mapping[str, Translation] | str:
    """The stubs of each exercise in a script, or in words why it cannot be read."""
    try:
        return translate(cells_of(filename, content), exercises, GENERATED, filename)
    except (NotebookError, ScriptError) as error:
        return str(error)
