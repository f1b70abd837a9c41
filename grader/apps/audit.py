"""The instructor's self-check: is the course sound, and would the grader notice a mistake?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.apps import template
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Vanishing, tensor_of

DECIDES = {
    Vanishing.STEP: "random upstreams decide, and a stub must take one under which it does not",
    Vanishing.VALUE: "zero is its value, however it was found",
}
"""What tells right from wrong where a gradient vanishes."""


@dataclass(frozen=True)
class Finding:
    """One finding of an audit: whether it is sound; ``ok`` is None if it is only worth knowing."""

    exercise: str
    subject: str
    ok: bool | None
    message: str


def audit(suites: Sequence[ExerciseSuite]) -> Iterator[Finding]:
    """Check some exercises: witnesses, blind spots, templates. Loading them has checked their settings."""
    for suite in suites:
        yield Finding(
            suite.exercise.id, "settings", True, "match their schema; the forward pass keeps the form"
        )
        yield from _witnesses(suite)
        yield from _blind(suite)
        yield _template(suite)


def _witnesses(suite: ExerciseSuite) -> Iterator[Finding]:
    exercise = suite.exercise
    if suite.reference is None:
        yield Finding(
            exercise.id, "reference", None, "none: autograd in float32 and float64 are the witnesses"
        )
    else:
        for name in exercise.stubs:
            if name not in suite.reference:
                yield Finding(
                    exercise.id,
                    "reference",
                    False,
                    f"{name}: expected a function in the reference, found none",
                )
    for ask, fault in suite.faults.items():
        yield Finding(exercise.id, "witnesses", False, f"{ask}: {fault}")
    agreed = sum(ask not in suite.faults for ask in exercise.gradients)
    witnesses = "autograd, float64" + (" and the reference" if suite.reference else "")
    if agreed:
        cases = ", ".join(oracle.case.name for oracle in suite.oracles)
        yield Finding(exercise.id, "witnesses", True, f"{witnesses} agree on {agreed} gradients in {cases}")
    for function in exercise.training:
        if not suite.faults.keys() & set(function.asks):
            message = f"{witnesses} agree on {', '.join(function.asks)} after {function.descent.steps} steps"
            yield Finding(exercise.id, "witnesses", True, message)


def _blind(suite: ExerciseSuite) -> Iterator[Finding]:
    """Where the plain loss sees nothing, among what the exercise asks; random upstreams decide there."""
    asked = {tensor_of(ask) for ask in suite.exercise.gradients}
    for tensor in sorted(suite.blind.tensors & asked):
        yield Finding(
            suite.exercise.id,
            "blind tensor",
            None,
            f"d{tensor} vanishes: {DECIDES[suite.exercise.vanishing]}",
        )
    for tensor, line in sorted(suite.blind.paths):
        if tensor in asked:
            message = f"nothing flows into d{tensor} through {line}: random upstreams decide"
            yield Finding(suite.exercise.id, "blind path", None, message)


def _template(suite: ExerciseSuite) -> Finding:
    current = template.is_current(suite.exercise)
    message = "is up to date" if current else "is stale: run `grade audit --write-templates`"
    return Finding(suite.exercise.id, "template", current, message)
