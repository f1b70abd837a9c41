"""The result of one submission as data, and its JSON form.

Nothing here computes a grade: the judge fills these in, the reports read them, and neither needs to know
the other. Every class is a frozen dataclass whose fields are the JSON's fields, in the same order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from importlib.resources import files as parts_of
from typing import Any

from grader.scorecard.json_reader import ScorecardError, build, parse
from grader.scorecard.json_writer import Written, encodable, laid_out, plain
from grader.scorecard.schema_check import compiled

SCHEMA_ID = "scorecard/v1"


class Outcome(StrEnum):
    """The outcome of one gradient. Only ``exact`` and ``close`` score (docs/design.md, 2.4)."""

    EXACT = "exact"
    CLOSE = "close"
    WRONG_VALUE = "wrong_value"
    WRONG_SHAPE = "wrong_shape"
    WRONG_DTYPE = "wrong_dtype"
    NOT_FINITE = "not_finite"
    NOT_A_TENSOR = "not_a_tensor"
    MISSING = "missing"
    ERROR = "error"
    FORBIDDEN = "forbidden"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    NOT_RUN = "not_run"
    GRADER_FAULT = "grader_fault"

    @property
    def scores(self) -> bool:
        """Whether this outcome earns the gradient's points."""
        return self in (Outcome.EXACT, Outcome.CLOSE)


@dataclass(frozen=True)
class Difference:
    """How far an answer is from a right one; None where the two cannot be compared."""

    max_abs_diff: float | None
    max_rel_diff: float | None


@dataclass(frozen=True)
class CaseResult:
    """One gradient in one case. ``tolerance`` is absolute; ``decides`` says whether points hang on it."""

    name: str
    outcome: Outcome
    max_abs_diff: float | None
    tolerance: float | None
    decides: bool


@dataclass(frozen=True)
class Worst:
    """Where an answer is furthest from the expected gradient, and the two numbers there."""

    index: tuple[int, ...]
    expected: float | None
    found: float | None


@dataclass(frozen=True)
class ErrorMap:
    """A picture of where an answer is wrong: ``rows`` of digits, 0 (within tolerance) to 9 (worst).

    Between them a digit grows with the square root of the error, so that small errors show beside large ones.

    ``stride`` is how many of the tensor's rows and columns one digit stands for; tensors of more than two
    dimensions are flattened to their last.
    """

    stride: tuple[int, int]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Hint:
    """Why an answer is wrong, in a sentence, and the forward line concerned."""

    kind: str
    message: str
    forward_line: str | None


@dataclass(frozen=True)
class StudentError:
    """The student's exception: its type, its message and the student's own lines of the traceback."""

    type: str
    message: str
    line: int | None
    traceback: tuple[str, ...]


