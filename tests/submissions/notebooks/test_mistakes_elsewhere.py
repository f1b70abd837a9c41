"""Mistakes in notebooks of other styles than the lecture's: what each costs, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.submissions.notebooks.build import Piece, pieces
from tests.submissions.notebooks.conftest import NotebookDesk, lost, outcomes


@dataclass(frozen=True)
class Work:
    """A stored notebook with mistakes in it.

    Args:
        name: the notebook.
        edits: what is written otherwise.
        costs: the outcomes that must come of it, all other gradients being right.
        hints: the kinds of hint, of those that get one.
    """

    name: str
    edits: tuple[tuple[str, str], ...]
    costs: dict[str, str]
    hints: dict[str, str]

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.costs)}"

    def cells(self) -> list[Piece]:
        cells = pieces(self.name)
        for old, new in self.edits:
            place = next(i for i, (_, text) in enumerate(cells) if old in text)
            kind, text = cells[place]
            cells[place] = kind, text.replace(old, new, 1)
        return cells


WORKS = [
    Work(
        "colab",
        (
            ("dcounts += dcounts_sum.expand_as(counts)\n", ""),
            ("-0.5*(bnvar + 1e-5)**-1.5", "-0.5*bnvar**-1.5"),
            ("dlogits_fast /= n\n", ""),
        ),
        {"ex1 dcounts": "wrong_value", "ex1 dbnvar": "wrong_value", "ex2 dlogits": "wrong_value"},
        {"ex1 dcounts": "missing_path", "ex1 dbnvar": "wrong_local_derivative", "ex2 dlogits": "scale"},
    ),
    Work(
        "typed",
        (
            ("-Yb_onehot / n", "-Yb_onehot"),
            ("(logits == logit_maxes).float()", "(logits == logits.max()).float()"),
            ("unbroadcast(-dbndiff, bnmeani)", "unbroadcast(dbndiff, bnmeani)"),
            ("(m - 1)", "m"),
        ),
        {
            "ex1 dlogprobs": "wrong_value",
            "ex1 dlogits": "wrong_value",
            "ex1 dbnmeani": "wrong_value",
            "ex3 dhprebn": "wrong_value",
        },
        {
            "ex1 dlogprobs": "scale",
            "ex1 dlogits": "wrong_local_derivative",
            "ex1 dbnmeani": "sign",
            "ex3 dhprebn": "scale",
        },
    ),
    Work(
        "third_first",
        (
            ("bnvar_inv * (dhpreact - gsum / n -", "bnvar_inv * (dhpreact -"),
            ("dlogits = (p - onehot) / n", "dlogits = p * onehot / n"),
            ("dbndiff2 = dbnvar.repeat(n, 1) / (n - 1)", "dbndiff2 = dbnvar / (n - 1)"),
        ),
        {"ex3 dhprebn": "wrong_value", "ex2 dlogits": "wrong_value", "ex1 dbndiff2": "wrong_shape"},
        {"ex3 dhprebn": "missing_path", "ex1 dbndiff2": "wrong_shape"},
    ),
    Work(
        "in_main",
        (
            ("dhpreact = (1 - h**2) * dh", "dhpreact = 1 - h**2"),
            ("dC[Xb[row, col].item()] += demb[row, col]", "dC[Xb[row, col].item()] = demb[row, col]"),
            ("dh = dlogits @ W2.T", "dh = logits.grad @ W2.T"),
            (
                "dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2",
                "dbndiff = bnvar_inv * dbnraw + bndiff * dbndiff2",
            ),
        ),
        {
            "ex1 dhpreact": "wrong_value",
            "ex1 dC": "wrong_value",
            "ex1 dh": "forbidden",
            "ex1 dbndiff": "wrong_value",
        },
        {"ex1 dhpreact": "missing_upstream", "ex1 dC": "overwrite", "ex1 dbndiff": "scale"},
    ),
    Work(
        "second_thoughts",
        (
            ("dhprebn = dbndiff.clone()", "dhprebn = dbndiff"),
            (
                "cmp('hprebn', dhprebn, hprebn)",
                "cmp('hprebn', dhprebn, hprebn); cmp('bndiff', dbndiff, bndiff)",
            ),
            ("dC[ix] = demb[where].sum(0)", "dC[ix] = demb[where].mean(0)"),
            ("dlogits += F.one_hot(logits.max(1)", "dlogits += F.one_hot(probs.min(1)"),
        ),
        {"ex1 dbndiff": "wrong_value", "ex1 dC": "wrong_value", "ex1 dlogits": "wrong_value"},
        {"ex1 dbndiff": "aliased", "ex1 dC": "mean_for_sum"},
    ),
    Work(
        "two_names",
        (
            ("dmu = -dcen.sum(0, keepdim=True)", "dmu = -dcen.sum(1, keepdim=True)"),
            (
                "dL_db2 = sum(dlogits[i] for i in range(bs))",
                "dL_db2 = sum(dlogits[i] for i in range(bs)) / bs",
            ),
            ("dx = dhpre @ W1.T", "dx = dhpre @ W1"),
            ("dlogits2 = dlogits2 / bs", "dlogits2 = -dlogits2 / bs"),
        ),
        {
            "ex1 dbnmeani": "wrong_shape",
            "ex1 db2": "wrong_value",
            "ex1 dembcat": "error",
            "ex2 dlogits": "wrong_value",
        },
        {
            "ex1 dbnmeani": "wrong_dim",
            "ex1 db2": "mean_for_sum",
            "ex1 dembcat": "transposed",
            "ex2 dlogits": "sign",
        },
    ),
]


@pytest.mark.parametrize("work", WORKS, ids=str)
def test_mistakes_cost_what_they_must_and_are_named(work: Work, notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_pieces(work.cells())
    assert outcomes(graded) == work.costs, lost(graded)
    hints = {f"{e} {g.name}": g.hint.kind for e, found in graded.items() for g in found.values() if g.hint}
    assert {name: hints.get(name) for name in work.hints} == work.hints


def test_there_are_enough_of_them() -> None:
    """Ten with real mistakes, these and the lecture's own in other ways, and more styles than eight."""
    from tests.submissions.notebooks.test_mistakes import MISTAKES

    assert len(WORKS) + len(MISTAKES) >= 10
    assert len(list((Path(__file__).parent / "data").glob("*.py"))) > 8
