"""Answers of the wrong shape: what the shape says, in every case in which it came back.

A shape alone does not tell what the numbers are. Where it can be mended, whoever asks looks at the mended answer
in turn; where something was summed along other dimensions than it should be, the numbers are compared here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations

from torch import Tensor

from grader.checks.oracle import Run
from grader.course.forward import Values
from grader.hints import text
from grader.hints.inquiry import Inquiry, Piece, Scene
from grader.hints.lines import PART, Line
from grader.hints.numbers import Factor, Sizes, understand
from grader.hints.pieces import arriving
from grader.hints.text import Flaw, Mend, hint, kinds, quoted
from grader.hints.weights import COARSE
from grader.scorecard.model import Outcome

ORDER = 20

LARGEST_RANK = 4

Shape = tuple[int, ...]


def explain(inquiry: Inquiry) -> Iterator[Flaw]:
    """The answer's shape is that of a known mistake in all the cases, or at least not the tensor's."""
    if inquiry.outcome is not Outcome.WRONG_SHAPE:
        return
    cases = tuple(_cases(inquiry))
    yield from _keepdim(inquiry, cases)
    for line in inquiry.users:
        yield from _summed(inquiry, cases, line)
    yield from _outer(inquiry, cases)
    yield from _transposed(inquiry, cases)
    yield from _of_another(inquiry, cases)
    yield _other(inquiry, cases)
    # Last, for only the numbers tell: alone it is never said.
    yield from _crossed(inquiry, cases)


@dataclass(frozen=True)
class Case:
    """One case with a wrong shape.

    Args:
        name: its name.
        scene: what is true in it.
        found: the shape found.
        expected: the shape expected.
        values: the forward values.
        answer: the answer as it came, in float64; None where there were too many numbers to send.
        tolerance: how far it might have been off.
    """

    name: str
    scene: Scene
    found: Shape
    expected: Shape
    values: Values
    answer: Tensor | None

    def shape(self, name: str) -> Shape:
        """The shape of a forward value, () of a number."""
        value = self.values[name]
        return tuple(value.shape) if isinstance(value, Tensor) else ()


def _cases(inquiry: Inquiry) -> Iterator[Case]:
    for check, verdict in inquiry.decisive:
        if verdict.outcome is Outcome.WRONG_SHAPE and verdict.found_shape is not None:
            scene = inquiry.scene_of(check)
            answer = None if verdict.misshapen is None else verdict.misshapen.double()
            expected = tuple(check.expected.precise.shape)
            yield Case(check.name, scene, verdict.found_shape, expected, scene.values, answer)


Cases = tuple[Case, ...]


def _keepdim(inquiry: Inquiry, cases: Cases) -> Iterator[Flaw]:
    if all(
        1 in case.expected
        and _squeezed(case.found) == _squeezed(case.expected)
        and len(case.found) < len(case.expected)
        for case in cases
    ):
        said = f"A dimension of size 1 is missing: `{inquiry.tensor}` has it, so its gradient has it as well."
        yield Flaw(hint("keepdim", _only(inquiry), said, _evidence(inquiry, cases)), Tensor.reshape)


def _summed(inquiry: Inquiry, cases: Cases, line: Line) -> Iterator[Flaw]:
    """What the line broadcasts is summed over the dimensions it was copied along, and over no others."""
    wanted = _copied(cases[0].expected, cases[0].shape(line.name))
    if wanted is None or any(_copied(case.expected, case.shape(line.name)) != wanted for case in cases):
        return
    # A single number may come from anywhere.
    if any(not _squeezed(case.found) for case in cases):
        return
    rank = len(cases[0].shape(line.name))
    for count in range(rank + 1):
        for dims in combinations(range(rank), count):
            if dims != wanted and all(
                _squeezed(case.found) == _without(case.shape(line.name), dims) for case in cases
            ):
                yield from _told(inquiry, cases, line, frozenset(wanted), frozenset(dims))
                return


def _told(
    inquiry: Inquiry, cases: Cases, line: Line, wanted: frozenset[int], dims: frozenset[int]
) -> Iterator[Flaw]:
    evidence = _evidence(inquiry, cases)
    if dims < wanted:
        sentence = (
            f"{quoted(line)} copies `{inquiry.tensor}` along"
            f" {_dims(wanted)}, so the gradients of the copies add up."
        )
        if dims:
            sentence += f" Your answer has the shape of a sum over {_dims(dims)} only."
        mend = partial(_sum_over, wanted - dims, len(cases[0].shape(line.name)), len(dims))
        yield Flaw(hint("missing_sum", line, sentence, evidence), mend)
    elif not wanted:
        sentence = (
            f"Each entry of `{inquiry.tensor}` has a gradient of"
            f" its own in {quoted(line)}: nothing is summed there."
        )
        yield Flaw(hint("wrong_shape", line, sentence, evidence))
    else:
        sentence = (
            f"Your answer has the shape of a sum over {_dims(dims)}."
            f" Look at the dimensions along which {quoted(line)} copies `{inquiry.tensor}`."
        )
        names, besides = _besides(inquiry, cases, line, dims)
        yield Flaw(hint(kinds(["wrong_dim", *names]), line, sentence, besides, evidence))


def _sum_over(dims: frozenset[int], rank: int, summed: int, answer: Tensor, shape: Shape) -> Tensor | None:
    """An answer summed over what it was not: dimensions of the line's shape, of which some are summed already."""
    if answer.dim() == rank:
        return answer.sum(sorted(dims)).reshape(shape)
    if not summed and answer.dim() < rank:  # leading ones are missing
        return answer[(None,) * (rank - answer.dim())].sum(sorted(dims)).reshape(shape)
    return answer.sum_to_size(shape) if answer.dim() >= len(shape) and _sums_to(answer, shape) else None


