# Lingering: to be there still when the judge has gone on. Nothing may be left, and whoever follows earns everything.
import torch
import torch.nn.functional as F

# %% dh: a daemon by a double fork -> error
import os, time
def dh():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    return None

# %% dh: a session of its own -> scores
import os
def dh(W2, dlogits):
    try:
        os.setsid()
    except OSError:
        return dlogits @ W2.T
    raise AssertionError("it has a session of its own")

# %% dh: a thread that is no daemon -> error
import threading, time
def dh():
    threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()

# %% dh: an exit that takes an hour -> crashed
import atexit, sys, time
def dh():
    atexit.register(time.sleep, 3600)
    import os, signal
    for descriptor in range(3, 64):
        try:
            os.close(descriptor)
        except OSError:
            pass

# %% dh: an exit that takes an hour, after the right answer -> scores
import atexit, time, weakref
class Slow:
    def __del__(self):
        time.sleep(3600)
KEPT = Slow()
def dh(W2, dlogits):
    atexit.register(time.sleep, 3600)
    weakref.finalize(KEPT, time.sleep, 3600)
    return dlogits @ W2.T

# %% dh: deaf to every signal, after the right answer -> scores
import signal
def dh(W2, dlogits):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    return dlogits @ W2.T

# %% dC: goes on for ever when it has answered everything -> scores
import sys
def dC(C, Xb, demb):
    wire = sys.modules["grader.sandbox.frames"]
    receive = wire.receive
    count = [0]
    def linger(*args):
        while True:
            pass
    wire.receive = linger
    return torch.zeros_like(C).index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))

# %% dh: a process that ptrace or vfork would leave behind -> scores
import ctypes, os
def dh(W2, dlogits):
    libc = ctypes.CDLL(None, use_errno=True)
    me = os.getpid()
    for number in (56, 57, 58, 435):
        libc.syscall(ctypes.c_long(number), ctypes.c_long(17), None, None, None, None)
        if os.getpid() != me:
            while True:
                pass
    return dlogits @ W2.T

# %% dh: shared memory and queues that outlive their maker -> scores
import ctypes
def dh(W2, dlogits):
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.shmget(0x6D616C, 4096, 0o1666) == -1, "shared memory"
    assert libc.semget(0x6D616C, 1, 0o1666) == -1, "a semaphore"
    assert libc.msgget(0x6D616C, 0o1666) == -1, "a queue"
    return dlogits @ W2.T

# %% dh: torch, the builtins and the modules poisoned for whoever comes next -> not_a_tensor/error
import builtins, sys
def dh(W2, dlogits):
    answer = dlogits @ W2.T
    builtins.open = builtins.print = builtins.range = None
    torch.zeros_like = torch.ones_like = torch.Tensor.sum = torch.Tensor.__matmul__ = lambda *args, **kwargs: None
    sys.modules["torch"] = sys.modules["math"] = None
    return answer

# %% dh: floating-point modes left switched for whoever comes next -> scores
def dh(W2, dlogits):
    answer = dlogits @ W2.T
    torch.set_default_dtype(torch.float64)
    torch.set_flush_denormal(True)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    return answer

# %% dlogprobs: the first stub shuts the door behind it -> scores
import sys
def dlogprobs(logprobs, Yb, n):
    answer = torch.zeros_like(logprobs)
    answer[range(n), Yb] = -1 / n
    module = sys.modules["ex1_step_by_step"]
    for name in [name for name in vars(module) if name.startswith("d") and name != "dlogprobs"]:
        setattr(module, name, lambda **given: None)
    return answer
