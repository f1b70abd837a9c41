"""Each isolation layer alone: its act is refused with it and succeeds without it.

Everything happens in a driver, a small zygote in a process of its own, so that pytest is never confined.
The driver runs the layers it is told to, forks a box per act, and reports how each box ended.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.sandbox import layers
from grader.sandbox.layers import Layer, seccomp
from tests.wanted import NO_SKIPS, PYTHON, not_to_be_had, only_where, tool

REPO = Path(__file__).resolve().parents[2]
NAMES = [layer.name for layer in layers.layers()]
NAMESPACES = ("user", "network", "ipc", "processes", "root")
NOBODY = 65534

pytestmark = only_where(sys.platform.startswith("linux"), "the layers are Linux's")

DRIVER = """
import json, os, sys
order = json.loads(sys.argv[1])
sys.path[:0] = [order["repo"]]
from dataclasses import replace
from pathlib import Path
from grader.sandbox import layers
import ctypes, mmap, resource, select, signal, socket, struct, time

hidden = tuple(map(Path, order["hidden"]))
base = layers.Confinement(memory_limit_mb=256, cpu_limit_s=1, hidden=hidden)
chosen = [layer for layer in layers.layers() if layer.name in order["layers"]]
missing = {}

def run(hook, confinement):
    for layer in chosen:
        try:
            getattr(layer, hook)(confinement)
        except layers.Unavailable as reason:
            missing[layer.name] = f"{hook}: {reason}"

def act(source, confinement):
    try:
        run("inside", confinement)
        space = {"confinement": confinement, "layers": layers, "ctypes": ctypes, "mmap": mmap, "os": os,
                 "resource": resource, "select": select, "signal": signal, "socket": socket,
                 "struct": struct, "time": time, "Path": Path, "torch": sys.modules.get("torch")}
        exec(source, space)
        return "done " + str(space.get("said", ""))
    except BaseException as error:
        return f"{type(error).__name__} {error}"

run("early", base)
if order["torch"]:
    import torch
    torch.set_num_threads(1)
    str(torch.ones(2, 2) @ torch.ones(2, 2))
