"""Imports point one way: who may import whom is written down here, and held."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "grader"

STUDENT_SIDE = {
    "grader.sandbox.batches",
    "grader.sandbox.limits",
    "grader.sandbox.frames",
    "grader.sandbox.layers",
    "grader.sandbox.payload",
    "grader.sandbox.progress",
    "grader.sandbox.values",
}

ALLOWED = {
    "grader.errors": set(),
    "grader.submissions.source": set(),
    "grader.submissions.submission": {"grader.errors", "grader.submissions.source"},
    "grader.submissions.archive": {"grader.errors"},
    "grader.submissions.collect": {
        "grader.submissions.archive",
        "grader.errors",
        "grader.submissions.submission",
    },
    "grader.submissions.platforms": {
        "grader.submissions.archive",
        "grader.submissions.collect",
        "grader.submissions.submission",
    },
    "grader.scorecard.schema_check": set(),
    "grader.scorecard.json_writer": set(),
    "grader.scorecard.model": {"grader.scorecard.schema_check", "grader.scorecard.json_writer"},
    "grader.sandbox.answers": {"grader.scorecard.model"},
    "grader.course.forward": {"grader.errors"},
    "grader.course.wordlist": {"grader.errors"},
    "grader.sandbox.frames": set(),
    "grader.sandbox.payload": {"grader.sandbox.frames"},
    "grader.sandbox.student": STUDENT_SIDE,
    "grader.sandbox.zygote": STUDENT_SIDE
    | {"grader.sandbox.student", "grader.sandbox.layers._linux", "grader.sandbox.pages"},
    "grader.sandbox.process": {"grader.scorecard.model"},
    "grader.sandbox.replies": {"grader.sandbox.answers", "grader.sandbox.limits", "grader.scorecard.model"},
    "grader.sandbox.requests": {
        "grader.sandbox.answers",
        "grader.sandbox.frames",
        "grader.sandbox.payload",
        "grader.sandbox.replies",
        "grader.sandbox.values",
        "grader.bounded",
    },
    "grader.sandbox.linux": {
        "grader.sandbox.frames",
        "grader.sandbox.process",
        "grader.errors",
        "grader.scorecard.model",
    },
    "grader.course.exercise": {"grader.errors", "grader.course.forward"},
    "grader.checks.loss_curve": {"grader.scorecard.model"},
    "grader.bounded": set(),
    "grader.checks.oracle": {"grader.checks.cases", "grader.course.forward", "grader.bounded"},
    "grader.checks.compare": {"grader.sandbox.answers", "grader.checks.oracle", "grader.scorecard.model"},
    "grader.sandbox.box": {
        "grader.sandbox.answers",
        "grader.sandbox.requests",
        "grader.sandbox.frames",
        "grader.sandbox.payload",
        "grader.sandbox.process",
        "grader.sandbox.replies",
        "grader.scorecard.model",
        "grader.submissions.source",
    },
    "grader.sandbox.open": {
        "grader.sandbox.linux",
        "grader.sandbox.portable",
        "grader.sandbox.process",
        "grader.errors",
    },
    "grader.sandbox.portable": {
        "grader.sandbox.frames",
        "grader.sandbox.student",
        "grader.sandbox.layers",
        "grader.sandbox.process",
        "grader.sandbox.zygote",
        "grader.errors",
        "grader.scorecard.model",
    },
    "grader.checks.suite": {
        "grader.sandbox.answers",
        "grader.sandbox.requests",
        "grader.sandbox.replies",
        "grader.sandbox.values",
        "grader.checks.cases",
        "grader.checks.compare",
        "grader.course.exercise",
        "grader.course.forward",
        "grader.checks.oracle",
        "grader.bounded",
        "grader.scorecard.model",
        "grader.hints.descent",
        "grader.checks.descent",
        "grader.checks.check",
    },
    "grader.grading.runner": {
        "grader.sandbox.answers",
        "grader.checks.suite",
        "grader.sandbox.box",
        "grader.sandbox.process",
        "grader.sandbox.replies",
        "grader.checks.compare",
        "grader.course.exercise",
        "grader.course.forward",
        "grader.grading.incremental",
        "grader.scorecard.model",
        "grader.submissions.source",
        "grader.checks.check",
    },
    "grader.grading.judge": {
        "grader.sandbox.answers",
        "grader.checks.suite",
        "grader.sandbox.process",
        "grader.checks.cases",
        "grader.checks.compare",
        "grader.course.course",
        "grader.hints",
        "grader.course.exercise",
        "grader.grading.runner",
        "grader.checks.error_map",
        "grader.submissions.notebooks.stubs",
        "grader.grading.incremental",
        "grader.checks.oracle",
        "grader.scorecard.model",
        "grader.course.settings",
        "grader.grading.plan",
        "grader.submissions.submission",
        "grader.checks.descent",
    },
    "grader.batch.run": {
        "grader.sandbox.open",
        "grader.sandbox.process",
        "grader.errors",
        "grader.grading.judge",
        "grader.batch.cpus",
        "grader.scorecard.model",
        "grader.batch.store",
        "grader.submissions.submission",
        "grader.batch.fingerprint",
        "grader.batch.pool",
        "grader.batch.worker",
        "grader.grading.workshop",
    },
    "grader.batch.store": {
        "grader.errors",
        "grader.batch.atomic_files",
        "grader.reports",
        "grader.reports.context",
        "grader.reports.stored",
        "grader.scorecard.model",
    },
    "grader.batch.pool": {
        "grader.sandbox.process",
        "grader.errors",
        "grader.batch.cpus",
        "grader.batch.worker",
    },
    "grader.batch.worker": {
        "grader.sandbox.open",
        "grader.sandbox.process",
        "grader.errors",
        "grader.grading.judge",
        "grader.batch.cpus",
        "grader.reports.book",
        "grader.reports.table",
        "grader.scorecard.model",
        "grader.batch.store",
        "grader.submissions.submission",
        "grader.batch.fingerprint",
        "grader.grading.workshop",
    },
    "grader.apps.watch": set(),
    "grader.apps.watch.changes": {"grader.scorecard.model"},
    "grader.grading.desk": {
        "grader.sandbox.open",
        "grader.course.course",
        "grader.grading.judge",
        "grader.grading.incremental",
        "grader.batch.run",
        "grader.scorecard.model",
        "grader.course.settings",
        "grader.submissions.submission",
    },
    "grader.apps.watch.display": {
        "grader.apps.watch.plain",
        "grader.apps.watch.save",
        "grader.apps.watch.screen",
    },
    "grader.reports.explanation": {"grader.reports.wording", "grader.scorecard.model"},
    "grader.apps.watch.plain": {
        "grader.reports.wording",
        "grader.scorecard.model",
        "grader.apps.watch.changes",
        "grader.reports.explanation",
        "grader.apps.watch.save",
    },
    "grader.apps.watch.save": {
        "grader.scorecard.model",
        "grader.submissions.submission",
        "grader.apps.watch.changes",
        "grader.grading.desk",
        "grader.reports.explanation",
        "grader.submissions.source",
    },
    "grader.apps.watch.screen": {
        "grader.reports.table",
        "grader.reports.wording",
        "grader.scorecard.model",
        "grader.apps.watch.changes",
        "grader.reports.explanation",
        "grader.apps.watch.save",
    },
    "grader.apps.watch.file_events": set(),
}


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


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_module_imports_what_it_may(name: str) -> None:
    assert imports(MODULES[name]) <= ALLOWED[name]


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("grader.reports.")))
def test_a_report_depends_on_scorecards_alone(name: str) -> None:
    others = {i for i in imports(MODULES[name]) if not i.startswith("grader.reports")}
    assert others <= {"grader.bounded", "grader.scorecard.model"}


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("grader.sandbox.layers.")))
def test_a_layer_knows_nothing_of_grading(name: str) -> None:
    assert all(i.startswith("grader.sandbox") for i in imports(MODULES[name]))


def test_nothing_imports_the_command_line() -> None:
    importers = {name for name, path in MODULES.items() if "grader.apps.cli" in imports(path)}
    assert importers == {"grader.__main__"}


def test_only_the_command_line_imports_click() -> None:
    users = {name for name, path in MODULES.items() if "click" in packages(path.read_text("utf-8"))}
    assert users == {"grader.apps.cli"}


@pytest.mark.parametrize("text", ["import click", "import click.testing as t", "from click import echo"])
def test_any_way_to_import_a_package_is_seen(text: str) -> None:
    assert packages(f"def later():\n    {text}\n") == {"click"}
    assert packages(f"# {text}\nfrom .click import echo\n") == set()


def test_every_package_that_is_imported_is_declared() -> None:
    needs = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    declared = {re.split(r"[^a-z0-9_]", need)[0] for need in needs}
    used = {one for path in MODULES.values() for one in packages(path.read_text("utf-8"))}
    # The plugin is pytest's: without pytest nothing imports it.
    assert used - sys.stdlib_module_names - {"grader", "pytest"} <= declared


def test_reference_and_exercises_import_nothing_of_the_grader() -> None:
    root = PACKAGE.parent
    for folder in ("reference", "exercises", "submissions"):
        for path in (root / folder).rglob("*.py"):
            assert not imports(path), path


def test_imports_have_no_cycle() -> None:
    graph = {name: (imports(path) - {name}) & set(MODULES) for name, path in MODULES.items()}
    while leaves := {name for name, targets in graph.items() if not targets & set(graph)}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph, sorted(graph)
