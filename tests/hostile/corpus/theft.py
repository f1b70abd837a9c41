# Answer theft: the truth from wherever it might lie. An attack that finds nothing says so by raising LookupError.
import torch
import torch.nn.functional as F

# %% dh: the reference, by its exact path -> error
def dh(W2, dlogits):
    solution = {}
    exec(open("@COURSE@/reference/ex1_step_by_step.py").read(), solution)
    return solution["dh"](W2, dlogits)

# %% dh: the canary beside the reference, by its exact path -> error
def dh():
    raise LookupError(open("@COURSE@/reference/canary.txt").read())

# %% dh: the canary in every folder of the course and outside -> error
import os
def dh():
    for folder in ("exercises", "reference", "submissions", "tests"):
        for path in (f"@COURSE@/{folder}", f"@COURSE@/{folder}/canary.txt", "@CANARY@"):
            try:
                print(os.listdir(path) if os.path.isdir(path) else open(path).read())
            except OSError:
                pass
            try:
                print(os.readlink(path), os.stat(path).st_size)
            except OSError:
                pass
    raise LookupError("nothing")

# %% dh: a course below site-packages, by its exact path -> error
import os
def dh():
    found = os.listdir("@SITE@")
    raise LookupError([open(f"@SITE@/{name}").read()[:300] for name in found] or "nothing")

# %% dh: a course below site-packages, imported -> error
def dh():
    import @SITE_MODULE@
    raise LookupError(repr(vars(@SITE_MODULE@))[:300])

# %% dh: the reference, wherever a search from Python's own files leads -> error
import os, sys
def dh(W2, dlogits):
    starts = {*sys.path, sys.prefix, sys.base_prefix, *(getattr(m, "__file__", None) or "/" for m in [*sys.modules.values()])}
    tried = set()
    for start in sorted(starts):
        while start not in tried and start not in ("", "/"):
            tried.add(start)
            for below in ("", "course", "grader/_shipped_course", "site-packages/grader/_shipped_course"):
                path = os.path.join(start, below, "reference", "ex1_step_by_step.py")
                if os.path.exists(path):
                    solution = {}
                    exec(open(path).read(), solution)
                    return solution["dh"](W2, dlogits)
            start = os.path.dirname(start)
    raise LookupError("nothing")

# %% dh: the reference as a module -> error
import importlib, sys
def dh(W2, dlogits):
    sys.path[:0] = ["@COURSE@", "/srv", "/src", "/app", "..", "."]
    importlib.invalidate_caches()
    for name in ("reference.ex1_step_by_step", "grader.course.course.reference.ex1_step_by_step"):
        try:
            return importlib.import_module(name).dh(W2, dlogits)
        except ImportError:
            pass
    raise LookupError("nothing")

# %% dh: the judge's own modules -> error
import importlib
def dh():
    found = []
    for name in ("checks.oracle", "checks.cases", "checks.suite", "course.course", "course.exercise", "grading.judge", "apps.audit"):
        try:
            found.append(importlib.import_module(f"grader.{name}"))
        except (ImportError, OSError):
            pass
    raise LookupError(found)

# %% dh: the box's own package, from its files -> error
import os, sys
def dh():
    package = os.path.dirname(sys.modules["grader"].__file__)
    raise LookupError(os.listdir(package) + [open(f"{package}/oracle.py").read()])

# %% dh: bytecode of the reference -> error
import marshal, sys
def dh(W2, dlogits):
    tag = sys.implementation.cache_tag
    code = marshal.loads(open(f"@COURSE@/reference/__pycache__/ex1_step_by_step.{tag}.pyc", "rb").read()[16:])
    solution = {}
    exec(code, solution)
    return solution["dh"](W2, dlogits)

# %% dh: the judge's memory through /proc -> error
import os
def dh():
    for pid in {"@JUDGE@", "@ZYGOTE@", str(os.getppid()), "1", "self"}:
        for name in ("mem", "maps", "environ", "cmdline", "fd", "map_files", "root", "cwd", "task"):
            path = f"/proc/{pid}/{name}"
            try:
                found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
            except OSError:
                continue
            raise AssertionError(f"found {path}: {found}")
    raise LookupError("nothing")

