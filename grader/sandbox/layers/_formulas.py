"""torch's derivatives written in Python: told by what they are called and what they take, and emptied.

Rules instead of a list, so that a formula that a later release of torch brings is taken away, too. A function of
torch's computes a derivative if its name says so (``tanh_backward``, ``_get_numerical_jacobian``), or if it takes
what only a derivative takes: the gradient of an output, or the wish for the gradient of an input.

Modules that are imported later are treated as they are loaded. A submission can undo that, and can read the
formula in the file; what it then has is a formula, which it could have written down as well.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Sequence
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import NoReturn

NAME = re.compile(r"(?:^|_)(?:backwards?|bwd|vjps?|jvps?|jacobian|hessian)(?:_|$)")
NO_FORMULA = re.compile(
    r"hook|save|register|mark|^_?(re)?set|impl_|can_|error|support|check|warn|create|trace|closure"
)
"""What only keeps the books of a differentiation has such a name as well, and honest code meets it."""

PARAMETER = re.compile(
    r"grad_out(?:put)?s?(?:_\w+)?|\w+_grad_out(?:put)?s?|out(?:put)?_grads?|gradOutput|"
    r"compute_\w+_grad|cotangents?|dout|d_out"
)


class AutogradForbidden(RuntimeError):
    """A submission asked torch for a derivative instead of deriving it."""


def forbidden(*args: object, **kwargs: object) -> NoReturn:
    """Stands where torch's own ways to a derivative stood.

    Raises:
        AutogradForbidden: always.
    """
    raise AutogradForbidden(
        "torch's automatic differentiation is switched off here: derive this gradient by hand, "
        "from the line of the forward pass, with ordinary tensor operations"
    )


def is_formula(code: CodeType) -> bool:
    """Whether a function of torch's computes a derivative, by its name or one of its parameters."""
    if any(map(_is_gradient, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])):
        return True
    return _is_derivative(code.co_name)


@cache
def _is_gradient(parameter: str) -> bool:
    """Whether only a derivative takes a parameter of that name; names return thousands of times."""
    return PARAMETER.fullmatch(parameter) is not None


@cache
def _is_derivative(name: str) -> bool:
    """Whether a function of that name computes a derivative."""
    return NAME.search(name) is not None and not NO_FORMULA.search(name)


def empty(function: FunctionType) -> None:
    """Give a function the body of :func:`forbidden`: every reference to it then leads there."""
    function.__code__ = _emptied(function.__code__)
    function.__defaults__ = function.__kwdefaults__ = None


def empty_loaded(folder: str) -> None:
    """Empty every formula among the functions there are, wherever they are kept.

    Args:
        folder: where torch lies; functions of other packages are left alone.
    """
    for function in [thing for thing in gc.get_objects() if type(thing) is FunctionType]:
        code = function.__code__
        if code.co_filename.startswith(folder) and is_formula(code):
            empty(function)


class Emptying(importlib.abc.MetaPathFinder):
    """Empties the formulas of those parts of torch that are imported from now on.

    Args:
        package: the name of torch.
    """

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The usual spec of a part of torch, with a loader that empties; None for any other module."""
        if not fullname.startswith(self._prefix):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module, its formulas emptied."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code."""
        code = super().get_code(fullname)
        return None if code is None else _without_formulas(code)


def empty_later(package: str) -> None:
    """Have the formulas emptied of what is imported from now on."""
    sys.meta_path.insert(0, Emptying(package))


def _without_formulas(code: CodeType) -> CodeType:
    """Code whose functions, and theirs in turn, have no formulas."""
    constants = tuple(_constant(value) for value in code.co_consts)
    return code.replace(co_consts=constants)


def _constant(value: object) -> object:
    if not isinstance(value, CodeType):
        return value
    return _emptied(value) if is_formula(value) else _without_formulas(value)


def _emptied(code: CodeType) -> CodeType:
    """The code of :func:`forbidden` in the place of other code."""
    return _BODY.replace(co_freevars=code.co_freevars, co_name=code.co_name)


def _late(*args: object, **kwargs: object) -> NoReturn:
    """:func:`forbidden`, for a function that lives in another module."""
    from grader.sandbox.layers._formulas import forbidden

    forbidden()


_BODY = _late.__code__
