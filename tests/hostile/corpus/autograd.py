# Autograd by every route: none of these may score, although each would return the right gradient.
import torch
import torch.nn.functional as F

# %% dlogits: loss.backward() -> forbidden
def dlogits(logits, Yb):
    logits = logits.clone().requires_grad_()
    F.cross_entropy(logits, Yb).backward()
    return logits.grad

# %% dlogits: torch.autograd.grad -> forbidden
def dlogits(logits, Yb):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(logits, Yb), logits)[0]

# %% dlogits: torch.autograd.functional.jacobian -> forbidden
def dlogits(logits, Yb):
    return torch.autograd.functional.jacobian(lambda x: F.cross_entropy(x, Yb), logits)

# %% dlogits: torch.autograd.functional.vjp, imported by name -> forbidden
from torch.autograd.functional import vjp
def dlogits(logits, Yb):
    return vjp(lambda x: F.cross_entropy(x, Yb), logits)[1]

# %% dlogits: torch.func.grad -> forbidden
def dlogits(logits, Yb):
    return torch.func.grad(F.cross_entropy)(logits, Yb)

# %% dlogits: torch.func.grad, from the module it is defined in -> forbidden/error/timed_out
from torch._functorch.eager_transforms import grad_impl
def dlogits(logits, Yb):
    return grad_impl(lambda x: F.cross_entropy(x, Yb), 0, False, (logits,), {})

# %% dh: torch.func.vjp -> forbidden
def dh(h, W2, b2, dlogits):
    return torch.func.vjp(lambda h: h @ W2 + b2, h)[1](dlogits)[0]

# %% dh: torch.func.vjp, from the module it is defined in -> forbidden
from torch._functorch.eager_transforms import vjp
def dh(h, W2, b2, dlogits):
    return vjp(lambda h: h @ W2 + b2, h)[1](dlogits)[0]

# %% db2: torch.func.jacrev -> forbidden
def db2(h, W2, b2, dlogits):
    return torch.func.jacrev(lambda b: (dlogits * (h @ W2 + b)).sum())(b2)

# %% db2: torch.func.jacfwd -> forbidden
def db2(h, W2, b2, dlogits):
    return torch.func.jacfwd(lambda b: (dlogits * (h @ W2 + b)).sum())(b2)

# %% db2: torch.func.linearize -> forbidden
def db2(h, W2, b2, dlogits):
    _, f = torch.func.linearize(lambda b: (dlogits * (h @ W2 + b)).sum(), b2)
    return torch.stack([f(e) for e in torch.eye(b2.shape[0])])

# %% db2: functorch's jvp, from the module it is defined in, one direction at a time -> forbidden
from torch._functorch.eager_transforms import jvp
def db2(h, W2, b2, dlogits):
    f = lambda b: (dlogits * (h @ W2 + b)).sum()
    return torch.stack([jvp(f, (b2,), (e,))[1] for e in torch.eye(b2.shape[0])])

# %% db2: per-sample gradients by vmap of grad -> forbidden
from torch._functorch.apis import grad, vmap
def db2(h, W2, b2, dlogits):
    return vmap(grad(lambda b, row, d: (d * (row @ W2 + b)).sum()), (None, 0, 0))(b2, h, dlogits).sum(0)

# %% db2: forward mode with dual tensors -> forbidden
import torch.autograd.forward_ad as fwAD
def db2(h, W2, b2, dlogits):
    out = []
    with fwAD.dual_level():
        for e in torch.eye(b2.shape[0]):
            dual = fwAD.make_dual(b2, e)
            out.append(fwAD.unpack_dual((dlogits * (h @ W2 + dual)).sum()).tangent)
    return torch.stack(out)

# %% db2: forward mode below Python's names -> forbidden
def db2(h, W2, b2, dlogits):
    level = torch._C._enter_dual_level()
    out = []
    for e in torch.eye(b2.shape[0]):
        dual = torch._VF._make_dual(b2, e, level=level)
        out.append(torch._VF._unpack_dual((dlogits * (h @ W2 + dual)).sum(), level=level)[1])
    return torch.stack(out)

