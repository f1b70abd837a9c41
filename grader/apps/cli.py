"""The command line: turns words into calls, and what they raise into one line and an exit status.

Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import grader
from grader.course.settings import DEFAULT_SEED
from grader.errors import GraderError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from grader.batch.delivery import Reports
    from grader.batch.gradebook import Group
    from grader.course.course import Course
    from grader.grading.training import Trainer
    from grader.grading.workshop import Workshop
    from grader.reports.book import Student
    from grader.scorecard.model import Scorecard
    from grader.submissions.discover import Layout
    from grader.submissions.submission import Submission

INTERRUPTED = 130
DEFAULT_OUT = Path("scorecards")


class DefaultGroup(click.Group):
    """A group that takes anything but a command's name to be arguments of its default command."""

    default = "submission"

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where no command is named; a folder may be called like it."""
        named = [name for name in self.commands if name != self.default]
        if args and args[0] not in (*named, "--help", "-h", "--version"):
            args = [self.default, *args]
        return super().parse_args(context, args)


class Unnamed(click.Command):
    """The default command, whose usage does not tell its name."""

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage as that of the group."""
        whole = context.parent or context
        formatter.write_usage(whole.command_path, " ".join(self.collect_usage_pieces(context)))


@click.group(
    cls=DefaultGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(grader.__version__, prog_name="grade")
def cli() -> None:
    """Grade backprop written by hand.

    `grade PATH...` grades submissions: it runs each in a box, compares every gradient with autograd and a
    reference, and writes a JSON and an HTML scorecard. `grade PATH... --help` shows its options.
    """


COURSE = click.option(
    "--course",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The course's folder.  [default: the one around PATH, else the one in the package]",
)
EXERCISE = click.option(
    "--exercise", "exercises", multiple=True, metavar="ID", help="Only this exercise (repeatable)."
)
SEED = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=DEFAULT_SEED,
    show_default=True,
    help="Draw the fresh cases from N.",
)
WORDS = click.option(
    "--words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A word list for the lecture's case, instead of the exercise's own.",
)
OUT = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Where scorecards go.",
)
ISOLATION = click.option(
    "--isolation",
    type=click.Choice(["auto", "strict"]),
    default="auto",
    show_default=True,
    help="strict runs nothing unless answers, network and processes are kept apart.",
)
SECONDS = click.FloatRange(0, min_open=True)
TIME_LIMIT = click.option("--time-limit", type=SECONDS, metavar="S", help="Seconds for one stub.")
MEMORY_LIMIT = click.option(
    "--memory-limit", type=click.IntRange(64), metavar="MB", help="MiB a submission may allocate."
)
REFERENCE = click.option("--with-reference", is_flag=True, help="Take the instructor's solutions along.")


class Visibility(click.ParamType):  # type: ignore[type-arg]  # which click 8.1 does not know as generic
    """When students see tests: one of what Gradescope's report knows, which is not read before it is needed."""

    name = "visibility"

    @property
    def _choice(self) -> click.Choice[str]:
        from grader.reports.gradescope import VISIBILITIES

        return click.Choice(VISIBILITIES)

    def get_metavar(self, *about: Any, **more: Any) -> str | None:
        """The choices, as help shows them."""
        return self._choice.get_metavar(*about, **more)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """One of the choices, or a usage error that tells them."""
        return self._choice.convert(value, param, ctx)