run("warm", base)
spare = os.open("/dev/zero", os.O_RDONLY)
ends = []
for source in order["acts"]:
    reader, writer = os.pipe()
    run("before_fork", base)
    box = os.fork()
    if not box:
        os.close(reader)
        os.write(writer, act(source, replace(base, keep_fds=(writer,))).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as words:
        said = words.read().decode()
    ends.append([said, os.waitstatus_to_exitcode(os.waitpid(box, 0)[1])])
print(json.dumps({"ends": ends, "missing": missing}), flush=True)
"""


HONEST = """
import decimal, fractions, random, sqlite3, statistics
import torch.nn.functional as F
h = (torch.randn(32, 30) @ torch.randn(30, 64)).tanh().requires_grad_()
said = h.sum().item(), str(h), random.random(), time.perf_counter()
torch.einsum("ij,kj->ik", h, h); F.conv2d(torch.randn(1, 1, 8, 8), torch.randn(1, 1, 3, 3)); h.sort(0)
torch.linalg.inv(torch.eye(5)); torch.linalg.svd(torch.randn(5, 5)); h.var(0, keepdim=True); h.max(1)
torch.zeros(3, 3).index_add_(0, torch.tensor([0, 1]), torch.ones(2, 3)); F.one_hot(torch.tensor([1, 2]))
d = torch.zeros(27, 10); d[[1, 1, 2]] += 1; d.scatter_(0, torch.ones(1, 10).long(), 1.0)
d.double() @ d.T.double(); F.cross_entropy(h, h.argmax(1))
torch.bmm(torch.randn(2, 200, 200), torch.randn(2, 200, 200)); F.layer_norm(h, (64,))
torch.fft.ifft(h.detach()); torch.ones(3).bfloat16() @ torch.ones(3).bfloat16(); h.detach().clone().add_(1)
with torch.no_grad(): h *= 2
said = "well"
"""


@dataclass(frozen=True)
class End:
    """How one act ended: what the box said, and the exit status of its process (negative: a signal)."""

    said: str
    status: int

    @property
    def done(self) -> bool:
        """Whether the act came to its end without an exception."""
        return self.said.startswith("done")


@dataclass(frozen=True)
class Report:
    """What a driver reports: the end of each act, and the layers that could not be had."""

    ends: list[End]
    missing: dict[str, str]


def drive(
    names: Iterable[str],
    *acts: str,
    torch: bool = False,
    hidden: Iterable[Path] = (),
    user: int | None = None,
    python: str = sys.executable,
    timeout_s: float = 120,
) -> Report:
    """Run acts, each in a box of its own behind the given layers only.

    Args:
        names: of the layers.
        acts: Python source; what it assigns to ``said`` is reported.
        torch: import torch in the zygote.
        hidden: paths to hide.
        user: become this user first (tests run by root only).
        python: the interpreter.
        timeout_s: seconds that all of it may take.
    """
    order = {
        "repo": str(REPO),
        "layers": list(names),
        "acts": acts,
        "torch": torch,
        "hidden": [str(path) for path in hidden],
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-c", DRIVER, json.dumps(order)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd="/",
        env=environment,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return Report([End(*end) for end in report["ends"]], report["missing"])


def alone(name: str) -> list[str]:
    """A layer and what it cannot do without: an unprivileged zygote makes namespaces in a user namespace."""
    if name == "user":
        return ["user", "root"]  # nobody could not enter a folder of root's where this Python may lie
    return ["user", name] if name in NAMESPACES else [name]


def probe_of(name: str) -> str:
    """An act: the layer's own probe."""
    return f"[layer] = [one for one in layers.layers() if one.name == {name!r}]; layer.probe(confinement)"


def needs(report: Report, name: str) -> None:
    """Skip or fail, with the platform's reason, where the layer cannot be had."""
    if name in report.missing:
        not_to_be_had(f"{name} is not to be had here: {report.missing[name]}")


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A temporary folder that every user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def secret(public_path: Path) -> Path:
    """A file with something in it that every user may read."""
    path = public_path / "secret"
    path.write_text("the answer")
    return path


@pytest.fixture
def public_python(public_path: Path) -> str:
    """A Python that every user may run, with the packages of this one."""
    if not _closed(Path(sys.executable).resolve()):
        return sys.executable
    subprocess.run([tool("system python"), "-m", "venv", "--without-pip", public_path / "env"], check=True)
    packages = public_path / "env" / "lib" / PYTHON / "site-packages"
    packages.rmdir()
    packages.symlink_to(sysconfig.get_path("purelib"))
    return str(public_path / "env" / "bin" / "python")


def _closed(path: Path) -> bool:
    """Whether some folder on the way is not open to everybody."""
    return any(not folder.stat().st_mode & 1 for folder in path.parents)


def test_every_module_of_the_package_is_a_layer_or_private() -> None:
    """A layer that is misspelt or forgets its LAYER would silently not be there."""
    modules = {path.stem for path in Path(layers.__file__).parent.glob("[!_]*.py")}
    assert modules == set(NAMES)


def test_ranks_are_distinct() -> None:
    """Two layers of one rank would run in the order in which a folder is read."""
    assert len({layer.rank for layer in layers.layers()}) == len(NAMES)


@pytest.mark.parametrize("layer", layers.layers(), ids=NAMES)
def test_says_what_it_is_for(layer: Layer) -> None:
    """Doctor prints what a layer protects from and how to get it."""
    assert layer.protects and layer.remedy


@pytest.mark.parametrize("name", NAMES)
def test_probe_finds_the_act_refused_with_the_layer_alone(name: str, secret: Path) -> None:
    """The layer holds without help from the others."""
    report = drive(alone(name), probe_of(name), torch=name == "autograd", hidden=[secret])
    needs(report, name)
    assert report.ends == [End("done ", 0)]


@pytest.mark.parametrize("name", NAMES)
def test_probe_finds_the_act_done_without_the_layer(name: str, secret: Path) -> None:
    """A probe that cannot fail would be worth nothing."""
    [end] = drive([], probe_of(name), torch=name == "autograd", hidden=[secret]).ends
    assert end.said.startswith("Breach ")


def test_all_together(secret: Path) -> None:
    """No layer takes away what another one needs to be put up or to be probed."""
    report = drive(NAMES, *map(probe_of, NAMES), torch=True, hidden=[secret])
    assert report.ends == [End("done ", 0)] * len(NAMES)


def test_all_together_as_an_ordinary_user(secret: Path, public_python: str) -> None:
    """Nothing here takes root, and packages may be reached through a link."""
    user = 12345 if os.geteuid() == 0 else None
    acts = [*map(probe_of, NAMES), HONEST]
    report = drive(NAMES, *acts, torch=True, hidden=[secret], user=user, python=public_python)
    assert report.missing == {}
    assert report.ends == [End("done ", 0)] * len(NAMES) + [End("done well", 0)]


def test_honest_code_runs_behind_all_layers() -> None:
    """What a derivation computes, prints and imports is served as before."""
    assert drive(NAMES, HONEST, torch=True).ends == [End("done well", 0)]


# seccomp ------------------------------------------------------------------------------------------

REFUSED = {
    "a thread": "import threading; threading.Thread(target=print).start()",
    "a process": "os.fork()",
    "a program": "os.execv('/bin/true', ['true'])",
    "a socket of every family": "socket.socket(socket.AF_INET6)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "a signal to the parent": "os.kill(os.getppid(), 0)",
    "a signal to everybody": "os.kill(-1, 0)",
    "a pidfd": "os.pidfd_open(os.getpid())",
    "a memory file": "os.memfd_create('x')",
    "a mode": "os.chmod('/', 0o755)",
    "an owner": "os.chown('/', -1, -1)",
    "a time": "os.utime('/')",
    "an attribute": "os.setxattr('/', 'user.x', b'')",
    "a link": "os.symlink('/', '/tmp/x')",
    "a file to write": "open(os.devnull, 'w')",
    "a directory": "os.mkdir('/tmp/x')",
    "a new limit": "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "a priority": "os.nice(1)",
    "a processor": "os.sched_setaffinity(0, {0})",
    "code on a page of its own": "mmap.mmap(-1, 4096, prot=4, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
    "code that can be written": "mmap.mmap(-1, 4096, prot=7)",
    "another root": "os.chroot('/')",
    "a pipe": "os.pipe()",
    "a poll": "select.epoll()",
    "a copy of a file": "os.sendfile(1, 0, 0, 1)",
}


def test_seccomp_refuses_call_by_call() -> None:
    """One call of each kind that computing does not take."""
    report = drive(["seccomp"], *REFUSED.values())
    needs(report, "seccomp")
    for what, end in zip(REFUSED, report.ends, strict=True):
        assert not end.done, what
        assert end.said.split()[0] in {"PermissionError", "RuntimeError", "ValueError"}, (what, end)


RAW = (
    "syscall = ctypes.CDLL(None, use_errno=True).syscall\n"
    "result = syscall({}); said = result, ctypes.get_errno()"
)
KILLED = -signal.SIGSYS


@only_where(os.uname().machine == "x86_64", "these numbers are x86_64's")
@pytest.mark.parametrize(
    ("call", "said", "status"),
    [
        ("435, 0, 0", "done (-1, 38)", 0),  # clone3: no such call
        ("101, 0, 0, 0, 0", "done (-1, 1)", 0),  # ptrace
        ("310, 1, 0, 0, 0, 0, 0", "done (-1, 1)", 0),  # process_vm_readv
        ("425, 1, 0", "done (-1, 1)", 0),  # io_uring_setup
        ("321, 0, 0, 0", "done (-1, 1)", 0),  # bpf
        ("323, 0", "done (-1, 1)", 0),  # userfaultfd
        ("29, 0, 4096, 0o1600", "done (-1, 1)", 0),  # shmget
        ("68, 0, 0o1600", "done (-1, 1)", 0),  # msgget
        ("64, 0, 1, 0o1600", "done (-1, 1)", 0),  # semget
        ("250, 0, -3, 1", "done (-1, 1)", 0),  # keyctl
        ("272, 0x10000000", "done (-1, 1)", 0),  # unshare
        ("135, 0x400000", "done (-1, 1)", 0),  # personality: READ_IMPLIES_EXEC
        ("157, 4, 1", "done (-1, 1)", 0),  # prctl: dumpable again
        ("302, 0, 4, ctypes.c_char_p(bytes(16)), 0", "done (-1, 1)", 0),  # prlimit64 that sets
        ("302, 0, 4, 0, ctypes.create_string_buffer(16)", "done (0, 0)", 0),  # prlimit64 that asks
        ("234, os.getpid(), os.getpid(), 0", "done (0, 0)", 0),  # tgkill to itself
        ("234, os.getppid(), os.getppid(), 0", "done (-1, 1)", 0),  # tgkill to the parent
        ("0x40000027", "", KILLED),  # the x32 getpid
    ],
)
def test_seccomp_looks_at_number_and_arguments(call: str, said: str, status: int) -> None:
    """Raw calls end as the filter says, whatever the C library thinks of them."""
    report = drive(["seccomp"], RAW.format(call))
    needs(report, "seccomp")
    assert report.ends == [End(said, status)]


def test_seccomp_kills_another_instruction_set() -> None:
    """A program for a processor that is not this one refuses everything at its first instruction."""
    act = (
        "from grader.sandbox.layers import seccomp\n"
        "seccomp._filter._program = seccomp.program(1 - seccomp.machine())\n"
        "seccomp._filter.inside(confinement)\n"
    )
    [end] = drive(["seccomp"], act).ends
    assert end.status == KILLED or not end.done


def test_seccomp_leaves_abort_its_signal() -> None:
    """A C++ library that gives up is seen as a crash, not as a refusal."""
    report = drive(["seccomp"], "os.abort()")
    needs(report, "seccomp")
    assert report.ends[0].status == -signal.SIGABRT


def test_seccomp_forgets_no_page_and_moves_none() -> None:
    """A forgotten page would come back as it is on disk, without the traps; a moved one could be timed."""
    act = "page = mmap.mmap(-1, 4096); page.madvise({})"
    refused = [advice for advice in (*range(26), 100, 101, 102, 103) if advice not in seccomp.MADV_HARMLESS]
    report = drive(["seccomp"], *(act.format(advice) for advice in (*refused, 14)))
    needs(report, "seccomp")
    assert {4, 8, 9, 24} < set(refused)
    assert [end.done for end in report.ends] == [False] * len(refused) + [True]


SHARED_PAGE = (
    "file = open(os.__file__, 'rb'); shared = mmap.mmap(file.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)\n"
    "libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_long\n"
    "page = libc.mmap(0, ctypes.c_long(4096), 1, 1, file.fileno(), ctypes.c_long(0))\n"
)
CHANNELS = {
    "evict a file": "os.posix_fadvise(os.open(os.__file__, 0), 0, 0, os.POSIX_FADV_DONTNEED)",
    "fetch a file": "os.posix_fadvise(os.open(os.__file__, 0), 0, 0, os.POSIX_FADV_WILLNEED)",
    "flush a file": "os.fsync(os.open(os.__file__, 0))",
    "lock a file": "import fcntl; fcntl.flock(os.open(os.__file__, 0), fcntl.LOCK_SH)",
    "lock a part of a file": "import fcntl; fcntl.lockf(os.open(os.__file__, 0), fcntl.LOCK_SH)",
    "lease a file": "import fcntl; fcntl.fcntl(os.open(os.__file__, 0), 1024, 0)",
    "watch a folder": "import fcntl; fcntl.fcntl(os.open('/', 0), 1026, 4)",
    "lock memory": "mmap.mmap(-1, 4096, flags=0x2022)",
    "fill memory from a file": "mmap.mmap(os.open(os.__file__, 0), 4096, 0x8002, mmap.PROT_READ)",
    "take a huge page of the machine's": "mmap.mmap(-1, 1 << 21, flags=0x40022)",
    "ask whether anyone would wake": SHARED_PAGE
    + "assert libc.syscall(202, ctypes.c_long(page), 1, 1, 0, 0, 0) != -1, 'PermissionError'",
    "read another's clock": "time.clock_gettime(~os.getppid() << 3 | 2)",
    "queue a signal": "signal.pthread_sigmask(signal.SIG_BLOCK, {34}); os.kill(os.getpid(), 34)",
    "ask how much memory is free": "assert ctypes.CDLL(None).sysinfo(ctypes.create_string_buffer(512)) == 0",
}
RAW_CHANNELS = {
    "sync": 162, "mincore": 27, "msync": 26, "mlock": 149, "mlockall": 151, "mlock2": 325, "fdatasync": 75,
    "readahead": 187,
    "sync_file_range": 277, "syncfs": 306, "fallocate": 285, "cachestat": 451, "process_madvise": 440,
    "memfd_create": 319, "memfd_secret": 447, "preadv2": 327, "membarrier": 324, "inotify_init1": 294,
    "fanotify_init": 300, "eventfd2": 290, "timerfd_create": 283, "timer_create": 222, "rt_sigqueueinfo": 129,
    "statfs": 137, "quotactl": 179, "ioprio_set": 251, "copy_file_range": 326, "vmsplice": 278,
}  # fmt: skip


@only_where(os.uname().machine == "x86_64", "these numbers are x86_64's")
def test_seccomp_leaves_no_call_to_pass_something_on_by() -> None:
    """What evicts, fetches, locks, flushes or asks is a channel between boxes that read the same files."""
    raw = [RAW.format(f"{number}, 0, 0, 0, 0, 0, 0") for number in RAW_CHANNELS.values()]
    report = drive(["seccomp"], *CHANNELS.values(), *raw)
    needs(report, "seccomp")
    for what, end in zip(CHANNELS, report.ends, strict=False):
        assert not end.done, what
        assert end.said.split()[0] in {"PermissionError", "AssertionError"}, (what, end)
    for what, end in zip(RAW_CHANNELS, report.ends[len(CHANNELS) :], strict=True):
        assert end.said == "done (-1, 1)", (what, end)


@only_where(os.uname().machine == "x86_64", "these numbers are x86_64's")
def test_the_channels_are_open_without_seccomp() -> None:
    """Most of the acts above do something where nothing refuses them."""
    elsewhere = ("take a huge page of the machine's", "lease a file")  # not everybody may
    acts = {what: act for what, act in CHANNELS.items() if what not in elsewhere}
    ends = drive([], *acts.values()).ends
    assert [what for what, end in zip(acts, ends, strict=True) if not end.done] == []


def test_seccomp_program_is_small_and_for_both_processors() -> None:
    """The kernel takes at most 4096 instructions, and no jump reaches further than 255."""
    for column in (0, 1):
        assert 50 < len(seccomp.program(column)) // 8 < 400
    names = set(seccomp.ALLOWED) & set(seccomp.RULES)
    assert not names


# files --------------------------------------------------------------------------------------------


def opens(path: Path | str, mode: str = "r") -> str:
    """An act: open a file."""
    return f"open({str(path)!r}, {mode!r}).close()"


@pytest.mark.parametrize("name", ["landlock", "root"])
def test_hides_what_lies_beside_python(name: str, secret: Path) -> None:
    """Hidden or merely elsewhere, a file cannot be opened; Python's own can."""
    hidden = [secret]
    report = drive(
        alone(name),
        opens(secret),
        opens("/etc/passwd"),
        opens(REPO / "pyproject.toml"),
        opens("/proc/self/status"),
        opens(os.__file__),
        opens(f"{secret}.new", "w"),
        opens(os.devnull, "r+"),
        "import colorsys",
        hidden=hidden,
    )
    needs(report, name)
    assert [end.done for end in report.ends] == [False, False, False, False, True, False, True, True]


@pytest.mark.parametrize("name", ["landlock", "root"])
def test_hides_a_folder_below_a_readable_one(name: str) -> None:
    """A course inside site-packages, say; its neighbours stay readable."""
    stdlib = Path(os.__file__).parent
    report = drive(
        alone(name),
        opens(stdlib / "json/decoder.py"),
        opens(stdlib / "colorsys.py"),
        opens(stdlib / "wave.py"),
        f"said = os.listdir({str(stdlib / 'json')!r})",
        hidden=[stdlib / "json", stdlib / "colorsys.py"],
    )
    needs(report, name)
    assert "JSON" not in report.ends[0].said
    assert [report.ends[0].done, report.ends[2].done] == [False, True]
    if name == "landlock":
        assert [report.ends[1].done, report.ends[3].done] == [False, False]
    else:  # a hidden file reads as an empty one, a hidden folder as one without files
        assert report.ends[3].said == "done []"


def test_torch_cannot_be_loaded_a_second_time() -> None:
    """A second copy of torch's library would have an engine without traps."""
    import torch

    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    decompositions = Path(torch.__file__).parent / "_decomp" / "decompositions.py"
    for name in ("landlock", "root"):
        report = drive(alone(name), opens(library), opens(decompositions), torch=True)
        needs(report, name)
        assert not any(end.done for end in report.ends), name


# resources ----------------------------------------------------------------------------------------


def test_memory_bomb_is_a_clean_error() -> None:
    """Torch, Python and shared memory all meet the limit; the process lives on."""
    report = drive(
        ["rlimits"],
        "torch.ones(1 << 27)",
        "[bytes(1 << 20) for _ in range(1 << 10)]",
        "mmap.mmap(-1, 1 << 29)",
        "torch.ones(1 << 24)",
        torch=True,
    )
    needs(report, "rlimits")
    kinds = [end.said.split()[0] for end in report.ends]
    assert kinds == ["RuntimeError", "MemoryError", "OSError", "done"]


def test_processor_time_runs_out() -> None:
    """The kernel ends a loop that nothing else would."""
    report = drive(["rlimits"], "while True: pass")
    needs(report, "rlimits")
    assert report.ends[0].status in {-signal.SIGKILL, -signal.SIGXCPU}


def test_processor_time_runs_out_for_process_1_too() -> None:
    """The first process of a namespace ignores signals of its own kind, but not this one."""
    report = drive(["user", "processes", "rlimits", "seccomp"], "while True: pass")
    needs(report, "processes")
    assert report.ends[0].status == -signal.SIGKILL


# processes ----------------------------------------------------------------------------------------


def test_nothing_outlives_the_box(tmp_path: Path) -> None:
    """A daemon that left its session dies with the first process of its namespace."""
    sign = tmp_path / "sign"
    daemon = f"if not os.fork():\n os.setsid()\n time.sleep(1)\n open({str(sign)!r}, 'w').close()\n"
    report = drive(["user", "processes"], daemon, "time.sleep(1.5)")
    needs(report, "processes")
    assert not sign.exists()


def test_who_kills_the_driver_kills_its_boxes() -> None:
    """The process that was started may be a mere waiter; its death is the zygote's and the boxes'."""
    order = {"repo": str(REPO), "layers": ["user", "processes", "session"], "torch": False, "hidden": []}
    order["acts"] = ["signal.pause()"]
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(order)], stdout=subprocess.PIPE
    ) as driver:
        assert driver.stdout is not None
        try:
            driver.wait(1.5)
        except subprocess.TimeoutExpired:
            driver.kill()
        # The zygote and the box hold the other end of this pipe: it closes when the last of them is gone.
        assert driver.stdout.read() == b""


