"""Copies of the project, in which a module can be changed."""

from __future__ import annotations

import compileall
import os
import shutil
from pathlib import Path

PARTS = ("grader", "tests", "exercises", "reference", "submissions", "docs", "benchmarks", ".github", ".ci")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis")


class Copy:
    """One copy, with one changed module in it at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            if (root / part).is_dir():
                shutil.copytree(root / part, folder / part, symlinks=True, ignore=LEFT_OUT)
        for path in root.iterdir():
            if path.is_file():
                shutil.copy2(path, folder / path.name)
        # Once and for all: the processes that run mutants write no bytecode.
        for part in ("grader", "tests"):
            compileall.compile_dir(folder / part, quiet=2, workers=1)

    def change(self, module: str, text: str) -> None:
        """Write a module's text, and forget what it was compiled to."""
        path = self.folder / module
        path.write_text(text, "utf-8")
        for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            stale.unlink()

    def enter(self) -> dict[str, str]:
        """Make this the project that this process and those that it starts import from."""
        os.chdir(self.folder)
        return {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
