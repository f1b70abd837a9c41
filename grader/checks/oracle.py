"""What is expected in one case: every gradient, every path, and how far float32 rounding may carry a right answer.

Expected is autograd's gradient, run in float64 on the case's inputs. Its *envelope* is measured, not
guessed: the same backward pass is run again with every forward value and every gradient disturbed by one
float32 rounding, and the largest deviation is taken. A tolerance is a small multiple of it.

``loss' = loss + sum over a of <r_a, a>`` with random ``r_a`` gives gradients that are consistent with each
other whatever a stub asks for, and that do not vanish where the plain loss is blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from grader.bounded import BoundedDict
from grader.checks.cases import Case, floats
from grader.course.forward import LOSS, Step, Values

ROUNDING = 2.0**-24
"""The unit roundoff of float32: one operation is off by at most this, relatively."""

RUNS = 3
"""How many disturbed runs an envelope is measured with."""

SPREAD = 16
"""A right formula may round more often, and sum in another order, than the lines it goes back through."""

FLOOR = 3e-6
"""Relative to the largest entry: formulas that cost no rounding in the forward pass still round in a stub."""


@dataclass(frozen=True)
class ExpectedGradient:
    """One gradient (or one path's share of it) in one case.

    Args:
        precise: its value, float64.
        autograd: autograd's answer in float32, as the lecture compares with.
        envelope: the largest deviation float32 rounding was measured to cause, absolute.
    """

    precise: Tensor
    autograd: Tensor
    envelope: float

    @cached_property
    def scale(self) -> float:
        """The largest entry's size."""
        return float(self.precise.abs().max()) if self.precise.numel() else 0.0

    @cached_property
    def tolerance(self) -> float:
        """How far an answer may be off, absolute."""
        return SPREAD * self.envelope + FLOOR * self.scale

    @cached_property
    def spread(self) -> float:
        """How far autograd's float32 answer is from the value in float64."""
        return self.difference(self.autograd)

    @property
    def vanishes(self) -> bool:
        """Whether nothing but rounding is left of it."""
        return self.scale <= self.tolerance

    def difference(self, answer: Tensor) -> float:
        """The largest distance of an answer of the same shape from what is expected; NaN where one is NaN."""
        return float((answer.double() - self.precise).abs().max()) if answer.numel() else 0.0

    def admits(self, answer: Tensor) -> bool:
        """Whether an answer of the same shape is right up to rounding."""
        # Written so that a NaN, which compares false, is refused.
        return bool(((answer.double() - self.precise).abs() <= self.tolerance).all())


@dataclass(frozen=True)
class Run:
    """One forward pass with its graph, and the plain loss's gradient of every float tensor in it."""

    values: Values
    gradients: Mapping[str, Tensor]

    @classmethod
    def of(cls, values: Values) -> Run:
        """Go back through a forward pass and keep its graph, to go back through it again."""
        names = [n for n in floats(values) if values[n].requires_grad]
        return cls(values, _gradients(values[LOSS], values, names))


@dataclass(frozen=True)
class Oracle:
    """What is expected in one case.

    Args:
        case: the case.
    """

    case: Case
    _random: dict[tuple[frozenset[str], frozenset[str]], Mapping[str, ExpectedGradient]] = field(
        default_factory=BoundedDict, repr=False
    )

    @cached_property
    def expected(self) -> Mapping[str, ExpectedGradient]:
        """Every gradient, by its tensor's name."""
        disturbed = [run.gradients for run in self.disturbed]
        return _expected(self.precise.gradients, self._single.gradients, disturbed)

    def paths(self, name: str) -> Mapping[str, ExpectedGradient]:
        """What flows back into ``name`` through each line that uses it, by that line's name."""
        found = {}
        for step in self.case.forward.users(name):
            precise = self._share(self.precise, step, name)
            deviations = [(self._share(run, step, name) - precise).abs().max() for run in self.disturbed]
            found[step.name] = ExpectedGradient(precise, precise.float(), float(max(deviations)))
        return found

    def random(self, drawn: Iterable[str], wanted: Iterable[str]) -> Mapping[str, ExpectedGradient]:
        """The gradients under random upstreams, worked out once.

        Args:
            drawn: the tensors ``a`` that enter the loss with a random ``r_a``.
            wanted: the tensors whose gradients are wanted.
        """
        key = (frozenset(drawn), frozenset(wanted))
        if key not in self._random:
            precise, single, *disturbed = (
                self.under(run, *key) for run in (self.precise, self._single, *self.disturbed)
            )
            self._random[key] = _expected(precise, single, disturbed)
        return self._random[key]

    @cached_property
    def _single(self) -> Run:
        return self._run(torch.float32)

    @cached_property
    def precise(self) -> Run:
        """The run in float64."""
        return self._run(torch.float64)

    @cached_property
    def disturbed(self) -> tuple[Run, ...]:
        """Runs in float64 that are rounded as float32 would round, each in its own way."""
        generator = self.case.generator("rounding")
        return tuple(self._run(torch.float64, generator) for _ in range(RUNS))

    def _run(self, dtype: torch.dtype, noise: torch.Generator | None = None) -> Run:
        """Run forward and back in ``dtype``, with each value and gradient rounded at random if asked."""
        inputs = dict(self.case.inputs)
        for name in floats(inputs):
            inputs[name] = inputs[name].to(dtype, copy=True).requires_grad_()

        def transform(step: Step, value: Tensor) -> Tensor:
            if noise is None or not value.requires_grad:
                return value
            # The gradient that flows back through this product is rounded by it, too.
            return value * (1 + ROUNDING * torch.randn(value.shape, generator=noise, dtype=dtype))

        return Run.of(self.case.forward.run(inputs, transform))

    def under(self, run: Run, drawn: frozenset[str], wanted: frozenset[str]) -> Mapping[str, Tensor]:
        """The gradients of ``loss'`` in one run."""
        loss = run.values[LOSS]
        for name in sorted(drawn):
            loss = loss + (self._upstream(name).to(loss.dtype) * run.values[name]).sum()
        return _gradients(loss, run.values, sorted(wanted))

    def _upstream(self, name: str) -> Tensor:
        """``r_a``: standard normal numbers over the number of rows, the same for every stub."""
        like = self.case.values[name]
        drawn = torch.randn(like.shape, generator=self.case.generator(f"upstream of {name}"))
        return drawn / max(1, like.shape[0] if like.dim() else 1)

    def _share(self, run: Run, step: Step, name: str) -> Tensor:
        """The vector-Jacobian product of one line, with respect to one of the tensors it uses."""
        values = {n: run.values[n] for n in step.uses}
        values[name] = values[name].detach().requires_grad_()
        result = self.case.forward.evaluate(step, values)
        # As a product and not by grad_outputs, which would have torch load its symbolic algebra first.
        share: Tensor = torch.autograd.grad((result * run.gradients[step.name]).sum(), values[name])[0]
        return share


def _gradients(loss: Tensor, values: Values, names: Sequence[str]) -> Mapping[str, Tensor]:
    """The gradients of a loss, zeros where it does not depend on a tensor; the graph is kept."""
    tensors = [values[name] for name in names]
    found = torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=True)
    zeros = (torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True))
    return {name: gradient.detach() for name, gradient in zip(names, zeros, strict=True)}


