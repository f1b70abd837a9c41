"""``grade PATH...``: grade one submission in this process, or a class in workers, and write the results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader.apps import console
from grader.apps.options import ClassOptions, CourseOptions, OutputOptions, ReportOptions
from grader.apps.process import quick_start
from grader.apps.versions import untried
from grader.course.settings import Settings
from grader.errors import GraderError, UsageError
from grader.grading.prepared import PreparedCourse
from grader.submissions.discover import Found, Layout, laid_out

if TYPE_CHECKING:
    from grader.batch.delivery import Reports
    from grader.batch.gradebook import Group, Results
    from grader.batch.store import ResultStore
    from grader.reports.book import Book, Student
    from grader.scorecard.model import Scorecard


@dataclass(frozen=True)
class Grading:
    """What one call of ``grade PATH...`` was told to do.

    Args:
        prepared: the course, the exercises and the settings.
        isolation: which layers must be in force.
        output: where scorecards go, and what is printed.
        of_class: how a class is graded.
    """

    prepared: PreparedCourse
    isolation: str
    output: OutputOptions
    of_class: ClassOptions

    @classmethod
    def of(
        cls,
        chosen: CourseOptions,
        paths: Sequence[Path],
        settings: Settings,
        isolation: str,
        output: OutputOptions,
        of_class: ClassOptions,
    ) -> Grading:
        """Read the request off the command line's options.

        Raises:
            CourseError: the course is not there.
        """
        prepared = PreparedCourse(chosen.around(paths[0]), chosen.exercises, settings)
        return cls(prepared, isolation, output, of_class)

    def run(self, paths: Sequence[Path], reporting: ReportOptions) -> int:
        """Grade what is at some paths; the exit status.

        Raises:
            GraderError: nothing could be graded.
        """
        if (notice := untried()) is not None:
            console.tell(notice)
        wanted = self._wanted(reporting) if reporting else None
        students = _students(self.of_class.roster)
        single = self.of_class.single
        with laid_out(paths, self.prepared.course.ids, self.prepared.only, single=single) as layout:
            for notice in layout.notices:
                console.tell(notice)
            self._check(wanted, len(layout.found))
            alone = len(layout.found) == 1 and not students and self.of_class.cluster is None
            group = None if alone and wanted is None else _group(layout, students)
            status = self._one(layout.found[0]) if alone or group is None else self._class(group)
            if wanted is not None and group is not None:
                self._report(wanted, group)
        return status

    def _wanted(self, reporting: ReportOptions) -> Reports:
        """The reports asked for, once what some consoles need in front of all else has been printed."""
        # Imported here: most runs report to nobody, and a run starts with its boxes' parent, not with this.
        from grader.batch.delivery import Reports

        wanted = Reports.read(
            reporting.reports, reporting.assignment, reporting.exported, reporting.commit_time
        )
        if self.output.form == "json" and wanted.spoken:
            # Whoever reads commands from what is printed needs the brackets there; around JSON, it is no JSON.
            kinds = ", ".join(wanted.spoken)
            raise UsageError(
                f"--format json: expected no report that prints, too, found {kinds}; the JSON is in --out as well"
            )
        console.say(wanted.opening, nl=False)
        return wanted

    def _check(self, wanted: Reports | None, submissions: int) -> None:
        """Refuse what cannot end well, before the work begins."""
        if wanted is not None:
            # To read the exercises takes an import of torch, which boxes should be at already.
            titles = {exercise.id: exercise.title for exercise in self.prepared.exercises}
            wanted.check(submissions, titles, self.output.out)

    def _one(self, found: Found) -> int:
        """Grade one submission in this process, as a student does with their own work."""
        from grader.batch.atomic_files import writable_folder
        from grader.batch.store import ResultStore
        from grader.grading.engine import Engine
        from grader.reports import table

        prepared, store = self.prepared, ResultStore(self.output.out)
        with quick_start():
            engine = Engine(prepared.course, prepared.only, prepared.settings, isolation=self.isolation)
        with engine:
            writable_folder(self.output.out)
            scorecard = store.richer(engine.grade(found.read(prepared.course.ids, prepared.ids)))
            store.keep(scorecard, None)
        if self.output.form == "json":
            console.say(scorecard.to_json(), nl=False)
        else:
            console.say(table.render(scorecard, colour=sys.stdout.isatty()), nl=False)
            console.say(f"Scorecards: {store.path(scorecard.submission.name, '.html')}")
        return _status(scorecard)

    def _class(self, group: Group) -> int:
        """Grade many submissions elsewhere; print a row for each, and write the gradebook."""
        from grader.apps.progress import watched
        from grader.batch import gradebook
        from grader.batch.executors import open_executor
        from grader.batch.run import open_class
        from grader.batch.store import ResultStore

        for notice in group.notices:
            console.tell(notice)
        store, results, chosen = ResultStore(self.output.out), gradebook.Results(), self.of_class
        with (
            open_executor(chosen.where, chosen.jobs) as executor,
            open_class(
                group.found,
                self.prepared,
                isolation=self.isolation,
                executor=executor,
                store=store,
                regrade=chosen.regrade,
            ) as run,
        ):
            for result in watched(run, len(run)):
                results.add(result)
        book = gradebook.write(group, results, self.output.out)
        if self.output.form == "json":
            run.check_written()
            _print_json(store, [one.name for one in group.found])
        else:
            self._print_rows(group, results, book)
        run.check_written()
        return results.status

    def _print_rows(self, group: Group, results: Results, book: Book) -> None:
        from grader.batch import gradebook
        from grader.reports import table

        rows = [results.rows[one.name] for one in group.found]
        console.say(table.render_rows(rows, colour=sys.stdout.isatty()), nl=False)
        console.say(f"{book.summary}; {results.kept} graded before and unchanged")
        console.say(f"Gradebook: {self.output.out / gradebook.NAME}.html")

    def _report(self, wanted: Reports, group: Group) -> None:
        """Deliver the reports on the scorecards of these submissions."""
        from grader.batch.store import ResultStore

        delivery = wanted.on(group, ResultStore(self.output.out).text)
        for warning in delivery.warnings():
            console.tell(warning)
        console.say(delivery.console(), nl=False)
        delivery.deliver()


def _print_json(store: ResultStore, names: Sequence[str]) -> None:
    """Print a list of scorecards, one after the other."""
    for i, name in enumerate(names):
        console.say(("[\n" if i == 0 else ",\n") + store.text(name).strip(), nl=False)
    console.say("\n]")


def _students(path: Path | None) -> tuple[Student, ...]:
    """Return the students on the roster; none without a roster."""
    if path is None:
        return ()
    from grader.batch import roster

    return roster.load(path)


def _group(layout: Layout, students: Sequence[Student]) -> Group:
    """Whose work is graded."""
    from grader.batch.gradebook import Group  # a single submission does not need it

    return Group(layout.found, students)


def _status(scorecard: Scorecard) -> int:
    if scorecard.at_fault:
        return GraderError.exit_status
    return 0 if scorecard.perfect else 1
