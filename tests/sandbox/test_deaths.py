"""Who killed a box: its judge, a limit, somebody else, or itself. Only a limit of ours is a student's fault."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from grader.sandbox.box import Box, BoxDied
from grader.sandbox.linux import Zygote
from grader.sandbox.process import SPENT, Limits, how_it_died
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Outcome
from tests.conftest import Desk
from tests.grading.test_judge import ALICE, EX1
from tests.wanted import only_where

pytestmark = only_where(sys.platform == "linux", "boxes are killed by number on Linux alone")

LIMITS = Limits(60.0, 512)

LACKING = """
import sys
from dataclasses import replace
from grader.sandbox import zygote
from grader.sandbox.layers import Unavailable
from tests.wanted import only_where

def absent(confinement):
    raise Unavailable("left out")

def without(layer):
    return replace(layer, early=absent, warm=absent, before_fork=absent, inside=absent)

layers = tuple(without(layer) if layer.name in {names!r} else layer for layer in zygote.layers())
zygote.layers = lambda: layers
zygote.main(int(sys.argv[1]))
"""

CODE = b"""
import os, signal

def waits():
    while True:
        signal.pause()

def spins():
    while True:
        pass

def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)

def aborts():
    os.abort()
"""
NAMES = ["waits", "spins", "kills_itself", "aborts"]


def test_a_box_that_somebody_kills_says_nothing_of_the_code_in_it(zygote: Zygote) -> None:
    process = zygote.open(LIMITS)
    with Box(process, LIMITS) as box:
        box.load({"work.py": CODE}, NAMES)
        operator = threading.Timer(0.1, signal.pidfd_send_signal, (process.pidfd, signal.SIGKILL))
        operator.start()
        with pytest.raises(BoxDied) as death:
            box.call("waits", [{}])
        operator.join()
    assert death.value.foreign
    assert death.value.failed.outcome is Outcome.GRADER_FAULT


def test_a_box_that_spent_its_whole_life_over_many_questions_is_not_the_last_ones_fault(
    zygote: Zygote,
) -> None:
    """The kernel ends it, after the processor time of many questions: here by one that is allowed as much."""
    limits = Limits(0.001, 512)
    with Box(zygote.open(limits), limits) as box:
        box.load({"work.py": CODE}, NAMES, limit_s=60.0)
        with pytest.raises(BoxDied) as death:
            box.call("spins", [{}], limit_s=60.0)
    assert death.value.foreign
    assert death.value.failed.outcome is Outcome.TIMED_OUT
    assert how_it_died(SPENT)[0] is Outcome.TIMED_OUT


@pytest.mark.parametrize("lacking", [(), ("processes",), ("seccomp",), ("processes", "seccomp")], ids=str)
def test_who_kills_itself_never_makes_that_our_fault(lacking: Sequence[str]) -> None:
    """Whatever layers there are: it survives, or it dies of its own doing."""
    with closing(Zygote(program=("-c", LACKING.replace("{names!r}", repr(lacking))))) as boxes:
        assert set(lacking).isdisjoint(boxes.isolation.layers)
        with Box(boxes.open(LIMITS), LIMITS) as box:
            box.load({"work.py": CODE}, NAMES)
            if not boxes.boxes_can_kill_themselves:
                assert len(box.call("kills_itself", [{}]).called) == 1, "it survives"
                return
            with pytest.raises(BoxDied) as death:
                box.call("kills_itself", [{}])
            assert death.value.failed.outcome is Outcome.CRASHED


def test_a_box_may_still_abort(zygote: Zygote) -> None:
    with Box(zygote.open(LIMITS), LIMITS) as box:
        box.load({"work.py": CODE}, NAMES)
        with pytest.raises(BoxDied) as death:
            box.call("aborts", [{}])
    assert not death.value.foreign
    assert death.value.failed.outcome is Outcome.CRASHED


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Functions whose boxes are killed as soon as they are called, and how often still."""
    left: dict[str, int] = {}
    call = Box.call

    def doomed(self: Box, function: str, cases: Sequence[Arguments], **more: object) -> object:
        if left.get(function):
            left[function] -= 1
            signal.pidfd_send_signal(self._process.pidfd, signal.SIGKILL)  # type: ignore[attr-defined]
        return call(self, function, cases, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Box, "call", doomed)
    return left


def test_a_right_function_survives_a_kill(desk: Desk, killed: dict[str, int]) -> None:
    killed |= {"dh": 1, "dlogprobs": 1, "dC": 1}
    outcomes = desk.outcomes({EX1: ALICE[EX1]})
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes
    assert not any(killed.values())


def test_a_function_that_is_killed_again_and_again_is_our_fault_and_no_zero(
    desk: Desk, killed: dict[str, int]
) -> None:
    killed["dh"] = 99
    card = desk.grade({EX1: ALICE[EX1]})
    assert killed["dh"] == 97, "it was asked twice"
    (exercise,) = [exercise for exercise in card.exercises if exercise.id == EX1]
    (gradient,) = [gradient for gradient in exercise.gradients if gradient.name == "dh"]
    assert gradient.outcome is Outcome.GRADER_FAULT
    assert gradient.score is None
    assert card.at_fault, "such a scorecard is not kept"
    assert exercise.score == len(exercise.gradients) - 1
