"""The command line: turns words into calls, and what they raise into one line and an exit status.

Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

import grader
from grader.apps import console
from grader.apps import options as opt
from grader.apps.options import ClassOptions, CourseOptions, OutputOptions, ReportOptions
from grader.apps.process import Ended, ended_in_order
from grader.course.settings import Settings
from grader.errors import GraderError, UsageError

INTERRUPTED = 130

HELP_WANTED: tuple[type[click.ClickException], ...] = tuple(
    getattr(click.exceptions, name) for name in ("NoArgsIsHelpError",) if hasattr(click.exceptions, name)
)
"""A command without what it needs, which shows its help; click before 8.2 shows it and ends with status 0."""


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


@cli.command(DefaultGroup.default, Unnamed, hidden=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@opt.OUTPUT_OPTIONS
@opt.GRADE_SETTINGS
@opt.COURSE_OPTIONS
@opt.ISOLATION
@opt.CLASS_OPTIONS
@opt.REPORT_OPTIONS
@click.pass_context
def grade_submissions(
    context: click.Context,
    paths: tuple[Path, ...],
    output: OutputOptions,
    settings: Settings,
    chosen: CourseOptions,
    isolation: str,
    of_class: ClassOptions,
    reporting: ReportOptions,
) -> None:
    """Grade submissions: folders, files, a folder of submissions, or a zip from Moodle, Canvas or Gradescope.

    Writes OUT/<submission>.json and OUT/<submission>.html, and prints a table; for a class also
    OUT/gradebook.csv and OUT/gradebook.html. A class is graded in parallel, and what has not changed since it
    was graded is not graded again, however the run before came to its end.

    Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
    """
    from grader.apps.grading import Grading

    grading = Grading.of(chosen, paths, settings, isolation, output, of_class)
    context.exit(grading.run(paths, reporting))


@cli.command("new")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@opt.COURSE_OPTIONS
def new(folder: Path, chosen: CourseOptions) -> None:
    """Lay out the templates for a new submission in DIR."""
    from grader.apps import template

    home = chosen.around(folder)
    for path in template.lay_out(home.select(chosen.exercises), folder):
        console.say(str(path))
    console.say(f"Fill the stubs, then: grade {folder}")


@cli.command("audit")
@opt.COURSE_OPTIONS
@opt.CASE_SETTINGS
@click.option("--write-templates", is_flag=True, help="Write the templates anew from the forward passes.")
@click.pass_context
def audit(context: click.Context, chosen: CourseOptions, settings: Settings, write_templates: bool) -> None:
    """Check the course itself: expected gradients agree, blind spots, templates, settings.

    Exit status: 0 it is sound, 2 it cannot be read, 3 it is unsound: what is marked FAIL says why.
    """
    from grader.apps import audit as auditing
    from grader.apps import template
    from grader.grading.prepared import PreparedCourse

    home = chosen.around(Path.cwd())
    prepared = PreparedCourse(home, chosen.exercises, settings)
    if write_templates:
        for exercise in prepared.exercises:
            console.say(str(template.write(exercise)))
    sound = True
    for finding in auditing.audit(prepared.suites):
        mark = {True: "ok  ", False: "FAIL", None: "note"}[finding.ok]
        colour = {True: "green", False: "red", None: "yellow"}[finding.ok]
        console.say(
            f"{click.style(mark, fg=colour)} {finding.exercise}: {finding.subject}: {finding.message}"
        )
        sound = sound and finding.ok is not False
    context.exit(0 if sound else GraderError.exit_status)


@cli.command("doctor")
def doctor() -> None:
    """Try every isolation layer; say what each protects from, and how to get a missing one.

    Exit status: 0 strict isolation can be had here, 3 it cannot.
    """
    from grader.apps.doctor import examine, examine_ends, timekeeping
    from grader.course.course import Course
    from grader.sandbox.open import Isolated, opener, require

    with opener(Course.shipped().hidden, Isolated.AUTO) as boxes:
        for layer in examine(boxes):
            found = (
                click.style("in force", fg="green")
                if layer.reason is None
                else click.style("missing", fg="red")
            )
            console.say(f"{layer.name:14} {found}  {layer.protects}")
            if layer.reason is not None:
                console.say(f"{'':14} because {layer.reason}")
                console.say(f"{'':14} to get it: {layer.remedy}")
        for end in examine_ends(boxes):
            closed = end.reason is None
            console.say(
                f"{end.name:14} {click.style('closed', fg='green') if closed else click.style('open', fg='red')}"
                f"    {'' if closed else f'{end.threat}; '}takes {end.needs}"
            )
        console.say(timekeeping(boxes))
        require(boxes, "strict isolation cannot be had here: ")
    console.say("Strict isolation can be had here.")


@cli.group("export")
def export() -> None:
    """Write the complete package for a place where students hand in."""


@export.command("gradescope")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.zip")
@opt.COURSE_OPTIONS
@opt.SEED
@click.option(
    "--visibility",
    type=opt.Visibility(),
    default="visible",
    show_default=True,
    help="When students see the tests.",
)
@opt.ISOLATION
@opt.REFERENCE
def export_gradescope(
    out: Path, chosen: CourseOptions, seed: int, visibility: str, isolation: str, with_reference: bool
) -> None:
    """Write the zip that an instructor uploads to Gradescope."""
    from grader.apps.export import gradescope

    settings = gradescope.GradescopeSettings(chosen.exercises, seed, visibility, isolation)
    gradescope.export(out, chosen.around(Path.cwd()), settings, reference=with_reference)
    console.say(str(out))


@export.command("action")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@opt.COURSE_OPTIONS
@opt.REFERENCE
def export_action(folder: Path, chosen: CourseOptions, with_reference: bool) -> None:
    """Write workflows and grader into DIR, the repository where students hand in."""
    from grader.apps.export import action

    home = chosen.around(Path.cwd())
    for path in action.export(folder, home, chosen.exercises, reference=with_reference):
        console.say(str(path))


@cli.command("schema")
def schema() -> None:
    """Print the scorecard's JSON Schema."""
    import json

    from grader.scorecard.model import schema as scorecard_schema

    console.say(json.dumps(scorecard_schema(), indent=2))


