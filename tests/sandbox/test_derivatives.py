"""What torch ships that computes a derivative is out of reach: the installed torch is walked anew by each run.

Every operator and function of torch that takes what the pool has is really called, on small tensors, in a
process of its own, to see whether what comes back is a gradient that was asked for. So a release of torch that
brings another way to a derivative fails here.
"""

from __future__ import annotations

import sys

from tests.sandbox.test_layers import drive, needs
from tests.wanted import only_where

pytestmark = only_where(sys.platform.startswith("linux"), "the layers are Linux's")

POOL = """
import faulthandler, importlib, inspect, io, itertools, pkgutil, warnings
import torch.nn.functional as F
warnings.simplefilter("ignore")
torch.manual_seed(1)
x, g = torch.randn(4, 3), torch.randn(4, 3)
y = torch.tensor([0, 2, 1, 1])
w, b = torch.randn(3, 3), torch.randn(3)
t, s, p, q = x.tanh(), x.sigmoid(), x.softmax(1), x.log_softmax(1)
expected = {
    "tanh": g * (1 - t * t), "sigmoid": g * s * (1 - s), "relu": g * (x > 0),
    "softmax": p * (g - (g * p).sum(1, keepdim=True)), "log_softmax": g - p * g.sum(1, keepdim=True),
    "exp": None,
}
one = F.one_hot(y, 3).float()
logits = x @ w.T + b
delta = logits.softmax(1) - one
for scale in (1.0, 0.25):
    expected |= {f"cross_entropy {scale}": scale * (p - one), f"linear {scale}": scale * delta @ w,
                 f"weight {scale}": scale * delta.T @ x, f"bias {scale}": scale * delta.sum(0)}

def gradients(found, depth=2):
    # What comes back, and what is in it, as names of the gradients that it equals.
    if isinstance(found, torch.Tensor):
        if found.device.type != "cpu" or found.layout is not torch.strided or found.dtype is not torch.float32:
            return
        for name, wanted in expected.items():
            if wanted is not None and found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-5):
                yield name
    elif isinstance(found, (tuple, list)) and depth:
        for part in found[:6]:
            yield from gradients(part, depth - 1)

def tried(function, candidates):
    for arguments, named in candidates:
        try:
            found = function(*arguments, **named)
        except Exception:
            continue
        yield from gradients(found)
"""

APART = """
def apart(things, attempt, seconds=10):
    # Try all things in a process apart. One that is trapped or confused ends it; another goes on with the next.
    things, found, place = list(things), [], 0
    while place < len(things):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            for number in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            try:
                for number in range(place, len(things)):
                    os.write(writer, f"{number}\\n".encode())
                    signal.alarm(seconds)
                    for name in attempt(things[number]):
                        os.write(writer, f"{number} {things[number][0]} ({name})\\n".encode())
                        break
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            for line in lines.read().decode("utf-8", "replace").splitlines():
                number, _, name = line.partition(" ")
                place = int(number) + 1
                found += [name] if name else []
        os.waitpid(child, 0)
    return sorted(set(found))
"""

OPERATORS = """
PLAIN = {"int": 1, "bool": False, "float": 1.0, "Scalar": 1.0, "number": 1.0, "ScalarType": 6, "str": "none"}

def candidates(schema):
    tensors = [a for a in schema.arguments if str(a.type) in ("Tensor", "Optional[Tensor]") and not a.is_out]
    rest = [a for a in schema.arguments if a not in tensors and not a.has_default_value()]
    pool = [g, x, t, s, p, q]
    fixed = {}
    for argument in rest:
        kind = str(argument.type)
        if kind not in PLAIN:
            return
        fixed[argument.name] = PLAIN[kind]
    wanted = [a for a in tensors if str(a.type) == "Tensor" and not a.has_default_value()]
    if not 1 <= len(wanted) <= 3:
        return
    for chosen in itertools.permutations(pool, len(wanted)):
        yield (), fixed | {a.name: c for a, c in zip(wanted, chosen)}

def attempt(thing):
    _, schema = thing
    operator, _ = torch._C._jit_get_operation(schema.name)
    yield from tried(operator, candidates(schema))

def worth(schema):
    return not any(a.is_out or a.alias_info is not None and a.alias_info.is_write for a in schema.arguments)

schemas = [one for one in torch._C._jit_get_all_schemas() if worth(one)]
schemas = [one for one in schemas if next(candidates(one), None) is not None]
schemas = {one.name: one for one in schemas if ORDERED(one.name)}
found = apart(schemas.items(), attempt)
said = len(schemas), found
"""

