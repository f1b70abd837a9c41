"""No attack gains a point, reads a canary, changes a file, leaves a process or costs another anything."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.apps.cli import main
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.judge import Judge
from grader.grading.suites import prepare_suites
from grader.reports import files
from grader.sandbox.linux import Zygote
from grader.scorecard.model import Scorecard
from grader.submissions import submission
from tests.hostile.entries import FAMILIES, FIRST, HONEST, Entry, is_one_of, read
from tests.hostile.malformed import MALFORMED, NAMES, Malformed
from tests.wanted import not_to_be_had

ROOT = Path(__file__).parents[2]
CORPUS = [entry for family in FAMILIES for entry in read(family)]
LIMITS = read("limits")
IDS = (FIRST, "ex2_cross_entropy", "ex3_batchnorm")
TIME_LIMIT_S = 1.5
MEMORY_LIMIT_MB = 256

COVERED = Path(sysconfig.get_path("stdlib"), "pydoc_data")
"""Stands for a course that lies where Python's own files are, as the one in a wheel does."""


@dataclass
class Outside:
    """What an attack must not reach: canaries, a tree of files, and servers that wait to be called."""

    places: Mapping[str, str]
    token: str
    sentinel: Path
    servers: tuple[socket.socket, ...]

    def fingerprint(self) -> str:
        """Everything about the files that an attack could change."""
        found = hashlib.sha256()
        for path in sorted(self.sentinel.rglob("*")):
            about = path.lstat()
            facts = (path, about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, about.st_nlink)
            found.update(repr(facts).encode())
            found.update(repr(os.listxattr(path)).encode() if hasattr(os, "listxattr") else b"")
            found.update(path.read_bytes() if path.is_file() else b"")
        return found.hexdigest()

    def called(self) -> list[str]:
        """The servers that somebody got through to."""
        reached = []
        for server in self.servers:
            try:
                server.accept() if server.type == socket.SOCK_STREAM else server.recv(1)
            except BlockingIOError:
                continue
            reached.append(str(server.getsockname()))
        return reached


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A course, canaries in and around it, a tree of files and some servers."""
    token = f"canary-{secrets.token_hex(16)}"
    sentinel = tmp_path_factory.mktemp("sentinel")
    home = sentinel / "course"
    for name in ("exercises", "reference"):
        _copy(ROOT / name, home / name)
    for name in ("exercises", "reference", "submissions", "tests"):
        (home / name).mkdir(exist_ok=True)
        (home / name / "canary.txt").write_text(token)
    (sentinel / "file.txt").write_text("as it was")
    (sentinel / "folder").mkdir()
    canary = Path("/tmp", f"{token[:16]}.txt")
    canary.write_text(token)
    abstract = f"hostile-{token}"
    tcp = socket.create_server(("127.0.0.1", 0))
    by_file, by_name = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    by_file.bind(str(canary.with_suffix(".sock")))
    by_name.bind(f"\0{abstract}")
    by_file.listen()
    for server in (servers := (tcp, by_file, by_name)):
        server.setblocking(False)
    places = {
        "COURSE": str(home), "CANARY": str(canary), "SENTINEL": str(sentinel), "SITE": str(COVERED),
        "SITE_MODULE": COVERED.name, "JUDGE": str(os.getpid()), "PORT": str(tcp.getsockname()[1]),
        "UNIX": by_file.getsockname(), "ABSTRACT": abstract,
    }  # fmt: skip
    os.environ["HOSTILE_CANARY"] = token
    yield Outside(places, token, sentinel, servers)
    del os.environ["HOSTILE_CANARY"]
    for server in servers:
        server.close()
    canary.unlink()
    canary.with_suffix(".sock").unlink()


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


class Court:
    """One judge for all of the corpus, and what lies outside of its boxes."""

    def __init__(self, boxes: Zygote, judge: Judge, outside: Outside) -> None:
        self.outside = outside
        self._places = {**outside.places, "ZYGOTE": str(boxes._process.pid)}
        self._judge = judge

    def try_entry(self, entry: Entry, folder: Path) -> Scorecard:
        """The scorecard of a stored attack."""
        return self.grade(entry.lay_out(folder, self._places))

    def grade(self, folder: Path) -> Scorecard:
        """The scorecard of a folder, if nothing outside was touched and every report can be written."""
        before = self.outside.fingerprint()
        card = self._judge.grade(submission.read(folder, IDS))
        texts = [card.to_json(), *(render(card) for render in files().values())]
        assert not any(self.outside.token in text for text in texts), "a canary was read"
        assert self.outside.fingerprint() == before, "a file was changed"
        assert not self.outside.called(), "a server was reached"
        return card

    def assert_honest_work_earns_everything(self, folder: Path) -> None:
        """Grade honest work in the boxes that come next."""
        folder.mkdir()
        (folder / f"{FIRST}.py").write_text(HONEST)
        card = self._judge.grade(submission.read(folder, IDS))
        assert card.exercises[0].score == card.exercises[0].max_score, "an honest submission lost points"


@pytest.fixture(scope="module")
def court(outside: Outside, monkeymodule: pytest.MonkeyPatch) -> Iterator[Court]:
    """A judge whose seed nobody can guess, and whose boxes can be told by their environment."""
    monkeymodule.setenv("TMPDIR", f"/tmp/{outside.token[:16]}")
    course = Course.at(Path(outside.places["COURSE"]))
    boxes = Zygote((*course.hidden, COVERED))
    if boxes.unguarded:
        boxes.close()
        not_to_be_had(f"boxes are open here: {boxes.unguarded}")
    settings = Settings(seed=secrets.randbits(60), time_limit_s=TIME_LIMIT_S, memory_limit_mb=MEMORY_LIMIT_MB)
    suites = prepare_suites(course, course.select(IDS), settings)
    yield Court(boxes, Judge(boxes, suites, settings), outside)
    boxes.close()
    assert all_gone(outside.token[:16]), "a process was left"


@pytest.fixture(scope="module")
def monkeymodule() -> Iterator[pytest.MonkeyPatch]:
    """Patches that last as long as a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def all_gone(mark: str) -> bool:
    """Whether no process has a mark in its environment, once those that have been killed had time to go."""
    deadline = time.monotonic() + 10
    while found := processes_marked(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05 * len(found))
    return True


