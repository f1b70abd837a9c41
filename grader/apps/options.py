"""The options that commands share, and groups of them that reach a command as one object each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grader.course.settings import DEFAULT_SEED, Settings
from grader.errors import UsageError

if TYPE_CHECKING:
    from grader.course.course import Course

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_OUT = Path("scorecards")
SECONDS = click.FloatRange(0, min_open=True)

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

COURSE = click.option(
    "--course",
    type=FOLDER,
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
    "--words", type=FILE, help="A word list for the lecture's case, instead of the exercise's own."
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
TIME_LIMIT = click.option("--time-limit", type=SECONDS, metavar="S", help="Seconds for one stub.")
MEMORY_LIMIT = click.option(
    "--memory-limit", type=click.IntRange(64), metavar="MB", help="MiB a submission may allocate."
)
HINTS = click.option(
    "--hints",
    type=click.Choice(["full", "line", "off"]),
    default="full",
    show_default=True,
    help="What a hint tells: the mistake, only its line, nothing.",
)
OWN_CASES = click.option(
    "--own-cases",
    is_flag=True,
    help="Draw fresh cases for each submission: nothing that one is shown is of use to another.",
)
REFERENCE = click.option("--with-reference", is_flag=True, help="Take the instructor's solutions along.")


def group(
    name: str, make: Callable[..., Any], *options: Callable[[Any], Any]
) -> Callable[[Command], Command]:
    """A decorator that gives a command several options and hands it one object made of their values.

    Args:
        name: the command's parameter for the object.
        make: makes the object, called with the options' values by their names.
        options: the options, in the order in which help shows them.
    """

    def decorate(command: Command) -> Command:
        taken: list[str] = []

        @functools.wraps(command)
        def gathered(*arguments: Any, **values: Any) -> Any:
            own = {parameter: values.pop(parameter) for parameter in taken}
            return command(*arguments, **values, **{name: make(**own)})

        wrapped: Any = gathered
        before = len(getattr(wrapped, "__click_params__", []))
        for option in reversed(options):
            wrapped = option(wrapped)
        taken.extend(parameter.name for parameter in wrapped.__click_params__[before:])
        return wrapped  # type: ignore[no-any-return]

    return decorate


@dataclass(frozen=True)
class CourseOptions:
    """Which course, and which exercises of it."""

    course: Path | None
    exercises: tuple[str, ...]

    def around(self, path: Path) -> Course:
        """The course that was named, else the one around a path.

        Raises:
            CourseError: there is none.
        """
        from grader.course.course import Course

        return Course.at(self.course) if self.course is not None else Course.around(path)


@dataclass(frozen=True)
class ClassOptions:
    """How a class is graded, and who is in it."""

    jobs: int | None
    executor: str | None
    cluster: str | None
    single: bool
    regrade: bool
    roster: Path | None

    @property
    def where(self) -> str:
        """The executor, with its argument.

        Raises:
            UsageError: two were named.
        """
        if self.cluster is None:
            return self.executor or "local"
        if self.executor is not None:
            raise UsageError(
                f"expected no executor beside a cluster, found {self.executor!r}", setting="executor"
            )
        return f"dask={self.cluster}"


@dataclass(frozen=True)
class OutputOptions:
    """Where scorecards go, and what is printed."""

    out: Path
    form: str


@dataclass(frozen=True)
class ReportOptions:
    """Which reports there are to be beside the scorecards, and what is for them alone."""

    reports: tuple[str, ...]
    assignment: str | None
    exported: Path | None
    commit_time: datetime | None

    def __bool__(self) -> bool:
        """Whether any was given: what is for a report alone counts, for then the report was forgotten."""
        return bool(self.reports) or any((self.assignment, self.exported, self.commit_time))


def _settings(
    seed: int = DEFAULT_SEED,
    words: Path | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    hints: str = "full",
    own_cases: bool = False,
) -> Settings:
    return Settings(seed, words, time_limit, memory_limit, hints, own_cases)


COURSE_OPTIONS = group("chosen", CourseOptions, EXERCISE, COURSE)
CASE_SETTINGS = group("settings", _settings, SEED, WORDS)
WATCH_SETTINGS = group("settings", _settings, SEED, WORDS, TIME_LIMIT)
GRADE_SETTINGS = group("settings", _settings, SEED, WORDS, TIME_LIMIT, MEMORY_LIMIT, HINTS, OWN_CASES)
OUTPUT_OPTIONS = group(
    "output",
    OutputOptions,
    OUT,
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="What is printed.",
    ),
)
CLASS_OPTIONS = group(
    "of_class",
    ClassOptions,
    click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Submissions graded at a time, those that hang not counted; workers of a cluster.  [default: all]",
    ),
    click.option(
        "--executor",
        metavar="KIND",
        help="Where a class is graded: local, processes, dask, or what a package adds.  [default: local]",
    ),
    click.option(
        "--cluster",
        metavar="URL",
        help="Grade on the workers of a Dask cluster, by its scheduler's address; docs/cluster.md.",
    ),
    click.option("--single", is_flag=True, help="PATH is one student's work, whatever is in it."),
    click.option("--regrade", is_flag=True, help="Grade also what has not changed since it was graded."),
    click.option(
        "--roster",
        type=FILE,
        help="A CSV file, id,name,email: who is in the class, and stands in the gradebook.",
    ),
)
REPORT_OPTIONS = group(
    "reporting",
    ReportOptions,
    click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="KIND=PATH",
        help="Write one more report (repeatable); docs/reports.md has the kinds.",
    ),
    click.option("--assignment", metavar="NAME", help="The title of the gradebook's column for the total."),
    click.option(
        "--gradebook",
        "exported",
        type=FILE,
        help="The CSV exported from Canvas or Moodle, for that report to fill in.",
    ),
    click.option(
        "--commit-time",
        type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
        metavar="TIME",
        help="When the graded commit was made, such as 2026-06-01T14:32:01Z.",
    ),
)


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
