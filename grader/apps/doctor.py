"""Which isolation layers are in force on this machine, what each protects from, and how to get the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grader.sandbox.layers import layers
from grader.sandbox.layers._ends import ENDS
from grader.sandbox.process import Opener


@dataclass(frozen=True)
class Examination:
    """One layer, examined: ``reason`` says why it is not in force, None where it is."""

    name: str
    protects: str
    remedy: str
    reason: str | None


@dataclass(frozen=True)
class EndState:
    """One thing that strict isolation keeps closed: ``reason`` says why it stands open, None where it is closed.

    ``threat`` is what could happen then, ``needs`` names the sets of layers that close it.
    """

    name: str
    threat: str
    needs: str
    reason: str | None


def examine(boxes: Opener) -> Iterator[Examination]:
    """Every layer, as tried in a throw-away box of this opener."""
    isolation = boxes.isolation
    missing = {layer.name: layer.reason for layer in isolation.missing}
    for layer in layers():
        untried = None if layer.name in isolation.layers else "boxes do not know of it"
        yield Examination(layer.name, layer.protects, layer.remedy, missing.get(layer.name, untried))


def examine_ends(boxes: Opener) -> Iterator[EndState]:
    """Whether answers, network and processes are out of reach of this opener's boxes."""
    unguarded = boxes.unguarded
    for end in ENDS:
        yield EndState(end.name, end.threat, end.needs, unguarded.get(end.name))


def timekeeping(boxes: Opener) -> str:
    """What a time limit counts here, in one sentence."""
    if boxes.counts_processor_time:
        return (
            "Time limits count the seconds in which a submission computes or sleeps, on a busy machine, too."
        )
    return "Time limits count every second on the wall: on a busy machine, give more time."
