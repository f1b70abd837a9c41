"""What a function is called with: every call of it, packed once for any number of boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from grader.answers import Called
from grader.box.frames import Frame
from grader.box.replies import Content
from grader.recent import Recent

if TYPE_CHECKING:
    from torch import Tensor

Arguments = Mapping[str, Any]
"""What a function is called with in one case, by parameter name: tensors, numbers, lists of them, batches."""


ANSWERS_KEPT = 32
"""Of one function, the latest replies that are kept: right answers agree bit for bit in a few ways."""


class Calls(tuple[Arguments, ...]):
    """Every call of one function: what it is called with, packed once and sent to any number of boxes."""

    @cached_property
    def replies(self) -> Recent[Content, tuple[Called, ...]]:
        """What was read out of earlier replies: the same words and bytes say the same."""
        return Recent(ANSWERS_KEPT)

    def request(self, of: str, function: str, after: tuple[str, ...], watch: bool) -> Frame:
        """The request that asks a box for them; see :meth:`grader.box.box.Box.call`."""
        key = (of, function, after, watch)
        if key not in self._requests:
            cases, body = self.packed
            head = {"do": "call", "of": of, "function": function, "cases": cases}
            self._requests[key] = Frame({**head, "after": after, "watch": watch}, body)
        return self._requests[key]

    @cached_property
    def _requests(self) -> dict[tuple[str, str, tuple[str, ...], bool], Frame]:
        return {}

    @cached_property
    def packed(self) -> tuple[Sequence[Mapping[str, Any]], bytes]:
        """The description of each call, and the tensors of all of them."""
        from grader.box import payload, trees

        tensors: dict[str, Tensor] = {}
        described = [
            {name: trees.pack(value, f"{number}.{name}", tensors) for name, value in arguments.items()}
            for number, arguments in enumerate(self)
        ]
        return described, payload.pack(tensors)
