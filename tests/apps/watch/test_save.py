"""A save is graded: only what it touched, and a file that cannot be run says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from grader.apps.watch import plain, screen
from grader.apps.watch.save import Save, play, stale
from grader.grading.engine import Engine
from grader.scorecard.model import Outcome, Scorecard
from grader.submissions import submission
from grader.submissions.submission import Submission
from tests.conftest import ROOT
from tests.submissions.notebooks.build import stored

EX1, EX2, EX3 = "ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm"


class Recorder(Engine):
    """An engine that keeps which exercises were graded."""

    graded: list[tuple[str, ...]]

    def grade(self, submission: Submission | Path | str, exercises: Sequence[str] = ()) -> Scorecard:
        self.graded.append(tuple(exercises))
        return super().grade(submission, exercises)


class Student:
    """Saves files and has them graded."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = Recorder.over(engine.prepared, engine.boxes)
        self.engine.graded = []
        self.folder = folder
        self.last: Save | None = None

    def save(self, name: str, text: str) -> Save:
        (self.folder / f"{name}.py").write_text(text)
        return self.round()

    def change(self, name: str, old: str, new: str) -> Save:
        text = (self.folder / f"{name}.py").read_text()
        assert old in text
        return self.save(name, text.replace(old, new, 1))

    def round(self) -> Save:
        work = submission.read(self.folder, self.engine.ids)
        self.last = play(self.engine, work, self.last)
        return self.last

    def outcome(self, exercise: str, name: str) -> Outcome:
        assert self.last is not None
        (found,) = (
            gradient.outcome
            for result in self.last.card.exercises
            if result.id == exercise
            for gradient in result.gradients
            if gradient.name == name
        )
        return found


@pytest.fixture(scope="module")
def first(engine: Engine) -> Save:
    """Bob's work, graded as he left it."""
    return play(engine, submission.read(ROOT / "submissions/bob", engine.ids), None)


@pytest.fixture
def bob(engine: Engine, first: Save, tmp_path: Path) -> Student:
    """Bob at his desk, with a copy of his work."""
    folder = tmp_path / "bob"
    folder.mkdir()
    for path in (ROOT / "submissions/bob").glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    student = Student(engine, folder)
    student.last = first
    return student


def told(played: Save) -> str:
    return "\n".join(plain.lines(played))


def drawn(played: Save, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, color_system=None, force_terminal=False, _environ={})
    with console.capture() as capture:
        console.print(screen.page(played, "12:00:00"))
    return capture.get().splitlines()


def test_a_save_grades_its_exercise_alone(bob: Student) -> None:
    played = bob.change(EX1, "return counts_sum**-2", "return -counts_sum**-2")
    assert bob.engine.graded == [(EX1,)]
    assert bob.outcome(EX1, "dcounts_sum").scores
    assert "gained: dcounts_sum (wrong value -> " in told(played)
    whole = Engine.over(bob.engine.prepared, bob.engine.boxes).grade(
        submission.read(bob.folder, bob.engine.ids), bob.engine.ids
    )
    assert played.card.submission == whole.submission
    assert (played.card.score, played.card.max_score) == (whole.score, whole.max_score)
    assert [e.id for e in played.card.exercises] == [e.id for e in whole.exercises]


def test_what_was_right_and_is_wrong_is_lost(bob: Student) -> None:
    played = bob.change(EX1, "return dlogprobs / probs", "return dlogprobs")
    assert "lost: dprobs" in told(played)
    assert any("lost dprobs" in line for line in drawn(played))


def test_a_save_that_changes_nothing_grades_nothing(bob: Student) -> None:
    work = submission.read(bob.folder, bob.engine.ids)
    assert stale(bob.engine, work, bob.last) == ()
    (bob.folder / "notes.py").write_text("# no exercise mentions this module\n")
    assert stale(bob.engine, submission.read(bob.folder, bob.engine.ids), bob.last) == ()


def test_a_module_grades_who_can_import_it(bob: Student) -> None:
    (bob.folder / "deeper.py").write_text("FACTOR = 2\n")
    (bob.folder / "helper.py").write_text("from deeper import FACTOR\n")
    source = "from helper import FACTOR\ndef dlogits(logits):\n    return logits * FACTOR\n"
    bob.save(EX2, source)
    del bob.engine.graded[:]
    bob.save("deeper", "FACTOR = 3\n")
    assert bob.engine.graded == [(EX2,)]


