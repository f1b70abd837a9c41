"""The line's own derivative taken wrongly, in a way that can be told: another operand, a factor too many, no eps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from grader.diagnose.pieces import Alteration, Part, arriving, back, parts
from grader.diagnose.scene import Inquiry
from grader.diagnose.variants import Variant
from grader.diagnose.variants import explain as explained
from grader.diagnose.words import quoted
from grader.oracle import Run
from grader.scorecard import Hint

ORDER = 90

POWERS = ((1.0, ""), (-1.0, ""), (2.0, " squared"), (-2.0, " squared"), (0.5, "'s root"), (-0.5, "'s root"))


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """One line is gone back through as if it were written a little differently."""
    if not inquiry.views:
        return
    for family in (_unguarded, _other_dim, _exchanged, _times):
        yield from explained(
            inquiry, [variant for part in parts(inquiry) for variant in family(inquiry, part)]
        )


def _unguarded(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    if part.use is not None:
        return
    for guard, code in part.line.guards:
        yield Variant(
            "wrong_local_derivative",
            part,
            back(
                part.line,
                inquiry.tensor,
                None,
                Alteration(("guard", str(guard)), arriving(part.line), code=code),
            ),
            f"The {guard:g} in {quoted(part.line)} is dropped on the way back.",
            f"what comes back without the {guard:g}",
        )


def _other_dim(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    if part.use is not None:
        return
    for index, code in enumerate(part.line.other_dims):
        yield Variant(
            "wrong_dim",
            part,
            back(
                part.line,
                inquiry.tensor,
                None,
                Alteration(("dim", str(index)), arriving(part.line), code=code),
            ),
            f"{quoted(part.line)} is gone back through along another dimension.",
            "what comes back along another dimension",
        )


def _exchanged(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """Another tensor stands where one of the line's operands belongs."""
    values = inquiry.main.scene.values
    for operand in part.line.step.uses:
        for name in _tensors(inquiry, values[operand]):
            if name == operand or (name == inquiry.tensor and operand == inquiry.tensor):
                continue
            altered = Alteration(
                ("in place of", operand, name),
                arriving(part.line),
                lambda v, o=operand, n=name: {**v, o: v[n].expand_as(v[o])},  # type: ignore[misc]
            )
            if operand == inquiry.tensor and part.use is None:
                altered = Alteration(altered.label, altered.upstream, altered.change)
            yield Variant(
                "wrong_local_derivative",
                part,
                back(part.line, inquiry.tensor, part.use, altered),
                f"On the way back through {quoted(part.line)}, `{name}` stands where `{operand}` belongs.",
                f"what comes back with `{name}` in place of `{operand}`",
            )


def _times(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """A factor too many or too few, entry by entry."""
    values = inquiry.main.scene.values
    for name in _tensors(inquiry, values[part.line.name]):
        for power, said in POWERS:
            how = "multiplied" if power > 0 else "divided"
            yield Variant(
                "wrong_local_derivative",
                part,
                back(part.line, inquiry.tensor, part.use, Alteration(
                    ("times", name, str(power)), lambda run, n=name, p=power: _product(run, part, n, p)  # type: ignore[misc]
                )),
                f"The derivative of {quoted(part.line)} is {'too large' if power > 0 else 'too small'} by a factor"
                f" that differs from entry to entry: look for `{name}`{said}.",
                f"the right one {how} by `{name}`{said} entry by entry",
            )  # fmt: skip


def _product(run: Run, part: Part, name: str, power: float) -> Tensor | None:
    gradient, factor = run.gradients[part.line.name], run.values[name]
    found: Tensor = gradient * torch.as_tensor(factor) ** power
    return found if found.shape == gradient.shape else None


def _tensors(inquiry: Inquiry, like: object) -> Iterator[str]:
    """The forward values that can stand where another stands."""
    if not isinstance(like, Tensor) or not like.is_floating_point():
        return
    for name, value in inquiry.main.scene.values.items():
        if isinstance(value, Tensor) and value.is_floating_point() and 0 < value.dim() <= like.dim():
            padded = (1,) * (like.dim() - value.dim()) + tuple(value.shape)
            if all(small in (1, large) for small, large in zip(padded, like.shape, strict=True)):
                yield name
