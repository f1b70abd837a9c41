"""What came back before is not read again, and nothing else is taken for it."""

from __future__ import annotations

import sys
from ast import literal_eval

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from grader.sandbox import payload
from grader.sandbox.answers import Returned
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.frames import Frame
from grader.sandbox.limits import DEPTH_LIMIT, NUMBERS_LIMIT, WIDTH_LIMIT
from grader.sandbox.linux import Zygote
from grader.sandbox.process import Limits
from grader.sandbox.replies import BYTES_KEPT, WORDS_KEPT, Reply, read_answer, weight
from grader.sandbox.requests import REPLIES_BYTES, Calls, no_replies
from grader.submissions.source import Source
from tests.sandbox.test_frames import Genuine, box
from tests.wanted import only_where

SOURCE = Source("work.py", b"def dx(x, y=0):\n    return x * 2\n")


def calls() -> Calls:
    return Calls([{"x": torch.arange(6.0).view(2, 3)}, {"x": torch.ones(4)}])


def asked(asking: Calls, source: bytes, **options: object) -> Reply:
    """What a box that runs some source replies to some calls of its ``dx``."""
    genuine = Genuine()

    def script(request: Frame) -> bytes:
        head, body = genuine(request)
        return Frame({**head, "output": options.get("output", "")}, body).encode()

    with box(script) as opened:
        opened.load(Source("work.py", source).files, ["dx"])
        reply = opened.call("dx", asking, after=("x",) if options.get("after") else ())
    genuine.close()
    return reply


def test_the_same_reply_is_read_once() -> None:
    asking = calls()
    first = asked(asking, b"def dx(x):\n    return x * 2\n")
    again = asked(asking, b"def dx(x):\n    return x + x\n")
    assert again.called is first.called
    assert again.content == first.content


def test_other_numbers_shapes_words_and_types_are_another_reply() -> None:
    asking = calls()
    bodies = (
        "x * 2",
        "x * 3",
        "(x * 2).double()",
        "(x * 2).flatten()",
        "[x * 2]",
        "(x * 2,)",
        "(x * 2).int()",
        "(x * 2).bool()",
        "None",
        "1",
        "1.0",
        "True",
        "1 / 0",
        "nosuch",
        "-(x * 2)",
        "x * 2 + 1e-7",
    )
    told = [asked(asking, f"def dx(x):\n    return {body}\n".encode()) for body in bodies]
    assert len({reply.content for reply in told}) == len(bodies)
    for reply, body in zip(told, bodies, strict=True):
        alone = asked(calls(), f"def dx(x):\n    return {body}\n".encode())
        assert str(alone.called) == str(reply.called), body


def test_what_is_printed_belongs_to_a_reply() -> None:
    asking = calls()
    quiet, loud = (asked(asking, SOURCE.content, output=words) for words in ("", "hello"))
    assert (quiet.output, loud.output) == (None, "hello")
    assert quiet.content != loud.content


def test_long_replies_and_changed_arguments_are_not_kept() -> None:
    asking = calls()
    long = asked(asking, f"import torch\ndef dx(x):\n    return torch.ones({BYTES_KEPT // 4 + 1})\n".encode())
    wordy = asked(
        asking, f"def dx(x):\n    return [{{}}] * 60, [[{{}}] * {WORDS_KEPT // 60}] * 60\n".encode()
    )
    changed = asked(asking, SOURCE.content, after=True)
    assert (long.content, wordy.content, changed.content) == (None, None, None)
    assert not asking.replies


def test_what_is_kept_has_a_limit_whoever_replies_what_to_whom() -> None:
    """As many replies as are sent, to calls of as many kinds as there are."""
    replies = no_replies()
    for number in range(12):
        asking = Calls(calls(), replies)
        content = asked(asking, f"def dx(x):\n    return x * {number}\n".encode()).content
        assert content in replies
    assert len(replies) == 12
    for number in range(2 * REPLIES_BYTES // BYTES_KEPT):
        replies[str(number), bytes(BYTES_KEPT)] = ()
        assert sum(map(weight, replies)) <= REPLIES_BYTES
    assert (str(number), bytes(BYTES_KEPT)) in replies
    assert content not in replies


def test_a_reply_to_more_calls_is_no_reply_to_fewer() -> None:
    """Though it says the same: it is read anew, and found to be too long."""
    two = calls()
    genuine = Genuine()
    with box(lambda request: (lambda head, body: Frame(head, body).encode())(*genuine(request))) as opened:
        opened.load(SOURCE.files, ["dx"])
        content = opened.call("dx", two).content
    genuine.close()
    one = Calls(two[:1], two.replies)
    told, output = literal_eval(content[0])

    def forged(request: Frame) -> bytes:
        if request.head["do"] == "load":
            return Frame({"stubs": [], "id": request.head["id"], "output": ""}).encode()
        head = dict(zip(("answers", "after", "taken"), told, strict=True))
        return Frame({**head, "id": request.head["id"], "output": output}, content[1]).encode()

    with box(forged) as opened:
        opened.load(SOURCE.files, ["dx"])
        with pytest.raises(BoxDied):
            opened.call("dx", one)


SIZES = st.lists(st.integers(0, 4), max_size=3)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.uint8, torch.bfloat16])


