"""What a factor looks like: a constant, or a relation to sizes that holds in every case."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

NEAR = 2e-4
"""How near, relatively, an estimated factor must come to a named one; the exact check follows."""

LARGEST = 12
"""Constants are told as whole numbers up to this, or as one over them."""

PLAIN = (1.0, -1.0, 0.0, 2.0, 0.5, -2.0, -0.5)
WHOLE = tuple(sign * value for k in range(3, LARGEST + 1) for value in (float(k), 1 / k) for sign in (1, -1))

_Relation = Callable[[float], float]

Sizes = Mapping[str, float]
"""Sizes by the words a student would write, such as ``n`` or ``counts.shape[1]``."""


@dataclass(frozen=True)
class Factor:
    """A factor that has been understood.

    Args:
        said: as one would write it, such as ``1 / n``.
        values: its value in each case.
        named: whether it is a whole number, one over it, or a relation to sizes; else just some constant.
        written: the constant of the forward line that it is, or is one over, if it is one.
    """

    said: str
    values: tuple[float, ...]
    named: bool = True
    written: float | None = None

    @property
    def constant(self) -> float | None:
        """Its value where that is the same in all cases."""
        return self.values[0] if len(set(self.values)) == 1 else None

    @property
    def turns(self) -> bool:
        """Whether it flips the sign, and not just because a constant of the line does."""
        return self.written is None and all(value < 0 for value in self.values)

    @property
    def upright(self) -> Factor:
        """The same factor without its sign."""
        if not self.turns:
            return self
        return Factor(self.said.removeprefix("-"), tuple(-value for value in self.values), self.named)


def constant(value: float, cases: int) -> Factor:
    """A factor that is the same in all cases."""
    return Factor(said(value), (value,) * cases)


def said(value: float) -> str:
    """A constant in words a student knows: ``-2``, ``1/3``, ``0.434``."""
    fraction = Fraction(value).limit_denominator(LARGEST)
    if math.isclose(float(fraction), value, rel_tol=1e-9) and abs(value) < 1000:
        return str(fraction)
    return f"{value:.4g}"


def understand(
    estimates: Sequence[float | None],
    sizes: Sequence[Sizes],
    special: Sequence[float] = (),
) -> Factor | None:
    """The factor behind an estimate for each case, the simplest first.

    Args:
        estimates: what was measured; None in cases that say nothing about it.
        sizes: each case's sizes, under the same names.
        special: constants to look for, such as those written in a forward line.

    Returns:
        None where no single relation holds in all the cases, or too few of them say anything.
    """
    told = [(e, s) for e, s in zip(estimates, sizes, strict=True) if e is not None]
    if not told or not all(math.isfinite(e) for e, _ in told):
        return None
    values = [e for e, _ in told]
    for value in PLAIN[:3]:
        if all(_near(e, value) for e in values):
            return constant(value, len(sizes))
    for written in special:
        for value in (written, 1 / written, -written, -1 / written) if written else ():
            if all(_near(e, value) for e in values):
                return Factor(said(value), (value,) * len(sizes), written=written)
    for value in PLAIN[3:]:
        if all(_near(e, value) for e in values):
            return constant(value, len(sizes))
    # One case alone cannot tell a constant from a size, nor one relation to several sizes from another.
    alone = len(values) == 1
    for value in () if alone else WHOLE:
        if all(_near(e, value) for e in values):
            return constant(value, len(sizes))
    at = next(index for index, estimate in enumerate(estimates) if estimate is not None)
    for words, relation in _relations(tuple(tuple(s.items()) for s in sizes), alone):
        # One look tells most of these apart, of which there are a thousand.
        if _near(values[0], relation[at]) and all(
            e is None or _near(e, r) for e, r in zip(estimates, relation, strict=True)
        ):
            return Factor(words, relation)
    if len(values) > 2 and (found := _over_a_number(values, [s for _, s in told], sizes)) is not None:
        return found
    middle = sorted(values)[len(values) // 2]
    if len(values) > 1 and all(_near(e, middle) for e in values):
        return Factor(said(middle), (middle,) * len(sizes), named=False)
    return None


def _near(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= NEAR * max(abs(wanted), 1e-3)


def _over_a_number(values: Sequence[float], told: Sequence[Sizes], sizes: Sequence[Sizes]) -> Factor | None:
    """A relation to a size, over (or times) a number that is itself a size of the first case."""
    numbers = {size + shift for size in told[0].values() for shift in (0, -1)}
    for name in told[0]:
        for words, relation in _of_one(name):
            if any(s[name] < 2 for s in sizes):
                break
            ratio = values[0] / relation(told[0][name])
            if not all(_near(v, ratio * relation(s[name])) for v, s in zip(values, told, strict=True)):
                continue
            for number in numbers:
                if number > 1 and (_near(ratio, 1 / number) or _near(ratio, number)):
                    exact, sign = (number, "*") if _near(ratio, number) else (1 / number, "/")
                    return Factor(
                        f"{words} {sign} {number:g}", tuple(exact * relation(s[name]) for s in sizes)
                    )
    return None


@lru_cache(maxsize=64)
def _relations(
    told: tuple[tuple[tuple[str, float], ...], ...], alone: bool
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Relations to sizes, the simplest first; ``alone`` keeps to a size and one over it."""
    return tuple((words, tuple(values)) for words, values in _related(list(map(dict, told)), alone))


