"""Imports point one way: who may import whom is written down here, and held."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "grader"


def imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "grader":
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                found.add(deeper if _is_module(deeper) else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "grader"}
    return found - {"grader"}


def packages(text: str) -> set[str]:
    """The packages that a module imports or takes something from, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("grader.sandbox.layers.")))
def test_a_layer_knows_nothing_of_grading(name: str) -> None:
    assert all(i.startswith("grader.sandbox") for i in imports(MODULES[name]))


def test_nothing_imports_the_command_line() -> None:
    importers = {name for name, path in MODULES.items() if "grader.apps.cli" in imports(path)}
    assert importers == {"grader.__main__"}


def test_only_the_command_line_imports_click() -> None:
    users = {name for name, path in MODULES.items() if "click" in packages(path.read_text("utf-8"))}
    assert users == {"grader.apps.cli", "grader.apps.console", "grader.apps.options"}


@pytest.mark.parametrize("text", ["import click", "import click.testing as t", "from click import echo"])
def test_any_way_to_import_a_package_is_seen(text: str) -> None:
    assert packages(f"def later():\n    {text}\n") == {"click"}
    assert packages(f"# {text}\nfrom .click import echo\n") == set()


EXTRAS = {
    "grader.batch.cluster": "cluster",
    "grader.batch.dask_worker": "cluster",
    "grader.batch.executors.dask": "cluster",
}
"""Modules, and rooms with all that is in them, that are used only with an extra of the package."""


def extra_of(module: str) -> str | None:
    return next((extra for room, extra in EXTRAS.items() if f"{module}.".startswith(f"{room}.")), None)


def declared(extra: str | None) -> set[str]:
    """The packages that may be imported, with an extra or without."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    needs = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    return {re.split(r"[^a-z0-9_]", need)[0].replace("pyyaml", "yaml") for need in needs}


def test_every_package_that_is_imported_is_declared() -> None:
    """What an extra brings is imported by the modules alone that are for it."""
    # The plugin is pytest's: without pytest nothing imports it.
    known = sys.stdlib_module_names | {"grader", "pytest"}
    undeclared = {
        name: packages(path.read_text("utf-8")) - known - declared(extra_of(name))
        for name, path in MODULES.items()
    }
    assert {name: found for name, found in undeclared.items() if found} == {}


def test_reference_and_exercises_import_nothing_of_the_grader() -> None:
    root = PACKAGE.parent
    for folder in ("reference", "exercises", "submissions"):
        for path in (root / folder).rglob("*.py"):
            assert not imports(path), path


def test_imports_have_no_cycle() -> None:
    # The package's own face imports what it names only when it is asked for, and nothing of ours asks it.
    inner = set(MODULES) - {"grader"}
    graph = {name: (imports(MODULES[name]) - {name}) & inner for name in inner}
    while leaves := {name for name, targets in graph.items() if not targets & set(graph)}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph, sorted(graph)
