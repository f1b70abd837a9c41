"""The results of a class, collected as they come, and the gradebook that is made and written of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from grader.batch import roster
from grader.batch.atomic_files import encoded, write_whole
from grader.batch.roster import Join
from grader.batch.store import stem
from grader.errors import GraderError
from grader.reports.book import Book, Entry, GradebookRow, Interner, Student
from grader.submissions.discover import Found

if TYPE_CHECKING:
    from grader.batch.task import TaskResult
    from grader.reports.table import Row

NAME = "gradebook"


@dataclass
class Results:
    """The results so far, by the submission's name."""

    rows: dict[str, Row] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    kept: int = 0
    _interner: Interner = field(default_factory=Interner)

    def add(self, result: TaskResult) -> None:
        """Take in one more result."""
        self.rows[result.name] = result.row
        self.entries[result.name] = self._interner(result.entry)
        self.kept += result.kept

    @property
    def status(self) -> int:
        """The exit status that a run with these results has."""
        if any(entry.score is None for entry in self.entries.values()):
            return GraderError.exit_status
        return 0 if all(entry.perfect for entry in self.entries.values()) else 1


@dataclass(frozen=True)
class Group:
    """Whose work is graded: what was handed in, and who is on the roster, nobody where there is none."""

    found: Sequence[Found]
    students: Sequence[Student] = ()

    @cached_property
    def join(self) -> Join:
        """Which student each submission belongs to."""
        return roster.join(self.students, self.found)

    @property
    def notices(self) -> tuple[str, ...]:
        """What an operator should know about the roster, nothing where there is none."""
        return self.join.notices if self.students else ()

    def lines(self, entries: Mapping[str, Entry]) -> Iterator[GradebookRow]:
        """The lines of a gradebook: the roster in its own order, then whoever is on none of its lines.

        Args:
            entries: the result of each submission, by name.
        """
        submissions = self.join.submissions
        for student in self.students:
            index = submissions.get(student)
            entry = entries.get(self.found[index].name) if index is not None else None
            yield GradebookRow(student, entry, page(entry.name) if entry is not None else None)
        taken = set(submissions.values())
        for index, one in enumerate(self.found):
            if index not in taken and one.name in entries:
                yield GradebookRow(None, entries[one.name], page(one.name))


def page(name: str) -> str:
    """Where a submission's page is, relative to the gradebook, as a link."""
    return quote(f"{stem(name)}.html".encode("utf-8", "replace"), safe="")


def write(group: Group, results: Results, out: Path) -> Book:
    """Bind a gradebook and write it, as CSV and as a page.

    Raises:
        UsageError: it cannot be written.
    """
    from grader.reports import book_csv, book_html

    book = Book(tuple(group.lines(results.entries)))
    for suffix, render in ((".csv", book_csv.render), (".html", book_html.render)):
        write_whole(out / f"{NAME}{suffix}", encoded(render(book)))
    return book
