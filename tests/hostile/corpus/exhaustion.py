# Exhaustion: of time, memory, processes, descriptors, disk and patience. Each costs its own stub and no other.
import torch
import torch.nn.functional as F

# %% dh: a loop in Python -> timed_out
def dh():
    while True:
        pass

# %% dh: one call of torch that takes an hour -> timed_out
def dh():
    x = torch.ones(4000, 4000)
    return torch.linalg.matrix_power(x, 10**9)

# %% dh: one regular expression that takes a year -> timed_out
import re
def dh():
    return re.match(r"(a+)+$", "a" * 64 + "b")

# %% dh: one number that takes a year -> timed_out
def dh():
    return 7 ** 7 ** 14

# %% dh: sleep -> timed_out
import time
def dh():
    time.sleep(3600)

# %% dh: sleep that refuses to be woken -> timed_out
import signal, time
def dh():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass

# %% dh: stops itself -> timed_out/crashed
import os, signal, time
def dh():
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)

# %% all: a loop while it is imported -> timed_out
while True:
    pass

# %% dh: 64 GiB in one tensor -> out_of_memory
def dh():
    return torch.ones(16 * 2**30)

# %% dh: memory by and by, in tensors that are written to -> out_of_memory
def dh():
    kept = []
    while True:
        kept.append(torch.ones(2**22))

# %% dh: memory by and by, in Python -> out_of_memory
def dh():
    kept = []
    while True:
        kept.append(bytearray(2**24))

# %% dh: memory in small pieces -> out_of_memory/timed_out
def dh():
    kept = ()
    while True:
        kept = (kept, bytearray(60_000))

# %% dh: shared memory -> out_of_memory/error
import mmap
def dh():
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 2**28))
        kept[-1][:: 4096] = b"x" * 2**16

# %% dh: stretches of memory that overlap and grow -> out_of_memory/error
import ctypes
def dh():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while (place := libc.malloc(ctypes.c_size_t(2**26))):
        ctypes.memset(place, 1, 2**26)
    raise MemoryError

# %% dh db2: memory that is kept for the stubs that follow -> scores scores
KEPT = []
def dh(W2, dlogits):
    try:
        while True:
            KEPT.append(torch.ones(2**20))
    except RuntimeError:
        KEPT[-1:] = []
    del KEPT[-2:]
    return dlogits @ W2.T
def db2(dlogits):
    return dlogits.sum(0)

# %% dh: a bomb of processes -> error
import os
def dh():
    while True:
        os.fork()

# %% dh: a bomb of threads -> error
import threading, time
def dh():
    while True:
        threading.Thread(target=time.sleep, args=(3600,)).start()

# %% dh: every descriptor there is -> error
import os
def dh():
    while True:
        os.dup(0)

# %% dh db2: every descriptor there is, kept from the stubs that follow -> scores scores
import os
def dh(W2, dlogits):
    try:
        while True:
            os.dup(0)
    except OSError:
        return dlogits @ W2.T
def db2(dlogits):
    return dlogits.sum(0)

# %% dh: all of the disk -> error
def dh():
    with open("/tmp/mallory_was_here.txt", "wb") as file:
        while True:
            file.write(bytes(2**24))

# %% dh: a flood of output, and the right answer -> scores
import sys
def dh(W2, dlogits):
    for _ in range(200):
        print("A" * 100_000)
        sys.stderr.write("B" * 100_000)
    return dlogits @ W2.T

# %% dh: a flood of output in one piece -> scores
def dh(W2, dlogits):
    print("A" * 2**25)
    return dlogits @ W2.T

# %% dh: output that is something else than text -> error
def dh():
    import sys
    sys.stdout.write(7)

# %% dh: recursion -> error
def dh():
    return dh()

# %% dh: recursion without Python's limit -> crashed/error/timed_out/out_of_memory
import sys
def dh():
    sys.setrecursionlimit(2**31 - 1)
    class Deep:
        def __getattr__(self, name):
            return getattr(self, name + "x")
        __repr__ = lambda self: f"{self!r}"
    return repr(Deep())

# %% dh: recursion in C -> crashed/error/out_of_memory
def dh():
    nest = ()
    for _ in range(2_000_000):
        nest = (nest,)
    return repr(nest)

# %% dh: a value that is nested a hundred thousand deep -> not_a_tensor
def dh():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    return nest

# %% dh: a list that holds itself -> not_a_tensor
def dh():
    ring = []
    ring.append(ring)
    ring.append(ring)
    return ring * 30

# %% dh: a list that never ends -> timed_out/not_a_tensor/error/crashed
class Endless(list):
    def __iter__(self):
        while True:
            yield 1.0
    def __len__(self):
        return 3
