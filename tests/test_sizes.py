"""Functions, modules and classes stay small: the limits that ruff has no rule for.

Decorators are not counted: click's options are a table above a function, not a part of it. Branches and
statements are ruff's business (``pyproject.toml``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "grader"
FUNCTION_LINES = 60
MODULE_LINES = 450
PUBLIC_METHODS = 12
"""Properties are counted, too: each is a word that a reader has to learn."""

EXCEPTIONS = {
    "grader.checks.descent.DescentOracle": "one property for each thing that is drawn or derived for a descent",
}
"""What may be larger, and why."""

Size = tuple[str, str, int, int]
"""A dotted name, what is counted, how many there are, how many there may be."""


def sizes(name: str, text: str) -> Iterator[Size]:
    """The sizes of a module and of everything that it defines."""
    yield name, "lines", len(text.splitlines()), MODULE_LINES
    yield from _sizes_within(name, ast.parse(text))


def _sizes_within(name: str, node: ast.AST) -> Iterator[Size]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{name}.{child.name}"
            yield inner, "lines", (child.end_lineno or child.lineno) - child.lineno + 1, FUNCTION_LINES
        elif isinstance(child, ast.ClassDef):
            inner = f"{name}.{child.name}"
            yield inner, "public methods", len(_public_methods(child)), PUBLIC_METHODS
        else:
            inner = name
        yield from _sizes_within(inner, child)


def _public_methods(node: ast.ClassDef) -> set[str]:
    """Names, so that a property and its setter are one."""
    methods = (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return {one.name for one in methods if not one.name.startswith("_")}


def too_large(name: str, text: str) -> dict[str, str]:
    """What a module defines beyond the limits, by its dotted name."""
    return {
        where: f"{where} has {found} {what}, expected at most {limit}"
        for where, what, found, limit in sizes(name, text)
        if found > limit
    }


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), path.read_text("utf-8")


def test_nothing_grows_beyond_its_limit() -> None:
    """Split what is named here, by its nouns. An exception has a reason that a reader accepts."""
    found = {where: said for name, text in modules() for where, said in too_large(name, text).items()}
    assert not [said for where, said in found.items() if where not in EXCEPTIONS]


def test_no_exception_outlives_its_need() -> None:
    found = {where for name, text in modules() for where in too_large(name, text)}
    assert not EXCEPTIONS.keys() - found, "small enough by now: take these out of EXCEPTIONS"


LONG = "def long():\n" + "    pass\n" * FUNCTION_LINES
METHODS = "class Large:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(PUBLIC_METHODS + 1))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("\n" * (MODULE_LINES + 1), "m"),
        (LONG, "m.long"),
        (
            f"class C:\n    if True:\n{''.join(f'        {line}' for line in LONG.splitlines(True))}",
            "m.C.long",
        ),
        (METHODS, "m.Large"),
    ],
    ids=["module", "function", "method", "class"],
)
def test_what_is_too_large_is_seen(text: str, where: str) -> None:
    assert list(too_large("m", text)) == [where]


@pytest.mark.parametrize(
    "text",
    [
        "\n" * MODULE_LINES,
        LONG.removesuffix("    pass\n"),
        "@option()\n" * 30 + LONG.removesuffix("    pass\n"),
        METHODS.replace("m0", "_m0"),
        METHODS.replace("    def m0", "    @m1.setter\n    def m1"),
    ],
    ids=["module", "function", "decorators", "private", "setter"],
)
def test_what_is_just_small_enough_is_not(text: str) -> None:
    assert not too_large("m", text)
