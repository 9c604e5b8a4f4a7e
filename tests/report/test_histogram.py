import pytest

from grader.report.histogram import SMALLEST_CLASS, bin_counts, histogram

from .reading import Page


def test_a_small_class_gets_no_histogram():
    assert histogram("h", title="t", shares=[0.5] * (SMALLEST_CLASS - 1)) is None


def test_a_class_of_ten_gets_one():
    page = Page(str(histogram("h", title="KL", shares=[0.5] * 9 + [1.0])))
    assert len(page.all("rect")) == 2
    assert "9 submissions from 50 % to 60 %; 1 submission from 90 % to 100 %." in page.text


@pytest.mark.parametrize(
    ("share", "place"), [(0.0, 0), (0.05, 0), (0.1, 1), (0.99, 9), (1.0, 9), (1.2, 9), (-0.1, 0)]
)
def test_every_share_has_its_bin(share, place):
    counts = bin_counts([share])
    assert counts[place] == 1
    assert sum(counts) == 1


def test_the_highest_bar_is_the_fullest_bin():
    bars = Page(str(histogram("h", title="t", shares=[0.15] * 8 + [0.55] * 4))).all("rect")
    assert float(bars[0]["height"]) == pytest.approx(2 * float(bars[1]["height"]))
