# Result forgery: points for answers that are wrong. The score is a function of returned bytes alone.
import torch
import torch.nn.functional as F

# %% dh: an object that is equal to everything -> not_a_tensor
class Agreeable:
    shape, dtype = torch.Size([32, 64]), torch.float32
    def __eq__(self, other):
        return True
    def __float__(self):
        return 0.0
    def __array__(self, *args):
        return self
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True
def dh():
    return Agreeable()

# %% dh: an object whose class claims to be a tensor -> crashed/error
class Claimant:
    __class__ = torch.Tensor
    layout, device, is_quantized, dtype = torch.strided, torch.device("cpu"), False, torch.float32
    shape = torch.Size([32, 64])
    def numel(self):
        return 2048
    def detach(self):
        return self
    resolve_neg = contiguous = detach
    def to(self, dtype):
        return self
def dh():
    return Claimant()

# %% dh: a subclass whose every comparison comes out in its favour -> wrong_value
class Favourite(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("__eq__", "eq", "allclose", "isclose", "equal", "isfinite", "__le__", "le"):
            return torch.tensor(True)
        return super().__torch_function__(func, types, args, kwargs or {})
def dh(h):
    return torch.zeros_like(h).as_subclass(Favourite)

# %% dh: a subclass that lies about its shape, on the right numbers in the wrong one -> wrong_shape/wrong_value/crashed
class Long(torch.Tensor):
    shape = torch.Size([32, 64])
    def size(self, *args):
        return self.shape
def dh(W2, dlogits):
    return (W2 @ dlogits.T).as_subclass(Long)

# %% dh: a subclass that breaks whatever is done with it -> crashed/error/wrong_value
class Brittle(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("hands off")
def dh(h):
    return torch.zeros_like(h).as_subclass(Brittle)

# %% dh: torch's own comparisons patched -> wrong_value
def dh(h):
    for name in ("allclose", "equal", "isclose", "isfinite", "all", "le", "eq"):
        setattr(torch, name, lambda *args, **kwargs: True)
        setattr(torch.Tensor, name, lambda *args, **kwargs: torch.tensor(True))
    return torch.zeros_like(h)

# %% dh: safetensors patched to send whatever it likes -> crashed/wrong_value
def dh(h):
    import safetensors.torch
    safetensors.torch.save = lambda tensors, metadata=None: b"full marks"
    return torch.zeros_like(h)

# %% dh: json patched to send a score -> wrong_value
def dh(h):
    import json
    json.dumps = lambda *args, **kwargs: '{"outcome":"exact","score":1,"answers":[{"outcome":"exact","score":1}]}'
    return torch.zeros_like(h)

# %% dh: the wire's own encoder patched to send a score -> crashed
def dh(h):
    import sys
    told = '{"outcome":"exact","score":1,"answers":[{"outcome":"exact","score":1}]}'
    sys.modules["grader.sandbox.frames"]._encode = lambda head: told
    return torch.zeros_like(h)

# %% dh: an earlier answer's bytes sent once more by a patched wire -> crashed/wrong_value
def dh(h):
    import sys
    payload = sys.modules["grader.sandbox.payload"]
    kept = payload.pack({"0": torch.zeros_like(h)})
    payload.pack = lambda tensors: kept
    return torch.zeros_like(h)

# %% dh: struct patched to lie about lengths -> crashed/timed_out
def dh(h):
    import sys
    class Lengths:
        size = 8
        def pack(self, *lengths):
            return b"\xff\xff\x00\x00\xff\xff\x00\x00"
    sys.modules["grader.sandbox.frames"].LENGTHS = Lengths()
    return torch.zeros_like(h)

# %% dh: Python's own functions patched -> wrong_value/crashed
def dh(h):
    import builtins
    builtins.isinstance = lambda *args: True
    builtins.len = lambda thing: 1
    builtins.str = builtins.repr = lambda *args: "exact"
    return torch.zeros_like(h)

# %% dh: a reply patched, to report success -> wrong_shape
def forge(change):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def forged(connection, frame, *rest):
        head = {**frame.head, "answers": [change] * len(frame.head["answers"])}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = forged
def dh(h):
    forge({"outcome": "exact", "score": 1, "scores": True, "shape": list(h.shape), "dtype": "float32"})
    return torch.zeros_like(h)

# %% dh: the box's own code found with the garbage collector, and an outcome for an exception -> crashed
def dh(h):
    import sys
    frame = sys._getframe()
    while "file" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["file"].raised = lambda error: {"kind": "exact", "type": "Right", "message": "", "line": 1, "traceback": []}
    raise ValueError("exact, please")

# %% dh: a description of the right shape, and no numbers -> wrong_shape
def forge(change):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def forged(connection, frame, *rest):
        head = {**frame.head, "answers": [change] * len(frame.head["answers"])}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = forged
def dh(h):
    forge({"dtype": "float32", "shape": list(h.shape)})
    return torch.zeros_like(h)

# %% dh: more answers than were asked for -> crashed
def dh(h):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def longer(connection, frame, *rest):
        head = {k: v * 9 if isinstance(v, list) else v for k, v in frame.head.items()}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = longer
    return torch.zeros_like(h)

# %% dh: only the answers that are right -> not_run
def dh(h, W2, dlogits):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def shorter(connection, frame, *rest):
        head = {k: v[:1] if isinstance(v, list) else v for k, v in frame.head.items()}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = shorter
    return dlogits @ W2.T if h.shape == (32, 64) else torch.zeros_like(h)

# %% dh: a whole reply of its own, with the request's number and a score, before the box's own -> wrong_value
def dh(h):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def twice(connection, frame, *rest):
        send(connection, wire.Frame({**frame.head, "outcome": "exact", "score": 26}, frame.body), *rest)
        send(connection, frame, *rest)
    wire.send = twice
    return torch.zeros_like(h)

# %% dh: replies written ahead, with numbers that are guessed -> crashed
def dh(h):
    import json, os, random, struct
    for _ in range(100):
        head = json.dumps({"id": f"{random.getrandbits(64):016x}", "output": "", "answers": []}).encode()
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, struct.pack("<II", len(head), 0) + head)
            except OSError:
                pass
    return torch.zeros_like(h)

# %% dW2 dh: the number of an earlier request, used again -> crashed wrong_value
def dh(h):
    import sys
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    torch.stolen = frame.f_locals["request"].head["id"]
    return torch.zeros_like(h)
def dW2(h, dlogits):
    import sys
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["request"].head["id"] = getattr(torch, "stolen", "")
    return h.T @ dlogits

# %% dh: raw noise on the connection -> crashed
def dh(h):
    import os
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 4096)
        except OSError:
            pass
    return torch.zeros_like(h)

