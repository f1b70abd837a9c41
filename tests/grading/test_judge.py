"""The judge: one stub's trouble is its own, and no box is told an answer it has still to give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.judge import Judge
from grader.grading.suites import prepare_suites
from grader.sandbox.box import Box
from grader.sandbox.replies import Reply
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Outcome
from tests.conftest import ROOT, Desk

ALICE = {path.stem: path.read_text("utf-8") for path in (ROOT / "submissions/alice").glob("*.py")}
EX1 = "ex1_step_by_step"


def broken(stub: str, body: str) -> dict[str, str | bytes]:
    """Alice's work with one stub made anew, whatever its parameters were."""
    return {EX1: ALICE[EX1] + f"\n\ndef {stub}():\n    {body}\n"}


@pytest.mark.parametrize(
    ("stub", "body", "expected"),
    [
        ("dlogprobs", "return None", "not_a_tensor"),
        ("dprobs", "raise ValueError('no')", "error"),
        ("dcounts", "import os; os._exit(3)", "crashed"),
        ("dlogits", "import os; os.close(3); [os.close(i) for i in range(4, 20)]", "error"),
        ("dh", "import ctypes; ctypes.string_at(0)", "crashed"),
        ("dbnvar", "import sys; sys.setrecursionlimit(10**9); f = lambda: f(); f()", None),
    ],
)
def test_blame_never_cascades(desk: Desk, stub: str, body: str, expected: str | None) -> None:
    outcomes = desk.outcomes(broken(stub, body))
    if expected is not None:
        assert outcomes[stub] == expected
    assert not Outcome(outcomes.pop(stub)).scores
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes


def test_a_stub_that_poisons_its_box_harms_no_other(desk: Desk) -> None:
    poison = "import torch; torch.Tensor.sum = torch.Tensor.exp = torch.zeros_like = None; return 1"
    outcomes = desk.outcomes(broken("dlogprobs", poison))
    assert outcomes.pop("dlogprobs") == "not_a_tensor"
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes


def test_a_stub_may_change_its_arguments(desk: Desk) -> None:
    body = "for v in (counts, dprobs, probs): v.zero_()\n    raise ValueError"
    code = ALICE[EX1] + f"\n\ndef dcounts_sum_inv(counts, dprobs, probs):\n    {body}\n"
    outcomes = desk.outcomes({EX1: code})
    assert outcomes.pop("dcounts_sum_inv") == "error"
    assert all(Outcome(outcome).scores for outcome in outcomes.values()), outcomes


