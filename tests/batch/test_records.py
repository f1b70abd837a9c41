"""What is written in an output folder, byte by byte, and how a lock is asked for."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import Timeout

from grader.batch import store as stores
from grader.batch.signing import Signer
from grader.batch.store import LONGEST, RECORDS, STALE_S, Claim, ResultStore, stem
from grader.batch.task import rendered
from grader.errors import UsageError
from grader.reports.book import Entry
from grader.reports.table import Row
from grader.scorecard.model import SubmissionId
from tests.reports.builders import perfect, sample, trained

FILES = {".json": b'{"a": 1}', ".html": b"<p>"}


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    store = ResultStore(tmp_path / "out", Signer(tmp_path / "key"))
    store.open()
    return store


def record(store: ResultStore, name: str) -> Path:
    return store.out / ".grade" / f"{name}.json"


def test_a_folder_is_made_with_its_records_and_locks(store: ResultStore) -> None:
    store.open()
    assert sorted(path.relative_to(store.out).as_posix() for path in store.out.rglob("*")) == [
        ".grade",
        ".grade/locks",
    ]


@pytest.mark.parametrize("place", ["", RECORDS, f"{RECORDS}/locks"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, place: str) -> None:
    """The outermost of them is: that is what there is to see to."""
    path = tmp_path / "out" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(UsageError, match=rf"{path}: expected a folder"):
        ResultStore(tmp_path / "out", Signer(tmp_path / "key")).open()


def test_a_result_comes_back_as_it_was(store: ResultStore) -> None:
    card = sample()
    store.keep(card, "key")
    kept = store.kept(card.submission.name, "key")
    assert kept is not None
    assert (kept.name, kept.path, kept.kept) == (card.submission.name, None, True)
    assert kept.files == rendered(card)
    assert (kept.row, kept.entry, kept.scorecard) == (Row.of(card), Entry.of(card), card)
    assert store.kept(card.submission.name, "other") is None
    assert store.knows(card.submission.name)
    assert not store.knows("nobody")
    assert store.text(card.submission.name) == rendered(card)[".json"].decode()


def test_files_lie_where_they_are_said_to(store: ResultStore) -> None:
    store.write("ada", FILES, "key")
    assert store.path("ada", ".html") == store.out / "ada.html"
    assert (store.out / "ada.html").read_bytes() == b"<p>"
    told = json.loads(record(store, "ada").read_bytes())
    digests = {suffix: hashlib.sha256(content).hexdigest() for suffix, content in FILES.items()}
    signed = store.signer.sign(json.dumps(["ada", "key", sorted(digests.items())]).encode())
    assert told == {"key": "key", "files": digests, "signature": signed}


@pytest.mark.parametrize("key", ["key", None])
def test_a_name_without_a_form_in_utf_8_has_files_all_the_same(store: ResultStore, key: str | None) -> None:
    store.write("a\ud800", FILES, key)
    assert store.path("a\ud800", ".json") == store.out / "a?.json"
    assert store.is_kept("a\ud800", "key") == (key is not None)
    with store.claim("a\ud800", wait=False) as is_ours:
        assert is_ours


def test_a_result_without_every_format_is_not_kept(store: ResultStore) -> None:
    """Another version of the grader may have written more formats, or fewer."""
    store.write("ada", {".json": FILES[".json"]}, "key")
    assert not store.is_kept("ada", "key")
    store.write("ada", {**FILES, ".txt": b"more"}, "key")
    assert not store.is_kept("ada", "key")
    store.write("ada", FILES, "key")
    assert store.is_kept("ada", "key")


@pytest.mark.parametrize("field", ["key", "files", "signature"])
@pytest.mark.parametrize("value", [3, None, {}, [], "x"])
def test_no_field_of_a_record_may_be_another(store: ResultStore, field: str, value: object) -> None:
    store.write("ada", FILES, "key")
    told = json.loads(record(store, "ada").read_bytes())
    record(store, "ada").write_text(json.dumps({**told, field: value}))
    assert not store.is_kept("ada", "key")
    assert store.knows("ada")


def test_a_strangers_record_is_warned_of_where_it_lies(
    store: ResultStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replace(store, signer=Signer(tmp_path / "elsewhere")).write("ada", FILES, "key")
    assert store.kept("ada", "key") is None
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.name == "grader.batch.store"
    assert warning.getMessage().startswith(f"{record(store, 'ada')}: ")


def test_two_stores_of_a_folder_are_equal_whoever_signs(store: ResultStore, tmp_path: Path) -> None:
    assert store == replace(store, signer=Signer(tmp_path / "elsewhere"))
    assert store != replace(store, out=tmp_path)


@pytest.mark.parametrize("name", ["gradebook", "GradeBook", "gradebook~", "gradebook~~"])
def test_a_reserved_name_is_marked(name: str) -> None:
    assert stem(name) == f"{name}~"


@pytest.mark.parametrize("name", ["ada", "gradebooks", "my gradebook", "~", "ada~", "a" * 200, "ä" * 100])
def test_any_other_name_is_kept(name: str) -> None:
    assert stem(name) == name


@pytest.mark.parametrize(("name", "start"), [("a" * 201, "a" * 180), ("xä" * 67, "xä" * 60)])
def test_a_long_name_is_cut_and_told_apart(name: str, start: str) -> None:
    found = stem(name)
    assert found == f"{start}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    assert len(found.encode()) <= LONGEST == 200


def test_a_long_name_is_not_cut_within_a_character() -> None:
    assert stem("a" + "ä" * 100).startswith("a" + "ä" * 89 + "~")


def test_a_long_name_without_a_form_in_utf_8_is_cut_too() -> None:
    assert stem("\ud800" * 201).startswith("?" * 180 + "~")


@pytest.mark.parametrize(("age", "goes"), [(599.0, False), (600.0, False), (601.0, True)])
@pytest.mark.parametrize("folder", ["", RECORDS])
def test_ten_minutes_are_long_enough_to_write_a_file(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, folder: str, age: float, goes: bool
) -> None:
    assert STALE_S == 600
    half, whole = store.out / folder / ".abc.tmp", store.out / folder / "abc.tmp"
    for path in (half, whole):
        path.touch()
        os.utime(path, (1000.0, 1000.0))
    monkeypatch.setattr("grader.batch.store.time.time", lambda: 1000.0 + age)
    store.open()
    assert half.exists() == (not goes)
    assert whole.exists(), "it is not one of ours"


def test_a_half_written_file_that_is_gone_meanwhile_is_no_trouble(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may sweep, too."""
    (store.out / ".abc.tmp").touch()

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("grader.batch.store.time.time", lambda: 1e12)
    monkeypatch.setattr(Path, "unlink", gone)
    store.open()


