"""`grade watch` as it is used: in a terminal, and on a pipe."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from grader.apps.cli import main
from tests.conftest import ROOT

PATIENCE_S = 300.0
"""How long a busy machine may take over what is waited for."""
EX2 = "ex2_cross_entropy"
STUB = 'def dlogits(logits, Yb, n):\n    raise NotImplementedError("dlogits")\n'
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A watch in a pseudo-terminal of 80 by 24."""

    def __init__(self, *words: object) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "grader", "watch", *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
            start_new_session=True,
        )
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def expect(self, text: str) -> str:
        """What is printed until a text is there, without escapes, on one line wherever it was broken."""
        deadline = time.monotonic() + PATIENCE_S
        start = len(self.raw)
        while text not in (found := " ".join(ESCAPES.sub("", self.raw[start:]).split())):
            assert self._read(deadline), f"expected {text!r}, found {self.raw[start:]!r}"
        return found

    def end(self, number: signal.Signals) -> int:
        """Send a signal to all that run here, as a terminal does; return the exit status."""
        os.killpg(self.child.pid, number)
        deadline = time.monotonic() + PATIENCE_S
        while self.child.poll() is None and time.monotonic() < deadline:
            self._read(time.monotonic() + 0.1)
        self._read(time.monotonic() + 0.1)
        return self.child.wait(0)

    def is_as_before(self) -> bool:
        """Whether the terminal was given back: its modes, the ordinary screen, the cursor."""
        last = {
            mode: self.raw.rfind(f"\x1b[?{mode}h") - self.raw.rfind(f"\x1b[?{mode}l") for mode in (1049, 25)
        }
        return termios.tcgetattr(self._theirs) == self.before and last[1049] < 0 and last[25] > 0

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if ready:
            self.raw += os.read(self._ours, 1 << 16).decode("utf-8", "replace")
        return bool(ready)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one exercise still to be done."""
    found = tmp_path / "me"
    found.mkdir()
    (found / f"{EX2}.py").write_text(STUB)
    return found


def rename_over(file: Path, text: str) -> None:
    """Save as vim and PyCharm do: a new file is put in the old one's place."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    os.replace(new, file)


def test_a_session_at_a_terminal(folder: Path) -> None:
    file = folder / f"{EX2}.py"
    right = (ROOT / "submissions/alice" / file.name).read_text()
    with Terminal(folder, "--exercise", EX2) as terminal:
        terminal.expect("A fresh page.")
        rename_over(file, right)
        assert "gained dlogits" in terminal.expect("went back")
        file.write_text(right + "def half(\n")
        assert "def half(" in terminal.expect("| def half(")
        assert "SyntaxError" in ESCAPES.sub("", terminal.raw)
        file.write_text(right.replace("dlogits", "dlogit"))
        terminal.expect("lost dlogits")
        shutil.rmtree(folder)
        terminal.expect("is gone")
        folder.mkdir()
        file.write_text(right)
        terminal.expect("gained dlogits")
        assert terminal.end(signal.SIGINT) == 0
        assert terminal.is_as_before()
        assert "Traceback" not in terminal.raw
        assert ESCAPES.sub("", terminal.raw).rstrip().endswith("by hand.")


def test_it_can_be_ended_while_it_warms_up(folder: Path) -> None:
    with Terminal(folder) as terminal:
        terminal.expect("Warming up")
        assert terminal.end(signal.SIGTERM) == 0
        assert terminal.is_as_before()
        assert "Traceback" not in terminal.raw


@pytest.fixture
def piped(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A watch on a pipe."""
    words = [sys.executable, "-m", "grader", "watch", str(folder / f"{EX2}.py")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        timer = threading.Timer(PATIENCE_S, child.kill)
        timer.start()
        yield child
        timer.cancel()
        child.kill()


def test_lines_on_a_pipe(folder: Path, piped: subprocess.Popen[str]) -> None:
    assert piped.stdout is not None
    lines = iter(piped.stdout.readline, "")
    assert next(line for line in lines if "0/1" in line).startswith(f"{EX2} 0/1: A fresh page.")
    rename_over(folder / f"{EX2}.py", (ROOT / f"submissions/alice/{EX2}.py").read_text())
    assert "missing -> " in next(line for line in lines if line.startswith("gained: dlogits"))
    assert "1/1" in next(lines)
    piped.send_signal(signal.SIGINT)
    rest = list(lines)
    assert piped.wait(PATIENCE_S) == 0
    assert rest == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no such file or folder"),
        (["class"], "class: expected one submission to watch, found 2"),
        (["class/ada", "--exercise", "ex9"], "--exercise: expected one of"),
    ],
)
def test_what_cannot_be_watched_is_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("ada", "ben"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / f"{EX2}.py").write_text(STUB)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["watch", *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
