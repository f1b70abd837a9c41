"""Markdown for a comment on a pull request or a page of a job: score, table, hints.

Nothing that a student wrote is Markdown here. Every character that means something to Markdown within a line
becomes a character reference, which no rule of Markdown looks at; a name, a file or a message stands in
``<code>``, where GitHub looks for no mentions, issues or emoji; and ``@``, ``#`` and ``://`` are parted from
what follows them, because mentions and links are looked for after references have become characters.

Source: GitHub Flavored Markdown, https://github.github.com/gfm/#entity-and-numeric-character-references and
https://github.github.com/gfm/#autolinks-extension-; a comment's limit of 65,536 characters,
https://github.com/orgs/community/discussions/27190
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from grader.reports.context import ReportContext
from grader.reports.wording import LOOKS, next_step, number, one_line, place, points, reason
from grader.scorecard.model import ExerciseResult, Gradient, Scorecard

KIND = "markdown"
USES = frozenset({"assignment"})

LIMIT = 60_000
"""Characters; below what a comment may have, with room for a signature."""

TEXT_LIMIT = 600
"""Characters of one text that quotes a student; a longer one is cut."""

_ACTIVE = re.compile(r"@|#|://|(?i:www)(?=\.)|(?i:GH)(?=-)")
# An underscore within a word is plain text to GitHub, and most names have one.
_PUNCTUATION = re.compile(r"[\\`*|<>&#\[\]:@$~^{}]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """A summary of some submissions.

    Args:
        scorecards: what to report; one is shown in full, of several there is a table first.
        context: the name of the ``assignment`` is the heading.

    Returns:
        GitHub Flavored Markdown of at most :data:`LIMIT` characters; what does not fit is said to be missing.
    """
    return summary(scorecards, context, LIMIT)


def summary(scorecards: Sequence[Scorecard], context: ReportContext, limit: int) -> str:
    """As :func:`render`, of at most ``limit`` characters.

    Details go first where there are too many; the last to go are rows of the table of submissions.
    """
    end = "\n_More did not fit here; the scorecards have it all._\n"
    kept: list[str] = []
    size = len(end)
    for block in _blocks(scorecards, context):
        size += len(block)
        if size > limit:
            return "".join([*kept, end])
        kept.append(block)
    return "".join(kept)


def code(text: str) -> str:
    """A student's text as inert code, for anywhere in a line or a table."""
    return f"<code>{_inert(text)}</code>" if one_line(text) else ""


def prose(text: str) -> str:
    """A sentence of ours, which may quote a student's text; what stands in backticks becomes code."""
    pieces = _cut(text).split("`")
    whole = len(pieces) % 2 == 1
    return "".join(code(p) if whole and i % 2 else _inert(p) for i, p in enumerate(pieces))


def _inert(text: str) -> str:
    flat = _cut(text)
    parted = _ACTIVE.sub(lambda found: f"{found[0]}\u200b", flat)
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", parted)


def _cut(text: str) -> str:
    # Blanks at the ends matter where a sentence is put together from pieces.
    flat = one_line(text)
    flat = f"{' ' if text[:1].isspace() else ''}{flat}{' ' if flat and text[-1:].isspace() else ''}"
    return flat if len(flat) <= TEXT_LIMIT else flat[: TEXT_LIMIT - 1] + "…"


def _blocks(scorecards: Sequence[Scorecard], context: ReportContext) -> Iterator[str]:
    title = _inert(context.assignment or "Backprop by hand")
    if len(scorecards) != 1:
        yield f"## {title}\n"
        yield from _class(scorecards)
    for card in scorecards:
        score = points(card.score, card.max_score)
        yield (
            f"## {title}: {score}\n\n"
            if len(scorecards) == 1
            else f"\n## {code(card.submission.name)} {score}\n\n"
        )
        yield f"{code(card.submission.name)}: {prose(str(next_step(card)))}\n"
        for exercise in card.exercises:
            yield from _exercise(exercise)
        yield _footer(card)


def _class(scorecards: Sequence[Scorecard]) -> Iterator[str]:
    yield "\n| submission | score | next |\n| --- | ---: | --- |\n"
    for card in scorecards:
        cells = (code(card.submission.name), points(card.score, card.max_score), prose(str(next_step(card))))
        yield f"| {' | '.join(cells)} |\n"


def _exercise(exercise: ExerciseResult) -> Iterator[str]:
    file = f", {code(exercise.file)}" if exercise.file else ""
    yield f"\n### {_inert(exercise.title)}: {points(exercise.score, exercise.max_score)}{file}\n\n"
    yield "| | gradient | outcome | line | max diff |\n| --- | --- | --- | ---: | ---: |\n"
    yield from (_row(gradient) for gradient in exercise.gradients)
    told = [line for gradient in exercise.gradients for line in _hint(gradient)]
    yield from (["\n", *told] if told else [])


def _row(gradient: Gradient) -> str:
    look = LOOKS[gradient.outcome]
    line = str(gradient.line or "") if gradient.cell is None else place(gradient)
    diff = "" if gradient.max_abs_diff is None else number(gradient.max_abs_diff)
    return f"| {look.glyph} | {code(gradient.name)} | {look.word} | {line} | {diff} |\n"


def _hint(gradient: Gradient) -> Iterator[str]:
    """Why a gradient does not score, and the forward line concerned; nothing where the table says it all."""
    why = gradient.hint.message if gradient.hint is not None else reason(gradient)
    if gradient.outcome.scores or not why:
        return
    quoted = gradient.hint.forward_line if gradient.hint is not None else None
    forward = f" ({code(quoted)})" if quoted else ""
    yield f"- {code(gradient.name)}: {prose(why)}{forward}\n"


def _footer(card: Scorecard) -> str:
    missing = ", ".join(_inert(layer.name) for layer in card.isolation.missing)
    layers = f"; isolation layers missing: {missing}" if missing else ""
    version, torch = _inert(card.grader.version), _inert(card.grader.torch)
    return f"\n<sub>grader {version}, torch {torch}, seed {card.grader.seed}{layers}</sub>\n"
