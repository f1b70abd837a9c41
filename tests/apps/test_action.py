"""The action and the workflows: read, checked for what must not be in them, and run as a shell would."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.wanted import NO_SKIPS
from tests.workflows import Job, read, steps

ROOT = Path(__file__).parents[2]
GRADE = str(Path(sys.executable).parent / "grade")
ACTION = read((ROOT / "action.yml").read_text("utf-8"))
Graded = tuple[Job, list[subprocess.CompletedProcess[str]]]
WORKFLOWS = {
    path.name: read(path.read_text("utf-8")) for path in (ROOT / ".github" / "workflows").glob("grade*.yml")
}
EXERCISES = "ex1_step_by_step ex2_cross_entropy"
"""Those that are graded here; a course may get more."""
TAKE = "Take its Python files and notebooks, and no link"


def runs() -> list[tuple[str, dict[str, Any]]]:
    """Every step of the action and the workflows that runs a script, with a name for it."""
    found = [("action.yml", step) for step in ACTION["runs"]["steps"]]
    for name, workflow in WORKFLOWS.items():
        found += [(name, step) for job in workflow["jobs"].values() for step in job["steps"]]
    return [(f"{name}: {step['name']}", step) for name, step in found if "run" in step]


def checkouts(workflow: str) -> list[dict[str, str]]:
    """What a workflow checks out, and how."""
    all_steps = [step for job in WORKFLOWS[workflow]["jobs"].values() for step in job["steps"]]
    return [step["with"] for step in all_steps if str(step.get("uses")).startswith("actions/checkout@")]


def workplace(folder: Path) -> Job:
    """A job whose grader is installed already, in a workspace with the samples."""
    workspace, temp = folder / "work", folder / "temp"
    temp.mkdir()
    for name in ("alice", "bob"):
        shutil.copytree(ROOT / "submissions" / name, workspace / "submissions" / name)
    inputs = {name: told["default"] for name, told in ACTION["inputs"].items()} | {"exercise": EXERCISES}
    return Job(workspace, temp, inputs, {"install": {"grade": GRADE}})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of one's own."""
    return workplace(tmp_path)


def grade(job: Job, **inputs: str) -> list[subprocess.CompletedProcess[str]]:
    """The action's steps after the installation, with these inputs, until one fails."""
    job.inputs = {**job.inputs, **{name.replace("_", "-"): value for name, value in inputs.items()}}
    done = []
    for step in ACTION["runs"]["steps"][1:]:
        done.append(job.run(step))
        if done[-1].returncode:
            break
    return done


# What is written


