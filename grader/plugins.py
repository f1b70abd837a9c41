"""What other packages add to the grader: found by their entry points, loaded when they are needed.

A package declares, say, ``[project.entry-points."backprop_grader.reports"]`` with ``latex = "my_package.latex"``.
What such an object has to offer is told where its kind is used: ``reports``, ``hints``, ``layers``, ``executors``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

GROUP = "backprop_grader"


def added(kind: str) -> dict[str, Any]:
    """Load what installed packages add of one kind.

    Args:
        kind: ``reports``, ``hints``, ``layers`` or ``executors``.

    Returns:
        The objects by their entry points' names, sorted by name.

    Raises:
        ImportError, AttributeError: an installed package names something that is not there.
    """
    found = sorted(entry_points(group=f"{GROUP}.{kind}"), key=lambda one: one.name)
    return {one.name: one.load() for one in found}
