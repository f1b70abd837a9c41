"""Tells files in which gradients are derived by hand from others: their text is searched, but not parsed.

Most notebooks of a project are nobody's submission, so that a no has to be quick.
"""

from __future__ import annotations

import re
from collections.abc import Collection

SPELLINGS = (
    "d{}", "d_{}", "{}_grad", "grad_{}", "{}grad", "dL_d{}", "dLd{}", "dL{}", "dloss_d{}", "dl_d{}",
    "g_{}", "{}_d", "delta_{}",
)  # fmt: skip
"""How people name the gradient of a tensor."""

TESTS = re.compile(
    rb"^\s*(?:(?:async\s+)?def\s+test|class\s+Test|(?:import|from)\s+(?:pytest|unittest)\b)", re.M
)
"""What makes a Python file somebody's tests."""

ASSIGNED = re.compile(rb'^[ \t"]*([A-Za-z_]\w*)[ \t]*(?:\[[^\]\n]*\][ \t]*)?[-+*/]?=(?!=)', re.M)
"""A name that is given a value, in plain text or in a notebook's JSON, where lines stand in quotes."""

WORD = rb"(?<![A-Za-z_0-9])%s(?![A-Za-z_0-9])"


def holds_tests(content: bytes) -> bool:
    """Whether a Python file is somebody's tests."""
    return TESTS.search(content) is not None


def names_most(content: bytes, gradients: Collection[str]) -> bool:
    """Whether a file names at least half of some gradients, be it in comments as in the lecture's own notebook.

    Args:
        content: a Python file or a notebook, as its bytes.
        gradients: their names, such as ``dprobs``.
    """
    text = _on_lines(content)
    # The longest are the rarest: a file about something else is done with after half of them.
    names = sorted(gradients, key=len, reverse=True)
    spare = len(names) // 2
    for name in names:
        word = name.encode()
        if word not in text or not re.search(WORD % re.escape(word), text):
            spare -= 1
            if spare < 0:
                return False
    return bool(names)


def pairs(content: bytes) -> int:
    """How many values a file assigns a gradient to as well, whatever they are called."""
    names = {name.decode() for name in ASSIGNED.findall(_on_lines(content))}
    return sum(any(form.format(name) in names for form in SPELLINGS) for name in names)


def _on_lines(content: bytes) -> bytes:
    """A text with a notebook's line ends as line ends: some write all of a cell as one string."""
    return content.replace(b"\\n", b"\n")
