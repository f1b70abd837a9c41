"""Answers made of the right shares with wrong weights: wrong signs, factors, shares left out or doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from grader.hints.inquiry import Inquiry
from grader.hints.lines import Line
from grader.hints.numbers import Factor, constant, understand
from grader.hints.pieces import Part, copies, parts
from grader.hints.text import hint, kinds, listed, quoted
from grader.hints.weights import COARSE, fitted, simple
from grader.scorecard.model import Hint

ORDER = 50


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is a weighted sum of what flows back through each line that uses the tensor."""
    if inquiry.views:
        yield from weighted(inquiry, parts(inquiry))


def weighted(inquiry: Inquiry, shares: Sequence[Part]) -> Iterator[Hint]:
    """The hints where an answer is a weighted sum of shares, the weights told by sizes alike in all cases."""
    cases = len(inquiry.views)
    for pattern in simple(inquiry, shares):
        yield _told(inquiry, shares, [constant(weight, cases) for weight in pattern])
    factors = _factors(inquiry, shares)
    if factors is not None:
        yield _told(inquiry, shares, factors)


def _factors(inquiry: Inquiry, shares: Sequence[Part]) -> list[Factor] | None:
    weights = fitted(inquiry, shares)
    if weights is None:
        return None
    found = [_factor(inquiry, part, estimates) for part, estimates in zip(shares, weights, strict=True)]
    factors = _completed([factor for factor in found if factor is not None], weights)
    if len(factors) < len(found) or sum(not factor.named for factor in factors) > 1:
        return None
    if all(factor.constant == 1 for factor in factors):
        return None
    terms = [(factor.values, part.piece) for factor, part in zip(factors, shares, strict=True)]
    return factors if inquiry.fits(terms) else None


def _completed(factors: list[Factor], weights: Sequence[Sequence[float | None]]) -> list[Factor]:
    """The factors, and for shares that no case says anything about that of all the others, if they share one."""
    silent = [all(estimate is None for estimate in estimates) for estimates in weights]
    told = {
        factor.values: factor for factor, is_silent in zip(factors, silent, strict=False) if not is_silent
    }
    if len(told) != 1 or len(factors) < len(silent):
        return factors
    (common,) = told.values()
    return [common if is_silent else factor for factor, is_silent in zip(factors, silent, strict=True)]


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
    told = [p for p in shares if not all(view.scene.vanishes(p.piece) for view in inquiry.views)]
    line = _line(told or shares)
    equals = f"Your answer equals {factor.said} times the right one {_where(inquiry)}."
    if factor.constant == -1:
        return hint("sign", line, "Right but for its sign.", _only_random(inquiry), equals)
    names = ["sign"] if factor.turns else []
    turned = " and its sign" if factor.turns else ""
    if len(shares) == 1 and _is_mean(inquiry, shares[0], factor.upright):
        return hint(kinds([*names, "mean_for_sum"]), line, *_mean(inquiry, shares[0]), equals)
    sentence = f"Right but for a factor of {_looks(factor.upright, shares)}{turned}."
    return hint(kinds([*names, "scale"]), line, sentence, _only_random(inquiry), equals)


def _left_out(inquiry: Inquiry, left_out: Sequence[Part], there: Sequence[tuple[Part, Factor]]) -> Hint:
    """Some shares are missing; those that are there may be off by a factor besides."""
    names, besides = ["missing_path"], []
    alike = len({factor.values for _, factor in there}) == 1
    for part, factor in there:
        if not alike and factor.constant != 1:
            kind, sentence = _misweighted(inquiry, part, factor)
            names += kind
            besides.append(sentence)
            continue
        if factor.turns:
            names.append("sign")
            besides.append("The rest has the wrong sign.")
        if factor.upright.constant != 1:
            names.append("scale")
            besides.append(f"The rest is off by a factor of {_looks(factor.upright, [part])}.")
    said = "Your answer lacks" if besides else "Right, except that it lacks"
    return hint(
        kinds(names),
        _lines_apart(left_out, there)[0],
        f"{said} {_missing(inquiry, left_out, there)}.",
        *dict.fromkeys(besides),
        _only_random(inquiry),
        f"Your answer equals {_sum(there)} {_where(inquiry)}.",
    )


def _lines_apart(left_out: Sequence[Part], there: Sequence[tuple[Part, Factor]]) -> list[Line]:
    """The lines that only what is missing flows through; of longer ways the first such line."""
    taken = {name for part, _ in there for name in part.route}
    found = []
    for part in left_out:
        alone = [line for line in part.lines if line.name not in taken]
        found.append(alone[0] if alone else _turning(part, there))
    return list({line.name: line for line in found}.values())


