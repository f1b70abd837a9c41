"""Reports beside the scorecards: asked for, rendered, delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.batch import delivery
from grader.batch.gradebook import Group
from grader.errors import InternalError, UsageError
from grader.reports.book import Student
from grader.reports.context import ReportContext
from grader.scorecard.model import Outcome
from grader.submissions.discover import Found
from tests.reports.builders import exercise, gradient, perfect, sample, scorecard


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("junit", "expected KIND=PATH, found 'junit'"),
        ("junit=", "expected KIND=PATH"),
        ("junti=x", "found 'junti'; did you mean `junit`"),
    ],
)
def test_what_is_no_request_is_refused(word, message):
    """With what was expected."""
    with pytest.raises(UsageError, match=message):
        delivery.Request.read(word)


def test_a_report_replaces_its_file_or_is_added_to_it(tmp_path):
    """As its kind says; line ends are written as they are."""
    for kind, times in (("junit", 1), ("outputs", 2)):
        request = delivery.Request.read(f"{kind}={tmp_path / kind}")
        for _ in range(2):
            request.deliver([sample()], ReportContext())
        mark = "<testsuites" if kind == "junit" else "score=16"
        assert (tmp_path / kind).read_text("utf-8").count(mark) == times
    delivery.Request.read(f"canvas={tmp_path / 'c.csv'}").deliver([sample()], ReportContext())
    assert (tmp_path / "c.csv").read_bytes().count(b"\r\n") == 3


def test_what_cannot_be_reported_or_written_is_the_operators(tmp_path):
    """One line, status 2."""
    with pytest.raises(UsageError, match="expected one submission, found 2"):
        delivery.Request.read(f"gradescope={tmp_path / 'x'}").deliver([sample(), perfect()], ReportContext())
    with pytest.raises(UsageError, match="cannot be written"):
        delivery.Request.read(f"outputs={tmp_path / 'no' / 'x'}").deliver([sample()], ReportContext())


def test_a_fault_of_ours_is_ours(tmp_path):
    """Status 3, and the other reports are there."""
    card = scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT)))
    requests = [delivery.Request.read(f"{kind}={tmp_path / kind}") for kind in ("gradescope", "junit")]
    made = delivery.Delivery(tuple(requests), (card,), ReportContext(), "")
    with pytest.raises(InternalError, match="the grader itself failed"):
        made.deliver()
    assert [path.name for path in tmp_path.iterdir()] == ["junit"]


def test_each_report_that_cannot_be_is_told(tmp_path):
    """In one line: who mends the first has not to find out about the second."""
    words = (f"gradescope={tmp_path / 'x'}", f"outputs={tmp_path / 'no' / 'y'}", f"markdown={tmp_path / 'z'}")
    cards = (sample(), perfect())
    made = delivery.Delivery(tuple(map(delivery.Request.read, words)), cards, ReportContext(), "")
    with pytest.raises(UsageError, match=r"expected one submission, found 2; .*no/y: cannot be written"):
        made.deliver()
    assert [path.name for path in tmp_path.iterdir()] == ["z"]


def test_what_cannot_be_made_is_told_when_it_is_delivered(tmp_path):
    """A warning about it is no error of its own, and names the export."""
    request = delivery.Request.read(f"canvas={tmp_path / 'x'}")
    context = ReportContext(gradebook="Username\n", exported="--gradebook export.csv")
    made = delivery.Delivery((request,), (sample(),), context, "")
    assert made.warnings() == ()
    with pytest.raises(UsageError, match=r"^--gradebook export.csv: expected a gradebook from Canvas"):
        made.deliver()


def test_an_export_stays_the_bytes_it_was(tmp_path):
    """Whatever its encoding; a report of our own is UTF-8, whatever a student wrote."""
    export = 'Student,ID,SIS Login ID,Section,Backprop\n"M\xfcller, J",1,robin,S,\n'.encode("latin-1")
    (tmp_path / "export.csv").write_bytes(export)
    words = (f"canvas={tmp_path / 'x'}", f"markdown={tmp_path / 'y'}")
    wanted = delivery.Reports.read(words, "Backprop", tmp_path / "export.csv", None)
    context = ReportContext(assignment="Backprop", gradebook=wanted.gradebook)
    delivery.Delivery(wanted.requests, (sample(),), context, "").deliver()
    assert (tmp_path / "x").read_bytes() == export.replace(b"S,\n", b"S,16\n")
    assert (tmp_path / "y").read_text("utf-8")


def test_brackets_are_new_each_time_and_only_where_they_are_needed():
    """A token that is known is none."""

    def brackets(*words):
        wanted = delivery.Reports.read(words, None, None, None)
        return wanted.opening, wanted.closing

    assert brackets("junit=y") == ("", "")
    assert brackets("github=x") != brackets("github=x")
    before, after = brackets("junit=y", "github=x")
    assert after == f"::{before.removeprefix('::stop-commands::').strip()}::\n"


def test_what_is_known_of_each_comes_from_archive_and_roster():
    """Those who handed in together are told apart as far as the roster tells who is who."""
    ada, bob = Student("u1", "Ada Lovelace", "ada@school.example"), Student("u2", "Bob Builder")
    found = [
        Found(Path("lovelaceada_340934"), (("lovelaceada", "340934"),)),
        Found(Path("submission_2"), (("u2", "Bob"), ("u3", "Cyd"))),
        Found(Path("dora")),
    ]
    assert delivery.known_as(Group(found, (ada, bob))) == {
        "lovelaceada_340934": (("lovelaceada", "340934", "u1", "ada@school.example", "Ada Lovelace"),),
        "submission_2": (("u2", "Bob", "Bob Builder"), ("u3", "Cyd")),
    }
    assert delivery.known_as(Group([Found(Path("u2"))], (bob,))) == {"u2": (("u2", "Bob Builder"),)}


def test_folders_are_below_the_working_directory(tmp_path, monkeypatch):
    """A submission elsewhere has no place in the repository."""
    inside, outside = tmp_path / "repo" / "submissions" / "bob", tmp_path / "eve"
    inside.mkdir(parents=True)
    outside.mkdir()
    (inside.parent / "lone.py").write_text("")
    monkeypatch.chdir(tmp_path / "repo")
    found = delivery.folders([inside, inside.parent / "lone.py", outside])
    assert found == {"bob": "submissions/bob", "lone": "submissions"}
