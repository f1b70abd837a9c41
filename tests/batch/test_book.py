"""The gradebook: who got what, what is hard, what goes wrong; and no student's text does anything in it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.batch import gradebook
from grader.reports import book_csv, book_html
from grader.reports.book import Book, Entry, GradebookRow, Interner, Student
from grader.scorecard.model import Hint, Outcome, SubmissionId
from grader.submissions.discover import Found
from tests.browser import browse
from tests.reports.builders import HOSTILE, exercise, gradient, hostile, perfect, sample, scorecard, untouched

HINT = Hint("missing_path", "A path is missing.", "counts_sum = counts.sum(1, keepdim=True)")


def card(name: str, **outcomes: Outcome):
    gradients = [
        gradient(which, outcome, hint=HINT if outcome is Outcome.WRONG_VALUE else None)
        for which, outcome in outcomes.items()
    ]
    return scorecard(exercise(*gradients), name=name)


CLASS = (
    card("ada", dprobs=Outcome.EXACT, dcounts=Outcome.CLOSE),
    card("ben", dprobs=Outcome.EXACT, dcounts=Outcome.WRONG_VALUE),
    card("cyd", dprobs=Outcome.WRONG_VALUE, dcounts=Outcome.WRONG_VALUE),
    card("eve", dprobs=Outcome.MISSING, dcounts=Outcome.GRADER_FAULT),
)


def bound(*cards, students=()):
    lines = [GradebookRow(None, entry, f"{entry.name}.html") for entry in map(Entry.of, cards)]
    return Book((*lines, *(GradebookRow(student, None) for student in students)))


BOOK = bound(*CLASS, students=[Student("u5", "Fay Weldon", "fay@example.edu")])


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said += data


def test_a_class_in_numbers() -> None:
    assert BOOK.perfect == 1
    assert BOOK.absent == 1
    assert BOOK.median == BOOK.mean == pytest.approx(0.5)
    assert BOOK.distribution == (1, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    assert "4 submissions; 1 with every point" in BOOK.summary
    assert "the grader itself failed on 1" in BOOK.summary


def test_the_hardest_gradient_comes_first_and_our_faults_do_not_count() -> None:
    first, second = BOOK.hardest
    assert (first.column.gradient, first.asked, first.right) == ("dcounts", 3, 1)
    assert (second.column.gradient, second.asked, second.right) == ("dprobs", 4, 2)


def test_a_mistake_made_twice_counts_once() -> None:
    (one,) = BOOK.mistakes
    assert (one.mistake.kind, one.students) == ("missing_path", 2)
    assert one.mistake.forward_line == HINT.forward_line
    assert set(one.gradients) == {"dcounts", "dprobs"}


def test_an_empty_class_is_a_gradebook_too() -> None:
    empty = Book(())
    assert "Gradebook" in book_html.render(empty)
    assert book_csv.render(empty).startswith("\ufeffid,name")
    assert empty.median is None


def test_the_csv_has_one_row_for_each_student() -> None:
    rows = list(csv.DictReader(io.StringIO(book_csv.render(BOOK).removeprefix("\ufeff"))))
    assert [row["submission"] for row in rows] == ["ada", "ben", "cyd", "eve", "nothing handed in"]
    assert [row["score"] for row in rows] == ["2", "1", "0", "", "0"], "a fault of ours is no zero"
    assert rows[1]["ex1_step_by_step.dcounts"] == "wrong_value"
    assert rows[4]["email"] == "fay@example.edu"


def test_each_cell_leads_to_its_gradient_in_the_scorecard() -> None:
    page = Page(book_html.render(BOOK))
    links = [attrs["href"] for tag, attrs in page.elements if tag == "a"]
    for name in ("ada", "ben", "cyd", "eve"):
        assert {f"{name}.html", f"{name}.html#e1g1", f"{name}.html#e1g2"} <= set(links)


def test_the_anchors_are_those_of_the_scorecards_page() -> None:
    from grader.reports import html

    for one in (sample(), perfect(), untouched()):
        ids = {attrs.get("id") for _, attrs in Page(html.render(one)).elements}
        assert {mark.anchor for mark in Entry.of(one).marks.values()} <= ids


def test_links_to_odd_names_arrive() -> None:
    assert gradebook.page("a b#c?d%e\"'<ü") == "a%20b%23c%3Fd%25e%22%27%3C%C3%BC.html"


def test_who_handed_in_nothing_stands_there() -> None:
    assert "Fay Weldon" in book_html.render(BOOK)
    assert "nothing handed in" in book_html.render(BOOK)


def test_the_page_runs_its_own_script_and_no_other() -> None:
    html = book_html.render(BOOK)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "http-equiv" in html[: html.index("<style>")]


ALLOWED = {"href", "class", "id", "style"} | {f"data-{name}" for name in ("name", "score", "text", "column")}


def held(text: str) -> None:
    """A text wherever a student can put it makes neither an element nor an attribute, and hides nothing."""
    bad = replace(hostile(text), submission=SubmissionId(text, "d"))
    lines = [
        GradebookRow(None, Entry.of(bad), gradebook.page(text)),
        GradebookRow(Student(text, text, text), Entry.of(bad), gradebook.page(text)),
        GradebookRow(Student(text, text, text), None),
    ]
    plain = replace(hostile("x"), submission=SubmissionId("x", "d"))
    usual = [
        GradebookRow(None, Entry.of(plain), gradebook.page("x")),
        GradebookRow(Student("x", "x", "x"), Entry.of(plain), gradebook.page("x")),
        GradebookRow(Student("x", "x", "x"), None),
    ]
    page, like = Page(book_html.render(Book(tuple(lines)))), Page(book_html.render(Book(tuple(usual))))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in like.elements]
    assert [set(attrs) for _, attrs in page.elements] == [set(attrs) for _, attrs in like.elements]
    for tag, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs)
        if tag == "a":
            assert re.fullmatch(r"[^:/\\\s]*", attrs["href"]), attrs
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08]", page.said)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_does_nothing(text: str) -> None:
    held(text)


@given(st.text(max_size=40))
def test_no_text_does_anything(text: str) -> None:
    held(text)


@given(st.text(max_size=20), st.sampled_from("=+-@\t\r＝"))
def test_no_cell_of_the_csv_is_a_formula(text: str, sign: str) -> None:
    one = Entry.of(replace(CLASS[0], submission=SubmissionId(sign + text, "d")))
    sheet = book_csv.render(Book((GradebookRow(Student(sign + text, sign + text, ""), one, "x"),)))
    for row in csv.reader(io.StringIO(sheet.removeprefix("\ufeff"))):
        assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for cell in row)


def test_equal_parts_of_entries_are_kept_once() -> None:
    thrift = Interner()
    one, two = (thrift(Entry.of(replace(perfect(), submission=SubmissionId(n, "d")))) for n in "ab")
    pairs = zip(one.marks.items(), two.marks.items(), strict=True)
    assert all(a is c and b is d for (a, b), (c, d) in pairs)


def test_the_roster_comes_first_in_its_own_order() -> None:
    students = (Student("zed", "Zed"), Student("ada", "Ada"))
    found = [Found(Path(f"/class/{name}.py")) for name in ("ada", "ben")]
    results = {entry.name: entry for entry in map(Entry.of, CLASS[:2])}
    lines = list(gradebook.Group(found, students).lines(results))
    assert [(line.label, line.page) for line in lines] == [
        ("Zed", None),
        ("Ada", "ada.html"),
        ("ben", "ben.html"),
    ]


PROBE = """
<script>
const key = (selector) => document.querySelector(selector);
const shown = () => [...document.querySelectorAll("#matrix tbody tr:not([hidden]) .who bdi:first-child")];
const names = () => shown().map((one) => one.textContent);
window.addEventListener("load", () => {
  const said = {};
  key("[data-column=score]").click(); said.rising = names().slice(0, 3);
  key("[data-column=score]").click(); said.falling = names().slice(0, 3);
  said.sort = key("[data-column=score]").closest("th").getAttribute("aria-sort");
  key("[data-column=name]").click(); said.named = names().slice(0, 3);
  document.querySelectorAll(".gradient button")[1].click(); said.gradient = names().slice(0, 3);
  const box = key("#search"); box.value = "s007"; box.dispatchEvent(new Event("input"));
  said.found = names().length; said.status = key("#found").textContent;
  document.title = JSON.stringify(said);
});
</script>
"""


def in_a_browser(book: Book, probe: str, folder: Path) -> dict:
    """What a script finds on a gradebook's page, in a browser."""
    digest = base64.b64encode(hashlib.sha256(probe.strip()[8:-9].encode()).digest()).decode()
    allowed = book_html.render(book).replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    probed = allowed.replace("</body>", f"{probe.strip()}</body>")
    (folder / "gradebook.html").write_text(probed, "utf-8")
    said = browse(folder / "gradebook.html", folder / "profile", "--virtual-time-budget=10000", "--dump-dom")
    found = re.search(r"<title>(.*?)</title>", said)
    assert found is not None
    return json.loads(unescape(found[1]))


