"""Variety: digits beside themselves, a few images over and over, and what cannot be compared."""

import pytest
import torch
from torch import Tensor

from grader.data.digits import load_digits
from grader.metrics.variety import least_variety, variety

DIGITS = load_digits().intensity


@pytest.mark.parametrize(
    ("images", "distinct", "spread"),
    [
        (DIGITS[:300], 1.0, 1.0),
        (DIGITS[:1].expand(300, 64), 1 / 300, 0.0),
        (DIGITS[:3].repeat(100, 1), 0.01, 0.6),
    ],
    ids=["digits", "one image", "three images"],
)
def test_variety_is_that_of_digits_or_less(images: Tensor, distinct: float, spread: float):
    found = variety(images, like=DIGITS)
    assert found.distinct == pytest.approx(distinct)
    assert found.spread == pytest.approx(spread, abs=0.25)


def test_half_the_contrast_is_a_quarter_of_the_spread():
    assert variety(DIGITS / 2, like=DIGITS).spread == pytest.approx(0.25, rel=1e-12)


def test_images_that_differ_by_less_than_a_thousandth_are_not_distinct():
    grey = torch.full((10, 1, 4, 4), 0.5)
    assert (
        variety(
            grey + 1e-4 * torch.arange(10.0)[:, None, None, None] / 9, like=torch.rand(5, 1, 4, 4)
        ).distinct
        == 0.1
    )


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("images", "like", "message"),
    [
        (DIGITS[:1], DIGITS, r"at least 2 images on each side, .* got shapes \(1, 64\)"),
        (DIGITS[:, :60], DIGITS, r"\(1797, 60\) and \(1797, 64\)"),
        (DIGITS, DIGITS[:1].expand(9, 64), "one image over and over"),
    ],
)
def test_what_cannot_be_compared_is_refused(images: Tensor, like: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        variety(images, like=like)


def test_what_is_varied_at_first_does_not_hide_what_is_not_later():
    late = torch.cat([DIGITS, DIGITS[:1].repeat(len(DIGITS), 1)])
    assert variety(late, like=DIGITS).spread > 0.2
    found = least_variety(late, portion=len(DIGITS), like=DIGITS)
    assert (found.distinct, found.spread) == (1 / len(DIGITS), 0)