FUNCTIONS = """
NAMED = {
    "input": x, "self": x, "x": x, "a": x, "logits": x,
    "linear_weight": w, "weight": w, "linear_bias": b, "bias": b,
    "target": y, "labels": y, "targets": y, "reduction": "sum", "ignore_index": -100, "label_smoothing": 0.0,
    "batch_chunk_size": 2, "chunk_size": 2, "acc_policy": "accumulate", "acc_dtype": torch.float32, "dim": 1,
    "compute_input_grad": True, "compute_linear_weight_grad": True, "compute_linear_bias_grad": True,
    "grad": g, "grad_output": g, "out_grad": g, "output": t, "y": t, "out": t, "result": t,
}
SKIPPED = (
    "testing", "distributed", "onnx", "_inductor", "_dynamo", "cuda", "xpu", "mps", "mtia", "utils", "contrib",
    "_vendor", "package", "profiler", "multiprocessing", "__main__", "_export", "export", "jit", "ao",
    "quantization", "backends", "_lazy", "_strobelight", "_logging", "monitor", "signal", "hub", "fx",
)

def candidates(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    required = [one for one in parameters if one.default is one.empty and one.kind < 2]
    names = [one.name for one in parameters if one.name in NAMED]
    if all(one.name in NAMED for one in required):
        for policy in ("accumulate", "none", "fp32", "full"):
            for weight in (w, None):
                known = {name: NAMED[name] for name in names} | {"acc_policy": policy, "weight": weight}
                yield (), {name: value for name, value in known.items() if name in names}
    if 2 <= len(required) <= 3:
        for chosen in itertools.permutations((g, x, t, s, p, q), len(required)):
            yield chosen, {}

def attempt(thing):
    _, module = thing
    try:
        loaded = importlib.import_module(module)
    except BaseException:
        return
    for name, function in list(vars(loaded).items()):
        if inspect.isfunction(function) and function.__module__ == module:
            for gradient in tried(function, candidates(function)):
                yield f"{name}: {gradient}"

modules = [m.name for m in pkgutil.iter_modules(torch.__path__, "torch.") if m.name.split(".")[1] not in SKIPPED]
for package in [m for m in modules if hasattr(sys.modules.get(m), "__path__")]:
    modules += [m.name for m in pkgutil.iter_modules(sys.modules[package].__path__, f"{package}.")]
for package in ("torch.nn.modules", "torch.nn.utils"):
    modules += [m.name for m in pkgutil.iter_modules(sys.modules[package].__path__, f"{package}.")]
modules = sorted({m for m in modules if ORDERED(m)})
found = apart([(m, m) for m in modules], attempt)
said = len(modules), found
"""

IMPORTS = "import sys\n"


def act(source: str, ordered: str) -> str:
    """An act that walks what a condition on its name chooses."""
    return f"{IMPORTS}ORDERED = lambda name: {ordered}\n{POOL}{APART}{source}"


def test_no_operator_returns_a_gradient() -> None:
    """Those of the registry, whatever they are called."""
    report = drive(["autograd"], act(OPERATORS, "True"), torch=True, timeout_s=600)
    needs(report, "autograd")
    assert report.ends[0].done, report.ends
    number, _, found = report.ends[0].said.removeprefix("done (").partition(", ")
    assert int(number) > 300
    assert found == "[])"


def test_no_function_returns_a_gradient() -> None:
    """Those of torch's modules, public and private, loaded already or not."""
    report = drive(["autograd"], act(FUNCTIONS, "True"), torch=True, timeout_s=600)
    needs(report, "autograd")
    assert report.ends[0].done, report.ends
    number, _, found = report.ends[0].said.removeprefix("done (").partition(", ")
    assert int(number) > 50
    assert found == "[])"


def test_the_walk_finds_gradients_where_nothing_takes_them_away() -> None:
    """A walk that cannot find any would prove nothing."""
    operators = act(OPERATORS, "'tanh' in name or 'softmax' in name")
    functions = act(FUNCTIONS, "'linear_cross_entropy' in name or '_decomp' in name")
    ends = drive([], operators, functions, torch=True, timeout_s=600).ends
    assert "tanh_backward" in ends[0].said and "_softmax_backward_data" in ends[0].said, ends[0]
    assert "_chunked_accumulator" in ends[1].said or not has_accumulator(), ends[1]


def has_accumulator() -> bool:
    """Whether this torch has the loss that computes its gradients forward."""
    from importlib.util import find_spec

    return find_spec("torch.nn.modules.linear_cross_entropy") is not None
