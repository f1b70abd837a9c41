"""What hints are made from: the cases with their right values and gradients, and a student's answers to them.

A hypothesis is made of *pieces*: tensors computed from the right forward values and gradients of a case. Each is
computed in the oracle's undisturbed run and in those with rounding, so that an explanation gets a tolerance
derived just as the check's own is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

import torch
from torch import Tensor

from grader.checks.cases import RANDOM
from grader.checks.check import Check
from grader.checks.compare import Verdict
from grader.checks.oracle import ROUNDING, ExpectedGradient, Oracle, Run
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Exercise, tensor_of
from grader.course.forward import LOSS, Values
from grader.hints.lines import Line, read
from grader.hints.numbers import Sizes
from grader.hints.text import Mend, case
from grader.sandbox.answers import Returned
from grader.scorecard.model import Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class Piece:
    """A tensor that can be computed in any run of any case; None where it cannot.

    Args:
        key: what tells it from other pieces of the same exercise.
        work_out: computes it from a run's values and gradients.
    """

    key: Hashable
    work_out: Callable[[Run], Tensor | None] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Scene:
    """One case under one loss (the plain one, or one with random upstreams), as hypotheses see it."""

    oracle: Oracle
    drawn: frozenset[str] = frozenset()
    _made: dict[tuple[Hashable, int], Tensor | None] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> int:
        """How many runs there are: the undisturbed one, and those with rounding."""
        return 1 + len(self.oracle.disturbed)

    @cached_property
    def _runs(self) -> tuple[Run, ...]:
        generator = self.oracle.case.generator("rounding of what arrives")
        disturbed = (self._rounded(self._seen(run), generator) for run in self.oracle.disturbed)
        return (self._seen(self.oracle.precise), *disturbed)

    def _seen(self, run: Run) -> Run:
        values = {n: v.detach() if isinstance(v, Tensor) else v for n, v in run.values.items()}
        if not self.drawn:
            return Run(values, run.gradients)
        return Run(values, self.oracle.under(run, self.drawn, frozenset(run.gradients)))

    def _rounded(self, run: Run, generator: torch.Generator) -> Run:
        """A run whose gradients are rounded once more, as those handed to a stub are.

        A disturbed run's own gradients fit together exactly: where they cancel, no rounding would show.
        """
        rounded = {
            name: gradient
            * (1 + ROUNDING * torch.randn(gradient.shape, generator=generator, dtype=gradient.dtype))
            for name, gradient in run.gradients.items()
        }
        return Run(run.values, rounded)

    @property
    def values(self) -> Values:
        """The forward values, in float64."""
        return self._runs[0].values

    @property
    def gradients(self) -> Mapping[str, Tensor]:
        """The right gradients, in float64."""
        return self._runs[0].gradients

    def get(self, piece: Piece, run: int = 0) -> Tensor | None:
        """Return a piece in one run; it is computed once."""
        key = (piece.key, run)
        if key not in self._made:
            self._made[key] = piece.work_out(self._runs[run])
        return self._made[key]

    def vanishes(self, piece: Piece) -> bool:
        """Whether a piece is zero here, apart from rounding."""
        expected = self.mixed([(1.0, piece)])
        return expected is None or expected.vanishes

    def mixed(self, terms: Sequence[tuple[float, Piece]]) -> ExpectedGradient | None:
        """A weighted sum of pieces, and how far rounding may carry it; None where a piece is missing."""
        precise = self._sum(terms, 0)
        if precise is None:
            return None
        envelope = 0.0
        for run in range(1, self.runs):
            disturbed = self._sum(terms, run)
            if disturbed is not None and disturbed.numel():
                envelope = max(envelope, float((disturbed - precise).abs().max()))
        return ExpectedGradient(precise, precise, envelope)

    def _sum(self, terms: Sequence[tuple[float, Piece]], run: int) -> Tensor | None:
        total: Tensor | None = None
        for factor, piece in terms:
            tensor = self.get(piece, run)
            if tensor is None:
                return None
            total = factor * tensor if total is None else total + factor * tensor
        return total


@dataclass(frozen=True)
class Knowledge:
    """What is computed once for an exercise and used for every submission."""

    exercise: Exercise
    oracles: tuple[Oracle, ...]
    _scenes: dict[tuple[str, frozenset[str]], Scene] = field(default_factory=dict, repr=False)
    _once: dict[Hashable, object] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, suite: ExerciseSuite) -> Knowledge:
        """Return what is known about a suite's exercise; made at the first question."""
        # Kept by the suite, so that it lives exactly as long.
        return suite.cache.once(cls.__qualname__, lambda: cls(suite.exercise, suite.oracles))

    @cached_property
    def lines(self) -> Mapping[str, Line]:
        """The forward lines, by the tensor each assigns."""
        return read(self.exercise.forward)

    def scene(self, name: str, drawn: frozenset[str] = frozenset()) -> Scene:
        """The scene of a case, by its name; under random upstreams, of the case that they are drawn in."""
        if (name, drawn) not in self._scenes:
            named = [oracle for oracle in self.oracles if oracle.case.name == name]
            fresh = self.oracles[-1] if len(self.oracles) == 1 else self.oracles[1]
            self._scenes[name, drawn] = Scene(named[0] if named else fresh, drawn)
        return self._scenes[name, drawn]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` returns; it is called at the first question for ``key``."""
        if key not in self._once:
            self._once[key] = make()
        return cast(T, self._once[key])


@dataclass(frozen=True)
class View:
    """A student's answer in one case that decides.

    Args:
        name: the case's name.
        scene: the case.
        answer: the answer in the expected shape, float64.
        right: whether it was right here.
        tolerance: how far it might have been off.
    """

    name: str
    scene: Scene
    answer: Tensor = field(repr=False)
    right: bool
    tolerance: float

    @property
    def is_random(self) -> bool:
        """Whether the upstreams are random here."""
        return self.name == RANDOM


@dataclass(frozen=True)
class Question:
    """One gradient, the calls that were made for it, and where it stands in the forward pass.

    Args:
        known: what is known about its exercise.
        ask: its name, such as ``dprobs``.
        tried: the stub's calls and the verdicts on them.
    """

    known: Knowledge
    ask: str
    tried: tuple[tuple[Check, Verdict], ...]

    @property
    def tensor(self) -> str:
        """The tensor whose gradient it is."""
        return tensor_of(self.ask)

    @cached_property
    def decisive(self) -> tuple[tuple[Check, Verdict], ...]:
        """The calls that points hang on, as far as they were made."""
        return tuple(
            (check, verdict)
            for check, verdict in self.tried
            if check.decides and verdict.outcome is not Outcome.NOT_RUN
        )

    @cached_property
    def outcome(self) -> Outcome:
        """The outcome that costs the points, or the first if none does."""
        outcomes = [verdict.outcome for _, verdict in self.decisive]
        return next(
            (outcome for outcome in outcomes if not outcome.scores),
            outcomes[0] if outcomes else Outcome.NOT_RUN,
        )

    @cached_property
    def asked(self) -> frozenset[str]:
        """The tensors whose gradients the stub asked for."""
        names = self.known.exercise.forward.names
        found = {
            tensor_of(name) for check, _ in self.tried[:1] for name in check.arguments if name not in names
        }
        return frozenset(found - {LOSS})

    @cached_property
    def available(self) -> frozenset[str]:
        """The tensors whose gradients a stub of this name may ask for."""
        return self.known.exercise.known(self.ask)

    @cached_property
    def users(self) -> tuple[Line, ...]:
        """The lines that use the tensor, top to bottom."""
        return tuple(self.known.lines[step.name] for step in self.known.exercise.forward.users(self.tensor))

    @cached_property
    def through(self) -> tuple[Line, ...]:
        """The lines between the tensor and the gradients the stub asked for, top to bottom."""
        steps = self.known.exercise.forward.frontier(self.tensor, self.asked | {LOSS})
        return tuple(self.known.lines[step.name] for step in steps)

    def scene_of(self, check: Check) -> Scene:
        """Return the scene of a check."""
        if check.name != RANDOM:
            return self.known.scene(check.name)
        lines = frozenset(line.name for line in self.users)
        return self.known.scene(RANDOM, self.asked or lines)


@dataclass(frozen=True)
class Inquiry(Question):
    """A wrong gradient to explain: the question, and the answers to compare explanations with."""

    @cached_property
    def views(self) -> tuple[View, ...]:
        """The deciding cases in which numbers of the right shape came back; none where the stub raised."""
        if self.outcome is Outcome.ERROR:
            return ()
        return tuple(
            View(
                check.name,
                self.scene_of(check),
                verdict.tensor.double(),
                verdict.outcome.scores,
                check.expected.tolerance,
            )
            for check, verdict in self.decisive
            if verdict.tensor is not None
        )

    @cached_property
    def main(self) -> View:
        """The view to try hypotheses on first: one where nothing vanishes, else the smallest wrong one."""
        wrong = [view for view in self.views if not view.right]
        random = [view for view in wrong if view.is_random]
        smallest = sorted(wrong or self.views, key=lambda view: view.answer.numel())
        return random[0] if random else smallest[0]

    def mended(self, mend: Mend) -> Inquiry | None:
        """The inquiry there would be if answers of the wrong shape had been mended; None where one cannot be."""
        if any(not v.outcome.scores and v.outcome is not Outcome.WRONG_SHAPE for _, v in self.decisive):
            return None  # something else goes wrong in other cases
        tried = []
        for check, verdict in self.tried:
            if verdict.outcome is Outcome.WRONG_SHAPE:
                shape = tuple(check.expected.precise.shape)
                answer = None if verdict.misshapen is None else mend(verdict.misshapen.double(), shape)
                if answer is None or tuple(answer.shape) != shape:
                    return None
                verdict = check.compare(Returned(answer))
            tried.append((check, verdict))
        return Inquiry(self.known, self.ask, tuple(tried))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What ``make`` gives for every submission that asks the same of the same gradient in the same case.

        It may depend on the specification, on the gradients the stub asked for and on the main view's scene
        where there is one, and on nothing in the answer.
        """
        return self.known.once((name, self.ask, self.asked, self.main.name if self.views else None), make)

    @cached_property
    def sizes(self) -> tuple[Sizes, ...]:
        """Each view's sizes, by the words a student would write."""
        found = tuple(dict(self.sizes_in(view.scene.values)) for view in self.views)
        # In one case alone, any number may be some size: the nearest have to do.
        return found if len(found) < 2 else self._with_farther(found)

    def _with_farther(self, near: tuple[Sizes, ...]) -> tuple[Sizes, ...]:
        """Sizes, and those of dimensions that only lines farther off have, such as one that was pooled."""
        everywhere = [
            dict(_dimensions(self.known.exercise.forward.names, view.scene.values)) for view in self.views
        ]
        known = {tuple(sizes[name] for sizes in near) for name in near[0]}
        found = tuple(dict(sizes) for sizes in near)
        for name in everywhere[0]:
            each = tuple(sizes[name] for sizes in everywhere)
            if each not in known:
                known.add(each)
                for sizes, size in zip(found, each, strict=True):
                    sizes[name] = size
        return found

    def sizes_in(self, values: Values) -> Iterator[tuple[str, float]]:
        """The sizes that may have entered an answer: plain numbers, then the shapes of tensors around it."""
        names = dict.fromkeys([self.tensor, *(line.name for line in self.users)])
        uses = dict.fromkeys(name for line in self.users for name in line.step.uses)
        for name, value in values.items():
            if isinstance(value, int) and not isinstance(value, bool):
                yield name, value
        yield from _dimensions([*names, *uses], values)
        for name in names:
            if isinstance(values[name], Tensor) and values[name].dim() > 1:
                yield f"{name}.numel()", values[name].numel()

    @cached_property
    def everywhere(self) -> str:
        """The cases that an explanation has been compared with, in words."""
        plain = [view for view in self.views if not view.is_random]
        return f"in all {len(plain)} cases" if len(plain) > 1 else f"in {case(self.views[0].name)}"

    def fits(self, terms: Sequence[tuple[Sequence[float], Piece]]) -> bool:
        """Whether a weighted sum of pieces is the answer, within the check's tolerance, in every view.

        Args:
            terms: each piece with its factor in each view.
        """
        return all(
            expected is not None and expected.admits(view.answer)
            for index, view in enumerate(self.views)
            for expected in (view.scene.mixed([(factors[index], piece) for factors, piece in terms]),)
        )


def _dimensions(names: Iterable[str], values: Values) -> Iterator[tuple[str, float]]:
    """The sizes of some tensors' dimensions."""
    for name in names:
        value = values[name]
        if isinstance(value, Tensor):
            yield from ((f"{name}.shape[{dim}]", size) for dim, size in enumerate(value.shape))
