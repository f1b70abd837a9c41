"""Answers made of the right shares with the wrong weights: turned signs, factors, shares left out or doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grader.diagnose.lines import Line
from grader.diagnose.numbers import Factor, constant, understand
from grader.diagnose.pieces import Part, copies, parts, routes
from grader.diagnose.scene import Inquiry
from grader.diagnose.weights import COARSE, fitted, simple
from grader.diagnose.words import hint, kinds, listed, quoted
from grader.scorecard import Hint

ORDER = 50


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is a weighted sum of what flows back, with the same weights (as told by sizes) in every case."""
    if not inquiry.views:
        return
    for shares in (parts(inquiry), routes(inquiry)):
        if not shares:
            continue
        ones = len(inquiry.views)
        for pattern in simple(inquiry, shares):
            yield _told(inquiry, shares, [constant(weight, ones) for weight in pattern])
        factors = _factors(inquiry, shares)
        if factors is not None:
            yield _told(inquiry, shares, factors)


def _factors(inquiry: Inquiry, shares: Sequence[Part]) -> list[Factor] | None:
    weights = fitted(inquiry, shares)
    if weights is None:
        return None
    found = [_factor(inquiry, part, estimates) for part, estimates in zip(shares, weights, strict=True)]
    factors = [factor for factor in found if factor is not None]
    if len(factors) < len(found) or sum(not factor.named for factor in factors) > 1:
        return None
    if all(factor.constant == 1 for factor in factors):
        return None
    terms = [(factor.values, part.piece) for factor, part in zip(factors, shares, strict=True)]
    return factors if inquiry.fits(terms) else None


def _factor(inquiry: Inquiry, part: Part, estimates: Sequence[float | None]) -> Factor | None:
    """A share's weight, understood; 1 where no case says anything about it."""
    if all(e is None or abs(e) < COARSE for e in estimates) and any(e is not None for e in estimates):
        return constant(0.0, len(estimates))
    if all(e is None for e in estimates):
        return constant(1.0, len(estimates))
    return understand(estimates, inquiry.sizes, part.line.constants)


def _told(inquiry: Inquiry, shares: Sequence[Part], factors: Sequence[Factor]) -> Hint:
    if len({factor.values for factor in factors}) == 1:
        return _of_all(inquiry, shares, factors[0])
    left_out = [part for part, factor in zip(shares, factors, strict=True) if factor.constant == 0]
    there = [(part, factor) for part, factor in zip(shares, factors, strict=True) if factor.constant != 0]
    if left_out:
        return _left_out(inquiry, left_out, there)
    return _weighted(inquiry, there)


def _of_all(inquiry: Inquiry, shares: Sequence[Part], factor: Factor) -> Hint:
    """The whole answer is off by one factor."""
    line = _line(shares)
    equals = f"Your answer equals {factor.said} times the right one {_where(inquiry)}."
    if factor.constant == -1:
        return hint("sign", line, "Right but for its sign.", _only_random(inquiry), equals)
    if len(shares) == 1 and _is_mean(inquiry, shares[0], factor):
        return hint("mean_for_sum", line, *_mean(inquiry, shares[0]), equals)
    return hint(
        "scale", line, f"Right but for a factor {_looks(factor, shares)}.", _only_random(inquiry), equals
    )


def _left_out(inquiry: Inquiry, left_out: Sequence[Part], there: Sequence[tuple[Part, Factor]]) -> Hint:
    """Some shares are missing; those that are there may be off by a factor besides."""
    lines = list(dict.fromkeys(quoted(part.line) for part in left_out))
    other = "the other line" if len(lines) == 1 and len(there) == 1 else "a line"
    if left_out[0].use is not None and any(part.line == left_out[0].line for part, _ in there):
        missing = f"what flows back through another place in {lines[0]} that uses `{inquiry.tensor}`"
    elif len(lines) > 1:
        missing = f"what flows back through {listed(lines)}"
    elif len(left_out[0].route) > 1:
        missing = f"what flows back by way of {lines[0]}"
    else:
        missing = f"what flows back through {other} that uses `{inquiry.tensor}`: {lines[0]}"
    names, besides = ["missing_path"], ""
    factors = {factor.values: factor for _, factor in there}
    wrong = [factor for factor in factors.values() if factor.constant != 1]
    for factor in wrong:
        names.append("sign" if factor.constant == -1 else "scale")
        besides = (
            " The rest has its sign turned."
            if factor.constant == -1
            else f" The rest is off by a factor {factor.said}."
        )
    said = "Right but for" if not wrong else "It lacks"
    return hint(
        kinds(names),
        left_out[0].line,
        f"{said} {missing}.{besides}",
        _only_random(inquiry),
        f"Your answer equals {_sum(there)} {_where(inquiry)}.",
    )