def processes_marked(mark: str) -> list[str]:
    """The processes with a mark in their environment, other than this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.name != str(os.getpid()) and mark.encode() in (path / "environ").read_bytes():
                found.append(path.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("entry", CORPUS, ids=str)
def test_an_attack_gets_what_it_declares(court: Court, entry: Entry, tmp_path: Path) -> None:
    card = court.try_entry(entry, tmp_path / "mallory")
    assert entry.surprises(card.exercises) == []
    court.assert_honest_work_earns_everything(tmp_path / "alice")


@pytest.mark.parametrize("odd", MALFORMED, ids=str)
def test_a_malformed_submission_gets_what_it_declares(court: Court, odd: Malformed, tmp_path: Path) -> None:
    folder = tmp_path / "mallory"
    folder.mkdir()
    odd.fill(folder, Path(court.outside.places["COURSE"]))
    first = court.grade(folder).exercises[0]
    surprises = [(g.name, g.outcome) for g in first.gradients if not is_one_of(g.outcome, odd.declared)]
    assert surprises == []
    court.assert_honest_work_earns_everything(tmp_path / "alice")


@pytest.mark.parametrize("entry", LIMITS, ids=str)
def test_what_no_box_can_tell_is_known(court: Court, entry: Entry, tmp_path: Path) -> None:
    assert entry.surprises(court.try_entry(entry, tmp_path / "mallory").exercises) == []


def test_the_corpus_in_one_run(outside: Outside, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that does not wait for a time limit, with honest work among it, by the command itself."""
    work = tmp_path / "work"
    work.mkdir()
    places = {**outside.places, "ZYGOTE": "1"}
    entries = [e for e in CORPUS if "timed_out" not in "".join(e.declared.values())]
    waiting = [e for e in CORPUS if e not in entries][:2]
    honest = [work / name for name in NAMES]
    for folder in honest:
        folder.mkdir()
        (folder / f"{FIRST}.py").write_text(HONEST)
    laid_out = {f"m{i:03}": entry for i, entry in enumerate(entries + waiting)}
    for name, entry in laid_out.items():
        entry.lay_out(work / name, places)
    before = outside.fingerprint()
    command = [
        str(work),
        "--exercise",
        FIRST,
        "--course",
        outside.places["COURSE"],
        "--out",
        str(tmp_path / "out"),
    ]
    with pytest.raises(SystemExit) as left:
        main(
            [
                "--format",
                "json",
                "--time-limit",
                str(TIME_LIMIT_S),
                "--memory-limit",
                str(MEMORY_LIMIT_MB),
                *command,
            ]
        )
    printed = capsys.readouterr()
    assert left.value.code == 1, printed.err
    cards = {card["submission"]["name"]: card for card in json.loads(printed.out)}
    perfect = {name for name, card in cards.items() if card["score"] == card["max_score"]}
    assert set(NAMES) <= perfect
    assert len(cards) == len(laid_out) + len(NAMES)
    assert outside.token not in printed.out + printed.err
    assert outside.fingerprint() == before
    assert not outside.called()
    for name, entry in laid_out.items():
        for gradient in cards[name]["exercises"][0]["gradients"]:
            wanted = entry.declared.get((FIRST, gradient["name"]), entry.declared[FIRST, "*"])
            got = "scores" if gradient["score"] else gradient["outcome"]
            assert got in wanted.split("/"), f"{entry}: {gradient['name']}"


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) + len(MALFORMED) >= 80
    assert len({str(entry) for entry in CORPUS}) == len(CORPUS)