@cli.command(DefaultGroup.default, Unnamed, hidden=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@EXERCISE
@OUT
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="What is printed.",
)
@SEED
@WORDS
@COURSE
@ISOLATION
@TIME_LIMIT
@MEMORY_LIMIT
@click.option(
    "--hints",
    type=click.Choice(["full", "line", "off"]),
    default="full",
    show_default=True,
    help="What a hint tells: the mistake, only its line, nothing.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Submissions graded at a time, those that hang not counted.  [default: the cores]",
)
@click.option("--single", is_flag=True, help="PATH is one student's work, whatever is in it.")
@click.option("--regrade", is_flag=True, help="Grade also what has not changed since it was graded.")
@click.option(
    "--roster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file, id,name,email: who is in the class, and stands in the gradebook.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="KIND=PATH",
    help="Write one more report (repeatable); docs/reports.md has the kinds.",
)
@click.option("--assignment", metavar="NAME", help="The title of the gradebook's column for the total.")
@click.option(
    "--gradebook",
    "exported",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The CSV exported from Canvas or Moodle, for that report to fill in.",
)
@click.option(
    "--commit-time",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    metavar="TIME",
    help="When the graded commit was made, such as 2026-06-01T14:32:01Z.",
)
@click.pass_context
def grade_submissions(
    context: click.Context,
    paths: tuple[Path, ...],
    exercises: tuple[str, ...],
    out: Path,
    form: str,
    seed: int,
    words: Path | None,
    course: Path | None,
    isolation: str,
    time_limit: float | None,
    memory_limit: int | None,
    hints: str,
    jobs: int | None,
    single: bool,
    regrade: bool,
    roster: Path | None,
    reports: tuple[str, ...],
    assignment: str | None,
    exported: Path | None,
    commit_time: datetime | None,
) -> None:
    """Grade submissions: folders, files, a folder of submissions, or a zip from Moodle, Canvas or Gradescope.

    Writes OUT/<submission>.json and OUT/<submission>.html, and prints a table; for a class also
    OUT/gradebook.csv and OUT/gradebook.html. A class is graded in parallel, and what has not changed since it
    was graded is not graded again, however the run before came to its end.

    Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
    """
    from grader.batch.cpus import cores
    from grader.course.settings import Settings
    from grader.grading.workshop import Workshop
    from grader.submissions.discover import laid_out

    # What belongs to a report is looked at, too, where no report was asked for: it was forgotten.
    asked = reports or any(one is not None for one in (assignment, exported, commit_time))
    wanted = _wanted(reports, assignment, exported, commit_time, form) if asked else None
    home = _course(course, paths[0])
    settings = Settings(seed, words, time_limit, memory_limit, hints)
    students = _students(roster) if roster is not None else ()
    with laid_out(paths, home.ids, exercises, single=single) as layout:
        workshop = Workshop(home, exercises, settings, layout.unreadable)
        for notice in layout.notices:
            click.echo(f"grade: {notice}", err=True)
        if wanted is not None:
            titles = {exercise.id: exercise.title for exercise in workshop.exercises}
            wanted.check(len(layout.found), titles, out)
        alone = len(layout.found) == 1 and not students
        group = None if alone and wanted is None else _group(layout, students)
        if alone or group is None:
            status = _grade_one(layout.found[0].path, workshop, out, form, isolation)
        else:
            status = _grade_class(
                group, workshop, out, form, isolation, jobs=jobs or cores(), regrade=regrade
            )
        if wanted is not None and group is not None:
            _report(wanted, group, out)
    context.exit(status)


def _students(path: Path) -> tuple[Student, ...]:
    """Who is in the class."""
    from grader.batch import roster

    return tuple(roster.load(path))


def _group(layout: Layout, students: Sequence[Student]) -> Group:
    """Whose work is graded."""
    from grader.batch.gradebook import Group  # a desk has no use for it

    return Group(layout.found, students)


def _wanted(
    reports: tuple[str, ...],
    assignment: str | None,
    exported: Path | None,
    commit_time: datetime | None,
    form: str,
) -> Reports:
    """The reports asked for, once what some consoles need in front of all else has been printed."""
    # Imported here: most runs report to nobody, and a run starts with its boxes' parent, not with this.
    from grader.batch.delivery import Reports

    wanted = Reports.read(reports, assignment, exported, commit_time)
    if form == "json" and wanted.spoken:
        # Whoever reads commands from what is printed needs the brackets there; around JSON, it is no JSON.
        kinds = ", ".join(wanted.spoken)
        raise UsageError(
            f"--format json: expected no report that prints, too, found {kinds}; the JSON is in --out as well"
        )
    click.echo(wanted.opening, nl=False)
    return wanted


