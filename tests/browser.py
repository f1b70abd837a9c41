"""A real browser for the tests of pages, without a window and without a network."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.wanted import tool


def browse(page: Path, profile: Path, *options: str) -> str:
    """Open a page.

    Args:
        page: the file.
        profile: a folder for what the browser keeps.
        options: the browser's, such as ``--dump-dom``.

    Returns:
        What the browser printed.
    """
    command = [
        tool("browser"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=600, check=True)
    return done.stdout.decode("utf-8")