# autograd -----------------------------------------------------------------------------------------

GRAPH = "x = torch.randn(4, 3, requires_grad=True); y = x.tanh().log_softmax(1).sum()\n"
BACKWARD = "op, _ = torch._C._jit_get_operation('aten::tanh_backward')\n"
ENGINE = "torch.autograd.Variable._execution_engine.run_backward"
FRONT = {
    "backward": "y.backward()",
    "grad": "torch.autograd.grad(y, x)",
    "functional": "torch.autograd.functional.jacobian(torch.tanh, x)",
    "func": "torch.func.grad(lambda x: x.sum())(x)",
    "jvp": "torch.func.jvp(torch.tanh, (x,), (x,))",
    "decomposition": "import torch._decomp.decompositions as d; d.tanh_backward(x, x)",
    "table": "import torch._decomp as d\nfor op, f in d.decomposition_table.items():\n"
    " if str(op) == 'aten.tanh_backward.default': said = f(x, x)",
    "compile": "torch.compile(torch.tanh)(x)",
    "function": "torch.autograd.Function.apply and y.backward()",
    "checkpoint": "import torch.utils.checkpoint as c\n"
    "c.checkpoint(torch.tanh, x, use_reentrant=True).sum().backward()",
    "functorch": "from torch._functorch.eager_transforms import _autograd_grad as g\n"
    "import torch.autograd as a\n"
    "a.grad = lambda o, i, g, **k: " + ENGINE + "(o, g, True, False, i, True, accumulate_grad=False)\n"
    "said = g((y,), (x,), (torch.ones(()),))",
}
TRAPPED = {
    "engine": ENGINE + "((y,), (torch.ones(()),), False, False, (x,), False, accumulate_grad=False)",
    "node": "said = y.grad_fn(torch.ones(()))",
    "inner node": "said = y.grad_fn.next_functions[0][0](torch.ones(4, 3))",
    "leaf": "f = y.grad_fn\nwhile f.next_functions: f = f.next_functions[0][0]\nf(torch.ones(4, 3))",
    "forward mode": "torch._C._enter_dual_level(); torch._VF._make_dual(x.detach(), x.detach(), level=0)",
    "kernel": "torch.ops.aten.tanh_backward(x, x)",
    "kernel's overload": "torch.ops.aten.tanh_backward.default(x, x)",
    "kernel's operator": BACKWARD + "said = op(x.detach(), x.detach())",
    "kernel in inference mode": BACKWARD + "with torch.inference_mode(): x = torch.ones(3); said = op(x, x)",
    "kernel by name": "torch._C._VariableFunctions._softmax_backward_data(x, x, 1, torch.float32)",
    "script": "g = torch.jit.CompilationUnit('def f(x):\\n  return torch.tanh(x)\\n').f.graph\n"
    "torch._C._jit_differentiate(g)",
}


