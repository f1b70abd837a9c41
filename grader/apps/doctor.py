"""Which isolation layers are in force on this machine, what each protects from, and how to get the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grader.sandbox.layers import layers
from grader.sandbox.process import Opener


@dataclass(frozen=True)
class Examination:
    """One layer, examined: ``reason`` says why it is not in force, None where it is."""

    name: str
    protects: str
    remedy: str
    reason: str | None


def examine(boxes: Opener) -> Iterator[Examination]:
    """Every layer, as tried in a throw-away box of this opener."""
    missing = {layer.name: layer.reason for layer in boxes.isolation.missing}
    for layer in layers():
        yield Examination(layer.name, layer.protects, layer.remedy, missing.get(layer.name))


def timekeeping(boxes: Opener) -> str:
    """What a time limit counts here, in one sentence."""
    if boxes.counts_processor_time:
        return (
            "Time limits count the seconds in which a submission computes or sleeps, on a busy machine, too."
        )
    return "Time limits count every second on the wall: on a busy machine, give more time."