def _expected(
    precise: Mapping[str, Tensor], single: Mapping[str, Tensor], disturbed: Sequence[Mapping[str, Tensor]]
) -> Mapping[str, ExpectedGradient]:
    """Each expected gradient, from its value in float64, in float32, and in float64 with rounding."""
    return {
        name: ExpectedGradient(
            expected, single[name], float(max((run[name] - expected).abs().max() for run in disturbed))
        )
        for name, expected in precise.items()
    }


@dataclass(frozen=True)
class Blind:
    """Where the plain loss cannot tell right from wrong: gradients that vanish, and paths that carry nothing.

    ``paths`` holds pairs of a tensor and the line through which nothing flows back into it.
    """

    tensors: frozenset[str]
    paths: frozenset[tuple[str, str]]

    @classmethod
    def measure(cls, oracles: Iterable[Oracle]) -> Blind:
        """What vanishes in every one of the cases, compared with the rounding envelope."""
        oracles = tuple(oracles)
        forward = oracles[0].case.forward
        names = list(oracles[0].expected)
        tensors = frozenset(n for n in names if all(oracle.expected[n].vanishes for oracle in oracles))
        several = [n for n in names if len(forward.users(n)) > 1]
        shares = [{n: oracle.paths(n) for n in several} for oracle in oracles]
        paths = frozenset(
            (name, step.name)
            for name in several
            for step in forward.users(name)
            if all(share[name][step.name].vanishes for share in shares)
        )
        return cls(tensors, paths)
