"""From a script in the lecture's style to stubs, one source for each exercise.

A script is a notebook's cells or a plain file in which gradients are assigned one after another at top level.
It is taken apart by its text alone and never run here: set-up, data loading, plotting, printing, comparisons
and training stay where they are, and each gradient asked for becomes a function of the student's own
statements. From there on a script is graded like any submission.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from grader.course.exercise import Exercise, tensor_of
from grader.course.forward import Forward
from grader.scorecard.model import Hint, StudentError
from grader.submissions.notebooks.cell import Cell, Origin
from grader.submissions.notebooks.errors import contained
from grader.submissions.notebooks.matching import Effort, match
from grader.submissions.notebooks.naming import Naming
from grader.submissions.notebooks.program import Program
from grader.submissions.notebooks.slicing import Slicer
from grader.submissions.notebooks.training_loop import training_of
from grader.submissions.notebooks.versions import Choice, Versions
from grader.submissions.notebooks.writer import HEADER, Line, Writer, missing, numbered


@dataclass(frozen=True)
class Origins:
    """Where the lines of a generated source were written.

    Args:
        filename: the generated source's name, as tracebacks quote it.
        lines: by line number of the generated source; lines the student did not write are not in it.
        called: what the student knows the file as.
    """

    filename: str
    lines: Mapping[int, Origin]
    called: str

    def line(self, generated: int | None) -> int | None:
        """The student's line (in its cell) for a generated one, None where it is not theirs."""
        origin = self.lines.get(generated or 0)
        return origin.line if origin else None

    def cell(self, generated: int | None) -> int | None:
        """The student's cell for a generated line, None where it is not theirs or in no notebook."""
        origin = self.lines.get(generated or 0)
        return origin.cell if origin else None

    def fault(self, fault: StudentError) -> StudentError:
        """A fault with the student's own places in its message, its line and its traceback."""
        origin = self.lines.get(fault.line or 0)
        message = fault.message
        if origin is not None and origin.cell is not None and not message.startswith("cell "):
            message = f"{origin}: {message}"
        return replace(
            fault, message=message, line=self.line(fault.line), traceback=tuple(self._traces(fault))
        )

    def _traces(self, fault: StudentError) -> Iterator[str]:
        place = re.compile(re.escape(self.filename) + r":(\d+) in (.*)", re.S)
        for trace in fault.traceback:
            found = place.match(trace)
            origin = self.lines.get(int(found[1])) if found else None
            if found is None:
                yield trace
            elif origin is not None:
                yield f"{self.called}, {origin}, in {found[2]}"


@dataclass(frozen=True)
class Translation:
    """A script as the stubs of one exercise.

    Args:
        content: the generated Python source.
        origins: where its lines were written.
        notes: by gradient, what its author should know whether or not it costs points.
        causes: by gradient, what spoils it for certain, if it is wrong.
        own: the exercise's names with the author's own, where they differ.
    """

    content: bytes = field(repr=False)
    origins: Origins = field(repr=False)
    notes: Mapping[str, tuple[str, ...]]
    causes: Mapping[str, tuple[Hint, ...]]
    own: Mapping[str, str]


def asks_of(exercises: Sequence[Exercise]) -> frozenset[str]:
    """Every gradient that some exercises ask for."""
    return frozenset(ask for exercise in exercises for ask in exercise.asks)


def is_script(cells: Sequence[Cell], exercises: Sequence[Exercise]) -> bool:
    """Whether cells hold the forward pass of an exercise, or most of it, whatever their names.

    Args:
        cells: what somebody wrote.
        exercises: those whose forward passes count.

    Raises:
        ScriptError: the cells are too large or too deeply nested to be read, or reading them failed.
    """
    exercises = [exercise for exercise in exercises if not exercise.declared]
    with contained("a script"):
        program = Program.read(cells, asks_of(exercises))
        effort = Effort()
        return any(
            2 * len(match(program, forward, effort).shown & {step.name for step in forward.steps})
            >= len(forward.steps)
            for forward in {exercise.forward for exercise in exercises}
        )


