"""What is exported: the grader and the course, installable, and without the solutions."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from grader.apps.export import action, gradescope, kit
from grader.course.course import Course
from grader.errors import UsageError

VENV = Path(sys.executable).parent


@pytest.fixture
def archive(course: Course, tmp_path: Path) -> zipfile.ZipFile:
    """The zip for Gradescope."""
    out = tmp_path / "out.zip"
    gradescope.export(out, course)
    return zipfile.ZipFile(out)


def names(contents) -> set[str]:
    """The files' paths."""
    return {name for name, _ in contents}


def test_the_kit_is_a_project_that_pip_can_install(course: Course) -> None:
    """With the dependencies this grader has, and the course where the installed package looks for it."""
    files = dict(kit.files(course))
    project = tomllib.loads(files["pyproject.toml"].decode())
    assert any(line.startswith("torch") for line in project["project"]["dependencies"])
    assert not any("extra" in line for line in project["project"]["dependencies"])
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        "exercises": "grader/_shipped_course/exercises"
    }
    assert {
        "grader/apps/cli.py",
        "grader/scorecard/scorecard.schema.json",
        "grader/reports/scorecard.html.jinja",
    } <= set(files)
    assert {
        "grader/apps/export/templates/action.yml",
        "exercises/ex1_step_by_step/forward.py",
        "exercises/data/names.txt",
    } <= set(files)
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in files)


def test_the_solutions_stay_behind_unless_they_are_asked_for(course: Course) -> None:
    """Who is graded may come to see what is exported."""
    assert not any(name.startswith("reference") for name in names(kit.files(course)))
    assert "reference/ex1_step_by_step.py" in names(kit.files(course, reference=True))
    assert not any(
        name.startswith(("submissions", "tests")) for name in names(kit.files(course, reference=True))
    )


def test_the_kit_grades_as_this_grader_does(course: Course, tmp_path: Path) -> None:
    """Without this checkout: its own package, its own course."""
    kit.write(tmp_path / "kit", kit.files(course))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "kit")}
    handed_in = tmp_path / "bob"
    shutil.copytree(course.root / "submissions" / "bob", handed_in)
    command = [sys.executable, "-m", "grader", handed_in, "--exercise", "ex1_step_by_step"]
    command += ["--out", tmp_path / "cards"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert json.loads((tmp_path / "cards" / "bob.json").read_text("utf-8"))["score"] == 14


def test_the_zip_has_at_its_root_what_gradescope_looks_for(archive: zipfile.ZipFile) -> None:
    """Executable, and with Unix line ends."""
    for name in ("setup.sh", "run_autograder"):
        info = archive.getinfo(name)
        assert info.external_attr >> 16 & stat.S_IXUSR
        assert archive.read(name).startswith(b"#!/usr/bin/env bash\n") and b"\r" not in archive.read(name)
    assert json.loads(archive.read("settings.json")) == {
        "exercises": [], "seed": 1, "visibility": "visible", "isolation": "auto",
    }  # fmt: skip
    assert archive.testzip() is None
    assert all(not name.startswith(("/", "..")) for name in archive.namelist())


def test_the_same_course_makes_the_same_zip(course: Course, tmp_path: Path) -> None:
    """Byte for byte."""
    for name in ("a.zip", "b.zip"):
        gradescope.export(tmp_path / name, course)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_exercise_that_is_not_there_is_refused(course: Course, tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError, match=r"^exercise: expected one of"):
        gradescope.export(tmp_path / "a.zip", course, gradescope.GradescopeSettings(("no_such",)))
    with pytest.raises(UsageError, match=r"^exercise: expected one of"):
        action.export(tmp_path / "room", course, ("no_such",))
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_it_is_said(course: Course, tmp_path: Path) -> None:
    """As a fault of the operator's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        gradescope.export(tmp_path / "none" / "out.zip", course)
    with pytest.raises(UsageError, match="cannot be written"):
        action.export(tmp_path / "file", course)


def test_the_action_goes_where_the_workflows_look_for_it(course: Course, tmp_path: Path) -> None:
    """On the base branch, in a folder of its own; nothing stale stays there."""
    stale = tmp_path / action.HOME / "grader" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    written = action.export(tmp_path, course, ("ex1_step_by_step", "ex3_batchnorm"))
    assert all(path.exists() for path in written) and not stale.exists()
    text = (tmp_path / ".github" / "workflows" / "grade.yml").read_text("utf-8")
    assert f"uses: ./base/{action.HOME}\n" in text and "uses: ./base\n" not in text
    assert 'exercise: "ex1_step_by_step ex3_batchnorm"\n' in text
    comment = (tmp_path / ".github" / "workflows" / "grade-comment.yml").read_text("utf-8")
    assert f"GRADER: base/{action.HOME}\n" in comment
    assert (tmp_path / action.HOME / "action.yml").exists() and (
        tmp_path / action.HOME / "pyproject.toml"
    ).exists()
    assert not (tmp_path / action.HOME / "reference").exists()


# Gradescope's own run


@pytest.fixture
def autograder(archive: zipfile.ZipFile, tmp_path: Path) -> Path:
    """The folder that Gradescope makes, with the grader of these tests for the installed one."""
    root = tmp_path / "autograder"
    set_up = {"exercises": ["ex1_step_by_step"], "seed": 1, "visibility": "visible", "isolation": "auto"}
    for folder in ("source", "submission", "venv/bin"):
        (root / folder).mkdir(parents=True)
    archive.extractall(root / "source")
    (root / "source" / "settings.json").write_text(json.dumps(set_up))
    for name in ("grade", "python"):
        command = root / "venv" / "bin" / name
        command.write_text(f'#!/bin/bash\nexec "{VENV / name}" "$@"\n')
        command.chmod(0o755)
    return root


def run(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the run script as Gradescope does."""
    environment = {**os.environ, "AUTOGRADER_ROOT": str(root)}
    script = root / "source" / "run_autograder"
    return subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)


