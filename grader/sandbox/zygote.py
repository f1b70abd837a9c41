"""The zygote: a process that has imported torch once and forks a box for every submission that asks for one.

It holds no answer and reads no reference: it is told only which paths to hide and how much a box may use. It
talks to the judge over one socket, its *control*:

    judge → zygote   {"hidden": [...]}                        first of all
    zygote → judge   {"layers": [...], "missing": [...], ...} ready; what is in force was tried in a box
    judge → zygote   {"open": {...}}  + one end of a socket   fork a box on it
    zygote → judge   {"pid": ...}     + the box's pidfd; or {"failed": why} where a layer did not do its work
    box → judge      {"confined": true}                       on its own socket, before any student code;
                                                              or {"failed": why}
    judge → zygote   {"reap": pid, "tell": true}              the box has ended or been killed
    zygote → judge   {"status": ...}                          only where the judge wanted to be told

When the control closes, the zygote ends, and its boxes with it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from grader.sandbox import frames, pages
from grader.sandbox.frames import Frame
from grader.sandbox.layers import Breach, Confinement, Hook, Layer, Unavailable, layers
from grader.sandbox.layers._ends import open_ends
from grader.sandbox.layers._linux import fork
from grader.sandbox.stand_ins import StandIns

GARBAGE = 20_000
"""Objects a box may make before the collector looks at them; most boxes end earlier."""

A_CLASS = 24
"""Boxes after which it pays to make forks cheaper; a single submission opens only a few."""

PRELOADED = (
    "bisect", "collections", "copy", "dataclasses", "decimal", "fractions", "functools", "heapq", "itertools",
    "math", "operator", "random", "statistics", "string", "time", "typing",
)  # fmt: skip
"""What students import most; it is imported once, in the zygote."""


CONFINED = Frame({"confined": True})
"""A box's first word."""


class Layers:
    """The layers of this zygote: runs their hooks and keeps who could not do its work, and why."""

    def __init__(self, found: tuple[Layer, ...]) -> None:
        self._layers = found
        self.missing: dict[str, str] = {}

    def try_out(self, hook: Callable[[Layer], Hook], confinement: Confinement) -> None:
        """Run one moment's hook of every layer that is still in force, and strike those that fail."""
        for layer in self.in_force:
            try:
                hook(layer)(confinement)
            except Unavailable as reason:
                self.missing[layer.name] = str(reason)
            except OSError as refusal:  # a layer that forgot to say so is missing all the same
                self.missing[layer.name] = f"the system refuses: {refusal}"

    def enforce(self, hook: Callable[[Layer], Hook], confinement: Confinement) -> None:
        """Run one moment's hook of every layer in force.

        Raises:
            Unavailable: a layer that is said to be in force failed; there must be no box without it.
        """
        for layer in self.in_force:
            try:
                hook(layer)(confinement)
            except (Unavailable, OSError) as reason:
                raise Unavailable(f"{layer.name}: {reason}") from reason

    @property
    def in_force(self) -> tuple[Layer, ...]:
        """The layers that have not been found missing, by rank."""
        return tuple(layer for layer in self._layers if layer.name not in self.missing)

    def unguarded(self) -> dict[str, str]:
        """The ends that stand open with the layers in force, and which missing layers would help."""
        return open_ends([layer.name for layer in self.in_force], self.missing)

    def survey(self, confinement: Confinement) -> None:
        """Try every layer's forbidden act in a throw-away box, and strike the layers that let it happen."""
        reader, writer = os.pipe()
        self.try_out(lambda layer: layer.before_fork, confinement)
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            self._probe(writer, replace(confinement, keep_fds=(writer,)))
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            verdicts = dict(json.loads(line) for line in lines)
        os.waitpid(pid, 0)
        for layer in self.in_force:
            reason = verdicts.get(layer.name, "its probe did not come to an end")
            if reason:
                self.missing[layer.name] = reason

    def _probe(self, writer: int, confinement: Confinement) -> NoReturn:
        try:
            self.try_out(lambda layer: layer.inside, confinement)
            for name, verdict in self._verdicts(confinement):
                os.write(writer, json.dumps([name, verdict]).encode() + b"\n")
        finally:
            os._exit(0)

    def _verdicts(self, confinement: Confinement) -> Iterator[tuple[str, str]]:
        yield from self.missing.items()
        for layer in self.in_force:
            try:
                layer.probe(confinement)
            except Breach as breach:
                yield layer.name, str(breach)
            except Exception as error:
                yield layer.name, f"its probe failed: {type(error).__name__}: {error}"
            else:
                yield layer.name, ""