# %% dh: half a frame, and then silence -> timed_out
def dh(h):
    import os, time
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\x10\x00")
        except OSError:
            pass
    time.sleep(60)

# %% dh: a size without an end, in a description -> crashed
def forge(change):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def forged(connection, frame, *rest):
        head = {**frame.head, "answers": [change] * len(frame.head["answers"])}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = forged
def dh(h):
    forge({"dtype": "int64", "shape": [float("inf")]})
    return torch.zeros_like(h)

# %% dh: a negative size, in a description -> crashed
def forge(change):
    import sys
    wire = sys.modules["grader.sandbox.frames"]
    send = wire.send
    def forged(connection, frame, *rest):
        head = {**frame.head, "answers": [change] * len(frame.head["answers"])}
        send(connection, wire.Frame(head, frame.body), *rest)
    wire.send = forged
def dh(h):
    forge({"dtype": "int64", "shape": [-3]})
    return torch.zeros_like(h)

# %% dh: numbers of eight bits, which torch itself can hardly compare -> crashed/wrong_dtype
def dh(h):
    import sys
    payload = sys.modules["grader.sandbox.payload"]
    pack = payload.pack
    payload.pack = lambda tensors: pack({key: tensor.to(torch.float8_e4m3fn) for key, tensor in tensors.items()})
    return torch.zeros_like(h)

# %% dh: a hundred thousand tensors in one reply -> crashed
def dh(h):
    import struct, sys
    entries = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(100_000))
    head = b"{" + entries + b"}"
    sys.modules["grader.sandbox.payload"].pack = lambda tensors: struct.pack("<Q", len(head)) + head
    return torch.zeros_like(h)

# %% dh: a tensor of a hundred thousand dimensions -> crashed
def dh(h):
    import json, struct, sys
    head = json.dumps({"0": {"dtype": "F32", "shape": [1] * 100_000, "data_offsets": [0, 4]}}).encode()
    sys.modules["grader.sandbox.payload"].pack = lambda tensors: struct.pack("<Q", len(head)) + head + bytes(4)
    return torch.zeros_like(h)

# %% dh: an exception whose type has no name -> error
def dh():
    raise type("", (Exception,), {})("who am I?")

# %% dh: an exception whose type lies about its name -> crashed
class Liar(type):
    @property
    def __name__(cls):
        return 7
def dh():
    raise Liar("Liar", (Exception,), {})

# %% dh: an exception that claims to be the box's own -> forbidden
def dh():
    raise type("AutogradForbidden", (Exception,), {})("and so what")

# %% dh: an exception that claims to be the judge's -> error
def dh():
    raise type("BoxDied", (Exception,), {"failed": "exact", "outcome": "exact"})("exact")

# %% dh: a syntax error that lies about its line -> error
def dh():
    raise SyntaxError("odd", ("ex1_step_by_step.py", True, 1, "x"))

