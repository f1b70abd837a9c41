"""Where a descent first goes wrong, in a sentence: which step, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from grader.checks.compare import Verdict, compare
from grader.checks.descent import DescentOracle, losses, parameters
from grader.course.exercise import LOSSES, PARAMETERS
from grader.sandbox.answers import Called, Failed, Returned
from grader.scorecard.model import Hint, Outcome

NOTICED = 3
"""A wrong learning rate shows in the loss within so many steps after it should have changed."""

REPLACED = (
    "the parameters came back unchanged: change the tensors you are given, in place (`p -= …` or "
    "`p.data += …`); `p = p - …` makes a new tensor and leaves the one you were given as it was"
)
FIRST = (
    "the very first loss is wrong, before any step has changed a parameter: look at what you return as the "
    "loss, and at the batch it belongs to"
)
SECOND = (
    "the first loss is right, the second is wrong: so the first step is wrong. Look at its sign, its "
    "learning rate and each parameter's gradient, which must come from the same batch as the loss"
)
NOTED = "the parameters end where they should, so the steps are right: the losses you note are wrong"
LOGARITHMS = "the returned numbers are logarithms to base 10 of the losses: return the losses themselves"
AGREES = (
    "the losses are right, the parameters are not: after the last loss there is exactly one more step, "
    "and it must change the parameters you are given, not a copy"
)
REST = "the parameters are not those that autograd's gradients lead to; the losses show the first wrong step"


def explain(oracle: DescentOracle, ask: str, verdict: Verdict, called: Called | None) -> Hint | None:
    """Say what went wrong in a descent, for one of its asks; None where nothing did.

    Args:
        oracle: the right steps.
        ask: which of its asks.
        verdict: the verdict that decides it.
        called: what came back from the call, None where its box died or nothing was called.
    """
    if verdict.outcome.scores or verdict.outcome in (Outcome.MISSING, Outcome.GRADER_FAULT, Outcome.NOT_RUN):
        return None
    failed = called.answer if called is not None and isinstance(called.answer, Failed) else None
    if called is None or failed is not None:
        return _broken_off(oracle, verdict, failed or verdict.failure, called)
    if verdict.failure is not None:
        return Hint(str(verdict.outcome), verdict.failure.message, None)
    return Hint(*next(DescentDiagnosis(oracle, called).reasons(ask)), None)


def _broken_off(
    oracle: DescentOracle, verdict: Verdict, failed: Failed | None, called: Called | None
) -> Hint | None:
    """A descent that did not finish: why, and how far it got."""
    if failed is None:
        return None
    step = failed.step if called is None else called.taken
    where = f"; it had come to step {step} of {oracle.descent.steps}" if step else ""
    return Hint(str(verdict.outcome), f"{failed.message}{where}", None)


@dataclass(frozen=True)
class DescentDiagnosis:
    """A descent that came to an end, and to a wrong one."""

    oracle: DescentOracle
    called: Called

    def reasons(self, ask: str) -> Iterator[tuple[str, str]]:
        """What there is to say about one ask, most telling first: a kind and a sentence."""
        steps, taken = self.oracle.descent.steps, self.called.taken
        if taken is not None and taken < steps:
            yield (
                "fewer_batches",
                f"it took {taken} of the {steps} batches: make one step for each",
            )
        if ask == LOSSES:
            yield from self._losses()
            yield "other_losses", "the losses do not belong to the steps"
            return
        if self._unchanged == self.oracle.descent.trains:
            yield "replaced", REPLACED
        yield from self._reshaped()
        yield from self._losses()
        if ask == PARAMETERS:
            yield from self._parameters()
        yield "other_descent", self._drop() if ask != PARAMETERS else REST

    def _losses(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the losses; nothing where nothing is, or where none came back."""
        answer = losses(self.called)
        if not isinstance(answer, Returned):
            return
        found, steps = answer.tensor.double().flatten(), self.oracle.descent.steps
        if len(found) != steps:
            yield (
                "wrong_length",
                f"returned {len(found)} losses for {steps} steps: expected one for each step, taken before it",
            )
        yield from self._first_wrong(found[:steps])

    def _reshaped(self) -> Iterator[tuple[str, str]]:
        """Parameters that are no longer of the shape they were handed over in."""
        pairs = zip(self.oracle.initial, parameters(self.called), strict=False)
        for name, (before, left) in zip(self.oracle.descent.trains, pairs, strict=False):
            if left is not None and left.shape != before.shape:
                found, expected = tuple(left.shape), tuple(before.shape)
                yield (
                    "reshaped",
                    f"{name} came back with shape {found}, expected the shape it was given in, {expected}",
                )

    def _first_wrong(self, found: Tensor) -> Iterator[tuple[str, str]]:
        (expected,) = (check.expected for check in self.oracle.checks(LOSSES))
        precise = expected.precise[: len(found)]
        # Written so that a NaN counts as wrong.
        wrong = (~((found - precise).abs() <= expected.tolerance)).nonzero().flatten()
        if not len(wrong):
            return
        first = int(wrong[0])
        infinite = (~found.isfinite()).nonzero().flatten()
        if len(infinite):
            agree = (
                f"losses agree up to step {first}, and are" if 0 < first < int(infinite[0]) else "losses are"
            )
            yield "not_finite", f"{agree} not finite from step {int(infinite[0]) + 1} on"
        if bool(((10**found - precise).abs() <= 10 * expected.tolerance + 1e-4).all()):
            yield "logarithms", LOGARITHMS
        if self._arrives:
            yield (
                "noted_losses",
                f"{NOTED} from step {first + 1} on: note the loss of each step before you make it",
            )
        if first == 0:
            yield "first_loss", FIRST
        if self._unchanged == self.oracle.descent.trains:
            yield "replaced", f"losses agree up to step {first}; {REPLACED}"
        if first == 1:
            yield "first_step", SECOND
        yield from self._rate(first)
        yield "diverges", f"losses agree up to step {first}, and are wrong from step {first + 1} on"

    def _rate(self, first: int) -> Iterator[tuple[str, str]]:
        """Whether the losses go wrong where the learning rate changes."""
        rates = self.oracle.rates
        for step in range(1, len(rates)):
            if rates[step] != rates[step - 1] and step <= first <= step + NOTICED:
                change = (
                    f"at step {step + 1} the learning rate goes from {rates[step - 1]:g} to {rates[step]:g}"
                )
                yield "learning_rate", f"losses agree up to step {first}; {change}: use the one of each step"

    def _parameters(self) -> Iterator[tuple[str, str]]:
        if self._unchanged:
            names = ", ".join(self._unchanged)
            yield (
                "untrained",
                f"{names} came back unchanged: is there a step for each parameter?",
            )
        if isinstance(losses(self.called), Returned):
            yield "last_step", AGREES

    def _drop(self) -> str:
        """How far the loss came down on windows that no step has seen, and how far it should."""
        ended = [left for left in parameters(self.called) if left is not None]
        shapes = [tuple(left.shape) for left in ended]
        if shapes == [tuple(before.shape) for before in self.oracle.initial]:
            strayed = self.oracle.strayed(ended)
            if strayed:
                return f"steps against the gradient do not lead where {', '.join(strayed)} came back"
        found = self.oracle.drop(self.called)
        (expected,) = (check.expected for check in self.oracle.checks("descent"))
        fell = f"{float(found.tensor):.3g}" if isinstance(found, Returned) else "nothing"
        held_out = self.oracle.descent.held_out
        wanted = f"autograd's gradients bring it down by {float(expected.precise):.3g}"
        return f"on {held_out} unseen windows the loss fell by {fell}; {wanted}"

    @cached_property
    def _arrives(self) -> bool:
        """Whether the parameters end where they should."""
        checks = self.oracle.checks(PARAMETERS)
        return all(compare(check.extract(self.called), check.expected).outcome.scores for check in checks)

    @cached_property
    def _unchanged(self) -> tuple[str, ...]:
        """The parameters that came back unchanged, bit for bit."""
        pairs = zip(self.oracle.descent.trains, self.oracle.initial, parameters(self.called), strict=False)
        return tuple(name for name, before, left in pairs if left is not None and torch.equal(before, left))
