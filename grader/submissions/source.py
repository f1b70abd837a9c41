"""The code a student handed in for one exercise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A submission's file for one exercise, and the modules beside it, as bytes by file name."""

    filename: str
    content: bytes = field(repr=False)
    helpers: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def files(self) -> Mapping[str, bytes]:
        """All of them, the file itself first, as a box takes them."""
        return {self.filename: self.content, **self.helpers}