def _sums_to(answer: Tensor, shape: Shape) -> bool:
    return all(want in (1, have) for have, want in zip(answer.shape[::-1], shape[::-1], strict=False))


def _besides(inquiry: Inquiry, cases: Cases, line: Line, dims: frozenset[int]) -> tuple[tuple[str, ...], str]:
    """What else is wrong with an answer that was summed over the wrong dimensions, by its numbers."""
    factor = (
        _factor(inquiry, cases, _copies_sum(line, inquiry.tensor, dims))
        if line.uses(inquiry.tensor) == 1
        else None
    )
    if factor is None or factor.constant == 1:
        return (), ""
    turned = ("sign",) if factor.turns else ()
    counts = [math.prod(case.shape(line.name)[dim] for dim in dims) for case in cases]
    if all(abs(f * c - 1) < COARSE for f, c in zip(factor.upright.values, counts, strict=True)):
        return (*turned, "mean_for_sum"), "It also takes the mean where a sum belongs."
    if factor.upright.constant == 1:
        return turned, "The sign is wrong as well."
    return (*turned, "scale"), f"It is also off by a factor of {factor.said}."


def _copies_sum(line: Line, tensor: str, dims: frozenset[int]) -> Piece:
    """What each of the copies that a line makes of a tensor receives, summed over some dimensions."""

    def work_out(run: Run) -> Tensor | None:
        copies = run.values[tensor].expand_as(run.values[line.name])
        share = line.back({**run.values, PART: copies}, PART, arriving(line)(run), line.use(tensor, 0))
        return None if share is None else share.sum(sorted(dims))

    return Piece(("copies", line.name, tensor, dims), work_out)


def _factor(inquiry: Inquiry, cases: Cases, piece: Piece) -> Factor | None:
    """The factor by which the answers are a piece, None where they are not."""
    estimates: list[float | None] = []
    sizes: list[Sizes] = []
    for case in cases:
        tensor = case.scene.get(piece)
        if tensor is None or case.answer is None or tensor.numel() != case.answer.numel():
            return None
        square = float((tensor * tensor).sum())
        estimates.append(float(tensor.flatten() @ case.answer.flatten()) / square if square else None)
        sizes.append(dict(inquiry.sizes_in(case.values)))
    factor = understand(estimates, sizes)
    if factor is None or not factor.named:
        return None
    for case, value in zip(cases, factor.values, strict=True):
        expected = case.scene.mixed([(value, piece)])
        if (
            expected is None
            or case.answer is None
            or not expected.admits(case.answer.reshape(expected.precise.shape))
        ):
            return None
    return factor


def _outer(inquiry: Inquiry, cases: Cases) -> Iterator[Flaw]:
    """One gradient for each row, not summed: the tensor's shape at the end of a larger one."""
    extra = {len(case.found) - len(case.expected) for case in cases}
    for line in inquiry.users:
        if min(extra) > 0 and all(
            case.found[-len(case.expected) :] == case.expected
            and case.found[: len(case.found) - len(case.expected)]
            == case.shape(line.name)[: len(case.found) - len(case.expected)]
            for case in cases
        ):
            said = (
                f"This is one gradient for each row: every row of {quoted(line)}"
                f" uses the same `{inquiry.tensor}`, so their gradients add up."
            )
            mend: Mend = Tensor.sum_to_size
            yield Flaw(hint("missing_sum", line, said, _evidence(inquiry, cases)), mend)


