"""Real mistakes cost exactly the gradients they are made in, and the message says where."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from grader.grading.placing import placed
from grader.scorecard.model import Difference, Gradient, Hint, Outcome
from grader.submissions.notebooks import Origins, Translation
from grader.submissions.notebooks.stubs import Work
from grader.submissions.submission import HandedIn
from tests.submissions.notebooks.build import Piece, pieces
from tests.submissions.notebooks.conftest import NotebookDesk, lost, outcomes

LAST_LINE = "dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)\n"


@dataclass(frozen=True)
class Mistake:
    """What somebody wrote instead of the lecture's lines, and what it must cost."""

    what: str
    edits: tuple[tuple[str, str], ...]
    costs: dict[str, str]
    says: str = ""

    def __str__(self) -> str:
        return self.what


MISTAKES = [
    Mistake(
        "a second path is missing",
        (("dbndiff += (2*bndiff) * dbndiff2\n", ""),),
        {"ex1 dbndiff": "wrong_value"},
    ),
    Mistake(
        "a second path is added after the gradient was used",
        (
            ("dbndiff += (2*bndiff) * dbndiff2\n", ""),
            (LAST_LINE, LAST_LINE + "dbndiff += (2*bndiff) * dbndiff2\n"),
        ),
        {"ex1 dhprebn": "wrong_value"},  # dbnmeani comes out right: what is missing sums to zero
        "Reads `dbndiff` too early: `dbndiff += (2*bndiff) * dbndiff2` (cell 12, line 30) still adds to it.",
    ),
    Mistake(
        "aliasing: one tensor under two names, compared at the end",
        (("dhprebn = dbndiff.clone()", "dhprebn = dbndiff"),),
        {"ex1 dbndiff": "wrong_value"},
        "broken by `dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)` (cell 12, line 30)",
    ),
    Mistake(
        "aliasing, and nobody looks at the ruined gradient again",
        (("dhprebn = dbndiff.clone()", "dhprebn = dbndiff"), ("cmp('bndiff', dbndiff, bndiff)\n", "")),
        {},
    ),
    Mistake(
        "the max path by the wrong tensor's argmax",
        (("F.one_hot(logits.max(1)", "F.one_hot(logits.min(1)"),),
        {"ex1 dlogits": "wrong_value"},
    ),
    Mistake(
        "eps is dropped from bnvar",
        (("(-0.5*(bnvar + 1e-5)**-1.5)", "(-0.5*bnvar**-1.5)"),),
        {"ex1 dbnvar": "wrong_value"},
    ),
    Mistake(
        "the sign of the mean's path",
        (("(-dbndiff).sum(0)", "dbndiff.sum(0)"),),
        {"ex1 dbnmeani": "wrong_value"},
    ),
    Mistake("/n forgotten", (("Yb] = -1.0/n", "Yb] = -1.0"),), {"ex1 dlogprobs": "wrong_value"}),
    Mistake("upstream forgotten", (("(1.0 - h**2) * dh", "1.0 - h**2"),), {"ex1 dhpreact": "wrong_value"}),
    Mistake(
        "reading .grad",
        (("dnorm_logits = counts * dcounts", "dnorm_logits = norm_logits.grad.clone()"),),
        {"ex1 dnorm_logits": "forbidden"},
        "cell 12, line 12",
    ),
    Mistake(
        "reading .grad through a helper",
        (("dh = dlogits @ W2.T", "def fetch(t): return t.grad\ndh = fetch(h)"),),
        {"ex1 dh": "forbidden"},
        "cell 12, line 16",
    ),
    Mistake(
        "an elementwise product for the closed form",
        (("dlogits[range(n), Yb] -= 1\ndlogits /= n", "dlogits = dlogits * probs / n"),),
        {"ex2 dlogits": "wrong_value"},
    ),
    Mistake(
        "a factor of batch norm's closed form forgotten",
        (("- n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))", "- bnraw*(dhpreact*bnraw).sum(0))"),),
        {"ex3 dhprebn": "wrong_value"},
    ),
    Mistake(
        "a gradient of the wrong shape",
        (("dbndiff2 = (1.0/(n-1))*torch.ones_like(bndiff2) * dbnvar", "dbndiff2 = (1.0/(n-1)) * dbnvar"),),
        {"ex1 dbndiff2": "wrong_shape"},
    ),
    Mistake(
        "builtins and forward tensors overwritten",
        (
            (
                "dh = dlogits @ W2.T",
                "sum = 3\nn = 5\nh = 0.001\nloss = None\nrange_ = range\ndh = dlogits @ W2.T",
            ),
        ),
        {},
    ),
    Mistake(
        "a builtin overwritten where it is used",
        (("dhpreact.sum(0, keepdim=True)", "dhpreact.sum(0, keepdim=True)\nrange = 3"),),
        {"ex1 dC": "error", "ex2 dlogits": "error"},
        "'int' object is not callable",
    ),
    Mistake(
        "an unclosed parenthesis",
        (("dh = dlogits @ W2.T", "dh = dlogits @ (W2.T"),),
        {"ex1 dh": "error"},
        "cell 12, line 16: '(' was never closed",
    ),
    Mistake(
        "an indent that nothing asked for",
        (("dh = dlogits @ W2.T", "  dh = dlogits @ W2.T"),),
        {"ex1 dh": "error"},
        "cell 12, line 16: unexpected indent",
    ),
    Mistake(
        "a double loop that does not parse",
        (("dC[ix] += demb[k,j]\n\ncmp", "dC[ix] += demb[k,j\n\ncmp"),),
        {"ex1 dC": "error"},
        "cell 12, line 39: '[' was never closed",
    ),
    Mistake(
        "a closed form that does not parse",
        (("dlogits = F.softmax(logits, 1)", "dlogits = F.softmax(logits 1)"),),
        {"ex2 dlogits": "error"},
        "cell 14, line 3: ",
    ),
    Mistake(
        "a helper's cell does not parse",
        (("dh = dlogits @ W2.T", "turned = W2..T\ndh = dlogits @ turned"),),
        {"ex1 dh": "error"},
        "cell 12, line 16: invalid syntax",
    ),
    Mistake(
        "a name that is not defined after a restart",
        (("demb = dembcat.view(emb.shape)", "demb = dembcat.view(shape_of_emb)"),),
        {"ex1 demb": "error"},
        "cell 12, line 34: name 'shape_of_emb' is not defined",
    ),
    Mistake(
        "a gradient used before it is there",
        (
            ("dhpreact = (1.0 - h**2) * dh\n", ""),
            ("dbnraw = ", "dbnraw_ = 0\ndhpreact = (1.0 - h**2) * dh\ndbnraw = "),
        ),
        {"ex1 dbngain": "error"},
        "cell 12, line 19: name 'dhpreact' is not defined",
    ),
    Mistake(
        "a size from the data, which is not loaded",
        (("num_classes=logits.shape[1]", "num_classes=len(words)"),),
        {"ex1 dlogits": "error"},
        "cell 4, line 2: words comes from data that is not loaded here",
    ),
    Mistake(
        "a gradient left out",
        (("dbnvar = (-0.5*(bnvar + 1e-5)**-1.5) * dbnvar_inv\n", ""), ("cmp('bnvar', dbnvar, bnvar)\n", "")),
        {"ex1 dbnvar": "missing"},
        "nothing in part4.ipynb assigns dbnvar",
    ),
]