def test_no_box_is_told_an_answer_it_has_still_to_give(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches every frame on its way into a box: an upstream only after its own stub was asked, in that box."""
    (suite,) = [suite for suite in judge.suites if suite.exercise.id == EX1]
    asked: dict[Box, set[str]] = {}
    call = Box.call

    def watched(self: Box, function: str, cases: Sequence[Arguments], *rest: object, **more: object) -> Reply:
        already = asked.setdefault(self, set())
        for arguments in cases:
            handed = {name for name in arguments if name in suite.exercise.asks}
            assert handed <= already, (function, handed - already)
        already.add(function)
        return call(self, function, cases, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Box, "call", watched)
    lone = Judge(judge.opener, (suite,), judge.settings)
    card = Desk(lone, ROOT).grade_folder(ROOT / "submissions/alice")
    assert card.score == len(suite.exercise.asks)
    assert len(asked) == 1


def test_unknown_parameters_are_named(desk: Desk) -> None:
    card = desk.grade({EX1: "def dprobs(prob, dlogprobs):\n    return prob\n"})
    gradient = next(g for e in card.exercises for g in e.gradients if g.name == "dprobs")
    assert gradient.outcome is Outcome.ERROR
    assert gradient.error is not None
    assert "did you mean `probs`?" in gradient.error.message
    assert gradient.line == 1


def test_a_default_serves_where_nothing_is_handed_out(desk: Desk) -> None:
    code = "def dprobs(probs, dlogprobs, eps=0.0, *, n=1):\n    return dlogprobs / (probs + eps) + 0 * n\n"
    assert desk.outcomes({EX1: code})["dprobs"] == "exact"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("def dprobs(:\n", "invalid syntax"),
        ("import nowhere\nnowhere.use()\n", "nowhere is not installed"),
        (b"x = '\xff\xfe'\n", "decode"),
        ("def dprobs():\n  x = 1\n return x\n", "unindent"),
        ("raise SystemExit(0)\n", ""),
        (b"x = 1\0\n", "null bytes"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_graded(desk: Desk, content: str | bytes, words: str) -> None:
    card = desk.grade({EX1: content})
    for gradient in next(e for e in card.exercises if e.id == EX1).gradients:
        assert gradient.outcome is Outcome.ERROR
        assert gradient.error is not None
        assert words in gradient.error.message
    assert card.at_fault is False


def test_a_syntax_error_has_its_line(desk: Desk) -> None:
    card = desk.grade({EX1: "import torch\n\ndef dprobs(:\n"})
    assert {g.error.line for e in card.exercises if e.id == EX1 for g in e.gradients if g.error} == {3}


def test_what_a_stub_prints_is_kept_and_capped(desk: Desk) -> None:
    code = "def dprobs(probs):\n    print('shape', probs.shape)\n    print('x' * 10**6)\n"
    card = desk.grade({EX1: code})
    output = next(g.output for e in card.exercises for g in e.gradients if g.name == "dprobs")
    assert output is not None
    assert output.startswith("shape torch.Size([32, 27])")
    assert len(output) < 5000


def test_an_exception_is_quoted_with_the_students_line(desk: Desk) -> None:
    card = desk.grade({EX1: "import torch\ndef dprobs(probs):\n    return probs @ probs\n"})
    fault = next(g.error for e in card.exercises for g in e.gradients if g.name == "dprobs")
    assert fault is not None
    assert fault.line == 3
    assert fault.traceback == ("ex1_step_by_step.py:3 in dprobs: return probs @ probs",)


def test_a_witness_that_disagrees_is_our_fault_and_no_zero(judge: Judge, course: Course) -> None:
    (exercise,) = course.select(["ex2_cross_entropy"])
    (suite,) = prepare_suites(course, [exercise], Settings())
    assert suite.reference is not None
    wrong = {"dlogits": lambda logits, Yb, n: torch.zeros_like(logits)}
    broken_suite = type(suite)(
        **{**{f: getattr(suite, f) for f in ("exercise", "oracles")}, "reference": wrong}
    )
    card = Desk(Judge(judge.opener, (broken_suite,), Settings()), ROOT).grade_folder(
        ROOT / "submissions/alice"
    )
    ((gradient,),) = [e.gradients for e in card.exercises]
    assert gradient.outcome is Outcome.GRADER_FAULT
    assert gradient.score is None
    assert card.at_fault
    assert card.max_score == 0


def test_grading_works_without_a_reference(zygote: object, course: Course, tmp_path: Path) -> None:
    (tmp_path / "exercises").symlink_to(course.root / "exercises")
    lone = Course.at(tmp_path)
    (exercise,) = lone.select(["ex3_batchnorm"])
    (suite,) = prepare_suites(lone, [exercise], Settings())
    card = Desk(Judge(zygote, (suite,), Settings()), ROOT).grade_folder(ROOT / "submissions/alice")  # type: ignore[arg-type]
    ((gradient,),) = [e.gradients for e in card.exercises]
    assert gradient.outcome.scores
    assert gradient.reference is None


def test_what_is_forgotten_is_judged_anew_and_alike(desk: Desk) -> None:
    """What came back before is told as it was then; forgotten, it is worked out to the same."""
    work = broken("dcounts", "return 1 / 0")
    first, again = desk.outcomes(work), desk.outcomes(work)
    for suite in desk.judge.suites:
        assert not suite.cache.is_empty or suite.exercise.id != EX1
        suite.cache.forget()
        assert suite.cache.is_empty
    assert first == again == desk.outcomes(work)
