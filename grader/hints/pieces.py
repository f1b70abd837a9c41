"""The pieces hypotheses are made of: what flows back through each line, as it is or altered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

from torch import Tensor

from grader.checks.oracle import Run
from grader.course.forward import LOSS, Values
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.lines import PART, Line

Upstream = Callable[[Run], Tensor | None]
Change = Callable[[Run], Values]

MOST_ROUTES = 8
"""Beyond this many ways from a tensor to the known gradients, telling them apart would explain nothing."""


@dataclass(frozen=True)
class Part:
    """One of the shares that add up to a gradient.

    Args:
        piece: the share.
        line: the line it flows back through; of a longer route, the line that sets it apart from the others.
        tensor: with respect to which it goes back through that line.
        use: which of the line's uses of the tensor it is, None where there is one.
        lines: the lines on the way, from the one that uses the tensor towards the loss.
    """

    piece: Piece
    line: Line
    tensor: str
    use: int | None = None
    lines: tuple[Line, ...] = ()

    @property
    def route(self) -> tuple[str, ...]:
        """The tensors on the way, from the line's own towards the loss."""
        return tuple(line.name for line in self.lines)


@dataclass(frozen=True)
class Alteration:
    """How to go back through one use of a tensor in one line, in a wrong way.

    Args:
        label: what tells it from other alterations of the same use.
        upstream: what takes the place of the gradient that arrives; None for ones in its place.
        change: the forward values that take the place of the run's.
        code: the line altered.
    """

    label: tuple[str, ...]
    upstream: Upstream | None = None
    change: Change | None = None
    code: CodeType | None = None


def arriving(line: Line) -> Upstream:
    """The true gradient that arrives at a line."""
    return lambda run: run.gradients[line.name]


def back(line: Line, tensor: str, use: int | None, altered: Alteration | None = None) -> Piece:
    """What flows back into one use of a tensor in one line.

    Args:
        line: the line.
        tensor: the tensor.
        use: which of its uses there, None for all of them.
        altered: what is done in a wrong way, if anything.
    """
    how = altered or Alteration((), arriving(line))
    name = tensor if use is None else PART
    code = how.code or (None if use is None else line.use(tensor, use))

    def work_out(run: Run) -> Tensor | None:
        changed = {} if how.change is None else how.change(run)
        values = {**run.values, PART: run.values[tensor], **changed}
        if tensor in changed:
            values[PART] = changed[tensor]
        upstream = None
        if how.upstream is not None:
            upstream = how.upstream(run)
            if upstream is None:
                return None
        share = line.back(values, name, upstream, code)
        return share if share is None or share.shape == run.values[tensor].shape else None

    return Piece(("back", line.name, tensor, use, *how.label), work_out)


def gradient(tensor: str) -> Piece:
    """The true gradient of a tensor."""
    return Piece(("gradient", tensor), lambda run: run.gradients.get(tensor))


def value(tensor: str) -> Piece:
    """A forward value."""

    def work_out(run: Run) -> Tensor | None:
        found = run.values[tensor]
        return found if isinstance(found, Tensor) and found.is_floating_point() else None

    return Piece(("value", tensor), work_out)


def parts(inquiry: Inquiry) -> tuple[Part, ...]:
    """The shares of a gradient, one for each place in the forward pass that uses the tensor."""
    return inquiry.once("parts", lambda: tuple(_parts(inquiry)))


def _parts(inquiry: Inquiry) -> Iterator[Part]:
    tensor = inquiry.tensor
    for line in inquiry.users:
        uses = line.uses(tensor)
        for use in range(uses):
            place = use if uses > 1 else None
            yield Part(back(line, tensor, place), line, tensor, place, (line,))


def routes(inquiry: Inquiry) -> tuple[Part, ...]:
    """The shares of a gradient, one for each way from the tensor to a gradient that the stub asked for.

    Returns:
        Nothing where there is one way only, too many, or no more than the lines that use the tensor.
    """
    return inquiry.once("routes", lambda: _routes(inquiry))


def _routes(inquiry: Inquiry) -> tuple[Part, ...]:
    found = list(_ways(inquiry, inquiry.tensor, ()))[: MOST_ROUTES + 1]
    if not 1 < len(found) <= MOST_ROUTES or all(len(way) == 1 for way in found):
        return ()
    return tuple(
        Part(
            _route(inquiry, way),
            _apart(inquiry, way, found),
            inquiry.tensor,
            None,
            tuple(inquiry.known.lines[name] for name in way),
        )
        for way in found
    )


def _ways(inquiry: Inquiry, tensor: str, behind: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    forward = inquiry.known.exercise.forward
    for step in forward.users(tensor):
        way = (*behind, step.name)
        restricted = inquiry.available <= {LOSS}
        goes_on = restricted or inquiry.asked & forward.descendants(step.name)
        if step.name == LOSS or step.name in inquiry.asked or not goes_on:
            yield way
        else:
            yield from _ways(inquiry, step.name, way)


def _apart(inquiry: Inquiry, way: Sequence[str], ways: Sequence[Sequence[str]]) -> Line:
    """The first line on a way that fewest of the other ways take."""
    shared = {name: sum(name in other for other in ways) for name in way}
    return inquiry.known.lines[min(way, key=lambda name: shared[name])]


def _route(inquiry: Inquiry, way: tuple[str, ...]) -> Piece:
    lines = [inquiry.known.lines[name] for name in way]
    tensors = [inquiry.tensor, *way[:-1]]

    def work_out(run: Run) -> Tensor | None:
        arrived: Tensor | None = run.gradients[way[-1]]
        for line, tensor in zip(reversed(lines), reversed(tensors), strict=True):
            if arrived is None:
                return None
            arrived = line.back(run.values, tensor, arrived)
        return arrived

    return Piece(("route", inquiry.tensor, *way), work_out)


def copies(line: Line, tensor: str, values: Values) -> int:
    """How many copies of each entry of a tensor the line makes by broadcasting; 1 where it makes none."""
    small, large = values[tensor].shape, values[line.name].shape
    padded = (1,) * (len(large) - len(small)) + tuple(small)
    if len(small) > len(large) or any(s not in (1, b) for s, b in zip(padded, large, strict=True)):
        return 1
    made = 1
    for size, wide in zip(padded, large, strict=True):
        made *= wide if size == 1 else 1
    return made