@pytest.mark.wants("browser")
def test_a_browser_sorts_and_searches_a_thousand_rows(tmp_path: Path) -> None:
    made = [replace(CLASS[i % 3], submission=SubmissionId(f"s{i:04}", "d")) for i in range(1000)]
    said = in_a_browser(bound(*made), PROBE, tmp_path)
    assert said["rising"] == ["s0002", "s0005", "s0008"]
    assert said["falling"] == ["s0000", "s0003", "s0006"]
    assert said["sort"] == "descending"
    assert said["named"] == ["s0000", "s0001", "s0002"]
    assert said["gradient"] == ["s0000", "s0003", "s0006"]
    assert said["found"] == 10
    assert said["status"] == "10 of 1000 rows"


NAMES = """
<script>
const key = (selector) => document.querySelector(selector);
const shown = () => [...document.querySelectorAll("#matrix tbody tr:not([hidden]) .who bdi:first-child")];
window.addEventListener("load", () => {
  const said = {};
  key("[data-column=name]").click(); said.named = shown().map((one) => one.textContent);
  const box = key("#search");
  const search = (word) => { box.value = word; box.dispatchEvent(new Event("input")); return shown().length; };
  said.composed = search("zo\\u00eb"); said.apart = search("zoe\\u0308");
  document.title = JSON.stringify(said);
});
</script>
"""


@pytest.mark.wants("browser")
def test_a_browser_sorts_and_finds_names_with_accents(tmp_path: Path) -> None:
    """As people do: archives made on a Mac have an accent as a character of its own."""
    names = ("Zimmer", "Øyvind", "Zoe\u0308", "Äbel", "Zo\u00eb B", "adam")
    made = [replace(CLASS[0], submission=SubmissionId(name, "d")) for name in names]
    said = in_a_browser(bound(*made), NAMES, tmp_path)
    assert said["named"] == ["Äbel", "adam", "Øyvind", "Zimmer", "Zoe\u0308", "Zo\u00eb B"]
    assert said["composed"] == said["apart"] == 2
