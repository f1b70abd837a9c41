"""A gradebook for Canvas: students are found, scores scaled, and nothing else of the export changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from grader.reports import canvas as report
from grader.reports.context import ReportContext, ReportError
from grader.reports.sheet import FORMULA
from grader.scorecard.model import Outcome
from tests.reports.builders import exercise, gradient, hostile, perfect, sample, scorecard
from tests.reports.consumers import canvas, table, texts

HEADER = "Student,ID,SIS User ID,SIS Login ID,Section,Notes,Backprop (4711),Final Score"
EXPORT = (
    f"{HEADER}\r\n"
    ",,,,,,Manual Posting,\r\n"
    '"    Points Possible",,,,,,28,(read only)\r\n'
    '"Robinson, ""Robin""",101,s101,robin@school.example,Section 1,"=note, kept",,71.5\r\n'
    '"Liddell, Alice",102,s102,liddell,Section 1,,"20.00",80\r\n'
    '"Excused, Eve",103,s103,eve,Section 1,,EX,\r\n'
    '"Nobody, Ned",104,s104,ned,Section 2,,3,\r\n'
    '"Student, Test",,,,Section 1,,,\r\n'
)


def filled(cards, export=EXPORT, assignment="Backprop"):
    """The export, filled in."""
    return report.render(cards, ReportContext(assignment=assignment, gradebook=export))


def named(name, card=None):
    """A submission of that name."""
    card = card or sample()
    return replace(card, submission=replace(card.submission, name=name))


@given(texts)
def test_a_new_gradebook_is_one_that_canvas_takes(text):
    """And no cell of it is a formula."""
    made = report.render([hostile(text), sample()], ReportContext())
    assert len(canvas(made)) == 2
    assert not any(cell.startswith(FORMULA) for row in table(made) for cell in row)


def test_a_new_gradebook_has_a_column_per_exercise_and_its_points():
    """Unless the assignment has a name."""
    header, points, robin = table(report.render([sample()], ReportContext()))
    assert header[5:] == [
        "Every gradient, step by step",
        "The cross-entropy in one go",
        "Batch norm in one go",
    ]
    assert points == ["    Points Possible", "", "", "", "", "26", "1", "1"]
    assert robin == ["robin", "", "", "robin", "", "15", "1", "0"]
    header, points, robin = table(report.render([sample()], ReportContext(assignment="Week 4")))
    assert (header[5:], points[5:], robin[5:]) == (["Week 4"], ["28"], ["16"])


def test_only_the_grades_of_an_export_change():
    """Everything else stays byte for byte."""
    made = filled([sample(), named("102")])
    assert made == EXPORT.replace('kept",,71.5', 'kept",16,71.5').replace('"20.00"', '"16"')


def test_a_grade_that_is_right_already_keeps_its_looks():
    """Twenty is twenty."""
    right = named("102", scorecard(exercise(*[gradient()] * 28)))
    right = replace(right, score=20.0)
    assert filled([right]) == EXPORT


@pytest.mark.parametrize(
    "key", ["102", "s102", "liddell", "Liddell, Alice", "alice liddell", "LiddellAlice", "LIDDELL"]
)
def test_students_are_found_by_any_key(key):
    """ID, SIS ID, login, or name, in any case."""
    assert '"16"' in filled([named(key)])


def test_who_is_excused_stays_excused():
    """EX is a decision of the instructor's."""
    assert filled([named("eve")]) == EXPORT


def test_scores_are_scaled_to_the_points_possible():
    """14 of 28 is 50 of 100, not 14 of 100."""
    export = EXPORT.replace(",28,(read", ",100,(read")
    assert ",57.14,71.5" in filled([sample()], export)


def test_a_title_is_found_without_its_number_and_the_total_in_no_wrong_column():
    """A grade in the wrong column is worse than none."""
    with pytest.raises(ReportError, match=r"expected one column 'Backpro', found 0 among 'Student'"):
        filled([sample()], assignment="Backpro")
    with pytest.raises(ReportError, match="Canvas computes it"):
        filled([sample()], assignment="Final Score")
    twice = EXPORT.replace("Final Score", "Backprop (4712)")
    with pytest.raises(ReportError, match="found 2"):
        filled([sample()], twice)
    assert ",16,71.5" in filled([sample()], twice, "Backprop (4711)")


def test_exercises_go_to_columns_of_their_title_or_id():
    """All of them, or it is refused."""
    export = (
        "Student,ID,SIS Login ID,Section,"
        "ex1_step_by_step (1),The cross-entropy in one go (2),Batch norm in one go (3)\n"
        "R,1,robin,S,,,\n"
    )
    assert filled([sample()], export, None).endswith("R,1,robin,S,15,1,0\n")
    with pytest.raises(ReportError, match="Batch norm"):
        filled([sample()], export.replace("Batch norm", "Batches"), None)


