"""No box is opened without a layer that is said to be in force, and who has gone is reported as gone."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from grader.apps.doctor import timekeeping
from grader.errors import IsolationError
from grader.sandbox.box import Box
from grader.sandbox.linux import Zygote
from grader.sandbox.process import Limits
from tests.wanted import only_where

pytestmark = only_where(sys.platform == "linux", "boxes are forked from a parent on Linux alone")

LIMITS = Limits(30.0, 1024)

FAILING = """
import sys
from grader.sandbox import zygote
from grader.sandbox.layers import Layer, Unavailable

boxes = 0

def before_fork(confinement):
    global boxes
    boxes += 1
    fail("before_fork")

def inside(confinement):
    fail("inside")

def fail(moment):
    # The first box is the one in which the layers are tried.
    if moment == {moment!r} and boxes > 2:
        raise {error}("none is left")

late = Layer("late", 99, "", "", lambda confinement: None, before_fork=before_fork, inside=inside)
layers = (*zygote.layers(), late)
zygote.layers = lambda: layers
zygote.main(int(sys.argv[1]))
"""


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    with closing(Zygote()) as boxes:
        yield boxes


@pytest.mark.parametrize("moment", ["before_fork", "inside"])
@pytest.mark.parametrize("error", ["Unavailable", "OSError"])
def test_a_layer_that_fails_later_leaves_no_box_open(moment: str, error: str) -> None:
    with closing(Zygote(program=("-c", FAILING.format(moment=moment, error=error)))) as boxes:
        assert "late" in boxes.isolation.layers
        with Box(boxes.open(LIMITS), LIMITS) as box:
            box.load({"work.py": b""}, [])
        for _ in range(2):
            with pytest.raises(IsolationError, match="no box can be opened: late: none is left"):
                boxes.open(LIMITS)


def test_what_a_box_uses_is_read_from_outside(zygote: Zygote) -> None:
    """And the doctor says that this is what counts."""
    assert "computes or sleeps" in timekeeping(zygote)
    process = zygote.open(LIMITS)
    with Box(process, LIMITS) as box:
        box.load({"work.py": b"def spins():\n    for _ in range(10**6): pass\n"}, ["spins"])
        before = process.usage()
        box.call("spins", [{}])
        after = process.usage()
    assert before is not None
    assert after is not None
    assert after.cpu_s > before.cpu_s


def test_a_zygote_that_has_gone_is_no_fault_of_a_submission(zygote: Zygote) -> None:
    box = zygote.open(LIMITS)
    end(zygote)
    # Other limits first: the box that was made ahead may have been handed over before the end.
    for limits in (Limits(31.0, 1024), LIMITS):
        with pytest.raises(IsolationError, match="is gone"):
            zygote.open(limits)
    box.kill()
    with pytest.raises(IsolationError, match="is gone"):
        zygote.reap(1, tell=True)


def end(zygote: Zygote) -> None:
    """Kill a zygote, and wait until it has gone: what was started may be no more than who waits for it."""
    zygote._process.kill()
    zygote._process.wait()
    gone = select.poll()
    gone.register(zygote._control, 0)
    assert gone.poll(60_000)
