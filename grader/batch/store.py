"""Results in an output folder: kept under the digest of all they depend on, for the next run to take up.

Theory of operation
===================

For each submission there are ``OUT/<name>.json`` and ``.html``, and ``OUT/.grade/<name>.json``, its
*record*: the key (see :mod:`grader.grading.fingerprint`) the scorecard was made under, and a digest of each file.
Every file is written beside its place and moved there, the record last. So whatever happens at whatever moment, a
result counts as kept only if its record names the right key and both files are whole, exactly as they were
written; anything else is graded again.

Two runs may share a folder. Who grades a submission holds a lock on it, which the system releases when its
holder dies in any way; the other run finds the result kept, or waits for it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader.batch.atomic_files import encoded, writable_folder, write_whole
from grader.errors import UsageError
from grader.submissions.discover import RECORDS

try:
    import fcntl
except ImportError:  # Windows: two runs at once may grade a submission twice; files are whole all the same
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from grader.scorecard.model import Scorecard

LOCKS = "locks"

RESERVED = ("gradebook",)
"""Names in the output folder that are the class's, not a submission's."""

LONGEST = 200
"""Bytes of a file's name before its ending; file systems take 255 in all."""

TRAINED = '"training": {'
"""Stands in the JSON of a scorecard with a whole training."""

HELD = (errno.EAGAIN, errno.EACCES)
"""What the system says of a lock that another process holds: one or the other, as it likes."""

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system without locks says, as some networks' are: there, two runs at once may do the same work."""

STALE_S = 600
"""A half-written file this old was left by a run that was killed."""


@dataclass(frozen=True)
class Record:
    """What was written for a submission: the key it was made under, and each file's digest by its ending."""

    key: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class ResultStore:
    """The results in one output folder."""

    out: Path

    def open(self) -> None:
        """Make the folder, and remove what a killed run left half written.

        Raises:
            UsageError: it cannot be made or written.
        """
        writable_folder(self.out)
        writable_folder(self.out / RECORDS)
        for folder in (self.out, self.out / RECORDS):
            _sweep(folder)

    def path(self, name: str, suffix: str) -> Path:
        """Where a submission's file of one format is."""
        return self.out / f"{stem(name)}{suffix}"

    def knows(self, name: str) -> bool:
        """Whether there is any record of a submission, under whatever key."""
        return self._record_path(name).exists()

    def is_kept(self, name: str, key: str) -> bool:
        """Whether a submission's result was made under this key and is as it was written."""
        from grader.reports import files

        record = self._record(name)
        if record is None or record.key != key or set(record.files) != set(files()):
            return False
        return all(_digest(self.path(name, suffix)) == digest for suffix, digest in record.files.items())

    def keep(self, scorecard: Scorecard, key: str | None) -> None:
        """Write a result in every format.

        Args:
            scorecard: the result.
            key: what it was made under, or None for one that another run must not take over.

        Raises:
            UsageError: it cannot be written.
        """
        from grader.reports import files

        name = scorecard.submission.name
        contents = {suffix: encoded(render(scorecard)) for suffix, render in files().items()}
        for suffix, content in contents.items():
            write_whole(self.path(name, suffix), content)
        if key is not None:
            record = Record(key, {suffix: _digest_of(content) for suffix, content in contents.items()})
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

        To train takes minutes; to grade the same work once more must not cost what came of it.
        """
        from grader.reports.context import ReportError

        with suppress(OSError, ReportError):
            # Most have none, and to read a scorecard back takes longer than to find that out.
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
        if fcntl is None:
            yield True
            return
        # One file, one byte of it per submission: its place is a hash; two on one byte only wait needlessly.
        place = int.from_bytes(hashlib.sha256(stem(name).encode()).digest()[:3], "little")
        path = self.out / RECORDS / LOCKS
        with _open_to_lock(path) as descriptor:
            yield _lock(descriptor, place, path, wait=wait)

    def _record_path(self, name: str) -> Path:
        return self.out / RECORDS / f"{stem(name)}.json"

    def _record(self, name: str) -> Record | None:
        """A submission's record, None where there is none that can be read."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = Record(**json.loads(self._record_path(name).read_bytes()))
            return Record(found.key, dict(found.files.items()))
        return None


@contextmanager
def _open_to_lock(path: Path) -> Iterator[int]:
    """A file to hold locks on, which closing it gives back."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened to lock it: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, place: int, path: Path, *, wait: bool) -> bool:
    """Lock one byte of a file; whether it is locked now, and by nobody else."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
    except OSError as error:
        if error.errno in HELD and not wait:
            return False
        if error.errno not in NO_LOCKS:
            raise UsageError(f"{path}: cannot be locked: {error.strerror}") from error
    return True


def stem(name: str) -> str:
    """A submission's file name without its ending: its own name, unless that is reserved or too long."""
    if name.casefold().rstrip("~") in RESERVED:
        return f"{name}~"
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= LONGEST:
        return name
    return encoded[: LONGEST - 20].decode("utf-8", "ignore") + "~" + hashlib.sha256(encoded).hexdigest()[:16]


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


def _digest(path: Path) -> str | None:
    try:
        return _digest_of(path.read_bytes())
    except OSError:
        return None


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