@dataclass(frozen=True)
class Gradient:
    """The outcome of one asked gradient.

    ``through`` names the forward lines (:attr:`ForwardLine.name`) it goes back through; ``line`` is where the
    student's stub stands in the exercise's file, or in a notebook's ``cell``, counted from 1; ``score`` is None
    when the fault is the grader's own.
    ``shown_case`` names the case that the shapes, ``worst`` and ``error_map`` are taken from: the first that
    costs the points, else the lecture's.
    """

    name: str
    outcome: Outcome
    score: float | None
    max_score: float
    exact: bool
    max_abs_diff: float | None
    line: int | None
    seconds: float
    autograd: Difference
    reference: Difference | None
    cases: tuple[CaseResult, ...]
    hint: Hint | None
    error: StudentError | None
    through: tuple[str, ...]
    shown_case: str
    expected_shape: tuple[int, ...]
    found_shape: tuple[int, ...] | None
    worst: Worst | None
    error_map: ErrorMap | None
    notes: tuple[str, ...]
    output: str | None
    cell: int | None = None

    def timed(self, seconds: float) -> Gradient:
        """The same, with how long it took."""
        # As dataclasses.replace does it, in a tenth of the time: it is done for each gradient of each submission.
        timed = object.__new__(Gradient)
        vars(timed).update({name: vars(self)[name] for name in GRADIENT_FIELDS})
        vars(timed).update(seconds=seconds, _timeless=self.timeless)
        return timed

    @property
    def timeless(self) -> Gradient:
        """The same without how long it took, the one thing that is new each time: what is made of it lasts."""
        return self._timeless if self.seconds else self

    @cached_property
    def _timeless(self) -> Gradient:
        return replace(self, seconds=0.0)

    @cached_property
    def written(self) -> tuple[str, str, bool]:
        """Its text as JSON before and after its seconds, and whether it conforms to the schema.

        It tells gradients apart that are equal and yet not the same, as 0.0 and -0.0 are.
        """
        values = plain(self)
        before, after = laid_out(values | {"seconds": Written(PLACE)}, 1, GRADIENT_MARGIN).split(PLACE)
        return before, after, _conforms("gradient")(values)

    def __hash__(self) -> int:
        """The hash of all fields; worked out once, for there is much in them."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(vars(self)[name] for name in GRADIENT_FIELDS))


GRADIENT_FIELDS = tuple(field.name for field in fields(Gradient))


@dataclass(frozen=True)
class ForwardLine:
    """One line of the forward pass, and the gradients that are complete after going back through it."""

    name: str
    source: str
    gradients: tuple[str, ...]


@dataclass(frozen=True)
class Averages:
    """The mean loss on each split of the words, batch norm calibrated; None where it is not known."""

    training: float | None
    validation: float | None


@dataclass(frozen=True)
class Published:
    """What somebody else reports for as many steps; ``by`` says who, and of which words."""

    by: str
    training: float
    validation: float


@dataclass(frozen=True)
class Side:
    """What one way of training came to: by hand, or by autograd.

    ``curve`` has the mean loss of each equal stretch of ``steps`` steps, None for one without a finite loss;
    it is empty where no losses came back.
    """

    steps: int
    curve: tuple[float | None, ...]
    averages: Averages
    seconds: float


@dataclass(frozen=True)
class Training:
    """Steps of stochastic gradient descent by hand, and the same steps by autograd. Reported, not scored.

    ``steps`` were asked for and ``done`` made, on the words of the list ``words``; ``trouble`` says why there
    were fewer, or what is wrong with the result; ``stopped`` whether somebody stopped it. ``names`` are drawn
    from the network that was trained by hand.
    """

    words: str
    steps: int
    done: int
    trouble: str | None
    stopped: bool
    hand: Side
    autograd: Side
    published: Published | None
    names: tuple[str, ...]

    @property
    def broke_down(self) -> bool:
        """Whether the submission failed, and nobody stopped it."""
        return self.trouble is not None and not self.stopped


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one submission.

    ``file`` is the student's file, None when there is none. ``descent`` holds the steps it is graded by, None
    where none came to an end; ``training`` a whole training, None where there was none.
    """

    id: str
    title: str
    file: str | None
    score: float
    max_score: float
    gradients: tuple[Gradient, ...]
    forward: tuple[ForwardLine, ...]
    descent: Training | None = None
    training: Training | None = None


@dataclass(frozen=True)
class SubmissionId:
    """Whose work this is: the folder's name (or the file's without its ending), and a digest of its bytes."""

    name: str
    digest: str


@dataclass(frozen=True)
class GraderInfo:
    """What graded: versions and the seed the cases were drawn from."""

    version: str
    python: str
    torch: str
    seed: int


