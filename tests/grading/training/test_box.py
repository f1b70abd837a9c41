"""What a training needs of a box: values with structure, arguments seen afterwards, progress, a stop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from grader.sandbox import frames, values
from grader.sandbox.answers import Failed, Numbers, Other, Returned, Several, item
from grader.sandbox.batches import CHUNK, Batches, Drawing
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.linux import Zygote
from grader.sandbox.process import Limits
from grader.sandbox.replies import Progress, read_answer
from grader.scorecard.model import Outcome

LIMITS = Limits(20, 512)
STEPS = 4000

CODE = b"""
import time, torch

def descend(parameters, batches):
    taken = []
    for step, (Xb, Yb) in enumerate(batches):
        parameters[0] += 1
        taken.append(float(Xb[0, 0]))
        time.sleep(0.001)
    return taken

def by_number(batches):
    for step in range(len(batches)):
        batches[step]
        time.sleep(0.001)

def kinds(x):
    return x, [x, (1, 2.5), None], [torch.tensor(1.0), 2], "word", [[[[x]]]], torch.arange(3)

def arrays(x):
    import numpy as np
    row = np.arange(20, dtype=np.float32)
    return row, list(row), row.reshape(4, 5), np.array(["a"] * 20), np.ones(20, dtype=complex), np.ones(0)

def stuck(batches):
    for step, _ in enumerate(batches):
        while step == 20:
            pass
