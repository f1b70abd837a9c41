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
from concurrent.futures.process import BrokenProcessPool
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


class Brittle(ThreadPoolExecutor):
    """A pool that is found to be broken when a task is handed to it."""

    def __init__(self, sound: int) -> None:
        super().__init__(1)
        self._sound = sound

    def submit(self, *about, **more):  # type: ignore[no-untyped-def]
        self._sound -= 1
        if self._sound < 0:
            raise BrokenProcessPool("a worker has died")
        return super().submit(*about, **more)


def test_a_pool_may_be_found_broken_when_a_task_is_handed_to_it(
    expected: dict[str, str], folder: Path
) -> None:
    """Nothing that was taken from the class is lost."""
    with Brittle(3) as first, ThreadPoolExecutor(1) as second:
        executor = grader.FuturesExecutor(first, 2, lambda: second)
        run = grader.grade_class(paths(folder), course=ROOT, exercises=EX2, executor=executor)
        assert {result.name: plain(result.scorecard) for result in run} == expected


def test_pools_whose_workers_always_die_end_the_run(folder: Path) -> None:
    executor = grader.FuturesExecutor(Brittle(1), 2, lambda: Brittle(0))
    run = grader.grade_class(paths(folder), course=ROOT, exercises=EX2, executor=executor)
    with pytest.raises(grader.InternalError, match="keep dying"):
        list(run)


def edited(course: Path) -> None:
    settings = course / "exercises" / students.EXERCISE / "exercise.toml"
    settings.write_text("points = 5\n" + settings.read_text("utf-8"), "utf-8")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course that may be edited."""
    for part in ("exercises", "reference"):
        target = tmp_path / "course" / part
        shutil.copytree(ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "course"


def points(course: Path | grader.Course, folder: Path, executor: grader.Executor, **about: object) -> float:
    run = grader.grade_class([folder / "ada"], course=course, executor=executor, **about)  # type: ignore[arg-type]
    (result,) = run
    return float(result.scorecard.max_score)


@pytest.mark.parametrize("kind", ["threads", "local"])
def test_an_executor_takes_an_edited_course_or_other_exercises_as_they_are(
    kind: str, course: Path, folder: Path
) -> None:
    """Workers that it has from an earlier class do not go on with what that was graded by."""
    with ThreadPoolExecutor(1) as pool, grader.LocalPool(1) as local:
        executor = local if kind == "local" else grader.FuturesExecutor(pool, 1)
        held = grader.Course.at(course)
        assert points(held, folder, executor, exercises=EX2) == 1
        edited(course)
        assert points(course, folder, executor, exercises=EX2) == 5
        assert points(held, folder, executor, exercises=EX2) == 5, "the caller's own course is read anew, too"
        assert points(course, folder, executor) > 5


def test_a_thread_that_ends_ends_its_engine(folder: Path) -> None:
    def zygotes() -> int:
        return len(children_of_ours())

    before = zygotes()
    with ThreadPoolExecutor(1) as pool:
        points(ROOT, folder, grader.FuturesExecutor(pool, 1), exercises=EX2)
    assert zygotes() == before


def children_of_ours() -> list[str]:
    """The processes that this one has started and that have not been reaped."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [pid for children in tasks for pid in children.read_text().split()]


def test_a_path_with_nothing_at_it_is_refused_before_anything_is_graded(folder: Path, tmp_path: Path) -> None:
    missing = [*paths(folder)[:1], tmp_path / "nobody"]
    store = grader.ResultStore(tmp_path / "out")
    run = grader.grade_class(missing, course=ROOT, exercises=EX2, store=store)
    with pytest.raises(grader.SubmissionError, match="nobody: no such file or folder"):
        next(run)
    assert not (tmp_path / "out").exists()


def test_a_run_that_fails_holds_no_submission(folder: Path, tmp_path: Path) -> None:
    """Whatever keeps the error, and with it the run, alive."""
    store = grader.ResultStore(tmp_path / "out")
    with ThreadPoolExecutor(1) as pool:
        executor = grader.FuturesExecutor(pool, 1)
        run = grader.grade_class(
            paths(folder)[:2], course=ROOT, exercises=EX2, store=store, executor=executor
        )
        next(run)
        (tmp_path / "out" / "ben.json").mkdir()
        with pytest.raises(grader.UsageError, match="cannot be written") as caught:
            list(run)
    for name in ("ada", "ben"):
        with store.claim(name, wait=False) as held:
            assert held, caught


@pytest.mark.parametrize("count", [0, -1])
def test_a_class_takes_one_job_at_least(folder: Path, count: int) -> None:
    """None at all would grade nothing and say nothing, or never end."""
    with pytest.raises(grader.UsageError, match=r"^jobs: expected at least 1"):
        grader.LocalPool(count)
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(grader.UsageError, match=r"^workers: expected at least 1"),
    ):
        grader.FuturesExecutor(pool, count)


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


def test_a_course_that_was_broken_is_said_until_it_is_mended(course: Path, folder: Path) -> None:
    """No submission is graded by what the course was before."""
    reference = course / "reference" / f"{students.EXERCISE}.py"
    sound = reference.read_text("utf-8")
    with grader.Engine(course, EX2) as engine:
        reference.write_text("raise ValueError('broken')\n", "utf-8")
        for _ in range(2):
            with pytest.raises(grader.CourseError, match="broken"):
                engine.grade(folder / "ada")
        reference.write_text(sound, "utf-8")
        assert engine.grade(folder / "ada").perfect


def test_an_exercise_that_an_engine_does_not_grade_is_refused(folder: Path) -> None:
    """A scorecard with nothing in it would be a perfect one."""
    with grader.Engine(ROOT, EX2) as engine, pytest.raises(grader.UsageError, match="found 'ex9'"):
        engine.grade(folder / "ada", ["ex9"])


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
