"""What a command's streams cannot take changes no result, and a signal leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.batch import students
from tests.wanted import only_where

pytestmark = only_where(os.name == "posix", "closes and redirects as a POSIX shell does")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two students with names that not every encoding has."""
    folder = tmp_path_factory.mktemp("class") / "work"
    return students.hand_in(folder, {"Jürgen 中": students.RIGHT, "ada": students.RIGHT})


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which `$grade` grades the class's one exercise."""
    grade = f"{sys.executable} -m grader --exercise {students.EXERCISE}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; grade='{grade}'; {line}"],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    "redirect",
    [">&-", "2>&-", "<&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full", "| true", "| head -c 1 >/dev/null"],
)
@pytest.mark.parametrize("what", ["ada", "."])
def test_a_stream_that_takes_nothing_changes_no_result(
    redirect: str, what: str, folder: Path, tmp_path: Path
) -> None:
    """Full marks stay status 0, and the scorecards are written whole."""
    done = shell(f"$grade '{folder / what}' --out '{tmp_path / 'out'}' {redirect}")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert students.score(tmp_path / "out", "ada") == 1
    assert (tmp_path / "out" / "ada.html").read_bytes().rstrip().endswith(b"</html>")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_a_name_that_cannot_be_shown_is_escaped(
    environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    done = shell(f"$grade '{folder}' --out '{tmp_path / 'out'}'", **environment)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"J" in done.stdout and b"ada" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_and_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    """Neither what was unpacked nor a process: an archive of work that hangs, ended while it is graded."""
    work = students.hand_in(tmp_path / "work", {f"h{i}": students.HANGING for i in range(3)})
    archive = tmp_path / "all.zip"
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", archive, *sorted(work.iterdir())], check=True, cwd=work
    )
    room = tmp_path / "temporary"
    room.mkdir()
    run = subprocess.Popen(
        students.command(archive, "--out", tmp_path / "out", "--jobs", 2, "--time-limit", 600),
        env={**os.environ, "TMPDIR": str(room)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    locks = tmp_path / "out" / ".grade" / "locks"
    while not (locks.exists() and any(locks.iterdir())):
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert number.name in err and "Traceback" not in err
    assert not [path for path in room.iterdir() if path.name.startswith("grade")]