@pytest.mark.parametrize(("name", "step"), runs(), ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_is_pasted_into_a_script(name: str, step: dict[str, Any]) -> None:
    """Inputs, branch names and outputs come through the environment: what is pasted into a script is run."""
    assert "${{" not in step["run"]
    assert step["run"].startswith("set -euo pipefail\n") or "\n" not in step["run"].strip()


@pytest.mark.parametrize(("name", "step"), runs(), ids=lambda value: value if isinstance(value, str) else "")
def test_scripts_are_bash(name: str, step: dict[str, Any]) -> None:
    """As far as bash can tell without running them."""
    subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


def test_the_action_has_the_inputs_and_outputs_it_promises() -> None:
    """Each described, each with a default."""
    assert {"path", "exercise", "seed", "fail-under", "report"} <= set(ACTION["inputs"])
    assert all(told["description"] and "default" in told for told in ACTION["inputs"].values())
    assert set(ACTION["outputs"]) == {"score", "max-score"}
    assert ACTION["runs"]["using"] == "composite"


def test_the_job_that_runs_student_code_can_do_no_harm() -> None:
    """Its token reads, it knows no secret, and no checkout leaves a credential behind."""
    text = (ROOT / ".github" / "workflows" / "grade.yml").read_text("utf-8")
    workflow = WORKFLOWS["grade.yml"]
    assert set(workflow["on"]) == {"pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["grade"]["permissions"] == {"contents": "read"}
    assert "secrets" not in text and "github.token" not in text and "cache" not in text
    assert all(options["persist-credentials"] == "false" for options in checkouts("grade.yml"))


def test_the_base_branch_grades() -> None:
    """Grader, exercises and reference are the base's; of the pull request only submissions are fetched."""
    base, head = checkouts("grade.yml")
    assert base["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert head["ref"] == "${{ github.event.pull_request.head.sha }}"
    assert head["sparse-checkout"] == "submissions"
    assert base["path"] != head["path"]
    action = next(s for s in WORKFLOWS["grade.yml"]["jobs"]["grade"]["steps"] if s.get("id") == "grade")
    assert action["uses"] == f"./{base['path']}"


def test_the_job_that_comments_checks_out_nothing_of_the_pull_requests() -> None:
    """It may write, so it runs the default branch's code and treats the artifact as data."""
    workflow = WORKFLOWS["grade-comment.yml"]
    assert workflow["on"]["workflow_run"]["workflows"] == [WORKFLOWS["grade.yml"]["name"]]
    assert workflow["permissions"] == {}
    (options,) = checkouts("grade-comment.yml")
    assert "ref" not in options and "repository" not in options and options["persist-credentials"] == "false"
    writes = {k for job in workflow["jobs"].values() for k, v in job["permissions"].items() if v == "write"}
    assert writes == {"pull-requests"}


@pytest.mark.parametrize("name", ["action.yml", "grade.yml", "grade-comment.yml"])
def test_what_is_exported_is_what_is_used_here(name: str) -> None:
    """The templates in the package and the files that GitHub reads are the same."""
    here = ROOT / (name if name == "action.yml" else f".github/workflows/{name}")
    assert here.read_text("utf-8") == (ROOT / "grader" / "apps" / "export" / "templates" / name).read_text(
        "utf-8"
    )


# What it does


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """Alice and bob, graded once, and what the steps said."""
    done = workplace(tmp_path_factory.mktemp("graded"))
    return done, grade(done)


def test_grading_alice_and_bob(graded: Graded) -> None:
    """Scores, scorecards, summary, and annotations on bob's lines; fail-under 0 never fails."""
    job, done = graded
    assert [step.returncode for step in done] == [0, 0], done[-1]
    assert job.outputs["grade"] == {"score": "41", "max-score": "54", "submissions": "2"}
    cards = [json.loads(path.read_text("utf-8")) for path in (job.workspace / "scorecards").glob("*.json")]
    assert {card["submission"]["name"]: card["score"] for card in cards} == {"alice": 27.0, "bob": 14.0}
    assert "<code>bob</code> | 14/27" in job.summary.read_text("utf-8")
    assert re.search(
        r"^::error file=submissions/bob/ex1_step_by_step\.py,line=\d+,", done[0].stdout, re.MULTILINE
    )


def test_the_table_is_printed_where_nothing_in_it_is_obeyed(
    graded: Graded,
) -> None:
    """Between stop-commands and its token."""
    lines = graded[1][0].stdout.splitlines()
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", lines[0])
    assert token
    end = lines.index(f"::{token[1]}::")
    assert any(line.startswith("bob ") for line in lines[:end])
    assert all(line.startswith("::error ") for line in lines[end + 1 :])


@pytest.mark.parametrize(
    ("score", "under", "failed"),
    [
        ("28", "100", False),
        ("14", "50", False),
        ("14", "50.5", True),
        ("0", "0", False),
        ("14", "all", True),
        ("14", "", True),
        ("14", "1; touch x", True),
        ("14", "1.2.3", True),
    ],
)
def test_fail_under(job: Job, score: str, under: str, failed: bool) -> None:
    """A share of all points in percent; what is no number fails, too."""
    job.inputs = {"fail-under": under}
    job.outputs["grade"] = {"score": score, "max-score": "28"}
    done = job.run(ACTION["runs"]["steps"][2])
    assert bool(done.returncode) == failed == done.stdout.startswith("::error::")
    assert not (job.workspace / "x").exists()


def test_further_reports_and_a_root(job: Job) -> None:
    """Reports are named from the workspace, annotations from the root."""
    (job.workspace / "taken").mkdir()
    (job.workspace / "submissions").rename(job.workspace / "taken" / "submissions")
    done = grade(
        job,
        root="taken",
        path="submissions/bob",
        exercise="ex2_cross_entropy\n ex3_batchnorm",
        report="junit=out.xml\n\nmarkdown=out.md",
        seed="7",
    )
    assert done[0].returncode == 0, done[0]
    assert (job.workspace / "out.xml").exists() and (job.workspace / "out.md").exists()
    assert (job.workspace / "scorecards" / "bob.json").exists()
    assert "::error file=submissions/bob/ex2_cross_entropy.py" in done[0].stdout
    assert job.outputs["grade"]["max-score"] == "2"


@pytest.mark.parametrize(
    "inputs",
    [
        {"path": "nowhere"},
        {"seed": "$(touch x)"},
        {"exercise": "no_such"},
        {"path": "--help"},
        {"report": "nothing=x"},
        {"report": "junit"},
    ],
)
def test_what_cannot_be_graded_fails(job: Job, inputs: dict[str, str]) -> None:
    """With the operator's status; no input is run or taken for an option."""
    done = grade(job, **inputs)
    assert [step.returncode for step in done] == [2], done
    assert not (job.workspace / "x").exists()


def fake(folder: Path, name: str, script: str) -> None:
    """Put a command of our own on the path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


PYTHON = """
# Writes down how it was called; makes virtual environments of itself, and installs nothing.
printf '%s\\n' "$*" >> "$LOG"
case "$*" in
    "-I -m venv "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
    "-I -m pip "*) ;;
    *) exec {real} "$@" ;;
esac
"""


def test_the_grader_is_installed_from_the_actions_own_folder(job: Job, tmp_path: Path) -> None:
    """In isolated mode throughout: a module in the student's working directory must not be imported."""
    fake(tmp_path / "bin", "python3", PYTHON.format(real=sys.executable))
    job.environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    done = job.run(ACTION["runs"]["steps"][0], github_action_path="/the/action")
    assert done.returncode == 0, done
    calls = (tmp_path / "log").read_text("utf-8").splitlines()
    assert all(call.startswith("-I ") for call in calls)
    assert calls[-1].endswith("install --quiet /the/action")
    assert job.outputs["install"]["grade"].startswith(str(job.temp))


# The workflows' own steps


@pytest.fixture
def pull(tmp_path: Path) -> Job:
    """A base branch with alice and bob, and a pull request that is a copy of it."""
    workspace, temp = tmp_path / "work", tmp_path / "temp"
    temp.mkdir()
    for side in ("base", "head"):
        for name in ("alice", "bob"):
            shutil.copytree(ROOT / "submissions" / name, workspace / side / "submissions" / name)
    return Job(workspace, temp)


def take(job: Job) -> list[str]:
    """What of the pull request is graded."""
    step = steps(WORKFLOWS["grade.yml"]["jobs"]["grade"]["steps"])[TAKE]
    done = job.run(step)
    assert done.returncode == 0, done
    taken = job.workspace / "taken"
    assert not (job.workspace / "head").exists()
    return sorted(str(path.relative_to(taken)) for path in taken.rglob("*") if not path.is_dir())


def test_only_what_a_pull_request_changes_is_taken(pull: Job) -> None:
    """A submission whole, and nothing where nothing changed."""
    (pull.workspace / "head" / "submissions" / "bob" / "ex2_cross_entropy.py").write_text("x = 1\n")
    handed_in = (ROOT / "submissions" / "bob").glob("*.py")
    assert take(pull) == sorted(f"submissions/bob/{path.name}" for path in handed_in)
    assert pull.outputs["take"] == {"any": "true"}


def test_a_notebook_is_handed_in_like_a_file(pull: Job) -> None:
    """With its outputs it may be larger than any Python file."""
    carol = pull.workspace / "head" / "submissions" / "carol"
    carol.mkdir()
    (carol / "part4.ipynb").write_bytes(b" " * (2 << 20))
    (carol / "outsized.ipynb").write_bytes(b" " * (21 << 20))
    assert take(pull) == ["submissions/carol/part4.ipynb"]
    assert pull.outputs["take"] == {"any": "true"}


def test_nothing_changed_is_nothing_to_grade(pull: Job) -> None:
    """The steps that follow ask, and the run says so."""
    step = steps(WORKFLOWS["grade.yml"]["jobs"]["grade"]["steps"])[TAKE]
    done = pull.run(step)
    assert done.stdout.startswith("::notice::Nothing was graded")
    assert pull.outputs["take"] == {"any": "false"}


def test_no_link_is_followed(pull: Job, tmp_path: Path) -> None:
    """Neither to a file nor to a folder, inside or outside; nor is anything taken that is no Python."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "ex1_step_by_step.py").write_text("answer = 42\n")
    mallory = pull.workspace / "head" / "submissions" / "mallory"
    mallory.mkdir()
    (mallory / "ex1_step_by_step.py").symlink_to(secret / "ex1_step_by_step.py")
    (mallory / "ex2_cross_entropy.py").write_text("mine = 1\n")
    (mallory / "big.py").write_bytes(b"#" * (2 << 20))
    (mallory / "conftest.cfg").write_text("x")
    (pull.workspace / "head" / "submissions" / "trent").symlink_to(secret)
    (pull.workspace / "head" / "submissions" / "$(touch x)\n").mkdir()
    (pull.workspace / "head" / "submissions" / "$(touch x)\n" / "-ex1 step.py").write_text("odd = 1\n")
    assert take(pull) == ["submissions/$(touch x)\n/-ex1 step.py", "submissions/mallory/ex2_cross_entropy.py"]
    assert not (pull.workspace / "x").exists()


def test_submissions_that_are_a_link_are_nothing(pull: Job, tmp_path: Path) -> None:
    """The folder itself may be one."""
    head = pull.workspace / "head"
    shutil.rmtree(head / "submissions")
    (head / "submissions").symlink_to(tmp_path)
    assert take(pull) == []


GH = """
case "$*" in
    *"/compare/base1...abc"*) jq '{files: .}' "$DATA/files.json" ;;
    *"/pulls/7"*) echo '{"base": {"sha": "base1"}}' ;;
    *"/pulls -f"*) cat "$DATA/pulls.json" ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture
