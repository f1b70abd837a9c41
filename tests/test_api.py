"""The public Python interface: what it promises, and the examples of its page."""

from __future__ import annotations

import inspect
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

import grader
from tests.batch import students
from tests.conftest import ROOT

EX2 = [students.EXERCISE]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/api.md").read_text("utf-8"), re.DOTALL)


def plain(scorecard: grader.Scorecard) -> str:
    """A scorecard without the seconds it took."""
    return students.VOLATILE.sub("", scorecard.to_json())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return students.hand_in(tmp_path_factory.mktemp("class") / "work")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, str]:
    """Each student's scorecard, by one engine."""
    with grader.Engine(ROOT, EX2) as engine:
        return {name: plain(engine.grade(folder / name)) for name in students.WORK}


def paths(folder: Path) -> list[Path]:
    return [folder / name for name in students.WORK]


def test_an_import_is_quick_and_needs_no_torch() -> None:
    """Nor what else takes long to import."""
    program = "import grader, sys; print({'torch', 'jinja2', 'rich', 'click', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there_and_told() -> None:
    """And listed by ``dir``, which editors ask."""
    for name in grader.__all__:
        assert inspect.getdoc(getattr(grader, name)), name
    assert set(grader.__all__) <= set(dir(grader))
    with pytest.raises(AttributeError, match="no_such"):
        grader.no_such  # noqa: B018


