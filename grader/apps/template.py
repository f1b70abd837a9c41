"""The file a student starts from: one stub per asked gradient, generated from the forward pass."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from grader.checks.cases import cases
from grader.course.exercise import (
    Exercise,
    Function,
    GradientsFunction,
    GradientStub,
    TrainingFunction,
    tensor_of,
)
from grader.course.forward import LOSS, Values
from grader.errors import CourseError, UsageError

TEMPLATE = "template.py"
WIDTH = 100

INTRODUCTION = """\
{title}

Fill the stubs, then run `grade` on this file's folder. A stub asks for what it needs by the names of its
parameters, in any order: change them freely. There is {values}.
{upstreams} It returns one tensor of the shape its docstring gives.

Shapes are those of the lecture's case; you are graded on other sizes, too. No autograd.
"""

WHOLE_FUNCTIONS = """\
{title}

Fill the functions, then run `grade` on this file's folder. They are called with the parameters you see, by
name; leave out what you do not need. Add functions of your own as you like.

Shapes are those of the lecture's case; you are graded on other sizes, too. No autograd.
"""

GRADIENTS = '''

def {name}({parameters}):
    """A forward pass and a backward pass of your own.

    Returns {returns}:
    the loss, and its gradient with respect to each
{shapes}
    """
    raise NotImplementedError("{name}")
'''

TRAINS = '''

def {name}(parameters, batches, learning_rates):
    """Stochastic gradient descent: one step for each batch, which changes the parameters in place.

    parameters is the list [{trains}]. batches gives {batch} for each step,
    learning_rates a number for each step. Returns the loss of each step, before it, as a list of numbers.
    """
    losses = []
    for ({batch}), learning_rate in zip(batches, learning_rates):
        # the loss of this batch, and the gradient of each parameter
        # change each parameter itself, in place: it is the caller's
        raise NotImplementedError("{name}")
    return losses
'''


def render(exercise: Exercise) -> str:
    """The template of an exercise, as Python source."""
    values = cases(exercise)[0].values
    stubs = [_function(exercise, function, values) for function in exercise.functions]
    return (
        f'"""{_introduction(exercise, values)}"""\n\nimport torch\nimport torch.nn.functional as F\n'
        + "".join(stubs)
    )


def is_current(exercise: Exercise) -> bool:
    """Whether the committed template is what the forward pass yields today."""
    path = exercise.folder / TEMPLATE
    return path.exists() and path.read_text("utf-8") == render(exercise)


def write(exercise: Exercise) -> Path:
    """Write an exercise's template beside its settings.

    Raises:
        UsageError: it cannot be written.
    """
    path = exercise.folder / TEMPLATE
    _write(path, render(exercise))
    return path


def lay_out(exercises: tuple[Exercise, ...], folder: Path) -> tuple[Path, ...]:
    """Lay out the templates for a new submission.

    Returns:
        The files written.

    Raises:
        CourseError: the course lacks a template.
        UsageError: the folder cannot be written, or one of the files is there already.
    """
    # All are read before any is written: what cannot be laid out whole leaves nothing behind.
    contents = {folder / f"{exercise.id}.py": _read(exercise.folder / TEMPLATE) for exercise in exercises}
    for target in contents:
        if target.exists():
            raise UsageError(f"{target}: is there already, and is left as it is")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    for target, content in contents.items():
        _write(target, content)
    return tuple(contents)


def _read(template: Path) -> str:
    try:
        return template.read_text("utf-8")
    except OSError as error:
        raise CourseError(
            f"{template}: cannot be read: {error.strerror}; `grade audit --write-templates` writes it"
        ) from error


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _introduction(exercise: Exercise, values: Values) -> str:
    if not any(isinstance(function, GradientStub) for function in exercise.functions):
        return _wrapped(WHOLE_FUNCTIONS.format(title=exercise.title + "."))
    forward = exercise.forward
    names = f"every value of the forward pass ({', '.join(forward.names[:-1])})"
    if exercise.upstreams is None:
        upstreams = (
            "So is the gradient of every tensor that lies nearer to the loss: d<name>, always the true one."
        )
    elif exercise.upstreams:
        upstreams = f"So is {' and '.join(exercise.upstreams)}, the true one, and no other gradient."
    else:
        upstreams = "There is no gradient: this one is made of forward values alone."
    return _wrapped(INTRODUCTION.format(title=exercise.title + ".", values=names, upstreams=upstreams))


def _wrapped(text: str) -> str:
    paragraphs = [textwrap.fill(" ".join(p.split()), WIDTH) for p in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs) + "\n"


def _function(exercise: Exercise, function: Function, values: Values) -> str:
    match function:
        case TrainingFunction(descent=descent):
            trains, batch = (", ".join(names) for names in (descent.trains, descent.batch))
            return TRAINS.format(name=function.name, trains=trains, batch=batch)
        case GradientsFunction(parameters=parameters, returns=returns):
            shapes = (f"    {name:<9}{tuple(values[name].shape)}" for name in map(tensor_of, function.asks))
            return GRADIENTS.format(
                name=function.name,
                parameters=", ".join(parameters),
                returns=returns,
                shapes="\n".join(shapes),
            )
    return _stub(exercise, function.name, values)


def _stub(exercise: Exercise, ask: str, values: Values) -> str:
    parameters = ", ".join(exercise.signature(ask))
    body = "\n".join(f"    {line}".rstrip() for line in _docstring(exercise, ask, values))
    return f'\n\ndef {ask}({parameters}):\n{body}\n    raise NotImplementedError("{ask}")\n'


def _docstring(exercise: Exercise, ask: str, values: Values) -> Iterator[str]:
    name = tensor_of(ask)
    tensor: Tensor = values[name]
    yield f'"""The gradient of the {LOSS} with respect to {name}, of shape {tuple(tensor.shape)}.'
    yield ""
    yield "Back through"
    for step in exercise.through(ask):
        yield f"    {step.source}"
    yield '"""'
