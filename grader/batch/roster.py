"""A class's roster: who is in the class, and which submission each student handed in."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.reports.book import Student
from grader.reports.canvas import POSSIBLE
from grader.reports.lms_rows import plain
from grader.submissions.discover import Found

TITLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "sid", "student id", "student_id", "sis user id", "id number", "username", "login"),
    "name": ("name", "full name", "fullname", "student", "student name"),
    "email": ("email", "e-mail", "mail", "email address", "e-mail address"),
    "first": ("first name", "firstname", "given name"),
    "last": ("last name", "lastname", "surname", "family name"),
}
"""What the columns of a roster may be called, in lower case."""


@dataclass(frozen=True)
class Join:
    """The index of each student's submission, and what an operator should know."""

    submissions: Mapping[Student, int]
    notices: tuple[str, ...]


def load(path: Path) -> tuple[Student, ...]:
    """Read the students from a CSV file with a line of titles (id, name, email); each of them once.

    Raises:
        UsageError: it cannot be read, has no column that could tell a student, or holds nobody.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected a UTF-8 CSV file: {error}", setting="roster") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}: expected a CSV file: {error}", setting="roster") from error
    titles, *rows = [row for row in lines if any(map(str.strip, row))] or [[]]
    columns = _columns(titles)
    if not columns.keys() & {"id", "name", "email", "last"}:
        found = ", ".join(titles) or "nothing"
        raise UsageError(
            f"{path}: expected a first line of titles, id,name,email, found {found}", setting="roster"
        )
    students = dict.fromkeys(_student(columns, row) for row in rows if not _is_of_points(row))
    if not students:
        raise UsageError(f"{path}: expected at least one student, found none", setting="roster")
    return tuple(students)


def join(students: Sequence[Student], found: Sequence[Found]) -> Join:
    """Find each student's submission.

    A submission is known by its folder's name and by what the archive tells; a student by id, address, the
    address before the ``@``, and name, in this order. A name that fits two submissions, or a submission that
    fits two students who did not hand it in together, is given to nobody: who names a folder must not be able
    to choose whose grade it becomes.

    Args:
        students: the roster.
        found: the submissions.
    """
    known = defaultdict(set)
    for index, one in enumerate(found):
        for key in _keys_of(one):
            known[key].add(index)
    chosen = {student: _first(known, student) for student in students}
    claims = defaultdict(list)
    for student, indices in chosen.items():
        if len(indices) == 1:
            claims[next(iter(indices))].append(student)
    joined = {s: i for i, who in claims.items() if len(who) <= max(1, len(found[i].known_as)) for s in who}
    return Join(joined, tuple(_notices(chosen, claims, joined, found)))


def _notices(
    chosen: Mapping[Student, set[int]],
    claims: Mapping[int, Sequence[Student]],
    joined: Mapping[Student, int],
    found: Sequence[Found],
) -> Iterator[str]:
    for student, indices in chosen.items():
        if len(indices) > 1:
            names = ", ".join(sorted(found[i].name for i in indices))
            yield f"roster: {_label(student)} fits several submissions, and gets none of them: {names}"
    for index, who in claims.items():
        if any(student not in joined for student in who):
            names = ", ".join(map(_label, who))
            yield f"roster: {found[index].name} fits several students, and is given to none: {names}"
    strangers = sorted(one.name for i, one in enumerate(found) if i not in claims)
    if strangers:
        more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
        yield f"roster: these submissions are nobody's on it: {', '.join(strangers[:5])}{more}"


def _first(known: Mapping[str, set[int]], student: Student) -> set[int]:
    """Return the submissions that match the most certain of a student's keys that matches any."""
    return next((known[key] for key in _keys(student) if key in known), set())


def _keys(student: Student) -> Iterator[str]:
    """Yield the keys that may identify a student, the most certain first."""
    yield from filter(
        None, (_plain(student.id), _plain(student.email), _plain(student.email.partition("@")[0]))
    )
    yield from _names(student.name)


def _keys_of(found: Found) -> set[str]:
    told = [found.name, *(word for person in found.known_as for word in person)]
    return {key for word in told for key in (_plain(word), *_names(word)) if key}


def _names(name: str) -> Iterator[str]:
    """Yield how a name may appear in a folder's name: as it is, or its words run together in either order."""
    last, comma, first = name.partition(",")
    words = _plain(f"{first} {last}" if comma else name).split()
    if words:
        yield " ".join(words)
        yield "".join(words)
        yield "".join([words[-1], *words[:-1]])  # Canvas puts the last name first


def _plain(text: str) -> str:
    """Return a text as it is compared; folder names have underscores for blanks."""
    return plain(text.replace("_", " "))


def _columns(titles: Iterable[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for index, title in enumerate(titles):
        for column, names in TITLES.items():
            if title.strip().casefold() in names:
                found.setdefault(column, index)
    return found


def _student(columns: Mapping[str, int], row: Sequence[str]) -> Student:
    cells = {name: row[index].strip() for name, index in columns.items() if index < len(row)}
    full = " ".join(filter(None, (cells.get("first"), cells.get("last"))))
    return Student(cells.get("id", ""), cells.get("name") or full, cells.get("email", ""))


def _is_of_points(row: Sequence[str]) -> bool:
    """Whether a line of a Canvas export holds the possible points instead of a student."""
    return row[0].strip() == POSSIBLE


def _label(student: Student) -> str:
    return student.name or student.id or student.email
