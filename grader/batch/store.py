"""Results in an output folder: kept under the digest of all they depend on, for the next run to take up.

Theory of operation
===================

For each submission there are ``OUT/<name>.json`` and ``.html``, and ``OUT/.grade/<name>.json``, its
*record*: the key (see :mod:`grader.grading.fingerprint`) that the scorecard was made under, and a digest of each
file. Every file is written beside its place and moved there, the record last. So whatever happens at whatever
moment, a result counts as kept only if its record names the right key and both files are whole, exactly as they
were written; anything else is graded again.

A record is signed with a key of this user's that lies elsewhere (:mod:`grader.batch.signing`). So whoever can
write to the output folder, a checkout say, cannot put a result there that is believed.

Two runs may share a folder. Who grades a submission holds a lock on it, a thread as well as a process, and the
system releases it when its holder dies in any way; the other run finds the result kept, or waits for it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from grader.batch.atomic_files import encoded, writable_folder, write_whole
from grader.batch.signing import Signer
from grader.batch.task import TaskResult, rendered
from grader.errors import UsageError
from grader.reports import files as file_reports
from grader.reports.book import Entry
from grader.reports.table import Row
from grader.scorecard.model import Scorecard
from grader.submissions.discover import RECORDS

logger = logging.getLogger(__name__)

LOCKS = "locks"

RESERVED = ("gradebook",)
"""Names in the output folder that are the class's, not a submission's."""

LONGEST = 200
"""Bytes of a file's name before its ending; file systems take 255 in all."""

TRAINED = '"training": {'
"""Stands in the JSON of a scorecard with a whole training."""

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""Errors of a file system without locks, such as some network drives: two runs may do the same work there."""

STALE_S = 600
"""A half-written file this old was left by a run that was killed."""


@dataclass(frozen=True)
class Record:
    """What was written for a submission: the key it was made under, each file's digest, and a signature."""

    key: str
    files: Mapping[str, str]
    signature: str


@dataclass(frozen=True)
class Claim:
    """A submission that is held; without a lock where the file system has none.

    Args:
        lock: what holds it.
    """

    lock: BaseFileLock | None

    def release(self) -> None:
        """Release the submission."""
        if self.lock is not None:
            self.lock.release()


