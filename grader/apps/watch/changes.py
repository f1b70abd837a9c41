"""Compare two results of the same exercise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from grader.scorecard.model import ExerciseResult, Outcome


class Turn(StrEnum):
    """What a change means for the points."""

    GAINED = "gained"
    LOST = "lost"
    CHANGED = "changed"


@dataclass(frozen=True)
class Change:
    """A gradient whose outcome differs from the one before."""

    exercise: str
    gradient: str
    before: Outcome
    after: Outcome

    @property
    def turn(self) -> Turn:
        """Whether points were gained, lost, or neither."""
        if self.before.scores == self.after.scores:
            return Turn.CHANGED
        return Turn.GAINED if self.after.scores else Turn.LOST


@dataclass(frozen=True)
class Group:
    """Gradients with the same change, which fit on one line."""

    before: Outcome
    after: Outcome
    turn: Turn
    gradients: tuple[str, ...]


def changes(before: ExerciseResult, after: ExerciseResult) -> tuple[Change, ...]:
    """The gradients of an exercise whose outcome changed, in the exercise's order.

    A gradient that only one of the results knows has not changed.
    """
    earlier = {gradient.name: gradient.outcome for gradient in before.gradients}
    return tuple(
        Change(after.id, gradient.name, earlier[gradient.name], gradient.outcome)
        for gradient in after.gradients
        if earlier.get(gradient.name, gradient.outcome) is not gradient.outcome
    )


def grouped(found: Iterable[Change]) -> tuple[Group, ...]:
    """Changes grouped by what they changed from and to: gains first, then losses, then the rest."""
    groups: dict[tuple[Turn, Outcome, Outcome], list[str]] = {}
    for change in found:
        groups.setdefault((change.turn, change.before, change.after), []).append(change.gradient)
    order: Mapping[Turn, int] = {turn: place for place, turn in enumerate(Turn)}
    ranked = sorted(groups.items(), key=lambda item: order[item[0][0]])
    return tuple(Group(before, after, turn, tuple(names)) for (turn, before, after), names in ranked)
