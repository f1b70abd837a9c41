# Stubs that are something else than functions. Each costs itself at most, and is right where it answers rightly.
import torch
import torch.nn.functional as F

# %% dh: a class -> error/not_a_tensor
class dh:
    def __init__(self, W2, dlogits):
        pass

# %% dh: a property -> error
dh = property(lambda self: 1)

# %% dh: a number -> error
dh = 7

# %% dh: a string -> error
dh = "dlogits @ W2.T"

# %% dh: None -> missing
dh = None

# %% dh: a tensor -> error
dh = torch.zeros(32, 64)

# %% dh: a lambda, and right -> scores
dh = lambda W2, dlogits: dlogits @ W2.T

# %% dh: a coroutine function -> not_a_tensor
async def dh(W2, dlogits):
    return dlogits @ W2.T

# %% dh: a generator function -> not_a_tensor
def dh(W2, dlogits):
    yield dlogits @ W2.T

# %% dh: decorated, and right -> scores
@torch.no_grad()
def dh(W2, dlogits):
    return dlogits @ W2.T

# %% dh: cached, and right -> scores
import functools
@functools.cache
def dh(W2, dlogits):
    return dlogits @ W2.T

# %% dh: a partial, and right -> scores
import functools
def general(factor, W2, dlogits):
    return factor * dlogits @ W2.T
dh = functools.partial(general, 1)

# %% dh: an object that can be called, and right -> scores
class Callable:
    def __call__(self, W2, dlogits):
        return dlogits @ W2.T
dh = Callable()

# %% dh: a static method outside of a class, and right -> scores
dh = staticmethod(lambda W2, dlogits: dlogits @ W2.T)

# %% dh: a method, and right -> scores
class Holder:
    @classmethod
    def dh(cls, W2, dlogits):
        return dlogits @ W2.T
dh = Holder.dh

# %% dh: a function of C -> error/not_a_tensor
dh = print

# %% dh: a module -> error
import math as dh

# %% dh: a type of torch's -> error/not_a_tensor
dh = torch.Size

# %% dh: a mock -> not_a_tensor/error
from unittest.mock import MagicMock
dh = MagicMock()

# %% dh: a function with ten thousand parameters -> error
exec(f"def dh({','.join(f'p{i}' for i in range(10_000))}): pass")

# %% dh: equal to everything, and false -> error/missing
class Nothing:
    __eq__ = lambda self, other: True
    __bool__ = lambda self: False
    __hash__ = None
dh = Nothing()

# %% dh: an object that raises whatever it is asked for -> error/missing/not_a_tensor
class Touchy:
    def __getattribute__(self, name):
        raise RuntimeError(name)
    def __call__(self):
        return 1
dh = Touchy()

# %% dh: an object whose signature leaves -> error/missing/not_a_tensor/crashed
class Leaving:
    @property
    def __signature__(self):
        raise SystemExit(0)
    def __call__(self):
        return 1
dh = Leaving()

# %% dh: a wrapper of itself -> error/missing/not_a_tensor
def dh():
    return None
dh.__wrapped__ = dh

# %% dh: an object with a code of its own making -> error/missing/not_a_tensor
class Odd:
    class __code__:
        co_filename, co_firstlineno = [], object()
    def __call__(self):
        return 1
dh = Odd()

# %% dh: an object that says it stands on a line that is no number -> error/missing/not_a_tensor
class Odd:
    class __code__:
        co_filename, co_firstlineno = "ex1_step_by_step.py", {1, 2}
    def __call__(self):
        return 1
dh = Odd()

# %% dh: generated from a string, and right -> scores
exec(compile("def dh(W2, dlogits):\n    return dlogits @ W2.T", "<nowhere>", "exec"))

# %% dh: only by place, only by keyword, and right -> scores
def dh(W2, /, *, dlogits):
    return dlogits @ W2.T
