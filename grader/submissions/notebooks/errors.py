"""What can go wrong in reading a notebook or a script, and the one place where all else becomes one of these."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class ReadingError(ValueError):
    """A file that cannot be read for gradients; the message says in one line why."""


class NotebookError(ReadingError):
    """A file is no notebook that could be read; the message says in one line what is wrong with it."""


class ScriptError(ReadingError):
    """A script that is not read; the message says in one line why."""


class ReaderFault(ScriptError):
    """The reader itself failed on a file. That is a fault of ours, and never a student's zero."""


@contextmanager
def contained(filename: str) -> Iterator[None]:
    """Turn whatever reading raises into a :class:`ReadingError`, so that one file never ends a class.

    Args:
        filename: what is read, for the log.

    Raises:
        ScriptError: an expression is nested too deeply for Python.
        ReaderFault: anything else that was raised and is not a :class:`ReadingError` already.
    """
    try:
        yield
    except ReadingError:
        raise
    except RecursionError as error:
        raise ScriptError("expected code to read, found an expression that is nested too deeply") from error
    except Exception as error:
        logger.exception("%s: reading it failed", ascii(filename))
        raise ReaderFault(
            f"the grader could not read this file, and that is a fault of the grader's ({type(error).__name__}): "
            "report it, with the file"
        ) from error