def results(root: Path) -> dict:
    """What Gradescope would read."""
    return json.loads((root / "results" / "results.json").read_text("utf-8"))


def hand_in(root: Path, course: Course, name: str) -> None:
    """Put a sample's files into the submission's folder."""
    for path in (course.root / "submissions" / name).glob("*.py"):
        (root / "submission" / path.name).write_bytes(path.read_bytes())


def test_gradescope_gets_results(autograder: Path, course: Course) -> None:
    """Of the submission's files, which lie flat in one folder."""
    hand_in(autograder, course, "bob")
    done = run(autograder)
    assert done.returncode == 0, done
    found = results(autograder)
    assert found["score"] == 14.0 and len(found["tests"]) == 26


def test_gradescope_settings_are_obeyed(autograder: Path, course: Course) -> None:
    """As the instructor edits them."""
    hand_in(autograder, course, "alice")
    settings = {
        "exercises": ["ex2_cross_entropy"],
        "seed": 9,
        "visibility": "after_published",
        "isolation": "auto",
    }
    (autograder / "source" / "settings.json").write_text(json.dumps(settings))
    assert run(autograder).returncode == 0
    found = results(autograder)
    assert (found["visibility"], len(found["tests"]), found["score"]) == ("after_published", 1, 1.0)


def test_gradescope_tells_a_student_who_handed_in_nothing(autograder: Path) -> None:
    """What was expected; nothing about the machine's folders."""
    (autograder / "submission" / "notes.txt").write_text("")
    assert run(autograder).returncode == 0
    found = results(autograder)
    told = json.dumps(found)
    assert found["score"] == 0 and "notes.txt: expected ex1_step_by_step.py or a notebook" in told
    assert str(autograder) not in told


@pytest.mark.parametrize(
    ("names", "score"),
    [
        (["hw/ex1_step_by_step.py", "hw/ex2_cross_entropy.py"], 26),
        (["p1/ex1_step_by_step.py", "p2/ex2_cross_entropy.py"], 26),
        (["bob_ex1_step_by_step.py", "ada_ex2_cross_entropy.py"], 26),
        (["ex1_step_by_step (1).py", "ex1_step_by_step (2).py"], 26),
        (["solution.py"], 26),
        (["p1/ex1_step_by_step.py", "p2/ex1_step_by_step.py"], 0),
        (["one.ipynb", "two.ipynb"], 0),
        ([], 0),
    ],
    ids=str,
)
def test_gradescope_grades_what_a_student_hands_in_however(
    autograder: Path, course: Course, names: list[str], score: float
) -> None:
    """All of it is one student's, and what cannot be taken is told."""
    work = (course.root / "submissions/alice/ex1_step_by_step.py").read_bytes()
    for name in names:
        path = autograder / "submission" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(work)
    done = run(autograder)
    assert done.returncode == 0, done
    found = results(autograder)
    assert (found["score"], len(found["tests"])) == (score, 26)


def test_gradescope_gets_nothing_where_the_staff_must_act(autograder: Path, course: Course) -> None:
    """A wrong setting, or our own fault, is not the student's zero."""
    hand_in(autograder, course, "alice")
    (autograder / "results").mkdir()
    (autograder / "results" / "results.json").write_text('{"score": 28}')
    settings = {"exercises": ["no_such"], "seed": 9, "visibility": "visible", "isolation": "auto"}
    (autograder / "source" / "settings.json").write_text(json.dumps(settings))
    assert run(autograder).returncode == 2
    assert not (autograder / "results" / "results.json").exists()


def test_setup_is_bash(archive: zipfile.ZipFile) -> None:
    """As far as bash can tell without running it."""
    subprocess.run(["bash", "-n"], input=archive.read("setup.sh"), check=True)
