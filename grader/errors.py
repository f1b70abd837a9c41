"""One tree of exceptions: wrong use, and the grader's own failures. A student's fault is data, never raised."""


class GraderError(Exception):
    """The root of everything this package raises on purpose.

    ``exit_status`` is the command line's exit status for it (docs/design.md, 2.6: 2 wrong use, 3 our own failure).
    """

    exit_status = 3


class UsageError(GraderError):
    """Wrong use that the caller can mend: a path, a setting, a course.

    Args:
        message: what is wrong, what was expected, and what was found.
        setting: the setting it is about, if any; the text begins with its name.
    """

    exit_status = 2

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message if setting is None else f"{setting}: {message}")
        self.setting = setting


class CourseError(UsageError):
    """A course breaks its contract; the message names file, field or line, expected and found."""


class SubmissionError(UsageError):
    """A path holds nothing that can be graded."""


class InternalError(GraderError):
    """The grader itself failed. Never a student's zero."""


class IsolationError(InternalError):
    """A box cannot be opened, or a layer that strict mode relies on is missing."""
