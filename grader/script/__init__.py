"""Scripts in the lecture's style (gradients assigned one after another), translated into stubs."""

from grader.script.cell import Cell, Origin
from grader.script.program import ScriptError
from grader.script.translate import Origins, Translation, is_script, translate

__all__ = ["Cell", "Origin", "Origins", "ScriptError", "Translation", "is_script", "translate"]