# %% dhpreact: calls the graph's node -> forbidden
def dhpreact(hpreact, dh):
    return torch.tanh(hpreact.requires_grad_()).grad_fn(dh)

# %% dlogits: walks the graph node by node -> forbidden
def dlogits(logits, Yb):
    node = F.cross_entropy(logits.requires_grad_(), Yb).grad_fn
    g = torch.ones(())
    while node.name() != "struct torch::autograd::AccumulateGrad":
        g = node(g)
        g = g[0] if isinstance(g, tuple) else g
        node = node.next_functions[0][0]
    return g

# %% dlogits: drives torch's engine by hand -> forbidden
def dlogits(logits, Yb):
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    engine = torch.autograd.Variable._execution_engine
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (logits,), False, accumulate_grad=False)[0]

# %% dlogits: makes an engine of its own -> forbidden
def dlogits(logits, Yb):
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    engine = torch._C._ImperativeEngine()
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (logits,), False, accumulate_grad=False)[0]

# %% dlogits: finds the original function with the garbage collector -> forbidden/timed_out/error
import gc, sys, types
def dlogits(logits, Yb):
    seen, todo = set(), [module for name, module in sys.modules.items() if name.startswith("torch")]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, (torch.Tensor, str, int)):
            continue
        seen.add(id(thing))
        if isinstance(thing, types.FunctionType) and thing.__qualname__ == "grad" and thing.__module__ == "torch.autograd":
            return thing(F.cross_entropy(logits.requires_grad_(), Yb), logits)[0]
        todo += gc.get_referents(thing)
    return torch.autograd.graph._engine_run_backward(
        (F.cross_entropy(logits.requires_grad_(), Yb),), (torch.ones(()),), False, False, (logits,),
        allow_unreachable=False, accumulate_grad=False,
    )[0]

# %% dlogits: loads torch.autograd anew -> forbidden/crashed
import importlib
def dlogits(logits, Yb):
    importlib.reload(torch.autograd)
    return torch.autograd.grad(F.cross_entropy(logits.requires_grad_(), Yb), logits)[0]

# %% dlogits: a caller of the engine inside torch, and hooks on the graph -> forbidden
def dlogits(logits, Yb):
    import torch.autograd.graph as graph
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    seen = []
    loss.register_hook(seen.append)
    logits.register_hook(seen.append)
    graph._engine_run_backward((loss,), (torch.ones(()),), False, False, (), allow_unreachable=True, accumulate_grad=True)
    return logits.grad

# %% dlogits: retain_grad on a result in the middle -> forbidden
def dlogits(logits, Yb):
    x = logits.requires_grad_() + 0
    x.retain_grad()
    torch.Tensor.backward(F.cross_entropy(x, Yb))
    return x.grad

# %% dlogits: a custom Function whose apply is run backwards -> forbidden
class Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.x, ctx.y = x, y
        return F.cross_entropy(x, y)
    @staticmethod
    def backward(ctx, g):
        with torch.enable_grad():
            x = ctx.x.detach().requires_grad_()
            F.cross_entropy(x, ctx.y).backward()
        return g * x.grad, None
def dlogits(logits, Yb):
    node = Loss.apply(logits.requires_grad_(), Yb).grad_fn
    return node.apply(torch.ones(()))[0]

# %% dlogits: gradient checkpointing -> forbidden
from torch.utils.checkpoint import CheckpointFunction
def dlogits(logits, Yb):
    x = logits.requires_grad_()
    loss = CheckpointFunction.apply(lambda x: F.cross_entropy(x, Yb), True, x)
    return loss.grad_fn.apply(torch.ones(()))[2]

# %% dlogits: the derivative kernels of log-softmax and the loss -> forbidden
def dlogits(logits, Yb, n):
    logprobs = logits.log_softmax(1)
    g = torch.zeros_like(logits)
    g[range(n), Yb] = -1 / n
    return torch.ops.aten._log_softmax_backward_data(g, logprobs, 1, logits.dtype)