@given(st.lists(st.tuples(SIZES, DTYPES), max_size=5))
def test_the_judges_own_tensors_arrive_as_they_were(made: list[tuple[list[int], torch.dtype]]) -> None:
    tensors = {
        f"t{i}": torch.arange(torch.Size(shape).numel()).to(dtype).reshape(shape)
        for i, (shape, dtype) in enumerate(made)
    }
    sent = payload.pack(tensors)
    for read in (payload.unpack, payload.unpack_own):
        found = read(sent)
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].shape == tensor.shape
            assert found[name].equal(tensor)


def test_each_tensor_has_memory_of_its_own() -> None:
    """A function that changes one argument in place changes no other, nor what the next case is handed."""
    found = payload.unpack_own(payload.pack({"a": torch.ones(3), "b": torch.ones(3)}))
    found["a"].zero_()
    assert found["b"].tolist() == [1, 1, 1]
    assert all(tensor.data_ptr() % 64 == 0 for tensor in found.values()), "sums depend on it"
    storages = {tensor.untyped_storage().data_ptr() for tensor in found.values()}
    assert len(storages) == 2


def test_an_answer_with_a_graph_or_a_view_is_sent_as_it_is() -> None:
    base = torch.arange(6.0).view(2, 3)
    odd: dict[str, Tensor] = {"t": base.T, "g": base.clone().requires_grad_(), "e": base[:1].expand(4, 3)}
    odd["p"] = base.clone()
    odd["p"].numpy = odd["p"].detach = lambda: None  # type: ignore[method-assign,assignment]
    found = payload.unpack(payload.pack(odd))
    assert all(found[name].equal(tensor) for name, tensor in odd.items())
    assert isinstance(Returned(found["t"]).tensor, Tensor)


DRAWN = b"""
import random, numpy, torch
def dx(x):
    drawn = [random.random(), *numpy.random.rand(2)]
    return torch.cat([torch.rand(3), torch.tensor(drawn)])
"""


@only_where(sys.platform == "linux", "boxes are forked from a parent on Linux alone")
def test_who_draws_draws_the_same_whichever_parent_the_box_has() -> None:
    """A run that was interrupted goes on with other parents of boxes, and to the same bytes."""
    limits, found = Limits(60, 2048), set()
    for _ in range(2):
        parent = Zygote()
        for _ in range(2):
            with Box(parent.open(limits), limits) as opened:
                opened.load(Source("work.py", DRAWN).files, ["dx"])
                found.add(opened.call("dx", calls()).content)
        parent.close()
    assert len(found) == 1


def nested(depth: int) -> dict[str, object]:
    return {"other": "list", "items": [nested(depth - 1)]} if depth else {"other": "int"}


@pytest.mark.parametrize(
    ("told", "tensor"),
    [
        ({"numbers": "p", "other": "list"}, torch.zeros(NUMBERS_LIMIT + 1, dtype=torch.float64)),
        ({"numbers": "p", "other": "list"}, torch.zeros(3, dtype=torch.float16)),
        ({"numbers": "p", "other": "list"}, torch.zeros(3, 2, dtype=torch.float64)),
        ({"items": [{"other": "int"}] * (WIDTH_LIMIT + 1), "other": "list"}, torch.zeros(1)),
        (nested(DEPTH_LIMIT + 1), torch.zeros(1)),
    ],
    ids=["too many", "of half a size", "a matrix", "too wide", "too deep"],
)
def test_no_more_is_read_than_an_honest_box_describes(told: dict[str, object], tensor: Tensor) -> None:
    """A box may send what it likes; to look at each of a million numbers takes a judge minutes."""
    with pytest.raises((TypeError, ValueError)):
        read_answer(told, {"p": tensor})


def test_as_much_is_read_as_an_honest_box_describes() -> None:
    numbers = torch.zeros(NUMBERS_LIMIT, dtype=torch.float64)
    assert read_answer({"numbers": "p", "other": "list"}, {"p": numbers}).tensor is numbers
    wide = {"items": [{"other": "int"}] * WIDTH_LIMIT, "other": "list"}
    assert len(read_answer(wide, {}).items) == WIDTH_LIMIT
    assert read_answer(nested(DEPTH_LIMIT), {})