def _weighted(inquiry: Inquiry, there: Sequence[tuple[Part, Factor]]) -> Hint:
    """Every share is there, some with the wrong weight."""
    wrong = [(part, factor) for part, factor in there if factor.constant != 1]
    names, sentences = [], []
    for part, factor in wrong:
        share = f"what flows back through {quoted(part.line)}"
        if factor.constant == -1:
            names.append("sign")
            sentences.append(f"The sign of {share} is turned.")
        elif factor.constant == 2:
            names.append("extra_path")
            sentences.append(f"It counts {share} twice.")
        elif _is_mean(inquiry, part, factor):
            names.append("mean_for_sum")
            sentences.append(f"It averages {share}, where it should add up.")
        else:
            names.append("scale")
            sentences.append(f"It takes {share} with a factor {_looks(factor, [part])} besides.")
    return hint(
        kinds(names),
        wrong[0][0].line,
        *dict.fromkeys(sentences),
        _only_random(inquiry),
        f"Your answer equals {_sum(there)} {_where(inquiry)}.",
    )


def _sum(there: Sequence[tuple[Part, Factor]]) -> str:
    """Shares and their weights in words."""
    if len(there) == 1 and there[0][1].constant == 1:
        return f"the share of `{there[0][0].line.step.source}` alone"
    terms = []
    for part, factor in there:
        by = "" if factor.constant == 1 else f"{factor.said} times "
        terms.append(f"{by}the share of `{part.line.name}`")
    return " plus ".join(terms)


def _looks(factor: Factor, shares: Sequence[Part]) -> str:
    """A factor and what it looks like."""
    value = factor.constant
    if value is not None:
        for part in shares:
            for written in part.line.constants:
                if written not in (0, 1, -1) and any(
                    abs(value * w - 1) < 1e-9 for w in (written, 1 / written)
                ):
                    return f"of {factor.said}: look at the {written:g} in {quoted(part.line)}"
    return f"of {factor.said}" if factor.named else f"of about {factor.said}"


def _is_mean(inquiry: Inquiry, part: Part, factor: Factor) -> bool:
    if len(part.route) > 1:
        return False
    made = [copies(part.line, inquiry.tensor, view.scene.values) for view in inquiry.views]
    return min(made) > 1 and all(abs(f * m - 1) < COARSE for f, m in zip(factor.values, made, strict=True))


def _mean(inquiry: Inquiry, part: Part) -> tuple[str, ...]:
    return (
        f"The mean is taken where the sum belongs: {quoted(part.line)} copies `{inquiry.tensor}`,"
        " and what the copies receive adds up.",
        _only_random(inquiry),
    )


def _line(shares: Sequence[Part]) -> Line | None:
    """The line of all the shares, if it is one."""
    lines = {part.line.name: part.line for part in shares}
    return next(iter(lines.values())) if len(lines) == 1 else None


def _where(inquiry: Inquiry) -> str:
    return "under random upstreams" if _sees_random_only(inquiry) else inquiry.everywhere


def _sees_random_only(inquiry: Inquiry) -> bool:
    return all(view.right for view in inquiry.views if not view.is_random)


def _only_random(inquiry: Inquiry) -> str:
    return (
        "It does not show in this loss, but it does with other upstreams."
        if _sees_random_only(inquiry)
        else ""
    )
