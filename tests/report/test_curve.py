import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grader.report.curve import MOST_POINTS, Curve, curve_chart, summary, ticks

from .reading import Page


def chart(*values):
    return curve_chart(
        "c", title="Loss", curves=[Curve.of("this submission", "mine", np.array(v)) for v in values]
    )


def polylines(drawn):
    return [
        [tuple(map(float, corner.split(","))) for corner in a["points"].split()]
        for a in Page(str(drawn)).all("polyline")
    ]


def test_a_falling_curve_falls():
    ((first, *_, last),) = polylines(chart([3.0, 2.0, 1.0]))
    assert first[1] < last[1]
    assert first[0] < last[0]


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    (corners,) = polylines(chart(np.linspace(5, 1, 10_000)))
    (short,) = polylines(chart(np.linspace(5, 1, 3)))
    assert len(corners) == MOST_POINTS
    assert (corners[0][0], corners[-1][0]) == (short[0][0], short[-1][0])


def test_what_is_not_finite_is_a_gap():
    assert len(polylines(chart([3.0, 2.0, np.nan, 2.0, 1.0]))) == 2


def test_a_single_value_is_a_dot():
    assert [a["class"] for a in Page(str(chart([3.0]))).all("circle")] == ["dot mine"]


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, -np.inf], [1e300]])
def test_nothing_finite_makes_no_chart(values):
    assert chart(values) is None


def test_no_curves_make_no_chart():
    assert chart() is None


def test_a_constant_curve_is_drawn():
    assert polylines(chart([2.0, 2.0, 2.0]))


def test_two_curves_share_their_axes():
    low, high = polylines(chart([1.0, 1.0], [2.0, 2.0]))
    assert low[0][1] > high[0][1]


def test_the_summary_counts_what_is_not_finite():
    told = summary(Curve.of("this submission", "mine", np.array([3.0, np.nan, 1.0, 2.0])))
    assert (told.steps, told.first, told.lowest, told.last, told.not_finite) == (4, "3", "1", "2", 1)


def test_the_summary_of_nothing_says_none():
    assert summary(Curve.of("this submission", "mine", np.array([np.nan]))).lowest == "none"


def test_the_description_tells_the_curve():
    assert "this submission: 3 steps, from 3 to 2, lowest 1." in Page(str(chart([3.0, 1.0, 2.0]))).text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0, 0.5, 1]), (18.0, 44.0, [20, 30, 40]), (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round_figures(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@given(arrays(np.float64, st.integers(0, 300)))
def test_any_curve_is_drawn_inside_the_chart_or_not_at_all(values):
    drawn = chart(values)
    for line in polylines(drawn) if drawn else []:
        assert all(0 <= x <= 520 and 0 <= y <= 190 for x, y in line)
