"""What other packages add to the grader: found by their entry points, loaded when it is needed.

A package declares, say, ``[project.entry-points."backprop_grader.reports"]`` with ``latex = "my_package.latex"``.
What such an object has to offer is told where its kind is used: ``reports``, ``hints``, ``layers``, ``executors``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "backprop_grader"


class PluginError(ImportError):
    """An installed package adds something that cannot be used; the message names its entry point."""


def added(kind: str, broken: Callable[[str, PluginError], Any] | None = None) -> dict[str, Any]:
    """Load what installed packages add of one kind.

    Args:
        kind: ``reports``, ``hints``, ``layers`` or ``executors``.
        broken: makes what stands in for an object that cannot be loaded, of its entry point's name and the error.

    Returns:
        The objects by their entry points' names, sorted by name.

    Raises:
        PluginError: an object cannot be loaded, and ``broken`` is not given.
    """
    found = {}
    for entry in sorted(entry_points(group=f"{GROUP}.{kind}"), key=lambda one: one.name):
        try:
            found[entry.name] = _loaded(entry)
        except PluginError as error:
            if broken is None:
                raise
            found[entry.name] = broken(entry.name, error)
    return found


def unusable(kind: str, name: str, why: str) -> PluginError:
    """The error that what an entry point leads to is not what its kind has to offer."""
    return PluginError(f"the entry point {name!r} of the group {GROUP}.{kind} cannot be used: {why}")


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # another package's module is run here: it may raise anything
        package = f" of the package {entry.dist.name}" if entry.dist is not None else ""
        place = f"`{entry.name} = {entry.value}`{package} in the group {entry.group}"
        why = f"{type(error).__name__}: {error}"
        message = f"the entry point {place} cannot be loaded: {why}; update the package or remove it"
        raise PluginError(message) from error
