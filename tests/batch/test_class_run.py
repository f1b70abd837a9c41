"""A class is graded in parallel, once each, whatever happens: the same bytes come out."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.batch.store import RECORDS
from tests.batch import students

KILLS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return students.hand_in(tmp_path_factory.mktemp("class") / "handed in")


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run of two workers makes of the class."""
    out = tmp_path_factory.mktemp("graded")
    done = students.grade(folder, "--out", out, "--jobs", 2)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    return out


def records(out: Path) -> dict[str, bytes]:
    """The record of each submission that is done."""
    folder = out / RECORDS
    return {path.stem: path.read_bytes() for path in folder.glob("*.json")} if folder.exists() else {}


def test_everybody_gets_what_they_earned(out: Path) -> None:
    earned = {name for name in students.WORK if students.score(out, name) > 0}
    assert earned == {"ada", "lea"}
    assert len(students.results(out)) == 2 * len(students.WORK)


def test_the_table_has_a_row_for_each_and_a_summary(folder: Path, out: Path) -> None:
    done = students.grade(folder, "--out", out)
    assert done.returncode == 1
    rows = [line for line in done.stdout.splitlines() if re.match(r"\w+ +\| \d/\d", line)]
    assert [row.split()[0] for row in rows] == sorted(students.WORK)
    assert f"{len(rows)} submissions; 2 with every point" in done.stdout
    assert f"{len(rows)} graded before and unchanged" in done.stdout


def test_the_gradebook_stands_beside_the_scorecards(out: Path) -> None:
    with (out / "gradebook.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(students.WORK)
    assert rows["ada"][f"{students.EXERCISE}.dlogits"] in ("exact", "close")
    assert rows["eve"][f"{students.EXERCISE}.dlogits"] == "crashed"
    page = (out / "gradebook.html").read_text("utf-8")
    for name in students.WORK:
        assert f'href="{name}.html#e1g1"' in page


def test_neither_jobs_nor_order_change_a_byte(folder: Path, out: Path, tmp_path: Path) -> None:
    paths = [folder / name for name in students.WORK]
    random.Random(5).shuffle(paths)
    assert students.grade(*paths, "--out", tmp_path / "out", "--jobs", 1).returncode == 1
    assert students.results(tmp_path / "out") == students.results(out)


def test_only_what_changed_is_graded_again(folder: Path, out: Path, tmp_path: Path) -> None:
    own, mine = tmp_path / "work", tmp_path / "out"
    shutil.copytree(folder, own)
    shutil.copytree(out, mine)
    before = records(mine)
    (own / "ben" / f"{students.EXERCISE}.py").write_text(students.RIGHT, "utf-8")
    (mine / "cyd.json").write_text("{}", "utf-8")  # torn, or tampered with
    (mine / "gus.html").unlink()
    assert students.grade(own, "--out", mine).returncode == 1
    after = records(mine)
    assert {name for name in after if after[name] != before[name]} == {"ben", "cyd", "gus"}
    assert students.score(mine, "ben") == 1
    changed = {"ben.json", "ben.html"}
    old, new = students.results(out), students.results(mine)
    assert {name for name in new if new[name] != old[name]} == changed


def test_regrade_grades_everything_again(out: Path, folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out"
    shutil.copytree(out, mine)
    times = {path: path.stat().st_mtime_ns for path in mine.glob("*.json")}
    assert "0 graded before" in students.grade(folder, "--out", mine, "--regrade").stdout
    assert all(path.stat().st_mtime_ns > before for path, before in times.items())
    assert students.results(mine) == students.results(out)


def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next(
    folder: Path, out: Path, tmp_path: Path
) -> None:
    """Nothing torn, nothing lost, and nothing that was done is done again."""
    mine = tmp_path / "out"
    rng = random.Random(11)
    for kill in range(KILLS):
        done = records(mine)
        wanted = min(len(done) + rng.randrange(3), len(students.WORK) - 1)
        run = subprocess.Popen(
            students.command(folder, "--out", mine, "--jobs", 2),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + 60
        while run.poll() is None and len(records(mine)) < wanted and time.monotonic() < give_up:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        # The whole group, as a power cut would, or the parent alone, as somebody short of memory might.
        (os.killpg if kill % 2 else os.kill)(run.pid, signal.SIGKILL)
        run.wait()
        now = records(mine)
        assert {name: now[name] for name in done} == done
    last = records(mine)
    assert students.grade(folder, "--out", mine, "--jobs", 2).returncode == 1
    finished = records(mine)
    assert finished.keys() == students.WORK.keys()
    assert {name: finished[name] for name in last} == last
    assert students.results(mine) == students.results(out)


def test_two_runs_at_once_share_the_work(folder: Path, out: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out"
    runs = [
        subprocess.Popen(
            students.command(folder, "--out", mine, "--jobs", 2),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [1, 1], said
    assert students.results(mine) == students.results(out)
    kept = [int(re.search(r"(\d+) graded before", text)[1]) for text, _ in said]
    assert sum(kept) == len(students.WORK), "each was graded by one of the two"


def test_those_that_hang_hang_in_parallel(tmp_path: Path) -> None:
    count, limit = 6, 4
    work = students.hand_in(tmp_path / "work", {f"h{i}": students.HANGING for i in range(count)})
    done = students.grade(work, "--out", tmp_path / "out", "--jobs", count, "--time-limit", limit)
    assert done.returncode == 1
    assert done.stdout.count("timed out") == count
    # How long processes take to start is not what this is about: from the first result to the last.
    times = [path.stat().st_mtime for path in (tmp_path / "out" / RECORDS).glob("*.json")]
    assert max(times) - min(times) < (count - 1) * limit * 0.75


def test_a_worker_that_dies_costs_nobody_but_the_submission_it_died_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submission over which our own processes die twice is our fault, and the others are graded."""
    work = students.hand_in(tmp_path / "work", {name: students.WORK[name] for name in ("ada", "cyd", "lea")})
    program = f"""
import os, signal, sys
from grader.apps.cli import main
from grader.grading.engine import Engine
grade = Engine.grade
def deadly(self, submission):
    if submission.name == "cyd":
        os.kill(os.getpid(), signal.SIGKILL)
    return grade(self, submission)
Engine.grade = deadly
main([{str(work)!r}, "--out", {str(tmp_path / "out")!r}, "--exercise", {students.EXERCISE!r}, "--jobs", "2"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "the grader itself failed on 1" in done.stdout
    assert students.score(tmp_path / "out", "ada") == students.score(tmp_path / "out", "lea") == 1
    card = (tmp_path / "out" / "cyd.json").read_text("utf-8")
    assert '"grader_fault"' in card
    assert "cyd" not in records(tmp_path / "out"), "the next run tries again"


def test_ctrl_c_ends_it_and_what_is_written_is_whole(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out"
    run = subprocess.Popen(
        students.command(folder, "--out", mine, "--jobs", 2),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not records(mine) and run.poll() is None:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
