"""What diagnosis adds to the time of grading one submission, warm, in processor time.

python benchmarks/diagnosis.py [--quick]

The same submission is graded with and without it, in turn, by a judge that has graded before but never seen these
answers: what is worked out once for an exercise serves every submission. Boxes count on both sides.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path
from unittest import mock

import classes
from watch import EX1, cpu_s, sample

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.judge import Judge
from grader.grading.suites import prepare_suites
from grader.sandbox.linux import Zygote
from grader.submissions import submission

MISTAKES = {
    "dcounts": "def dcounts(counts_sum_inv, dprobs):\n    return counts_sum_inv * dprobs\n",
    "dlogit_maxes": "def dlogit_maxes(dnorm_logits):\n    return dnorm_logits.sum(1, keepdim=True)\n",
    "dhpreact": "def dhpreact(h, dh):\n    return (1 - h) * dh\n",
    "dbndiff2": "def dbndiff2(bndiff2, dbnvar, n):\n    return dbnvar.expand_as(bndiff2) / n\n",
    "dC": "def dC(C, Xb, demb):\n    out = torch.zeros_like(C)\n    out[Xb] = demb\n    return out\n",
}
"""Five mistakes that are made often: a path left out, a sign, a local derivative, a factor, an overwrite."""


def with_mistakes() -> str:
    """Alice's work with five mistakes that are explained."""
    return sample("alice") + "".join(f"\n{stub}" for stub in MISTAKES.values())


def with_riddles() -> str:
    """Alice's work with five mistakes that nothing explains, so that every hypothesis is tried."""
    text = sample("alice")
    for ask in MISTAKES:
        text, count = re.subn(
            rf"^(def {ask}\(.*?^ +)return (.+?)\n",
            r"\1right = \2\n    return right * (1 + right.sin() * right.shape[0])\n",
            text,
            count=1,
            flags=re.M | re.S,
        )
        assert count == 1
    return text


def shares(judge: Judge, text: str, rounds: int) -> tuple[float, float]:
    """Median processor milliseconds without diagnosis, and what it adds to them."""
    with tempfile.TemporaryDirectory() as room:
        Path(room, f"{EX1}.py").write_text(text)
        work = submission.read(Path(room), [EX1])

        def spent() -> float:
            before = cpu_s()
            for _ in range(4):  # the system counts in hundredths of a second
                for suite in judge.suites:
                    suite.cache.forget()  # or the second of two that fail alike would be diagnosed for nothing
                judge.grade(work)
            return (cpu_s() - before) / 4 * 1000

        for _ in range(2):
            spent()
        bare, added = [], []
        for _ in range(rounds):
            with mock.patch("grader.grading.judge.diagnose", return_value=None):
                bare.append(spent())
            added.append(spent() - bare[-1])
    return statistics.median(bare), statistics.median(added)


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Processor milliseconds of grading exercise 1, and what diagnosis adds."""
    rounds = 5 if quick else 25
    course = Course.at(classes.ROOT)
    suites = prepare_suites(course, course.select([EX1]), Settings())
    boxes = Zygote(course.hidden)
    judge = Judge(boxes, suites, Settings(), exercises=course.exercises)
    found = []
    for label, text in (("explained", with_mistakes()), ("unexplained", with_riddles())):
        bare, added = shares(judge, text, rounds)
        target = " (target: at most 20 %)" if label == "explained" else ""
        found.append((f"five mistakes, {label}: CPU ms without diagnosis", f"{bare:.0f}"))
        found.append((f"the same: what it adds{target}", f"{added:.0f} ms, {added / bare:.0%}"))
    boxes.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