def _report(wanted: Reports, group: Group, out: Path) -> None:
    """Deliver the reports on the scorecards of these submissions."""
    from grader.batch.store import ResultStore

    delivery = wanted.on(group, ResultStore(out).text)
    for warning in delivery.warnings():
        click.echo(f"grade: {warning}", err=True)
    click.echo(delivery.console(), nl=False)
    delivery.deliver()


def _grade_one(path: Path, workshop: Workshop, out: Path, form: str, isolation: str) -> int:
    """Grade one submission in this process, as a student at a desk does."""
    from grader.batch.atomic_files import writable_folder
    from grader.batch.run import open_run
    from grader.batch.store import ResultStore
    from grader.reports import table

    with open_run(path, workshop, isolation=isolation) as run:
        writable_folder(out)
        scorecard = ResultStore(out).richer(run.grade())
        ResultStore(out).keep(scorecard, None)
    if form == "json":
        click.echo(scorecard.as_json(), nl=False)
    else:
        click.echo(table.render(scorecard, colour=sys.stdout.isatty()), nl=False)
        click.echo(f"Scorecards: {ResultStore(out).path(scorecard.submission.name, '.html')}")
    return _status(scorecard)


def _grade_class(
    group: Group, workshop: Workshop, out: Path, form: str, isolation: str, *, jobs: int, regrade: bool
) -> int:
    """Grade many submissions in processes of their own; print a row for each, and write the gradebook."""
    from grader.apps.progress import watched
    from grader.batch import gradebook
    from grader.batch.run import open_class
    from grader.batch.store import ResultStore
    from grader.reports import table

    for notice in group.notices:
        click.echo(f"grade: {notice}", err=True)
    store, results = ResultStore(out), gradebook.Results()
    paths = [one.path for one in group.found]
    with open_class(paths, workshop, store, isolation=isolation, jobs=jobs, regrade=regrade) as run:
        for done in watched(run, len(run)):
            results.add(done)
    book = gradebook.write(group, results, out)
    names = [one.name for one in group.found]
    if form == "json":
        for i, name in enumerate(names):
            click.echo(("[\n" if i == 0 else ",\n") + store.text(name).strip(), nl=False)
        click.echo("\n]")
    else:
        rows = [results.rows[name] for name in names]
        click.echo(table.render_rows(rows, colour=sys.stdout.isatty()), nl=False)
        click.echo(f"{book.summary}; {results.kept} graded before and unchanged")
        click.echo(f"Gradebook: {out / gradebook.NAME}.html")
    return results.status


@cli.command("new")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@EXERCISE
@COURSE
def new(folder: Path, exercises: tuple[str, ...], course: Path | None) -> None:
    """Lay out the templates for a new submission in DIR."""
    from grader.apps import template

    home = _course(course, folder)
    for path in template.lay_out(home.select(exercises), folder):
        click.echo(path)
    click.echo(f"Fill the stubs, then: grade {folder}")


@cli.command("audit")
@EXERCISE
@SEED
@WORDS
@COURSE
@click.option("--write-templates", is_flag=True, help="Write the templates anew from the forward passes.")
@click.pass_context
def audit(
    context: click.Context,
    exercises: tuple[str, ...],
    seed: int,
    words: Path | None,
    course: Path | None,
    write_templates: bool,
) -> None:
    """Check the course itself: witnesses agree, blind spots, templates, settings.

    Exit status: 0 it is sound, 2 it cannot be read, 3 it is unsound: what is marked FAIL says why.
    """
    from grader.apps import audit as auditing
    from grader.apps import template
    from grader.course.settings import Settings
    from grader.grading.judge import prepare_suites

    home = _course(course, Path.cwd())
    chosen = home.select(exercises)
    if write_templates:
        for exercise in chosen:
            click.echo(template.write(exercise))
    sound = True
    for finding in auditing.audit(prepare_suites(home, chosen, Settings(seed, words))):
        mark = {True: "ok  ", False: "FAIL", None: "note"}[finding.ok]
        colour = {True: "green", False: "red", None: "yellow"}[finding.ok]
        click.echo(f"{click.style(mark, fg=colour)} {finding.exercise}: {finding.subject}: {finding.message}")
        sound = sound and finding.ok is not False
    context.exit(0 if sound else GraderError.exit_status)


