"""The kernel distance beside exact arithmetic, laws that it must obey, and torchmetrics with its random subsets."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grader.metrics import kernel_distance as module
from grader.metrics.kernel_distance import KernelReference, kernel_distance, prepare_reference
from grader.metrics.reference_cache import cached


def normal(seed, *shape, mean=0.0):
    return mean + torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def integers(seed, *shape):
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).double()


def closed_form(d, squared):
    """N(m, I) against N(0, I) with |m|² = `squared`."""
    third = squared**3 + 6 * squared**2 + 3 * squared * d + 6 * squared
    return 3 * squared / d + 3 * squared**2 / d**2 + third / d**3


def kernel(a, b):
    products = sum(Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return (products / len(a) + 1) ** 3


def mean_of_pairs(rows, *, with_itself=False):
    pairs = [
        kernel(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j or with_itself
    ]
    return sum(pairs) / len(pairs)


def exact(x, y, *, with_itself=False):
    """The distance in rational numbers; with each row's kernel of itself it is the biased V-statistic."""
    across = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    own = mean_of_pairs(x, with_itself=with_itself), mean_of_pairs(y, with_itself=with_itself)
    return float(sum(own) - 2 * across)


def found(x, y):
    return kernel_distance(prepare_reference(x), y).value


def test_two_sets_on_a_line_worked_out_by_hand():
    """{1, -1} has own term (1 - 1)^3 = 0, {0, 0} has 1, and all four kernels across are 1: 0 + 1 - 2."""
    assert found(torch.tensor([[1.0], [-1.0]]), torch.zeros(2, 1)) == -1


@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_give_what_rational_arithmetic_gives(seed):
    x, y = integers(seed, 9, 4), integers(seed + 10, 7, 4)
    truth = exact(x, y)
    assert found(x, y) == pytest.approx(truth, rel=1e-14, abs=1e-14)


def test_the_biased_statistic_is_far_outside_that_tolerance():
    x, y = integers(0, 9, 4), integers(10, 7, 4)
    assert abs(exact(x, y, with_itself=True) - exact(x, y)) > 0.1


@pytest.mark.parametrize(("d", "squared"), [(4, 0.0), (4, 1.0), (16, 4.0), (64, 1.0)])
def test_its_mean_over_fresh_draws_is_the_closed_form(d, squared):
    shift = torch.zeros(d, dtype=torch.float64)
    shift[0] = squared**0.5
    values = torch.tensor(
        [found(normal(2 * seed, 100, d), normal(2 * seed + 1, 80, d) + shift) for seed in range(200)]
    )
    assert abs(float(values.mean()) - closed_form(d, squared)) < 4 * float(values.std()) / 200**0.5


def test_the_biased_statistic_misses_the_closed_form():
    """Its bias for equal laws is (E k(x, x) - E k(x, x')) (1/n + 1/m): the test above would see it."""
    values = torch.tensor([found(normal(2 * s, 100, 4), normal(2 * s + 1, 80, 4)) for s in range(200)])
    bias = (closed_form_of_itself(4) - 1 - 3 / 4) * (1 / 100 + 1 / 80)  # E k(x, x') = 1 + 3 E (x·x')² / d²
    assert bias > 10 * float(values.std()) / 200**0.5


def closed_form_of_itself(d):
    """E (c/d + 1)^3 for a chi-square variable c with d degrees of freedom."""
    return 1 + 3 + 3 * (d + 2) / d + (d + 2) * (d + 4) / d**2


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), n=st.integers(2, 12))
def test_rows_that_are_all_there_twice_obey_their_law(seed, n):
    """Of the 2n (2n - 1) pairs, 2n are a row and its double, and four times the pairs of different rows."""
    x, y = integers(seed, 8, 3), integers(seed + 1, n, 3)
    once, of_itself = float(mean_of_pairs(y)), float(sum(kernel(row, row) for row in y) / n)
    twice = (4 * n * (n - 1) * once + 2 * n * of_itself) / (2 * n * (2 * n - 1))
    assert found(x, y.repeat(2, 1)) - found(x, y) == pytest.approx(twice - once, rel=1e-11, abs=1e-11)


@settings(deadline=None, max_examples=15)
@given(block=st.integers(1, 40), seed=st.integers(0, 100))
def test_no_size_of_block_changes_the_figure(block, seed):
    x, y = normal(seed, 23, 6), normal(seed + 1, 31, 6)
    whole = kernel_distance(prepare_reference(x), y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        parts = kernel_distance(prepare_reference(x), y)
    assert parts.value == pytest.approx(whole.value, rel=1e-12, abs=1e-13)
    assert parts.standard_error == pytest.approx(whole.standard_error, rel=1e-12)


def test_large_rows_do_not_drown_the_kernels_of_different_ones():
    """Orthogonal rows of length 1e6 have kernel 1 with each other; subtracting 1e36 would leave nothing of it."""
    rows = 1e6 * torch.eye(5, dtype=torch.float64)
    assert prepare_reference(rows).own == 1


def test_a_reference_that_was_kept_gives_the_same_distance_bit_for_bit(tmp_path):
    x, y = normal(1, 30, 5), normal(2, 20, 5)
    made, kept = (cached(tmp_path, KernelReference, x, prepare_reference) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 1
    assert kernel_distance(kept, y) == kernel_distance(made, y) == kernel_distance(prepare_reference(x), y)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"features": torch.zeros(3, 2).double()}, "expected tensors 'features' and 'own'"),
        ({"features": torch.zeros(3, 2), "own": torch.ones(1)}, "expected float64 features"),
        ({"features": torch.zeros(1, 2).double(), "own": torch.ones(1).double()}, "at least 2 rows"),
        ({"features": torch.zeros(3, 2).double(), "own": torch.zeros(2).double()}, r"shape \(2,\)"),
    ],
)
def test_what_is_no_reference_is_refused(tensors, message):
    with pytest.raises(ValueError, match=message):
        KernelReference.from_tensors(tensors)


class Given(nn.Module):
    """Features are handed to torchmetrics as they are."""

    def forward(self, features):
        return features


def by_torchmetrics(x, y, **settings):
    from torchmetrics.image.kid import KernelInceptionDistance

    metric = KernelInceptionDistance(feature=Given(), **settings)
    metric.update(x, real=True)
    metric.update(y, real=False)
    return float(metric.compute()[0])


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all")
def test_it_agrees_with_torchmetrics_where_that_takes_one_subset_of_all_rows():
    x, y = normal(1, 300, 32), normal(2, 300, 32, mean=0.1)
    assert found(x, y) == pytest.approx(by_torchmetrics(x, y, subsets=1, subset_size=300), rel=1e-11)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all")
def test_random_subsets_give_another_figure_each_time_and_all_pairs_do_not():
    x, y = normal(1, 300, 32), normal(2, 300, 32, mean=0.1)
    theirs = {by_torchmetrics(x, y, subsets=10, subset_size=100) for _ in range(3)}
    assert len(theirs) == 3
    assert max(theirs) - min(theirs) > 1e-6
    assert len({found(x, y) for _ in range(3)}) == 1
