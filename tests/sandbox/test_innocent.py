"""Harmless lines in a right file cost it nothing, and the same file fares the same behind every set of layers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch

from grader.sandbox.answers import Returned
from grader.sandbox.box import Box
from grader.sandbox.linux import Zygote
from grader.sandbox.portable import Subprocesses
from grader.sandbox.process import Limits, Opener
from tests.sandbox.test_ends import ALL, WITHOUT
from tests.wanted import only_where

pytestmark = only_where(sys.platform == "linux", "the layers are Linux's")

LIMITS = Limits(60.0, 1024)
X = torch.arange(6.0).view(2, 3)
RIGHT = "import torch\n\ndef dx(x):\n    return x * 2\n"

QUICK = [
    "torch.set_num_threads(4)",
    "torch.set_num_interop_threads(2)",
    "import matplotlib.pyplot as plt",
    'import sys; sys.path.append(".")',
    'import matplotlib.pyplot as plt; plt.figure(); plt.plot([1, 2]); plt.show(); plt.savefig("x.png")',
    "import tempfile; tempfile.gettempdir()",
    "import asyncio; asyncio.run(asyncio.sleep(0))",
    "import inspect; inspect.getsource(dx)",
    "open(__file__).read()",
    "from pathlib import Path; Path.home()",
    'import os; os.path.expanduser("~")',
    "import getpass; getpass.getuser()",
    'import warnings; warnings.simplefilter("ignore")',
    "torch.manual_seed(1)",
    "torch.set_printoptions(sci_mode=False)",
    "torch.set_default_dtype(torch.float64)",
    "import random; random.seed(1)",
    'import os; os.environ["X"] = "1"',
    'import logging; logging.basicConfig(level=logging.INFO); logging.info("x")',
    "input()",
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    "torch.backends.cudnn.deterministic = True",
    "torch.cuda.manual_seed_all(1)",
    "import numpy as np; np.random.seed(0); np.set_printoptions(precision=3)",
    "import threading; threading.Lock()",
    "import time; time.time(); time.sleep(0)",
    "import multiprocessing",
    "import multiprocessing; multiprocessing.cpu_count()",
    "import os; os.cpu_count()",
    'import os; os.getcwd(); os.listdir(".")',
    'import os; os.makedirs("out", exist_ok=True)',
    "import subprocess",
    "import pdb",
    "import unittest",
    "import doctest; doctest.testmod()",
    "import pandas as pd",
    "from tqdm import tqdm",
    "from IPython.display import display",
    "torch.autograd.set_detect_anomaly(True)",
    "torch.set_grad_enabled(False)",
    'torch.set_float32_matmul_precision("high")',
    "import platform; platform.platform()",
    'import locale; locale.setlocale(locale.LC_ALL, "")',
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)",
    "import gc; gc.collect()",
    "import faulthandler; faulthandler.enable()",
    "import argparse; argparse.ArgumentParser().parse_args([])",
    "import atexit; atexit.register(print)",
    "import socket; socket.gethostname()",
    "import uuid; uuid.uuid4()",
    "import datetime; datetime.datetime.now()",
    "import json, csv, re, string",
    "print(torch.__version__)",
    "import torchvision",
    'torch.set_default_device("cpu")',
    "torch.utils.data.DataLoader([1, 2], batch_size=2).__iter__().__next__()",
    "g = torch.Generator().manual_seed(2147483647)",
    'sys = __import__("sys"); sys.setrecursionlimit(5000)',
    "import webbrowser",
    "import readline",
    "torch.compile",
    "torch.get_num_threads(); torch.get_num_interop_threads()",
    "print(torch.__config__.show()); print(torch.__config__.parallel_info())",
    'import importlib.metadata; importlib.metadata.version("torch")',
    "import os; os.chdir(os.path.dirname(os.path.abspath(__file__)))",
    '__file__; __name__; assert __name__ != "__main__"',
    "import torch.profiler",
    "torch.ones(200, 200) @ torch.ones(200, 200)",
    "import ctypes",
    "import zoneinfo",
    "torch.nn.Linear(2, 2)(torch.ones(2)); torch.nn.init.kaiming_normal_(torch.ones(2, 2))",
    "torch.linalg.inv(torch.eye(3)); torch.sparse_coo_tensor([[0],[0]], [1.0], (1, 1))",
    'import sqlite3; sqlite3.connect(":memory:")',
    'import hashlib; hashlib.sha256(b"x")',
    "import ssl, urllib.request",
    "import argparse; argparse.ArgumentParser().parse_args()",
]
"""Lines that any file may have, at its top or its end."""

SLOW = [
    "torch.use_deterministic_algorithms(True)",
    "import torch._dynamo",
    "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2); torch.optim.SGD([p], 0.1).step()",
    "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2); torch.optim.Adam([p], 0.1).step()",
]
"""The same; these import a part of torch that takes its time."""

FORMS = {
    "byte order mark": "\ufeff" + RIGHT,
    "Windows line ends": RIGHT.replace("\n", "\r\n"),
    "tabs": RIGHT.replace("    ", "\t"),
    "future": "from __future__ import annotations\n" + RIGHT,
    "type hints": "from torch import Tensor\nimport typing as t\n"
    "def dx(x: Tensor) -> t.Optional[Tensor]:\n    return x * 2\n",
    "dataclass": RIGHT
    + "from dataclasses import dataclass\n@dataclass\nclass Config:\n    n: int = 3\nprint(Config())\n",
    "main": RIGHT + "if __name__ == '__main__':\n    while True:\n        torch.ones(3).backward()\n",
    "declared encoding": "# -*- coding: latin-1 -*-\n# \xe9\n" + RIGHT,
    "no newline at the end": RIGHT.rstrip(),
    "form feed": RIGHT.replace("def", "\f\ndef"),
}
"""Other ways to write the same file."""

MISSING = """
import no_such_package as nsp
from no_such_package.parts import thing

