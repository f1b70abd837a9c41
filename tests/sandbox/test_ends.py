"""Strict isolation refuses exactly when an end stands open: tried by opening boxes behind many sets of layers.

A set of layers that includes one that holds, holds, and a set within one that does not hold, does not. So it takes
few sets to decide all of them: the smallest that suffice and the largest that do not are really tried here, and
:func:`test_every_set_of_layers_is_decided_by_one_that_is_really_tried` sees that none is left over.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest

from grader.apps.doctor import examine, examine_ends
from grader.errors import IsolationError
from grader.sandbox.layers import layers
from grader.sandbox.layers._ends import ENDS, open_ends
from grader.sandbox.linux import Zygote
from grader.sandbox.open import require
from grader.sandbox.process import Limits
from tests.sandbox.boxes import printed, public_folder
from tests.wanted import only_where

pytestmark = only_where(sys.platform == "linux", "the layers are Linux's")

ROOT = Path(__file__).parents[2]
LIMITS = Limits(20.0, 256)
ALL = frozenset(layer.name for layer in layers())

SMALLEST = [frozenset({name, "descriptors", "seccomp"}) for name in ("root", "landlock")]
"""The smallest sets for which strict isolation does not refuse."""

LARGEST = [ALL - {"seccomp"}, ALL - {"descriptors"}, ALL - {"root", "landlock"}]
"""The largest sets for which it does."""

ENDS_OF_THEIR_OWN = [layers for end in ENDS for layers in end.sufficient]
"""The smallest sets that close a single end."""

ONE_MISSING = [ALL - {name} for name in sorted(ALL - {"seccomp", "descriptors"})]
OPEN_NETWORK = [ALL - {"seccomp", "network"}, ALL - {"seccomp", "root"}]
OPEN_PROCESSES = [ALL - {"seccomp", "processes", "rlimits"}]

WITHOUT = """
import sys
from dataclasses import replace
from grader.sandbox import zygote
from grader.sandbox.layers import Unavailable
from tests.wanted import only_where

def refuse(confinement):
    raise Unavailable("taken away by a test")

found = tuple(replace(layer, early=refuse) if layer.name in {gone!r} else layer for layer in zygote.layers())
zygote.layers = lambda: found
zygote.main(int(sys.argv[1]))
"""

PRELUDE = """
import ctypes, os, socket, stat
libc = ctypes.CDLL(None, use_errno=True)

def tried(end, act):
    try:
        found = act()
    except OSError:
        return
    if found:
        print(end, found)

def inherited():
    for descriptor in range(64):
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield descriptor
        except OSError:
            pass
"""

READ = """
from pathlib import Path

def memory(pid, address):
    room = ctypes.create_string_buffer({size})
    ours, theirs = (ctypes.c_size_t * 2)(ctypes.addressof(room), {size}), (ctypes.c_size_t * 2)(address, {size})
    libc.process_vm_readv(pid, ours, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))
    return {token!r} in room.raw and "the judge's memory"

def memory_file(pid, address):
    with open(f"/proc/{{pid}}/mem", "rb", buffering=0) as file:
        file.seek(address)
        return {token!r} in file.read({size}) and "the judge's memory, as a file"

tried("answers", lambda: {token!r} in open({secret!r}, "rb").read() and "the file")
WAYS = ["cwd{secret}", "root{secret}", *(f"fd/{{number}}/{name}" for number in range(64))]
for process in ("self", "1", "{judge}", str(os.getppid())):
    for way in WAYS:
        tried("answers", lambda: {token!r} in open(f"/proc/{{process}}/{{way}}", "rb").read() and way)
tried("answers", lambda: memory({judge}, {address}))
tried("answers", lambda: memory_file({judge}, {address}))
"""

LEAVE = """
segment = libc.shmget({key}, 4096, 0o1666)
if segment != -1:
    libc.shmat.restype = ctypes.c_void_p
    ctypes.memmove(libc.shmat(segment, None, 0), {token!r}, {size})
