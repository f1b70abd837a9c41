"""What the reports for people have in common: words for outcomes, numbers, and text that cannot deceive."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from grader.scorecard.model import Gradient, Outcome, Scorecard, Training


class Tone(StrEnum):
    """The five families of outcomes, mildest first; a report gives each a colour."""

    GOOD = "good"
    OPEN = "open"
    WRONG = "wrong"
    BROKE = "broke"
    OURS = "ours"

    @property
    def severity(self) -> int:
        """How much attention this family asks for: of several, the highest colours a line."""
        return list(Tone).index(self)


@dataclass(frozen=True)
class Look:
    """How an outcome is shown: its family, a glyph, in words, and as the predicate of a sentence."""

    tone: Tone
    glyph: str
    word: str
    phrase: str


LOOKS: Mapping[Outcome, Look] = MappingProxyType(
    {
        Outcome.EXACT: Look(Tone.GOOD, "✓", "exact", "is right to the last bit"),
        Outcome.CLOSE: Look(Tone.GOOD, "≈", "close", "is right within rounding"),
        Outcome.WRONG_VALUE: Look(Tone.WRONG, "✗", "wrong value", "has the wrong value"),
        Outcome.WRONG_SHAPE: Look(Tone.WRONG, "✗", "wrong shape", "has the wrong shape"),
        Outcome.WRONG_DTYPE: Look(Tone.WRONG, "✗", "wrong dtype", "has the wrong dtype"),
        Outcome.NOT_FINITE: Look(Tone.WRONG, "✗", "not finite", "contains NaN or infinity"),
        Outcome.NOT_A_TENSOR: Look(Tone.WRONG, "✗", "not a tensor", "does not return a tensor"),
        Outcome.MISSING: Look(Tone.OPEN, "○", "missing", "is still to be written"),
        Outcome.ERROR: Look(Tone.BROKE, "!", "error", "raises an error"),
        Outcome.FORBIDDEN: Look(Tone.BROKE, "!", "forbidden", "uses what is off limits here"),
        Outcome.TIMED_OUT: Look(Tone.BROKE, "!", "timed out", "takes too long"),
        Outcome.OUT_OF_MEMORY: Look(Tone.BROKE, "!", "out of memory", "needs too much memory"),
        Outcome.CRASHED: Look(Tone.BROKE, "!", "crashed", "crashes Python"),
        Outcome.NOT_RUN: Look(Tone.OPEN, "–", "not run", "was not run"),
        Outcome.GRADER_FAULT: Look(Tone.OURS, "?", "grader fault", "met a fault of the grader"),
    }
)


def visible(text: str) -> str:
    """Text in which nothing is hidden and nothing reorders its neighbours.

    Control characters become their pictures (``␛``); everything else that has no shape of its own (bidi
    overrides, zero-width and private characters, lone surrogates) becomes its code point (``‹U+202E›``).
    Newlines and tabs stay.
    """
    # Nearly all text is harmless; checking that is far quicker than going through it.
    return text if text.isascii() and text.isprintable() else "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or unicodedata.category(character) not in (
        "Cc",
        "Cf",
        "Cn",
        "Co",
        "Cs",
        "Zl",
        "Zp",
    ):
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"‹U+{code:04X}›"


def one_line(text: str) -> str:
    """:func:`visible` text on one line, runs of blanks as one space."""
    return " ".join(visible(text).split())


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line and without its full stop."""
    return _sentences(text)[0].removesuffix(".")


def after_first_sentence(text: str) -> str:
    """What a text says after its first sentence, on one line."""
    return _sentences(text)[1]


def _sentences(text: str) -> tuple[str, str]:
    """The first sentence of a text and the rest of it, each on one line."""
    first, *rest = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)
    return one_line(first), one_line(" ".join(rest))


def number(value: float | None, digits: int = 3) -> str:
    """A number for reading: ``0.0``, ``0.0231``, ``1.86e-09``; a dash for none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.{digits}g}" if value else "0.0"


def points(score: float | None, max_score: float) -> str:
    """A score out of its maximum, ``3/4``; a dash for a score that the grader could not give."""
    return f"{'-' if score is None else format(score, 'g')}/{max_score:g}"


def shape(sizes: tuple[int, ...] | None) -> str:
    """A shape as torch prints it: ``(32, 27)``, ``(64,)``, ``()``."""
    return "none" if sizes is None else str(tuple(sizes))


def reason(gradient: Gradient) -> str:
    """Why a gradient does not score, in a sentence: the hint, the error with its line, or the shapes."""
    # In a notebook an error's message itself says cell and line.
    fault = gradient.error
    where = f" (line {fault.line})" if fault and fault.line is not None and gradient.cell is None else ""
    if gradient.hint is not None:
        return first_sentence(gradient.hint.message) + where
    if fault is not None:
        return one_line(f"{fault.type}: {fault.message.strip().partition(chr(10))[0]}") + where
    if gradient.outcome is Outcome.WRONG_SHAPE:
        return f"expected {shape(gradient.expected_shape)}, found {shape(gradient.found_shape)}"
    return ""


def place(gradient: Gradient) -> str:
    """Where the student's stub stands in their file: ``line 3``, ``cell 12, line 3``; nothing if nowhere."""
    if gradient.line is None:
        return ""
    line = f"line {gradient.line}"
    return line if gradient.cell is None else f"cell {gradient.cell}, {line}"


