"""The scorecard as one self-contained HTML page: no script, no network, nothing to install.

This module turns a scorecard into what the page shows (views); the template lays it out. Everything printed
goes through :func:`grader.reports.wording.visible` and HTML escaping, so no student text needs a filter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from grader.bounded import BoundedDict
from grader.reports import wording
from grader.reports.error_map import Heat
from grader.reports.loss_curve import HEIGHT, WIDTH, Plot
from grader.reports.wording import LOOKS, Look, LossRow, NextStep, Tone
from grader.scorecard.model import (
    ExerciseResult,
    ForwardLine,
    Gradient,
    Outcome,
    Scorecard,
    Training,
)

SUFFIX = ".html"

FOLD = 4
"""So many lines in a row, or more, that an exercise does not use are folded away."""

PIECES = ("card_of", "forward_of", "row_of")
"""Macros of ``pieces.html.jinja`` that print nothing but their arguments, so that their text can be cached."""

PIECES_BYTES = 16 << 20
"""How much text of each is cached for the next scorecard; the oldest goes first."""

VIEWS_KEPT = 1024
"""How many views are cached for the next scorecard."""

GROUPS = (
    ("To fix", (Tone.WRONG, Tone.BROKE)),
    ("The grader's own faults", (Tone.OURS,)),
    ("Still to write", (Tone.OPEN,)),
    ("Earned", (Tone.GOOD,)),
)
"""The order in which an exercise's gradients are shown, by the tone of their outcome."""


@dataclass(frozen=True, eq=False)
class GradientView:
    """A gradient, the page's anchor for it, and what is derived from it for show.

    For the same content there is one view, and what was made of it is found by that.
    """

    id: str
    gradient: Gradient
    look: Look
    heat: Heat | None
    through: tuple[ForwardLine, ...]

    @property
    def points(self) -> str:
        """Points earned out of those to be earned."""
        return wording.points(self.gradient.score, self.gradient.max_score)

    @property
    def new_lines(self) -> bool:
        """Whether the lines it goes back through say more than the one line that the hint quotes."""
        quoted = self.gradient.hint.forward_line if self.gradient.hint is not None else None
        return bool(self.through) and [line.source for line in self.through] != [quoted]

    @property
    def telling_cases(self) -> bool:
        """Whether the table of cases says more than the outcome does."""
        cases = self.gradient.cases
        return any(c.max_abs_diff is not None or c.outcome is not self.gradient.outcome for c in cases)


@dataclass(frozen=True)
class Chip:
    """A gradient as it stands beside a line: the page's anchor for it, and how it came out."""

    id: str
    name: str
    look: Look
    points: str


@dataclass(frozen=True)
class LineView:
    """One numbered line of the forward pass with the gradients that are complete there."""

    number: int
    name: str
    rest: str
    passed: bool
    chips: tuple[Chip, ...]

    @property
    def tone(self) -> Tone | None:
        """The tone of the worst gradient, None for a line without one."""
        return max((chip.look.tone for chip in self.chips), key=lambda t: t.severity, default=None)


@dataclass(frozen=True)
class Fold:
    """Consecutive lines, ``closed`` where the exercise has nothing to do with them."""

    closed: bool
    lines: tuple[LineView, ...]


@dataclass(frozen=True, eq=False)
class ForwardView:
    """The forward pass as an exercise shows it; one view for the same content, as of gradients."""

    anchor: str
    folds: tuple[Fold, ...]


@dataclass(frozen=True)
class Group:
    """Gradients under one heading; those that differ in nothing but their name share a card."""

    title: str
    cards: tuple[tuple[GradientView, ...], ...]
    open: bool

    @property
    def count(self) -> int:
        """How many gradients the group holds."""
        return sum(map(len, self.cards))


@dataclass(frozen=True)
class TrainingView:
    """A training with its picture, if there is anything to draw, and its losses."""

    training: Training
    plot: Plot | None
    rows: tuple[LossRow, ...]

    @classmethod
    def of(cls, training: Training | None) -> TrainingView | None:
        """What is shown of a training, where there is one."""
        if training is None:
            return None
        return cls(training, Plot.of(training), wording.loss_rows(training))


@dataclass(frozen=True)
class ExerciseView:
    """One exercise as the page shows it."""

    id: str
    result: ExerciseResult
    forward: ForwardView
    groups: tuple[Group, ...]
    descent: TrainingView | None
    training: TrainingView | None


@dataclass(frozen=True)
class Tally:
    """How many gradients had an outcome, and the points at stake in them."""

    look: Look
    count: int
    weight: float


def render(scorecard: Scorecard) -> str:
    """The scorecard as one HTML page."""
    views = [_gradients(i, exercise) for i, exercise in enumerate(scorecard.exercises)]
    exercises = [_exercise(i, e, v) for i, (e, v) in enumerate(zip(scorecard.exercises, views, strict=True))]
    step = wording.next_step(scorecard)
    page = (
        environment()
        .get_template("scorecard.html.jinja")
        .render(
            card=scorecard,
            exercises=exercises,
            tallies=_tallies(scorecard),
            step=step,
            step_id=_anchor(step, views),
        )
    )
    return page.lstrip()  # the macros leave their line ends before the doctype