def comment(tmp_path: Path) -> Job:
    """The job that comments, with a GitHub of our own that has one pull request, 7."""
    workspace, temp, data = tmp_path / "work", tmp_path / "temp", tmp_path / "data"
    for folder in (workspace, temp / "scorecards", data):
        folder.mkdir(parents=True)
    fake(tmp_path / "bin", "gh", GH)
    fake(tmp_path / "bin", "python3", PYTHON.format(real=sys.executable))
    (data / "pulls.json").write_text(json.dumps([{"number": 7, "head": {"sha": "abc"}}]))
    (data / "files.json").write_text(json.dumps([{"filename": "submissions/bob/ex1_step_by_step.py"}]))
    return Job(
        workspace,
        temp,
        environment={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "DATA": str(data),
            "LOG": str(tmp_path / "log"),
            "REPOSITORY": "o/r",
            "HEAD_SHA": "abc",
            "HEAD_OWNER": "bob",
            "HEAD_BRANCH": "main; touch x",
            "GRADER": "base",
        },
    )


def commented(job: Job) -> str:
    """What would be posted."""
    named = steps(WORKFLOWS["grade-comment.yml"]["jobs"]["comment"]["steps"])
    for name in ("Find the pull request", "Write the comment"):
        done = job.run(named[name])
        assert done.returncode == 0, done
    return (job.temp / "comment.md").read_text("utf-8")


