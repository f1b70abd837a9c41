"""Signatures by which this user's own results are told from what somebody else has put beside them."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import os
import secrets
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

KEY_BYTES = 32
APP = "backprop-grader"
FILE = "results.key"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signer:
    """Signs with a key that is made on first use, in a folder of this user's that nobody else may read.

    Args:
        folder: where the key lies; None for the user's own data folder.
    """

    folder: Path | None = None
    _spare: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False, compare=False)

    def sign(self, content: bytes) -> str:
        """The signature of some bytes, as hexadecimal digits."""
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def is_signed(self, content: bytes, signature: str) -> bool:
        """Whether these bytes were signed by this user."""
        return hmac.compare_digest(self.sign(content), signature)

    @cached_property
    def _key(self) -> bytes:
        """The key; where none can be kept, one for this run alone, so that no result outlasts it."""
        path = (self.folder or _own_folder()) / FILE
        try:
            if self.folder is None and not path.is_absolute():
                # A user without a home: it would lie wherever the command was started, in a checkout perhaps.
                raise FileNotFoundError(errno.ENOENT, "this user has no home folder")
            return _read(path) or _made(path)
        except OSError as error:
            logger.warning(
                "%s: cannot be kept (%s): the next run will grade everything again", path, error.strerror
            )
            return self._spare


def _own_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def _read(path: Path) -> bytes | None:
    """The key that is there, None where there is none or where somebody else may have written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if hasattr(os, "getuid") and (about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077):
            logger.warning("%s: expected a file that only you may read; it is made anew", path)
            return None
        key = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _made(path: Path) -> bytes:
    """A new key, unless another run makes one at the same moment: then that one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    try:
        if path.exists() and _read(path) is None:
            os.replace(fresh, path)  # what lies there is no key of ours
            return key
        os.link(fresh, path)
    except FileExistsError:
        return _read(path) or key
    finally:
        fresh.unlink(missing_ok=True)
    return key