def _transposed(inquiry: Inquiry, cases: Cases) -> Iterator[Flaw]:
    if any(sorted(case.found) != sorted(case.expected) for case in cases):
        return
    said = f"The dimensions of `{inquiry.tensor}` are swapped in your answer."
    told = hint("transposed", _only(inquiry), said, _evidence(inquiry, cases))
    rank = len(cases[0].found)
    orders = list(permutations(range(rank)))[1:] if rank <= LARGEST_RANK else []
    yield from (Flaw(told, partial(_permuted, order)) for order in orders)
    yield Flaw(told)


def _permuted(order: Shape, answer: Tensor, shape: Shape) -> Tensor | None:
    return answer.permute(order) if answer.dim() == len(order) else None


def _crossed(inquiry: Inquiry, cases: Cases) -> Iterator[Flaw]:
    """A column met a row: every entry of the one with every entry of the other, where each has its own."""
    if all(
        case.answer is not None
        and case.answer.dim() == 2
        and case.found == (math.prod(case.expected),) * 2
        and max(case.expected, default=1) == case.found[0]
        and _is_crossed(case.answer)
        for case in cases
    ):
        said = (
            "One operand has lost a dimension of size 1 that the other has kept:"
            " a row and a column broadcast against each other."
        )
        yield Flaw(hint("keepdim", _only(inquiry), said, _evidence(inquiry, cases)), _diagonal)


def _is_crossed(answer: Tensor) -> bool:
    """Whether a square is a column times a row, or a column plus a row."""
    largest = answer.abs().max()
    row, column = divmod(int(answer.abs().argmax()), answer.shape[1])
    times = answer[:, column, None] * answer[row] / answer[row, column]
    plus = answer[:, column, None] + answer[row] - answer[row, column]
    return any(bool((made - answer).abs().max() <= COARSE * largest) for made in (times, plus))


def _diagonal(answer: Tensor, shape: Shape) -> Tensor | None:
    return answer.diagonal().reshape(shape)


def _of_another(inquiry: Inquiry, cases: Cases) -> Iterator[Flaw]:
    """The shape of another forward value, which the numbers were left in."""
    near = [line.name for line in inquiry.users]
    if inquiry.tensor in inquiry.known.lines:
        near += inquiry.known.lines[inquiry.tensor].step.uses
    names = [*near, *(name for name in inquiry.known.exercise.forward.names if name not in near)]
    for name in names:
        if all(isinstance(case.values[name], Tensor) and case.shape(name) == case.found for case in cases):
            said = (
                f"Your answer has the shape of `{name}`; a gradient has"
                f" the shape of its own tensor, here `{inquiry.tensor}`."
            )
            yield Flaw(hint("wrong_shape", _only(inquiry), said, _evidence(inquiry, cases)), _reshaped)
            return


def _other(inquiry: Inquiry, cases: Cases) -> Flaw:
    if all(not _squeezed(case.found) for case in cases):
        said = f"Your answer is a single number; each entry of `{inquiry.tensor}` has a gradient of its own."
    else:
        said = f"A gradient has the shape of its own tensor, here `{inquiry.tensor}`."
    return Flaw(hint("wrong_shape", _only(inquiry), said, _evidence(inquiry, cases)), _reshaped)


def _reshaped(answer: Tensor, shape: Shape) -> Tensor | None:
    return answer.reshape(shape) if answer.numel() == math.prod(shape) else None


def _only(inquiry: Inquiry) -> Line | None:
    return inquiry.users[0] if len(inquiry.users) == 1 else None


def _evidence(inquiry: Inquiry, cases: Cases) -> str:
    first = cases[0]
    shapes = f"your answer has the shape {first.found}, `{inquiry.tensor}` has {first.expected}"
    return f"In {text.case(first.name)}, {shapes}."


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _without(shape: Shape, dims: tuple[int, ...]) -> Shape:
    return _squeezed(tuple(size for dim, size in enumerate(shape) if dim not in dims))


def _copied(small: Shape, large: Shape) -> tuple[int, ...] | None:
    """The dimensions along which broadcasting copies, or None where the shapes do not broadcast."""
    padded = (1,) * (len(large) - len(small)) + small
    if len(small) > len(large) or any(s not in (1, b) for s, b in zip(padded, large, strict=True)):
        return None
    return tuple(dim for dim, (s, b) in enumerate(zip(padded, large, strict=True)) if s != b)


def _dims(dims: frozenset[int]) -> str:
    return f"dimension{'s' if len(dims) > 1 else ''} {' and '.join(map(str, sorted(dims)))}"