@cli.command("watch")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@opt.COURSE_OPTIONS
@opt.WATCH_SETTINGS
def watch(path: Path, chosen: CourseOptions, settings: Settings) -> None:
    """Grade one submission at each save, on one screen; Ctrl-C ends.

    Shows every outcome, what the save changed, and the next gradient to do. Writes no scorecard.
    """
    from grader.apps.watch.watch import watch as watch_submission

    watch_submission(path, only=chosen.exercises, course=chosen.course, settings=settings)


@cli.command("test")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)
@click.option("-k", "expression", metavar="WORDS", help="Only gradients whose names fit, as pytest takes it.")
@click.pass_context
def run_tests(context: click.Context, paths: tuple[Path, ...], expression: str | None) -> None:
    """Show each gradient of submissions as a test of pytest, and import nothing of theirs.

    `pytest PATH` by itself runs what a folder tells it to: a conftest.py, tests, plugins named in a pytest.ini.
    This does not.

    Exit status: 0 every point earned, 1 points lost, 2 usage, 3 the grader's own fault.
    """
    from grader.apps.testing import run

    context.exit(run(paths, expression))


@cli.command("train")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
# As many losses as a box sends back, and not many more than fit beside them in the memory of one.
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000), default=200_000, show_default=True, help="Steps to make."
)
@click.option("--exercise", metavar="ID", help="The exercise that trains, where the course has several.")
@opt.OUT
@opt.SEED
@opt.WORDS
@opt.COURSE
@opt.ISOLATION
@click.option("--time-limit", type=opt.SECONDS, metavar="S", help="Seconds for all of it.")
@opt.MEMORY_LIMIT
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
    from grader.apps.training import Training

    training = Training.of(
        CourseOptions(course, ()).around(path),
        Settings(seed, words, memory_limit_mb=memory_limit),
        out,
        isolation,
    )
    context.exit(training.run(path, steps=steps, exercise=exercise, time_limit_s=time_limit))


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error becomes one line."""
    console.ready()
    try:
        with ended_in_order():
            status = cli.main(args, prog_name="grade", standalone_mode=False) or 0
    except HELP_WANTED as error:
        error.show()
        status = UsageError.exit_status
    except click.ClickException as error:
        status = _failed(error.format_message(), UsageError.exit_status)
    except GraderError as error:
        status = _failed(_in_options(error), error.exit_status)
    except (click.Abort, KeyboardInterrupt):
        status = _failed("interrupted; the scorecards written so far are whole", INTERRUPTED)
    except Ended as end:
        status = _failed(f"{end}; the scorecards written so far are whole", end.exit_status)
    except Exception:
        # Whatever else is raised is a bug of ours: said in full, and never mistaken for points lost.
        traceback.print_exc()
        status = _failed(
            "the grader itself failed; nothing here is the submission's fault", GraderError.exit_status
        )
    console.close()
    sys.exit(status)


def _in_options(error: GraderError) -> str:
    """An error of the library's in the words of the command line: a setting is an option."""
    setting = error.setting if isinstance(error, UsageError) else None
    return f"--{error}" if setting is not None else str(error)


def _failed(message: str, status: int) -> int:
    console.tell(message)
    return status