# %% dh: the judge's memory with process_vm_readv -> error
import ctypes
def dh():
    call = ctypes.CDLL(None, use_errno=True).syscall
    room = ctypes.create_string_buffer(16)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(room), 16)
    for pid in (int("@JUDGE@"), int("@ZYGOTE@"), 1, 2):
        for number in (310, 311, 270, 271):
            assert call(number, pid, vector, 1, vector, 1, 0) == -1 or pid <= 1, f"read the memory of {pid}"
    raise LookupError("nothing")

# %% dh: the judge under a debugger -> error
import ctypes
def dh():
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in (int("@JUDGE@"), int("@ZYGOTE@"), 1, 0):
        for request in (0, 16, 0x4206):
            assert libc.ptrace(request, pid, None, None) == -1, f"traces {pid}"
    raise LookupError("nothing")

# %% dh: the judge's descriptors, fetched with pidfd_getfd -> error
import ctypes
def dh():
    call = ctypes.CDLL(None, use_errno=True).syscall
    for pid in (int("@JUDGE@"), int("@ZYGOTE@"), 1):
        descriptor = call(434, pid, 0)
        assert descriptor == -1, f"holds {pid}"
        assert call(438, descriptor, 3, 0) == -1
    raise LookupError("nothing")

# %% dh: whatever descriptors are open -> error
import os, stat
def dh():
    found = []
    for descriptor in range(1024):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        if not (stat.S_ISCHR(mode) and descriptor < 3) and not stat.S_ISSOCK(mode):
            found.append((descriptor, oct(mode)))
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            found.append(os.listdir(descriptor) if stat.S_ISDIR(mode) else os.pread(descriptor, 100, 0))
    assert not found, found
    raise LookupError("nothing")

# %% dh: every frame and every object, for a tensor of the right shape -> wrong_value
import gc, sys
def dh(h, W2, dlogits):
    gc.unfreeze()
    mine, found, frame = {id(h), id(W2), id(dlogits)}, [], sys._getframe().f_back
    while frame:
        found += [v for v in frame.f_locals.values() if isinstance(v, torch.Tensor)]
        for v in frame.f_locals.values():
            found += [x for x in (v.values() if isinstance(v, dict) else []) if isinstance(x, torch.Tensor)]
        frame = frame.f_back
    found += [thing for thing in gc.get_objects() if isinstance(thing, torch.Tensor)]
    for tensor in found:
        if tensor.shape == h.shape and id(tensor) not in mine:
            return tensor.clone()
    return torch.zeros_like(h)

# %% dh: the bytes of its own request -> error
import sys
def dh():
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    request = frame.f_locals["request"]
    import safetensors.torch
    tensors = safetensors.torch.load(request.body)
    answers = [tensor for key, tensor in tensors.items() if key.endswith(".dh")]
    raise LookupError((answers, request.head.keys()))

# %% dh: memory that was given back -> wrong_value/not_finite
def dh(h):
    best = torch.zeros_like(h)
    for _ in range(200):
        scrap = torch.empty(h.shape)
        if scrap.isfinite().all() and 0 < scrap.abs().max() < 1 and not torch.equal(scrap, h):
            best = scrap.clone()
    return best

# %% dh: fresh pages of the system -> wrong_value
import mmap
def dh(h):
    pages = mmap.mmap(-1, 8 << 20)
    assert not any(pages[i : i + 4096].strip(b"\0") for i in range(0, 8 << 20, 4096)), "somebody else's memory"
    return torch.zeros_like(h)

# %% dh: its own truth, asked for by name -> error
def dh(W2, dh):
    return dh

# %% dh: its own truth, asked for by name, with a default -> not_a_tensor
def dh(W2, dh=None):
    return dh

# %% dlogits: a truth further from the loss, asked for by name -> error
def dlogits(dh, W2):
    return torch.linalg.lstsq(W2.T, dh.T).solution.T

# %% dh: everything there is, by a bag of keywords -> error
def dh(**everything):
    return everything["dh"]

# %% dlogits dh: upstreams kept from an earlier stub, and the arguments of the box's own caller -> scores wrong_value
import builtins, sys
def dlogits(logits, dnorm_logits, dlogit_maxes):
    builtins.kept = {"dnorm_logits": dnorm_logits}
    return dnorm_logits + F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
