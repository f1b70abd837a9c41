"""The gradebook as CSV: one row per student, a column per exercise and per gradient."""

from __future__ import annotations

from collections.abc import Iterator

from grader.reports.book import Book, GradebookRow
from grader.reports.lms_rows import number
from grader.reports.sheet import Sheet, harmless

NOTHING = "nothing handed in"


def render(book: Book) -> str:
    """A gradebook as CSV, UTF-8 with a mark that spreadsheets need, in which no cell is a formula.

    Args:
        book: the gradebook.

    Returns:
        A row of titles; then for each student id, name, email, submission, points and what they are out of,
        the points of each exercise, and the outcome of each gradient.
    """
    titles = ["id", "name", "email", "submission", "score", "max_score"]
    titles += [harmless(exercise) for exercise in book.exercises]
    titles += [harmless(f"{column.exercise}.{column.gradient}") for column in book.columns]
    rows = [titles, *(list(_cells(book, line)) for line in book.lines)]
    return "\ufeff" + str(Sheet.of(rows))


def _cells(book: Book, line: GradebookRow) -> Iterator[str]:
    student, entry = line.student, line.entry
    yield from (
        harmless(part) for part in ((student.id, student.name, student.email) if student else [""] * 3)
    )
    if entry is None:
        yield from (NOTHING, "0", "")
        yield from ("" for _ in (*book.exercises, *book.columns))
        return
    yield harmless(entry.name)
    # A fault of ours is never a zero.
    yield "" if entry.score is None else number(entry.score)
    yield number(entry.max_score)
    points = {name: score for name, score, _ in entry.exercises}
    yield from (number(points[name]) if name in points else "" for name in book.exercises)
    for column in book.columns:
        mark = entry.marks.get(column)
        yield mark.outcome.value if mark is not None else ""
