"""The hostile corpus: stored in cells, each an attack that stands below the stubs of ``submissions/alice``.

A cell starts with a line ``# %% <stubs>: <what it attempts> -> <outcomes>``: an outcome for each stub named,
or one for ``all`` of exercise 1. ``scores`` is either of the two outcomes that score, and a slash separates
what depends on the machine. Every stub that is not named is honest and must score. Below a line
``# file: <name>`` stands another file of the same submission.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.scorecard.model import ExerciseResult

HERE = Path(__file__).parent
FAMILIES = ("forgery", "theft", "autograd", "exhaustion", "escape", "lingering", "stubs")
FIRST = "ex1_step_by_step"
SHORT = {"ex2": "ex2_cross_entropy", "ex3": "ex3_batchnorm"}
HEADER = re.compile(r"# %% (?P<stubs>[\w. ]+): (?P<what>.+) -> (?P<outcomes>[\w/ ]+)")
FILE = re.compile(r"^# file: (\S+)$", re.MULTILINE)
IMPORTS = "import torch\nimport torch.nn.functional as F\n"
HONEST = (HERE.parents[1] / "submissions" / "alice" / f"{FIRST}.py").read_text("utf-8")


@dataclass(frozen=True)
class Entry:
    """One hostile submission.

    Args:
        family: which kind of attack it is.
        what: what it attempts.
        declared: the outcome each stub must get, by exercise and stub; ``*`` stands for every other stub.
        files: its files by name, with ``@PLACES@`` still to be filled in.
    """

    family: str
    what: str
    declared: Mapping[tuple[str, str], str]
    files: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.family}: {self.what}"

    def lay_out(self, folder: Path, places: Mapping[str, str]) -> Path:
        """Write the submission; an attack is told the exact places that a real one would have to guess."""
        folder.mkdir()
        for name, text in self.files.items():
            for place, value in places.items():
                text = text.replace(f"@{place}@", value)
            (folder / name).write_text(text, "utf-8")
        return folder

    def surprises(self, results: Sequence[ExerciseResult]) -> list[str]:
        """Where the outcomes are other than declared."""
        found = []
        for exercise in results:
            for gradient in exercise.gradients:
                default = self.declared.get((exercise.id, "*"))
                wanted = self.declared.get((exercise.id, gradient.name), default)
                if wanted is not None and not is_one_of(gradient.outcome, wanted):
                    why = gradient.error or gradient.notes
                    found.append(f"{exercise.id} {gradient.name}: {wanted}, got {gradient.outcome}: {why}")
        return found


def is_one_of(outcome: object, wanted: str) -> bool:
    """Whether an outcome is one of those declared."""
    return any(outcome.scores if one == "scores" else outcome.value == one for one in wanted.split("/"))


def read(family: str) -> list[Entry]:
    """The entries of one file of the corpus."""
    text = (HERE / "corpus" / f"{family}.py").read_text("utf-8")
    return [_entry(family, cell) for cell in re.split(r"^(?=# %% )", text, flags=re.MULTILINE)[1:]]


def _entry(family: str, cell: str) -> Entry:
    first, _, code = cell.partition("\n")
    header = HEADER.fullmatch(first.strip())
    assert header is not None, f"{family}: not a cell's first line: {first}"
    stubs, outcomes = header["stubs"].split(), header["outcomes"].split()
    main, *others = FILE.split(code)
    declared = {(FIRST, "*"): outcomes[0] if stubs == ["all"] else "scores"}
    if stubs != ["all"]:
        declared |= {_named(stub): outcome for stub, outcome in zip(stubs, outcomes, strict=True)}
    files = {f"{FIRST}.py": f"{HONEST}\n\n{IMPORTS}{main}"} | dict(
        zip(others[::2], others[1::2], strict=True)
    )
    return Entry(family, header["what"], declared, files)


def _named(stub: str) -> tuple[str, str]:
    exercise, _, name = stub.rpartition(".")
    return SHORT.get(exercise, FIRST), name
