"""The box's own side: runs a submission's code and sends back what it returns.

Everything here shares a process with hostile code and may be patched, faked or killed by it. That is
why nothing here decides anything: the judge believes the bytes of a tensor and no more.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType, NoneType, TracebackType
from typing import Any, NamedTuple

import torch

from grader.sandbox import frames, payload, values
from grader.sandbox.frames import Frame
from grader.sandbox.progress import Reports
from grader.sandbox.stand_ins import StandIns

OUTPUT_LIMIT = 2000
"""Characters of what a stub prints that are kept."""

MESSAGE_LIMIT = 500
FRAMES_LIMIT = 8


class Output(io.TextIOBase):
    """A text stream that keeps the first characters it is given and drops the rest."""

    def __init__(self) -> None:
        self._kept = ""
        self._dropped = False

    def writable(self) -> bool:
        """Whether one may write to it; one may."""
        return True

    def fileno(self) -> int:
        """A descriptor for whoever insists on one; it leads nowhere."""
        return 2

    def write(self, text: str) -> int:
        """Keep what still fits of ``text``; it counts as written either way."""
        room = OUTPUT_LIMIT - len(self._kept)
        self._kept += text[:room]
        self._dropped = self._dropped or len(text) > room
        return len(text)

    def take(self) -> str:
        """What was kept since the last take."""
        taken = self._kept + (" …" if self._dropped else "")
        self._kept, self._dropped = "", False
        return taken


class Helpers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules that travel beside a submission's file, from memory."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self._sources = sources

    @property
    def names(self) -> tuple[str, ...]:
        """The modules it can import."""
        return tuple(name.removesuffix(".py") for name in self._sources)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a helper module, None for any other name."""
        if f"{fullname}.py" not in self._sources:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=f"{fullname}.py")

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave it to the import system to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a helper's source in its module."""
        filename = f"{module.__name__}.py"
        exec(compile(self._sources[filename], filename, "exec"), module.__dict__)