def edited(edits: tuple[tuple[str, str], ...]) -> list[Piece]:
    """The lecture's notebook, completed, with some of its lines written otherwise."""
    cells = pieces("lecture")
    for old, new in edits:
        place = next(i for i, (_, text) in enumerate(cells) if old in text)
        kind, text = cells[place]
        cells[place] = kind, text.replace(old, new, 1)
    return cells


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_costs_what_it_must(mistake: Mistake, notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_pieces(edited(mistake.edits))
    assert outcomes(graded) == mistake.costs, lost(graded)
    assert mistake.says in " ".join(lost(graded).values())


def test_an_unfilled_notebook_is_missing_throughout(notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_pieces(
        [*edited(())[:11], ("code", "# Exercise 1\n# cmp('probs', dprobs, probs)\n")]
    )
    assert {why.partition(":")[0] for why in lost(graded).values()} == {"missing"}
    assert len(lost(graded)) == 28


def test_an_empty_notebook_is_missing_throughout(notebooks: NotebookDesk) -> None:
    assert set(outcomes(notebooks.grade_pieces([])).values()) == {"missing"}


def test_what_is_only_in_a_training_loop_is_said_to_be_there(notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_pieces([cell for cell in pieces("lecture") if "Exercise 4" in cell[1]])
    assert "only in the loop at cell 1, line 35" in lost(graded)["ex1 dC"]


def test_a_harmless_alias_is_noted(notebooks: NotebookDesk) -> None:
    edits = (("dhprebn = dbndiff.clone()", "dhprebn = dbndiff"), ("cmp('bndiff', dbndiff, bndiff)\n", ""))
    graded = notebooks.grade_pieces(edited(edits))
    assert "nothing reads dbndiff after that" in " ".join(graded["ex1"]["dbndiff"].notes)


def test_an_overwritten_forward_value_is_noted(notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_pieces(edited((("dh = dlogits @ W2.T", "h = 0.001\ndh = dlogits @ W2.T"),)))
    assert "h is overwritten (cell 12, line 16)" in " ".join(graded["ex1"]["dW2"].notes)


@pytest.mark.parametrize(
    ("what", "gradient", "kind"),
    [
        ("aliasing: one tensor under two names, compared at the end", "dbndiff", "aliased"),
        ("a second path is added after the gradient was used", "dhprebn", "too_early"),
    ],
)
def test_what_spoils_a_gradient_is_its_hint(
    what: str, gradient: str, kind: str, notebooks: NotebookDesk
) -> None:
    """The line that did it says more than what the numbers look like."""
    (mistake,) = [one for one in MISTAKES if one.what == what]
    hint = notebooks.grade_pieces(edited(mistake.edits))["ex1"][gradient].hint
    assert hint is not None
    assert hint.kind == kind
    assert "cell 12, line 30" in hint.message


def test_a_hint_is_given_in_the_students_names_too(notebooks: NotebookDesk) -> None:
    cells = [
        (kind, text.replace("d_ex = inv * d_p_ + d_tot", "d_ex = inv * d_p_"))
        for kind, text in pieces("own_names")
    ]
    gradient = notebooks.grade_pieces(cells)["ex1"]["dcounts"]
    assert gradient.hint is not None
    assert gradient.hint.forward_line == "counts_sum = counts.sum(1, keepdim=True)"
    assert gradient.notes[-1].startswith("in your names: ")
    assert {"counts is ex", "counts_sum is tot"} <= set(gradient.notes[-1].partition(": ")[2].split(", "))


def test_how_much_is_told_is_the_instructors_choice() -> None:
    gradient = Gradient(
        name="dbndiff", outcome=Outcome.WRONG_VALUE, score=0.0, max_score=1.0, exact=False, max_abs_diff=1.0,
        line=3, seconds=0.0, autograd=Difference(1.0, 1.0), reference=None, cases=(), hint=None, error=None,
        through=(), shown_case="lecture", expected_shape=(2,), found_shape=(2,), worst=None, error_map=None,
        notes=(), output=None,
    )  # fmt: skip
    cause = Hint("aliased", "Derived, then broken by `dhprebn += 1` (cell 2, line 1).", None)
    made = Translation(b"", Origins("a.py", {}, "a.ipynb"), {}, {"dbndiff": (cause,)}, {})
    work = Work(HandedIn("a.ipynb", script=b""), made)
    assert placed(work, gradient, "full").hint == cause
    assert placed(work, gradient, "line").hint is None
    assert placed(work, gradient, "off").hint is None
