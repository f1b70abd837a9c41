"""Whatever an editor does to a folder, the change is noticed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import watchfiles

from grader.apps.watch.file_events import ticks

LOOKS = 40
"""How often to look at most before giving up: some twenty seconds without any word of a change."""


def seen(looks: Iterator[None], found: Callable[[], bool]) -> bool:
    return any(found() for _, _ in zip(range(LOOKS), looks, strict=False))


def test_a_save_by_renaming_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "ex1.py"
    file.write_text("old")
    looks = ticks(tmp_path)
    next(looks)
    (tmp_path / "ex1.py~").write_text("new")
    os.replace(tmp_path / "ex1.py~", file)
    assert seen(looks, lambda: file.read_text() == "new")


def test_a_folder_comes_and_goes(tmp_path: Path) -> None:
    folder = tmp_path / "me"
    folder.mkdir()
    looks = ticks(folder)
    next(looks)
    shutil.rmtree(folder)
    assert seen(looks, lambda: not folder.exists())
    next(looks)
    folder.mkdir()
    next(looks)
    (folder / "ex1.py").write_text("new")
    assert seen(looks, (folder / "ex1.py").exists)


def test_without_a_watcher_it_looks_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    looks = ticks(tmp_path)
    next(looks)
    next(looks)
