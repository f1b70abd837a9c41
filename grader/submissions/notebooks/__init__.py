"""Scripts in the lecture's style (gradients assigned one after another), translated into stubs."""

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