def test_who_is_not_in_the_gradebook_is_said():
    """And neither is who claims a place that others claim, or that cannot be told."""
    context = ReportContext(assignment="Backprop", gradebook=EXPORT)
    cards = [named("robin"), named("101"), named("stranger"), named("ned")]
    assert report.render(cards, context) == EXPORT.replace("ned,Section 2,,3,", "ned,Section 2,,16,")
    said = report.warnings(cards, context)
    assert [line.split(" is not")[0].removeprefix("report canvas: ") for line in said] == [
        "stranger",
        "robin",
        "101",
    ]
    assert "2 submissions fit row 4" in said[1] and "no row has this name" in said[0]


def test_a_name_that_fits_two_students_is_nobodys():
    """One student's login may be another's ID."""
    export = EXPORT.replace("s104", "robin")
    context = ReportContext(assignment="Backprop", gradebook=export)
    assert report.render([sample()], context) == export
    assert "it fits 2 rows" in report.warnings([sample()], context)[0]


ALICE = EXPORT.replace('"20.00"', '"16"')


def told(*people, name="folder", export=EXPORT):
    """The export, and what is warned of, where it was told who handed in a submission."""
    context = ReportContext(assignment="Backprop", gradebook=export, known_as={name: people})
    return report.render([named(name)], context), report.warnings([named(name)], context)


@pytest.mark.parametrize(
    "words",
    [
        ("liddellalice", "102"),
        ("s102", "alice@elsewhere.example", "A. L."),
        ("x9", "liddell@school.example"),
        ("x9", "Alice Liddell"),
        ("x9", "Liddell, Alice"),
        ("102", "robin@school.example"),
        ("alice@elsewhere.example", "LIDDELL"),
    ],
)
def test_who_was_told_is_found_by_what_is_known(words):
    """By an id before an address, and by that before a name; the folder's own name says nothing then."""
    assert told(words) == (ALICE, ())
    assert told(words, name="robin") == (ALICE, ())


def test_those_who_hand_in_together_get_the_same():
    """Each in their row; who is in none is said."""
    made, said = told(("102",), ("s101", "Robin"), ("105", "Fay"))
    assert made == ALICE.replace('kept",,71.5', 'kept",16,71.5')
    assert said == ("report canvas: folder (105, Fay) is not in the gradebook: no row fits 105, Fay",)


def test_who_has_an_id_of_canvas_is_nobody_else_of_that_name():
    """An export of one section has not everybody who handed in; two may have one name."""
    assert told(("liddellalice", "999"), name="liddellalice_999") == (
        EXPORT,
        ("report canvas: liddellalice_999 is not in the gradebook: no row fits liddellalice, 999",),
    )


def test_two_submissions_that_were_told_of_one_row_are_nobodys():
    """And neither gets it in silence."""
    context = ReportContext(
        assignment="Backprop", gradebook=EXPORT, known_as={"a": (("102",),), "b": (("Alice Liddell",),)}
    )
    cards = [named("a"), named("b")]
    assert report.render(cards, context) == EXPORT
    assert ["2 submissions fit row 5" in said for said in report.warnings(cards, context)] == [True, True]
    context = ReportContext(assignment="Backprop", gradebook=EXPORT, known_as={"a": (("102", "103"),)})
    assert "it fits 2 rows" in report.warnings(cards[:1], context)[0]


@pytest.mark.parametrize("name", ["Mu\u0308ller, J", "M\u00fcller, J"])
@pytest.mark.parametrize("row", ["Mu\u0308ller, J", "M\u00fcller, J", "M\udcfcller, J"])
def test_accents_are_compared_as_people_read_them(name, row):
    """Archives made on a Mac have them as characters of their own, exports may be in Latin-1."""
    export = f'{HEADER}\n"{row}",1,,,S,,,\n'
    assert filled([named(name)], export).endswith("S,,16,\n")


def test_a_fault_of_ours_leaves_the_cell_alone():
    """It is nobody's zero."""
    card = named("ned", scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT))))
    assert filled([card]) == EXPORT
    assert table(report.render([card], ReportContext()))[2][5] == ""


def test_a_graded_part_is_no_total():
    """Who was graded on fewer exercises than others has no total to write."""
    assert "20.00" in filled([sample(), named("102", perfect())])


@pytest.mark.parametrize("export", ["", "a,b\n", "Username,Email address\n"])
def test_what_is_no_export_of_canvas_is_refused(export):
    """With what was expected."""
    with pytest.raises(ReportError, match="expected a gradebook from Canvas"):
        filled([sample()], export)


def test_semicolons_and_commas_of_other_countries():
    """As Canvas writes them there."""
    export = (
        EXPORT.replace('"=note, kept"', "note")
        .replace('"Robinson, ""Robin"""', "R")
        .replace('"Liddell, Alice"', "A")
    )
    export = (
        export.replace('"Excused, Eve"', "E")
        .replace('"Nobody, Ned"', "N")
        .replace('"Student, Test"', "T")
        .replace(",", ";")
    )
    assert ";note;16;71.5" in filled([sample()], export.replace(";28;", ";28,00;"))
