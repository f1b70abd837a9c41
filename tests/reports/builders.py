"""Scorecards for the reports' tests: small ones to bend, and a realistic one of 28 gradients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from grader.scorecard.model import (
    SCHEMA_ID,
    Averages,
    CaseResult,
    Difference,
    ErrorMap,
    ExerciseResult,
    ForwardLine,
    GraderInfo,
    Gradient,
    Hint,
    Isolation,
    MissingLayer,
    Outcome,
    Published,
    Scorecard,
    Side,
    StudentError,
    SubmissionId,
    Training,
    Worst,
)

LINES = (
    ("emb", "C[Xb]", "dC"),
    ("embcat", "emb.view(emb.shape[0], -1)", "demb"),
    ("hprebn", "embcat @ W1 + b1", "dembcat dW1 db1"),
    ("bnmeani", "1 / n * hprebn.sum(0, keepdim=True)", "dhprebn"),
    ("bndiff", "hprebn - bnmeani", "dbnmeani"),
    ("bndiff2", "bndiff**2", "dbndiff"),
    ("bnvar", "1 / (n - 1) * bndiff2.sum(0, keepdim=True)", "dbndiff2"),
    ("bnvar_inv", "(bnvar + 1e-5) ** -0.5", "dbnvar"),
    ("bnraw", "bndiff * bnvar_inv", "dbnvar_inv"),
    ("hpreact", "bngain * bnraw + bnbias", "dbngain dbnraw dbnbias"),
    ("h", "torch.tanh(hpreact)", "dhpreact"),
    ("logits", "h @ W2 + b2", "dh dW2 db2"),
    ("logit_maxes", "logits.max(1, keepdim=True).values", "dlogits"),
    ("norm_logits", "logits - logit_maxes", "dlogit_maxes"),
    ("counts", "norm_logits.exp()", "dnorm_logits"),
    ("counts_sum", "counts.sum(1, keepdim=True)", "dcounts"),
    ("counts_sum_inv", "counts_sum**-1", "dcounts_sum"),
    ("probs", "counts * counts_sum_inv", "dcounts_sum_inv"),
    ("logprobs", "probs.log()", "dprobs"),
    ("loss", "-logprobs[range(n), Yb].mean()", "dlogprobs"),
)

SHAPES = {
    "dlogprobs": (32, 27), "dprobs": (32, 27), "dcounts_sum_inv": (32, 1), "dcounts_sum": (32, 1),
    "dcounts": (32, 27), "dnorm_logits": (32, 27), "dlogit_maxes": (32, 1), "dlogits": (32, 27),
    "dh": (32, 64), "dW2": (64, 27), "db2": (27,), "dhpreact": (32, 64),
    "dbngain": (1, 64), "dbnbias": (1, 64),
    "dbnraw": (32, 64), "dbnvar_inv": (1, 64), "dbnvar": (1, 64), "dbndiff2": (32, 64), "dbndiff": (32, 64),
    "dbnmeani": (1, 64), "dhprebn": (32, 64), "dembcat": (32, 30), "dW1": (30, 64), "db1": (64,),
    "demb": (32, 3, 10), "dC": (27, 10),
}  # fmt: skip

CASES = ("lecture", "fresh 1", "fresh 2", "fresh 3", "random upstreams")


def gradient(name: str = "dprobs", outcome: Outcome = Outcome.EXACT, **fields: Any) -> Gradient:
    """One gradient, consistent with its outcome; any field may be given."""
    scores, fault = outcome.scores, outcome is Outcome.GRADER_FAULT
    answered = scores or outcome is Outcome.WRONG_VALUE
    diff = {Outcome.EXACT: 0.0, Outcome.CLOSE: 1.862645149230957e-09, Outcome.WRONG_VALUE: 0.0231}.get(
        outcome
    )
    expected = SHAPES.get(name, (32, 27))
    filled = {
        "name": name,
        "outcome": outcome,
        "score": None if fault else float(scores),
        "max_score": 1.0,
        "exact": outcome is Outcome.EXACT,
        "max_abs_diff": diff,
        "line": 12 + 6 * list(SHAPES).index(name) if name in SHAPES else 12,
        "seconds": 0.0004,
        "autograd": Difference(diff, None if diff is None else diff * 8),
        "reference": Difference(diff, None if diff is None else diff * 8),
        "cases": tuple(CaseResult(case, outcome, diff, 3.2e-08, case != CASES[-1]) for case in CASES),
        "hint": None,
        "error": None,
        "through": tuple(target for target, _, done in LINES if name in done.split()),
        "shown_case": CASES[0],
        "expected_shape": expected,
        "found_shape": expected if answered else None,
        "worst": None,
        "error_map": None,
        "notes": (),
        "output": None,
    }
    return Gradient(**{**filled, **fields})


def exercise(*gradients: Gradient, **fields: Any) -> ExerciseResult:
    """An exercise of these gradients over the lecture's forward pass."""
    names = {g.name for g in gradients}
    filled = {
        "id": "ex1_step_by_step",
        "title": "Every gradient, step by step",
        "file": "ex1_step_by_step.py",
        "score": sum(g.score or 0.0 for g in gradients),
        "max_score": sum(g.max_score for g in gradients),
        "gradients": gradients,
        "forward": tuple(
            ForwardLine(name, f"{name} = {right}", tuple(d for d in done.split() if d in names))
            for name, right, done in LINES
        ),
    }
    return ExerciseResult(**{**filled, **fields})


