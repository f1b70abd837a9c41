"""Classes to grade: all honest, alike or each in a way of its own, or as classes are."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXERCISES = ("ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm")
ONLY = [word for name in EXERCISES for word in ("--exercise", name)]
"""The assignment that other graders are measured on: 28 gradients."""

MIX = {"right": 0.60, "wrong": 0.20, "unfinished": 0.12, "hanging": 0.05, "hostile": 0.03}
HANG = "\nimport time\ndef dprobs(probs, dlogprobs):\n    time.sleep(3600)\n"
UNFINISHED = "\ndef {name}(*args):\n    raise NotImplementedError\n"


def honest(folder: Path, count: int) -> Path:
    """A class in which everybody is right."""
    for index in range(count):
        _copy("alice", folder / f"s{index:04}")
    return folder


def whole(folder: Path, count: int) -> Path:
    """A class in which everybody is right in all exercises of the course, exercise 4 among them."""
    for index in range(count):
        shutil.copytree(ROOT / "submissions/alice", folder / f"s{index:04}")
    return folder


def varied(folder: Path, count: int, seed: int = 1) -> Path:
    """A class in which everybody is right in their own way: any of the stored right stubs."""
    rng = random.Random(seed)
    stubs: dict[str, dict[str, list[str]]] = {name: {} for name in EXERCISES}
    for cell in _cells("right"):
        if cell.exercise in stubs:
            stubs[cell.exercise].setdefault(cell.gradient, []).append(cell.code)
    for index in range(count):
        place = folder / f"s{index:04}"
        place.mkdir(parents=True)
        for name, ways in stubs.items():
            chosen = (rng.choice(codes) for codes in ways.values())
            (place / f"{name}.py").write_text("\n".join(chosen), "utf-8")
    return folder


def mixed(folder: Path, count: int, seed: int = 1, *, without: str = "") -> Path:
    """A class as it is, the same for the same seed; every kind occurs where the class is large enough.

    Args:
        folder: where it is laid out.
        count: how many there are in it.
        seed: decides which kind each submission is.
        without: a kind that is left out; the others are the same as with it.
    """
    rng = random.Random(seed)
    kinds = [kind for kind, share in MIX.items() for _ in range(round(share * count))]
    kinds += ["right"] * (count - len(kinds))
    rng.shuffle(kinds)
    for index, kind in enumerate(kinds[:count]):
        place, changes = folder / f"s{index:04}", list(_changes(kind, rng))
        if kind == without:
            continue
        _copy("mallory" if kind == "hostile" else "alice", place)
        with (place / f"{EXERCISES[0]}.py").open("a", encoding="utf-8") as file:
            file.writelines(changes)
    return folder


def _copy(sample: str, place: Path) -> None:
    place.mkdir(parents=True)
    for name in EXERCISES:
        source = ROOT / "submissions" / sample / f"{name}.py"
        if source.exists():
            shutil.copy(source, place)


def _changes(kind: str, rng: random.Random) -> Iterator[str]:
    """Text to append to a right submission: functions that are defined again replace the first."""
    if kind in ("right", "wrong"):
        cells = [cell for cell in _cells(kind) if cell.exercise == EXERCISES[0]]
        quick = [cell for cell in cells if cell.outcome not in ("timed_out", "out_of_memory")]
        yield from (f"\n{cell.code}" for cell in rng.sample(quick, rng.randint(1, 4)))
    elif kind == "unfinished":
        asks = ("dC", "demb", "db1", "dW1", "dembcat", "dhprebn", "dbnmeani", "dbndiff", "dbnvar")
        yield from (UNFINISHED.format(name=name) for name in asks[: rng.randint(2, len(asks))])
    elif kind == "hanging":
        yield HANG


def _cells(kind: str) -> list[Any]:
    """The stored stubs that are right, or those that are wrong."""
    sys.path.insert(0, str(ROOT))
    from tests.cells import read

    return read(ROOT / f"tests/corpus/{kind}.py")