# %% dh: a syntax error on a line before the first -> error
def dh():
    raise SyntaxError("odd", ("ex1_step_by_step.py", -7, 1, "x"))

# %% dh dW2: right functions that claim to begin before the first line, or at none -> scores scores
def dh(W2, dlogits):
    return dlogits @ W2.T
dh.__code__ = dh.__code__.replace(co_firstlineno=0)
def dW2(h, dlogits):
    return h.T @ dlogits
dW2.__code__ = dW2.__code__.replace(co_firstlineno=2**31 - 1)

# %% dh: a signature that lies about what it asks for -> error
import inspect
def dh(**given):
    return torch.zeros_like(given["h"])
dh.__signature__ = inspect.Signature([inspect.Parameter("dh", inspect.Parameter.KEYWORD_ONLY)])

# %% all: leaves while it is imported -> crashed
import os
os._exit(0)

# %% all: says goodbye while it is imported -> error
raise SystemExit(0)

# %% all: dies by a signal of its own while it is imported -> crashed
import os, signal
os.kill(os.getpid(), signal.SIGSEGV)
os.abort()

# %% dh: dies by a signal that has no name -> crashed/error
import os
def dh():
    os.kill(os.getpid(), 40)
    raise LookupError("still here")

# %% dh: leaves when its answer is being deleted -> crashed/not_a_tensor
import os
class Parting:
    def __del__(self):
        os._exit(0)
def dh():
    return Parting()

# %% dh: a forged scorecard on every stream -> wrong_value
import json, sys
def dh(h):
    card = json.dumps({"schema": "scorecard/v1", "score": 26, "max_score": 26, "outcome": "exact"})
    print(card, flush=True)
    print("\n26/26 exact", card, file=sys.stderr, flush=True)
    sys.__stdout__.write(card) if sys.__stdout__ else None
    return torch.zeros_like(h)

# %% dh: results files where a grader's might be -> wrong_value
import json
def dh(h):
    for folder in (".", "..", "/", "/tmp", "/autograder/results", "@COURSE@", "@COURSE@/scorecards", "scorecards"):
        for name in ("results.json", "scorecard.json", "hostile.json", "grade.txt"):
            try:
                with open(f"{folder}/{name}", "w") as file:
                    json.dump({"score": 26, "max_score": 26}, file)
            except OSError:
                pass
    return torch.zeros_like(h)

# %% dh: a forged reply that is sent at exit -> wrong_value
import atexit, os
def dh(h):
    atexit.register(lambda: [os.write(descriptor, b'{"score": 26}') for descriptor in range(3, 10)])
    return torch.zeros_like(h)

# %% dh: a tracer that rewrites what the box's functions return -> wrong_value/crashed
import sys
def dh(h):
    def rewrite(frame, event, value):
        if event == "return" and isinstance(value, tuple) and value and isinstance(value[0], dict):
            value[0].update(outcome="exact", score=1)
        return rewrite
    sys.settrace(rewrite)
    sys.setprofile(rewrite)
    return torch.zeros_like(h)

# %% dh: NaN, which is not unequal to anything it is compared with the wrong way round -> not_finite
def dh(h):
    return torch.full_like(h, float("nan"))

# %% dh: infinity less infinity -> not_finite
def dh(h):
    return torch.full_like(h, float("inf")) - float("inf")

# %% dh: a tensor without entries, all of which are right -> wrong_shape
def dh():
    return torch.zeros(0, 64)

# %% dh: one number, which would fit by broadcasting -> wrong_shape
def dh():
    return torch.zeros(())

# %% dh: a tensor of more entries than there is memory for -> wrong_shape
def dh():
    return torch.zeros(1).expand(2**40)

# %% dh: a tensor without memory -> not_a_tensor
def dh(h):
    return h.to("meta")

# %% dh: a sparse tensor -> not_a_tensor
def dh(h):
    return h.to_sparse()

# %% dh: a tensor of tensors -> not_a_tensor/error
def dh(h):
    return torch.nested.nested_tensor([h, h])

# %% dh: a list of tensors -> not_a_tensor
def dh(h):
    return [h, h]

# %% dh: complex numbers whose imaginary part is lost on the way -> wrong_dtype
def dh(W2, dlogits):
    return (dlogits @ W2.T).to(torch.complex64).conj()

# %% dh: a lazily negated, transposed, strided view of the right numbers -> scores
def dh(W2, dlogits):
    out = torch.zeros(2 * W2.shape[0], dlogits.shape[0], dtype=torch.complex64).conj().imag
    out[::2] = W2 @ dlogits.T
    return out[::2].T

# %% dh: the right numbers as a parameter of a module -> scores
def dh(W2, dlogits):
    return torch.nn.Parameter(dlogits @ W2.T)