for descriptor in inherited():
    tried("answers", lambda: os.write(descriptor, {token!r}) and None)
for folder in ("/tmp", "/dev/shm", "/var/tmp", "/", {folder!r}, "."):
    tried("answers", lambda: open(folder + "/left-by-a-box", "wb").write({token!r}) and None)
"""

FIND = """
segment = libc.shmget({key}, 4096, 0o666)
if segment != -1:
    libc.shmat.restype = ctypes.c_void_p
    tried("answers", lambda: {token!r} in ctypes.string_at(libc.shmat(segment, None, 0), {size}) and "a segment")
for descriptor in inherited():
    tried("answers", lambda: {token!r} in os.pread(descriptor, 1 << 16, 0) and "an inherited file")
for folder in ("/tmp", "/dev/shm", "/var/tmp", "/", {folder!r}, "."):
    tried("answers", lambda: {token!r} in open(folder + "/left-by-a-box", "rb").read() and "a file")
"""

CONNECT = """
def connect(family, kind, address):
    with socket.socket(family, kind) as ours:
        ours.connect(address)
        ours.send(b"x")
    return f"{{address}}"

tried("network", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {tcp})))
tried("network", lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", {udp})))
tried("network", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, {path!r}))
tried("network", lambda: connect(socket.AF_UNIX, socket.SOCK_DGRAM, "\\0" + {abstract!r}))
"""

STAY = """
def stay():
    if os.fork():
        return
    os.setsid()
    libc.prctl(15, {mark!r})
    while True:
        libc.sleep(1000)

tried("processes", stay)
"""


@dataclass
class Outside:
    """What a box must not reach, and who watches whether it did."""

    folder: Path
    token: bytes = field(default_factory=lambda: f"token-{secrets.token_hex(8)}".encode())
    mark: bytes = field(default_factory=lambda: f"left-{secrets.token_hex(3)}".encode())
    key: int = field(default_factory=lambda: 0x10000000 + secrets.randbits(24))

    def __post_init__(self) -> None:
        self.secret = self.folder / "reference.py"
        self.secret.write_bytes(self.token)
        self.memory = ctypes.create_string_buffer(self.token)
        self.servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(type=socket.SOCK_DGRAM)]
        self.servers[1].bind(("127.0.0.1", 0))
        by_path, by_name = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        by_path.bind(str(self.folder / "socket"))
        by_path.listen()
        (self.folder / "socket").chmod(0o777)
        by_name.bind(b"\0" + self.token)
        self.servers += [by_path, by_name]

    def close(self) -> None:
        """Close the servers."""
        for server in self.servers:
            server.close()

    def source(self, template: str) -> str:
        """A probe, told where everything is."""
        return PRELUDE + template.format(
            secret=str(self.secret), name=self.secret.name, token=self.token, size=len(self.token), key=self.key,
            judge=os.getpid(), address=ctypes.addressof(self.memory), folder=str(self.folder), mark=self.mark,
            tcp=self.servers[0].getsockname()[1], udp=self.servers[1].getsockname()[1],
            path=str(self.folder / "socket"), abstract=self.token.decode(),
        )  # fmt: skip

    def left_behind(self) -> list[int]:
        """The processes that a box left, which are ended."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "comm").read_bytes().strip() == self.mark:
                    found.append(int(process.name))
            except OSError:
                continue
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A secret, servers that wait, and a process that must not be read."""
    with public_folder() as folder, closing(Outside(folder)) as found:
        yield found


def behind(in_force: frozenset[str], outside: Outside) -> Zygote:
    """A zygote with these layers and no others.

    Where one of them is not to be had, as ``user`` without ``root`` where Python lies in a folder of root's, there
    are fewer, and strict isolation must be right about those.
    """
    boxes = Zygote((outside.folder,), program=("-c", WITHOUT.format(gone=sorted(ALL - in_force))))
    assert set(boxes.isolation.layers) <= in_force
    return boxes


def found_open(boxes: Zygote, outside: Outside) -> dict[str, str]:
    """The ends whose probe succeeds, and what it says."""
    acts = (READ, LEAVE, CONNECT, STAY)
    said = printed(boxes, "".join(map(outside.source, acts)), LIMITS, ended=True).splitlines()
    reached = {line.partition(" ")[0]: line for line in said}
    if left := outside.left_behind():
        reached["processes"] = str(left)
    if shared := printed(boxes, outside.source(FIND), LIMITS):
        reached["answers"] = shared
    return reached


def refused(boxes: Zygote) -> bool:
    """Whether strict isolation refuses."""
    try:
        require(boxes)
    except IsolationError:
        return True
    return False


def named(chosen: frozenset[str]) -> str:
    """A set of layers, for a test's name."""
    return (
        "without " + " ".join(sorted(ALL - chosen)) if len(chosen) > 6 else "only " + " ".join(sorted(chosen))
    )