def test_a_syntax_error_keeps_the_last_results_and_costs_nothing(bob: Student) -> None:
    assert bob.last is not None
    before = bob.last.shown.score
    broken = bob.change(EX1, "return dlogprobs / probs", "return (dlogprobs / ")
    assert broken.troubles[EX1].line is not None
    assert broken.troubles[EX1].source == "    return (dlogprobs /"
    assert broken.changes == ()
    assert broken.shown.score == before
    assert "ex1_step_by_step.py: SyntaxError: " in told(broken)
    assert any("return (dlogprobs /" in line for line in drawn(broken))
    mended = bob.change(EX1, "return (dlogprobs / ", "return dlogprobs * probs")
    assert not mended.troubles
    assert [(change.gradient, change.turn.value) for change in mended.changes] == [("dprobs", "lost")]


def test_trouble_in_one_file_outlasts_a_save_of_another(bob: Student) -> None:
    bob.save(EX3, "def dhprebn(:\n")
    played = bob.change(EX2, "dim=1", "dim=0")
    assert list(played.troubles) == [EX3]


def test_a_file_that_is_emptied_or_goes_for_a_moment_loses_nothing(bob: Student) -> None:
    whole = (bob.folder / f"{EX1}.py").read_text()
    assert bob.save(EX1, "").troubles[EX1].message == "is empty"
    (bob.folder / f"{EX1}.py").unlink()
    assert bob.round().troubles[EX1].message == "is gone"
    back = bob.save(EX1, whole)
    assert not back.troubles
    assert back.changes == ()


def test_an_exercise_not_begun_is_no_trouble(engine: Engine, tmp_path: Path) -> None:
    student = Student(engine, tmp_path)
    played = student.save(EX2, 'def dlogits(logits):\n    raise NotImplementedError("dlogits")\n')
    assert not played.troubles
    assert "A fresh page." in told(played)


def test_what_cannot_be_read_is_said(bob: Student) -> None:
    (bob.folder / f"{EX2}.py").unlink()
    (bob.folder / f"{EX2}.py").mkdir()
    assert "expected a regular file" in bob.round().troubles[EX2].message


def test_a_bad_day_fits_on_a_small_screen(bob: Student) -> None:
    assert bob.last is not None
    for played in (bob.last, bob.change(EX1, "return dlogprobs / probs", "return dlogprobs")):
        lines = drawn(played)
        assert len(lines) <= 24
        assert all(len(line) <= 80 for line in lines)
        assert any("Next: " in line for line in lines)


def test_a_students_text_is_no_markup(engine: Engine, tmp_path: Path) -> None:
    student = Student(engine, tmp_path)
    played = student.save(EX2, 'raise ValueError("[bold red]\\x1b[2J:smile:")\n')
    text = "\n".join(drawn(played))
    assert "[bold red]␛[2J:smile:" in text
    assert "\x1b" not in text


def test_a_notebook_is_graded_at_each_save_and_half_of_one_loses_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    student = Student(engine, tmp_path)
    whole = stored("lecture")
    path = tmp_path / "part4.ipynb"
    path.write_bytes(whole)
    first = student.round()
    assert (first.shown.score, first.troubles) == (38, {})
    path.write_bytes(whole[: len(whole) // 2])
    torn = student.round()
    assert {trouble.filename for trouble in torn.troubles.values()} == {"part4.ipynb"}
    assert "expected a notebook" in torn.troubles[EX1].message
    assert (torn.shown.score, torn.changes) == (38, ())
    path.write_bytes(whole.replace(b"dh = dlogits @ W2.T", b"dh = dlogits @ W2", 1))
    wrong = student.round()
    assert not wrong.troubles
    assert "lost: dh (" in told(wrong)
    assert any("cell 12, line 16" in line for line in drawn(wrong))
    path.unlink()
    gone = student.round()
    assert [line for line in told(gone).splitlines() if "is gone" in line] == ["part4.ipynb: is gone"]
