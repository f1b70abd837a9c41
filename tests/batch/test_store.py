"""A result is kept only whole; who holds a submission holds it alone."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grader.batch.signing import Signer
from grader.batch.store import RECORDS, STALE_S, ResultStore, stem
from grader.errors import UsageError
from grader.scorecard.model import SubmissionId
from tests.reports.builders import perfect, sample, trained


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    store = ResultStore(tmp_path / "out", Signer(tmp_path / "key"))
    store.open()
    return store


def test_what_is_kept_is_found_again(store: ResultStore) -> None:
    card = sample()
    store.keep(card, "key")
    assert store.is_kept(card.submission.name, "key")
    assert store.load(card.submission.name) == card
    assert not store.is_kept(card.submission.name, "other key")
    assert not store.is_kept("nobody", "key")


def test_a_result_without_a_key_is_written_and_not_kept(store: ResultStore) -> None:
    store.keep(perfect(), None)
    assert store.path("alice", ".html").exists()
    assert not store.knows("alice")


def test_a_training_outlasts_another_grading_of_the_same_work(store: ResultStore) -> None:
    """Of the same bytes by the same grader, and no other; a new training takes its place."""
    whole = trained()
    plain = replace(whole, exercises=(replace(whole.exercises[0], training=None),))
    assert store.richer(plain) == plain, "there is none yet"
    store.keep(whole, None)
    assert store.richer(plain) == whole
    other = replace(plain, submission=replace(plain.submission, digest="other"))
    assert store.richer(other) == other
    seeded = replace(plain, grader=replace(plain.grader, seed=7))
    assert store.richer(seeded) == seeded
    again = trained(names=("eve",))
    assert store.richer(again) == again
    assert store.richer(replace(plain, exercises=())) == replace(plain, exercises=())


@pytest.mark.parametrize("text", ["", "{", '{"training": {', "[]"])
def test_what_is_no_scorecard_has_no_training(store: ResultStore, text: str) -> None:
    plain = perfect()
    store.path(plain.submission.name, ".json").write_text(text)
    assert store.richer(plain) == plain


@pytest.mark.parametrize("suffix", [".json", ".html"])
@pytest.mark.parametrize("harm", ["torn", "gone", "changed"])
def test_a_file_that_is_not_as_it_was_written_is_not_kept(store: ResultStore, suffix: str, harm: str) -> None:
    store.keep(perfect(), "key")
    path = store.path("alice", suffix)
    whole = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-7] if harm == "torn" else whole.replace(b"26", b"27"))
    assert not store.is_kept("alice", "key")


@pytest.mark.parametrize(
    "record",
    ["", "{", "[]", "null", '{"key": "key"}', '{"key": "key", "files": {}}', '{"key": "key", "files": 3}'],
)
def test_a_record_that_is_not_one_keeps_nothing(store: ResultStore, record: str) -> None:
    store.keep(perfect(), "key")
    (store.out / RECORDS / "alice.json").write_text(record)
    assert not store.is_kept("alice", "key")


@pytest.mark.parametrize("name", ["../ada", "/tmp/ada", "ada/ben", "ada\0"])
def test_no_name_leads_out_of_the_folder(store: ResultStore, name: str) -> None:
    """A service may take it from whoever uploads."""
    assert store.path(name, ".json").parent == store.out
    assert stem(name) not in (stem("_".join(re.split("[/\0]", name))), stem("ada"))
    card = sample()
    card = replace(card, submission=SubmissionId(name, card.submission.digest))
    store.keep(card, "key")
    assert store.is_kept(name, "key")
    with store.claim(name, wait=False) as held:
        assert held


def test_names_of_the_class_are_not_a_submissions(store: ResultStore) -> None:
    names = [
        "gradebook",
        "Gradebook",
        "gradebook~",
        "gradebook~~",
        "a" * 250,
        "ä" * 150,
        "ä" * 151,
        "x",
        "x~",
    ]
    stems = [stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert not {"gradebook"} & {one.casefold() for one in stems}
    for name in names:
        store.keep(replace(perfect(), submission=SubmissionId(name, "d")), "key")
        assert store.is_kept(name, "key")


def _hold(store: ResultStore, seconds: float) -> None:
    with store.claim("ada", wait=True):
        (store.out / "held").touch()
        time.sleep(seconds)
        os._exit(0)  # not even a proper end is needed for the lock to go


def test_one_process_at_a_time_holds_a_submission(store: ResultStore) -> None:
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(store, 1.5))
    holder.start()
    while not (store.out / "held").exists():
        time.sleep(0.01)
    with store.claim("ada", wait=False) as is_ours:
        assert not is_ours
    with store.claim("ben", wait=False) as is_ours:
        assert is_ours
    with store.claim("ada", wait=True) as is_ours:
        assert is_ours
    holder.join()


def test_what_a_killed_run_left_half_written_goes_in_time(store: ResultStore) -> None:
    old, new = store.out / ".abc.tmp", store.out / ".def.tmp"
    for path in (old, new):
        path.write_text("half")
    long_ago = time.time() - 2 * STALE_S
    os.utime(old, (long_ago, long_ago))
    store.open()
    assert not old.exists()
    assert new.exists(), "another run may be writing it"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^out: .*expected a folder"):
        ResultStore(tmp_path / "file" / "out").open()


def refuse(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Have the system refuse every lock, and say why."""

    def acquire(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("grader.batch.store.FileLock.acquire", acquire)


@pytest.mark.parametrize("wait", [True, False])
def test_a_folder_without_locks_is_graded_all_the_same(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    refuse(monkeypatch, errno.ENOLCK)
    with store.claim("ada", wait=wait) as is_ours:
        assert is_ours


@pytest.mark.parametrize("wait", [True, False])
def test_a_lock_that_cannot_be_had_is_the_operators_to_see_to(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    refuse(monkeypatch, errno.EIO)
    with (
        pytest.raises(UsageError, match=r"ada\.lock: cannot be locked: Input/output error"),
        store.claim("ada", wait=wait),
    ):
        pass


def test_two_threads_do_not_hold_the_same_submission(store: ResultStore) -> None:
    """Nor do two stores of one process on the same folder."""
    twin, found = ResultStore(store.out), []

    def look() -> None:
        for one in (store, twin):
            with one.claim("ada", wait=False) as is_ours:
                found.append(is_ours)

    with store.claim("ada", wait=False) as is_ours:
        assert is_ours
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [False, False]
    with twin.claim("ada", wait=False) as is_ours:
        assert is_ours, "it is free again"


def test_a_result_that_somebody_else_put_there_is_not_believed(
    store: ResultStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can write to the folder has no key to sign with; a record with no signature is none."""
    stranger = replace(store, signer=Signer(tmp_path / "elsewhere"))
    stranger.keep(perfect(), "key")
    assert stranger.is_kept("alice", "key")
    assert not store.is_kept("alice", "key")
    assert "graded anew" in caplog.text
    path = store.out / RECORDS / "alice.json"
    told = json.loads(path.read_text())
    del told["signature"]
    path.write_text(json.dumps(told))
    assert not store.is_kept("alice", "key")


def test_a_signature_is_of_one_submissions_result_alone(store: ResultStore) -> None:
    """A perfect friend's record, copied, makes nobody else's."""
    store.keep(perfect(), "key")
    for folder, suffix in ((store.out, ".json"), (store.out, ".html"), (store.out / RECORDS, ".json")):
        (folder / f"bob{suffix}").write_bytes((folder / f"alice{suffix}").read_bytes())
    assert not store.is_kept("bob", "key")