"""


@pytest.fixture
def drawing() -> Drawing:
    contexts = torch.arange(30).view(10, 3)
    return Drawing(contexts, contexts[:, 0], rows=4, steps=STEPS, seed=5)


@pytest.fixture
def box(zygote: Zygote) -> Iterator[Box]:
    with Box(zygote.open(LIMITS), LIMITS) as opened:
        opened.load({"code.py": CODE}, ["descend", "by_number", "kinds", "arrays", "stuck"])
        yield opened


def test_batches_are_the_same_however_they_are_taken(drawing: Drawing) -> None:
    one, two = Batches(drawing), Batches(drawing)
    for step, (contexts, targets) in enumerate(one):
        if step in (0, 7, CHUNK - 1, CHUNK, STEPS - 1):
            assert contexts.shape == (4, 3)
            assert torch.equal(contexts, two[step][0]) and torch.equal(targets, two[step][1])
    assert len(one) == one.taken == two.taken == STEPS
    assert torch.equal(one[-1][0], two[STEPS - 1][0])


def test_batches_end_where_they_are_stopped(drawing: Drawing) -> None:
    batches = Batches(drawing)
    seen = 0
    for _ in batches:
        seen += 1
        if seen == 3:
            batches.stop()
    assert seen == batches.taken == 3
    with pytest.raises(IndexError, match="stopped"):
        batches[0]
    with pytest.raises(TypeError, match="one at a time"):
        Batches(drawing)[1:2]
    with pytest.raises(IndexError, match="there are 4000"):
        Batches(drawing)[STEPS]


def test_a_batch_changed_in_place_harms_no_other(drawing: Drawing) -> None:
    batches = Batches(drawing)
    before = batches[0][0].clone()
    batches[0][0].zero_()
    assert torch.equal(batches[0][0], before)


def test_what_is_handed_in_comes_out_as_it_went(drawing: Drawing) -> None:
    tensors: dict[str, torch.Tensor] = {}
    value = [torch.ones(2), 3, 0.5, [0.1 * i for i in range(40)], Batches(drawing)]
    built = values.build(values.pack(value, "x", tensors), tensors)
    assert torch.equal(built[0], value[0])
    assert built[1:4] == value[1:4]
    assert torch.equal(built[4][9][0], Batches(drawing)[9][0])
    assert len(tensors) == 4


def test_whatever_is_returned_is_described(box: Box) -> None:
    (called,) = box.call("kinds", [{"x": torch.ones(2, 2)}]).called
    assert isinstance(called.answer, Several)
    tensor, several, numbers, word, deep, integers = called.answer.items
    assert isinstance(tensor, Returned)
    assert isinstance(item(called.answer, (1, 0)), Returned)
    assert isinstance(item(called.answer, (1, 2)), Other)
    assert isinstance(several, Several) and isinstance(several.items[1], Numbers)
    assert isinstance(numbers, Numbers) and numbers.tensor.tolist() == [1.0, 2.0]
    assert word == Other("str")
    assert item(deep, (0, 0, 0)) is None
    assert item(called.answer, (9,)) is None
    assert not isinstance(integers, Returned)


def test_a_row_of_numbers_in_an_array_is_a_list_of_them(box: Box) -> None:
    """And no other array is; to a gradient, which must be a tensor, even that one is none."""
    (called,) = box.call("arrays", [{"x": torch.ones(1)}]).called
    assert isinstance(called.answer, Several)
    row, numbers, *others = called.answer.items
    for one in (row, numbers):
        assert isinstance(one, Numbers) and one.tensor.tolist() == list(range(20))
    assert row.description == "numpy.ndarray of 20"
    assert {type(other) for other in others} == {Other}


def test_a_list_too_wide_too_deep_or_too_long_is_named_and_not_sent() -> None:
    tensors: dict[str, torch.Tensor] = {}
    describer = values.Describer(tensors, left=10)
    wide = describer.describe([torch.ones(1)] * (values.WIDTH_LIMIT + 1), "wide")
    long = describer.describe([1.0] * (values.WIDTH_LIMIT + 1), "long")
    assert {type(read_answer(about, tensors)) for about in (wide, long)} == {Other}
    assert not tensors


def test_arguments_are_seen_afterwards_and_progress_on_the_way(box: Box, drawing: Drawing) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < 4

    arguments = {"parameters": [torch.zeros(2)], "batches": Batches(drawing)}
    (called,) = box.call("descend", [arguments], after=("parameters",), watch=watch).called
    assert isinstance(called.answer, Numbers)
    steps = len(called.answer.tensor)
    assert called.taken == steps < STEPS, "it was not stopped"
    left = item(called.after["parameters"], (0,))
    assert isinstance(left, Returned) and left.tensor.tolist() == [steps, steps]
    assert [p.step for p in seen] == sorted(p.step for p in seen)
    watched = item(seen[-1].after["parameters"], (0,))
    assert isinstance(watched, Returned) and abs(float(watched.tensor[0]) - seen[-1].step) <= 1
    again = box.call("kinds", [{"x": torch.ones(1)}])
    assert again.called[0].taken is None, "the box serves on after a stop"


def test_a_training_is_one_question_and_one_answer(
    box: Box, drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps it makes, they are made in the box: nothing is sent for one."""
    sent: list[frames.Frame] = []
    send = frames.send
    monkeypatch.setattr(frames, "send", lambda *told: (sent.append(told[1]), send(*told))[1])
    (called,) = box.call("descend", [{"parameters": [torch.zeros(2)], "batches": Batches(drawing)}]).called
    assert called.taken == STEPS
    assert [frame.head["do"] for frame in sent] == ["call"]


def test_a_loop_by_number_is_stopped_by_an_exception(box: Box, drawing: Drawing) -> None:
    (called,) = box.call("by_number", [{"batches": Batches(drawing)}], watch=lambda progress: False).called
    assert isinstance(called.answer, Failed)
    assert "the training was stopped" in called.answer.message


def test_the_step_in_which_a_loop_hangs_is_known(zygote: Zygote, drawing: Drawing) -> None:
    limits = Limits(1, 512)
    with Box(zygote.open(limits), limits) as box:
        box.load({"code.py": CODE}, ["stuck"])
        with pytest.raises(BoxDied) as death:
            box.call("stuck", [{"batches": Batches(drawing)}])
    assert death.value.failed.outcome is Outcome.TIMED_OUT
    assert death.value.failed.step == 21