def _related(sizes: Sequence[Sizes], alone: bool) -> Iterator[tuple[str, list[float]]]:
    # Sizes that are alike in all cases are one; the first of their names is the plainest.
    unlike: dict[tuple[float, ...], str] = {}
    for name in sizes[0]:
        unlike.setdefault(tuple(s[name] for s in sizes), name)
    names = [name for values, name in unlike.items() if min(values) > 1]
    first = [(words, [value(s[name]) for s in sizes]) for name in names for words, value in _of_one(name)]
    if alone:
        simple = [pair for name in names for pair in first if pair[0] in (name, f"1 / {name}")]
        yield from simple
        yield from ((f"-{_bracketed(words)}", [-value for value in values]) for words, values in simple)
        return
    second = [
        pair
        for i, one in enumerate(names)
        for two in names[i + 1 :]
        for pair in (
            (f"{one} * {two}", [s[one] * s[two] for s in sizes]),
            (f"1 / ({one} * {two})", [1 / (s[one] * s[two]) for s in sizes]),
            (f"{one} / {two}", [s[one] / s[two] for s in sizes]),
            (f"{two} / {one}", [s[two] / s[one] for s in sizes]),
        )
    ]
    for times, before in (
        (1.0, ""),
        (-1.0, "-"),
        (2.0, "2 * "),
        (0.5, "1/2 * "),
        (-2.0, "-2 * "),
        (-0.5, "-1/2 * "),
    ):
        for words, values in first + second:
            yield before + (_bracketed(words) if before else words), [times * value for value in values]


def _bracketed(words: str) -> str:
    return f"({words})" if " " in words and not words.startswith("(") else words


def _of_one(name: str) -> Iterator[tuple[str, _Relation]]:
    yield name, lambda a: a
    yield f"1 / {name}", lambda a: 1 / a
    yield f"({name} - 1)", lambda a: a - 1
    yield f"1 / ({name} - 1)", lambda a: 1 / (a - 1)
    yield f"{name} / ({name} - 1)", lambda a: a / (a - 1)
    yield f"({name} - 1) / {name}", lambda a: (a - 1) / a
    yield f"{name}**0.5", lambda a: a**0.5
    yield f"1 / {name}**0.5", lambda a: a**-0.5
    yield f"({name} - 1)**2", lambda a: (a - 1) ** 2
    yield f"1 / ({name} - 1)**2", lambda a: (a - 1) ** -2
    yield f"({name} / ({name} - 1))**2", lambda a: (a / (a - 1)) ** 2
    yield f"(({name} - 1) / {name})**2", lambda a: ((a - 1) / a) ** 2
    yield f"{name} * ({name} - 1)", lambda a: a * (a - 1)
    yield f"1 / ({name} * ({name} - 1))", lambda a: 1 / (a * (a - 1))
    yield f"{name}**2", lambda a: a**2
    yield f"1 / {name}**2", lambda a: a**-2


def written_out(
    estimates: Sequence[float | None], sizes: Sequence[Sizes], lecture: Sizes
) -> tuple[Factor, str, float] | None:
    """A factor that is a size written out as the number it has in the lecture's case.

    Returns:
        The factor, the size's name and the number that stands in its place.
    """
    for name in lecture:
        for shift in (0, -1):
            number = lecture[name] + shift
            if number <= 1 or any(s[name] + shift < 1 for s in sizes):
                continue
            label = name if not shift else f"{name} - 1"
            for power in (1, -1, 0.5, -0.5):
                values = tuple((number / (s[name] + shift)) ** power for s in sizes)
                if all(e is None or _near(e, v) for e, v in zip(estimates, values, strict=True)):
                    return Factor(f"({number:g} / ({label}))**{power}", values), label, number
    return None
