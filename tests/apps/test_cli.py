"""The command line: what it prints, what it writes, and how it exits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from grader.apps.cli import cli, main
from grader.reports.gradescope import VISIBILITIES
from grader.sandbox.portable import Subprocesses
from tests.batch import students
from tests.conftest import ROOT

VOLATILE = re.compile(r'"(seconds|\w+_at)": [^,\n]+')


class Shell:
    """Runs command lines in a folder and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        return int(stop.value.code or 0), out, err


@pytest.fixture
def grade(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_alice_earns_everything(grade: Shell, tmp_path: Path) -> None:
    status, out, err = grade(ROOT / "submissions/alice")
    assert (status, err) == (0, "")
    card = json.loads((tmp_path / "scorecards/alice.json").read_text("utf-8"))
    assert card["score"] == card["max_score"] >= 28
    assert "dlogprobs       | exact" in out
    assert "\x1b" not in out
    assert (tmp_path / "scorecards/alice.html").read_text("utf-8").startswith("<!doctype html>")


def test_an_untouched_template_is_missing_throughout(grade: Shell, tmp_path: Path) -> None:
    assert grade("new", "me")[0] == 0
    status, out, _ = grade("me")
    assert status == 1
    card = json.loads((tmp_path / "scorecards/me.json").read_text("utf-8"))
    outcomes = [g["outcome"] for e in card["exercises"] for g in e["gradients"]]
    assert set(outcomes) == {"missing"}
    assert len(outcomes) >= 28
    assert "dlogprobs" in out.splitlines()[-4:][0] + out


def test_templates_are_never_overwritten(grade: Shell, tmp_path: Path) -> None:
    (tmp_path / "me").mkdir()
    mine = tmp_path / "me/ex2_cross_entropy.py"
    mine.write_text("# my work")
    status, _, err = grade("new", "me")
    assert status == 2
    assert "is there already" in err
    assert mine.read_text() == "# my work"
    assert list((tmp_path / "me").iterdir()) == [mine]


FORWARD = """\
import torch


def draw(generator, words=None, *, n):
    return {"x": torch.rand(n, generator=generator)}


def forward(x):
    a = x * 2
    loss = a.sum()
    return loss
"""
SETTINGS = """\
title = "T"
asks = ["da"]
lecture.sizes.n = 3
fresh = [{ sizes = { n = 4 } }]
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A course of two exercises, of which the second has no template yet."""
    course = tmp_path / "course"
    for name in ("ex1", "ex2"):
        folder = course / "exercises" / name
        folder.mkdir(parents=True)
        (folder / "forward.py").write_text(FORWARD)
        (folder / "exercise.toml").write_text(SETTINGS)
    (course / "exercises/ex1/template.py").write_text("# fill me\n")
    return course


def test_a_missing_template_is_told_by_its_path(grade: Shell, tmp_path: Path, bare: Path) -> None:
    status, _, err = grade("new", "me", "--course", bare)
    assert status == 2
    assert f"{bare / 'exercises/ex2/template.py'}: cannot be read: No such file or directory" in err
    assert "`grade audit --write-templates` writes it" in err
    assert not (tmp_path / "me").exists()


def test_a_template_that_cannot_be_written_is_told_by_its_path(grade: Shell, bare: Path) -> None:
    (bare / "exercises/ex2/template.py").mkdir()
    status, _, err = grade("audit", "--write-templates", "--course", bare)
    assert status == 2
    assert f"{bare / 'exercises/ex2/template.py'}: cannot be written: Is a directory" in err


def test_doctor_speaks_of_no_option_where_strict_isolation_cannot_be_had(
    grade: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.sandbox.open.Zygote", lambda hidden: Subprocesses())
    status, out, err = grade("doctor")
    assert status == 3
    assert err.startswith("grade: strict isolation cannot be had here: answers could be read (")
    assert "--isolation" not in err
    assert "Strict isolation can be had" not in out


def test_strict_says_that_nothing_is_graded(grade: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.sandbox.open.Zygote", lambda hidden: Subprocesses())
    status, _, err = grade(ROOT / "submissions/alice", "--isolation", "strict")
    assert status == 3
    assert err.startswith("grade: isolation strict: nothing is graded, because answers could be read (")


def test_a_folder_of_submissions_is_one_row_each(grade: Shell, tmp_path: Path) -> None:
    for name in ("ada", "ben"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "ex2_cross_entropy.py").write_text("def dlogits(:\n")
    status, out, _ = grade("class", "--out", "cards", "--exercise", "ex2_cross_entropy")
    assert status == 1
    assert re.search(r"^ada +\|.*0/1", out, re.M)
    assert re.search(r"^ben +\|.*0/1", out, re.M)
    assert {"ada.json", "ada.html", "ben.json", "ben.html"} <= {
        p.name for p in (tmp_path / "cards").iterdir()
    }


def test_the_same_input_gives_the_same_bytes(grade: Shell, tmp_path: Path) -> None:
    for out in ("one", "two"):
        grade(ROOT / "submissions/bob", "--exercise", "ex1_step_by_step", "--out", out)
    one, two = ((tmp_path / out / "bob.json").read_text("utf-8") for out in ("one", "two"))
    assert VOLATILE.sub("", one) == VOLATILE.sub("", two)
    assert (tmp_path / "one/bob.html").read_bytes() == (tmp_path / "two/bob.html").read_bytes()


def test_json_on_standard_output_is_the_scorecard(grade: Shell, tmp_path: Path) -> None:
    _, out, _ = grade(ROOT / "submissions/carol", "--format", "json", "--exercise", "ex2_cross_entropy")
    assert out == (tmp_path / "scorecards/carol.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "empty: expected a submission with ex1_step_by_step.py"),
        (["notes.txt"], "notes.txt: expected a folder, a .py or an .ipynb file"),
        (["mine", "--exercise", "ex9"], "--exercise: expected one of ex1_step_by_step"),
        (["mine", "--seed", "x"], "--seed"),
        (["mine", "--seed", "-1"], "--seed"),
        (["mine", "--out", "notes.txt"], "--out: notes.txt: expected a folder that can be written"),
        (["mine", "--words", "nowhere.txt"], "--words"),
        (["mine", "--words", "latin.txt"], "latin.txt: expected a UTF-8 text"),
        (["mine", "--course", "empty"], "empty: expected a course"),
        (["mine", "--time-limit", "0"], "--time-limit"),
        (["mine", "mine"], ""),
        (["mine", "--no-such-option"], "--no-such-option"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    grade: Shell, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/ex2_cross_entropy.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"\xe4\xf6\n")
    status, out, err = grade(*words)
    if not message:
        assert (status, err) == (1, "")
        return
    assert status == 2
    assert message in err
    assert err.startswith("grade: ")
    assert len(err.splitlines()) == 1
    assert out == ""
    assert not (tmp_path / "scorecards").exists() or not list((tmp_path / "scorecards").iterdir())


BROKEN_COURSES = {
    "asks an unknown gradient": (
        'title = "T"\nasks = ["dprob"]',
        "asks: expected the gradient of a forward value",
    ),
    "wrong type": ('title = 3\nasks = ["da"]', "title: expected string, found 3"),
    "unknown key": ('title = "T"\nasks = ["da"]\ncolour = "red"', "the file: expected only the keys"),
    "not TOML": ("title =", "expected TOML"),
    "no cases": ('title = "T"\nasks = ["da"]\nfresh = []', "fresh: expected minItems 1"),
    "answer before its question": ('title = "T"\nasks = ["dx", "da"]', "expected 'da' before 'dx'"),
}


@pytest.mark.parametrize("name", BROKEN_COURSES)
def test_a_broken_course_is_one_clear_line(grade: Shell, tmp_path: Path, name: str) -> None:
    settings, message = BROKEN_COURSES[name]
    folder = tmp_path / "course/exercises/ex1"
    folder.mkdir(parents=True)
    (folder / "forward.py").write_text("def forward(x):\n    a = x * 2\n    loss = a.sum()\n")
    cases = "\n[lecture]\nsizes = { n = 3 }\n[[fresh]]\nsizes = { n = 4 }\n"
    (folder / "exercise.toml").write_text(settings + ("" if "fresh" in settings else cases))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/ex1.py").write_text("")
    status, _, err = grade("mine", "--course", "course")
    assert status == 2
    assert message in err
    assert "exercise.toml" in err
    assert len(err.splitlines()) == 1


def test_a_student_cannot_bring_a_course(grade: Shell, tmp_path: Path) -> None:
    """A folder named exercises inside a submission would be code that the judge runs."""
    for folder in (tmp_path / "class/eve/exercises/ex1", tmp_path / "class/exercises/ex1"):
        folder.mkdir(parents=True)
        (folder / "exercise.toml").write_text("this would be refused")
        (folder / "forward.py").write_text("raise SystemExit(7)")
    (tmp_path / "class/eve/ex2_cross_entropy.py").write_text("")
    for path in ("class/eve", "class", "class/eve/ex2_cross_entropy.py"):
        assert grade(path, "--exercise", "ex2_cross_entropy")[0] == 1


def test_a_folder_may_be_called_like_the_command_that_is_not_named(grade: Shell, tmp_path: Path) -> None:
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "ex2_cross_entropy.py").write_text("def dlogits(:\n")
    status, out, _ = grade("submission", "--exercise", "ex2_cross_entropy")
    assert (status, "scorecards/submission.html" in out) == (1, True)
    assert grade("submission", "--help")[1].startswith("Usage: grade [OPTIONS] PATH...\n")


def test_a_link_in_a_class_leads_nowhere(grade: Shell, tmp_path: Path) -> None:
    (tmp_path / "class/ada").mkdir(parents=True)
    (tmp_path / "class/ada/ex2_cross_entropy.py").write_text("")
    (tmp_path / "class/eve").symlink_to(ROOT / "reference")
    (tmp_path / "class/mal").symlink_to(tmp_path / "class/ada")
    assert grade("class", "--exercise", "ex2_cross_entropy")[0] == 1
    for name in ("eve", "mal"):
        card = json.loads((tmp_path / f"scorecards/{name}.json").read_text("utf-8"))
        assert card["score"] == 0
        assert "symbolic link" in card["exercises"][0]["gradients"][0]["error"]["message"]


CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Backprop (4711)\r\n"
    "    Points Possible,,,,,100\r\n"
    '"Lovelace, Ada",340934,u1,ada@x.edu,S1,\r\n'
    '"M\xfcller, Bob",340935,u2,bob@x.edu,S1,\r\n'
)


def test_an_archive_and_an_export_of_canvas_become_an_import(grade: Shell, tmp_path: Path) -> None:
    """Byte for byte, but for the grades."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as handed_in:
        handed_in.writestr("lovelaceada_340934_208490284_ex2_cross_entropy.py", "def dlogits(:\n")
        handed_in.writestr("mllerbob_LATE_340935_208490285_ex2_cross_entropy-1.py", students.RIGHT)
    (tmp_path / "export.csv").write_bytes(CANVAS.encode("latin-1"))
    words = ["--report", "canvas=import.csv", "--gradebook", "export.csv", "--assignment", "Backprop"]
    assert grade("all.zip", "--exercise", "ex2_cross_entropy", *words)[::2] == (1, "")
    filled = CANVAS.replace("ada@x.edu,S1,", "ada@x.edu,S1,0").replace("bob@x.edu,S1,", "bob@x.edu,S1,100")
    assert (tmp_path / "import.csv").read_bytes() == filled.encode("latin-1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--report", "junit=nowhere/x"], "nowhere/x: cannot be written: No such file or directory"),
        (["--report", "junit=notes.txt/x"], "notes.txt/x: cannot be written: Not a directory"),
        (["--report", "outputs=nowhere/x"], "nowhere/x: cannot be written: No such file or directory"),
        (["--report", "junit=class"], "class: expected a file, found a folder"),
        (["--report", "gradescope=x"], "report gradescope: expected one submission, found 2"),
        (["--report", "prairielearn=x"], "report prairielearn: expected one submission, found 2"),
        (["--report", "junit=x", "--report", "markdown=./x"], "found x for junit and markdown"),
        (
            ["--report", "canvas=x", "--gradebook", "moodle.csv"],
            "gradebook moodle.csv: expected a gradebook from C",
        ),
        (
            ["--report", "moodle=x", "--gradebook", "canvas.csv"],
            "gradebook canvas.csv: expected a gradebook from M",
        ),
        (
            ["--report", "canvas=x", "--gradebook", "canvas.csv", "--assignment", "Other"],
            "gradebook canvas.csv: expected one column 'Other', found 0 among 'Student'",
        ),
        (
            ["--report", "canvas=x", "--gradebook", "canvas.csv"],
            "expected one column 'The cross-entropy in one go' or 'ex2_cross_entropy', found 0",
        ),
        (
            ["--gradebook", "canvas.csv"],
            "--gradebook: expected the report canvas=PATH or moodle=PATH, found none",
        ),
        (
            ["--report", "junit=x", "--gradebook", "canvas.csv"],
            "--gradebook: expected the report canvas=PATH or mood",
        ),
        (["--assignment", "Backprop"], "--assignment: expected the report canvas=PATH or "),
        (
            ["--commit-time", "2026-06-01T14:32:01Z"],
            "--commit-time: expected the report classroom50=PATH, found none",
        ),
        (["--format", "json", "--report", "github=x"], "--format json: expected no report that prints"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_report_that_cannot_be_is_told_before_anything_is_graded(
    grade: Shell, tmp_path: Path, words: list[str], message: str
) -> None:
    """In one line, with status 2; and nothing is left behind."""
    students.hand_in(tmp_path / "class", {"ada": students.RIGHT, "ben": ""})
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "canvas.csv").write_bytes(CANVAS.encode("latin-1"))
    (tmp_path / "moodle.csv").write_text("First name,Last name,ID number,Email address,Backprop (Real)\n")
    before = sorted(tmp_path.iterdir())
    status, out, err = grade("class", "--exercise", "ex2_cross_entropy", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_all_that_keeps_reports_from_being_is_told_at_once(grade: Shell, tmp_path: Path) -> None:
    """Who mends the first has not to find out about the second."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/ex2_cross_entropy.py").write_text("")
    _, _, err = grade("mine", "--report", "classroom50=x", "--report", "junit=nowhere/x")
    assert "expected the time of the graded commit (commit_time), found none; nowhere/x: cannot be" in err


def test_a_report_may_go_beside_the_scorecards(grade: Shell, tmp_path: Path) -> None:
    """Whose folder is made while grading."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/ex2_cross_entropy.py").write_text("def dlogits(:\n")
    words = ["--exercise", "ex2_cross_entropy", "--out", "cards/new", "--format", "json"]
    status, out, err = grade(
        "mine", *words, "--report", "junit=cards/new/x.xml", "--report", "outputs=cards/y"
    )
    assert (status, err) == (1, "")
    assert out == (tmp_path / "cards/new/mine.json").read_text("utf-8")
    assert (tmp_path / "cards/new/x.xml").exists()
    assert (tmp_path / "cards/y").read_text("utf-8").startswith("score=0\n")


def test_a_desk_without_a_report_loads_nothing_of_them(tmp_path: Path) -> None:
    """A student waits for each module."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/ex2_cross_entropy.py").write_text("def dlogits(:\n")
    program = (
        "import sys; from grader.apps.cli import cli; "
        "cli.main(sys.argv[1:], standalone_mode=False); "
        "sys.exit(bool({'grader.batch.delivery', 'grader.batch.gradebook'} & set(sys.modules)))"
    )
    words = ["mine", "--exercise", "ex2_cross_entropy"]
    subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )


def test_audit_finds_the_course_sound(grade: Shell) -> None:
    status, out, _ = grade("audit")
    assert status == 0
    assert "db1 vanishes" in out
    assert "nothing flows into dlogits through logit_maxes" in out


def test_every_command_has_help(grade: Shell) -> None:
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    status, out, _ = grade("--help")
    assert status == 0
    assert "Exit status" in grade("submission", "--help")[1]
    assert "audit" in out


def commands(group: click.Group) -> Iterator[click.Command]:
    """Every command, those of groups among them."""
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def test_the_design_has_every_command_and_option() -> None:
    page = (ROOT / "docs/design.md").read_text("utf-8")
    section = page[page.index("### 2.6") : page.index("### 2.7")]
    for command in commands(cli):
        assert command.hidden or command.name in section
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in section, command.name


def test_a_visibility_is_one_of_those_in_gradescopes_report(grade: Shell, tmp_path: Path) -> None:
    _, out, _ = grade("export", "gradescope", "--help")
    status, _, err = grade("export", "gradescope", "out.zip", "--visibility", "no")
    assert status == 2
    assert all(one in out and f"'{one}'" in err for one in VISIBILITIES)
    assert not (tmp_path / "out.zip").exists()


def test_to_start_reads_nothing_that_a_command_may_not_need() -> None:
    heavy = {
        "torch",
        "jsonschema",
        "rich",
        "grader.scorecard.model",
        "grader.reports",
        "grader.sandbox.process",
    }
    code = f"import sys, grader.apps.cli; sys.exit(', '.join({heavy} & set(sys.modules)))"
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert started.stderr.strip() == ""


def test_the_schema_is_printed(grade: Shell) -> None:
    status, out, _ = grade("schema")
    assert status == 0
    assert json.loads(out)["$schema"].endswith("2020-12/schema")
