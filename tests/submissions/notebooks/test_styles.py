"""Right work earns every point, in whatever style it is written."""

from __future__ import annotations

import pytest

from tests.submissions.notebooks.build import DATA
from tests.submissions.notebooks.conftest import NotebookDesk, lost

STYLES = sorted(path.stem for path in DATA.glob("*.py"))


@pytest.mark.parametrize("name", STYLES)
def test_a_right_notebook_earns_every_point(name: str, notebooks: NotebookDesk) -> None:
    assert lost(notebooks.grade_stored(name)) == {}


@pytest.mark.parametrize("name", ["script", "no_markers", "own_names", "variants"])
def test_a_right_script_earns_every_point(name: str, notebooks: NotebookDesk) -> None:
    assert lost(notebooks.grade((DATA / f"{name}.py").read_bytes(), f"{name}.py")) == {}
