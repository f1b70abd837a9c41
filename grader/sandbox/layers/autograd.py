"""Autograd, blocked: traps in torch's native code, and a sentence in front for the honest mistake.

A submission can undo whatever Python put in its way, so the block itself lies below: in the process
from which boxes are forked, the machine code of everything that computes a derivative is overwritten
with an instruction that kills. The judge sees the signal. Four families have to go, and each route to
a gradient runs through at least one of them:

* the engine that walks the graph: ``backward``, ``torch.autograd``, ``torch.func``, double backward,
  checkpointing, compiled and distributed autograd;
* the nodes of the graph, which can be called one by one (``loss.grad_fn(...)``);
* forward mode, which stores its tangents through one function;
* the derivative kernels (``aten.*_backward``), and TorchScript's own differentiation.

Formulas that torch keeps in Python are emptied by rule: see :mod:`grader.sandbox.layers._formulas`.

Recording a graph stays harmless, so ``requires_grad_()`` in an honest stub costs nothing. Nothing here
proves that a formula was derived by hand: finite differences and a tape of one's own remain possible.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._formulas import AutogradForbidden, empty, empty_later, empty_loaded
from grader.sandbox.layers._image import Function, Image, trap, trapped

LIBRARY = "libtorch_cpu.so"

# Pieces of mangled names (Itanium C++ ABI), by family: a literal to look for, and what the name must
# look like. Each family must be found, or detection is weakened.
FAMILIES: dict[str, tuple[bytes, str]] = {
    "engine": (b"N5torch8autograd6Engine", r"Engine\d+(execute|evaluate_function|compute_dependencies)"),
    "graph nodes": (b"5applyE", r"N5torch8autograd\w+5applyE"),
    "forward mode": (b"12AutogradMeta11set_fw_grad", ""),
    "derivative kernels": (b"backward", r"N2at(4_ops|4meta|6native)|9generated7details"),
    "derivatives of derivatives": (b"_jvp", r"N2at(4_ops|4meta|6native)"),
    "gamma sampler": (b"_standard_gamma_grad", r"N2at(4_ops|6native)"),
    "dirichlet sampler": (b"_dirichlet_grad", r"N2at(4_ops|6native)"),
    "TorchScript": (b"N5torch3jit13differentiateE", ""),
}

FRONT = {  # module: names that an honest mistake would use
    "torch.Tensor": ("backward",),
    "torch.autograd": ("backward", "grad"),
    "torch.autograd.functional": ("vjp", "jvp", "jacobian", "hessian", "vhp", "hvp"),
    "torch.autograd.forward_ad": ("make_dual", "enter_dual_level"),
    "torch.func": ("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize"),
    "torch": ("compile",),
}


class Traps:
    """The traps set in this process."""

    def __init__(self) -> None:
        self._set: list[Function] = []

    def warm(self, confinement: Confinement) -> None:
        """Set the traps, put the sentence in front of them and take ready-made formulas away.

        Raises:
            Unavailable: torch is not loaded, or a family of traps could not be set; the message says which.
        """
        torch = sys.modules.get("torch")
        if torch is None or torch.__file__ is None:
            raise Unavailable("torch is not imported")
        _put_in_front(torch)
        empty_loaded(str(Path(torch.__file__).parent))
        empty_later(torch.__name__)
        found = _harmful(Image(str(Path(torch.__file__).parent / "lib" / LIBRARY)))
        self._set = [function for functions in found.values() for function in functions]
        trap(self._set)
        if absent := [family for family, functions in found.items() if not functions]:
            raise Unavailable(f"detection weakened: no trap for {', '.join(absent)}")

    def probe(self, confinement: Confinement) -> None:
        """Differentiate politely; then look whether the engine would trap, and drive it where it would not.

        Driving it into the trap would end the box, and the probes of the layers after this one with it.

        Raises:
            Breach: a gradient came back, or one could.
        """
        import torch

        x = torch.ones(2, requires_grad=True)
        y = (x * x).sum()
        with suppress(AutogradForbidden):
            torch.autograd.grad(y, x)
            raise Breach("torch.autograd.grad computed a gradient")
        if self._set and all(map(trapped, self._set)):
            return
        engine: Any = torch.autograd.Variable._execution_engine
        engine.run_backward((y,), (torch.ones(()),), False, False, (x,), False, accumulate_grad=False)
        raise Breach("torch's engine computed a gradient")


def _harmful(image: Image) -> dict[str, list[Function]]:
    """The functions of every family."""
    exported = image.functions(needle for needle, _ in FAMILIES.values())
    return {
        family: [
            function
            for function in exported
            if needle.decode() in function.name and re.search(pattern, function.name)
        ]
        for family, (needle, pattern) in FAMILIES.items()
    }


def _put_in_front(torch: ModuleType) -> None:
    """Empty the Python functions of differentiation.

    They stay the objects they were, because parts of torch that are imported late look them up; so do the
    derivative kernels (``torch.ops.aten.*_backward``), which nobody calls by mistake.
    """
    for path, names in FRONT.items():
        holder: Any = torch
        for part in path.split(".")[1:]:
            holder = getattr(holder, part, None)
        for name in names:
            if isinstance(function := getattr(holder, name, None), FunctionType):
                empty(function)


_traps = Traps()

LAYER = Layer(
    name="autograd",
    rank=20,
    protects="autograd blocked: a submission that asks torch for a derivative dies instead of scoring",
    remedy="a torch wheel for Linux on x86_64 or aarch64 whose native symbols are exported",
    probe=_traps.probe,
    warm=_traps.warm,
    portable=True,
)
