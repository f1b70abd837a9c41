"""The truth, its envelope and its blind spots."""

from pathlib import Path

import pytest
import torch

from grader.checks.cases import Case, CaseSource, cases
from grader.checks.oracle import ROUNDING, RUNS, Blind, Oracle
from grader.course.course import Course
from grader.course.exercise import tensor_of
from grader.course.forward import Forward


@pytest.fixture(scope="module")
def oracles(course: Course) -> tuple[Oracle, ...]:
    return tuple(Oracle(case) for case in cases(course.exercises[0]))


def test_the_truth_is_autograds(oracles: tuple[Oracle, ...]) -> None:
    """Held against one plain ``backward`` on the lecture's own lines, written out again."""
    case = oracles[0].case
    p = {
        name: case.inputs[name].clone().requires_grad_()
        for name in ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias")
    }
    hprebn = p["C"][case.inputs["Xb"]].view(32, -1) @ p["W1"] + p["b1"]
    normal = (hprebn - hprebn.mean(0, keepdim=True)) / (
        hprebn.var(0, keepdim=True, unbiased=True) + 1e-5
    ).sqrt()
    logits = torch.tanh(p["bngain"] * normal + p["bnbias"]) @ p["W2"] + p["b2"]
    torch.nn.functional.cross_entropy(logits, case.inputs["Yb"]).backward()
    for name, parameter in p.items():
        assert parameter.grad is not None
        torch.testing.assert_close(
            parameter.grad, oracles[0].expected[name].precise.float(), rtol=1e-5, atol=1e-8
        )


def test_float32_autograd_is_within_a_fraction_of_every_tolerance(oracles: tuple[Oracle, ...]) -> None:
    for oracle in oracles:
        for name, expected in oracle.expected.items():
            assert expected.difference(expected.autograd) <= expected.tolerance / 4, (oracle.case.name, name)


def test_tolerances_are_tight(oracles: tuple[Oracle, ...]) -> None:
    """The closest wrong answer seen in real work was off by 4e-5 of the largest entry."""
    for oracle in oracles:
        for name, expected in oracle.expected.items():
            if not expected.vanishes:
                assert expected.tolerance < 4e-5 * expected.scale, (oracle.case.name, name)


def test_paths_add_up_to_the_truth(oracles: tuple[Oracle, ...]) -> None:
    for oracle in oracles:
        for name in ("counts", "logits", "bndiff", "hprebn", "C", "n"):
            if name == "n":
                continue
            total = sum(path.precise for path in oracle.paths(name).values())
            torch.testing.assert_close(total, oracle.expected[name].precise)


def test_blind_spots_are_found(oracles: tuple[Oracle, ...], course: Course) -> None:
    blind = Blind.measure(oracles)
    asked = {tensor_of(ask) for ask in course.exercises[0].asks}
    assert blind.tensors & asked == {"b1", "logit_maxes"}
    assert blind.paths == {("logits", "logit_maxes")}


def test_random_upstreams_see_what_the_plain_loss_does_not(oracles: tuple[Oracle, ...]) -> None:
    seeing = oracles[1].random({"hprebn"}, {"hprebn", "b1"})
    assert not seeing["b1"].vanishes
    torch.testing.assert_close(seeing["b1"].precise, seeing["hprebn"].precise.sum(0))


def test_random_upstreams_are_the_same_for_every_stub(oracles: tuple[Oracle, ...]) -> None:
    one, two = (oracles[1].random({"h"}, {"h", other})["h"].autograd for other in ("W1", "b1"))
    assert torch.equal(one, two)


def test_sizes_differ_from_the_lectures_and_from_each_other(course: Course) -> None:
    exercise = course.exercises[0]
    lecture = set(exercise.lecture.sizes.values())
    for case in exercise.fresh:
        sizes = {name: size for name, size in case.sizes.items() if name != "gain"}
        assert len(set(sizes.values())) == len(sizes), case.name
        assert not lecture & set(sizes.values()), case.name


def test_fresh_cases_repeat_characters(oracles: tuple[Oracle, ...]) -> None:
    for oracle in oracles[1:]:
        characters = oracle.case.inputs["Xb"]
        assert len(characters.unique()) < characters.numel()


def test_another_seed_draws_other_cases_and_the_same_lecture(course: Course) -> None:
    exercise = course.exercises[0]
    one, two = cases(exercise, 1), cases(exercise, 2)
    assert torch.equal(one[0].values["logits"], two[0].values["logits"])
    assert not torch.equal(one[1].values["logits"], two[1].values["logits"])
    assert torch.equal(one[1].values["logits"], cases(exercise, 1)[1].values["logits"])


SWITCHED = """
import torch

def draw(generator, *, rows, on, through):
    w = torch.randn((3,), generator=generator)
    return {"x": torch.randn((rows, 3), generator=generator), "w": w, "on": float(on), "through": float(through)}

def forward(x, w, on, through):
    scores = x * w
    shifted = scores * through
    total = scores + shifted
    loss = (total * on).sum()
    return loss
"""


def switched(folder: Path, **sizes: float) -> Case:
    """A case of a forward pass in which a size says whether anything comes back, or through one of two lines."""
    path = folder / "forward.py"
    path.write_text(SWITCHED, "utf-8")
    forward = Forward.load(path)
    return CaseSource(forward, "fresh 1", None, tuple(sizes.items()), 1, "switched", None).draw()


@pytest.mark.parametrize("order", [1, -1])
def test_what_vanishes_in_some_cases_only_is_no_blind_spot(tmp_path: Path, order: int) -> None:
    """A gradient that one case shows decides there; no random upstream is needed."""
    seen = Oracle(switched(tmp_path, rows=4, on=1, through=1))
    unseen = Oracle(switched(tmp_path, rows=5, on=0, through=1))
    one_way = Oracle(switched(tmp_path, rows=6, on=1, through=0))
    assert "w" in Blind.measure([unseen]).tensors
    assert "w" not in Blind.measure([seen, unseen][::order]).tensors
    assert ("scores", "shifted") in Blind.measure([one_way]).paths
    assert ("scores", "total") not in Blind.measure([one_way]).paths
    assert ("scores", "shifted") not in Blind.measure([seen, one_way][::order]).paths
    assert ("scores", "shifted") in Blind.measure([unseen, one_way][::order]).paths


def test_random_upstreams_are_of_the_size_of_real_ones(oracles: tuple[Oracle, ...]) -> None:
    """A mean over the rows has made those small; random ones are standard normal over the number of rows."""
    for oracle in oracles:
        rows = oracle.case.values["hprebn"].shape[0]
        seen = oracle.random({"hprebn"}, {"hprebn"})["hprebn"].precise
        drawn = (seen - oracle.expected["hprebn"].precise) * rows
        assert drawn.numel() > 90
        assert 0.8 < float(drawn.std()) < 1.2, oracle.case.name
        assert abs(float(drawn.mean())) < 0.3, oracle.case.name


def test_an_envelope_is_the_largest_deviation_of_several_runs(oracles: tuple[Oracle, ...]) -> None:
    """One run may happen to round well: each rounds in its own way, and all of them count."""
    assert RUNS >= 3
    for oracle in oracles[:2]:
        runs = [run.gradients["W1"] for run in oracle.disturbed]
        assert len(runs) == RUNS
        assert not any(torch.equal(one, two) for i, one in enumerate(runs) for two in runs[:i])
        precise = oracle.expected["W1"].precise
        deviations = [float((run - precise).abs().max()) for run in runs]
        assert oracle.expected["W1"].envelope >= max(deviations)
        assert min(deviations) > ROUNDING * oracle.expected["W1"].scale / 100
