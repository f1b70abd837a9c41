"""A trained network: calibrated once, then asked for its loss and for words of its own.

What the network is, is read off the forward pass. A *statistic* is a value that a batch has only as a whole,
as its mean and variance are: it depends on the batch, but has no row for each example. In training every
batch has its own; afterwards they are those of the whole training set, kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from grader.course.exercise import Descent
from grader.course.forward import LOSS, Forward, Step, Values

ROWS = 1 << 13
"""Examples that go through the network at once."""

LONGEST = 40
"""Characters after which a word is cut off: an untrained network may never end one."""


@dataclass(frozen=True)
class Network:
    """A forward pass with parameters.

    Args:
        forward: the forward pass.
        descent: which of its inputs are parameters, and which the batch.
        parameters: the trained parameters, in the descent's order.
        contexts: the training set's contexts, which it is calibrated over.
    """

    forward: Forward
    descent: Descent
    parameters: Sequence[Tensor]
    contexts: Tensor

    @cached_property
    def statistics(self) -> Mapping[str, Tensor]:
        """The statistics of the whole training set, by name."""
        names = self._statistics
        if not names:
            return {}
        # No further than to the last of them: the rest of so large a batch would fill the memory.
        last = [step.name for step in self.forward.steps].index(names[-1])
        begun = replace(self.forward, steps=self.forward.steps[: last + 1])
        values = begun.run(self._inputs(self.contexts, torch.zeros(len(self.contexts), dtype=torch.int64)))
        return {name: values[name] for name in names}

    @cached_property
    def _statistics(self) -> tuple[str, ...]:
        rows = 3
        values = self.forward.run(self._inputs(self.contexts[:rows], torch.zeros(rows, dtype=torch.int64)))
        of_batch = frozenset().union(*map(self.forward.descendants, self.descent.batch))
        shapes = {name: values[name].shape for name in of_batch if isinstance(values[name], Tensor)}
        single = {name for name, shape in shapes.items() if len(shape) and shape[0] != rows}
        return tuple(step.name for step in self.forward.steps if step.name in single)

    def loss(self, contexts: Tensor, targets: Tensor) -> float:
        """The mean loss over some examples, calibrated."""
        total = 0.0
        for first in range(0, len(contexts), ROWS):
            part = contexts[first : first + ROWS], targets[first : first + ROWS]
            total += float(self._run(*part)[LOSS]) * len(part[0])
        return total / len(contexts)

    def words(self, alphabet: str, count: int, generator: torch.Generator) -> tuple[str, ...]:
        """Words drawn from the network, letter by letter.

        Args:
            alphabet: its characters in order; the first ends a word.
            count: how many.
            generator: where chance comes from.

        Returns:
            The words; none where the network's scores are no longer finite.
        """
        context = torch.zeros((count, self.contexts.shape[1]), dtype=torch.int64)
        drawn = torch.zeros((count, 0), dtype=torch.int64)
        while drawn.shape[1] < LONGEST and not (drawn == 0).any(1).all():
            scores = self._run(context, torch.zeros(count, dtype=torch.int64))[self._scores]
            if not scores.isfinite().all():
                return ()
            letter = torch.multinomial(torch.softmax(scores, 1), 1, generator=generator)
            drawn = torch.cat([drawn, letter], 1)
            context = torch.cat([context[:, 1:], letter], 1)
        return tuple("".join(alphabet[i] for i in row).partition(alphabet[0])[0] for row in drawn.tolist())

    @property
    def _scores(self) -> str:
        """What the loss compares with the targets."""
        return next(name for name in self.forward.step(LOSS).uses if name not in self.descent.batch)

    def _run(self, contexts: Tensor, targets: Tensor) -> Values:
        def calibrated(step: Step, value: Any) -> Any:
            return self.statistics.get(step.name, value)

        return self.forward.run(self._inputs(contexts, targets), calibrated)

    def _inputs(self, contexts: Tensor, targets: Tensor) -> Values:
        inputs: Values = dict(zip(self.descent.trains, self.parameters, strict=True))
        return inputs | dict(zip(self.descent.batch, (contexts, targets), strict=True))