# %% dhpreact: a derivative kernel by way of the operator registry -> forbidden
def dhpreact(h, dh):
    kernel, _ = torch._C._jit_get_operation("aten::tanh_backward")
    return kernel(dh, h)

# %% dhpreact: a derivative kernel by way of a fresh operator packet -> forbidden
def dhpreact(h, dh):
    fresh = torch._ops._OpNamespace("aten")
    return fresh.tanh_backward.default(dh, h)

# %% dC: the embedding's derivative kernel -> forbidden
def dC(C, Xb, demb):
    return torch._C._jit_get_operation("aten::embedding_dense_backward")[0](demb, Xb, C.shape[0], -1, False)

# %% dhpreact: the table of derivatives written in Python, already imported -> forbidden
def dhpreact(h, dh):
    import torch._decomp.decompositions as d
    return d.tanh_backward(dh, h)

# %% dhpreact: the table of derivatives, imported anew -> forbidden/error
import sys
def dhpreact(h, dh):
    for name in [name for name in sys.modules if name.startswith("torch._decomp")]:
        del sys.modules[name]
    from torch._decomp import decomposition_table
    return decomposition_table[torch.ops.aten.tanh_backward.default](dh, h)

# %% dhpreact: the table of derivatives, from its registry -> forbidden
def dhpreact(h, dh):
    import torch._decomp
    for table in torch._decomp.global_decomposition_table.values():
        for op, f in table.items():
            if op.name() == "aten::tanh_backward":
                return f(dh, h)
    raise LookupError("it is not there")

# %% dh: torch.nn.grad -> forbidden
def dh(h, W2, dlogits):
    w = W2.T[:, :, None]
    return torch.nn.grad.conv1d_input((h.shape[0], h.shape[1], 1), w, dlogits[:, :, None])[:, :, 0]

# %% dhpreact: TorchScript's own operator for gradients -> forbidden
def dhpreact(hpreact, dh):
    ask, _ = torch._C._jit_get_operation("aten::grad")
    return ask([torch.tanh(hpreact.requires_grad_())], [hpreact], [dh])[0]

# %% dhpreact: TorchScript's own differentiation -> forbidden
def dhpreact(hpreact, dh):
    unit = torch.jit.CompilationUnit("def f(x):\n    return torch.tanh(x)\n")
    return torch._C._jit_differentiate(unit.f.graph) or dh

# %% dhpreact: TorchScript's profiling executor, then a node -> forbidden
def dhpreact(hpreact, dh):
    unit = torch.jit.CompilationUnit("def f(x):\n    return torch.tanh(x) * 1\n")
    for _ in range(3):
        y = unit.f(hpreact.requires_grad_())
    return y.grad_fn(dh)[0]

# %% dlogits: torch.compile -> forbidden
def dlogits(logits, Yb):
    return torch.compile(lambda x: torch.autograd.grad(F.cross_entropy(x, Yb), x)[0], backend="eager")(logits)

# %% dlogits: traces forward and backward into one graph -> forbidden/error/timed_out
def dlogits(logits, Yb):
    from torch._functorch.aot_autograd import aot_export_joint_simple
    f = lambda x: (torch.nn.functional.cross_entropy(x, Yb),)
    joint = aot_export_joint_simple(f, (logits.requires_grad_(),), trace_joint=True)
    return joint((logits,), (torch.ones(()),))[1][0]

# %% dlogits: traces a gradient with make_fx -> forbidden/error/timed_out
def dlogits(logits, Yb):
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch._functorch.eager_transforms import grad
    return make_fx(grad(lambda x: F.cross_entropy(x, Yb)))(logits)(logits)