def scorecard(*exercises: ExerciseResult, name: str = "robin") -> Scorecard:
    """A submission with these exercises."""
    return Scorecard(
        schema=SCHEMA_ID,
        submission=SubmissionId(
            name, "sha256:9f2c61d0b7e84a53c8e5f4b9a1d2036e7f1b8c4d5a69e0f7132b6c8d9e0a1b2c"
        ),
        grader=GraderInfo("0.1.0", "3.11.2", "2.13.0+cpu", 2147483647),
        isolation=Isolation(
            ("process", "rlimits", "no_new_privs", "seccomp", "namespaces"),
            (MissingLayer("landlock", "the kernel does not offer it (needs Linux 5.13)"),),
        ),
        score=sum(e.score for e in exercises),
        max_score=sum(e.max_score for e in exercises),
        exercises=exercises,
    )


def wrong(name: str, kind: str, message: str, line: str, rows: tuple[str, ...], **fields: Any) -> Gradient:
    """A wrong value with everything a report can show about it."""
    index = tuple(min(3, size - 1) for size in SHAPES[name])
    shown = {
        "hint": Hint(kind, message, line),
        "worst": Worst(index, -0.0104167, 0.0126833),
        "error_map": ErrorMap((1, 1), rows),
        "cases": (
            *(
                CaseResult(case, Outcome.WRONG_VALUE, 0.0231 / i, 3.2e-08, True)
                for i, case in enumerate(CASES[:4], 1)
            ),
            CaseResult(CASES[4], Outcome.CLOSE, 2.4e-08, 3.2e-08, False),
        ),
    }
    return gradient(name, Outcome.WRONG_VALUE, **{**shown, **fields})


def untouched() -> Scorecard:
    """A template nobody has filled in."""
    stubs = (
        gradient(name, Outcome.MISSING, cases=(), autograd=Difference(None, None), reference=None)
        for name in SHAPES
    )
    return scorecard(exercise(*stubs), name="new")


def perfect() -> Scorecard:
    """Every gradient right, exactly or closely."""
    last = list(SHAPES)[-16:]
    return scorecard(
        exercise(*(gradient(name, Outcome.CLOSE if name in last else Outcome.EXACT) for name in SHAPES)),
        name="alice",
    )