def dx(x):
    return x * 2

def dy(x):
    return nsp.twice(x)
"""


def everything() -> str:
    """All quick lines in one file."""
    return "\n".join([RIGHT, *QUICK, RIGHT])


def assert_earns(boxes: Opener, source: str) -> None:
    """See that the function of a file is found, called and right."""
    with Box(boxes.open(LIMITS), LIMITS) as box:
        stubs, failed, _ = box.load({"work.py": source.encode("utf-8")}, ["dx"])
        assert failed is None, failed
        assert set(stubs) == {"dx"}
        [answer] = box.call("dx", [{"x": X}]).answers
        assert isinstance(answer, Returned), answer
        assert torch.equal(answer.tensor.float(), X * 2)


@pytest.fixture(scope="module")
def boxes() -> Iterator[Zygote]:
    """Boxes behind every layer that is to be had."""
    with closing(Zygote()) as opened:
        yield opened


@pytest.mark.parametrize("line", [*QUICK, *SLOW])
def test_a_harmless_line_costs_nothing(boxes: Zygote, line: str) -> None:
    assert_earns(boxes, f"{RIGHT}{line}\n")


@pytest.mark.parametrize("form", FORMS)
def test_another_way_to_write_the_file_costs_nothing(boxes: Zygote, form: str) -> None:
    assert_earns(boxes, FORMS[form])


@pytest.mark.parametrize("gone", [set[str](), set(ALL), *({name} for name in sorted(ALL))], ids=sorted)
def test_the_same_file_fares_the_same_behind_every_set_of_layers(gone: set[str]) -> None:
    """All layers, none, and all but each one."""
    with closing(Zygote(program=("-c", WITHOUT.format(gone=sorted(gone))))) as opened:
        assert_earns(opened, everything())
        assert_earns(opened, f"{RIGHT}{SLOW[0]}\n")
        assert_missing_package_costs_its_user_alone(opened)


def test_the_same_file_fares_the_same_in_a_plain_subprocess() -> None:
    with closing(Subprocesses()) as opened:
        assert_earns(opened, everything())
        assert_missing_package_costs_its_user_alone(opened)


def assert_missing_package_costs_its_user_alone(opened: Opener) -> None:
    """See that who only imports a package that is not installed loses nothing, and who uses it is told."""
    with Box(opened.open(LIMITS), LIMITS) as box:
        stubs, failed, _ = box.load({"work.py": MISSING.encode()}, ["dx", "dy"])
        assert failed is None and set(stubs) == {"dx", "dy"}
        assert isinstance(box.call("dx", [{"x": X}]).answers[0], Returned)
        assert "no_such_package is not installed where this is graded" in str(
            box.call("dy", [{"x": X}]).answers[0]
        )


def test_a_failed_import_that_the_file_handles_is_its_own(boxes: Zygote) -> None:
    """``try: import …`` goes the way it was written for."""
    assert_earns(
        boxes,
        f"try:\n    import no_such_package as np\nexcept ImportError:\n    np = None\n{RIGHT}assert np is None\n",
    )


def test_all_that_a_missing_package_holds_cannot_be_stood_for(boxes: Zygote) -> None:
    """Nobody knows what ``from … import *`` would have brought."""
    with Box(boxes.open(LIMITS), LIMITS) as box:
        _, failed, _ = box.load({"work.py": f"from no_such_package import *\n{RIGHT}".encode()}, ["dx"])
        assert failed is not None and "no_such_package is not installed" in failed.message


def test_a_function_is_told_that_a_folder_cannot_be_made(boxes: Zygote) -> None:
    """Only while the file is run does it go on without one."""
    source = "import os\nos.makedirs('out')\ndef dx(x):\n    os.mkdir('out')\n"
    with Box(boxes.open(LIMITS), LIMITS) as box:
        _, failed, _ = box.load({"work.py": source.encode()}, ["dx"])
        assert failed is None
        assert "Error" in str(box.call("dx", [{"x": X}]).answers[0])


def test_a_file_reads_itself(boxes: Zygote) -> None:
    """Its text is what was handed in, wherever the file believes it lies."""
    check = (
        "import inspect, os\nfrom pathlib import Path\n"
        "own = Path(__file__).read_text()\n"
        "assert inspect.getsource(dx) == 'def dx(x):\\n    return x * 2\\n'\n"
        "assert own == open(os.path.abspath(__file__)).read() == open(__file__, 'rb').read().decode()\n"
        "assert 'def dx' in own\n"
    )
    assert_earns(boxes, RIGHT + check)


def test_a_box_sees_nothing_of_the_operator(boxes: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither PATH nor home nor the arguments of the grader."""
    monkeypatch.setenv("PATH", "/opt/operator/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", "/home/operator")
    monkeypatch.setenv("SECRET", "operator")
    check = (
        "import os, sys\n"
        "assert 'operator' not in str(dict(os.environ)) + str(sys.argv) + str(sys.orig_argv)\n"
        "assert sys.argv == ['work.py'] == sys.orig_argv[-1:]\n"
    )
    with closing(Zygote()) as opened:
        assert_earns(opened, RIGHT + check)


def test_plots_and_progress_bars_go_through_what_they_are_given(boxes: Zygote) -> None:
    check = (
        "import matplotlib.pyplot as plt\nfrom tqdm.auto import tqdm, trange\n"
        "assert list(tqdm([1, 2])) == [1, 2] and list(trange(2)) == [0, 1]\n"
        "figure, axes = plt.subplots()\naxes[0].plot([1])\nwith plt.style.context('x'):\n    plt.show()\n"
    )
    assert_earns(boxes, RIGHT + check)
