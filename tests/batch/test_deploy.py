"""What deploy/cluster has for setting up a cluster is as far as possible what works."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from tests.conftest import ROOT

FILES = ROOT / "deploy" / "cluster"
pytestmark = pytest.mark.wants("dask")


def test_every_file_is_told_of() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text("utf-8")
    assert not [path.name for path in FILES.iterdir() if path.is_file() and path.name not in page]


def commands() -> Iterator[tuple[str, str, list[str]]]:
    """Every call of scheduler and worker in pages and files: where, which, and its options."""
    for path in (*FILES.iterdir(), ROOT / "docs" / "cluster.md"):
        text = path.read_text("utf-8") if path.is_file() else ""
        for part, words in re.findall(r"dask\W{1,4}(scheduler|worker)\b([^\n`&]*)", text):
            yield path.name, part, re.findall(r"--[a-z-]+", words)


def test_scheduler_and_worker_know_the_options() -> None:
    from distributed.cli import dask_scheduler, dask_worker

    known: dict[str, click.Command] = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    found = list(commands())
    assert {path for path, _, _ in found} >= {"kubernetes.yaml", "ssh.sh", "Dockerfile", "cluster.md"}
    for path, part, options in found:
        have = {word for option in known[part].params for word in (*option.opts, *option.secondary_opts)}
        assert set(options) <= have, path


@pytest.mark.parametrize("script", sorted(path.name for path in FILES.glob("*.sh")))
def test_a_script_is_one(script: str) -> None:
    subprocess.run(["bash", "-n", FILES / script], check=True)


def test_the_image_is_made_of_what_is_there() -> None:
    sources = re.findall(r"^COPY (.+) \S+$", (FILES / "Dockerfile").read_text("utf-8"), re.M)
    assert sources and all((ROOT / name).exists() for line in sources for name in line.split())


def test_the_manifest_uses_the_image_and_the_secret_of_the_page() -> None:
    manifest = yaml.safe_load((FILES / "kubernetes.yaml").read_text("utf-8"))
    assert manifest["kind"] == "DaskCluster" and manifest["apiVersion"] == "kubernetes.dask.org/v1"
    parts = [manifest["spec"][part]["spec"] for part in ("worker", "scheduler")]
    for part in parts:
        (container,) = part["containers"]
        assert container["image"] in (FILES / "Dockerfile").read_text("utf-8")
        assert container["securityContext"]["runAsNonRoot"]
        (mount,), (volume,) = container["volumeMounts"], part["volumes"]
        assert mount["name"] == volume["name"]
        assert mount["mountPath"] in (FILES / "dask.yaml").read_text("utf-8")


def test_slurm_starts_encrypted_workers_of_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that it would hand to SLURM: dask-jobqueue writes it, with this file's settings."""
    subprocess.run([FILES / "certificates.sh", tmp_path], check=True, capture_output=True)
    written = (FILES / "dask.yaml").read_text("utf-8").replace("/etc/grader/tls", str(tmp_path))
    (tmp_path / "dask.yaml").write_text(written, "utf-8")
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    program = "import slurm\nwith slurm.cluster() as made: print(made.job_script())"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=FILES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert (
        "tls://" in made.stdout and "--nthreads 1" in made.stdout and str(tmp_path / "key.pem") in made.stdout
    )


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    subprocess.run([FILES / "certificates.sh", tmp_path / "tls"], check=True, capture_output=True)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "tls").iterdir()} == {0}
