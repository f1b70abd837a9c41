"""The key by which a user's own results are known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.batch.signing import FILE, Signer


def test_a_key_is_made_once_and_is_the_users_alone(tmp_path: Path) -> None:
    signature = Signer(tmp_path / "mine").sign(b"a result")
    assert Signer(tmp_path / "mine").is_signed(b"a result", signature)
    assert not Signer(tmp_path / "mine").is_signed(b"another", signature)
    assert not Signer(tmp_path / "yours").is_signed(b"a result", signature)
    assert (tmp_path / "mine" / FILE).stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "mine") == [FILE]


@pytest.mark.parametrize("harm", ["readable", "short", "link"])
def test_a_key_that_others_may_know_is_made_anew(tmp_path: Path, harm: str) -> None:
    signature = Signer(tmp_path).sign(b"a result")
    path = tmp_path / FILE
    if harm == "readable":
        path.chmod(0o644)
    elif harm == "short":
        path.write_bytes(b"short")
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    assert not Signer(tmp_path).is_signed(b"a result", signature)
    again = Signer(tmp_path).sign(b"a result")
    if harm != "link":
        assert Signer(tmp_path).is_signed(b"a result", again), "the new one stays"


def test_where_no_key_can_be_kept_a_run_still_knows_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    signer = Signer(tmp_path / "file" / "folder")
    assert signer.is_signed(b"a result", signer.sign(b"a result"))
    assert not Signer(tmp_path / "file" / "folder").is_signed(b"a result", signer.sign(b"a result"))
    assert "will grade everything again" in caplog.text


def test_a_user_without_a_home_has_no_key_where_the_command_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkout may bring a key along that its author knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_data_path", lambda *about, **more: Path("~/.local/share/grader"))
    signer = Signer()
    assert signer.is_signed(b"a result", signer.sign(b"a result"))
    assert list(tmp_path.iterdir()) == []
    assert "no home folder" in caplog.text