class Lock:
    """Says what it was asked for; refuses with an error if it has one."""

    error: Exception | None = None
    made: tuple[Any, ...] = ()
    asked: float | None = None
    freed = 0

    def __init__(self, path: Path, **how: Any) -> None:
        type(self).made = (path, how)

    def acquire(self, timeout: float | None = None) -> None:
        type(self).asked = timeout
        if self.error is not None:
            raise self.error

    def release(self) -> None:
        type(self).freed += 1


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> type[Lock]:
    made = type("Made", (Lock,), {})
    monkeypatch.setattr(stores, "FileLock", made)
    return made


@pytest.mark.parametrize(("wait", "timeout"), [(True, -1), (False, 0)])
def test_a_lock_is_waited_for_or_not_at_all(
    store: ResultStore, lock: type[Lock], wait: bool, timeout: float
) -> None:
    """It is readable by other users, and belongs to a claim and not to a thread."""
    with store.claim("ada", wait=wait) as is_ours:
        assert is_ours
        assert lock.freed == 0
    assert lock.made == (store.out / ".grade/locks/ada.lock", {"mode": 0o644, "thread_local": False})
    assert lock.asked == timeout
    assert lock.freed == 1


def test_to_take_does_not_wait_unless_asked_to(store: ResultStore, lock: type[Lock]) -> None:
    taken = store.take("ada")
    assert lock.asked == 0
    assert taken is not None
    taken.release()
    assert lock.freed == 1
    store.take("ada", wait=True)
    assert lock.asked == -1


def test_a_claim_is_given_up_when_its_holder_fails(store: ResultStore, lock: type[Lock]) -> None:
    with pytest.raises(KeyError), store.claim("ada", wait=False):
        raise KeyError
    assert lock.freed == 1


def test_a_held_lock_is_not_released_by_another(store: ResultStore, lock: type[Lock]) -> None:
    lock.error = Timeout("ada.lock")
    assert store.take("ada") is None
    with store.claim("ada", wait=False) as is_ours:
        assert not is_ours
    assert lock.freed == 0


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOLCK, ""), OSError(errno.EOPNOTSUPP, ""), NotImplementedError()]
)
def test_where_there_are_no_locks_none_is_held(
    store: ResultStore, lock: type[Lock], error: Exception
) -> None:
    lock.error = error
    taken = store.take("ada")
    assert taken == Claim(None)
    assert taken is not None
    taken.release()
    assert lock.freed == 0


def test_why_a_lock_cannot_be_had_is_said(store: ResultStore, lock: type[Lock]) -> None:
    lock.error = OSError(errno.EACCES, "Permission denied")
    path = store.out / ".grade/locks/ada.lock"
    with pytest.raises(UsageError) as caught:
        store.take("ada")
    assert str(caught.value).startswith(f"{path}: cannot be locked: Permission denied")


def test_a_stored_training_is_taken_over_where_there_is_none(store: ResultStore) -> None:
    """The others of the exercises stay as they are."""
    whole = trained()
    first = whole.exercises[0]
    second = replace(first, id="another")
    stored = replace(whole, exercises=(first, second))
    store.keep(stored, None)
    assert first.training is not None
    newer = replace(first.training, steps=7)
    plain = replace(stored, exercises=(replace(first, training=newer), replace(second, training=None)))
    found = store.richer(plain)
    assert [one.training for one in found.exercises] == [newer, second.training]
    missing = replace(stored, exercises=(replace(first, id="third", training=None), plain.exercises[1]))
    assert [one.training for one in store.richer(missing).exercises] == [None, second.training]


def test_a_scorecard_without_a_training_is_not_read_back(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read one takes longer than to see that there is nothing to take over."""
    store.keep(perfect(), None)
    monkeypatch.setattr(ResultStore, "load", lambda *_: pytest.fail("read back"))
    assert store.richer(perfect()) == perfect()


def test_the_submission_that_is_kept_is_named_by_its_scorecard(store: ResultStore) -> None:
    store.keep(replace(perfect(), submission=SubmissionId("bob", "d")), "key")
    assert store.path("bob", ".json").exists()
    assert record(store, "bob").exists()


def test_a_scorecard_is_read_as_it_was_written(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In UTF-8, whatever the system's own encoding is."""
    store.write("ada", {".json": "é".encode()}, None)
    read, asked = Path.read_text, []

    def noting(path: Path, encoding: str | None = None) -> str:
        asked.append(encoding)
        return read(path, encoding)

    monkeypatch.setattr(Path, "read_text", noting)
    assert store.text("ada") == "é"
    assert asked == ["utf-8"]
