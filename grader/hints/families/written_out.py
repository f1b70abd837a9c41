"""Answers that are right in the lecture's sizes alone: a size is written out as a number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import Tensor

from grader.checks.cases import LECTURE
from grader.checks.oracle import Run
from grader.course.forward import Values
from grader.hints.inquiry import Inquiry
from grader.hints.numbers import constant, written_out
from grader.hints.pieces import Alteration, Part, arriving, back, parts, routes
from grader.hints.text import case, hint
from grader.hints.weights import COARSE, fitted
from grader.scorecard.model import Hint, Outcome

ORDER = 40


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The lecture's case is right and fresh ones are not."""
    lecture = [verdict for check, verdict in inquiry.decisive if check.name == LECTURE]
    fresh = [verdict for check, verdict in inquiry.decisive if check.name.startswith("fresh")]
    if not lecture or not lecture[0].outcome.scores or all(verdict.outcome.scores for verdict in fresh):
        return
    if inquiry.outcome is Outcome.WRONG_VALUE:
        yield from _factors(inquiry, parts(inquiry))
        yield from _factors(inquiry, routes(inquiry))
        yield from _cut(inquiry)
    yield from _number_in_the_error(inquiry)
    if inquiry.outcome in (Outcome.ERROR, Outcome.WRONG_SHAPE):
        yield hint(
            "hard_coded_size",
            None,
            "A size that belongs to the lecture's case is written out as a number.",
            f"Your answer is right with the lecture's sizes, and {_became(inquiry)} with others.",
        )


def _became(inquiry: Inquiry) -> str:
    return "raises an error" if inquiry.outcome is Outcome.ERROR else "has the wrong shape"


def _factors(inquiry: Inquiry, shares: tuple[Part, ...]) -> Iterator[Hint]:
    """Every share is right, or off by a factor that is 1 in the lecture's sizes."""
    weights = fitted(inquiry, shares) if shares else None
    if weights is None:
        return
    lecture = dict(inquiry.sizes_in(inquiry.known.scene(LECTURE).values))
    terms, found = [], []
    for part, estimates in zip(shares, weights, strict=True):
        factor = constant(1.0, len(estimates))
        if any(e is not None and abs(e - 1) > COARSE for e in estimates):
            named = written_out(estimates, inquiry.sizes, lecture)
            if named is None:
                return
            factor, name, number = named
            found.append((part, name, number))
        terms.append((factor.values, part.piece))
    if found and inquiry.fits(terms):
        part, name, number = found[0]
        yield _size(inquiry, part, name, number)


def _size(inquiry: Inquiry, part: Part, name: str, number: float) -> Hint:
    view = next(view for view in inquiry.views if not view.right)
    return hint(
        "hard_coded_size",
        part.line,
        f"The number {number:g} is written out where `{name}`"
        " belongs: that is right with the lecture's sizes only.",
        f"With {number:g} in place of `{name}` your answer is explained {inquiry.everywhere};"
        f" {case(view.name)} is one where it is wrong.",
    )


def _cut(inquiry: Inquiry) -> Iterator[Hint]:
    """Only as many entries along a dimension come back as there are in the lecture's case."""
    sizes = inquiry.known.scene(LECTURE).values
    shares = parts(inquiry)
    for part in shares:
        whole = sizes[part.line.name]
        for dim, size in enumerate(whole.shape if isinstance(whole, Tensor) else ()):
            piece = back(part.line, inquiry.tensor, part.use, _first(part, dim, size))
            others = [other.piece for other in shares if other is not part]
            ones = (1.0,) * len(inquiry.views)
            if inquiry.fits([(ones, piece), *((ones, other) for other in others)]):
                yield hint(
                    "hard_coded_size",
                    part.line,
                    f"The number {size} is written out where `{part.line.name}.shape[{dim}]` belongs.",
                    f"Your answer is what the first {size} entries along"
                    f" dimension {dim} of `{part.line.name}` send back,"
                    f" {inquiry.everywhere}.",
                )
                return


def _first(part: Part, dim: int, size: int) -> Alteration:
    arrived = arriving(part.line)

    def upstream(run: Run) -> Tensor | None:
        gradient = arrived(run)
        if gradient is None or gradient.shape[dim] <= size:
            return gradient
        kept = gradient.clone()
        kept.narrow(dim, size, gradient.shape[dim] - size).zero_()
        return kept

    return Alteration(("first", str(dim), str(size)), upstream)


def _number_in_the_error(inquiry: Inquiry) -> Iterator[Hint]:
    """The error that a fresh case raised names a size that is the lecture's, and not that case's."""
    for check, verdict in inquiry.decisive:
        if verdict.outcome is not Outcome.ERROR or verdict.failure is None:
            continue
        values = inquiry.known.scene(LECTURE).oracle.case.values
        lecture = {**dict(inquiry.sizes_in(values)), **dict(_all_sizes(values))}
        here = {size for _, size in _all_sizes(inquiry.known.scene(check.name).oracle.case.values)}
        for number in map(float, re.findall(r"\d+", verdict.failure.message)):
            names = [name for name, size in lecture.items() if size == number]
            if names and number not in here:
                yield hint(
                    "hard_coded_size",
                    None,
                    f"The number {number:g} is written out where `{names[0]}` belongs:",
                    "that works with the lecture's sizes only.",
                    "Your answer is right in the lecture's case; the"
                    f" error in {case(check.name)} names {number:g}.",
                )
                return


def _all_sizes(values: Values) -> Iterator[tuple[str, float]]:
    """Every size there is in a case: plain numbers, the tensors' shapes, how many entries they have."""
    yield from ((name, value) for name, value in values.items() if isinstance(value, int))
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    for name, tensor in tensors.items():
        yield from ((f"{name}.shape[{dim}]", size) for dim, size in enumerate(tensor.shape))
    yield from ((f"{name}.numel()", tensor.numel()) for name, tensor in tensors.items())