@cli.command("doctor")
def doctor() -> None:
    """Try every isolation layer; say what each protects from, and how to get a missing one.

    Exit status: 0 strict isolation can be had here, 3 it cannot.
    """
    from grader.apps.doctor import examine, timekeeping
    from grader.course.course import Course
    from grader.sandbox.open import Isolated, opener, require

    with opener(Course.shipped().hidden, Isolated.AUTO) as boxes:
        for layer in examine(boxes):
            found = (
                click.style("in force", fg="green")
                if layer.reason is None
                else click.style("missing", fg="red")
            )
            click.echo(f"{layer.name:14} {found}  {layer.protects}")
            if layer.reason is not None:
                click.echo(f"{'':14} because {layer.reason}")
                click.echo(f"{'':14} to get it: {layer.remedy}")
        click.echo(timekeeping(boxes))
        require(boxes, "strict isolation cannot be had here: ")
    click.echo("Strict isolation can be had here.")


@cli.group("export")
def export() -> None:
    """Write the complete package for a place where students hand in."""


@export.command("gradescope")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.zip")
@EXERCISE
@SEED
@COURSE
@click.option(
    "--visibility",
    type=Visibility(),
    default="visible",
    show_default=True,
    help="When students see the tests.",
)
@ISOLATION
@REFERENCE
def export_gradescope(
    out: Path,
    exercises: tuple[str, ...],
    seed: int,
    course: Path | None,
    visibility: str,
    isolation: str,
    with_reference: bool,
) -> None:
    """Write the zip that an instructor uploads to Gradescope."""
    from grader.apps.export import gradescope

    settings = gradescope.GradescopeSettings(exercises, seed, visibility, isolation)
    gradescope.export(out, _course(course, Path.cwd()), settings, reference=with_reference)
    click.echo(out)


@export.command("action")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@EXERCISE
@COURSE
@REFERENCE
def export_action(
    folder: Path, exercises: tuple[str, ...], course: Path | None, with_reference: bool
) -> None:
    """Write workflows and grader into DIR, the repository where students hand in."""
    from grader.apps.export import action

    for path in action.export(folder, _course(course, Path.cwd()), exercises, reference=with_reference):
        click.echo(path)


@cli.command("schema")
def schema() -> None:
    """Print the scorecard's JSON Schema."""
    import json

    from grader.scorecard.model import schema as scorecard_schema

    click.echo(json.dumps(scorecard_schema(), indent=2))


@cli.command("watch")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@EXERCISE
@SEED
@WORDS
@COURSE
@TIME_LIMIT
def watch(
    path: Path,
    exercises: tuple[str, ...],
    seed: int,
    words: Path | None,
    course: Path | None,
    time_limit: float | None,
) -> None:
    """Grade one submission at each save, on one screen; Ctrl-C ends.

    Shows every outcome, what the save changed, and the next gradient to do. Writes no scorecard.
    """
    from grader.apps.watch.watch import watch as watch_submission
    from grader.course.settings import Settings

    settings = Settings(seed, words, time_limit)
    watch_submission(path, only=exercises, course=course, settings=settings)


