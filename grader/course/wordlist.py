"""A word list, and the (context, next character) examples in it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import UsageError

if TYPE_CHECKING:
    import torch

END = "."
"""The character before the first and after the last one of every word; its index is 0."""

SPLIT_SEED = 42
TRAIN_SHARE = 0.8
VALIDATION_SHARE = 0.9


@dataclass(frozen=True)
class Words:
    """A word list as the lecture uses it: shuffled with seed 42, its first 80 % for training.

    ``alphabet`` is the end mark and then every character in the list, sorted; a character's index in it is
    its number.
    """

    path: Path
    words: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Words:
        """Read a word list: UTF-8 text, one word a line.

        Raises:
            UsageError: the file cannot be read, holds no word, or a word holds the end mark.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: expected a UTF-8 text with one word a line: {error}") from error
        for number, line in enumerate(lines, 1):
            if END in line:
                raise UsageError(f"{path}:{number}: expected a word without {END!r}, found {line!r}")
        words = tuple(line.strip() for line in lines if line.strip())
        if not words:
            raise UsageError(f"{path}: expected at least one word, found none")
        return cls(path, words)

    @cached_property
    def alphabet(self) -> str:
        """The end mark, then every character of the list in order."""
        return END + "".join(sorted(set("".join(self.words))))

    @cached_property
    def training(self) -> tuple[str, ...]:
        """The lecture's training split: the first 80 % after a shuffle with ``random.seed(42)``."""
        return self._shuffled[: self._cut(TRAIN_SHARE)]

    @cached_property
    def validation(self) -> tuple[str, ...]:
        """The lecture's validation split: the 10 % that follow; the rest is for a test."""
        return self._shuffled[self._cut(TRAIN_SHARE) : self._cut(VALIDATION_SHARE)]

    @cached_property
    def _shuffled(self) -> tuple[str, ...]:
        shuffled = list(self.words)
        random.Random(SPLIT_SEED).shuffle(shuffled)
        return tuple(shuffled)

    def _cut(self, share: float) -> int:
        return int(share * len(self.words))

    def windows(self, block: int, words: tuple[str, ...] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The examples in some words.

        Args:
            block: how many characters of context.
            words: a split of the list, the training split by default.

        Returns:
            Contexts (examples, block) and the character that follows each, (examples,), both int64.
        """
        # Joined by runs of end marks as long as a context, one window over all of it sees no two words at once.
        chosen = self.training if words is None else words
        joined = END * block + "".join(word + END * block for word in chosen)
        stream = self._numbers(joined)
        views = stream.unfold(0, block + 1, 1)
        # A context that starts on the last character of a word or an end mark in between belongs to no word.
        follows = views[:, -1]
        inside = (follows != 0) | (views[:, -2] != 0)
        return views[inside, :-1], follows[inside]

    def _numbers(self, text: str) -> torch.Tensor:
        """Each character's index in the alphabet, (characters,) of int64."""
        import torch

        points = torch.frombuffer(bytearray(text.encode("utf-32-le")), dtype=torch.int32)
        letters = torch.tensor([ord(letter) for letter in self.alphabet[1:]], dtype=torch.int32)
        return torch.where(points == ord(END), 0, torch.searchsorted(letters, points) + 1)
