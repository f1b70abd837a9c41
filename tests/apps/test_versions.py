"""A command warns of a version of torch that nobody tried, and goes on."""

from __future__ import annotations

import re
import tomllib

import pytest

from grader.apps import versions
from tests.conftest import ROOT


@pytest.mark.parametrize("found", ["2.4.0", "2.13.0+cpu", "2.9.1", "nightly"])
def test_what_was_tried_is_not_spoken_of(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda name: found)
    assert versions.untried() is None


@pytest.mark.parametrize("found", ["2.3.1", "2.14.1", "3.0.0", "1.13.0"])
def test_what_was_not_is_said(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda name: found)
    assert f"not tried with torch {found}, expected 2.4 to 2.13" in str(versions.untried())


def test_the_versions_are_those_that_may_be_installed() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (torch,) = [need for need in needs if need.startswith("torch")]
    oldest, above = re.findall(r"(\d+)\.(\d+)", torch)
    assert tuple(map(int, oldest)) == versions.OLDEST
    assert (int(above[0]), int(above[1]) - 1) == versions.NEWEST
