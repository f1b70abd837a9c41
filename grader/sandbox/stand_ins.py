"""Harmless stand-ins for what honest files ask of a machine and a box does not have.

A right file may draw a picture, ask for more threads or look at its own source beside the functions that are
graded. None of that may cost it a point, and all of it must end alike behind every set of layers. So it meets
stand-ins, the same in every box. They protect nothing: a submission can take them away, and finds less behind.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import importlib.abc
import importlib.machinery
import importlib.util
import io
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

DRAWING = ("IPython", "matplotlib", "seaborn", "tqdm")
"""Packages that only show something: nobody looks, so they do nothing, whether they are installed or not."""

TEMPORARY = "/tmp"
REFUSED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT)


class Nothing:
    """Stands for whatever a package that shows something would return: takes every call and does nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take whatever there is."""

    def __call__(self, *args: object, **kwargs: object) -> Nothing:  # noqa: D102  (it says what it does)
        return self

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> Nothing:
        return self

    def __setitem__(self, key: object, value: object) -> None: ...

    def __iter__(self) -> Iterator[Nothing]:
        """Two of it, as in ``figure, axes = plt.subplots()``."""
        return iter((self, self))

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: object) -> None: ...


class Counter(Nothing):
    """Stands for tqdm's progress bar: goes through what it is given and shows nothing."""

    def __init__(self, iterable: Iterable[Any] = (), *args: object, **kwargs: object) -> None:
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)


class Missing:
    """Stands for a package that is not installed, and what is in it: to import it costs nothing, to use it raises.

    Raises:
        ModuleNotFoundError: at any use.
    """

    def __init__(self, package: str, bases: Sequence[Missing] = (), *_: object) -> None:
        """Stand for a package; with bases a class is being derived from what is not there."""
        self._package = package
        for base in bases:
            base()

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:  # noqa: D102  (every use is the same)
        raise ModuleNotFoundError(
            f"{self._package} is not installed where this is graded: "
            "do without it in the functions that are graded",
            name=self._package,
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self()

    __getitem__ = __iter__ = __enter__ = __add__ = __mul__ = __matmul__ = __call__


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a stand-in for every package that only shows something, and for those found to be missing."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a stand-in, None for any other module."""
        top = fullname.partition(".")[0]
        if top in DRAWING or top in self.missing:
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave it to the import system to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Give a module the attributes of its stand-in."""
        top = module.__name__.partition(".")[0]
        if top in self.missing:
            vars(module)["__getattr__"] = partial(_missing, top)
        else:
            vars(module)["__getattr__"] = _drawing


def _missing(package: str, name: str) -> Missing:
    """An attribute of a package that is not installed; everything in it, at once, cannot be stood for."""
    if name == "__all__":
        Missing(package)()
    if name.startswith("__"):
        raise AttributeError(name)
    return Missing(package)


def _drawing(name: str) -> Any:
    """An attribute of a package that only shows something."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name == "trange":
        return lambda *bounds, **kwargs: Counter(range(*bounds))
    return Counter if name == "tqdm" else Nothing()


class StandIns:
    """The stand-ins of one process.

    Args:
        missing_limit: how many packages that are not installed one file may import.
    """

    def __init__(self, missing_limit: int = 20) -> None:
        self._finder = Finder()
        self._missing_limit = missing_limit
        self._sources: dict[str, bytes] = {}
        self._lenient = False
        self._open, self._list = io.open, os.listdir

    def put_up(self, torch: ModuleType) -> None:
        """Put every stand-in in its place; once in a process, before any student code."""
        sys.meta_path.insert(0, self._finder)
        for name in ("set_num_threads", "set_num_interop_threads"):
            setattr(torch, name, _one_thread)
        builtins.input = _nobody_answers
        for name in ("chdir", "mkdir"):
            setattr(os, name, self._if_allowed(getattr(os, name)))
        os.listdir = self._list_own
        builtins.open = io.open = self._open_own
        sys.stdin = io.StringIO()
        import tempfile

        tempfile.tempdir = TEMPORARY
        _let_asyncio_run()

    def lay_out(self, sources: Mapping[str, bytes]) -> None:
        """Let a submission read its own files, as ``inspect.getsource`` and ``open(__file__)`` do."""
        self._sources |= sources
        sys.argv = [next(iter(sources), "")]
        sys.orig_argv = [sys.executable, *sys.argv]
        for name, source in sources.items():
            lines = source.decode("utf-8", "replace").splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)

    def replaces(self, error: BaseException) -> bool:
        """Whether an import that failed will find a stand-in the next time."""
        if not isinstance(error, ModuleNotFoundError) or not error.name:
            return False
        top = error.name.partition(".")[0]
        if (
            top in self._finder.missing
            or top in sys.modules
            or len(self._finder.missing) >= self._missing_limit
        ):
            return False
        self._finder.missing.add(top)
        return True

    def _open_own(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """``open``, which finds the submission's own files where it thinks they are."""
        try:
            return self._open(file, mode, *args, **kwargs)
        except OSError:
            own = self._sources.get(_own_name(file))
            if own is None or set(mode) & set("wax+"):
                raise
        raw = io.BytesIO(own)
        if "b" in mode:
            return raw
        encoding = kwargs.get("encoding") or (args[1] if len(args) > 1 else None) or "utf-8"
        return io.TextIOWrapper(raw, encoding)

    @contextlib.contextmanager
    def lenient(self) -> Iterator[None]:
        """Go on, while a file is run, where a folder cannot be made or entered: nothing is kept in any."""
        self._lenient = True
        try:
            yield
        finally:
            self._lenient = False

    def _if_allowed(self, change: Callable[..., None]) -> Callable[..., None]:
        """A function that makes or enters a folder; refused, it says so to functions that are graded alone."""

        def changed(*args: Any, **kwargs: Any) -> None:
            try:
                change(*args, **kwargs)
            except OSError as refusal:
                if not self._lenient or refusal.errno not in REFUSED:
                    raise

        return changed

    def _list_own(self, path: Any = ".") -> Any:
        """``os.listdir``, which finds the submission's own files where it may not look."""
        try:
            return self._list(path)
        except PermissionError:
            if path not in (None, ".", os.getcwd()):
                raise
            return list(self._sources)


def _own_name(file: object) -> str:
    """The name of a file in the folder where a submission believes it lies; empty for any other."""
    try:
        folder, name = os.path.split(os.path.abspath(os.fsdecode(file)))  # type: ignore[arg-type]
        return name if folder == os.getcwd() else ""
    except (TypeError, ValueError, OSError):
        return ""


def _one_thread(number: int) -> None:
    """Take the number of threads wished for; a box has one."""


def _nobody_answers(prompt: object = "", /) -> str:
    """Stand for ``input``: print the prompt, and answer with an empty line."""
    sys.stdout.write(f"{prompt}\n")
    return ""


def _let_asyncio_run() -> None:
    """Give asyncio a loop that takes no pair of sockets, which it needs for other threads and signals alone."""
    import asyncio
    import selectors

    class Loop(asyncio.SelectorEventLoop):
        def __init__(self) -> None:
            super().__init__(selectors.SelectSelector())

        def _make_self_pipe(self) -> None:
            self._ssock = self._csock = None

        def _close_self_pipe(self) -> None: ...

        def _write_to_self(self) -> None: ...

    current: Callable[[], object] = getattr(
        asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy
    )  # Python 3.14 warns of the public name
    setattr(type(current()), "_loop_factory", Loop)  # noqa: B010  (a class that has no such attribute for mypy)
