"""A file that is no notebook, or a hostile one, is bad input with one clear line."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

import nbformat.reader
import pytest

from grader.course.course import Course
from grader.submissions.notebooks import Cell, ScriptError, Translation, syntax, translate
from grader.submissions.notebooks.program import Program
from grader.submissions.notebooks.reader import CELLS_LIMIT, CODE_LIMIT, NotebookError, cells_of, read_cells
from tests.submissions.notebooks.build import notebook, stored


def of_cells(*cells: object) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def code(source: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


CORRUPT = {
    "empty": b"",
    "not JSON": b"\x89PNG\r\n",
    "half a notebook": stored("lecture")[:3000],
    "not UTF-8": "é".encode("latin-1"),
    "a list": b"[]",
    "a number": b"3",
    "null": b"null",
    "no cells": b'{"nbformat": 4, "nbformat_minor": 5}',
    "cells that are no list": b'{"nbformat": 4, "nbformat_minor": 5, "cells": {"a": 1}}',
    "a cell that is a number": of_cells(3),
    "a cell without a type": of_cells({"source": "x"}),
    "a source that is a number": of_cells(code(7)),
    "a source that is nested": of_cells(code([["x"]])),
    "an unknown version": b'{"nbformat": 99, "cells": []}',
    "a version in words": b'{"nbformat": "four", "cells": []}',
    "no version": b'{"cells": []}',
    "nested too deeply": b"[" * 200_000,
    "a huge number": b'{"nbformat": 4, "nbformat_minor": ' + b"9" * 6000 + b', "cells": []}',
    "too many bytes": b" " * ((20 << 20) + 1),
    "too much code": notebook([("code", "x = 1\n" * 100_000)]),
    "too many cells": of_cells(*[code("")] * (CELLS_LIMIT + 1)),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_a_corrupt_notebook_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(NotebookError) as caught:
        read_cells(CORRUPT[name])
    message = str(caught.value)
    assert message.startswith(("expected", "cell"))
    assert "found" in message
    assert "\n" not in message
    assert len(message) < 200


def test_outputs_and_metadata_are_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    plots = [{"output_type": "display_data", "data": {"a": [{}] * 1000}, "metadata": {}}]
    cell = {**code(["b = 1\n", "c = 2"]), "outputs": plots, "metadata": {"a": [{}] * 1000}}
    read: list[str] = []

    def taken_down(text: str) -> object:
        read.append(text)
        return reads(text)

    reads = nbformat.reader.reads
    monkeypatch.setattr(nbformat.reader, "reads", taken_down)
    (found,) = read_cells(of_cells(cell))
    assert found.source == "b = 1\nc = 2"
    assert len(read[0]) < 500


def test_a_huge_script_is_refused() -> None:
    assert cells_of("a.py", b" " * CODE_LIMIT)
    with pytest.raises(NotebookError, match="expected a script of at most"):
        cells_of("a.py", b" " * (CODE_LIMIT + 1))


def test_an_old_notebook_is_read() -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [
        {"cells": [{"cell_type": "code", "input": ["a = 1\n", "b = 2"], "outputs": [], "language": "python"}]}
    ]}  # fmt: skip
    (cell,) = read_cells(json.dumps(old).encode())
    assert (cell.number, cell.source) == (1, "a = 1\nb = 2")


def test_cells_are_numbered_as_they_stand() -> None:
    cells = read_cells(notebook([("markdown", "# a"), ("code", "b = 1"), ("code", "")]))
    assert [(cell.number, cell.is_code) for cell in cells] == [(1, False), (2, True), (3, True)]


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_cells(b"\xef\xbb\xbf" + notebook([("code", "b = 1")]))


HOSTILE = {
    "parentheses": "dh = " + "(" * 5000 + ")" * 5000,
    "signs": "dh = " + "-" * 50_000 + "1",
    "a long sum": "dh = " + "+".join(["h"] * 30_000),
    "attributes": "dh = h" + ".T" * 30_000,
    "indices": "dh = h" + "[0]" * 30_000,
    "calls": "dh = " + "f(" * 80 + ")" * 80,
    "loops": "".join(" " * i + "for i in h:\n" for i in range(90)) + " " * 90 + "dh = 1",
    "a huge power": "n = 9 ** 9 ** 9 ** 9\ndh = n * dlogits\nbnvar = 10**400 / 3\nx = 1e308 * 1e308",
    "huge numbers": f"loss = {'9' * 4000} * 2.0\ndh = {'9' * 100_000}",
    "null bytes": "dh = 1\0\ndW2 = 2",
    "surrogates": "dh = '\\ud800'\nW2é = 3\ndℎ = 4",
    "many statements": "dh = 1\n" * 20_000,
    "many changes": "dC = 0\n" + "dC += 1\n" * 5_000,
    "many changes of a forward value": "dh = 1\n" + "probs += h\n" * 2400 + "dC = probs + h",
    "many aliases": "a0 = dC\n"
    + "".join(f"a{i} = a{i - 1}\na{i} += 1\n" for i in range(1, 2500))
    + "dC = a2000",
    "many names": "".join(f"x{i} = x{i - 1} * x{i - 2} + h\n" for i in range(2500)) + "dh = x2499",
    "lines like the forward pass": "".join(f"v{i} = a{i} @ b{i} + c{i}\n" for i in range(2500)),
    "a product of many": "".join(f"v{i} = a * b * c * d * e * f * g * h{i} * i * j\n" for i in range(500)),
    "doubling": "a0 = b * c\n"
    + "".join(f"a{i} = a{i - 1} * a{i - 1} + a{i - 1}\n" for i in range(1, 200))
    + "dh = a199",
    "broken lines": "x = (\n" * 3000,
    "an open string": "'''\n" + "dh = 1\n" * 3000,
    "functions in functions": "".join(" " * i + f"def f{i}():\n" for i in range(90)) + " " * 90 + "pass",
    "many loops that train": "for i in x:\n    loss = 1\n    dC = dh = dW1 = db1 = loss\n" * 1200,
    "a long loop that trains": "for i in x:\n    loss = 1\n" + "    dC = dh\n" * 2400,
    "too long a loop that trains": "for i in x:\n    loss = 1\n" + "    dC = dh\n" * 40_000,
    "loops in loops that train": "".join(" " * i + "for i in h:\n" for i in range(90))
    + " " * 90
    + "loss = dC = 1",
    "carriage returns": "dh = 1\rdW2 = 2\r\ndb2 = 3\f\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_is_read_or_refused(name: str, course: Course) -> None:
    with suppress(ScriptError):
        for one in translated(HOSTILE[name], course).values():
            ast.parse(one.content)


GROWS: dict[str, Callable[[int], str]] = {
    "a long sum": lambda n: f"dh = h{'+h' * 2 * n}",
    "changes in a chain": lambda n: f"dh{'.add_(h)' * n}",
    "lambdas for defaults": lambda n: f"dh = {'lambda a=(' * (n // 6)}h{'):0' * (n // 6)}",
    "functions in functions": lambda n: (
        "".join(f"{' ' * i}def f{i}():\n" for i in range(n // 4)) + f"{' ' * (n // 4)}x = h"
    ),
    "functions under headings": lambda n: "".join(
        f"# exercise 1\ndef f{i}():\n    d1 = d2 = d3 = d4 = d5 = h\n" for i in range(n)
    ),
    "values that may be new": lambda n: "if x:\n    dh = h\ndh += 1\n" * n,
    "many variants": lambda n: f"dh = 1\n{','.join(f'dh_v{i}' for i in range(8 * n))} = h",
    "comparisons": lambda n: "dx = h\n" * 4 * n + f"[{'cmp(dx, h), ' * 4 * n}]",
    "values that may be read": lambda n: "if x:\n    dh = dh + dlogits\n" * 4 * n,
    "sizes of a batch": lambda n: (
        "".join(f"v{i} = x\n" for i in range(n))
        + "for i in x:\n    loss = 1\n    dC = dh = dW1 = db1 = dW2 = db2 = dbngain = dbnbias = loss\n"
        + f"    Xb = X[torch.randint(0, 9, ({','.join(f's{i}' for i in range(n))}))]\n"
    ),
    "rates": lambda n: (
        "".join("lr = 0.1 + 1\n" if i % 2 else "if x: lr = 0.1\n" for i in range(n))
        + "for i in x:\n    loss = 1\n    dC = dh = dW1 = db1 = dW2 = db2 = dbngain = dbnbias = loss\n"
        + "    if x: lr = 0.1 + 1 + 1\n    C += -lr * dC\n" * n
    ),
}


@pytest.mark.parametrize("name", GROWS)
def test_work_grows_with_what_is_read(name: str, course: Course) -> None:
    translated("dh = h", course)  # what is done once for all
    once, twice = (calls(lambda n=n: translated(GROWS[name](n), course)) for n in (160, 320))
    assert twice < 2.6 * once


def calls(work: Callable[[], object]) -> int:
    """How many calls some work makes, and how often it resumes a generator."""
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def translated(source: str, course: Course) -> Mapping[str, Translation]:
    """The stubs of a notebook of one cell."""
    cells = cells_of("a.ipynb", notebook([("code", source)]))
    return translate(cells, course.exercises, "a.py", "a.ipynb")


BROKEN = {
    "branches": "if h:\n    a = 1\n" + "".join(f"elif h{i}:\n    a = 1\n" for i in range(10_000)),
    "a long block": "if h:\n" + "    a = 1\n" * 20_000 + "    b = )\n",
    "an open bracket": ("x = (" + "h, " * 2000 + "\n") * 60,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_parsed_of_broken_code_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def counted(source: str) -> ast.Module | SyntaxError:
        parsed.append(len(source))
        return parse(source)

    parse = syntax._parse
    monkeypatch.setattr(syntax, "_parse", counted)
    assert list(syntax.Parser().statements(Cell(1, BROKEN[name])))
    assert sum(parsed) < syntax.LETTERS_LIMIT + 4 * len(BROKEN[name])


def test_braces_that_python_takes_the_square_of_are_not_parsed() -> None:
    (one,) = syntax.Parser().statements(Cell(1, f"dh = f'{'{h}' * 30_000}'"))
    assert one.broken == "cannot be parsed: too many braces"


@pytest.mark.parametrize("blank", ["\n" * 3000, " " * 3000])
def test_blanks_in_broken_code_are_skipped(blank: str) -> None:
    found = syntax.Parser().statements(Cell(1, f"x = (\n{blank}\n  a = 1\n)("))
    assert [(one.assigns, one.changes) for one in found] == [({"x"}, {"a"})]


def test_the_names_of_a_broken_assignment_stand_in_one_line() -> None:
    (one,) = syntax.Parser().statements(Cell(1, "f(\n  a,\n  b, c = 1\n)("))
    assert one.changes == {"b", "c"}


def test_functions_that_call_one_another_over_and_over_are_refused(course: Course) -> None:
    source = "".join(
        f"def f{i}(a):\n    a += 1\n    return a + f{i - 1}(a)\ndh = f{i}(h)\n" for i in range(1000)
    )
    with pytest.raises(ScriptError, match="too many values that are made of one another"):
        translated(source, course)


def test_too_many_statements_in_all_loops_are_refused(course: Course) -> None:
    with pytest.raises(ScriptError, match="statements in loops"):
        translated(("for i in x:\n    loss = 1\n" + "    dC = dh\n" * 300) * 10, course)


def test_a_value_that_may_be_new_is_still_one_storage() -> None:
    program = Program.read([Cell(None, "a = b\nif c:\n    a = d\na += 1\n")], frozenset())
    assert program.storage("a", 0) == program.storage("a", 1) == program.storage("b", None)
    assert [change.index for change in program.changes("b", None, 9)] == [2]
