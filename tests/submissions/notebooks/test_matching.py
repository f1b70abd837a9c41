"""Lines of a forward pass that are the same under other names, and lines that are not."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from typing import Any

import pytest

from grader.course.course import Course
from grader.course.forward import Forward
from grader.submissions.notebooks import matching, translate
from grader.submissions.notebooks.algebra import size, tree
from grader.submissions.notebooks.cell import Cell
from grader.submissions.notebooks.matching import EFFORT, EFFORT_IN_ALL, Effort, Match, match
from grader.submissions.notebooks.program import Program
from grader.submissions.notebooks.reader import read_cells
from tests.submissions.notebooks.build import DATA, stored

BEFORE = """\
e = table[X]
x = e.view(e.shape[0], -1)
z = x @ w + b
mu = 1 / m * z.sum(0, keepdim=True)
c = z - mu
sq = c**2
var = 1 / (m - 1) * sq.sum(0, keepdim=True)
istd = (var + 1e-5) ** -0.5
raw = c * istd
pre = g * raw + beta
act = torch.tanh(pre)
out = act @ w2 + b2
top = out.max(1, keepdim=True).values
safe = out - top
ex = safe.exp()
tot = ex.sum(1, keepdim=True)
inv = tot**-1
p = ex * inv
lp = p.log()
nll = -lp[range(m), Y].mean()
"""

ORDER = [
    "emb", "embcat", "hprebn", "bnmeani", "bndiff", "bndiff2", "bnvar", "bnvar_inv", "bnraw", "hpreact", "h",
    "logits", "logit_maxes", "norm_logits", "counts", "counts_sum", "counts_sum_inv", "probs", "logprobs",
    "loss",
]  # fmt: skip

SAME = [
    "e = F.embedding(X, table)",
    "x = e.flatten(1)",
    "x = torch.cat(torch.unbind(e, 1), 1)",
    "x = e.reshape(-1, 3 * 10)",
    "z = b + torch.matmul(x, w)",
    "z = torch.mm(x, w).add(b)",
    "xw = x @ w; z = xw + b",
    "mu = z.sum(0, keepdims=True) / m",
    "mu = z.mean(dim=0, keepdim=True)",
    "mu = torch.sum(z, 0, True) * (1.0 / m)",
    "c = -mu + z",
    "sq = c * c",
    "sq = c.pow(2)",
    "sq = torch.square(c)",
    "var = sq.sum(axis=0, keepdim=True) / (m - 1)",
    "istd = 1 / (var + 0.00001) ** 0.5",
    "istd = 1.0 / torch.sqrt(1e-5 + var)",
    "istd = torch.rsqrt(var + 1e-5)",
    "sd = (var + 1e-5).sqrt(); istd = sd**-1",
    "raw = c / torch.sqrt(var + 1e-5)",
    "pre = beta + raw * g",
    "act = pre.tanh()",
    "act = F.tanh(pre)",
    "top = torch.max(out, dim=1, keepdim=True)[0]",
    "top = out.amax(1, keepdim=True)",
    "ex = torch.exp(safe)",
    "inv = 1 / tot",
    "inv = tot.reciprocal()",
    "p = ex / tot",
    "lp = torch.log(p)",
    "nll = -lp[torch.arange(m), Y].sum() / m",
    "nll = -(1 / m) * lp[range(m), Y].sum()",
]

OTHER = [
    "mu = 1 / m * z.sum(1, keepdim=True)",
    "mu = z.mean(0)",
    "c = mu - z",
    "sq = c**3",
    "sq = c.abs()",
    "var = 1 / m * sq.sum(0, keepdim=True)",
    "var = sq.sum(0, keepdim=True) / (m + 1)",
    "istd = (var + 1e-4) ** -0.5",
    "istd = var**-0.5",
    "istd = (var + 1e-5) ** 0.5",
    "raw = c + istd",
    "pre = g * raw - beta",
    "act = torch.sigmoid(pre)",
    "out = w2 @ act + b2",
    "top = out.min(1, keepdim=True).values",
    "top = out.max(1).values",
    "tot = ex.sum(0, keepdim=True)",
    "x = e.view(-1, wide)",
    "nll = lp[range(m), Y].mean()",
]


def matched(lines: str, course: Course) -> dict[str, str]:
    """The exercise's names that were matched, with the student's."""
    forward = course.exercises[0].forward
    program = Program.read([Cell(None, lines)], frozenset())
    return {ours: theirs for ours, (theirs, _) in match(program, forward).renaming.theirs.items()}


def with_line(line: str) -> str:
    """The forward pass with one line written otherwise."""
    name = line.split("; ")[-1].split(" =")[0]
    (old,) = [one for one in BEFORE.splitlines() if one.startswith(f"{name} =")]
    return BEFORE.replace(old, line)


def test_a_forward_pass_under_other_names_is_matched_throughout(course: Course) -> None:
    found = matched(BEFORE, course)
    assert [found[name] for name in ORDER] == [line.split(" ")[0] for line in BEFORE.splitlines()]
    assert {
        "C": "table",
        "Xb": "X",
        "W1": "w",
        "b1": "b",
        "W2": "w2",
        "bngain": "g",
        "n": "m",
        "Yb": "Y",
    }.items() <= found.items()


@pytest.mark.parametrize("line", SAME)
def test_another_way_to_write_a_line_is_the_same(line: str, course: Course) -> None:
    theirs = matched(with_line(line), course)
    assert (
        theirs.items()
        >= {ours: name for ours, name in matched(BEFORE, course).items() if ours in ORDER}.items()
    )


def test_two_names_of_one_size_are_one(course: Course) -> None:
    lines = "m = size\n" + BEFORE.replace("1 / m *", "1 / size *").replace("range(m)", "range(size)")
    assert matched(lines, course).keys() >= set(ORDER)


@pytest.mark.parametrize("line", OTHER)
def test_another_line_is_not(line: str, course: Course) -> None:
    name = line.split(" =")[0]
    assert name not in matched(with_line(line), course).values()


STARTS = "".join(f"emb{i} = C{i}[Xb{i}]\n" for i in range(14))

DEAR = {
    "many lines": "".join(f"v{i} = x{i}\n" for i in range(2400)),
    "lines like the first": "".join(f"e{i} = C[Xb]\n" for i in range(2400)),
    "deep lines": "".join(f"v{i} = x{'.a' * 500}\n" for i in range(100)),
    "deep calls": "".join(f"v{i} = x{'.a()' * 240}\n" for i in range(100)),
    "long products": "".join(f"v{i} = {'*'.join(f'a{j}' for j in range(90))}\n" for i in range(300)),
    "products within products": "".join(f"v{i} = a{'*a@b' * 45}\n" for i in range(300)),
    "quotients within quotients": "".join(f"v{i} = {'a/(' * 90}x{')' * 90}\n" for i in range(300)),
    "names for names": "".join(f"n{i} = n{i - 1}\n" for i in range(1, 1500)),
    "sums of a sum": f"s = {'+'.join('abcdefgh')}\n" + "v = s + s + s\n" * 800,
}


@pytest.mark.parametrize("name", DEAR)
def test_what_matching_costs_is_bounded(name: str, course: Course) -> None:
    effort = Effort()
    program = Program.read([Cell(None, STARTS + DEAR[name])], frozenset())
    match(program, course.exercises[0].forward, effort)
    assert effort.spent <= EFFORT_IN_ALL + EFFORT


@pytest.mark.parametrize("line", [f"x{'.a' * 500}", "+".join(["x"] * 900), f"x{'.a()' * 400}"])
def test_a_line_too_deep_is_read_once(line: str, course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: Counter[ast.AST] = Counter()

    def counted(expression: ast.expr, *others: Any) -> Any:
        tries[expression] += 1
        return size(expression, *others)

    monkeypatch.setattr(matching, "size", counted)
    program = Program.read([Cell(None, f"{STARTS}deep = {line}\n")], frozenset())
    effort = Effort()
    match(program, course.exercises[0].forward, effort)
    assert set(tries.values()) == {1}
    assert effort.spent > 12 * 15  # every start tries the line for every step that follows


def test_reading_that_runs_out_of_frames_is_given_up_for_good(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def too_deep(expression: ast.expr, resolve: Any) -> Any:
        if isinstance(expression, ast.Lambda):
            tries.append(expression)
            raise RecursionError
        return tree(expression, resolve)

    monkeypatch.setattr(matching, "tree", too_deep)
    program = Program.read([Cell(None, f"{STARTS}deep = lambda: 1\n")], frozenset())
    match(program, course.exercises[0].forward)
    assert len(tries) == 1


def test_every_try_of_a_line_counts(course: Course) -> None:
    def spent(lines: int) -> int:
        effort = Effort()
        program = Program.read([Cell(None, STARTS + "v = x\n" * lines)], frozenset())
        match(program, course.exercises[0].forward, effort)
        return effort.spent

    assert spent(200) - spent(100) >= 100 * 12 * 15


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("*.py")))
def test_an_honest_script_takes_little_of_the_effort(
    name: str, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Effort] = []

    def taken_down(program: Program, forward: Forward, effort: Effort) -> Match:
        made.append(effort)
        return match(program, forward, effort)

    for user in ("translate", "training_loop"):
        monkeypatch.setattr(sys.modules[f"grader.submissions.notebooks.{user}"], "match", taken_down)
    translate(read_cells(stored(name)), course.exercises, "a.py", "a.ipynb")
    assert 0 < 5 * made[0].spent < EFFORT_IN_ALL
    assert len(set(map(id, made))) == 1
