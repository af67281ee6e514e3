"""A picture says what the figures say: where a dot lies, what is cut off, and the same in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.charts import whiskers
from components.evidence import Difference

HOSTILE = "\"'><script>alert(1)</script>"


def row(difference: float, **about) -> Difference:
    given_ = {
        "slice": "origin=JFK",
        "metric": "auc",
        "better": 1,
        "examples": 900,
        "candidate": 0.7,
        "baseline": 0.7 - difference,
        "difference": difference,
        "interval": (difference - 0.01, difference + 0.01),
        "tolerated": 0.03,
        "status": "passed",
        "harm": 0.0,
    }
    return Difference(**(given_ | about))


def places(picture: str, shape: str, name: str) -> list[float]:
    return [float(x) for x in re.findall(rf'<{shape}[^>]* {name}="(-?[\d.]+)%"', picture)]


OVER = whiskers.Scale(0.1)


def test_worse_is_to_the_left_whichever_way_the_metric_runs():
    (auc,) = places(whiskers.whisker(row(-0.05), OVER), "circle", "cx")
    (loss,) = places(whiskers.whisker(row(0.05, metric="loss", better=-1), OVER), "circle", "cx")
    assert auc == loss == 25


def test_no_change_is_in_the_middle_and_the_tolerated_line_where_it_belongs():
    picture = whiskers.whisker(row(0.0), OVER)
    assert places(picture, "circle", "cx") == [50]
    assert places(picture, "rect", "width") == [35]  # 0.03 of 0.1 to the left of the middle


def test_an_interval_goes_from_its_one_end_to_its_other():
    picture = whiskers.whisker(row(0.02, interval=(-0.04, 0.08)), OVER)
    assert (30, 90) in zip(
        places(picture, "line", "x1"), places(picture, "line", "x2"), strict=True
    )


def test_what_leaves_the_picture_is_marked_at_the_edge_it_leaves_by():
    assert 'class="on"' not in whiskers.whisker(row(0.02), OVER)
    picture = whiskers.whisker(row(0.0, interval=(-0.5, 0.05)), OVER)
    assert places(picture, "svg", "x") == [0]


def test_no_interval_draws_a_dot_alone_and_nothing_tolerated_no_line():
    picture = whiskers.whisker(row(0.0, interval=None, tolerated=None), OVER)
    assert "<circle" in picture
    assert "reach" not in picture
    assert "bound" not in picture


@pytest.mark.parametrize(
    ("about", "tone"),
    [
        ({"status": "failed"}, "bad"),
        ({"status": "warned"}, "warn"),
        ({"interval": (0.01, 0.05)}, "good"),
        ({"interval": (-0.01, 0.05)}, "plain"),
    ],
)
def test_the_colour_is_that_of_how_it_came_out(about, tone):
    assert f'class="whisker {tone}"' in whiskers.whisker(row(0.03, **about), OVER)


def test_a_picture_is_told_in_words_and_data_does_not_become_markup():
    picture = whiskers.whisker(row(-0.05, slice=HOSTILE, status="failed"), OVER)
    assert "<script" not in picture
    assert "−0.050, between −0.060 and −0.040; tolerated is 0.03 worse; failed" in picture


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0, 1), st.sampled_from(["failed", "passed"])),
        max_size=20,
    )
)
def test_every_difference_that_failed_is_on_the_scale(drawn):
    rows = [row(d, interval=(d - w, d + w), status=status) for d, w, status in drawn]
    over = whiskers.scale(rows)
    assert 0 in over.ticks
    assert 1 < len(over.ticks) <= 5
    for one in rows:
        assert one.status != "failed" or abs(one.difference) <= over.reach
