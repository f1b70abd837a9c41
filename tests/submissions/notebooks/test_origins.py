"""Every line of the generated source that a student wrote points into the student's cell."""

from __future__ import annotations

from grader.course.course import Course
from grader.scorecard.model import StudentError
from grader.submissions.notebooks import is_script, translate
from grader.submissions.notebooks.reader import cells_of
from tests.conftest import ROOT
from tests.submissions.notebooks.build import DATA, notebook, pieces
from tests.submissions.notebooks.conftest import NotebookDesk


def test_generated_lines_are_the_students_own(course: Course) -> None:
    for name in sorted(path.stem for path in DATA.glob("*.py")):
        cells = cells_of("a.ipynb", notebook(pieces(name)))
        for one in translate(cells, course.exercises, "a.py", "a.ipynb").values():
            for number, line in enumerate(one.content.decode().splitlines(), 1):
                origin = one.origins.lines.get(number)
                ours = ("return ", " = b", "= Progress", "import ", "noted_")
                if origin is None or line.startswith("def ") or any(sign in line for sign in ours):
                    continue
                assert origin.cell is not None
                written = cells[origin.cell - 1].source.splitlines()[origin.line - 1]
                assert line.strip() in written, (name, number)


def test_a_fault_is_moved_into_the_cell(course: Course) -> None:
    made = translate(
        cells_of("a.ipynb", notebook([("code", "\ndh = dlogits @ W2")])), course.exercises, "a.py", "a.ipynb"
    )
    origins = made["ex1_step_by_step"].origins
    (number,) = [
        n for n, line in enumerate(made["ex1_step_by_step"].content.decode().splitlines(), 1) if "@" in line
    ]
    moved = origins.fault(
        StudentError(
            "RuntimeError", "shapes", number, (f"a.py:{number} in dh: dh = dlogits @ W2", "a.py:1 in x: y")
        )
    )
    assert (moved.line, moved.message) == (2, "cell 1, line 2: shapes")
    assert moved.traceback == ("a.ipynb, cell 1, line 2, in dh: dh = dlogits @ W2",)


def test_an_error_says_cell_and_line(notebooks: NotebookDesk) -> None:
    graded = notebooks.grade_cells("x = 1", "# two\ndprobs = (\n    dlogprobs\n    @ probs)")
    fault = graded["ex1"]["dprobs"].error
    assert fault is not None
    assert fault.message.startswith("cell 2, line ")
    assert graded["ex1"]["dprobs"].line == 2
    assert "part4.ipynb, cell 2" in fault.traceback[0]


def test_a_script_is_told_by_its_forward_pass(course: Course) -> None:
    def told(content: bytes) -> bool:
        return is_script(cells_of("a.py", content), course.exercises)

    assert told((DATA / "script.py").read_bytes())
    assert told((DATA / "own_names.py").read_bytes())
    for path in sorted((ROOT / "submissions").glob("*/ex[123]_*.py")):
        assert not told(path.read_bytes()), path
    assert not told(b"import helpers")
    assert not told(b"def dprobs(:")
    assert not told(b"h = torch.tanh(x @ W1 + b1)\nlogits = h @ W2 + b2\nloss = F.cross_entropy(logits, y)")