@dataclass(frozen=True)
class NextStep:
    """One encouraging sentence around the gradient to turn to next, if there is one.

    ``place`` is that gradient's position: the exercise's index and the gradient's within it.
    """

    before: str
    gradient: str = ""
    after: str = ""
    place: tuple[int, int] | None = None

    def __str__(self) -> str:
        return one_line(self.before + self.gradient + self.after)


def next_step(scorecard: Scorecard) -> NextStep:
    """What to tell the student first."""
    asked = [(g, (i, j)) for i, e in enumerate(scorecard.exercises) for j, g in enumerate(e.gradients)]
    faults = [(g, place) for g, place in asked if g.outcome is Outcome.GRADER_FAULT]
    todo = [(g, place) for g, place in asked if not g.outcome.scores]
    if not asked:
        return NextStep("Nothing was graded: no exercise was asked for.")
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        blame = (
            f"{more}. That is not your mistake and costs you nothing: please show this to your instructor."
        )
        return NextStep("The grader itself failed on ", faults[0][0].name, blame, faults[0][1])
    if not todo:
        return NextStep("Every gradient is right: you went back through the whole forward pass by hand.")
    first, place = todo[0]
    if all(g.outcome is Outcome.MISSING for g, _ in asked):
        return NextStep(
            "A fresh page. Start at the end, where it is one short line: ", first.name, ".", place
        )
    return _next(first, place, len(asked) - len(todo), len(todo))


def _next(gradient: Gradient, place: tuple[int, int], earned: int, todo: int) -> NextStep:
    phrase = f", which {LOOKS[gradient.outcome].phrase}."
    if todo == 1 and earned:
        return NextStep("Just one to go: ", gradient.name, phrase, place)
    praise = f" {earned} of {earned + todo} are right already." if earned else ""
    return NextStep("Next: ", gradient.name, phrase + praise, place)


SLOW = 1.5
"""From this ratio on a word is said about what takes the time."""

SLOWNESS = (
    "Most likely a step's time goes into Python: look for a loop over rows in the backward pass. An "
    "operation that adds rows at an index, all at once, takes the place of a double loop."
)


def pace(steps: int, hand_seconds: float, autograd_seconds: float) -> Iterator[str]:
    """How long a step of training took, by hand and by autograd, and what to look for where it is slow."""
    hand, autograd = (f"{1000 * seconds / steps:.2f}" for seconds in (hand_seconds, autograd_seconds))
    ratio = hand_seconds / autograd_seconds
    yield f"{hand} ms a step by hand, {autograd} ms by autograd: {ratio:.2f} times as long"
    if ratio > SLOW:
        yield SLOWNESS


@dataclass(frozen=True)
class LossRow:
    """The loss on one split of the words, ready to print; ``published`` is None where nobody reports it."""

    split: str
    hand: str
    autograd: str
    published: str | None


def loss_rows(training: Training) -> tuple[LossRow, ...]:
    """What a training ended with on each split; none where nothing was worked out."""
    hand, autograd, published = training.hand.averages, training.autograd.averages, training.published
    rows = (
        ("training", hand.training, autograd.training, published.training if published else None),
        ("validation", hand.validation, autograd.validation, published.validation if published else None),
    )
    known = any(number is not None for _, *numbers in rows for number in numbers)
    return tuple(
        LossRow(split, _loss(one), _loss(two), number(told, 4) if published else None)
        for split, one, two, told in (rows if known else ())
    )


def _loss(value: float | None) -> str:
    """A loss with all its digits, so that columns of them can be compared."""
    return number(value) if value is None or not math.isfinite(value) else f"{value:#.4g}"


def how_far(training: Training) -> str:
    """How many steps were made, and on what."""
    return f"{training.done:,} of {training.steps:,} steps on {one_line(training.words)}"
