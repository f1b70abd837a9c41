"""Malformed submissions, made when they are needed: what no editor shows and no repository should hold.

Each is a function that fills a submission's folder, with the outcome that every stub of exercise 1 must get.
Outcomes and ``scores`` are as in :mod:`tests.hostile.entries`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.entries import FIRST, HONEST

FILE = f"{FIRST}.py"
MIB = 1 << 20


@dataclass(frozen=True)
class Malformed:
    """A submission that is odd before any of it runs; ``fill`` is given its folder and a course to covet."""

    what: str
    declared: str
    fill: Callable[[Path, Path], None]

    def __str__(self) -> str:
        return f"malformed: {self.what}"


def source(what: str, declared: str, content: bytes | str, **helpers: bytes | str) -> Malformed:
    """A submission of one file, with helper modules beside it."""

    def fill(folder: Path, course: Path) -> None:
        for name, text in {FIRST: content, **helpers}.items():
            (folder / f"{name}.py").write_bytes(text if isinstance(text, bytes) else text.encode())

    return Malformed(what, declared, fill)


def link_to_reference(folder: Path, course: Path) -> None:
    (folder / FILE).symlink_to(course / "reference" / FILE)


def link_to_nowhere(folder: Path, course: Path) -> None:
    (folder / FILE).symlink_to(folder / FILE)


def link_to_zeros(folder: Path, course: Path) -> None:
    (folder / FILE).symlink_to("/dev/zero")


def fifo(folder: Path, course: Path) -> None:
    os.mkfifo(folder / FILE)


def folder_for_a_file(folder: Path, course: Path) -> None:
    (folder / FILE).mkdir()
    (folder / FILE / "__init__.py").write_text(HONEST)


def unix_socket(folder: Path, course: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)  # a socket's path has little room
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(FILE)
    os.chdir(here)


def fifty_megabytes(folder: Path, course: Path) -> None:
    (folder / FILE).write_bytes(HONEST.encode() + b"#" * (50 * MIB))


def hole(folder: Path, course: Path) -> None:
    (folder / FILE).write_text(HONEST)
    os.truncate(folder / FILE, 1 << 40)


def helpers_of_every_kind(folder: Path, course: Path) -> None:
    (folder / FILE).write_text(HONEST)
    os.mkfifo(folder / "a_fifo.py")
    (folder / "a_link.py").symlink_to(course / "reference" / FILE)
    (folder / "a_folder.py").mkdir()
    (folder / "nul.py").write_bytes(b"\0")
    (folder / ".py").write_text("raise SystemExit")
    (folder / "new\nline 'and' \"quotes\" <b>.py").write_text("raise SystemExit")
    with open(os.fsencode(folder) + b"/\xff\xfe.py", "w") as file:
        file.write("raise SystemExit")


def a_thousand_helpers(folder: Path, course: Path) -> None:
    (folder / FILE).write_text(HONEST)
    for i in range(1000):
        (folder / f"helper{i}.py").write_text("raise SystemExit")


def heavy_helpers(folder: Path, course: Path) -> None:
    (folder / FILE).write_text(HONEST)
    for i in range(80):
        (folder / f"helper{i}.py").write_bytes(b"#" * (MIB - 1))


def stolen_helper(folder: Path, course: Path) -> None:
    (folder / FILE).write_text("from solution import *\n")
    (folder / "solution.py").symlink_to(course / "reference" / FILE)


SHADOW = "import sys\nsys.exit('the wrong module was imported')\n"

SHADOWED = (
    *("torch", "safetensors", "grader", "json", "struct", "socket", "inside", "frames", "numpy", "builtins"),
    *("sitecustomize", "usercustomize", "conftest", "__init__", "__main__", "encodings", "traceback"),
)

MALFORMED = (
    source("an empty file", "missing", b""),
    source("a byte order mark, and honest stubs", "scores", b"\xef\xbb\xbf" + HONEST.encode()),
    source(
        "a declared encoding, and honest stubs", "scores", b"# coding: latin-1\n# \xe9\n" + HONEST.encode()
    ),
    source("line ends of Windows, and honest stubs", "scores", HONEST.replace("\n", "\r\n")),
    source("line ends of old, and honest stubs", "scores", HONEST.replace("\n", "\r")),
    source("a form feed, and honest stubs", "scores", "\x0c" + HONEST),
    source("UTF-16", "error", HONEST.encode("utf-16")),
    source("bytes that are no UTF-8", "error", b"x = '\xff\xfe'\n" + HONEST.encode()),
    source("an encoding nobody knows", "error", "# coding: nonsense\n" + HONEST),
    source("an encoding that is no text", "error", "# coding: zlib_codec\n" + HONEST),
    source("a NUL byte", "error", HONEST + "\0"),
    source("nothing but NUL bytes", "error", bytes(1000)),
    source("a program, not a text", "error", b"\x7fELF\x02\x01\x01" + bytes(range(256))),
    source("a hundred thousand parentheses", "error/crashed/out_of_memory", "x = " + "(" * 100_000),
    source("as many as match", "error/crashed/out_of_memory", "x = " + "(" * 100_000 + ")" * 100_000),
    source("a hundred thousand signs", "error/crashed/out_of_memory", "x = " + "-" * 100_000 + "1"),
    source("a hundred thousand dots", "error/crashed/out_of_memory", "x = y" + ".y" * 100_000),
    source("a hundred levels of blocks", "error", "\n".join(f"{' ' * i}if 1:" for i in range(101))),
    source("a number of a million digits", "error", "x = " + "9" * 1_000_000),
    source("a sum of a hundred thousand numbers", "error/crashed/missing", "x = " + "+".join("1" * 100_000)),
    source("a hundred thousand functions", "missing/timed_out", "def f(): pass\n" * 70_000),
    source("a stub with two parameters of one name", "error", HONEST + "\n\ndef dh(W2, W2):\n    pass\n"),
    source("no builtins", "error/crashed", "import builtins\nvars(builtins).clear()\n" + HONEST),
    source("a module that replaces itself", "scores", "import sys\nsys.modules[__name__] = None\n" + HONEST),
    source(
        "a letter that is another, and honest stubs",
        "scores",
        HONEST.replace("(W2, dlogits)", "(W2, dlogitſ)"),
    ),
    source("modules that shadow those of the box", "scores", HONEST, **dict.fromkeys(SHADOWED, SHADOW)),
    source(
        "modules that shadow what honest stubs import",
        "scores",
        "import math, random\n" + HONEST,
        math=SHADOW,
        random=SHADOW,
    ),
    source("a helper that raises", "error", "import helper\n" + HONEST, helper="raise ValueError('no help')"),
    source("a helper that leaves", "crashed", "import helper\n" + HONEST, helper="import os\nos._exit(0)"),
    source(
        "helpers that import each other",
        "scores",
        "import one\n" + HONEST,
        one="import two",
        two="import one",
    ),
    source("a helper that is no Python", "error", "import helper\n" + HONEST, helper=b"\0\xff"),
    source("a helper that brings the stubs", "scores", "from helper import *\n", helper=HONEST),
    Malformed("a link to the reference", "error", link_to_reference),
    Malformed("a link to itself", "error", link_to_nowhere),
    Malformed("a link to a file without end", "error", link_to_zeros),
    Malformed("a FIFO", "error", fifo),
    Malformed("a folder", "error", folder_for_a_file),
    Malformed("a socket", "error", unix_socket),
    Malformed("fifty megabytes", "error", fifty_megabytes),
    Malformed("a file of a terabyte of nothing", "error", hole),
    Malformed("helpers of every kind that nobody imports", "scores", helpers_of_every_kind),
    Malformed("a thousand helpers", "scores/missing", a_thousand_helpers),
    Malformed("helpers of eighty megabytes", "crashed/error", heavy_helpers),
    Malformed("a helper that is a link to the reference", "error", stolen_helper),
)

NAMES = (
    "'; DROP TABLE students; --",
    '"quoted"',
    "new\nline",
    "tab\tand\x1b[2Jescape\x07",
    "<script>alert(1)<script>",
    "[bold red]rich[bold]",
    "{{ jinja }}",
    "%s %(name)s {0}",
    "$(touch injected)",
    "`id`",
    "-rf",
    "--out",
    "a" * 200,
    "\u202eesrever",
    "é combining e\u0301",
    "CON",
    "*.py",
    "=HYPERLINK(1)",
    "name.json",
    " ",
)
"""Names a submission's folder may have."""
