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
from grader.submissions.limits import Untakeable, limit_of

ENTRIES_LIMIT = 200_000
"""Entries of one archive; three files each of ten thousand students are far fewer."""

METADATA_LIMIT = 16 << 20
"""Bytes of what an archive says about itself."""

RATIO_LIMIT = 200
"""How many times its packed size an entry may have; Python source packs some 4 times, zeros 1,000 times."""


DIRECTORY_LIMIT = 4 << 20
"""Bytes of the table of contents of a zip that a student hands in; Python takes some ten times that to hold it."""

PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways to pack that are unpacked step by step. Python unpacks the others all at once, however much comes out."""

BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
"""What the library raises for an archive that is broken, encrypted or packed in a way it does not know."""


@dataclass(frozen=True)
class Entry:
    """A file in an archive; ``place`` is what the archive calls it, and not to be used as a path."""

    place: PurePosixPath
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which holds nothing itself."""
        return self._info.is_dir()

    def check(self, limit: int) -> None:
        """Refuse what can be seen not to be an honest file.

        Raises:
            Untakeable: it is a link, encrypted, packed in a rare way, or a bomb.
        """
        info = self._info
        if not stat.S_ISREG(_mode(info)):
            raise Untakeable("expected a regular file, found a link or a device in the zip")
        if info.compress_type not in PACKINGS:
            raise Untakeable(
                "cannot be unpacked: expected an ordinary zip (packed by `deflate`), found another kind"
            )
        if info.file_size > max(limit, RATIO_LIMIT * info.compress_size):
            raise Untakeable(f"would unpack from {info.compress_size} to {info.file_size} bytes")

    def read(self, limit: int) -> bytes:
        """Its bytes, at most one more than the limit; what lies beyond is not even unpacked.

        Raises:
            Untakeable: it is a link, broken, encrypted, packed in a rare way, or a bomb.
        """
        self.check(max(limit, limit_of(self.place.name)))
        try:
            with self._archive.open(self._info) as file:
                return file.read(limit + 1)
        except BROKEN as error:
            raise Untakeable(f"cannot be unpacked: {error or type(error).__name__}") from error


class _Handed(io.BytesIO):
    """A zip's bytes; a table of contents that is far too long is not read."""

    opening = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.opening and size is not None and size > DIRECTORY_LIMIT:
            raise zipfile.BadZipFile(f"a table of contents of more than {DIRECTORY_LIMIT} bytes")
        return super().read(size)


@contextmanager
def opened(source: Path | bytes) -> Iterator[list[Entry]]:
    """The files and folders in an archive, but nothing with a name that climbs; links lead nowhere.

    Args:
        source: the archive, as a file or as its bytes.

    Raises:
        UsageError: it is no zip, or has far too many entries.
    """
    name = source if isinstance(source, Path) else "a zip in a submission"
    file = source if isinstance(source, Path) else _Handed(source)
    try:
        archive = zipfile.ZipFile(file)
    except BROKEN as error:
        raise UsageError(f"{name}: expected a zip: {error or type(error).__name__}") from error
    if isinstance(file, _Handed):
        file.opening = False
    with archive:
        infos = archive.infolist()
        if len(infos) > ENTRIES_LIMIT:
            raise UsageError(f"{name}: expected at most {ENTRIES_LIMIT} entries, found {len(infos)}")
        yield [Entry(PurePosixPath(info.filename), archive, info) for info in infos if _is_plain(info)]


def _is_plain(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    climbs = ".." in parts or info.filename.startswith(("/", "\\"))
    return bool(parts) and not climbs


def _mode(info: zipfile.ZipInfo) -> int:
    """What kind of file it is; an archive from a system without kinds says nothing, and holds regular files."""
    mode = info.external_attr >> 16
    return mode if stat.S_IFMT(mode) else mode | stat.S_IFREG