def dh():
    return Endless([1.0])

# %% dh: three million numbers in a list -> not_a_tensor/timed_out
def dh():
    return [0.5] * 3_000_000

# %% dh: an answer of more entries than are sent -> wrong_shape
def dh():
    return torch.zeros(2**23)

# %% dh: an answer of as many dimensions as torch knows -> wrong_shape
def dh():
    return torch.zeros([1] * 64)

# %% dh: a million exceptions, and the right answer -> scores
def dh(W2, dlogits):
    for i in range(200_000):
        try:
            raise ValueError(i)
        except ValueError:
            pass
    return dlogits @ W2.T

# %% dh: a message of a hundred megabytes -> error
def dh():
    raise ValueError("A" * 10**8)

# %% dh: a message that is made for ever -> timed_out
class Endless(Exception):
    def __str__(self):
        while True:
            pass
def dh():
    raise Endless

# %% dh: a message that raises -> error
class Mute(Exception):
    def __str__(self):
        raise SystemExit(0)
def dh():
    raise Mute

# %% dh: a message that is no text -> error
class Dumb(Exception):
    def __str__(self):
        return 7
def dh():
    raise Dumb

# %% dh: a message of lone surrogates, NULs and markup -> error
def dh():
    raise ValueError("\ud800\x00\x1b[2J\x07<script>alert(1)</script>[bold]%s{}\u202e\U0001f600")

# %% dh: a chain of exceptions without an end -> error
def dh():
    error = ValueError(0)
    for i in range(100_000):
        after = ValueError(i)
        after.__context__ = after.__cause__ = error
        error = after
    error.__traceback__ = None
    raise error

# %% dh: a ring of exceptions -> error
def dh():
    one, other = ValueError(1), ValueError(2)
    one.__cause__, other.__cause__ = other, one
    raise one

# %% dh: a traceback of a hundred thousand lines -> error/timed_out
import sys
def dh():
    sys.setrecursionlimit(200_000)
    def down(n):
        if n == 0:
            raise ValueError("the bottom")
        down(n - 1)
    down(100_000)

# %% dh: a group of exceptions, nested -> error
def dh():
    error = ValueError()
    for _ in range(200):
        error = BaseExceptionGroup("group", [error] * 3)
    raise error

# %% dh: a stub that is unfilled at great length -> missing
def dh():
    raise NotImplementedError("A" * 10**6)

# %% dh: a generator, a coroutine -> not_a_tensor
def dh():
    yield 1

# %% dh: a name of a type as long as a book -> not_a_tensor
def dh():
    return type("A" * 10**7, (), {})()

# %% dh: a timer that goes off in the stubs that follow -> scores
import signal
def dh(W2, dlogits):
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    return dlogits @ W2.T

# %% dh: a garbage collector that never comes to an end -> crashed/timed_out/not_a_tensor/scores
import gc
class Phoenix:
    def __del__(self):
        Phoenix()
def dh(W2, dlogits):
    Phoenix()
    return dlogits @ W2.T

# %% dh: an abort, and a fault of memory -> crashed
import ctypes
def dh():
    ctypes.string_at(0)

# %% dh: the interpreter finalised beneath the box -> crashed
import ctypes
def dh():
    ctypes.pythonapi.Py_Exit(0)

# %% dh: a reply that tells of more numbers than anyone returns -> crashed
import struct, sys
wire = sys.modules["grader.sandbox.frames"]
send, armed = wire.send, []
def forged(connection, frame, *rest):
    head, body = dict(frame.head), frame.body
    if armed and "answers" in head:
        text = b'{"p":{"dtype":"F64","shape":[2000000],"data_offsets":[0,16000000]}}'
        text += b" " * (-len(text) % 8)
        body = struct.pack("<Q", len(text)) + text + bytes(16_000_000)
        head["answers"] = [{"numbers": "p", "other": "list"}] * len(head["answers"])
        armed.clear()
    send(connection, wire.Frame(head, body), *rest)
wire.send = forged
def dh():
    armed.append(True)

# %% dh: a reply that tells of lists in lists in lists without end -> crashed
import sys
wire = sys.modules["grader.sandbox.frames"]
send, armed = wire.send, []
def forged(connection, frame, *rest):
    head = dict(frame.head)
    if armed and "answers" in head:
        deep = {"other": "int"}
        for _ in range(200):
            deep = {"other": "list", "items": [deep]}
        head["answers"] = [deep] * len(head["answers"])
        armed.clear()
    send(connection, wire.Frame(head, frame.body), *rest)
wire.send = forged
def dh():
    armed.append(True)
