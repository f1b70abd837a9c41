"""A class's gradebook as data: who got what, what is hard, and what goes wrong most often.

Made of scorecards and nothing else. Of each, the little that a gradebook shows is kept in an :class:`Entry`,
so that a class of thousands needs no more memory than its table does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from grader.scorecard.model import Gradient, Outcome, Scorecard

T = TypeVar("T")

BINS = 10
"""Bars of the distribution of scores."""


@dataclass(frozen=True)
class Column:
    """One gradient of one exercise."""

    exercise: str
    title: str
    gradient: str


@dataclass(frozen=True)
class Mistake:
    """A kind of hint, and the line of the forward pass it is about."""

    kind: str
    forward_line: str | None


@dataclass(frozen=True)
class Mark:
    """The outcome of one gradient, and where it stands in the scorecard's page."""

    outcome: Outcome
    mistake: Mistake | None
    anchor: str


@dataclass(frozen=True)
class Entry:
    """One submission as a gradebook knows it; ``score`` is None where the grader failed on it."""

    name: str
    score: float | None
    max_score: float
    exercises: tuple[tuple[str, float, float], ...]
    marks: Mapping[Column, Mark] = field(hash=False)

    @classmethod
    def of(cls, card: Scorecard) -> Entry:
        """What a gradebook keeps of a scorecard."""
        return cls(
            name=card.submission.name,
            score=None if card.at_fault else card.score,
            max_score=card.max_score,
            exercises=tuple((e.id, e.score, e.max_score) for e in card.exercises),
            marks={
                Column(exercise.id, exercise.title, gradient.name): _mark(gradient, f"e{i}g{j}")
                for i, exercise in enumerate(card.exercises, 1)
                for j, gradient in enumerate(exercise.gradients, 1)
            },
        )

    @property
    def perfect(self) -> bool:
        """Whether every point was earned."""
        return bool(self.marks) and all(mark.outcome.scores for mark in self.marks.values())

    @property
    def share(self) -> float | None:
        """The share of the points that was earned, None where there is no score or nothing to earn."""
        return None if self.score is None or not self.max_score else self.score / self.max_score


@dataclass(frozen=True)
class Student:
    """A person on a roster."""

    id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class GradebookRow:
    """One row of a gradebook: a person, a submission, or both.

    ``page`` is the scorecard's page, relative to the gradebook, None for who handed in nothing.
    """

    student: Student | None
    entry: Entry | None
    page: str | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """What the row is called: the person's name, else what the submission is called."""
        if self.student is not None:
            return self.student.name or self.student.id or self.student.email
        return self.entry.name if self.entry is not None else ""


@dataclass(frozen=True)
class Hardness:
    """How a class fared with one gradient: who handed in, who got it right, and every outcome's count."""

    column: Column
    asked: int
    right: int
    outcomes: Mapping[Outcome, int] = field(hash=False)

    @property
    def share(self) -> float:
        """The share of those who handed in that got it right."""
        return self.right / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Frequency:
    """A mistake, the gradients it was made in, and how many students made it."""

    mistake: Mistake
    gradients: tuple[str, ...]
    students: int


@dataclass(frozen=True)
class Book:
    """A class's gradebook."""

    lines: tuple[GradebookRow, ...]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The submissions in it, each once."""
        return tuple({line.entry.name: line.entry for line in self.lines if line.entry is not None}.values())

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every gradient that any submission was asked for, in the order of the exercises."""
        found = dict.fromkeys(column for entry in self.entries for column in entry.marks)
        exercises = list(dict.fromkeys(column.exercise for column in found))
        return tuple(sorted(found, key=lambda column: exercises.index(column.exercise)))

    @cached_property
    def exercises(self) -> tuple[str, ...]:
        """The ids of the exercises, in order."""
        return tuple(dict.fromkeys(column.exercise for column in self.columns))

    @cached_property
    def hardest(self) -> tuple[Hardness, ...]:
        """Every gradient, the one that the fewest got right first."""
        return tuple(sorted(map(self._hardness, self.columns), key=lambda one: one.share))

    def _hardness(self, column: Column) -> Hardness:
        marks = [entry.marks[column] for entry in self.entries if column in entry.marks]
        ours = sum(mark.outcome is Outcome.GRADER_FAULT for mark in marks)
        right = sum(mark.outcome.scores for mark in marks)
        return Hardness(column, len(marks) - ours, right, Counter(mark.outcome for mark in marks))

    @cached_property
    def mistakes(self) -> tuple[Frequency, ...]:
        """Every mistake, the most frequent first; a student who made it twice counts once."""
        who: Counter[Mistake] = Counter()
        where: dict[Mistake, Counter[str]] = {}
        for entry in self.entries:
            made = list(_made(entry))
            who.update({mistake for mistake, _ in made})
            for mistake, gradient in made:
                where.setdefault(mistake, Counter())[gradient] += 1
        return tuple(
            Frequency(mistake, tuple(name for name, _ in where[mistake].most_common()), count)
            for mistake, count in sorted(who.items(), key=lambda one: (-one[1], one[0].kind, str(one[0])))
        )

    @cached_property
    def distribution(self) -> tuple[int, ...]:
        """How many submissions scored in each tenth of the points; full points are in the last."""
        counts = Counter(min(int(share * BINS), BINS - 1) for share in self._shares)
        return tuple(counts[i] for i in range(BINS))

    @property
    def perfect(self) -> int:
        """How many submissions earned every point."""
        return sum(entry.perfect for entry in self.entries)

    @property
    def absent(self) -> int:
        """How many on the roster handed in nothing."""
        return sum(line.entry is None for line in self.lines)

    @property
    def summary(self) -> str:
        """The class in one line, in words."""
        ours = sum(entry.score is None for entry in self.entries)
        said = [f"{len(self.entries)} submissions", f"{self.perfect} with every point"]
        if self.median is not None and self.mean is not None:
            said.append(f"median {self.median:.0%} and mean {self.mean:.0%} of the points")
        said += [f"{self.absent} on the roster handed in nothing"] if self.absent else []
        said += [f"the grader itself failed on {ours}"] if ours else []
        return "; ".join(said)

    @property
    def median(self) -> float | None:
        """The median share of the points, None where nobody has a score."""
        shares = sorted(self._shares)
        half = len(shares) // 2
        if not shares:
            return None
        return shares[half] if len(shares) % 2 else (shares[half - 1] + shares[half]) / 2

    @property
    def mean(self) -> float | None:
        """The mean share of the points, None where nobody has a score."""
        return sum(self._shares) / len(self._shares) if self._shares else None

    @cached_property
    def _shares(self) -> tuple[float, ...]:
        return tuple(entry.share for entry in self.entries if entry.share is not None)


@dataclass
class Interner:
    """Makes equal parts of many entries one and the same, so that a class takes little memory."""

    _seen: dict[object, object] = field(default_factory=dict)

    def __call__(self, entry: Entry) -> Entry:
        """The same entry, made of parts seen before where there are such."""
        marks = {self._one(column): self._one(mark) for column, mark in entry.marks.items()}
        return Entry(entry.name, entry.score, entry.max_score, self._one(entry.exercises), marks)

    def _one(self, part: T) -> T:
        return cast(T, self._seen.setdefault(part, part))


def _mark(gradient: Gradient, anchor: str) -> Mark:
    hint = gradient.hint
    return Mark(gradient.outcome, Mistake(hint.kind, hint.forward_line) if hint else None, anchor)


def _made(entry: Entry) -> Iterator[tuple[Mistake, str]]:
    for column, mark in entry.marks.items():
        if mark.mistake is not None:
            yield mark.mistake, column.gradient
