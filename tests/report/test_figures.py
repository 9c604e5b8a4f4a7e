from decimal import Decimal

import pytest

from grader.records import Measurement
from grader.report.figures import contribution, figure, measured, percent, points


def measurement(value, low=None, high=None, unit=""):
    return Measurement(name="kl", value=value, unit=unit, n=10, low=low, high=high)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("7.50", "7.5"),
        ("10", "10"),
        ("100.00", "100"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("-3.5", "\N{MINUS SIGN}3.5"),
        ("1E+2", "100"),
    ],
)
def test_points_read_as_people_write_them(value, text):
    assert points(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1234.5678, "1235"),
        (0.000012345, "1.234e-05"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (float("nan"), "not finite"),
        (float("-inf"), "not finite"),
    ],
)
def test_a_figure_has_four_significant_digits(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (measurement(20.612, 20.25, 20.97, "nats"), "20.61 ± 0.36 nats"),
        (measurement(0.92, 0.90, 0.94), "0.920 ± 0.020"),
        (measurement(123.4, 120.0, 126.8), "123.4 ± 3.4"),
        (measurement(5000.0, 4000.0, 6000.0), "5000 ± 1e+03"),
        (measurement(2.0, 1.9, 2.9), "2 (1.9 to 2.9)"),
        (measurement(2.0), "2"),
        (measurement(2.0, 2.0, 2.0, "bits"), "2 bits"),
        (measurement(2.0, float("-inf"), 3.0), "2"),
        (measurement(None), "not measured"),
        (measurement(float("nan"), 1.0, 2.0), "not finite"),
    ],
)
def test_a_measurement_is_told_with_as_many_places_as_it_deserves(given, text):
    assert measured(given) == text


def test_a_contribution_that_does_not_fit_says_so():
    assert contribution(Decimal("32.175")) == "32.175"
    assert contribution(Decimal(100) / Decimal(3)) == "≈ 33.3333"


def test_a_share_is_a_percentage():
    assert percent(0.666) == "67 %"