def test_autograd_is_blocked_by_every_route() -> None:
    """Polite routes meet a sentence, the others an instruction that kills."""
    acts = [GRAPH + act for act in (*FRONT.values(), *TRAPPED.values())]
    report = drive(["autograd"], *acts, torch=True)
    needs(report, "autograd")
    for what, end in zip(FRONT, report.ends, strict=False):
        assert end.said.startswith("AutogradForbidden "), (what, end)
    for what, end in zip(TRAPPED, report.ends[len(FRONT) :], strict=True):
        assert end.status in {-signal.SIGILL, -signal.SIGTRAP}, (what, end)


def test_autograd_routes_are_open_without_the_layer() -> None:
    """The acts above do compute gradients where nothing stops them."""
    acts = [GRAPH + act for act in (*FRONT.values(), *TRAPPED.values()) if "compile" not in act]
    ends = drive([], *acts, torch=True).ends
    assert [act for act, end in zip(acts, ends, strict=True) if not end.done] == []


def test_parts_of_torch_can_still_be_imported_late() -> None:
    """An optimizer, say, pulls in modules that look derivatives up without computing any."""
    act = "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2); torch.optim.SGD([p], 0.1).step()"
    report = drive(["autograd"], act, "import torch._dynamo", torch=True)
    needs(report, "autograd")
    assert [end.done for end in report.ends] == [True, True], report.ends


