"""A forward pass as a specification: what it yields, and what it refuses."""

from pathlib import Path

import pytest
import torch

from grader.course.forward import Forward
from grader.errors import CourseError

GOOD = """
import torch

def forward(x, w, n):
    "A docstring is no step."
    a = x @ w  # a comment is not quoted
    b = (
        a + a.mean()
    )
    loss = (a * b).sum() / n
    return loss
"""


def load(tmp_path: Path, text: str) -> Forward:
    path = tmp_path / "forward.py"
    path.write_text(text)
    return Forward.load(path)


def test_yields_steps_users_and_order(tmp_path: Path) -> None:
    forward = load(tmp_path, GOOD)
    assert forward.inputs == ("x", "w", "n")
    assert [step.name for step in forward.steps] == ["a", "b", "loss"]
    assert forward.step("a").source == "a = x @ w"
    assert forward.step("b").source == "b = ( a + a.mean() )"
    assert forward.step("loss").uses == ("a", "b", "n")
    assert [step.name for step in forward.users("a")] == ["b", "loss"]
    assert forward.descendants("w") == {"a", "b", "loss"}
    assert forward.descendants("b") == {"loss"}


def test_frontier_stops_at_known_gradients(tmp_path: Path) -> None:
    forward = load(tmp_path, GOOD)
    assert [s.name for s in forward.frontier("w", frozenset({"a"}))] == ["a"]
    assert [s.name for s in forward.frontier("w", frozenset({"loss"}))] == ["a", "b", "loss"]
    assert [s.name for s in forward.frontier("a", frozenset({"b", "loss"}))] == ["b", "loss"]


def test_runs_line_by_line(tmp_path: Path) -> None:
    x, w = torch.randn(3, 4), torch.randn(4, 2)
    values = load(tmp_path, GOOD).run({"x": x, "w": w, "n": 3})
    a = x @ w
    assert torch.equal(values["loss"], (a * (a + a.mean())).sum() / 3)


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("    for i in range(3):\n        a = x\n    loss = a", 2, "statement of kind For"),
        ("    a, b = x\n    loss = a", 2, "one name"),
        ("    a = b = x\n    loss = a", 2, "one name"),
        ("    a = x\n    a = a + 1\n    loss = a", 3, "assigned twice"),
        ("    x = x + 1\n    loss = x", 2, "assigned twice"),
        ("    a = x\n    a += 1\n    loss = a", 3, "AugAssign"),
        ("    a = x.sum()", 1, "last assignment must be `loss"),
        ("    loss = x.sum()\n    a = loss", 1, "last assignment must be `loss"),
        ("    counts = x\n    loss = count.sum()", 3, "did you mean `counts`?"),
        ("    x.zero_()\n    loss = x", 2, "statement of kind Expr"),
    ],
)
def test_refuses_what_breaks_the_form(tmp_path: Path, body: str, line: int, words: str) -> None:
    with pytest.raises(CourseError) as refusal:
        load(tmp_path, f"def forward(x):\n{body}\n")
    assert f"forward.py:{line}: " in str(refusal.value)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "expected a function `def forward"),
        ("def forward(x:\n", "forward.py:1: "),
        ("def forward(*xs):\n    loss = xs\n", "plain parameters"),
        ("import nowhere_at_all\n", "ModuleNotFoundError"),
    ],
)
def test_refuses_a_file_without_a_forward_pass(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CourseError, match=r"forward\.py"):
        load(tmp_path, text)
    with pytest.raises(CourseError) as refusal:
        load(tmp_path, text)
    assert words in str(refusal.value)


def test_a_missing_file_is_an_operators_fault(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="cannot be read") as refusal:
        Forward.load(tmp_path / "none.py")
    assert refusal.value.exit_status == 2


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    """An unchanged one is the same forward pass, so that exercises on it share cases."""
    first = load(tmp_path, GOOD)
    assert load(tmp_path, GOOD) == first
    edited = load(tmp_path, GOOD.replace("import torch\n", "import torch\n\nTWICE = 2\n"))
    assert edited != first
    assert edited.module["TWICE"] == 2


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "forward.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(CourseError, match="expected UTF-8"):
        Forward.load(tmp_path / "forward.py")
