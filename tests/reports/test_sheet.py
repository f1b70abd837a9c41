"""A CSV file in which single cells are changed, and every other byte stays."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grader.reports.sheet import FORMULA, Sheet, harmless
from tests.reports.consumers import texts

cells = st.text(alphabet=st.sampled_from('ab,;"\n\r \t=1é'), max_size=6)
values = st.lists(st.lists(cells, min_size=2, max_size=5), min_size=1, max_size=5)


@given(texts)
def test_any_text_comes_back_byte_for_byte(text):
    """Also one that is hardly CSV."""
    assert str(Sheet(text)) == text


@given(values, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_values_are_those_that_pythons_csv_reads(rows, quoting, end):
    """However they were quoted."""
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator=end).writerows(rows)
    sheet = Sheet(out.getvalue(), ",")
    # Python has no cell at all in an empty line.
    read = [[] if sheet.row(i) == ("",) else list(sheet.row(i)) for i in range(len(sheet))]
    assert read == list(csv.reader(io.StringIO(out.getvalue(), newline="")))


@given(values, st.data(), cells)
def test_one_cell_changes_and_no_other(rows, data, value):
    """The rest keeps its bytes."""
    width = max(map(len, rows))
    rows = [row + ["x"] * (width - len(row)) for row in rows]
    sheet = Sheet.of(rows)
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, width - 1))
    assume(value == value.strip() or value)
    sheet.put(row, column, value)
    read = list(csv.reader(io.StringIO(str(sheet), newline="")))
    rows[row][column] = value
    assert read == rows


@pytest.mark.parametrize(
    ("text", "delimiter"), [("a;b;c\n1,5;2;3\n", ";"), ("a,b;x,c\n", ","), ("a\tb\n", "\t"), ("", ",")]
)
def test_the_delimiter_is_found(text, delimiter):
    """It is the one that makes most columns of the first row."""
    assert Sheet(text).delimiter == delimiter


def test_quotes_bom_and_line_ends_stay():
    """What is not touched keeps its looks; what is touched keeps its quotes."""
    text = '\ufeff"a","b"\r\n"x", y \n"1","2"'
    sheet = Sheet(text)
    assert sheet.row(0) == ("a", "b")
    sheet.put(2, 1, "2")
    assert str(sheet) == text
    sheet.put(2, 1, "3")
    assert str(sheet) == text[:-3] + '"3"'


@given(texts)
def test_no_text_is_a_formula(text):
    """Whatever it begins with."""
    assert not harmless(text).startswith(FORMULA)
    assert "\n" not in harmless(text)
