"""Notebooks and scripts on the command line: `grade part4.ipynb`, and folders that hold one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.apps.cli import main
from tests.submissions.notebooks.build import DATA, notebook, pieces, stored

ONLY = ("--exercise", "ex1_step_by_step", "--exercise", "ex2_cross_entropy", "--exercise", "ex3_batchnorm")

Grade = Callable[..., tuple[int, str, Any]]


@pytest.fixture
def grade(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grade:
    """Grades on the command line: the exit status, what is printed, and the scorecard."""
    monkeypatch.chdir(tmp_path)

    def run(path: str, *words: str) -> tuple[int, str, Any]:
        with pytest.raises(SystemExit) as stop:
            main([path, *ONLY, *words])
        card = json.loads((tmp_path / f"scorecards/{Path(path).stem}.json").read_text("utf-8"))
        return int(stop.value.code or 0), capsys.readouterr().out, card

    return run


def reads(card: Any) -> dict[str, Any]:
    return {f"{e['id'][:3]} {g['name']}": g for e in card["exercises"] for g in e["gradients"]}


def test_a_notebook_a_folder_with_one_and_a_script(grade: Grade, tmp_path: Path) -> None:
    (tmp_path / "part4.ipynb").write_bytes(stored("lecture"))
    (tmp_path / "me").mkdir()
    (tmp_path / "me/mine.ipynb").write_bytes(stored("own_names"))
    (tmp_path / "part4_again.py").write_bytes((DATA / "script.py").read_bytes())
    for path in ("part4.ipynb", "me", "part4_again.py"):
        status, _, card = grade(path)
        assert (status, card["score"], card["max_score"]) == (0, 28, 28)


def test_the_lectures_notebook_completed_earns_every_point_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of the course, the training with its own gradients included."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part4.ipynb").write_bytes(stored("lecture"))
    with pytest.raises(SystemExit) as stop:
        main(["part4.ipynb"])
    assert stop.value.code == 0
    card = json.loads((tmp_path / "scorecards/part4.json").read_text("utf-8"))
    assert card["score"] == card["max_score"] == 38
    assert "Every gradient is right" in capsys.readouterr().out


def test_a_place_is_a_cell_and_its_line(grade: Grade, tmp_path: Path) -> None:
    cells = [
        (kind, text.replace("dh = dlogits @ W2.T", "dh = dlogits @ W2.T / n"))
        for kind, text in pieces("lecture")
    ]
    (tmp_path / "part4.ipynb").write_bytes(notebook(cells))
    status, out, card = grade("part4.ipynb")
    assert status == 1
    gradient = reads(card)["ex1 dh"]
    assert (gradient["cell"], gradient["line"], gradient["hint"]["kind"]) == (12, 16, "scale")
    assert "Right but for a factor of 1 / n" in out
    page = (tmp_path / "scorecards/part4.html").read_text("utf-8")
    assert "cell 12, line 16" in page


@pytest.mark.parametrize(("level", "kind"), [("full", "scale"), ("line", "line"), ("off", None)])
def test_an_instructor_says_how_much_is_told(
    grade: Grade, tmp_path: Path, level: str, kind: str | None
) -> None:
    cells = [
        (kind, text.replace("dh = dlogits @ W2.T", "dh = dlogits @ W2.T / n"))
        for kind, text in pieces("lecture")
    ]
    (tmp_path / "part4.ipynb").write_bytes(notebook(cells))
    _, out, card = grade("part4.ipynb", "--hints", level)
    hint = reads(card)["ex1 dh"]["hint"]
    assert (hint and hint["kind"]) == kind
    assert ("factor" in out) is (level == "full")


def test_what_cannot_be_read_says_so_for_every_gradient(grade: Grade, tmp_path: Path) -> None:
    (tmp_path / "part4.ipynb").write_bytes(b'{"cells": [')
    status, out, card = grade("part4.ipynb")
    assert status == 1
    messages = {g["error"]["message"] for g in reads(card).values()}
    (message,) = messages
    assert message.startswith("part4.ipynb: expected a notebook, found no JSON")
    assert message[:40] in out


def test_two_notebooks_in_one_folder_are_two_submissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()
    for name in ("lecture", "no_markers"):
        (tmp_path / "class" / f"{name}.ipynb").write_bytes(stored(name))
    with pytest.raises(SystemExit) as stop:
        main(["class", *ONLY])
    assert stop.value.code == 0
    written = {path.name for path in (tmp_path / "scorecards").iterdir()}
    assert {"lecture.json", "no_markers.json"} <= written
