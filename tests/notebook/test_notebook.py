"""A file that is no notebook, or a hostile one, is bad input with one clear line."""

from __future__ import annotations

import ast
import json
import time
from contextlib import suppress

import pytest

from grader.course import Course
from grader.notebook import CELLS_LIMIT, NotebookError, cells_of, read_cells
from grader.script import ScriptError, translate
from tests.notebook.build import notebook, stored


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
def test_hostile_code_is_read_or_refused_soon(name: str, course: Course) -> None:
    cells = cells_of("a.ipynb", notebook([("code", HOSTILE[name])]))
    started = time.perf_counter()
    with suppress(ScriptError):
        for one in translate(cells, course.exercises, "a.py", "a.ipynb").values():
            ast.parse(one.content)
    assert time.perf_counter() - started < 10