@dataclass(frozen=True)
class ResultStore:
    """The results in one output folder.

    Args:
        out: the folder.
        signer: signs what is kept.
    """

    out: Path
    signer: Signer = field(default_factory=Signer, compare=False)

    def open(self) -> None:
        """Make the folder, and remove what a killed run left half written.

        Raises:
            UsageError: it cannot be made or written.
        """
        writable_folder(self.out)
        writable_folder(self.out / RECORDS)
        writable_folder(self.out / RECORDS / LOCKS)
        for folder in (self.out, self.out / RECORDS):
            _sweep(folder)

    def path(self, name: str, suffix: str) -> Path:
        """Return the path of a submission's file of one format."""
        return self.out / _on_disk(f"{stem(name)}{suffix}")

    def knows(self, name: str) -> bool:
        """Whether there is any record of a submission, under whatever key."""
        return self._record_path(name).exists()

    def is_kept(self, name: str, key: str) -> bool:
        """Whether a submission's result was made under this key, and is as this user's run wrote it."""
        return self._whole(name, key) is not None

    def kept(self, name: str, key: str) -> TaskResult | None:
        """A submission's result that was made under this key, None where there is none that can be believed."""
        files = self._whole(name, key)
        if files is None:
            return None
        scorecard = Scorecard.from_json(files[".json"].decode("utf-8"))
        return TaskResult(name, None, files, Row.of(scorecard), Entry.of(scorecard), kept=True)

    def keep(self, scorecard: Scorecard, key: str | None) -> None:
        """Write a result in every format.

        Args:
            scorecard: the result.
            key: what it was made under, or None for one that another run must not take over.

        Raises:
            UsageError: it cannot be written.
        """
        self.write(scorecard.submission.name, rendered(scorecard), key)

    def write(self, name: str, files: Mapping[str, bytes], key: str | None) -> None:
        """Write a result's files.

        Args:
            name: the submission's.
            files: the scorecard in every format, by ending.
            key: what it was made under, or None for one that another run must not take over.

        Raises:
            UsageError: they cannot be written.
        """
        for suffix, content in files.items():
            write_whole(self.path(name, suffix), content)
        if key is not None:
            digests = {suffix: _digest_of(content) for suffix, content in files.items()}
            record = Record(key, digests, self.signer.sign(_told(name, key, digests)))
            write_whole(self._record_path(name), encoded(json.dumps(asdict(record))))

    def text(self, name: str) -> str:
        """A submission's scorecard as JSON text.

        Raises:
            OSError: it is not there.
        """
        return self.path(name, ".json").read_text("utf-8")

    def load(self, name: str) -> Scorecard:
        """A submission's scorecard, read back.

        Raises:
            OSError, ReportError: it is not there, or not a scorecard.
        """
        from grader.reports.stored import load

        return load(self.text(name))

    def richer(self, scorecard: Scorecard) -> Scorecard:
        """A scorecard with the trainings that the stored one of the same work has, and it lacks.

        Training takes minutes, so grading the same work once more must not lose its result.
        """
        from grader.reports.context import ReportError

        with suppress(OSError, ReportError):
            # Most have none, and finding that out is quicker than reading a scorecard back.
            if TRAINED in self.text(scorecard.submission.name):
                return _with_trainings(scorecard, self.load(scorecard.submission.name))
        return scorecard

    @contextmanager
    def claim(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Hold a submission, so that no other run grades it at the same time.

        Args:
            name: the submission's.
            wait: until it is free; else give up at once when it is held.

        Yields:
            Whether it is held now.

        Raises:
            UsageError: the file that is locked cannot be opened or locked.
        """
        taken = self.take(name, wait=wait)
        try:
            yield taken is not None
        finally:
            if taken is not None:
                taken.release()

    def take(self, name: str, *, wait: bool = False) -> Claim | None:
        """Hold a submission until it is released, or until this process ends; None where another holds it.

        Raises:
            UsageError: the file that is locked cannot be opened or locked.
        """
        path = self.out / RECORDS / LOCKS / _on_disk(f"{stem(name)}.lock")
        # A lock of one's own for each claim, so that two threads exclude each other as two processes do.
        lock = FileLock(path, mode=0o644, thread_local=False)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
        except (OSError, NotImplementedError) as error:
            if isinstance(error, NotImplementedError) or error.errno in NO_LOCKS:
                return Claim(None)
            raise UsageError(f"{path}: cannot be locked: {error.strerror}") from error
        return Claim(lock)

    def _whole(self, name: str, key: str) -> dict[str, bytes] | None:
        """The files of a result that was made under this key, if they are as this user's run wrote them."""
        record = self._record(name)
        if record is None or record.key != key or set(record.files) != set(file_reports()):
            return None
        if not self.signer.is_signed(_told(name, key, record.files), record.signature):
            logger.warning(
                "%s: not signed by this user's own run; it is graded anew", self._record_path(name)
            )
            return None
        contents = {suffix: _content(self.path(name, suffix)) for suffix in record.files}
        whole = {suffix: content for suffix, content in contents.items() if content is not None}
        is_whole = all(_digest_of(whole[s]) == d if s in whole else False for s, d in record.files.items())
        return whole if is_whole else None

    def _record_path(self, name: str) -> Path:
        return self.out / RECORDS / _on_disk(f"{stem(name)}.json")

    def _record(self, name: str) -> Record | None:
        """A submission's record, None where there is none that can be read."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = Record(**json.loads(self._record_path(name).read_bytes()))
            return Record(str(found.key), dict(found.files.items()), str(found.signature))
        return None


def _on_disk(name: str) -> str:
    """A file's name in UTF-8, also where Python was told that names on disk are in a poorer encoding."""
    return os.fsdecode(name.encode("utf-8", "replace"))


def stem(name: str) -> str:
    """A submission's file name without its ending: its own name, unless that is reserved, too long or a path."""
    inside = _inside(name)
    if inside != name:
        return f"{stem(inside)}~{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"
    if name.casefold().rstrip("~") in RESERVED:
        return f"{name}~"
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= LONGEST:
        return name
    return encoded[: LONGEST - 20].decode("utf-8", "ignore") + "~" + hashlib.sha256(encoded).hexdigest()[:16]


def _inside(name: str) -> str:
    """A name that leads to no other folder: a service may take one from whoever uploads."""
    for sign in {os.sep, os.altsep or os.sep, "\0"}:
        name = name.replace(sign, "_")
    return name


def _with_trainings(scorecard: Scorecard, stored: Scorecard) -> Scorecard:
    if (stored.submission, stored.grader) != (scorecard.submission, scorecard.grader):
        return scorecard
    trainings = {exercise.id: exercise.training for exercise in stored.exercises}
    for exercise in scorecard.exercises:
        if exercise.training is None and (training := trainings.get(exercise.id)) is not None:
            scorecard = scorecard.with_training(exercise.id, training)
    return scorecard


def _sweep(folder: Path) -> None:
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _told(name: str, key: str, digests: Mapping[str, str]) -> bytes:
    """What a record's signature is about."""
    return json.dumps([name, key, sorted(digests.items())]).encode()


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
