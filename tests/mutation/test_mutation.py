"""The driver of mutation tests, on a project of one module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wants("mutmut")

ROOT = Path(__file__).parents[2]
MODULE = """'''A docstring.'''
from functools import cached_property

def smallest(numbers):
    if not numbers:
        raise ValueError("no number at all")
    return min(numbers)

class Pair:
    @cached_property
    def size(self):
        return 1 + 1

def unheard():
    while True:
        break
    return "quiet"
"""
TESTS = """
import subprocess, sys
import pytest
from grader.small import Pair, smallest

def test_smallest():
    assert smallest([3, 1, 2]) == 1
    with pytest.raises(ValueError, match="no number"):
        smallest([])

def test_size_elsewhere():
    told = "from grader.small import Pair; print(Pair().size)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "2\\n"
"""
DRIVER = """
import sys
from pathlib import Path
from tests.mutation.__main__ import trials
from tests.mutation.mutants import mutants

root = Path(sys.argv[1])
found = mutants((root / "grader/small.py").read_text("utf-8"))
for tally in trials(root, {"grader/small.py": found}, {"grader/small.py": ["tests/test_small.py"]}, 2):
    print(tally.killed + tally.late, len(tally.survivors))
"""


def changes(text: str) -> list[str]:
    from tests.mutation.mutants import mutants

    return [mutant.difference(text).partition("\n+")[2] for mutant in mutants(text)]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("x = all(y)\n", ["x = None", "x = all(None)", "x = any(y)"]),
        ("def f(x: int | None = 1) -> str | None: ...\n", ["def f(x: int | None = 2) -> str | None: ..."]),
        ("@dataclass(frozen=True)\nclass A:\n    'a'\n", []),
        ("raise ValueError('some words')\n", ["raise ValueError(None)"]),
        ("x = 1e30\n", ["x = None"]),
        ("if a:\n    b()\n", ["if not (a):", "    None"]),
    ],
)
def test_what_is_changed(text: str, changed: list[str]) -> None:
    assert changes(text) == changed


def test_a_mutant_knows_the_function_that_it_is_in() -> None:
    from tests.mutation.mutants import mutants

    found = {
        mutant.line: mutant.lines for mutant in mutants("A = 1\n\ndef f():\n    def g():\n        return 1\n")
    }
    assert found == {1: (1, 6), 5: (3, 5)}


def test_what_no_test_notices_survives(tmp_path: Path) -> None:
    """Properties are reached, and processes that a test starts; what is in no test survives."""
    for folder in ("grader", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "grader/small.py").write_text(MODULE)
    (tmp_path / "tests/test_small.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *survivors, tally = done.stdout.splitlines()
    *_, first_unheard = [
        number for number, line in enumerate(MODULE.splitlines(), 1) if "def unheard" in line
    ]
    places = [int(line.rpartition(":")[2]) for line in survivors if line.startswith("grader/small.py:")]
    assert places
    assert min(places) > first_unheard, done.stdout
    assert int(tally.split()[0]) >= 6
    assert int(tally.split()[1]) == len(places)


def test_each_equivalent_mutant_is_one_of_its_modules() -> None:
    """An entry outlives the line that it is about, else, and might hide another mutant one day."""
    from tests.mutation.equivalents import equivalents

    listed = equivalents()
    for one in listed:
        lines = [line.strip() for line in (ROOT / one.module).read_text("utf-8").splitlines()]
        assert one.reason
        assert one.came != one.went
        assert all(line in lines for line in one.went.splitlines()), one
    assert len({(one.module, one.went, one.came) for one in listed}) == len(listed)


def test_a_change_is_told_without_indentation() -> None:
    from tests.mutation.mutants import mutants

    text = "def f():\n    return 1\n"
    assert [mutant.change(text) for mutant in mutants(text)] == [
        ("return 1", "return None"),
        ("return 1", "return 2"),
    ]


def test_a_sample_is_drawn_by_its_seed() -> None:
    from tests.mutation.mutants import mutants

    text = "".join(f"x = {number}\n" for number in range(20))
    whole = [mutant.text for mutant in mutants(text)]
    drawn = [[mutant.text for mutant in mutants(text, 5, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 5
    assert set(drawn[0]) < set(whole)
    assert len(list(mutants(text, 1000))) == len(whole)


def test_what_a_log_says_is_not_changed() -> None:
    assert changes("def f():\n    logger.warning('%s', x)\n") == ["    None"]
