"""Load what other packages add to the grader: found by entry points, loaded when needed.

A package declares, say, ``[project.entry-points."backprop_grader.reports"]`` with ``latex = "my_package.latex"``.
The package that uses a kind (``reports``, ``hints``, ``layers``, ``executors``) says what such
an object must offer.
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
        broken: makes a stand-in for an object that cannot be loaded, from its entry point's name and the error.

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
    """Return the error for an entry point whose object does not offer what its kind must."""
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