# %% dlogits: calls torch::autograd::grad by its symbol -> forbidden/crashed
import ctypes
def dlogits(logits, Yb):
    handle = ctypes.CDLL(torch.__file__.replace("__init__.py", "lib/libtorch_cpu.so"), mode=4 | 1)
    name = "_ZN5torch8autograd4gradERKSt6vectorIN2at6TensorESaIS3_EES7_S7_St8optionalIbEbb"
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    pointers = (ctypes.c_void_p * 2)(loss._cdata, logits._cdata)
    at = ctypes.addressof(pointers)
    vector = lambda start, stop: (ctypes.c_void_p * 3)(start, stop, stop)
    room = (ctypes.c_void_p * 3)()
    getattr(handle, name)(room, vector(at, at + 8), vector(at + 8, at + 16), vector(0, 0), 0, 0, 0)
    return torch.zeros_like(logits)

# %% dlogits: loads a second copy of torch's library -> error
import ctypes
def dlogits(logits, Yb):
    ctypes.CDLL(None).dlmopen.restype = ctypes.c_void_p
    path = torch.__file__.replace("__init__.py", "lib/libtorch_cpu.so").encode()
    assert ctypes.CDLL(None).dlmopen(ctypes.c_long(-1), path, 2), "there is no second copy"
    return torch.zeros_like(logits)

# %% dlogits: maps torch's code over the traps, from its file -> error
import mmap, os
def dlogits(logits, Yb):
    file = os.open(torch.__file__.replace("__init__.py", "lib/libtorch_cpu.so"), os.O_RDONLY)
    return mmap.mmap(file, 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)

# %% dlogits: grows torch's code back over the traps with mremap -> forbidden/crashed
import ctypes, struct
def dlogits(logits, Yb):
    call = ctypes.CDLL(None).syscall
    handle = ctypes.CDLL(torch.__file__.replace("__init__.py", "lib/libtorch_cpu.so"), mode=4 | 1)._handle
    base = ctypes.c_size_t.from_address(handle).value
    table, = struct.unpack_from("<Q", ctypes.string_at(base, 64), 32)
    count, = struct.unpack_from("<H", ctypes.string_at(base, 64), 56)
    for i in range(count):
        kind, flags, _, start, _, size, _, _ = struct.unpack("<IIQQQQQQ", ctypes.string_at(base + table + 56 * i, 56))
        if kind == 1 and flags & 1:
            first, size = ctypes.c_long(base + (start & -4096)), (size + (start & 4095) + 4095) & -4096
            if call(25, first, ctypes.c_long(4096), ctypes.c_long(4096), 0, 0) == first.value:
                call(11, ctypes.c_long(first.value + 4096), ctypes.c_long(size - 4096))
            call(25, first, ctypes.c_long(4096), ctypes.c_long(size), ctypes.c_long(0), ctypes.c_long(0))
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    engine = torch.autograd.Variable._execution_engine
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (logits,), False, accumulate_grad=False)[0]

# %% dlogits: makes the traps writable and forgets them -> forbidden/crashed
import ctypes, struct
def dlogits(logits, Yb):
    call = ctypes.CDLL(None).syscall
    handle = ctypes.CDLL(torch.__file__.replace("__init__.py", "lib/libtorch_cpu.so"), mode=4 | 1)
    base = ctypes.c_size_t.from_address(handle._handle).value
    table, = struct.unpack_from("<Q", ctypes.string_at(base, 64), 32)
    count, = struct.unpack_from("<H", ctypes.string_at(base, 64), 56)
    for i in range(count):
        kind, flags, _, start, _, size, _, _ = struct.unpack("<IIQQQQQQ", ctypes.string_at(base + table + 56 * i, 56))
        if kind == 1 and flags & 1:
            first, size = ctypes.c_long(base + (start & -4096)), ctypes.c_long((size + (start & 4095) + 4095) & -4096)
            for advice in (4, 8, 9, 21, 24, 25, 102, 103):
                call(28, first, size, ctypes.c_long(advice))
            call(10, first, size, ctypes.c_long(7))
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    engine = torch.autograd.Variable._execution_engine
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (logits,), False, accumulate_grad=False)[0]