@pytest.mark.parametrize("chosen", [*LARGEST, *SMALLEST, *ONE_MISSING, ALL], ids=named)
def test_strict_refuses_exactly_when_a_probe_succeeds(chosen: frozenset[str], outside: Outside) -> None:
    """Really tried: files, memory, what another box left, the network, and staying on."""
    with closing(behind(chosen, outside)) as boxes:
        reached = found_open(boxes, outside)
        assert refused(boxes) == bool(reached), (reached, boxes.unguarded)
        assert reached.keys() <= boxes.unguarded.keys()


@pytest.mark.parametrize("chosen", ENDS_OF_THEIR_OWN, ids=named)
def test_an_end_that_is_said_to_be_closed_is_closed(chosen: frozenset[str], outside: Outside) -> None:
    """The smallest sets of every end hold, whatever else stands open."""
    with closing(behind(chosen, outside)) as boxes:
        reached = found_open(boxes, outside)
        assert reached.keys() <= boxes.unguarded.keys(), reached


@pytest.mark.parametrize(
    ("chosen", "end"),
    [
        *[(chosen, "network") for chosen in OPEN_NETWORK],
        *[(chosen, "processes") for chosen in OPEN_PROCESSES],
        *[(frozenset[str](), end.name) for end in ENDS],
    ],
)
def test_a_probe_succeeds_where_its_end_stands_open(
    chosen: frozenset[str], end: str, outside: Outside
) -> None:
    """A probe that cannot succeed would prove nothing."""
    with closing(behind(chosen, outside)) as boxes:
        assert end in boxes.unguarded
        assert end in found_open(boxes, outside)


def test_every_set_of_layers_is_decided_by_one_that_is_really_tried() -> None:
    """Of all sets, those that are refused lie within one that was found open, the others include one that held."""
    names = sorted(ALL)
    for size in range(len(names) + 1):
        for chosen in map(frozenset, combinations(names, size)):
            if open_ends(chosen, {}):
                assert any(chosen <= largest for largest in LARGEST), chosen
            else:
                assert any(chosen >= smallest for smallest in SMALLEST), chosen


def test_who_is_refused_is_told_which_layers_would_help_and_why_they_are_missing(outside: Outside) -> None:
    """An operator learns what to do from the message alone; doctor says the same."""
    with closing(behind(ALL - {"root", "landlock"}, outside)) as boxes:
        with pytest.raises(IsolationError) as refusal:
            require(boxes)
        reason = "landlock: taken away by a test; root: taken away by a test"
        assert f"answers could be read ({reason})" in str(refusal.value)
        assert {end.name: end.reason for end in examine_ends(boxes)}["answers"] == reason
        missing = {layer.name: layer.reason for layer in examine(boxes) if layer.reason is not None}
        assert missing.items() >= dict.fromkeys(("root", "landlock"), "taken away by a test").items()


def test_the_security_page_names_the_same_sets() -> None:
    """What operators read is what the code counts on."""
    page = " ".join((ROOT / "SECURITY.md").read_text("utf-8").split())
    for end in ENDS:
        assert f"| {end.name} | {end.threat} | {end.needs} |" in page
