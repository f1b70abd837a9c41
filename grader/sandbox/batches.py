"""The batches of a training: drawn as they are taken, so that they travel as a seed and not as gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, overload

import torch
from torch import Tensor

STOPPED = "the training was stopped"
"""The message for a loop that takes batches by number once the training is stopped."""

CHUNK = 1024
"""Steps whose rows are drawn at once; part of what a seed means."""


@dataclass(frozen=True)
class Drawing:
    """What the batches of a training are drawn from.

    Args:
        contexts: all contexts (examples, block), int64.
        targets: the character that follows each, (examples,), int64.
        rows: examples in one batch.
        steps: how many batches there are.
        seed: which ones.
    """

    contexts: Tensor
    targets: Tensor
    rows: int
    steps: int
    seed: int


class Batches(Sequence[tuple[Tensor, Tensor]]):
    """The batches of a training, one for each step: contexts (rows, block) and targets (rows,).

    A light sequence: it has a length, can be iterated and indexed, and draws a batch when it is asked for.
    ``taken`` is how many batches have been taken so far; :meth:`stop` makes it end early.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.taken = 0
        self._stopped = False
        self._chunk = -1
        self._drawn = torch.empty(0)

    def __len__(self) -> int:
        """How many batches there are."""
        return self.drawing.steps

    @overload
    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]: ...
    @overload
    def __getitem__(self, step: slice) -> NoReturn: ...
    def __getitem__(self, step: int | slice) -> tuple[Tensor, Tensor]:
        """The batch of one step, counted from 0."""
        if isinstance(step, slice):
            raise TypeError("batches are taken one at a time: batches[step], or a loop over batches")
        place = step + len(self) if step < 0 else step
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} batches, and none has the number {step}")
        if self._stopped:
            raise IndexError(STOPPED)
        return self._take(place)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Every batch, one for each step."""
        for step in range(len(self)):
            if self._stopped:
                return
            yield self._take(step)

    def stop(self) -> None:
        """End here: no further batch is given out."""
        self._stopped = True

    def _take(self, step: int) -> tuple[Tensor, Tensor]:
        if step >= self.taken:
            self.taken = step + 1
        if step // CHUNK != self._chunk:
            self._draw(step // CHUNK)
        rows = self._drawn[step % CHUNK]
        return self.drawing.contexts[rows], self.drawing.targets[rows]

    def _draw(self, chunk: int) -> None:
        drawing = self.drawing
        generator = torch.Generator().manual_seed(drawing.seed + chunk)
        self._drawn = torch.randint(len(drawing.contexts), (CHUNK, drawing.rows), generator=generator)
        self._chunk = chunk
