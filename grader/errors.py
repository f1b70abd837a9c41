"""One tree of exceptions: operators' faults and our own. A student's fault is data, never raised."""


class GraderError(Exception):
    """The root of everything this package raises on purpose.

    ``exit_status`` is what the command line makes of it (docs/design.md, 2.6: 2 an operator's fault, 3 our own).
    """

    exit_status = 3


class UsageError(GraderError):
    """Something that whoever asked can mend: a path, a setting, a course.

    Args:
        message: what is wrong, what was expected, and what was found.
        setting: the setting it is about, where it is about one; the text begins with it.
    """

    exit_status = 2

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message if setting is None else f"{setting}: {message}")
        self.setting = setting


class CourseError(UsageError):
    """A course breaks its contract; the message names file, field or line, expected and found."""


class SubmissionError(UsageError):
    """A path holds nothing that could be graded."""


class InternalError(GraderError):
    """The grader itself failed. Never a student's zero."""


class IsolationError(InternalError):
    """A box cannot be opened, or a layer that strict mode relies on is missing."""
