"""Checks of one submission for pytest: the folder is in the environment variable SUBMISSION."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import rival

FOLDER = Path(os.environ["SUBMISSION"])


@pytest.mark.parametrize(("exercise", "ask"), list(rival.asks()))
def test_gradient(exercise: str, ask: str) -> None:
    """A gradient of the submission is right."""
    assert rival.is_right(exercise, ask, getattr(rival._module(FOLDER / f"{exercise}.py"), ask))
