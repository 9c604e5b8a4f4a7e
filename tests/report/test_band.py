import re
from decimal import Decimal

import pytest

from grader.course.model import Band, Criterion
from grader.records import Mark, Measurement
from grader.report.band import WIDTH, Scale, band_strip

from .reading import Page


def criterion(**changes):
    return Criterion(
        **{"id": "fit", "title": "Fit", "points": Decimal(10), "kind": "metric", "metric": "m"} | changes
    )


def mark(value=1.5, *, low=None, high=None, full_at=1.0, none_at=2.0):
    measurement = Measurement(name="m", value=value, unit="nats", n=9, low=low, high=high)
    return Mark(
        criterion="fit", title="Fit", points=Decimal(5), out_of=Decimal(10), reason="",
        measurement=measurement, full_at=full_at, none_at=none_at,
    )  # fmt: skip


def strip(*args, rule=None, band=None, **options):
    return band_strip("s", mark=mark(*args, **options), criterion=rule or criterion(), band=band)


def marker_x(drawn):
    return float(next(a["cx"] for a in Page(str(drawn)).all("circle") if a["class"] == "marker"))


def test_better_is_always_to_the_right():
    lower = strip(1.1), strip(1.9)
    rule = criterion(direction="higher")
    higher = strip(1.9, full_at=2.0, none_at=1.0, rule=rule), strip(1.1, full_at=2.0, none_at=1.0, rule=rule)
    assert marker_x(lower[0]) > marker_x(lower[1])
    assert marker_x(higher[0]) > marker_x(higher[1])


def test_a_linear_scale_puts_the_middle_in_the_middle():
    assert Scale(none_at=2.0, full_at=1.0, logarithmic=False).share(1.5) == pytest.approx(0.5)


def test_a_logarithmic_scale_puts_the_geometric_mean_in_the_middle():
    assert Scale(none_at=100.0, full_at=1.0, logarithmic=True).share(10.0) == pytest.approx(0.5)


def test_a_logarithmic_scale_with_a_negative_anchor_is_drawn_linearly():
    scale = Scale.of(mark(full_at=-1.0, none_at=3.0), criterion(scale="log"))
    assert not scale.logarithmic


@pytest.mark.parametrize("value", [-5.0, 0.0, 50.0, 1e300])
def test_a_value_beyond_the_strip_becomes_an_arrow_at_its_edge(value):
    page = Page(str(strip(value)))
    assert not [a for a in page.all("circle") if a["class"] == "marker"]
    corners = page.all("polygon")[0]["points"]
    assert all(0 <= float(x) <= WIDTH for x in re.findall(r"([-\d.]+),", corners))


def test_a_better_value_beyond_the_strip_points_right():
    assert Page(str(strip(-5.0))).all("polygon")[0]["points"].startswith(f"{WIDTH - 1:.1f}")


def test_the_interval_is_drawn_as_a_whisker():
    whiskers = [a for a in Page(str(strip(1.5, low=1.4, high=1.6))).all("line") if a["class"] == "whisker"]
    assert len(whiskers) == 3
    assert not [a for a in Page(str(strip(1.5))).all("line") if a["class"] == "whisker"]


def test_the_spread_of_the_reference_is_two_standard_deviations_to_each_side():
    band = Band(mean=1.5, standard_deviation=0.1, n=5, full_at=1.0, none_at=2.0)
    drawn = Page(str(strip(1.2, band=band)))
    bar = next(a for a in drawn.all("rect") if a["class"] == "reference")
    scale = Scale(none_at=2.0, full_at=1.0, logarithmic=False)
    assert float(bar["x"]) == pytest.approx(scale.x(1.7), abs=0.1)
    assert float(bar["width"]) == pytest.approx(scale.x(1.3) - scale.x(1.7), abs=0.1)


def test_the_description_says_it_all_in_words():
    band = Band(mean=1.05, standard_deviation=0.02, n=5, full_at=1.0, none_at=2.0)
    text = Page(str(strip(1.5, low=1.4, high=1.6, band=band))).text
    assert "Measured 1.50 ± 0.10 nats; lower is better." in text
    assert "No points at 2, full points at 1." in text
    assert "reaches 1.05 with standard deviation 0.02 over 5 seeds" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"value": None},
        {"value": float("nan")},
        {"value": float("inf")},
        {"full_at": None},
        {"none_at": None},
        {"full_at": 2.0},
        {"none_at": float("inf")},
    ],
)
def test_where_there_is_nothing_to_show_there_is_no_strip(changes):
    assert strip(changes.pop("value", 1.5), **changes) is None


def test_no_measurement_no_strip():
    unmeasured = mark().model_copy(update={"measurement": None})
    assert band_strip("s", mark=unmeasured, criterion=criterion(), band=None) is None


def test_infinite_intervals_and_bands_are_left_out():
    band = Band(mean=float("nan"), standard_deviation=0.1, n=5, full_at=1.0, none_at=2.0)
    drawn = Page(str(strip(1.5, low=float("-inf"), high=2.0, band=band)))
    assert not [a for a in drawn.all("rect") if a["class"] == "reference"]
    assert not [a for a in drawn.all("line") if a["class"] == "whisker"]
