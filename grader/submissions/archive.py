"""Zips that nobody vouches for: read entry by entry, within limits; no name in one ever becomes a path."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.errors import UsageError

ENTRIES_LIMIT = 200_000
"""Entries of one archive; three files each of ten thousand students are far fewer."""

METADATA_LIMIT = 16 << 20
"""Bytes of what an archive says about itself."""

RATIO_LIMIT = 200
"""How many times its packed size an entry may have; Python source packs some 4 times, zeros 1,000 times."""


class Unpackable(Exception):
    """An entry that cannot or must not be unpacked; the message says why."""


BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
"""What the library raises for an archive that is broken, encrypted or packed in a way it does not know."""


@dataclass(frozen=True)
class Entry:
    """A file in an archive; ``place`` is what the archive calls it, and not to be used as a path."""

    place: PurePosixPath
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo

    def read(self, limit: int) -> bytes:
        """Its bytes, at most one more than the limit; what lies beyond is not even unpacked.

        Raises:
            Unpackable: it is a link, broken, encrypted, or a bomb.
        """
        info = self._info
        if not stat.S_ISREG(_mode(info)):
            raise Unpackable("expected a regular file")
        if info.file_size > max(limit, RATIO_LIMIT * info.compress_size):
            raise Unpackable(f"would unpack from {info.compress_size} to {info.file_size} bytes")
        try:
            with self._archive.open(info) as file:
                return file.read(limit + 1)
        except BROKEN as error:
            raise Unpackable(f"cannot be unpacked: {error or type(error).__name__}") from error


@contextmanager
def opened(source: Path | bytes) -> Iterator[list[Entry]]:
    """The files in an archive: no folders, nothing with a name that climbs; links are told, and lead nowhere.

    Args:
        source: the archive, as a file or as its bytes.

    Raises:
        UsageError: it is no zip, or has far too many entries.
    """
    name = source if isinstance(source, Path) else "a zip in a submission"
    try:
        archive = zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source))
    except BROKEN as error:
        raise UsageError(f"{name}: expected a zip: {error or type(error).__name__}") from error
    with archive:
        infos = archive.infolist()
        if len(infos) > ENTRIES_LIMIT:
            raise UsageError(f"{name}: expected at most {ENTRIES_LIMIT} entries, found {len(infos)}")
        yield [Entry(PurePosixPath(info.filename), archive, info) for info in infos if _is_plain(info)]


def _is_plain(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    climbs = ".." in parts or info.filename.startswith(("/", "\\"))
    return not info.is_dir() and bool(parts) and not climbs


def _mode(info: zipfile.ZipInfo) -> int:
    """What kind of file it is; an archive from a system without kinds says nothing, and holds regular files."""
    mode = info.external_attr >> 16
    return mode if stat.S_IFMT(mode) else mode | stat.S_IFREG
