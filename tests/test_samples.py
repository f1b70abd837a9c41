"""The sample submissions get exactly the outcomes they declare, in their ``expected.toml``."""

import tomllib
from pathlib import Path

import pytest

from grader.grading.judge import Judge
from grader.scorecard.model import Gradient
from tests.conftest import ROOT, Desk

SAMPLES = sorted((ROOT / "submissions").glob("*/expected.toml"))


def as_declared(gradient: Gradient, declared: str) -> bool:
    return gradient.outcome.scores if declared == "scores" else gradient.outcome.value == declared


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_a_sample_gets_what_it_declares(path: Path, judge: Judge) -> None:
    expected = tomllib.loads(path.read_text("utf-8"))
    card = Desk(judge, path.parent).grade_folder(path.parent)
    wrong = []
    for exercise in card.exercises:
        declared = expected[exercise.id]
        for gradient in exercise.gradients:
            wanted = declared.get(gradient.name, declared["default"])
            if not as_declared(gradient, wanted):
                wrong.append(
                    f"{exercise.id} {gradient.name}: declared {wanted}, got {gradient.outcome}: {gradient.error}"
                )
    assert not wrong, "\n".join(wrong)


def test_the_samples_are_there() -> None:
    assert [path.parent.name for path in SAMPLES] == ["alice", "bob", "carol", "mallory"]
