"""One tree of exceptions: operators' faults and our own. A student's fault is data, never raised."""


class GraderError(Exception):
    """The root of everything this package raises on purpose.

    ``exit_status`` is what the command line makes of it (docs/design.md, 2.6: 2 an operator's fault, 3 our own).
    """

    exit_status = 3


class UsageError(GraderError):
    """Something the person at the command line can mend: a path, an option, a course's settings."""

    exit_status = 2


class CourseError(UsageError):
    """A course breaks its contract; the message names file, field or line, expected and found."""


class SubmissionError(UsageError):
    """A path holds nothing that could be graded."""


class InternalError(GraderError):
    """The grader itself failed. Never a student's zero."""


class IsolationError(InternalError):
    """A box cannot be opened, or a layer that strict mode relies on is missing."""
