"""The command line: turns words into calls, and what they raise into one line and an exit status.

Exit status: 0 all graded and every point earned, 1 graded with points lost, 2 usage, 3 the grader's own fault.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

import grader
from grader.errors import GraderError, OperatorError

if TYPE_CHECKING:
    from grader.course import Course
    from grader.run import Run
    from grader.scorecard import Scorecard

INTERRUPTED = 130
DEFAULT_OUT = Path("scorecards")


class DefaultGroup(click.Group):
    """A group that takes anything but a command's name to be arguments of its default command."""

    default = "submission"

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where no command is named."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h", "--version"):
            args = [self.default, *args]
        return super().parse_args(context, args)


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
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Draw the fresh cases from N."
)
WORDS = click.option(
    "--words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A word list for the lecture's case, instead of the exercise's own.",
)


@cli.command("submission", hidden=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@EXERCISE
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True, help="Where scorecards go.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="What is printed."
)
@SEED
@WORDS
@COURSE
@click.option(
    "--isolation",
    type=click.Choice(["auto", "strict"]),
    default="auto",
    show_default=True,
    help="strict grades nothing unless answers, network and processes are kept apart.",
)
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), metavar="S", help="Seconds for one stub.")
@click.option("--memory-limit", type=click.IntRange(64), metavar="MB", help="MiB a submission may allocate.")
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
) -> None:
    """Grade submissions: folders, .py files, or a folder of submissions.

    Writes OUT/<submission>.json and OUT/<submission>.html, and prints a table.

    Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
    """
    from grader.files import writable_folder
    from grader.run import open_run
    from grader.settings import Settings

    settings = Settings(seed, words, time_limit, memory_limit)
    with open_run(paths, only=exercises, course=course, isolation=isolation, settings=settings) as run:
        writable_folder(out)
        scorecards = [_written(scorecard, out) for scorecard in _with_progress(run)]
    click.echo(_printed(scorecards, form), nl=False)
    if form == "table":
        click.echo(f"Scorecards: {out / scorecards[0].submission.name}.html" if len(scorecards) == 1 else f"Scorecards: {out}")
    context.exit(_status(scorecards))


@cli.command("new")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@EXERCISE
@COURSE
def new(folder: Path, exercises: tuple[str, ...], course: Path | None) -> None:
    """Lay out the templates for a new submission in DIR."""
    from grader import template

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
    """Check the course itself: witnesses agree, blind spots, templates, settings."""
    from grader import audit as auditing
    from grader import template
    from grader.judge import prepare_benches
    from grader.settings import Settings

    home = _course(course, Path.cwd())
    chosen = home.select(exercises)
    if write_templates:
        for exercise in chosen:
            click.echo(template.write(exercise))
    sound = True
    for finding in auditing.audit(prepare_benches(home, chosen, Settings(seed, words))):
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
    from grader.box.opening import Isolated, opener, require
    from grader.course import Course
    from grader.doctor import examine

    with opener(Course.shipped().hidden, Isolated.AUTO) as boxes:
        for layer in examine(boxes):
            found = click.style("in force", fg="green") if layer.reason is None else click.style("missing", fg="red")
            click.echo(f"{layer.name:14} {found}  {layer.protects}")
            if layer.reason is not None:
                click.echo(f"{'':14} because {layer.reason}")
                click.echo(f"{'':14} to get it: {layer.remedy}")
        require(boxes)
    click.echo("Strict isolation can be had here.")


@cli.command("schema")
def schema() -> None:
    """Print the scorecard's JSON Schema."""
    import json

    from grader.scorecard import schema as scorecard_schema

    click.echo(json.dumps(scorecard_schema(), indent=2))


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error becomes one line."""
    try:
        status = cli.main(args, prog_name="grade", standalone_mode=False)
        sys.exit(status or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(OperatorError.exit_status)
    except click.ClickException as error:
        _fail(error.format_message(), OperatorError.exit_status)
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


def _fail(message: str, status: int) -> None:
    click.echo(f"grade: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _course(course: Path | None, path: Path) -> Course:
    from grader.course import Course

    return Course.at(course) if course is not None else Course.around(path)


def _with_progress(run: Run) -> Iterator[Scorecard]:
    """The run's scorecards, with a progress bar where there are several and somebody watches."""
    if len(run.paths) == 1 or not sys.stderr.isatty():
        yield from run
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(run, "Grading", total=len(run.paths), console=Console(stderr=True), transient=True)


def _written(scorecard: Scorecard, out: Path) -> Scorecard:
    """The scorecard, once its files are in place."""
    from grader.files import write_whole
    from grader.reports import files

    for suffix, render in files().items():
        write_whole(out / f"{scorecard.submission.name}{suffix}", render(scorecard))
    return scorecard


def _printed(scorecards: Sequence[Scorecard], form: str) -> str:
    if form == "json":
        texts = [scorecard.as_json() for scorecard in scorecards]
        return texts[0] if len(texts) == 1 else "[\n" + ",\n".join(text.strip() for text in texts) + "\n]\n"
    from grader.reports import table

    colour = sys.stdout.isatty()
    if len(scorecards) == 1:
        return table.render(scorecards[0], colour=colour)
    return table.render_many(scorecards, colour=colour)


def _status(scorecards: Iterable[Scorecard]) -> int:
    scorecards = tuple(scorecards)
    if any(scorecard.at_fault for scorecard in scorecards):
        return GraderError.exit_status
    return 0 if all(scorecard.perfect for scorecard in scorecards) else 1
