"""Loss curves: drawn true to scale, whatever the losses are, and the same every time."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from grader.reports import html, table
from grader.reports.loss_curve import HEIGHT, WIDTH, Plot, Scale, chart, resampled
from grader.reports.wording import SLOWNESS
from grader.scorecard.model import Averages
from tests.reports.builders import side, trained, training
from tests.reports.page import Page

FALLING = (4.0, 3.0, 2.0, 1.0)


def of(hand, autograd=FALLING, steps=40):
    """A training with these curves."""
    return training(hand=side(steps, curve=tuple(hand)), autograd=side(steps, curve=tuple(autograd)))


def points(path):
    """The points of an SVG path."""
    return [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path)]


def test_both_curves_share_one_scale():
    """The same losses are the same line, from the top of the scale to its bottom."""
    plot = Plot.of(of(FALLING))
    assert plot.hand == plot.autograd
    assert plot.ticks == ("4", "3", "2", "1")
    assert points(plot.hand) == [(80.0, 0.0), (240.0, 80.0), (400.0, 160.0), (560.0, 240.0)]
    assert not plot.exceeded and not plot.broken


@pytest.mark.parametrize(
    ("low", "high"),
    [(2.0, 3.9), (0.0, 0.0), (2.3, 2.3), (-3.0, 1e9), (1e-9, 3e-9), (2.31, 2.32), (99.0, 101.0)],
)
def test_a_scale_is_of_few_round_numbers_and_takes_everything_in(low, high):
    """At most six labels, evenly spaced."""
    ticks = Scale(low, high, exceeded=False).ticks
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low + 1e-12 and ticks[-1] >= high - 1e-12
    steps = {round((b - a) / (ticks[1] - ticks[0]), 6) for a, b in pairwise(ticks)}
    assert steps == {1.0}


@pytest.mark.parametrize("off", [100.0, 1e308, -1e308])
def test_a_loss_that_runs_away_does_not_press_the_other_flat(off):
    """It runs along the edge, and is said to."""
    plot = Plot.of(of((4.0, 9.0, off, off)))
    assert plot.exceeded
    assert len(plot.ticks) >= 4
    span = [down for _, down in points(plot.autograd)]
    assert max(span) - min(span) >= HEIGHT / 4
    assert all(0 <= across <= WIDTH and 0 <= down <= HEIGHT for across, down in points(plot.hand))
    source = html.render(trained(hand=side(curve=(4.0, off)), autograd=side()))
    assert "runs along its edge" in source and 'class="hand off"' in source


def test_a_loss_that_is_no_number_breaks_the_line():
    """The line ends where the numbers do, and goes on where there are some again."""
    plot = Plot.of(of((4.0, None, 2.0, 1.0, None)))
    assert plot.broken and plot.hand.count("M") == 2
    assert len(points(plot.hand)) == 3
    assert "and then no number" in plot.words
    assert "not a number" in html.render(trained(hand=side(curve=(4.0, None))))


def test_fewer_losses_than_steps_are_a_shorter_line():
    """Half as many losses as steps go half way."""
    half = replace(of(FALLING), hand=side(20, curve=FALLING))
    assert max(across for across, _ in points(Plot.of(half).hand)) < WIDTH / 2


def test_without_losses_there_is_less_to_draw():
    """No line by hand where none came back, no picture where there are no steps at all."""
    lost = training(hand=side(0, curve=()))
    assert Plot.of(lost).hand == "" and chart(lost, 40) == ""
    assert "No losses by hand came back" in html.render(trained(hand=side(0, curve=())))
    nothing = training(done=0, hand=side(0, curve=()), autograd=side(0, curve=()))
    assert Plot.of(nothing) is None and chart(nothing, 40) == ""
    assert Page(html.render(trained(hand=side(0, curve=()), autograd=side(0, curve=(None,))))).tags


def test_a_chart_is_a_column_for_each_point():
    """Its highest and its lowest loss stand beside it."""
    assert chart(of((3.0, 2.0, 1.0), (3.0, 2.0, 1.0)), 3, rows=2) == "     3 █▁\n     1 ██▁\n"
    assert chart(of((3.0, None, 1.0)), 9, rows=2, plain=True).isascii()
    assert chart(of((1e308, None, 1.0)), 9, rows=2).splitlines()[1].endswith("█ ▁")


def test_fewer_columns_than_points_are_means():
    """Of what there is; a stretch without a number stays without one."""
    assert resampled((4.0, 2.0, None, 1.0, None, None), 3) == (3.0, 1.0, None)
    assert resampled((4.0,), 3) == (4.0,)
    assert resampled((), 3) == ()


def test_the_page_shows_the_training_and_the_graded_steps():
    """Two pictures by one macro; the losses, what is published and by whom, and the names."""
    page = Page(html.render(trained(done=900, trouble="stopped at step 900 of 1000", stopped=True)))
    pictures = [svg["aria-label"] for svg in page.having("svg") if svg.get("role") == "img"]
    assert sum("by hand from" in label for label in pictures) == 2
    for words in (
        "The whole training",
        "900 of 1,000 steps on names.txt",
        "stopped at step 900",
        "2.071",
        "2.07",
        "Published: a lecture's, of its own list of names.",
        "4 names from this network",
        "bellamarie",
        "The 300 steps it is graded by",
    ):
        assert words in page.text, words


def test_the_page_tells_no_time():
    """Same input, same bytes: what differs from run to run stays in the JSON."""
    slow = trained(hand=side(seconds=99.0), autograd=side(seconds=1.0))
    assert html.render(slow) == html.render(trained())


def test_what_is_not_published_has_no_column():
    """Nothing is compared with a training of other steps."""
    assert "Published" not in Page(html.render(trained(published=None))).text
    assert "published" not in table.render(trained(published=None))


def test_the_terminal_shows_the_same():
    """Losses, chart, names, and a word on what is slow."""
    text = table.render_training(trained().exercises[0].training)
    assert re.search(r"training +2\.071 +2\.071 +2\.07\n", text)
    assert "2.50 times as long" in text and SLOWNESS.split(":")[0] in text.replace("\n", " ")
    assert "bellamarie" in text and text.isascii()
    assert text in table.render(trained())
    assert SLOWNESS.split(":")[0] not in table.render_training(training(hand=side(seconds=1.0)))
    assert "█" in table.render_training(training(), colour=True)


def test_a_training_that_came_to_nothing_is_told_all_the_same():
    """Without a step there is no pace, no loss, no curve and no name."""
    none = side(0, curve=(), averages=Averages(None, None), seconds=0.0)
    broken = training(
        done=0, trouble="it \x1b[31mcrashed", hand=none, autograd=none, published=None, names=()
    )
    text = table.render_training(broken)
    assert text.splitlines() == ["Training: 0 of 1,000 steps on names.txt", "it ␛[31mcrashed"]