def _turning(part: Part, there: Sequence[tuple[Part, Factor]]) -> Line:
    """The line at which a way leaves all others that go through the same lines."""
    taken = {step for other, _ in there for step in pairwise((other.tensor, *other.route))}
    steps = pairwise((part.tensor, *part.route))
    own = [line for line, step in zip(part.lines, steps, strict=True) if step not in taken]
    return own[0] if own else part.line


def _missing(inquiry: Inquiry, left_out: Sequence[Part], there: Sequence[tuple[Part, Factor]]) -> str:
    """What is missing, by the lines it flows through."""
    lines = _lines_apart(left_out, there)
    what = listed(quoted(line) for line in lines)
    if len(left_out[0].route) > 1 or len(lines) > 1:
        return f"what flows back through {what}"
    if any(part.line == lines[0] for part, _ in there):
        return f"what flows back through another place in {what} that uses `{inquiry.tensor}`"
    other = "the other line that uses" if len(there) == 1 else "one of the lines that use"
    return f"what flows back through {other} `{inquiry.tensor}`: {what}"


def _weighted(inquiry: Inquiry, there: Sequence[tuple[Part, Factor]]) -> Hint:
    """Every share is there, some with the wrong weight."""
    wrong = [(part, factor) for part, factor in there if factor.constant != 1]
    names: list[str] = []
    sentences: list[str] = []
    for part, factor in wrong:
        kind, sentence = _misweighted(inquiry, part, factor)
        names += kind
        sentences.append(sentence)
    return hint(
        kinds(names),
        wrong[0][0].line,
        *dict.fromkeys(sentences),
        _only_random(inquiry),
        f"Your answer equals {_sum(there)} {_where(inquiry)}.",
    )


def _misweighted(inquiry: Inquiry, part: Part, factor: Factor) -> tuple[list[str], str]:
    """The kinds and the sentence for one share of the wrong weight."""
    share = f"flows back through {quoted(part.line)}"
    if factor.constant == -1:
        return ["sign"], f"What {share} has the wrong sign."
    if factor.constant == 2:
        return ["extra_path"], f"It counts what {share} twice."
    turned = ["sign"] if factor.turns else []
    if _is_mean(inquiry, part, factor.upright):
        return [*turned, "mean_for_sum"], f"It averages what {share}, which should add up."
    also = " and has the wrong sign" if turned else ""
    return [*turned, "scale"], f"What {share} is off by a factor of {_looks(factor.upright, [part])}{also}."


def _sum(there: Sequence[tuple[Part, Factor]]) -> str:
    """Shares and their weights in words."""
    if len(there) == 1 and there[0][1].constant == 1:
        return f"the share of `{there[0][0].line.step.source}` alone"
    if len({part.line.name for part, _ in there}) < len(there) or any(
        len(part.route) > 1 for part, _ in there
    ):
        return f"the sum of {len(there)} paths back, each as described,"
    terms = []
    for part, factor in there:
        by = "" if factor.constant == 1 else f"{factor.said} times "
        terms.append(f"{by}the share of `{part.line.name}`")
    return " plus ".join(terms)


def _looks(factor: Factor, shares: Sequence[Part]) -> str:
    """A factor and what it looks like."""
    said = factor.said if factor.named else f"about {factor.said}"
    for part in shares:
        if factor.written is not None and factor.written in part.line.constants:
            return f"{said} (see the {factor.written:g} in {quoted(part.line)})"
    return said


def _is_mean(inquiry: Inquiry, part: Part, factor: Factor) -> bool:
    if len(part.route) > 1:
        return False
    made = [copies(part.line, inquiry.tensor, view.scene.values) for view in inquiry.views]
    return min(made) > 1 and all(abs(f * m - 1) < COARSE for f, m in zip(factor.values, made, strict=True))


def _mean(inquiry: Inquiry, part: Part) -> tuple[str, ...]:
    return (
        f"The mean is taken where the sum belongs: {quoted(part.line)} copies `{inquiry.tensor}`,"
        " so the gradients of the copies add up.",
        _only_random(inquiry),
    )


def _line(shares: Sequence[Part]) -> Line | None:
    """The line of all the shares, if it is one."""
    lines = {part.line.name: part.line for part in shares}
    return next(iter(lines.values())) if len(lines) == 1 else None


def _where(inquiry: Inquiry) -> str:
    return "under random upstream gradients" if _sees_random_only(inquiry) else inquiry.everywhere


def _sees_random_only(inquiry: Inquiry) -> bool:
    return all(view.right for view in inquiry.views if not view.is_random)


def _only_random(inquiry: Inquiry) -> str:
    return (
        "It does not show with this loss, but it does with other upstream gradients."
        if _sees_random_only(inquiry)
        else ""
    )