@cache
def environment() -> Environment:
    """The templates of all pages: escaped, and everything printed in them made visible."""
    environment = Environment(
        loader=PackageLoader("grader", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": wording.number,
        "entry": _entry,
        "ticks": _ticks,
        "points": wording.points,
        "shape": wording.shape,
        "one_line": wording.one_line,
        "how_far": wording.how_far,
        "place": wording.place,
    }
    environment.globals |= {name: _kept(environment, name) for name in PIECES}
    environment.globals |= {"LOOKS": LOOKS, "PLOT": (WIDTH, HEIGHT)}
    return environment


def _kept(environment: Environment, name: str) -> Callable[..., Markup]:
    """A macro that caches its text: most scorecards of a class have most of their pieces in common."""
    kept: BoundedDict[tuple[Hashable, ...], Markup] = BoundedDict(
        PIECES_BYTES, lambda arguments, markup: len(markup)
    )

    def piece(*arguments: Hashable) -> Markup:
        markup = kept.get(arguments)
        if markup is None:
            markup = getattr(environment.get_template("pieces.html.jinja").module, name)(*arguments)
            kept[arguments] = markup
        return markup

    return piece


def _shown(value: object) -> object:
    """A value as it is printed on the page: the template's own markup stays, text is made visible."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return wording.visible(value)
    return value


def _entry(value: float | None) -> str:
    """One entry of a tensor; None stands for NaN or infinity, which JSON cannot hold."""
    return "not finite" if value is None else wording.number(value, digits=6)


def _ticks(text: str) -> Markup:
    """Text in which words between backticks are set as code; all of it is escaped."""
    words = [escape(part) for part in wording.visible(text).split("`")]
    if len(words) % 2 == 0:  # a backtick without its partner
        return escape(wording.visible(text))
    return Markup("").join(Markup("<code>{}</code>").format(w) if i % 2 else w for i, w in enumerate(words))


def _anchor(step: NextStep, views: Sequence[Sequence[GradientView]]) -> str:
    return views[step.place[0]][step.place[1]].id if step.place else ""


def _gradients(index: int, exercise: ExerciseResult) -> tuple[GradientView, ...]:
    lines = {line.name: line for line in exercise.forward}
    return tuple(
        # Numbers make the anchor unique whatever the names are.
        _gradient(
            f"e{index + 1}g{place + 1}",
            gradient.timeless,
            gradient.timeless.written,
            tuple(lines[name] for name in gradient.through if name in lines),
        )
        for place, gradient in enumerate(exercise.gradients)
    )


@lru_cache(maxsize=VIEWS_KEPT)
def _gradient(
    anchor: str, gradient: Gradient, written: tuple[str, str, bool], through: tuple[ForwardLine, ...]
) -> GradientView:
    return GradientView(anchor, gradient, LOOKS[gradient.outcome], Heat.of(gradient), through)


def _exercise(index: int, result: ExerciseResult, views: Sequence[GradientView]) -> ExerciseView:
    chips = tuple(Chip(v.id, v.gradient.name, v.look, v.points) for v in views)
    passed = frozenset(name for view in views for name in view.gradient.through)
    return ExerciseView(
        f"e{index + 1}",
        result,
        _forward(f"e{index + 1}", result.forward, chips, passed),
        tuple(_groups(views)),
        TrainingView.of(result.descent),
        TrainingView.of(result.training),
    )


@lru_cache(maxsize=VIEWS_KEPT)
def _forward(
    anchor: str, forward: tuple[ForwardLine, ...], chips: tuple[Chip, ...], passed: frozenset[str]
) -> ForwardView:
    return ForwardView(anchor, tuple(_folds(_lines(forward, chips, passed))))


def _lines(
    forward: Sequence[ForwardLine], chips_shown: Sequence[Chip], passed: frozenset[str]
) -> Iterator[LineView]:
    by_name = {chip.name: chip for chip in chips_shown}
    for number, line in enumerate(forward, 1):
        # The tensor's name is set apart; a line in another form is shown as it is.
        rest = line.source.removeprefix(line.name)
        name = line.name if rest != line.source else ""
        chips = tuple(by_name[gradient] for gradient in line.gradients if gradient in by_name)
        yield LineView(number, name, rest, line.name in passed, chips)


def _folds(lines: Iterator[LineView]) -> Iterator[Fold]:
    for idle, run in groupby(lines, key=lambda line: not line.chips and not line.passed):
        together = tuple(run)
        yield Fold(idle and len(together) >= FOLD, together)


def _groups(views: Sequence[GradientView]) -> Iterator[Group]:
    for title, tones in GROUPS:
        members = [view for view in views if view.look.tone in tones]
        is_open = not {Tone.GOOD, Tone.OPEN} & set(tones)
        if members:
            yield Group(title, _cards(members) if is_open else tuple((m,) for m in members), is_open)


def _cards(views: Sequence[GradientView]) -> tuple[tuple[GradientView, ...], ...]:
    """One card for each gradient, and one for all that failed alike: a syntax error strikes every stub."""
    cards: dict[Gradient, list[GradientView]] = {}
    for view in views:
        alike = dataclasses.replace(
            view.gradient, name="", line=None, seconds=0.0, max_score=1.0, expected_shape=(), through=()
        )
        cards.setdefault(alike, []).append(view)
    return tuple(map(tuple, cards.values()))


def _tallies(scorecard: Scorecard) -> list[Tally]:
    gradients = [g for exercise in scorecard.exercises for g in exercise.gradients]
    counted = [(o, [g.max_score for g in gradients if g.outcome is o]) for o in Outcome]
    tallies = [Tally(LOOKS[outcome], len(scores), sum(scores)) for outcome, scores in counted if scores]
    order = (Tone.GOOD, Tone.WRONG, Tone.BROKE, Tone.OURS, Tone.OPEN)
    return sorted(tallies, key=lambda tally: order.index(tally.look.tone))
