"""A worker and its boxes keep to a processor of their own, where there are enough; nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from grader.batch.cpus import ANYWHERE, CpuPin, cores, seats
from tests.wanted import only_where

pytestmark = only_where(
    hasattr(os, "sched_getaffinity"), "this system does not tell which processors there are"
)

TELL = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]


def test_each_worker_has_a_processor_of_its_own() -> None:
    found = [seat.processor for seat in seats(cores())]
    assert found == sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("more", [-1, 1, 5])
def test_where_there_are_too_few_or_some_left_the_system_sees_to_it(more: int) -> None:
    assert seats(cores() + more) == (ANYWHERE,) * (cores() + more)


def test_what_is_started_keeps_to_the_processor_and_we_do_not() -> None:
    before = os.sched_getaffinity(0)
    seat = seats(cores())[-1]
    with seat.lent():
        told = subprocess.run(TELL, capture_output=True, text=True, check=True).stdout
    assert told.strip() == str([seat.processor])
    assert os.sched_getaffinity(0) == before
    with ANYWHERE.lent():
        assert os.sched_getaffinity(0) == before


def test_a_processor_that_was_taken_away_is_done_without() -> None:
    before = os.sched_getaffinity(0)
    with CpuPin(100_000).lent():
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
