"""What is printed, plotted, looked at or explained between the cells changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.course.course import Course
from grader.submissions.notebooks import translate
from grader.submissions.notebooks.reader import read_cells
from tests.conftest import ROOT
from tests.submissions.notebooks.build import Piece, notebook, pieces

COURSE = Course.at(ROOT)

NOISE: list[Piece] = [
    ("markdown", "Now the *hard* part: why does `dcounts` have two paths?"),
    ("markdown", "$$\\frac{\\partial L}{\\partial x_3} = 1$$"),
    ("markdown", ""),
    ("code", ""),
    ("code", "# a comment, in 3 parts"),
    ("code", "dprobs.shape, probs.shape"),
    ("code", "print(dlogits[0].sum(), n, loss)"),
    ("code", "plt.figure(figsize=(4, 4))\nplt.imshow(dlogits.detach(), cmap='gray')"),
    ("code", "cmp('probs', dprobs, probs)"),
    ("code", "assert dC.shape == C.shape"),
    ("code", "for p in parameters:\n    print(p.shape)"),
    ("code", "%timeit dlogits @ W2.T"),
    ("code", "!ls -l"),
    ("code", "%%bash\necho dC = 3"),
    ("code", "1 / 0"),
    ("code", "not_defined.at_all"),
    ("code", "print((dprobs)"),
    ("code", "an_experiment = torch.randn(3, 4).sum(0)\nan_experiment += 1"),
    ("code", "logits.max(1).indices, logits.max(1).values"),
    ("code", "torch.allclose(dprobs, probs.grad)"),
    ("code", "def look(t):\n    n = t.shape\n    return n\n\nlook(dC)"),
    ("code", "import pandas as pd\npd.DataFrame(dprobs.detach().numpy()).describe()"),
]


def sources(cells: list[Piece]) -> dict[str, bytes]:
    """What a notebook becomes, by exercise."""
    made = translate(read_cells(notebook(cells)), COURSE.exercises, "a.py", "a.ipynb")
    return {name: one.content for name, one in made.items()}


STORED = {name: (pieces(name), sources(pieces(name))) for name in ("lecture", "no_markers", "own_names")}


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(STORED)),
    noise=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(NOISE)), max_size=12),
)
def test_noise_between_the_cells_changes_nothing(name: str, noise: list[tuple[int, Piece]]) -> None:
    stored, plain = STORED[name]
    cells = list(stored)
    for place, piece in noise:
        cells.insert(place, piece)
    assert sources(cells) == plain


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(NOISE))
def test_all_noise_in_any_order_changes_nothing(order: list[Piece]) -> None:
    stored, plain = STORED["lecture"]
    mixed = [cell for pair in zip(stored, [*order, *order], strict=False) for cell in pair]
    assert sources(mixed + stored[len(mixed) // 2 :]) == plain