def unreadable() -> Scorecard:
    """A file with a syntax error, which strikes every stub alike."""
    fault = StudentError(
        "SyntaxError",
        "'(' was never closed",
        41,
        ('  File "ex1_step_by_step.py", line 41', "    return (dlogprobs", "           ^"),
    )
    none = {"error": fault, "autograd": Difference(None, None), "reference": None, "cases": (), "line": None}
    return scorecard(exercise(*(gradient(name, Outcome.ERROR, **none) for name in SHAPES)), name="dora")


def _digits(rows: int, columns: int, pattern: str = "dense") -> tuple[str, ...]:
    """A made-up error: ``dense`` everywhere, ``column`` in one column, ``rows`` in every fifth row."""

    def digit(y: int, x: int) -> int:
        noise = (y * 7 + x * 13 + (y * x) % 11) % 10
        return {
            "dense": noise,
            "column": noise // 2 + 1 if x == 3 else 0,
            "rows": noise if y % 5 == 3 else 0,
        }[pattern]

    marked = [[digit(y, x) for x in range(columns)] for y in range(rows)]
    marked[min(3, rows - 1)][min(3, columns - 1)] = 9
    return tuple("".join(map(str, row)) for row in marked)


def sample() -> Scorecard:
    """A student half way: right, wrong, broken and missing gradients over three exercises."""
    made = {name: gradient(name, Outcome.EXACT if i < 11 else Outcome.CLOSE) for i, name in enumerate(SHAPES)}
    made["dprobs"] = replace(
        made["dprobs"], notes=("Right for this loss; it relies on dlogprobs being zero off the labels.",)
    )
    made["dcounts"] = wrong(
        "dcounts",
        "missing_path",
        "What flows back through `counts_sum` is missing. `counts` is used on two lines, "
        "so two gradients arrive at it, and they add up.",
        "counts_sum = counts.sum(1, keepdim=True)",
        _digits(32, 27),
        through=("counts_sum", "probs"),
        output="dprobs: torch.Size([32, 27])\ncounts_sum_inv: torch.Size([32, 1])\n",
    )
    made["dlogits"] = wrong(
        "dlogits",
        "missing_path",
        "What flows back through `logit_maxes` is missing.",
        "logit_maxes = logits.max(1, keepdim=True).values",
        _digits(32, 27, "column"),
        through=("logit_maxes", "norm_logits"),
    )
    made["db2"] = gradient(
        "db2",
        Outcome.WRONG_SHAPE,
        found_shape=(32, 27),
        hint=Hint(
            "unsummed_broadcast",
            "`b2` was broadcast along the rows, so its gradient is the sum over them.",
            "logits = h @ W2 + b2",
        ),
    )
    made["dbnvar"] = wrong(
        "dbnvar",
        "wrong_factor",
        "Every entry is off by a factor of 2: look at the exponent.",
        "bnvar_inv = (bnvar + 1e-5) ** -0.5",
        _digits(1, 64),
    )
    fault = StudentError(
        "RuntimeError",
        "The size of tensor a (64) must match the size of tensor b (27) at non-singleton dimension 1",
        118,
        (
            '  File "ex1_step_by_step.py", line 118, in dbndiff',
            "    return bnvar_inv * dlogits + 2 * bndiff * dbndiff2",
            "           ~~~~~~~~~~^~~~~~~~~",
        ),
    )
    none = {"cases": (), "autograd": Difference(None, None), "reference": None}
    made["dbndiff"] = gradient("dbndiff", Outcome.ERROR, error=fault, **none)
    made["dbnmeani"] = gradient(
        "dbnmeani", Outcome.CLOSE, found_shape=(64,), notes=("Shape (64,) taken for (1, 64).",)
    )
    made["dhprebn"] = gradient(
        "dhprebn",
        Outcome.TIMED_OUT,
        **none,
        hint=Hint("timed_out", "The stub did not return within 10 seconds.", None),
    )
    made["dC"] = wrong(
        "dC",
        "overwritten",
        "Rows of `C` that were looked up twice keep only the last gradient. Use `+=`.",
        "emb = C[Xb]",
        _digits(27, 10, "rows"),
    )
    for name in ("dembcat", "dW1", "db1", "demb"):
        made[name] = gradient(name, Outcome.MISSING, **none)
    closed = tuple(line for line, _, _ in LINES[12:])
    return scorecard(
        exercise(*made.values()),
        exercise(
            gradient("dlogits", Outcome.CLOSE, through=closed),
            id="ex2_cross_entropy",
            title="The cross-entropy in one go",
            file="ex2_cross_entropy.py",
        ),
        exercise(
            gradient("dhprebn", Outcome.MISSING, through=tuple(line for line, _, _ in LINES[3:10]), **none),
            id="ex3_batchnorm",
            title="Batch norm in one go",
            file=None,
        ),
    )