def dh(h):
    kept = getattr(builtins, "kept", {})
    return kept.get("dh", torch.zeros_like(h))

# %% dlogits: breaks its arguments, in the hope that they are the judge's -> wrong_value
def dlogits(logits, logprobs, probs, dnorm_logits, dlogit_maxes):
    for tensor in (logits, logprobs, probs, dnorm_logits, dlogit_maxes):
        tensor.zero_()
    return logits

# %% dlogits: kills its box, to be asked with more in hand the next time -> crashed
import os
def dlogits(logits, dnorm_logits):
    os._exit(0)

# %% dlogits: the case drawn again from guessed seeds, in search of what the judge drew beside it -> wrong_value
import hashlib
def dlogits(C, logits):
    mix = lambda seed, purpose: int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "little")
    for seed in range(20):
        for case in ("fresh 1", "fresh 2", "fresh 3"):
            own = mix(seed, case)
            if torch.equal(torch.randn(C.shape, generator=torch.Generator().manual_seed(own)), C):
                upstream = torch.Generator().manual_seed(mix(own, "upstream of logits"))
                return torch.randn(logits.shape, generator=upstream) / logits.shape[0]
    return torch.zeros_like(logits)

# %% dh: the environment, of this process and as the kernel keeps it -> error
import ctypes, os
def dh():
    pointers = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found, i = dict(os.environ), 0
    while pointers and pointers[i]:
        found[pointers[i]] = 1
        i += 1
    raise LookupError(str(found))

# %% dh: memory of the zygote that was copied into this box -> error
import ctypes, gc, sys
def dh():
    gc.unfreeze()
    text = []
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            text += [v for v in list(thing.values()) if isinstance(v, (str, bytes)) and len(v) < 200]
    needle = "canary-"
    raise LookupError([one for one in map(str, text) if needle in one and one != needle][:5])

# %% dh: machine-wide places where something may have been left -> error
import os
def dh():
    for path in ("/dev/shm", "/tmp", "/var/tmp", "/run", "/home", "/root", "/sys", "/dev/mem", "/proc/kcore", "/boot"):
        try:
            found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        except OSError:
            continue
        assert not found, f"{path}: {found}"
    raise LookupError("nothing")

# %% dh ex2.dlogits ex3.dhprebn: what exercise 1 knows, left for exercises 2 and 3 -> scores error error
import builtins, ctypes, sys
PLACES = ("/tmp/left", "/dev/shm/left", "left", "/var/tmp/left", "@COURSE@/left")
def dh(W2, dlogits):
    sys.left = builtins.left = torch.left = dlogits.clone()
    for place in PLACES:
        try:
            torch.save(dlogits, place)
        except (OSError, RuntimeError):
            pass
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0x1EF7, 1 << 16, 0o1666)
    if segment != -1:
        libc.shmat.restype = ctypes.c_void_p
        ctypes.memmove(libc.shmat(segment, None, 0), dlogits.data_ptr(), 4 * dlogits.numel())
    return dlogits @ W2.T
# file: ex2_cross_entropy.py
import builtins, ctypes, sys, torch
def dlogits(logits):
    for place in ("/tmp/left", "/dev/shm/left", "left", "/var/tmp/left", "@COURSE@/left"):
        try:
            return torch.load(place)
        except OSError:
            pass
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0x1EF7, 1 << 16, 0o666)
    if segment != -1:
        libc.shmat.restype = ctypes.c_void_p
        room = (ctypes.c_float * logits.numel()).from_address(libc.shmat(segment, None, 0))
        return torch.tensor(room).view(logits.shape)
    return torch.left
# file: ex3_batchnorm.py
import builtins
def dhprebn(hprebn):
    return builtins.left

# %% dh: a channel through the page cache: evicts a library's pages for the next box to time -> error
import os
def dh():
    file = os.open(torch.__file__, os.O_RDONLY)
    for advice in (os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED, os.POSIX_FADV_SEQUENTIAL):
        try:
            os.posix_fadvise(file, 0, 0, advice)
        except PermissionError:
            continue
        raise AssertionError(f"advice {advice} was taken")
    raise LookupError("nothing")

