"""Shares of classes: exact intervals, and a test that accuses honest samples as seldom as it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from grader.metrics.class_balance import class_shares, missing_classes


def labels(*counts):
    return np.repeat(np.arange(len(counts)), counts)


def test_shares_and_intervals_are_those_of_the_textbook():
    """Clopper and Pearson: 0 of 20 has [0, 1 - .025^(1/20)], 20 of 20 the mirror image."""
    found = class_shares(labels(0, 20), count=2)
    assert found.share == (0, 1)
    edge = 1 - 0.025 ** (1 / 20)
    assert found.low == pytest.approx((0, 1 - edge), rel=1e-12)
    assert found.high == pytest.approx((edge, 1), rel=1e-12)
    assert found.n == 20


@settings(deadline=None, max_examples=25)
@given(counts=st.lists(st.integers(0, 40), min_size=2, max_size=5).filter(any))
def test_intervals_are_scipys_exact_ones(counts):
    found = class_shares(labels(*counts), count=len(counts), confidence=0.99)
    for i, c in enumerate(counts):
        theirs = binomtest(c, sum(counts)).proportion_ci(confidence_level=0.99, method="exact")
        assert (found.low[i], found.high[i]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_fifty_three_of_a_thousand_are_too_few_where_a_tenth_is_expected():
    """Beside a million real images the test is nearly the binomial: P(count <= 54 | .1, 1000) = 1.05e-7."""
    real = labels(100_000, 900_000)
    found = [missing_classes(labels(c, 1000 - c), like=real, count=2) for c in (53, 54)]
    assert found[1].probability[0] == pytest.approx(binom.cdf(54, 1000, 0.1), rel=0.02)
    assert binom.cdf(54, 1000, 0.1) == pytest.approx(1.05e-7, rel=1e-3)
    assert binom.cdf(53, 1000, 0.1) < 1e-7 < binom.cdf(54, 1000, 0.1)  # 1e-6 over ten classes
    assert found[0].missing == found[1].missing == (0,)  # over two classes the limit is 5e-7


def test_a_class_that_is_never_drawn_is_named():
    found = missing_classes(labels(0, 120, 80), like=labels(70, 70, 60), count=3)
    assert found.missing == (0,)
    assert found.limit == pytest.approx(1e-6 / 3)


def test_few_real_images_accuse_nobody():
    assert missing_classes(labels(0, 500), like=labels(2, 3), count=2).missing == ()
    assert missing_classes(labels(0, 500), like=labels(300, 200), count=2).missing == (0,)


def test_a_class_that_nobody_has_is_not_missing():
    assert missing_classes(labels(10, 0, 10), like=labels(5, 0, 5), count=3).probability[1] == 1


@pytest.mark.parametrize(("share", "n", "m"), [(0.1, 60, 40), (0.5, 30, 80), (0.02, 100, 100)])
def test_honest_samples_are_accused_no_more_often_than_the_level(share, n, m):
    """Summed over everything that can be drawn, exactly. Without the noise of the real images it is broken."""
    level, ours, taking_shares_as_exact = 0.05, 0.0, 0.0
    for real in range(m + 1):
        weight = binom.pmf(real, m, share)
        if weight < 1e-12:
            continue
        for count in range(n + 1):
            chance = weight * binom.pmf(count, n, share)
            if chance < 1e-12:
                continue
            found = missing_classes(labels(count, n - count), like=labels(real, m - real), count=2, level=0.1)
            ours += chance * (found.probability[0] < level)
            taking_shares_as_exact += chance * (binom.cdf(count, n, real / m) < level)
    assert 0 < ours <= level
    assert taking_shares_as_exact > level


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_shares([], count=3), "classes: expected the class of at least one image"),
        (lambda: class_shares([0, 3], count=3), "expected whole numbers from 0 to 2, got int64 from 0 to 3"),
        (lambda: class_shares([0.5], count=3), "got float64 from 0.5 to 0.5"),
        (lambda: class_shares([0], count=3, confidence=1.0), "confidence: expected a share between 0 and 1"),
        (lambda: missing_classes([0], like=[-1], count=3), "like: expected whole numbers"),
    ],
)
def test_what_are_no_classes_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