def side(steps: int = 1000, **fields: Any) -> Side:
    """One way of training, whose loss comes down as losses do."""
    curve = tuple(round(2.1 + 1.4 * math.exp(-place / 4) + 0.05 * (place % 3), 4) for place in range(40))
    filled = {"steps": steps, "curve": curve, "averages": Averages(2.0714, 2.1098), "seconds": 2.5}
    return Side(**{**filled, **fields})


def training(**fields: Any) -> Training:
    """A training that went well; any field may be given."""
    filled = {
        "words": "names.txt",
        "steps": 1000,
        "done": 1000,
        "trouble": None,
        "stopped": False,
        "hand": side(),
        "autograd": side(seconds=1.0),
        "published": Published("a lecture's, of its own list of names", 2.07, 2.11),
        "names": ("ana", "bellamarie", "", "jo"),
    }
    return Training(**{**filled, **fields})


def trained(**fields: Any) -> Scorecard:
    """An exercise that trains, with the steps it is graded by and a whole training."""
    none = Averages(None, None)
    own = {"averages": none, "steps": 300}
    work = exercise(
        gradient("dC"),
        gradient("losses", Outcome.CLOSE, through=(), expected_shape=(300,)),
        id="ex4_training",
        title="Train the network with your own backward pass",
        file="ex4_training.py",
        descent=training(
            steps=300, done=300, hand=side(**own), autograd=side(**own), published=None, names=()
        ),
        training=training(**fields),
    )
    return scorecard(work, name="tess")


HOSTILE = (
    "</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x='",
    "{{ 7 * 7 }}{% raw %}&lt;&#x202e;[red]markup[/red] :smile:",
    "a\u202eb\u2066c\u200bd\u2028e\ufefff",
    "\x00\x1b[31m\x07\x08\x7f\x9b31m\r\n\ttail",
    "\udc80\ud800",
    "",
    "x" * 3000,
)  # fmt: skip


def hostile(text: str) -> Scorecard:
    """A submission that puts a text wherever a student, or a message that quotes one, can put it."""
    bad = gradient(
        "dcounts",
        Outcome.WRONG_VALUE,
        hint=Hint(text, text, text),
        notes=(text,),
        output=text,
        error=StudentError(text, text, 3, (text, text)),
        error_map=ErrorMap((1, 1), ("09",)),
        worst=Worst((0, 1), 1.0, None),
        expected_shape=(1, 2),
    )
    right = gradient("dprobs", notes=(text,), output=text)
    missing = gradient("dlogits", Outcome.MISSING, hint=Hint(text, text, None), output=text)
    told = training(words=text, trouble=text, names=(text, text), published=Published(text, 2.0, 2.1))
    work = exercise(
        right, bad, missing, file=text, title=text, id=text, descent=replace(told, names=()), training=told
    )
    return replace(
        scorecard(work, name=text),
        submission=SubmissionId(text, text),
        isolation=Isolation((text,), (MissingLayer(text, text),)),
    )