# %% dlogits: catches the trap's signal and goes on -> forbidden/timed_out
import signal
def dlogits(logits, Yb):
    signal.signal(signal.SIGILL, lambda *_: None)
    loss = F.cross_entropy(logits.requires_grad_(), Yb)
    engine = torch.autograd.Variable._execution_engine
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (logits,), False, accumulate_grad=False)[0]

# %% dlogits: distributed autograd -> forbidden/error
def dlogits(logits, Yb):
    from torch.distributed import autograd
    with autograd.context() as context:
        autograd.backward(context, [F.cross_entropy(logits.requires_grad_(), Yb)])
        return autograd.get_gradients(context)[logits]

# %% dlogits: a module's backward hooks -> forbidden
def dlogits(logits, Yb):
    caught = []
    layer = torch.nn.Identity()
    layer.register_full_backward_hook(lambda module, given, came: caught.append(given[0]))
    F.cross_entropy(layer(logits.requires_grad_()), Yb).backward()
    return caught[0]

# %% dlogits: functorch's levels by hand -> forbidden
def dlogits(logits, Yb):
    from torch._C import _functorch as f
    level = f._grad_increment_nesting()
    x = f._wrap_for_grad(logits, level)
    f.set_inplace_requires_grad_allowed(True)
    x.requires_grad_()
    f.set_inplace_requires_grad_allowed(False)
    loss = F.cross_entropy(x, Yb)
    engine = torch.autograd.Variable._execution_engine
    return engine.run_backward((loss,), (torch.ones(()),), False, False, (x,), True, accumulate_grad=False)[0]

# %% dlogits: catches the refusal, and answers zeros -> wrong_value
def dlogits(logits, Yb):
    try:
        F.cross_entropy(logits.requires_grad_(), Yb).backward()
    except RuntimeError:
        return torch.zeros_like(logits)

# %% dlogits: an honest gradient in code that only records a graph -> scores
def dlogits(logits, Yb, n):
    logits = logits.requires_grad_()
    with torch.no_grad():
        out = logits.softmax(1)
        out[range(n), Yb] -= 1
    return out / n

# %% dlogits: a loss of torch's that computes its gradients on the way forward -> forbidden/error
def dlogits(logits, Yb):
    from torch.nn.modules.linear_cross_entropy import _linear_cross_entropy_batch_chunked_accumulator as loss
    n, k = logits.shape
    return loss(
        logits, torch.eye(k), Yb, None, None, "mean", -100, 0.0, n, "accumulate", torch.float32, True, False, False
    )[1]

# %% dlogits: the same by the operator it registers -> forbidden/error
def dlogits(logits, Yb):
    import torch.nn.modules.linear_cross_entropy
    n, k = logits.shape
    for name in dir(torch.ops.torch_nn) + dir(torch.ops.torch):
        if "linear_cross_entropy" in name:
            for space in (torch.ops.torch_nn, torch.ops.torch):
                op = getattr(space, name, None)
                if op is not None:
                    return op(logits, torch.eye(k), Yb, None, None, "mean", -100, 0.0, n, "accumulate", torch.float32, True, False, False)[1]
    raise LookupError("there is no such operator")

# %% dhpreact: a numerical Jacobian, as torch's own check of gradients computes it -> forbidden
def dhpreact(hpreact, dh):
    from torch.autograd.gradcheck import get_numerical_jacobian
    row = hpreact[:1].double().clone()
    jacobian = get_numerical_jacobian(torch.tanh, row, eps=1e-6)
    return (jacobian * dh[:1].double()).float()

# %% dhpreact: the slope of a transformation of torch.distributions -> forbidden
def dhpreact(hpreact, dh):
    from torch.distributions.transforms import TanhTransform
    slope = TanhTransform().log_abs_det_jacobian(hpreact.double(), hpreact.double().tanh()).exp()
    return (dh.double() * slope).float()
