"""The calls of a function, packed once and sent to any number of boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from grader.bounded import BoundedDict
from grader.sandbox.answers import Called
from grader.sandbox.frames import Frame
from grader.sandbox.replies import Content, weight

if TYPE_CHECKING:
    from torch import Tensor

Arguments = Mapping[str, Any]
"""What a function is called with in one case, by parameter name: tensors, numbers, lists of them, batches."""


Replies = BoundedDict[Content, tuple[Called, ...]]
"""Replies that have been read: the same text and bytes mean the same, whichever function they come from."""

REPLIES_BYTES = 16 << 20
"""How much is kept. Right answers come in a few variants, bit for bit, and thousands of them fit."""


def no_replies() -> Replies:
    """An empty cache of replies."""
    return BoundedDict(REPLIES_BYTES, lambda content, called: weight(content))


class Calls(tuple[Arguments, ...]):
    """Every call of one function: what it is called with, packed once and sent to any number of boxes.

    Args:
        cases: the calls.
        replies: earlier replies that have been read.
    """

    replies: Replies

    def __new__(cls, cases: Iterable[Arguments], replies: Replies | None = None) -> Self:
        """Take the calls as they are."""
        made = super().__new__(cls, cases)
        made.replies = no_replies() if replies is None else replies
        return made

    def request(self, of: str, function: str, after: tuple[str, ...], watch: bool) -> Frame:
        """The request that asks a box for them; see :meth:`grader.sandbox.box.Box.call`."""
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
        from grader.sandbox import payload, values

        tensors: dict[str, Tensor] = {}
        described = [
            {name: values.pack(value, f"{number}.{name}", tensors) for name, value in arguments.items()}
            for number, arguments in enumerate(self)
        ]
        return described, payload.pack(tensors)
