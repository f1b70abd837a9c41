"""What the time of one submission goes into, seen from its judge: where to look for the next hot spot.

python benchmarks/stages.py [--quick]

Wall-clock time of one worker on alice's work. Waiting for a box counts, as does whatever else the machine does.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import classes

from grader.batch.store import ResultStore
from grader.batch.task import rendered
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading import judge, runner
from grader.grading.engine import Engine
from grader.grading.prepared import PreparedCourse
from grader.sandbox.box import Box
from grader.sandbox.linux import Zygote

STAGES = (
    ("a box: order, fork, layers", Zygote, "open"),
    ("import of the student's module", Box, "load"),
    ("calls: inputs there, answers back", Box, "call"),
    ("checks", runner, "_asked_of"),
    ("each gradient's line, diagnosis included", judge, "report"),
    ("end of the box", Box, "close"),
)


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Add up how long each stage takes while this is in force."""
    patches = [
        mock.patch.object(owner, name, _timed(owner, name, label, spent)) for label, owner, name in STAGES
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def _timed(owner: Any, name: str, label: str, spent: dict[str, float]) -> Any:
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        result = function(*args, **named)
        if isinstance(result, Iterator):
            result = iter(list(result))
        spent[label] += time.perf_counter() - started
        return result

    return wrapper


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Milliseconds of each stage and their share."""
    count = 40 if quick else 300
    prepared = PreparedCourse(Course.at(classes.ROOT), classes.EXERCISES, Settings())
    boxes = Zygote(prepared.course.hidden)
    spent: dict[str, float] = defaultdict(float)
    grader = Engine.over(prepared, boxes)
    path = classes.ROOT / "submissions/alice"
    for _ in range(10):
        grader.grade(path)
    with tempfile.TemporaryDirectory() as out, timed(spent):
        store = ResultStore(Path(out))
        store.open()
        started = time.perf_counter()
        for _ in range(count):
            read = time.perf_counter()
            submission = grader.read(path)
            spent["reading it"] += time.perf_counter() - read
            card = grader.grade(submission)
            wrote = time.perf_counter()
            written = rendered(card)
            spent["scorecards rendered"] += time.perf_counter() - wrote
            wrote = time.perf_counter()
            store.write(submission.name, written, "key")
            spent["scorecards written"] += time.perf_counter() - wrote
        whole = time.perf_counter() - started
    boxes.close()
    spent["everything else of the judge's"] = whole - sum(spent.values())
    order = sorted(spent.items(), key=lambda pair: -pair[1])
    return [(label, f"{s / count * 1000:.1f} ms, {s / whole:.0%}") for label, s in order] + [
        ("all of it, one worker", f"{whole / count * 1000:.1f} ms")
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