@cli.command("train")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
# As many losses as a box sends back, and not many more than fit beside them in the memory of one.
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000), default=200_000, show_default=True, help="Steps to make."
)
@click.option("--exercise", metavar="ID", help="The exercise that trains, where the course has several.")
@OUT
@SEED
@WORDS
@COURSE
@ISOLATION
@click.option("--time-limit", type=SECONDS, metavar="S", help="Seconds for all of it.")
@MEMORY_LIMIT
@click.pass_context
def train(
    context: click.Context,
    path: Path,
    steps: int,
    exercise: str | None,
    out: Path,
    seed: int,
    words: Path | None,
    course: Path | None,
    isolation: str,
    time_limit: float | None,
    memory_limit: int | None,
) -> None:
    """Grade a submission, and train the network with its own backward pass, from names to names.

    Writes OUT/<submission>.json and OUT/<submission>.html as `grade PATH` does, and once more with the
    training in them. Ctrl-C stops early and goes on with what there is.

    Exit status: 0 trained to the end or stopped by hand, 1 the submission broke down, 2 usage, 3 the grader's
    own fault.
    """
    from grader.course.settings import Settings
    from grader.grading.training import Trainer
    from grader.grading.workshop import Workshop
    from grader.submissions.discover import laid_out

    home = _course(course, path)
    workshop = Workshop(home, (), Settings(seed, words, memory_limit_mb=memory_limit))
    with laid_out([path], home.ids) as layout:
        if len(layout.found) != 1:
            raise UsageError(f"{path}: expected one submission to train with, found {len(layout.found)}")
        submission = workshop.read(layout.found[0].path)
        trainer = Trainer.of(
            submission, home, workshop.settings, steps=steps, exercise=exercise, time_limit_s=time_limit
        )
        context.exit(_train_one(trainer, submission, workshop, out, isolation))


def _train_one(
    trainer: Trainer, submission: Submission, workshop: Workshop, out: Path, isolation: str
) -> int:
    """Grade one submission and train with it; what was graded is kept before the training begins."""
    from grader.apps.training_progress import watched
    from grader.batch.fingerprint import RunFingerprint
    from grader.batch.run import open_run
    from grader.batch.store import ResultStore
    from grader.reports import table

    store, colour = ResultStore(out), sys.stdout.isatty()
    with open_run(submission.path, workshop, isolation=isolation) as run:
        store.open()
        boxes = run.judge.opener
        # Under the key of a whole class: its next run keeps the training, unless something has changed.
        terms = RunFingerprint.of(workshop.course, workshop.exercises, workshop.settings, boxes.isolation)
        key = terms.key(submission)
        scorecard = run.grade()
        store.keep(store.richer(scorecard), key)
        click.echo(table.render(scorecard, colour=colour))
        with watched(trainer.oracle.descent.steps) as show:
            training = trainer.train(boxes, show)
        store.keep(scorecard.with_training(trainer.exercise, training), key)
    click.echo(table.render_training(training, colour=colour), nl=False)
    click.echo(f"Scorecards: {store.path(submission.name, '.html')}")
    return GraderError.exit_status if scorecard.at_fault else int(training.broke_down)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error becomes one line."""
    try:
        status = cli.main(args, prog_name="grade", standalone_mode=False)
        sys.exit(status or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(UsageError.exit_status)
    except click.ClickException as error:
        _fail(error.format_message(), UsageError.exit_status)
    except GraderError as error:
        _fail(str(error), error.exit_status)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; the scorecards written so far are whole", INTERRUPTED)
    except BrokenPipeError:
        sys.exit(INTERRUPTED)
    except Exception:
        # Whatever else is raised is a bug of ours: said in full, and never mistaken for points lost.
        traceback.print_exc()
        _fail("the grader itself failed; nothing here is the submission's fault", GraderError.exit_status)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"grade: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _course(course: Path | None, path: Path) -> Course:
    from grader.course.course import Course

    return Course.at(course) if course is not None else Course.around(path)


def _status(scorecard: Scorecard) -> int:
    if scorecard.at_fault:
        return GraderError.exit_status
    return 0 if scorecard.perfect else 1