@pytest.mark.wants("jq")
def test_a_comment_is_made_of_checked_scorecards(comment: Job, graded: Graded) -> None:
    """With its mark, so that the next one takes its place."""
    shutil.copy(graded[0].workspace / "scorecards" / "bob.json", comment.temp / "scorecards")
    text = commented(comment)
    assert text.startswith("<!-- backprop-grader -->\n## Backprop by hand: 14/27")
    assert comment.outputs["find"] == {"number": "7", "others": "0"}
    assert not (comment.workspace / "x").exists()


@pytest.mark.wants("jq")
def test_a_forged_scorecard_makes_no_comment(comment: Job) -> None:
    """The step fails before anything is posted."""
    (comment.temp / "scorecards" / "bob.json").write_text('{"score": "<img src=x>"}')
    named = steps(WORKFLOWS["grade-comment.yml"]["jobs"]["comment"]["steps"])
    comment.run(named["Find the pull request"])
    assert comment.run(named["Write the comment"]).returncode == 2


@pytest.mark.wants("jq")
@pytest.mark.parametrize(
    "file",
    [
        {"filename": ".github/workflows/grade.yml"},
        {"filename": "submissions/a.py", "previous_filename": "grader/x.py"},
    ],
)
def test_who_changes_more_than_submissions_gets_no_score(comment: Job, file: dict[str, str]) -> None:
    """The pull request brings its own workflow, and might have graded itself."""
    (Path(comment.environment["DATA"]) / "files.json").write_text(json.dumps([file]))
    (comment.temp / "scorecards" / "bob.json").write_text("never read")
    text = commented(comment)
    assert "changes 1 files outside `submissions/`" in text and "Backprop" not in text


@pytest.mark.wants("jq")
def test_a_comparison_that_may_leave_out_files_gets_no_score(comment: Job) -> None:
    """GitHub tells at most 300: what is beyond them may be the grading."""
    files = [{"filename": f"submissions/{number}.py"} for number in range(300)]
    (Path(comment.environment["DATA"]) / "files.json").write_text(json.dumps(files))
    assert "so its score is not shown" in commented(comment)


@pytest.mark.wants("jq")
def test_without_a_pull_request_of_that_commit_nothing_is_posted(comment: Job) -> None:
    """The number comes from GitHub and the run's own commit, never from the artifact."""
    (Path(comment.environment["DATA"]) / "pulls.json").write_text(
        json.dumps([{"number": 8, "head": {"sha": "other"}}])
    )
    named = steps(WORKFLOWS["grade-comment.yml"]["jobs"]["comment"]["steps"])
    comment.run(named["Find the pull request"])
    assert comment.outputs["find"] == {}
    later = list(named.values())[2:]
    assert all(step["if"] == "steps.find.outputs.number != ''" for step in later)


def test_our_own_tests_run_where_all_that_they_want_is_to_be_had() -> None:
    job = read((ROOT / ".github/workflows/test.yml").read_text("utf-8"))["jobs"]["test"]
    scripts = [step.get("run", "") for step in job["steps"]]
    assert job["env"] == {NO_SKIPS: "1"}
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in scripts[scripts.index(".ci/run") - 1]
