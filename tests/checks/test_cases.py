"""Cases are drawn from seeds: each from its own, the same each time, and a fixed seed is fixed."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader.checks.cases import CaseSource, cases, draw_start, sources
from grader.course.course import Course
from grader.course.exercise import CaseSettings, Exercise
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def exercise(course: Course) -> Exercise:
    return course.exercises[0]


def sources_of_one_size(exercise: Exercise) -> tuple[CaseSource, ...]:
    """Fresh cases that nothing but their names tells apart."""
    return tuple(replace(source, sizes=sources(exercise)[1].sizes) for source in sources(exercise)[1:])


def test_each_case_is_drawn_from_a_seed_of_its_own(exercise: Exercise) -> None:
    """Of the same sizes, they are not the same: inputs, random upstreams and rounding all differ."""
    drawn = [source.draw() for source in sources_of_one_size(exercise)]
    assert len({case.seed for case in drawn}) == len(drawn)
    for one, two in itertools.pairwise(drawn):
        assert one.inputs["W1"].shape == two.inputs["W1"].shape
        assert not torch.equal(one.inputs["W1"], two.inputs["W1"])
        first, second = (torch.rand(4, generator=case.generator("rounding")) for case in (one, two))
        assert not torch.equal(first, second)


def test_a_seed_s_purposes_share_nothing(exercise: Exercise) -> None:
    case = cases(exercise)[1]
    first, second, again = (torch.rand(4, generator=case.generator(p)) for p in ("one", "two", "one"))
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_the_same_source_draws_the_same_case(exercise: Exercise) -> None:
    """And everything that a source tells makes a difference to what is drawn."""
    (source, *_) = sources_of_one_size(exercise)
    drawn = source.draw().inputs["W1"]
    assert torch.equal(drawn, source.draw().inputs["W1"])
    for change in ({"name": "fresh 9"}, {"seed": 2}, {"owner": "another"}, {"owner": None}, {"fixed": 0}):
        other = replace(source, **change)  # type: ignore[arg-type]
        assert other != source
        assert not torch.equal(drawn, other.draw().inputs["W1"]), change


@pytest.mark.parametrize("fixed", [0, 1, 2147483647])
def test_a_fixed_seed_is_fixed_whatever_the_instructor_s(exercise: Exercise, fixed: int) -> None:
    """Zero is a seed like any other."""
    settings = CaseSettings("start", fixed, exercise.fresh[0].sizes)
    one, two = (draw_start(exercise.forward, settings, seed) for seed in (1, 2))
    assert torch.equal(one.inputs["W1"], two.inputs["W1"])
    generator = torch.Generator().manual_seed(fixed)
    sizes = dict(settings.sizes)
    assert torch.equal(one.inputs["W1"], exercise.forward.module["draw"](generator, **sizes)["W1"])
    assert one.source.fixed == fixed


def test_a_seed_of_zero_in_the_settings_is_fixed(tmp_path: Path) -> None:
    """In all three places where a seed may stand."""
    for name in ("ex4_training", "data"):
        shutil.copytree(ROOT / "exercises" / name, tmp_path / name)
    path = tmp_path / "ex4_training" / "exercise.toml"
    text = path.read_text("utf-8")
    text = text.replace("seed = 2147483647", "seed = 0").replace("[[fresh]]", "[[fresh]]\nseed = 0")
    path.write_text(text, "utf-8")
    exercise = Exercise.load(path.parent)
    (training,) = exercise.training
    settings = (exercise.lecture, *exercise.fresh, training.descent.start)
    assert [one.seed for one in settings] == [0] * len(settings)
    assert [source.drawn_from for source in sources(exercise)] == [0] * len(sources(exercise))
