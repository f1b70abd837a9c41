"""The instructor's self-check: is the course sound, and would a mistake be seen?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.apps import template
from grader.checks.suite import Bench
from grader.course.exercise import tensor_of


@dataclass(frozen=True)
class Finding:
    """One thing an audit looked at: whether it is sound, or just worth knowing (``ok`` is None)."""

    exercise: str
    subject: str
    ok: bool | None
    message: str


def audit(benches: Sequence[Bench]) -> Iterator[Finding]:
    """Check some exercises: witnesses, blind spots, templates. Loading them has checked their settings."""
    for bench in benches:
        yield Finding(
            bench.exercise.id, "settings", True, "match their schema; the forward pass keeps the form"
        )
        yield from _witnesses(bench)
        yield from _blind(bench)
        yield _template(bench)


def _witnesses(bench: Bench) -> Iterator[Finding]:
    exercise = bench.exercise
    if bench.reference is None:
        yield Finding(
            exercise.id, "reference", None, "none: autograd in float32 and float64 are the witnesses"
        )
    else:
        for name in exercise.stubs:
            if name not in bench.reference:
                yield Finding(
                    exercise.id,
                    "reference",
                    False,
                    f"{name}: expected a function in the reference, found none",
                )
    for ask, fault in bench.faults.items():
        yield Finding(exercise.id, "witnesses", False, f"{ask}: {fault}")
    agreed = sum(ask not in bench.faults for ask in exercise.gradients)
    witnesses = "autograd, float64" + (" and the reference" if bench.reference else "")
    if agreed:
        cases = ", ".join(oracle.case.name for oracle in bench.oracles)
        yield Finding(exercise.id, "witnesses", True, f"{witnesses} agree on {agreed} gradients in {cases}")
    for function in exercise.functions:
        if function.descent is not None and not bench.faults.keys() & set(function.asks):
            message = f"{witnesses} agree on {', '.join(function.asks)} after {function.descent.steps} steps"
            yield Finding(exercise.id, "witnesses", True, message)


def _blind(bench: Bench) -> Iterator[Finding]:
    """Where the plain loss sees nothing, among what the exercise asks; random upstreams decide there."""
    asked = {tensor_of(ask) for ask in bench.exercise.gradients}
    for tensor in sorted(bench.blind.tensors & asked):
        yield Finding(
            bench.exercise.id, "blind tensor", None, f"d{tensor} vanishes: {_decides(bench, tensor)}"
        )
    for tensor, line in sorted(bench.blind.paths):
        if tensor in asked:
            message = f"nothing flows into d{tensor} through {line}: random upstreams decide"
            yield Finding(bench.exercise.id, "blind path", None, message)


def _decides(bench: Bench, tensor: str) -> str:
    """What tells right from wrong where a gradient vanishes."""
    handed_upstreams = bench.exercise.function_of(f"d{tensor}").parameters is None
    return "random upstreams decide" if handed_upstreams else "its rounding shows that it was derived"


def _template(bench: Bench) -> Finding:
    current = template.is_current(bench.exercise)
    message = "is up to date" if current else "is stale: run `grade audit --write-templates`"
    return Finding(bench.exercise.id, "template", current, message)