class Zygote:
    """Forks boxes on request until the control closes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._layers = Layers(layers())
        self._children: set[int] = set()
        self._opened = 0
        self._pages: list[tuple[int, int]] = []
        self._stand_ins = StandIns()
        self._confinement = Confinement(memory_limit_mb=1024, cpu_limit_s=60)

    def start(self) -> None:
        """Put up the layers, import and warm torch, try the layers, and say what is in force."""
        hidden = frames.receive(self._control).head["hidden"]
        self._confinement = replace(self._confinement, hidden=tuple(map(Path, hidden)))
        self._layers.try_out(lambda layer: layer.early, self._confinement)
        self._stand_ins = warm_up()
        self._layers.try_out(lambda layer: layer.warm, self._confinement)
        # Looked up here, because /proc is gone once a box has been forked.
        self._pages = pages.private()
        # What is alive now stays alive: the collector of a box need not look at (and so copy) these pages.
        gc.freeze()
        gc.enable()
        gc.set_threshold(GARBAGE)
        self._layers.survey(self._confinement)
        missing = [{"name": name, "reason": reason} for name, reason in self._layers.missing.items()]
        in_force = [layer.name for layer in self._layers.in_force]
        frames.send(
            self._control,
            Frame({"layers": in_force, "missing": missing, "unguarded": self._layers.unguarded()}),
        )

    def serve(self) -> None:
        """Open and reap boxes until the control closes."""
        try:
            while True:
                head = frames.receive(self._control).head
                if "open" in head:
                    self._open(replace(self._confinement, **head["open"]))
                else:
                    self._reap(head["reap"], tell=head["tell"])
        except frames.WireError:
            for pid in self._children:
                os.kill(pid, signal.SIGKILL)

    def _open(self, confinement: Confinement) -> None:
        _, (descriptor,), _, _ = socket.recv_fds(self._control, 1, 1)
        try:
            self._layers.enforce(lambda layer: layer.before_fork, confinement)
            pid = fork()
        except (Unavailable, OSError) as reason:
            os.close(descriptor)
            frames.send(self._control, Frame({"failed": str(reason)}))
            return
        if pid == 0:
            self._become_box(descriptor, replace(confinement, keep_fds=(descriptor,)))
        os.close(descriptor)
        self._children.add(pid)
        self._opened += 1
        if self._opened == A_CLASS:
            pages.collapse(self._pages)
        frames.send(self._control, Frame({"pid": pid}))
        pidfd = os.pidfd_open(pid)
        socket.send_fds(self._control, [b"p"], [pidfd])
        os.close(pidfd)

    def _become_box(self, descriptor: int, confinement: Confinement) -> NoReturn:
        try:
            from grader.sandbox.student import Inside

            self._control.close()
            connection = socket.socket(fileno=descriptor)
            if self._confined(connection, confinement):
                Inside(connection, self._stand_ins).serve()
        finally:
            os._exit(0)

    def _confined(self, connection: socket.socket, confinement: Confinement) -> bool:
        """Put up the layers of a box, and tell the judge whether they stand."""
        try:
            self._layers.enforce(lambda layer: layer.inside, confinement)
        except Unavailable as reason:
            frames.send(connection, Frame({"failed": str(reason)}))
            return False
        frames.send(connection, CONFINED)
        return True

    def _reap(self, pid: int, *, tell: bool) -> None:
        _, status = os.waitpid(pid, 0)
        self._children.discard(pid)
        if tell:
            frames.send(self._control, Frame({"status": status}))


def warm_up() -> StandIns:
    """Import torch and what students use with it, run what torch loads on first use, and put up the stand-ins."""
    import importlib
    import random

    import numpy
    import torch
    import torch.nn.functional as F

    from grader.sandbox import payload, student

    torch.set_num_threads(1)
    for name in PRELOADED:
        importlib.import_module(name)
    # Every box starts from the same random state; otherwise each zygote would have a state of its own.
    random.seed(0)
    torch.manual_seed(0)
    numpy.random.seed(0)
    x = torch.arange(6.0).view(2, 3)
    rows = torch.tensor([0, 1, 0])
    f = F.one_hot(rows, 3).float() @ x.new_ones(3, 3) + torch.einsum("ij,kj->ik", x, x).sum()
    x.clone().index_add_(0, rows[:2], x)
    str(f.softmax(1)), f.var(0, keepdim=True, unbiased=True), x[range(2), rows[:2]].mean(), x.max(1).values
    payload.unpack_own(payload.pack({"x": x, "rows": rows}))
    student.Output().take()
    # Other parts of torch import this late, when its folder is hidden from the box.
    importlib.import_module("torch._decomp.decompositions_for_rng")
    stand_ins = StandIns()
    stand_ins.put_up(torch)
    return stand_ins


def main(descriptor: int) -> None:
    """Be a zygote whose control is an inherited socket."""
    # The terminal's Ctrl-C goes to the whole group; the judge decides when a zygote ends.
    signal.signal(signal.SIGINT, _ignore)
    # Importing makes no garbage worth collecting, and a collector that looks for it costs a tenth of the time.
    gc.disable()
    zygote = Zygote(socket.socket(fileno=descriptor))
    zygote.start()
    zygote.serve()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take a signal and do nothing; unlike SIG_IGN it is not inherited through an exec."""


if __name__ == "__main__":
    main(int(sys.argv[1]))
