"""Stubs that are no plain functions: each is looked at by itself, whatever it does then."""

from __future__ import annotations

import pytest

from grader.scorecard.model import Outcome
from tests.conftest import Desk
from tests.grading.test_judge import ALICE, EX1

ODD = """
import time
class Sleeps:
    @property
    def __signature__(self):
        time.sleep(3600)
    def __call__(self, **given):
        raise ValueError
class SlowTuple(tuple):
    def __len__(self):
        time.sleep(3600)
class SlowDict(dict):
    def __bool__(self):
        time.sleep(3600)
    __len__ = __contains__ = __iter__ = __bool__
class SlowText(str):
    def __eq__(self, other):
        time.sleep(3600)
    __hash__ = str.__hash__
def plain(logprobs, Yb=0):
    raise ValueError
"""
ODDITIES = {
    "an object whose signature never comes": "dh = Sleeps()",
    "a function with such a signature": "dh = plain\ndh.__signature__ = Sleeps()",
    "defaults that cannot be counted": "dh = plain\ndh.__defaults__ = SlowTuple([1])",
    "defaults by name that cannot be looked up": "dh = plain\ndh.__kwdefaults__ = SlowDict(a=1)",
    "attributes that cannot be counted": "dh = plain\ndh.__dict__ = SlowDict(a=1)",
    "a file that cannot be compared": "dh = plain\n"
    "dh.__code__ = dh.__code__.replace(co_filename=SlowText('x'))",
    "a name that cannot be compared": "globals()[SlowText('dh')] = globals().pop('dh')",
    "an attribute of a class that raises": "class Raises(type):\n"
    "    def __getattribute__(self, name):\n        raise SystemExit\n"
    "class Odd(metaclass=Raises): pass\ndh = Odd",
}


@pytest.mark.parametrize("odd", ODDITIES.values(), ids=ODDITIES)
def test_what_cannot_be_looked_at_costs_its_own_function_alone(desk: Desk, odd: str) -> None:
    outcomes = desk.outcomes({EX1: f"{ALICE[EX1]}\n{ODD}\n{odd}\n"})
    assert not Outcome(outcomes.pop("dh")).scores
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes


WRAPPED = """
import functools
dh = functools.wraps(dh)(functools.partial(dh))
plain_dW2 = dW2
@functools.wraps(dW2)
def dW2(*given, **named):
    return plain_dW2(*given, **named)
"""


def test_what_is_right_though_no_plain_function_scores(desk: Desk) -> None:
    outcomes = desk.outcomes({EX1: ALICE[EX1] + WRAPPED})
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes
