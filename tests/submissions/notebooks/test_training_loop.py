"""A notebook's training loop, read as the functions of the exercise that trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.apps.cli import main
from tests.submissions.notebooks.build import notebook, pieces, stored
from tests.submissions.notebooks.conftest import Graded, NotebookDesk, lost, outcomes

STEP = "p.data += -lr * grad"
RATE = "lr = 0.1 if i < 100000 else 0.01"


def edited(*edits: tuple[str, str]) -> bytes:
    """The lecture's notebook, with lines of its training loop written otherwise."""
    cells = pieces("lecture")
    (place,) = [i for i, (_, text) in enumerate(cells) if STEP in text]
    kind, text = cells[place]
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    cells[place] = kind, text
    return notebook(cells)


@pytest.mark.parametrize("name", ["lecture", "colab", "two_names", "in_main"])
def test_a_right_loop_earns_every_point(name: str, notebooks: NotebookDesk) -> None:
    """Over epochs or steps, names of one's own, parameters changed in place or kept by other tensors."""
    assert lost(notebooks.train(stored(name))) == {}


def all_of(graded: Graded) -> set[str]:
    return {f"{exercise} {name}" for exercise, found in graded.items() for name in found}


@pytest.mark.parametrize(
    ("edits", "costs"),
    [
        (
            (("dlogits /= n\n", ""),),
            {"ex4 dC", "ex4 dW1", "ex4 db1", "ex4 dW2", "ex4 db2", "ex4 dbngain", "ex4 dbnbias"},
        ),
        ((("dbngain = (bnraw * dhpreact)", "dbngain = (hpreact * dhpreact)"),), {"ex4 dbngain"}),
        ((("dC[ix] += demb[k,j]", "dC[ix] = demb[k,j]"),), {"ex4 dC"}),
        (((STEP, "p.data += lr * grad"),), set()),
        (((STEP, "p.data += -0.1 * grad"),), set()),
        (((STEP, "p = p - lr * grad"),), set()),
        ((("grads = [dC, dW1, db1,", "grads = [dC, dW1, db1 * 0 + 1,"),), set()),
    ],
    ids=[
        "not divided by n",
        "the wrong factor",
        "dC assigned",
        "uphill",
        "the rate ignored",
        "not in place",
        "not b1",
    ],
)
def test_a_mistake_costs_what_it_must(
    edits: tuple[tuple[str, str], ...], costs: set[str], notebooks: NotebookDesk
) -> None:
    """A wrong gradient costs its own points; each of these also costs the points for training with it."""
    graded = notebooks.train(edited(*edits))
    trained = {"ex4 losses", "ex4 parameters", "ex4 descent"}
    assert set(outcomes(graded)) - trained == costs, lost(graded)
    assert "ex4 parameters" in outcomes(graded)


def test_a_gradient_the_loop_does_not_make_costs_itself(notebooks: NotebookDesk) -> None:
    graded = notebooks.train(
        edited(("db2 = dlogits.sum(0)\n", ""), ("dW2, db2, dbngain", "dW2, dW2, dbngain"))
    )
    assert {"ex4 db2"} < set(outcomes(graded))
    assert "ex4 dW2" not in outcomes(graded)


def test_loss_backward_is_forbidden_here_as_well(notebooks: NotebookDesk) -> None:
    graded = notebooks.train(edited(("dh = dlogits @ W2.T\n", "dh = h.grad\n")))
    assert set(outcomes(graded).values()) == {"forbidden"}


def test_without_a_loop_it_is_missing_and_says_why(notebooks: NotebookDesk) -> None:
    graded = notebooks.train(stored("no_markers"))
    assert set(outcomes(graded)) == all_of(graded)
    assert set(outcomes(graded).values()) == {"missing"}
    assert "no loop in part4.ipynb trains with gradients of one's own" in next(iter(lost(graded).values()))


def test_a_fault_points_into_the_loop(notebooks: NotebookDesk) -> None:
    graded = notebooks.train(edited(("dh = dlogits @ W2.T\n", "dh = dlogits @ W2\n")))
    fault = graded["ex4"]["dW2"].error
    assert fault is not None
    assert fault.message.startswith("cell 23, line 70: mat1 and mat2")
    assert "part4.ipynb, cell 23, line 70" in fault.traceback[-1]


def test_the_whole_training_starts_from_the_notebook_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`grade train part4.ipynb` runs the notebook's own steps."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part4.ipynb").write_bytes(stored("colab"))
    with pytest.raises(SystemExit) as stop:
        main(["train", "part4.ipynb", "--steps", "20", "--out", "out"])
    assert stop.value.code == 0
    assert "Names from this network:" in capsys.readouterr().out
