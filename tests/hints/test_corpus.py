"""Stored wrong stubs get the hint they declare: the kind and, after an @, the line it quotes."""

import re
from pathlib import Path

import pytest

from grader.scorecard.model import Hint, Outcome
from tests.cells import Cell, read
from tests.hints.desk import Desk, outcome

CORPUS = Path(__file__).parent.parent / "corpus"
SEEN = read(CORPUS / "wrong.py") + read(CORPUS / "hints.py")
UNSEEN = read(CORPUS / "unseen.py") + read(CORPUS / "heldout3.py")
LEARNT = [cell for name in ("heldout", "heldout2", "slips") for cell in read(CORPUS / f"{name}.py")]
RIGHT = read(CORPUS / "right.py")

BOXED = ("forbidden", "missing", "timed_out")
"""Outcomes that only a box can give; they get no hint, which test_diagnose holds."""

BLEMISH = re.compile(r",,|,\.|\.\.| ,|  |\b(\w+) \1\b|(?<!`)[:;] *\.")

ENOUGH = 0.9
"""The share of mistakes nobody tuned for that must be named."""


def kinds(kind: str) -> frozenset[str]:
    return frozenset(kind.split("+"))


def reads_well(hint: Hint) -> bool:
    """Whether a message is whole sentences, with no doubled or missing mark."""
    text = hint.message
    starts = text[0].isupper() or text[0] == "`"
    return starts and text.endswith(".") and text.count("`") % 2 == 0 and not BLEMISH.search(text)


def quotes(hint: Hint, line: str) -> bool:
    return hint.forward_line is not None and hint.forward_line.startswith(f"{line} = ")


@pytest.mark.parametrize("cell", [cell for cell in SEEN if cell.hint is not None], ids=str)
def test_a_wrong_answer_gets_its_hint(desk: Desk, cell: Cell) -> None:
    assert cell.hint is not None
    kind, _, line = cell.hint.partition(" @ ")
    hint = desk.hint(cell)
    assert hint is not None
    assert hint.kind == kind, hint
    assert reads_well(hint), hint
    assert not line or quotes(hint, line), hint
    assert outcome(desk.tried(cell)).value == cell.outcome


@pytest.mark.parametrize("cell", [c for c in SEEN if c.hint is None and c.outcome not in BOXED], ids=str)
def test_what_declares_no_hint_gets_none(desk: Desk, cell: Cell) -> None:
    assert desk.hint(cell) is None


@pytest.mark.parametrize("cell", RIGHT, ids=str)
def test_a_right_answer_gets_none(desk: Desk, cell: Cell) -> None:
    assert outcome(desk.tried(cell)).scores
    assert desk.hint(cell) is None


@pytest.mark.parametrize("cell", LEARNT, ids=str)
def test_what_was_learnt_from_others_stays_so(desk: Desk, cell: Cell) -> None:
    """Several kinds may be right for one of them."""
    tried = desk.tried(cell)
    hint = desk.hint(cell)
    if tried:  # else it asks for what is not handed out
        assert outcome(tried).value == cell.outcome
    if cell.hint is None:
        assert hint is None
    else:
        assert hint is not None
        assert kinds(hint.kind) in map(kinds, cell.hint.split("/")), hint


def test_most_mistakes_that_nobody_tuned_for_are_named(desk: Desk) -> None:
    """These were written before the hypotheses, or without a look at them; several kinds may be right for one."""
    missed = []
    for cell in UNSEEN:
        assert cell.hint is not None
        hint = desk.hint(cell)
        if hint is None or kinds(hint.kind) not in map(kinds, cell.hint.split("/")):
            missed.append(f"{cell}: {hint}")
    assert len(missed) <= (1 - ENOUGH) * len(UNSEEN), "\n".join(missed)


def test_the_corpus_is_large_enough() -> None:
    declared = [cell for cell in SEEN if cell.hint is not None]
    assert len(declared) >= 150
    assert len({cell.exercise for cell in declared}) == 6
    assert sum(" @ " in (cell.hint or "") for cell in declared) >= 150


def test_every_kind_is_in_the_corpus() -> None:
    declared = {kind for cell in SEEN if cell.hint for kind in kinds(cell.hint.partition(" @ ")[0])}
    assert declared >= {
        "sign", "scale", "missing_path", "extra_path", "missing_upstream", "upstream_only", "missing_sum",
        "wrong_dim", "keepdim", "mean_for_sum", "transposed", "overwrite", "wrong_tensor", "hard_coded_size",
        "all_zero", "wrong_shape", "wrong_dtype", "wrong_type", "not_finite", "partial",
        "wrong_local_derivative",
    }  # fmt: skip


def test_a_hint_does_not_hand_out_a_formula(desk: Desk) -> None:
    """It quotes lines of the forward pass, and no line of a solution."""
    for cell in SEEN:
        hint = desk.hint(cell) if cell.hint else None
        if hint is not None:
            assert "return" not in hint.message.replace("the `return`", "")
            assert ".T" not in hint.message
            assert hint.message.endswith((".", "`."))


def test_an_outcome_is_what_decides(desk: Desk) -> None:
    cell = next(cell for cell in SEEN if cell.outcome == "error" and cell.hint == "hard_coded_size")
    assert outcome(desk.tried(cell)) is Outcome.ERROR
