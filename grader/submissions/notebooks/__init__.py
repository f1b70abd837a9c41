"""Notebooks and scripts in the lecture's style (gradients assigned one after another), translated into stubs.

They are read as text. Nothing here runs a student's code; the stubs are run in ``grader.sandbox`` like any others.
"""

from grader.submissions.notebooks.cell import Cell, Origin
from grader.submissions.notebooks.errors import NotebookError, ReaderFault, ReadingError, ScriptError
from grader.submissions.notebooks.translate import Origins, Translation, is_script, translate

__all__ = [
    "Cell",
    "NotebookError",
    "Origin",
    "Origins",
    "ReaderFault",
    "ReadingError",
    "ScriptError",
    "Translation",
    "is_script",
    "translate",
]
