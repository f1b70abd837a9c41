"""Coverage-guided fuzzing of what reads notebooks and scripts: ``make fuzz`` (or ``make fuzz RUNS=1000000``).

Whatever bytes a student hands in, reading them ends: in stubs, or in a problem of that file. Anything that the
readers raise beyond that, even where it is contained, stops the run, and so does an input that takes too long.

libFuzzer keeps what reached new code in the folder it is given first, so that the next run goes on from there.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["grader.submissions"]):
    from grader.course.course import Course
    from grader.submissions.notebooks.stubs import interpret
    from grader.submissions.submission import Submission

DATA = Path(__file__).parents[1] / "submissions" / "notebooks" / "data"
COURSE = Course.shipped()
EXERCISES = COURSE.exercises
IDS = COURSE.ids

ODD_LINES = (
    "x = 0x" + "f" * 4000, "y = x[0x" + "f" * 4000 + "]", "%%time", "!ls", "%matplotlib inline", "def f(:",
    "if __name__ == '__main__':", "for i in range(10):", "with torch.no_grad():", "    dlogits = dprobs * probs",
    "    loss.backward()", "# Exercise 1", "# exercise 2: again", "def ddlogits(a, b):", "    raise", "return",
    "dlogits += 1", "a, b = b, a", "global x", "del dlogits", "x = y = z", "(" * 150, ")" * 150, "f'{x!r:{y}}'",
    "match x:", "    case {**rest}:", "async def f():", "class A:", "    d = 1", "@d", "x: int = 3", "1e999",
    "print(", "'''", '"""', "\\", "\tx = 1", "\ufeff", "x = \ud800", "e\u0301 = 1", "1_000j", "...", "*a, = b",
    "lambda: (yield)", "dh[0] = dh[1]",
)  # fmt: skip


def lines() -> list[str]:
    """The lines that scripts are put together from: those of stored notebooks, and odd ones."""
    stored = (path.read_text("utf-8") for path in sorted(DATA.glob("*.py")))
    return [*dict.fromkeys(line for text in stored for line in text.splitlines()), *ODD_LINES]


LINES = lines()


def read(filename: str, content: bytes) -> None:
    """Read one file as what a student handed in, and fail where the readers did."""
    submission = Submission.from_files("fuzzed", {filename: content}, COURSE)
    for work in interpret(submission.files, EXERCISES).values():
        assert not work.handed_in.is_ours, work.handed_in.problem


def notebook(cells: Sequence[str]) -> bytes:
    """A notebook of code cells and, every fourth, markdown."""
    made = [
        {
            "cell_type": "markdown" if number % 4 == 3 else "code",
            "source": text,
            "metadata": {},
            "outputs": [],
        }
        for number, text in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def script(data: bytes) -> str:
    """Stored lines by number; what follows a 255 up to the next stands in the script as it is."""
    parts = data.split(b"\xff")
    written = [part.decode("utf-8", "replace") for part in parts[1::2]]
    numbers = [[part[i] << 8 | part[i + 1] for i in range(0, len(part) - 1, 2)] for part in parts[::2]]
    text: list[str] = []
    for place, some in enumerate(numbers):
        text += [LINES[number % len(LINES)] for number in some]
        text += written[place : place + 1]
    return "\n".join(text)


def one_input(data: bytes) -> None:
    """Read one input; its first byte says as what."""
    kind, rest = data[:1] or b"\0", data[1:]
    match kind[0] % 5:
        case 0:
            read("fuzzed.py", rest)
        case 1:
            read("fuzzed.ipynb", rest)
        case 2:
            read("fuzzed.ipynb", notebook(rest.decode("utf-8", "surrogateescape").split("\0")))
        case 3:
            read("fuzzed.py", script(rest).encode("utf-8", "surrogatepass"))
        case _:
            read("fuzzed.ipynb", notebook(script(rest).split("# %%")))


def seeds(folder: Path) -> None:
    """Write what a run starts from: every stored notebook, as a script and as cells."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(DATA.glob("*.py")):
        content = path.read_bytes()
        (folder / f"{path.stem}.script").write_bytes(b"\0" + content)
        (folder / f"{path.stem}.cells").write_bytes(b"\2" + content.replace(b"# %%", b"\0"))
        numbers = b"".join(LINES.index(line).to_bytes(2, "big") for line in content.decode().splitlines())
        (folder / f"{path.stem}.lines").write_bytes(b"\4" + numbers.replace(b"\xff", b"\xfe"))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    seeds(Path(sys.argv[1]))
    atheris.Setup([sys.argv[0], *sys.argv[1:]], one_input)
    atheris.Fuzz()
