"""What training in a box costs, and where a whole training ends.

    python benchmarks/training.py                 the reference's 200,000 steps; what a step costs in a box
    python benchmarks/training.py --steps 20000   fewer
    python benchmarks/training.py --words FILE    on another list, such as the lecture's own

The bare loop is the same code on the same batches in this process, without box or judge. Each is timed
several times in turn, and the quickest counts: what disturbs a machine only ever adds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from grader import training_report
from grader.box.box import Box, Limits, Source, Zygote
from grader.course import Course
from grader.judge import prepare_trajectories
from grader.settings import Settings
from grader.training import train
from grader.trajectory import Trajectory

ROOT = Path(__file__).parent.parent
EXERCISE = "ex4_training"
ROUNDS = 15


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--words", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    course = Course.at(ROOT)
    (exercise,) = course.select((EXERCISE,))
    settings = Settings(words=chosen.words)
    (trajectory,) = prepare_trajectories(exercise, settings).values()
    submission = ROOT / "reference" / f"{EXERCISE}.py"
    overhead(course, trajectory, submission)
    with training_report.watched(chosen.steps) as show:
        made = train(submission, steps=chosen.steps, course=ROOT, settings=settings, show=show)
    print(training_report.summary(made))


def overhead(course: Course, trajectory: Trajectory, path: Path) -> None:
    """Print what a step costs by itself, in a box, and by autograd."""
    reference = course.reference(course.select((EXERCISE,))[0])
    assert reference is not None
    steps, bare, boxed = trajectory.descent.steps, [], []
    zygote, limits = Zygote(course.hidden), Limits(60, 1024)
    with Box(zygote.open(limits), limits) as box:
        box.load(Source(path.name, path.read_bytes()), ["train"])
        for _ in range(ROUNDS):
            own = trajectory.arguments()
            started = time.perf_counter()
            reference["train"](**own)
            bare.append(time.perf_counter() - started)
            reply = box.call("train", [trajectory.arguments()], after=("parameters",))
            boxed.append(reply.seconds)
    zygote.close()
    one, other = (1e6 * min(seconds) / steps for seconds in (bare, boxed))
    print(f"a step of {steps}: bare {one:.0f} µs, in a box {other:.0f} µs ({100 * (other / one - 1):+.1f} %)")
    print(f"by autograd, in the judge: {1e6 * trajectory.seconds / steps:.0f} µs")


if __name__ == "__main__":
    main()
