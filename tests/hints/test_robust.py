"""Hints that fail: a family that raises costs nothing but itself; ours raise on nothing; plugins add theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from grader import hints as package
from grader import plugins
from grader.checks.compare import Verdict
from grader.checks.suite import Check
from grader.course.exercise import tensor_of
from grader.hints import diagnose, lines
from grader.sandbox.answers import Returned
from grader.scorecard.model import Hint
from tests.hints.desk import Desk, Tried

PLANTED = Hint("planted", "A planted hint.", None)

Plant = Callable[..., None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Have other packages add hint families, by their entry points' names; an exception is what loading raises."""

    def planted(**added: Any) -> None:
        entries = [
            SimpleNamespace(name=n, value="m", group="g", dist=None, load=_loading(o))
            for n, o in added.items()
        ]
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: entries if group.endswith(".hints") else []
        )
        package._families.cache_clear()

    yield planted
    package._families.cache_clear()


def _loading(what: Any) -> Callable[[], Any]:
    def load() -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    return load


def family(order: float, *said: Any, error: Exception | None = None) -> SimpleNamespace:
    """A family that says some things, and then raises."""

    def explain(inquiry: Any) -> Iterator[Any]:
        yield from said
        if error is not None:
            raise error

    return SimpleNamespace(ORDER=order, explain=explain)


def tried(desk: Desk, exercise: str, ask: str, change: Callable[[Tensor], Tensor]) -> Tried:
    """The checks of a stub that asks for the gradients that arrive, its answers made of the right ones."""
    suite = desk.suites[exercise]
    users = suite.exercise.forward.users(tensor_of(ask))
    names = frozenset(f"d{line.name}" for line in users) & frozenset(suite.exercise.may_ask(ask))
    found: list[tuple[Check, Verdict]] = []
    for check in suite.checks(ask, names):
        answer = Returned(change(check.expected.precise).float())
        found.append((check, check.compare(answer)))
    return found


def negated(desk: Desk) -> Hint | None:
    return diagnose(desk.suites["layer_norm"], "da", tried(desk, "layer_norm", "da", torch.neg))


def test_a_family_that_raises_is_logged_and_left_out(
    desk: Desk, plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    """The hint is that of the families after it; the score was never in danger."""
    plant(bad=family(0, error=ZeroDivisionError("planted")))
    hint = negated(desk)
    assert hint is not None and hint.kind == "sign"
    assert [record.name for record in caplog.records] == ["grader.hints"]
    assert "planted" in caplog.text and "it is left out" in caplog.text


def test_what_a_family_said_before_it_raised_counts(desk: Desk, plant: Plant) -> None:
    plant(bad=family(0, PLANTED, error=ZeroDivisionError("planted")))
    assert negated(desk) == PLANTED


def test_a_failure_outside_the_families_costs_the_hint_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(package, "_explained", fail)
    assert negated(desk) is None
    assert "it is graded without one" in caplog.text


def test_another_package_adds_a_family(desk: Desk, plant: Plant) -> None:
    """It is asked in the order of its number, among ours."""
    plant(mine=family(0, PLANTED))
    assert negated(desk) == PLANTED
    plant(mine=family(98, PLANTED))
    hint = negated(desk)
    assert hint is not None and hint.kind == "sign"


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (ImportError("no module"), "cannot be loaded: ImportError: no module"),
        (
            SimpleNamespace(explain=print),
            "'mine' of the group backprop_grader.hints cannot be used: a family has",
        ),
        (SimpleNamespace(ORDER="first", explain=print), "a number ORDER and a function explain"),
        (SimpleNamespace(ORDER=1), "a number ORDER and a function explain"),
        (family(0, "no hint at all"), "expected a Hint or a Flaw, found str"),
    ],
    ids=["import", "no order", "order", "no explain", "no hint"],
)
def test_a_broken_family_of_another_package_is_logged_and_left_out(
    desk: Desk, plant: Plant, caplog: pytest.LogCaptureFixture, broken: Any, why: str
) -> None:
    plant(mine=broken)
    hint = negated(desk)
    assert hint is not None and hint.kind == "sign"
    assert why in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_no_entry_point_is_read_for_a_right_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read when the first hint is made; reading them takes a while."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: pytest.fail("read"))
    package._families.cache_clear()
    right = tried(desk, "layer_norm", "da", torch.clone)
    assert diagnose(desk.suites["layer_norm"], "da", right) is None


ODD: dict[str, Callable[[Tensor], Tensor]] = {
    "noise": lambda right: torch.randn(right.shape, generator=torch.Generator().manual_seed(1)),
    "zeros": torch.zeros_like,
    "infinity": lambda right: torch.full_like(right, torch.inf),
    "some infinity": lambda right: (
        right.index_fill(-1, torch.tensor([0]), -torch.inf) if right.dim() else -right
    ),
    "not a number": lambda right: torch.full_like(right, torch.nan),
    "turned": torch.neg,
    "huge": lambda right: right * 1e30,
    "shifted": lambda right: right + 1,
    "one row": lambda right: right[:1] if right.dim() else right[None, None],
    "number": torch.sum,
    "nothing": lambda right: torch.zeros(0, 3),
    "square": lambda right: torch.full((right.numel(), right.numel()), torch.nan),
    "zero square": lambda right: torch.zeros(right.numel(), right.numel()),
    "deep": lambda right: right[(None,) * 5],
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_our_families_raise_on_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture, change: Callable[[Tensor], Tensor]
) -> None:
    """Whatever comes back, and where forward values are infinite or complex on the way."""
    suite = desk.suites["odd"]
    for ask in suite.exercise.asks:
        diagnose(suite, ask, tried(desk, "odd", ask, change))
    assert not caplog.records, caplog.text


def test_lines_are_told_apart_where_they_stand_on_one(desk: Desk) -> None:
    """And an index is told from an index of it, which begins at the same place."""
    forward = desk.suites["odd"].exercise.forward
    read = lines.read(forward)
    assert read["signal"].uses("seen") == 1 and read["twice"].uses("seen") == 0
    assert read["part"].uses("scaled") == 1 and read["total"].uses("part") == 1
    values = forward.run(desk.suites["odd"].oracles[0].case.values)
    ((reading, rest),) = read["row"].readings("C")
    part = read["row"].value(values, reading)
    assert torch.equal(part, values["C"][values["ix"]])
    assert torch.equal(read["row"].value({**values, lines.PART: part + 1}, rest), (part + 1)[:, 0])
