"""The kinds of reports, and stored scorecards made into them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given

from grader.reports import json as stored_json
from grader.reports import outputs, stored
from grader.reports.__main__ import main as reports_main
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import kinds
from tests.reports.builders import hostile, perfect, sample, trained, unreadable, untouched
from tests.reports.consumers import texts

EXPECTED = {
    "junit",
    "markdown",
    "github",
    "outputs",
    "gradescope",
    "classroom50",
    "prairielearn",
    "canvas",
    "moodle",
}


def test_every_module_with_a_kind_is_found():
    """By name, with a sentence that says what it is."""
    assert set(kinds()) >= EXPECTED
    assert list(kinds()) == sorted(kinds())
    assert all(kind.summary.endswith(".") or kind.summary for kind in kinds().values())
    assert [name for name, kind in kinds().items() if kind.appends] == ["github", "outputs"]


def test_no_report_loads_torch_or_click():
    """A job that only posts results installs neither."""
    code = (
        "import sys; from grader.reports.kinds import kinds; kinds(); "
        "sys.exit(bool({'torch', 'click'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", sorted(EXPECTED - {"classroom50"}))
def test_reports_are_pure(kind):
    """Same scorecards, same text."""
    render = kinds()[kind].render
    assert render([sample()], ReportContext()) == render([sample()], ReportContext())


def test_outputs_are_numbers():
    """One line each, for $GITHUB_OUTPUT."""
    assert outputs.render([sample(), perfect()], ReportContext()) == "score=42\nmax-score=54\nsubmissions=2\n"


@pytest.mark.parametrize("card", [sample(), perfect(), untouched(), unreadable(), trained()])
def test_a_stored_scorecard_comes_back(card):
    """Equal, field by field."""
    assert stored.load(stored_json.render(card)) == card


@given(texts)
def test_a_stored_scorecard_of_any_text_comes_back(text):
    """Or what has no UTF-8 form is told by its code, and the schema refuses an empty name."""
    if not text:
        return
    back = stored.load(stored_json.render(hostile(text)))
    told = back.exercises[0].gradients[0].output
    assert told.encode("utf-8", "backslashreplace") == text.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "1" * 5000, "[" * 100_000, '{"score": NaN}', "x" * (8 << 20 | 1)]
)
def test_what_is_no_scorecard_is_refused(text):
    """In one line, without quoting it."""
    with pytest.raises(ReportError, match="expected a scorecard"):
        stored.load(text)


@pytest.mark.parametrize(
    ("path", "value"), [("score", "<b>"), ("schema", "x"), ("exercises", [{}]), ("more", 1)]
)
def test_a_forged_scorecard_is_refused(path, value):
    """The schema decides, and the message quotes nothing of it."""
    forged = json.loads(stored_json.render(sample())) | {path: value}
    with pytest.raises(ReportError) as caught:
        stored.load(json.dumps(forged))
    assert "<b>" not in str(caught.value)


def test_the_module_makes_reports_of_stored_scorecards(tmp_path):
    """On the standard output, with status 2 for what is none."""
    card, bad = tmp_path / "robin.json", tmp_path / "bad.json"
    card.write_text(stored_json.render(sample()), "utf-8")
    bad.write_bytes(b"\xff")
    command = [sys.executable, "-m", "grader.reports", "markdown"]
    good = subprocess.run([*command, card], capture_output=True, text=True, check=True)
    assert good.stdout.startswith("## Backprop by hand: 16/28")
    refused = subprocess.run([*command, card, bad], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"grader.reports: {bad}: expected a scorecard")


@pytest.mark.parametrize("content", [b"\xff", b"[1", b"{}", None], ids=["text", "JSON", "schema", "there"])
def test_the_module_says_which_file_is_none(tmp_path, capsys, content):
    """Of a whole class, it has to be found."""
    good, bad = tmp_path / "robin.json", tmp_path / "bad.json"
    good.write_text(stored_json.render(sample()), "utf-8")
    if content is not None:
        bad.write_bytes(content)
    assert reports_main(["canvas", str(good), str(bad)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"grader.reports: {bad}: expected a scorecard, found ")


@pytest.mark.parametrize("kind", sorted(EXPECTED - {"classroom50"}))
def test_no_report_needs_what_a_slim_scorecard_lacks(kind):
    """So a class's reports can be made of slim ones."""
    render = kinds()[kind].render
    assert render([stored.slim(sample())], ReportContext()) == render([sample()], ReportContext())
