"""The HTML scorecard: safe, well-formed, accessible, and the same every time."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise

import pytest

from grader.reports import html
from grader.reports.error_map import Heat
from grader.reports.wording import Tone
from grader.scorecard.model import ErrorMap, Outcome, Worst
from tests.browser import browse
from tests.reports.builders import (
    HOSTILE,
    exercise,
    gradient,
    hostile,
    perfect,
    sample,
    scorecard,
    side,
    trained,
    unreadable,
    untouched,
)
from tests.reports.page import Page

CARDS = {
    "sample": sample,
    "perfect": perfect,
    "untouched": untouched,
    "unreadable": unreadable,
    "empty": scorecard,
    "trained": trained,
    "broken down": lambda: trained(trouble="it broke", hand=side(0, curve=()), names=(), published=None),
    "fault": lambda: scorecard(
        exercise(gradient("dprobs", Outcome.GRADER_FAULT), gradient("dh", Outcome.NOT_RUN))
    ),
    **{f"hostile {i}": lambda text=text: hostile(text) for i, text in enumerate(HOSTILE)},
}


@pytest.fixture(params=CARDS, scope="module")
def source(request):
    """The page of each kind of scorecard."""
    return html.render(CARDS[request.param]())


def test_tags_balance_and_ids_are_unique(source):
    """The parser raises on a tag that closes nothing or is never closed."""
    ids = Page(source).ids
    assert len(ids) == len(set(ids))


def test_every_link_and_label_has_its_target(source):
    """Nothing points into the void, and nothing points out of the page."""
    page = Page(source)
    labels = [name for value in page.values("aria-labelledby") for name in value.split()]
    assert {link.removeprefix("#") for link in page.values("href")} | set(labels) <= set(page.ids)
    assert all(link.startswith("#") for link in page.values("href"))


def test_headings_descend_one_level_at_a_time(source):
    """One h1, and no level skipped on the way down."""
    levels = Page(source).headings
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_page_runs_and_fetches_nothing(source):
    """No script, handler, frame, image, form or stylesheet of another place, whatever the student wrote."""
    page = Page(source)
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "nav",
        "section",
        "article",
    }
    allowed |= {
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "div",
        "span",
        "a",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "code",
        "pre",
        "b",
    }
    allowed |= {"strong", "small", "details", "summary", "figure", "figcaption", "svg", "path", "rect"}
    allowed |= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.tags} <= allowed
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "srcdoc", "action")}
    assert all(re.fullmatch(r"(flex|width):[\d.]+(px)?", style) for style in page.values("style"))


def test_text_cannot_deceive(source):
    """Nothing invisible or reordering is left, and the page is encodable."""
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", source
    )
    source.encode("utf-8")


def test_landmarks_and_language(source):
    """What a screen reader navigates by."""
    page = Page(source)
    assert page.having("html") == [{"lang": "en"}]
    assert len(page.having("main")) == 1 and len(page.having("footer")) == 1
    assert next(link for link in page.values("href")) == "#main"
    assert all("aria-label" in svg for svg in page.having("svg") if svg.get("role") == "img")
    assert all("scope" in th for th in page.having("th"))
    assert len(page.having("caption")) == len(page.having("table"))


def test_rendering_repeats(source, request):
    """Same scorecard, same bytes."""
    name = request.node.callspec.params["source"]
    assert html.render(CARDS[name]()) == source


@pytest.mark.parametrize("text", HOSTILE[:3])
def test_hostile_text_is_shown_as_it_was_written(text):
    """Escaped, not dropped: the student sees what they wrote."""
    assert Page(html.render(hostile(text))).text.count(text) >= 10


def test_sample_names_no_address():
    """One self-contained file, under a policy that forbids everything but its own style."""
    source = html.render(sample())
    assert not re.search(r"https?://|//[a-z]|src=|url\(|@import", source)
    assert "default-src 'none'; style-src 'unsafe-inline'" in source
    assert source.index("Content-Security-Policy") < source.index("<style>")


def test_every_gradient_has_a_chip_beside_the_line_where_it_is_complete():
    """The centre of the page is the forward pass."""
    page = Page(html.render(sample()))
    chips = [attrs["href"] for attrs in page.having("a") if "chip" in (attrs.get("class") or "")]
    assert len(chips) == len(set(chips)) == 28


def test_line_takes_the_colour_of_its_worst_gradient():
    """A right and a wrong gradient on one line make a wrong line; a line without gradients has no colour."""
    work = exercise(gradient("dh"), gradient("dW2", Outcome.WRONG_VALUE), gradient("db2", Outcome.MISSING))
    source = html.render(scorecard(work))
    assert re.findall(r'class="line tone-(\w+)"', source) == ["wrong"]


def test_outcomes_are_told_in_words_and_glyphs():
    """Colour is never alone."""
    for outcome in Outcome:
        text = Page(html.render(scorecard(exercise(gradient("dprobs", outcome))))).text
        look = html.LOOKS[outcome]
        assert f"{look.glyph} dprobs {look.word}" in text


def test_wrong_gradient_tells_everything():
    """Shapes, the largest difference and its place, the hint and its line, cases, output."""
    text = Page(html.render(sample())).text
    for part in (
        "(32, 27)",
        "0.0231",
        "[3, 3]",
        "-0.0104167",
        "0.0126833",
        "missing path",
        "What your code printed",
    ):
        assert part in text
    assert "counts_sum_inv: torch.Size([32, 1])" in text
    assert "2.13.0+cpu" in text and "2147483647" in text and "landlock: the kernel" in text


def test_gradients_that_fail_alike_share_a_card():
    """A syntax error is told once, not 26 times, and every chip still finds its target."""
    source = html.render(unreadable())
    assert source.count("never closed") == 1 and "26 gradients" in source


def test_backticks_become_code_and_lone_ones_stay():
    """Hints quote names between backticks."""
    assert html._ticks("use `a<b` now") == "use <code>a&lt;b</code> now"
    assert html._ticks("a lone ` tick & all") == "a lone ` tick &amp; all"


@pytest.mark.parametrize(
    ("rows", "sizes", "where"),
    [
        (("00", "00"), (2, 2), "no cell is beyond the tolerance"),
        (("19", "99"), (2, 2), "every cell is beyond the tolerance"),
        (("090", "090"), (2, 3), "2 of 6 cells are beyond the tolerance, in every row, in column 1"),
        (("0990",), (4,), "2 of 4 cells are beyond the tolerance, in columns 1 to 2"),
        (
            ("900", "000", "009"),
            (3, 3),
            "2 of 9 cells are beyond the tolerance, in 2 of 3 rows, in 2 of 3 columns",
        ),
    ],
)
def test_heat_map_in_words(rows, sizes, where):
    """The text alternative says where, which is what the picture shows."""
    heat = Heat.of(gradient(error_map=ErrorMap((1, 1), rows), expected_shape=sizes))
    assert heat is not None and heat.where == where


def test_heat_map_draws_every_cell_once():
    """Runs of one intensity are one rectangle."""
    heat = Heat.of(gradient(error_map=ErrorMap((1, 1), ("0119", "9000"))))
    assert heat is not None
    assert dict(heat.paths) == {1: "M1 0h2v1h-2z", 9: "M3 0h1v1h-1zM0 1h1v1h-1z"}


@pytest.mark.parametrize(
    ("sizes", "index", "stride", "ring"),
    [((4, 6), (3, 5), (1, 1), (5, 3)), ((4, 6), (3, 5), (2, 3), (1, 1)),
     ((2, 2, 6), (1, 0, 5), (1, 1), (5, 2)),
     ((6,), (4,), (1, 1), (4, 0)), ((), (), (1, 1), None), ((4, 6), (3,), (1, 1), None)],
)  # fmt: skip
def test_heat_map_frames_the_worst_entry(sizes, index, stride, ring):
    """The index is flattened and scaled as the picture is."""
    picture = ErrorMap(stride, ("9" * 6,) * 4)
    heat = Heat.of(gradient(error_map=picture, worst=Worst(index, 1.0, 2.0), expected_shape=sizes))
    assert heat is not None and heat.ring == ring


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_reach_contrast_aa():
    """4.5 to 1 for all text, in light and in dark."""
    template = files("grader").joinpath("reports/look.css.jinja").read_text("utf-8")
    palettes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", template, re.DOTALL)
    ]
    assert len(palettes) == 2
    for colours in palettes:
        for ink in ("ink", "muted", "link", *Tone):
            grounds = [
                "paper",
                "surface",
                "open-tint",
                *([f"{ink}-tint"] if f"{ink}-tint" in colours else []),
            ]
            for ground in grounds:
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for ground in (f"{tone}-tint" for tone in Tone):
            assert min(_contrast(colours[ink], colours[ground]) for ink in ("ink", "muted")) >= 4.5, ground


@pytest.mark.wants("browser")
def test_a_browser_opens_the_page(tmp_path):
    """A real browser builds the page we meant, and draws something."""
    page = tmp_path / "sample.html"
    page.write_text(html.render(sample()), "utf-8")
    dom = browse(page, tmp_path / "profile", "--dump-dom")
    meant, built = Page(html.render(sample())), Page(re.sub(r"></(path|rect)>", "/>", dom))
    assert [tag for tag, _ in built.tags] == [tag for tag, _ in meant.tags]
    picture = tmp_path / "sample.png"
    browse(page, tmp_path / "profile", "--window-size=800,1200", f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 20_000
