"""The portable base: the same judge, boxes that are plain subprocesses."""

from collections.abc import Iterator

import pytest

from grader.apps.doctor import timekeeping
from grader.course.course import Course
from grader.course.settings import Settings
from grader.errors import IsolationError
from grader.grading.judge import Judge
from grader.grading.suites import prepare_suites
from grader.sandbox.box import Box
from grader.sandbox.open import require
from grader.sandbox.portable import Subprocesses
from grader.sandbox.process import Limits
from tests.conftest import Desk

STUBS = """
import os, torch, time

def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[range(n), Yb] = -1.0 / n
    return d

def dprobs(probs, dlogprobs):
    time.sleep(60)

def dcounts_sum_inv(counts, dprobs):
    os._exit(0)

def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -counts_sum**-2 * dcounts_sum_inv

def dcounts(logits, Yb):
    logits.requires_grad_()
    torch.nn.functional.cross_entropy(logits, Yb).backward()
"""


@pytest.fixture(scope="module")
def boxes() -> Iterator[Subprocesses]:
    found = Subprocesses()
    yield found
    found.close()


def test_grades_as_a_zygote_does(
    boxes: Subprocesses, course: Course, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(time_limit_s=3)
    judge = Judge(boxes, prepare_suites(course, course.select(["ex1_step_by_step"]), settings), settings)
    outcomes = Desk(judge, tmp_path_factory.mktemp("student")).outcomes({"ex1_step_by_step": STUBS})
    assert outcomes["dlogprobs"] == "exact"
    assert outcomes["dprobs"] == "timed_out"
    assert outcomes["dcounts_sum_inv"] == "crashed"
    assert outcomes["dcounts_sum"] in ("exact", "close")
    assert outcomes["dcounts"] == "forbidden"
    assert outcomes["dC"] == "missing"


def test_counts_every_second_and_says_so(boxes: Subprocesses) -> None:
    """A plain subprocess is not looked at from outside; the doctor says which clock decides."""
    assert "every second on the wall" in timekeeping(boxes)
    with Box(boxes.open(Limits(5.0, 1024)), Limits(5.0, 1024)) as box:
        assert box._process.usage() is None
        assert box._process.can_kill_itself


def test_says_plainly_what_it_does_not_protect(boxes: Subprocesses) -> None:
    isolation = boxes.isolation
    assert isolation.layers[0] == "subprocess"
    assert {"root", "network", "seccomp"} <= {layer.name for layer in isolation.missing}
    with pytest.raises(IsolationError, match="answers could be read"):
        require(boxes)