@pytest.mark.parametrize("kind", ["Engine", "Submission", "Course", "Settings", "Scorecard", "ResultStore"])
def test_every_public_method_is_told(kind: str) -> None:
    for name, member in inspect.getmembers(getattr(grader, kind)):
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{kind}.{name}"


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run_as_they_stand(number: int, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(EXAMPLES[number], "utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "example.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


def test_a_path_and_its_bytes_make_the_same_scorecard(expected: dict[str, str], folder: Path) -> None:
    """Also after a journey to another process."""
    course = grader.Course.at(ROOT)
    with grader.Engine(course, EX2) as engine:
        for name, source in students.WORK.items():
            files = {f"{students.EXERCISE}.py": source.encode()}
            submission = grader.Submission.from_files(name, files, course)
            assert plain(engine.grade(pickle.loads(pickle.dumps(submission)))) == expected[name]
    submission = grader.Submission.from_path(ROOT / "submissions/alice", course)
    assert len(pickle.dumps(submission)) < 40_000


def test_one_call_grades_one(expected: dict[str, str], folder: Path) -> None:
    assert plain(grader.grade(folder / "ada", course=ROOT, exercises=EX2)) == expected["ada"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_class_makes_the_same_scorecards(jobs: int, expected: dict[str, str], folder: Path) -> None:
    results = grader.grade_class(paths(folder), course=ROOT, exercises=EX2, jobs=jobs)
    assert {result.name: plain(result.scorecard) for result in results} == expected


def test_processes_that_are_spawned_make_the_same_scorecards(expected: dict[str, str], folder: Path) -> None:
    """Nothing is inherited and no folder shared: bytes go there, and bytes come back."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        executor = grader.FuturesExecutor(pool, workers=2)
        results = grader.grade_class(paths(folder), course=ROOT, exercises=EX2, executor=executor)
        assert {result.name: plain(result.scorecard) for result in results} == expected


def test_threads_make_the_same_scorecards(expected: dict[str, str], folder: Path) -> None:
    """Each has an engine of its own."""
    with ThreadPoolExecutor(2) as pool:
        executor = grader.FuturesExecutor(pool, workers=2)
        results = grader.grade_class(paths(folder), course=ROOT, exercises=EX2, executor=executor)
        assert {result.name: plain(result.scorecard) for result in results} == expected


def deadly(config: object, task: grader.Task) -> grader.TaskResult:
    """Grade as a worker does, but die over one of the students, as for want of memory."""
    from grader.batch.executors import futures
    from grader.batch.worker import DEATHS

    if task.submission.name == "cyd" and task.deaths < DEATHS:
        import os

        os.kill(os.getpid(), signal.SIGKILL)
    return futures.result_of(config, task)  # type: ignore[arg-type]


def test_a_death_in_a_pool_costs_nobody_but_the_submission_it_was_over(
    expected: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were in flight with it are graded all the same."""
    monkeypatch.setattr(sys.modules["grader.batch.executors.futures"], "result_of", deadly)
    pools: list[ProcessPoolExecutor] = []

    def renew() -> ProcessPoolExecutor:
        pools.append(ProcessPoolExecutor(2, mp_context=get_context("spawn")))
        return pools[-1]

    executor = grader.FuturesExecutor(renew(), 2, renew)
    results = {
        result.name: result
        for result in grader.grade_class(paths(folder), course=ROOT, exercises=EX2, executor=executor)
    }
    for pool in pools:
        pool.shutdown()
    assert results.keys() == expected.keys()
    assert results["cyd"].at_fault
    others = {name: plain(result.scorecard) for name, result in results.items() if name != "cyd"}
    assert others == {name: card for name, card in expected.items() if name != "cyd"}


def test_a_death_ends_the_run_where_there_is_no_other_pool(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["grader.batch.executors.futures"], "result_of", deadly)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        executor = grader.FuturesExecutor(pool, 1)
        run = grader.grade_class([folder / "cyd"], course=ROOT, exercises=EX2, executor=executor)
        with pytest.raises(grader.InternalError, match="a worker of the pool died"):
            list(run)


def test_what_was_graded_before_is_taken_from_the_store(folder: Path, tmp_path: Path) -> None:
    store = grader.ResultStore(tmp_path / "out")
    first, second = (
        {r.name: r for r in grader.grade_class(paths(folder)[:3], course=ROOT, exercises=EX2, store=store)}
        for _ in range(2)
    )
    assert not any(result.kept for result in first.values())
    assert all(result.kept for result in second.values())
    assert {n: r.scorecard for n, r in first.items()} == {n: r.scorecard for n, r in second.items()}
    assert all(result.path == folder / name for name, result in second.items())


def test_an_engine_leaves_its_process_as_it_was(folder: Path) -> None:
    import gc

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    torch.set_num_threads(2)
    threshold = gc.get_threshold()
    with grader.Engine(ROOT, EX2) as engine:
        engine.grade(folder / "ada")
        assert torch.get_num_threads() == 2
    assert gc.isenabled() and gc.get_threshold() == threshold
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    torch.set_num_threads(1)


def test_a_second_thread_waits_for_its_turn(expected: dict[str, str], folder: Path) -> None:
    found: dict[str, str] = {}
    with grader.Engine(ROOT, EX2) as engine:

        def grade(name: str) -> None:
            found[name] = plain(engine.grade(folder / name))

        threads = [threading.Thread(target=grade, args=(name,)) for name in expected]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == expected


def test_an_edited_course_is_noticed(folder: Path, tmp_path: Path) -> None:
    """Points, word lists, the forward pass itself: the next submission is graded by the course as it is."""
    for part in ("exercises", "reference"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    settings = tmp_path / "exercises" / students.EXERCISE / "exercise.toml"
    with grader.Engine(tmp_path, EX2) as engine:
        assert engine.grade(folder / "ada").max_score == 1
        before = engine.fingerprint
        settings.write_text("points = 5\n" + settings.read_text("utf-8"), "utf-8")
        time.sleep(0.01)
        assert engine.grade(folder / "ada").max_score == 5
        assert engine.fingerprint != before


def test_a_closed_engine_has_no_process_left(folder: Path) -> None:
    engine = grader.Engine(ROOT, EX2)
    engine.grade(folder / "ada")
    engine.close()
    engine.close()
    with pytest.raises(grader.IsolationError):
        engine.grade(folder / "ada")


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(grader.UsageError, match=r"^exercise: expected one of .* found 'ex9'"):
        grader.Engine(ROOT, ["ex9"])
    with pytest.raises(grader.CourseError, match="expected a course"):
        grader.Engine(tmp_path)
    with grader.Engine(ROOT, EX2) as engine, pytest.raises(grader.SubmissionError, match="no such file"):
        engine.grade(tmp_path / "nobody")
