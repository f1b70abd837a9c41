"""The examples in a word list are the lecture's: its shuffle, its splits, its windows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from grader.course.wordlist import Words
from grader.errors import UsageError
from tests.conftest import ROOT

BLOCK = 3


def build_dataset(words: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """As the lecture writes it."""
    chars = sorted(set("".join(Words.load(ROOT / "exercises/data/names.txt").words)))
    stoi = {s: i + 1 for i, s in enumerate(chars)} | {".": 0}
    X, Y = [], []
    for w in words:
        context = [0] * BLOCK
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]  # noqa: RUF005 - as it is written there
    return torch.tensor(X), torch.tensor(Y)


def test_splits_and_windows_are_the_lectures() -> None:
    """80 and 10 of 100 after a shuffle with ``random.seed(42)``, held against the lecture's own code."""
    found = Words.load(ROOT / "exercises/data/names.txt")
    words = (ROOT / "exercises/data/names.txt").read_text("utf-8").splitlines()
    before = random.getstate()
    random.seed(42)
    random.shuffle(words)
    random.setstate(before)
    n1, n2 = int(0.8 * len(words)), int(0.9 * len(words))
    for split, own in ((None, words[:n1]), (found.validation, words[n1:n2])):
        X, Y = build_dataset(own)
        contexts, targets = found.windows(BLOCK, split)
        assert torch.equal(contexts, X) and torch.equal(targets, Y)


@pytest.mark.parametrize("text", ["", "\n\n", "a.b\n"])
def test_a_list_without_words_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "words.txt").write_text(text)
    with pytest.raises(UsageError, match=r"words\.txt"):
        Words.load(tmp_path / "words.txt")