class File:
    """One submission's file, and the modules beside it.

    Args:
        sources: their bytes by file name, the file itself first.
        stand_ins: what it meets in the place of what a box does not have.
    """

    def __init__(self, sources: Mapping[str, bytes], stand_ins: StandIns) -> None:
        self._sources = sources
        self._stand_ins = stand_ins
        self.names: Mapping[str, Any] = {}

    def run(self) -> None:
        """Run it as a module of its own, and again with a stand-in where a package that it imports is missing."""
        self._stand_ins.lay_out(self._sources)
        while True:
            try:
                return self._run()
            except ModuleNotFoundError as error:
                if not self._stand_ins.replaces(error):
                    raise

    def _run(self) -> None:
        """Run it once; helpers that another file has imported are imported anew."""
        main = next(iter(self._sources))
        module = ModuleType(main.removesuffix(".py"))
        module.__file__ = main
        _forget_helpers()
        sys.modules[module.__name__] = module
        sys.meta_path.insert(0, Helpers({name: code for name, code in self._sources.items() if name != main}))
        with self._stand_ins.lenient():
            exec(compile(self._sources[main], main, "exec"), module.__dict__)
        self.names = module.__dict__

    def stubs(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The stubs of those names that the file has; looking at them runs no code of the submission.

        A plain function is described. Anything else that stands in a stub's place is only named.
        """
        # A key of a class of its own could run code when it is compared: the names are gone through instead.
        found = {name: value for name, value in self.names.items() if type(name) is str}
        for name in names:
            function = found.get(name)
            if _is_plain(function):
                yield self.described(name, function)
            elif function is not None:
                yield {"name": name, "parameters": None}

    def described(self, name: str, function: Any) -> Mapping[str, Any]:
        """A stub: its name, its parameters and its line."""
        return {
            "name": name,
            "parameters": [{"name": p.name, "required": p.required} for p in _parameters(function)],
            "line": self._line(function),
        }

    def _line(self, function: Any) -> int | None:
        """Where a function begins in the submission's own files; None for whatever else a stub may be."""
        try:
            code = inspect.unwrap(function).__code__
            is_own = type(code.co_filename) is str and code.co_filename in self._sources
            return int(code.co_firstlineno) if is_own else None
        except BaseException:  # a stub is any object, and each of its attributes may raise anything
            return None

    def raised(self, error: BaseException) -> Mapping[str, Any]:
        """An exception as data: its kind, type, message, and the student's own lines of its traceback."""
        lines = [] if error.__traceback__ is None else list(self._lines(error.__traceback__))
        line = lines[-1][0] if lines else None
        if isinstance(error, SyntaxError) and error.filename in self._sources:
            line = error.lineno
        return {
            "kind": _fault_kind(error),
            "type": type(error).__name__[:MESSAGE_LIMIT],
            "message": _text(error)[:MESSAGE_LIMIT],
            "line": line,
            "traceback": [text for _, text in lines][-FRAMES_LIMIT:],
        }

    def _lines(self, trace: TracebackType) -> Iterator[tuple[int, str]]:
        for frame in traceback.extract_tb(trace):
            if frame.filename in self._sources and frame.lineno is not None:
                source = self._sources[frame.filename].splitlines()[frame.lineno - 1 : frame.lineno]
                quoted = source[0].decode("utf-8", "replace").strip() if source else ""
                yield (
                    frame.lineno,
                    f"{frame.filename}:{frame.lineno} in {frame.name}: {quoted}"[:MESSAGE_LIMIT],
                )


def _forget_helpers() -> None:
    """Remove the helpers of another file, so that none is found by its name."""
    for finder in [one for one in sys.meta_path if type(one) is Helpers]:
        sys.meta_path.remove(finder)
        for name in finder.names:
            sys.modules.pop(name, None)


class Inside:
    """The files of one submission, loaded and called when asked.

    Args:
        connection: leads to the judge.
        stand_ins: what the files meet in the place of what a box does not have.
    """

    def __init__(self, connection: socket.socket, stand_ins: StandIns | None = None) -> None:
        self._connection = connection
        self._stand_ins = stand_ins or StandIns()
        self._output = Output()
        self._files: dict[str, File] = {}

    def serve(self) -> None:
        """Answer the judge's frames until it closes the connection."""
        sys.stdout = sys.stderr = self._output
        actions: dict[str, Callable[[Frame], Frame]] = {
            "load": self._load,
            "describe": self._describe,
            "call": self._call,
        }
        while True:
            try:
                request = frames.receive(self._connection)
            except frames.WireError:
                return
            if request.head["do"] == "stop":
                continue  # it came too late: nothing runs any more
            reply = actions[request.head["do"]](request)
            head = {**reply.head, "id": request.head["id"], "output": self._output.take()}
            frames.send(self._connection, Frame(head, reply.body))

    def _load(self, request: Frame) -> Frame:
        rest, sources = memoryview(request.body), {}
        for name, size in request.head["files"]:
            sources[name], rest = bytes(rest[:size]), rest[size:]
        file = self._files[request.head["into"]] = File(sources, self._stand_ins)
        try:
            file.run()
        except BaseException as error:
            return Frame({"raised": file.raised(error)})
        return Frame({"stubs": list(file.stubs(request.head["asks"]))})

    def _describe(self, request: Frame) -> Frame:
        name, file = request.head["function"], self._files[request.head["of"]]
        return Frame({"stub": file.described(name, file.names[name])})

    def _call(self, request: Frame) -> Frame:
        head, tensors = request.head, payload.unpack_own(request.body)
        file, returned = self._files[head["of"]], dict[str, torch.Tensor]()
        answers: list[Mapping[str, Any]] = []
        after: list[Mapping[str, Any]] = []
        taken: list[int | None] = []
        for number, case in enumerate(head["cases"]):
            arguments = {name: values.build(described, tensors) for name, described in case.items()}
            if head["after"] or _trains(case):
                # Describe the objects that were handed in, not whatever a list of them holds afterwards.
                kept = {name: _contents(arguments[name]) for name in head["after"] if name in arguments}
                with Reports(self._connection, head, arguments, kept) as reports:
                    answers.append(_answer(file, head["function"], arguments, str(number), returned))
                describer = values.Describer(returned)
                after.append({n: describer.describe(value, f"{number}.{n}") for n, value in kept.items()})
                taken.append(reports.taken)
            else:
                answers.append(_answer(file, head["function"], arguments, str(number), returned))
                after.append({})
                taken.append(None)
            if "raised" in answers[-1]:
                break
        told = {"answers": answers, "after": after, "taken": taken}
        return Frame(told, payload.pack(returned) if returned else b"")


def _trains(case: Mapping[str, values.Description]) -> bool:
    """Whether a case hands out batches to train with."""
    return any("batches" in described for described in case.values())


def _answer(
    file: File, name: str, arguments: Mapping[str, Any], key: str, returned: dict[str, torch.Tensor]
) -> Mapping[str, Any]:
    """Call one function on one case and describe what came back; its numbers go among the returned."""
    try:
        return values.Describer(returned).describe(_apply(file.names[name], arguments), key)
    except BaseException as error:
        return {"raised": file.raised(error)}


class Parameter(NamedTuple):
    """A parameter that a value can be handed to: its name, whether it must be given, and whether by place only."""

    name: str
    required: bool
    by_place: bool


def _parameters(function: Any) -> list[Parameter]:
    """The parameters that a value can be handed to by name or place."""
    if _is_plain(function):
        return list(_plain(function))
    try:
        parameters = inspect.signature(function).parameters.values()
        return [
            Parameter(p.name, p.default is p.empty, p.kind is p.POSITIONAL_ONLY)
            for p in parameters
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
    except BaseException:  # a stub is any object, and its signature may be anything
        return []


def _is_plain(function: Any) -> bool:
    """Whether it is a function that runs no code when it is looked at, nor do its defaults.

    All is told by exact types: an object of a class of its own may do anything at whatever it is asked.
    """
    if type(function) is not FunctionType:
        return False
    own, defaults, named = function.__dict__, function.__defaults__, function.__kwdefaults__
    if type(own) is not dict or own or type(defaults) not in (tuple, NoneType):
        return False
    return named is None or (type(named) is dict and all(type(name) is str for name in named))


def _plain(function: FunctionType) -> Iterator[Parameter]:
    """A plain function's parameters, in a fiftieth of the time a signature takes."""
    code, named = function.__code__, function.__kwdefaults__ or {}
    required = code.co_argcount - len(function.__defaults__ or ())
    for place, name in enumerate(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]):
        must = place < required if place < code.co_argcount else name not in named
        yield Parameter(name, must, place < code.co_posonlyargcount)


def _contents(value: Any) -> Any:
    """An argument as it is, a list by what it holds now."""
    return tuple(value) if isinstance(value, list) else value


def _apply(function: Any, arguments: Mapping[str, Any]) -> Any:
    """Call a stub with its arguments by name, or by place where it takes them no other way."""
    if isinstance(function, FunctionType) and not function.__code__.co_posonlyargcount:
        return function(**arguments)  # as nearly all are; to look at a signature takes longer than most calls
    placed = [p.name for p in _parameters(function) if p.by_place and p.name in arguments]
    named = {name: value for name, value in arguments.items() if name not in placed}
    return function(*(arguments[name] for name in placed), **named)


def _text(error: BaseException) -> str:
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        return "(its message cannot be read)"


def _fault_kind(error: BaseException) -> str:
    """What an exception amounts to: unfilled, forbidden, out of memory, or a plain error."""
    if isinstance(error, NotImplementedError):
        return "missing"
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in _text(error)
    ):
        return "out_of_memory"
    return "forbidden" if type(error).__name__ == "AutogradForbidden" else "error"
