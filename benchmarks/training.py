"""What training in a box costs, and where a whole training ends.

    python benchmarks/training.py                 the reference's 200,000 steps; what a step costs in a box
    python benchmarks/training.py --steps 20000   fewer; --quick makes 2,000
    python benchmarks/training.py --words FILE    on another list, such as the lecture's own

The bare loop is the same code on the same batches in this process, without box or judge. Each is timed
several times in turn, and the quickest counts: what disturbs a machine only ever adds. What the lecture reports
is of its own list of names, and stands beside a training of as many steps on whatever list.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from grader.apps.training_progress import watched
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.plan import limits_of
from grader.grading.suites import prepare_descents
from grader.grading.training import Trainer
from grader.reports.wording import loss_rows
from grader.sandbox.box import Box
from grader.sandbox.linux import Zygote
from grader.scorecard.model import Training
from grader.submissions import submission

ROOT = Path(__file__).parent.parent
EXERCISE = "ex4_training"
STEPS, FEW = 200_000, 2_000
ROUNDS = 40

Rows = list[tuple[str, str]]


def rows(*, quick: bool, steps: int | None = None, words: Path | None = None) -> Rows:
    """What a step costs, whether a training repeats, and where the whole of it ends."""
    torch.set_num_threads(1)
    course, settings = Course.at(ROOT), Settings(words=words)
    zygote = Zygote(course.hidden)
    try:
        costs = overhead(course, settings, zygote, rounds=ROUNDS // 5 if quick else ROUNDS)
        one, two = (trained(course, settings, zygote, FEW) for _ in range(2))
        whole = trained(course, settings, zygote, steps or (FEW if quick else STEPS))
    finally:
        zygote.close()
    same = "the same" if timeless(one) == timeless(two) else "NOT THE SAME"
    return [*costs, (f"losses and names of two runs of {FEW:,} steps", same), *ends(whole)]


def overhead(course: Course, settings: Settings, zygote: Zygote, *, rounds: int) -> Rows:
    """What a step costs by itself, in a box, and by autograd."""
    (exercise,) = course.select((EXERCISE,))
    (oracle,) = prepare_descents(exercise, settings).values()
    reference = course.reference(exercise)
    assert reference is not None
    path = ROOT / "reference" / f"{EXERCISE}.py"
    steps, bare, boxed = oracle.descent.steps, [], []
    limits = limits_of(settings, exercise)
    with Box(zygote.open(limits), limits) as box:
        box.load({path.name: path.read_bytes()}, ["train"])
        for _ in range(rounds):
            own = oracle.arguments()
            started = time.perf_counter()
            reference["train"](**own)
            bare.append(time.perf_counter() - started)
            reply = box.call("train", [oracle.arguments()], after=("parameters",))
            boxed.append(reply.seconds)
    one, other, autograd = (1e6 * s / steps for s in (min(bare), min(boxed), oracle.single.seconds))
    return [
        (f"a step of {steps}, bare, µs", f"{one:.0f}"),
        ("the same in a box, µs", f"{other:.0f}"),
        ("box over bare (target: at most 5 %)", f"{100 * (other / one - 1):+.1f} %"),
        ("by autograd in the judge, µs", f"{autograd:.0f}"),
    ]


def trained(course: Course, settings: Settings, zygote: Zygote, steps: int) -> Training:
    """The reference's training, in a box, with a bar on a terminal."""
    handed_in = submission.read(ROOT / "reference" / f"{EXERCISE}.py", course.ids)
    with watched(steps) as show:
        return Trainer.of(handed_in, course, settings, steps=steps).train(zygote, show)


def timeless(training: Training) -> Training:
    """A training without how long it took."""
    hand, autograd = (replace(side, seconds=0.0) for side in (training.hand, training.autograd))
    return replace(training, hand=hand, autograd=autograd)


def ends(training: Training) -> Rows:
    """Where a whole training ended, and what it took."""
    published, hand, autograd = training.published, training.hand, training.autograd
    made = f"{training.done:,} steps on {training.words}"
    found = [
        (f"{made}: loss on the {row.split} split, by hand and by autograd", f"{row.hand}, {row.autograd}")
        for row in loss_rows(training)
    ]
    if published is not None:
        told = f"{published.training:.4g}, {published.validation:.4g}"
        found.append((f"published: {published.by}, on the training and the validation split", told))
    ratio = f"{hand.seconds:.0f}, {autograd.seconds:.0f}; {hand.seconds / autograd.seconds:.2f} x"
    found.append(("seconds by hand and by autograd at the same time; ratio", ratio))
    found.append(("names from the network", ", ".join(name or "–" for name in training.names[:8])))
    if training.trouble is not None:
        found.append(("trouble", training.trouble))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--words", type=Path)
    chosen = parser.parse_args()
    for name, value in rows(quick=chosen.quick, steps=chosen.steps, words=chosen.words):
        print(f"{name}: {value}")
