"""Layers that tests want: without one a test is skipped, or fails where every layer must be had."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

ALL_LAYERS = "GRADER_ALL_LAYERS"
"""The environment variable that, set to 1, says that this machine has every layer: then none may be missing."""


def not_to_be_had(reason: str) -> NoReturn:
    """Skip the test that runs, or fail it where every layer must be had."""
    if os.environ.get(ALL_LAYERS) == "1":
        pytest.fail(f"{ALL_LAYERS}=1, and yet {reason}", pytrace=False)
    pytest.skip(reason)
