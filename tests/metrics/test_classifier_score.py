"""The Inception score: its ends, a case by hand, its error and bias by fresh draws, and torchmetrics beside it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grader.metrics.classifier_score import classifier_score


def some(seed, n, classes, *, sharpness=2.0):
    logits = torch.randn(n, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (sharpness * logits).log_softmax(1)


def one_hot(classes, count):
    return nn.functional.one_hot(torch.as_tensor(classes), count).double().log()  # log 0 = -inf


@pytest.mark.parametrize("count", [2, 10, 1000])
def test_sure_and_balanced_samples_score_the_number_of_classes(count):
    found = classifier_score(one_hot(torch.arange(3 * count) % count, count))
    assert found.value == pytest.approx(count, rel=1e-13)
    assert found.standard_error == pytest.approx(0, abs=1e-12)
    assert found.n == 3 * count


def test_samples_that_all_look_the_same_score_one():
    assert classifier_score(some(1, 1, 7).expand(20, -1)).value == pytest.approx(1, rel=1e-14)
    assert classifier_score(one_hot([3] * 9, 5)).value == 1


def test_a_case_worked_out_by_hand():
    """KL((.9, .1) || (.5, .5)) = .9 ln 1.8 + .1 ln .2 for both samples."""
    found = classifier_score(torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64).log())
    assert found.value == pytest.approx(math.exp(0.9 * math.log(1.8) + 0.1 * math.log(0.2)), rel=1e-14)


def test_sure_samples_score_the_exponential_of_the_entropy_of_their_classes():
    found = classifier_score(one_hot([0] * 8 + [1] * 4 + [2] * 2 + [3] * 2, 4))
    assert math.log2(found.value) == pytest.approx(1.75, rel=1e-14)


def test_nothing_is_lost_where_probabilities_are_too_small_for_a_logarithm():
    """float32 has no number as small as e^-200; its logarithm is what the classifier gave."""
    logits = torch.tensor([[0.0, -200.0, -900.0], [-200.0, 0.0, -900.0]])
    found = classifier_score(logits.log_softmax(1))
    assert found.value == pytest.approx(2, rel=1e-12)


def test_its_error_is_what_fresh_samples_show():
    found = [classifier_score(some(seed, 500, 10)) for seed in range(150)]
    spread = torch.tensor([one.value for one in found]).std()
    assert sum(one.standard_error for one in found) / 150 == pytest.approx(float(spread), rel=0.2)


@pytest.mark.parametrize("n", [50, 200])
def test_its_bias_is_what_fresh_samples_show(n):
    limit = classifier_score(some(99, 200_000, 10)).value
    found = [classifier_score(some(seed, n, 10)) for seed in range(400)]
    values = torch.tensor([one.value for one in found])
    error = float(values.std()) / 20
    claimed = sum(one.bias for one in found) / 400
    assert float(values.mean()) - limit == pytest.approx(claimed, abs=4 * error + abs(claimed) / 5)
    assert claimed < -4 * error  # so large that the bias of another n would be seen


def test_its_bias_for_sure_samples_is_that_of_an_entropy():
    """Miller 1955: the plug-in entropy is too low by (K - 1) / (2 n)."""
    found = classifier_score(one_hot(torch.arange(1000) % 4, 4))
    assert found.bias / found.value == pytest.approx(-3 / 2000, rel=2e-3)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), copies=st.integers(2, 4))
def test_order_names_and_copies_of_all_change_nothing(seed, copies):
    log_p = some(seed, 12, 5)
    plain = classifier_score(log_p).value
    generator = torch.Generator().manual_seed(seed)
    shuffled = log_p[torch.randperm(12, generator=generator)][:, torch.randperm(5, generator=generator)]
    assert classifier_score(shuffled).value == pytest.approx(plain, rel=1e-13)
    assert classifier_score(log_p.repeat(copies, 1)).value == pytest.approx(plain, rel=1e-13)
    assert 1 <= plain <= 5


class Given(nn.Module):
    """Logits are handed to torchmetrics as they are."""

    def forward(self, logits):
        return logits


def by_torchmetrics(logits, splits):
    from torchmetrics.image.inception import InceptionScore

    metric = InceptionScore(feature=Given(), splits=splits)
    metric.update(logits)
    return float(metric.compute()[0])


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all", "ignore:std\\(\\)")
def test_torchmetrics_agrees_for_one_part_and_is_another_figure_each_time_for_ten():
    logits = some(1, 400, 10)
    found = classifier_score(logits).value
    assert by_torchmetrics(logits, 1) == pytest.approx(found, rel=1e-12)
    parts = {by_torchmetrics(logits, 10) for _ in range(3)}
    assert len(parts) == 3
    assert max(parts) < found - 0.05  # ten times the bias


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(1, 1), r"at least 2 samples, got \(1, 1\)"),
        (torch.zeros(4), "expected a row of classes"),
        (torch.zeros(2, 3), r"sum has the logarithm 1.1; take log_softmax"),
        (torch.full((2, 3), torch.nan), "the logarithm nan"),
        (torch.full((2, 3), -torch.inf), "the logarithm -inf"),
        (torch.full((2, 2), 0.5), "the logarithm 1.19"),
    ],
)
def test_what_are_no_log_probabilities_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        classifier_score(given)