# %% dh: a channel through the page cache: moves mapped pages of a library in and out of memory -> error
import ctypes, os
def dh():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_long
    size = ctypes.c_long(1 << 16)
    page = libc.mmap(None, size, 1, 2, os.open(torch.__file__, os.O_RDONLY), ctypes.c_long(0))
    assert page != -1, "the file cannot be mapped"
    taken = [a for a in (1, 2, 3, 4, 8, 9, 12, 20, 21, 22, 25) if libc.madvise(ctypes.c_long(page), size, a) == 0]
    raise LookupError(("nothing", taken) if not taken else os._exit(0))

# %% dh: a channel through the page cache: asks which pages are in memory -> error
import ctypes
def dh():
    call = ctypes.CDLL(None, use_errno=True).syscall
    page, room = torch.zeros(4096), ctypes.create_string_buffer(4096)
    at = ctypes.c_long(page.data_ptr() & -4096)
    assert call(27, at, ctypes.c_long(4096), room) == -1 == call(232, at, ctypes.c_long(4096), room), "mincore"
    assert call(451, 0, room, room, 0) == -1 == call(327, 0, room, 1, 0, 0, 8), "cachestat or preadv2"
    raise LookupError("nothing")

# %% dh: a channel through locks on a file that every box can read -> error
import fcntl, os
def dh():
    file = os.open(torch.__file__, os.O_RDONLY)
    for attempt in (
        lambda: fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB),
        lambda: fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB),
        lambda: fcntl.fcntl(file, 5, bytes(32)),
        lambda: fcntl.fcntl(file, 36, bytes(32)),
        lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        lambda: fcntl.fcntl(file, fcntl.F_GETLEASE),
        lambda: fcntl.fcntl(os.open("/", os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS),
    ):
        try:
            attempt()
        except OSError:
            continue
        os._exit(0)
    raise LookupError("nothing")

# %% dh: a channel through a lock in a shared page of a library: who waits can be counted -> error
import ctypes, mmap, os
def dh():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_long
    page = libc.mmap(None, ctypes.c_long(4096), 1, 1, os.open(torch.__file__, os.O_RDONLY), ctypes.c_long(0))
    if page != -1 and any(libc.syscall(n, ctypes.c_long(page), 1, 1, 0, 0, 0) >= 0 for n in (202,)):
        os._exit(0)
    raise LookupError("nothing")

# %% dh: a channel through what is counted for all boxes together: signals, huge and locked pages -> error
import ctypes, mmap, os, signal
def dh():
    libc = ctypes.CDLL(None, use_errno=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {34})
    for attempt in (
        lambda: os.kill(os.getpid(), 34),
        lambda: mmap.mmap(-1, 1 << 21, flags=0x40022),
        lambda: mmap.mmap(-1, 1 << 16, flags=0x2022),
    ):
        try:
            attempt()
        except OSError:
            continue
        os._exit(0)
    raise LookupError("nothing")

# %% dh: a channel through other processes' clocks and the machine's free memory -> error
import ctypes, os, time
def dh():
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(512)
    if libc.sysinfo(room) == 0 or libc.statfs(b"/", room) == 0:
        os._exit(0)
    for pid in (1, 2, os.getppid(), int("@JUDGE@"), int("@ZYGOTE@")):
        try:
            time.clock_gettime(~pid << 3 | 2)
        except OSError:
            continue
        os._exit(0)
    raise LookupError("nothing")

# %% dh: a channel through the disk: flushes and reserves -> error
import ctypes, os
def dh():
    file = os.open(torch.__file__, os.O_RDONLY)
    for attempt in (
        lambda: os.fsync(file), lambda: os.fdatasync(file), lambda: os.posix_fallocate(file, 0, 1),
        lambda: os.sendfile(file, file, 0, 1), lambda: os.copy_file_range(file, file, 1),
    ):
        try:
            attempt()
        except OSError:
            continue
        os._exit(0)
    call = ctypes.CDLL(None, use_errno=True).syscall
    assert call(162, 0) == -1 == call(306, file) == call(277, file, 0, 0, 7) == call(187, file, 0, 4096), "a flush"
    raise LookupError("nothing")