@dataclass(frozen=True)
class MissingLayer:
    """An isolation layer that was not in force, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Isolation:
    """The isolation layers that were in force, and those that were not."""

    layers: tuple[str, ...]
    missing: tuple[MissingLayer, ...]


@dataclass(frozen=True)
class Scorecard:
    """The result of one submission."""

    schema: str
    submission: SubmissionId
    grader: GraderInfo
    isolation: Isolation
    score: float
    max_score: float
    exercises: tuple[ExerciseResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the scorecard as plain JSON values; a number that is not finite becomes None."""
        values: dict[str, Any] = plain(self)
        return values

    @classmethod
    def from_json(cls, text: str) -> Scorecard:
        """Read a scorecard back from its JSON text.

        The text may come from anybody: its size is limited, and it is checked against the schema first.
        ``Scorecard.from_json(card.to_json()).to_json()`` is the same text as ``card.to_json()``.

        Args:
            text: what :meth:`to_json` returned, or what ``grade`` wrote to a ``.json`` file.

        Returns:
            The scorecard. A number that was not finite is None, as it is null in the text.

        Raises:
            ScorecardError: the text is too long, is not JSON, or does not follow the schema. The message quotes
                nothing of the text.
        """
        value = parse(text)
        if not _conforms("")(value):
            flaw = next(_validator().iter_errors(value), None)
            if flaw is not None:
                raise ScorecardError(_told(flaw.json_path, str(flaw.validator)))
        card: Scorecard = build(cls, value)
        return card

    def to_json(self) -> str:
        """Write the scorecard as JSON text, checked against the schema.

        Returns:
            One JSON object that follows :func:`schema`; ends in a newline and always encodes as UTF-8. The same
            scorecard gives the same text.

        Raises:
            jsonschema.ValidationError: the scorecard breaks its own schema, which is a bug of the grader.
        """
        # Most of it is the same in most of a class: that is written and checked once.
        pieces = [_written_exercise(exercise) for exercise in self.exercises]
        values = plain(replace(self, exercises=())) | {"exercises": []}
        if not (_conforms("")(values) and all(conforms for _, conforms in pieces)):
            _validator().validate(self.as_dict())
        values["exercises"] = [written for written, _ in pieces]
        return encodable(laid_out(values, LINES_DEPTH) + "\n")

    def with_training(self, exercise: str, training: Training) -> Scorecard:
        """Return the scorecard with a training of one of its exercises added."""
        exercises = (replace(e, training=training) if e.id == exercise else e for e in self.exercises)
        return replace(self, exercises=tuple(exercises))

    @property
    def perfect(self) -> bool:
        """Whether every point was earned."""
        outcomes = [gradient.outcome for exercise in self.exercises for gradient in exercise.gradients]
        return bool(outcomes) and all(outcome.scores for outcome in outcomes)

    @property
    def at_fault(self) -> bool:
        """Whether the grader itself failed somewhere."""
        return any(g.outcome is Outcome.GRADER_FAULT for e in self.exercises for g in e.gradients)


def schema() -> Mapping[str, Any]:
    """The JSON Schema of a scorecard, as shipped with the package."""
    text = parts_of("grader.scorecard").joinpath("scorecard.schema.json").read_text("utf-8")
    parsed: Mapping[str, Any] = json.loads(text)
    return parsed


def _told(place: str, rule: str) -> str:
    """What is wrong with a JSON value that is no scorecard, without a word of it."""
    if place == "$.schema":
        return f"expected a scorecard of the schema {SCHEMA_ID!r}, found another; grade the work again"
    return f"expected a scorecard, found a value at {place} that breaks the schema's rule {rule!r}"


@cache
def _conforms(definition: str) -> Callable[[Any], bool]:
    """Whether a value conforms to the schema, or to one of its definitions."""
    whole = schema()
    return compiled({"$ref": f"#/$defs/{definition}", "$defs": whole["$defs"]} if definition else whole)


@cache
def _validator() -> Any:
    # Imported here: the reports and the command line's help need no validator, and it takes a while to load.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


LINES_DEPTH = 5
"""Down to the fields of a gradient, each value has a line of its own; what is in one is on its line."""

GRADIENT_MARGIN = "\n" + " " * 4
"""What the lines of a gradient begin with."""

PLACE = "\0"
"""Stands where seconds go; within JSON text nothing else does."""


def _written_exercise(exercise: ExerciseResult) -> tuple[dict[str, Any], bool]:
    """An exercise as plain values with its gradients written, and whether it conforms to the schema."""
    values = plain(replace(exercise, gradients=(), forward=()))
    pieces = [(gradient, *gradient.timeless.written) for gradient in exercise.gradients]
    forward, conforms = _written_forward(exercise.forward)
    conforms = conforms and _conforms("exercise")(values) and all(good for *_, good in pieces)
    conforms = conforms and all(0 <= gradient.seconds < math.inf for gradient in exercise.gradients)
    values["gradients"] = [
        Written(f"{before}{gradient.seconds!r}{after}") for gradient, before, after, _ in pieces
    ]
    return values | {"forward": forward}, conforms


@lru_cache
def _written_forward(forward: tuple[ForwardLine, ...]) -> tuple[Written, bool]:
    """A forward pass as text, and whether it conforms to the schema."""
    values = plain(forward)
    return Written(laid_out(values, 2, GRADIENT_MARGIN[:-1])), all(map(_conforms("forward_line"), values))
