"""What a Python with torch has to read: the folders and files a box may see, and no more."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable
from pathlib import Path

DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "urandom", "random"))
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime")
_PACKAGE = Path(__file__).absolute().parents[2]


def readable() -> tuple[Path, ...]:
    """Real paths of the standard library, site-packages and shared libraries, outermost only."""
    return outermost(path.resolve() for path in _named())


def aliases() -> dict[Path, Path]:
    """Names of those paths, and of this package, that go through a link: name to real path."""
    return {path: path.resolve() for path in (*_named(), _PACKAGE) if path != path.resolve()}


def package() -> Path:
    """The real path of this project's own package."""
    return _PACKAGE.resolve()


def copies() -> tuple[Path, ...]:
    """Where parts of this package lie among Python's own files: an editable install puts the course there."""
    return tuple(Path(folder, package().name) for folder in (*site.getsitepackages(), *sys.path))


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Drop every path that lies below another one."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return tuple(kept)


def within(paths: Iterable[Path], folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those of ``paths`` that exist, as real paths, and lie inside (or are) one of ``folders``."""
    real = [path.resolve() for path in paths if path.exists()]
    held = tuple(folders)
    return outermost(path for path in real if any(path.is_relative_to(folder) for folder in held))


def spare_torch() -> tuple[Path, ...]:
    """Parts of torch that nobody needs once it is imported, and that would serve to get round a layer.

    A second copy of torch's shared objects, loaded by hand, would have an engine without traps;
    ``_decomp`` is a table of ready-made derivatives.
    """
    torch = sys.modules.get("torch")
    if torch is None or torch.__file__ is None:
        return ()
    home = Path(torch.__file__).resolve().parent
    return home / "lib", home / "_decomp"


def _named() -> list[Path]:
    """What is readable, as it is asked for."""
    named = [Path(os.__file__).parent, *map(Path, _LIBRARIES)]
    named += [Path(sys.base_prefix, name) for name in ("lib", sys.platlibdir)]
    named += [Path(folder) for folder in site.getsitepackages() if folder in sys.path]
    return [path.absolute() for path in named if path.exists()]