def test_traps_cannot_be_taken_out() -> None:
    """Code may not be made writable, run after it was written, forgotten or replaced by the file's."""
    find = (
        "from grader.sandbox.layers import autograd, _image\n"
        "page = autograd._traps._set[0].address & -4096; c = ctypes.CDLL(None, use_errno=True)\n"
    )
    report = drive(
        ["autograd", "seccomp"],
        find + "said = c.mprotect(ctypes.c_long(page), ctypes.c_long(4096), 7)",
        find + "said = c.mprotect(ctypes.c_long(page), ctypes.c_long(4096), 3) or "
        "c.mprotect(ctypes.c_long(page), ctypes.c_long(4096), 5)",
        find + "said = c.madvise(ctypes.c_long(page), ctypes.c_long(4096), 4)",
        find + "size = 1 << 20; low = page - size\n"
        "said = c.mremap(ctypes.c_long(low), ctypes.c_long(4096), ctypes.c_long(size), 1)",
        "open('/proc/self/mem', 'r+b')",
        torch=True,
    )
    needs(report, "autograd")
    assert [end.said for end in report.ends[:4]] == ["done -1"] * 4
    assert report.ends[4].said.startswith("PermissionError")


def test_forgotten_traps_do_not_come_back_as_code() -> None:
    """Even where pages may be forgotten, nothing but zeros comes back: no file lies behind them."""
    act = (
        "from grader.sandbox.layers import autograd\n"
        "page = autograd._traps._set[0].address & -4096; c = ctypes.CDLL(None)\n"
        "c.madvise(ctypes.c_long(page), ctypes.c_long(4096), 4); said = any(ctypes.string_at(page, 4096))"
    )
    report = drive(["autograd"], act, torch=True)
    needs(report, "autograd")
    assert report.ends == [End("done False", 0)]


# style --------------------------------------------------------------------------------------------


def test_layers_import_nothing_of_the_grader_but_layers() -> None:
    """The box's side stays small: arrows point one way. Other packages' layers are looked up by ``plugins``."""
    for path in Path(layers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grader"):
                assert str(node.module).startswith(("grader.sandbox.layers", "grader.plugins")), path.name


@pytest.mark.parametrize(("no_skips", "ends"), [("1", pytest.fail.Exception), ("0", pytest.skip.Exception)])
def test_a_layer_that_is_missing_fails_where_nothing_may_be_skipped(
    no_skips: str, ends: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NO_SKIPS, no_skips)
    with pytest.raises(ends, match="seccomp is not to be had here: no such kernel"):
        needs(Report([], {"seccomp": "no such kernel"}), "seccomp")
