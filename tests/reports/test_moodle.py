"""A gradebook for Moodle: students are found, grades and feedback filled in, in English and German."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from grader.reports import moodle as report
from grader.reports.context import ReportContext, ReportError
from grader.reports.sheet import FORMULA
from grader.scorecard.model import Outcome
from tests.reports.builders import exercise, gradient, hostile, perfect, sample, scorecard
from tests.reports.consumers import moodle, table, texts

EXPORT = (
    '"First name","Last name","ID number",Institution,Department,"Email address",'
    '"Assignment: Backprop (Real)","Assignment: Backprop (Feedback)","Assignment: Other (Real)",'
    '"Last downloaded from this course"\n'
    'Robin,Robinson,1001,,,robin@school.example,-,,7.00,1780000000\n'
    'Alice,Liddell,1002,,,a.liddell@school.example,16.00,"Well done, Alice",8.50,1780000000\n'
    'Ned,Nobody,,,,ned@school.example,-,,-,1780000000\n'
)  # fmt: skip
GRADE = re.compile(r"-|\d+(\.\d+)?")


def filled(cards, export=EXPORT, assignment="Backprop"):
    """The export, filled in."""
    return report.render(cards, ReportContext(assignment=assignment, gradebook=export))


def named(name, card=None):
    """A submission of that name."""
    card = card or sample()
    return replace(card, submission=replace(card.submission, name=name))


@given(texts)
def test_a_new_gradebook_is_one_that_moodle_takes(text):
    """Grades are numbers, and no text is a formula."""
    made = report.render([hostile(text), sample()], ReportContext(assignment="Backprop"))
    header, *rows = table(made)
    assert header == ["Username", "Backprop", "Backprop (Feedback)"]
    assert all(GRADE.fullmatch(row[1]) for row in rows)
    assert not any(cell.startswith(FORMULA) for row in rows for cell in (row[0], row[2]))
    assert moodle(made, "Username")["robin"]["Backprop"] == "16"


def test_only_the_grade_and_its_feedback_change():
    """Everything else stays byte for byte, the time of the export included, which Moodle compares."""
    made = filled([sample()])
    assert made.splitlines()[2:] == EXPORT.splitlines()[2:]
    record = moodle(made, "Email address")["robin@school.example"]
    assert record["Assignment: Backprop (Real)"] == "16"
    assert record["Assignment: Backprop (Feedback)"].startswith("16/28. Next: dcounts")
    assert record["Assignment: Other (Real)"] == "7.00"


def test_a_grade_that_is_right_already_keeps_its_looks():
    """Sixteen is sixteen; only the feedback is new."""
    assert ",16.00," in filled([named("1002")])


@pytest.mark.parametrize("key", ["1001", "robin@school.example", "robin", "Robin Robinson", "ROBIN"])
def test_students_are_found_by_any_key(key):
    """ID number, address, its first half, or name."""
    assert ",16,16/28." in filled([named(key)]).replace('"', "")


def test_each_exercise_has_its_own_feedback():
    """About itself."""
    _, (_, *cells) = table(report.render([sample()], ReportContext()))
    assert cells[0] == "15" and cells[2:4] == [
        "1",
        "1/1. Every gradient is right: you went back through the whole forward pass by hand.",
    ]


def test_an_export_without_feedback_gets_none():
    """No column is added: Moodle would refuse it."""
    export = "Username,Backprop\nrobin,\n"
    assert filled([sample()], export) == "Username,Backprop\nrobin,16\n"


def test_a_column_that_cannot_be_told_is_refused():
    """Two kinds of one grade need the exact title."""
    export = EXPORT.replace("Assignment: Other (Real)", "Quiz: Backprop (Real)")
    with pytest.raises(ReportError, match="expected one column 'Backprop', found 2"):
        filled([sample()], export)
    assert ",16," in filled([sample()], export, "Assignment: Backprop (Real)")


@pytest.mark.parametrize(
    "title",
    ["Part 4: Backprop", "Assignment: Part 4: Backprop", "Part 4: Backprop (Real)", "part 4: backprop"],
)
def test_a_title_may_have_a_colon_of_its_own(title):
    """It is no module's name, whether or not Moodle puts one before it."""
    export = f"Username,{title}\nrobin,-\n"
    assert filled([sample()], export, "Part 4: Backprop") == export.replace("-", "16")


def test_who_was_told_is_found_by_what_is_known():
    """An archive of Moodle's has the full name, a roster the rest."""
    for words in (
        ("Robin Robinson",),
        ("Robinson, R.", "1001"),
        ("R.", "robin@school.example", "Ned Nobody"),
    ):
        context = ReportContext(
            assignment="Backprop", gradebook=EXPORT, known_as={"Robin Robinson_7": (words,)}
        )
        cards = [named("Robin Robinson_7")]
        assert report.render(cards, context) == filled([sample()])
        assert report.warnings(cards, context) == ()


def test_an_export_in_german_is_understood():
    """Its columns of people have titles of their own."""
    export = (
        '"Vorname";"Nachname";"ID-Nummer";"E-Mail-Adresse";"Aufgabe: Backprop (Punkte)"\r\n'
        "Robin;Robinson;1001;r@school.example;-\r\n"
        "Alice;Liddell;1002;a.liddell@school.example;-\r\n"
    )
    done = export.replace("r@school.example;-", "r@school.example;16")
    for name in ("1001", "r@school.example", "robin robinson"):
        assert filled([named(name)], export) == done


def test_who_is_not_in_the_gradebook_is_said():
    """By name."""
    context = ReportContext(assignment="Backprop", gradebook=EXPORT)
    assert report.warnings([named("stranger"), sample()], context) == (
        "report moodle: stranger is not in the gradebook: no row has this name",
    )
    assert report.warnings([sample()], ReportContext()) == ()


def test_a_fault_of_ours_leaves_the_cell_alone():
    """It is nobody's zero."""
    card = named("ned", scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT))))
    assert filled([card]) == EXPORT
    assert table(report.render([card], ReportContext()))[1][1] == "-"


def test_what_is_no_export_of_moodle_is_refused():
    """With what was expected."""
    with pytest.raises(ReportError, match="expected a gradebook from Moodle with ID number"):
        filled([sample()], "Student,ID\n")
    with pytest.raises(ReportError, match="expected graded exercises"):
        filled([])
    assert perfect().perfect