def translate(
    cells: Sequence[Cell], exercises: Sequence[Exercise], filename: str, called: str
) -> Mapping[str, Translation]:
    """The stubs of every exercise, by exercise id.

    Args:
        cells: what the student wrote.
        exercises: all exercises of the course, in order; those with one forward pass share the script's
            gradients, those that ask for functions of another form are answered by the loop that trains.
        filename: a name for the generated source.
        called: what to call the script in messages.

    Raises:
        ScriptError: the script is too large or too deeply nested to be read; the message says so in one line.
        ReaderFault: reading it failed, for a reason that is none of its author's.
    """
    one_by_one = tuple(exercise for exercise in exercises if not exercise.declared)
    with contained(called):
        program = Program.read(cells, asks_of(exercises))
        effort = Effort()
        readings = {
            forward: _Reading.of(program, forward, effort)
            for forward in {e.forward: None for e in one_by_one}
        }
        return {
            e.id: _trained(program, tuple(readings.values()), e, filename, called, effort)
            if e.declared
            else _translation(readings[e.forward], e, one_by_one, filename, called)
            for e in exercises
        }


@dataclass(frozen=True)
class _Reading:
    """A script read against one forward pass."""

    program: Program
    naming: Naming
    versions: Versions
    slicer: Slicer

    @classmethod
    def of(cls, program: Program, forward: Forward, effort: Effort) -> _Reading:
        naming = Naming(program, forward, match(program, forward, effort))
        versions = Versions(program, naming)
        return cls(program, naming, versions, Slicer(program, naming, versions))

    def why_missing(self, ask: str, called: str) -> str:
        """Why there is no derivation of a gradient, as far as one can tell."""
        tensor = tensor_of(ask)
        own = self.naming.own.get(tensor, tensor)
        name = ask if own == tensor else f"d{own} (the gradient of {tensor})"
        for statement in self.program.statements:
            if statement.training and ask in statement.names:
                return (
                    f"{name} is assigned only in the loop at {statement.origin}, which trains and is not run"
                )
        if self._has_names_of_its_own() and tensor not in self.naming.match.renaming.theirs:
            line = self._line(tensor)
            return f"no gradient was recognised as {ask}, and no line of your forward pass as `{line}`"
        return f"nothing in {called} assigns {name}"

    def _has_names_of_its_own(self) -> bool:
        own = self.naming.match.renaming.theirs
        return sum(ours != theirs for ours, (theirs, _) in own.items()) > 1

    def _line(self, tensor: str) -> str:
        forward = self.naming.forward
        return tensor if tensor in forward.inputs else forward.step(tensor).source


def _translation(
    reading: _Reading, exercise: Exercise, exercises: tuple[Exercise, ...], filename: str, called: str
) -> Translation:
    choice = Choice(reading.versions, exercises)
    writer = Writer(reading.program, reading.naming, exercise)
    lines = [Line(text) for text in HEADER.splitlines()]
    notes, causes = {}, {}
    for ask in exercise.asks:
        version = choice.choose(exercise, ask)
        lines += [Line(""), Line("")]
        if version is None:
            lines += missing(ask, reading.why_missing(ask, called))
            continue
        cut = reading.slicer.cut(exercise, ask, version)
        lines += writer.stub(ask, cut)
        notes[ask], causes[ask] = cut.notes, cut.causes
    content = "\n".join(line.text for line in lines) + "\n"
    own = {ours: theirs for ours, theirs in reading.naming.own.items() if ours != theirs}
    return Translation(
        content.encode("utf-8", "replace"), Origins(filename, numbered(lines), called), notes, causes, own
    )


def _trained(
    program: Program,
    readings: tuple[_Reading, ...],
    exercise: Exercise,
    filename: str,
    called: str,
    effort: Effort,
) -> Translation:
    """The functions of an exercise that trains, from the loop of a script that does."""
    training = training_of(program, [reading.naming for reading in readings], exercise, effort)
    lines = [Line(text) for text in HEADER.splitlines()]
    for function in exercise.functions:
        lines += [Line(""), Line("")]
        if training is None:
            why = f"no loop in {called} trains with gradients of one's own"
            lines += missing(function.name, why, function.signature(exercise))
        else:
            lines += training.stub(function)
    content = "\n".join(line.text for line in lines) + "\n"
    return Translation(
        content.encode("utf-8", "replace"), Origins(filename, numbered(lines), called), {}, {}, {}
    )
