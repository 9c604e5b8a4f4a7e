"""Where widely used tools give another code length than the true one: the input, their figure, and ours.

Each test fails on the day that a tool is mended: then the line can go, and the tool can be compared with.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import log_loss
from torch import distributions
from torch.nn import functional
from torchmetrics.text import Perplexity

from grader.metrics.adversarial_losses import non_saturating_generator_loss
from grader.metrics.discretised_logistic import discretised_logistic_log_prob
from grader.metrics.likelihood import bernoulli_log_likelihood, gaussian_log_density
from grader.metrics.perplexity import perplexity, token_nll


def peer_perplexity(logits: torch.Tensor, targets: torch.Tensor) -> float:
    peer = Perplexity()
    peer.update(logits, targets)
    return float(peer.compute())


def test_torchmetrics_perplexity_is_infinite_where_a_target_lies_110_nats_down():
    """It takes the logarithm of a softmax that has underflowed, in the precision of the logits."""
    logits, targets = torch.zeros(1, 4, 10), torch.ones(1, 4, dtype=torch.long)
    logits[0, 0, 1] = -110
    assert peer_perplexity(logits, targets) == math.inf
    exact = math.exp((110 + math.log(9) + 3 * math.log(10)) / 4)
    assert perplexity(float(token_nll(logits, targets).mean())) == pytest.approx(exact, rel=1e-14)


def test_torchmetrics_perplexity_of_half_precision_is_off_by_three_in_a_thousand():
    """A uniform guess among 50257 symbols, whose probability is rounded to float16 before its logarithm."""
    logits, target = torch.zeros(1, 1, 50257, dtype=torch.float16), torch.zeros(1, 1, dtype=torch.long)
    assert peer_perplexity(logits, target) == pytest.approx(50419, abs=1)
    assert perplexity(float(token_nll(logits, target))) == pytest.approx(50257, rel=2e-15)


def test_cross_entropy_of_bfloat16_has_three_digits():
    logits, target = torch.zeros(1, 50257, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.long)
    assert float(functional.cross_entropy(logits, target)) == 10.8125
    assert float(token_nll(logits, target)) == pytest.approx(math.log(50257), rel=1e-15)


@pytest.mark.parametrize(("dtype", "floor"), [(torch.float32, 15.942385), (torch.float64, 36.043653)])
def test_distributions_of_torch_charge_no_more_than_rounding_for_what_cannot_happen(dtype, floor):
    """Given probabilities, they are clamped to an epsilon; given logits, they are right."""
    rare = torch.tensor([1.0, 1e-30], dtype=dtype)
    categorical = distributions.Categorical(probs=rare).log_prob(torch.tensor(1))
    assert -float(categorical) == pytest.approx(floor, rel=1e-6)
    coin = distributions.Bernoulli(probs=rare[1]).log_prob(torch.tensor(1.0, dtype=dtype))
    assert -float(coin) == pytest.approx(floor, rel=1e-6)
    exact = 30 * math.log(10)
    assert float(token_nll(rare.log()[None], torch.tensor([1]))) == pytest.approx(exact, rel=1e-6)
    logit = rare[1:].log()[None]  # as good as the log-odds
    assert -float(bernoulli_log_likelihood(logit, torch.ones(1, 1))) == pytest.approx(exact, rel=1e-6)


def test_log_loss_of_scikit_learn_stops_at_36_nats():
    assert log_loss([1], [[1, 1e-20]], labels=[0, 1]) == pytest.approx(36.04365338911715, rel=1e-12)
    assert 20 * math.log(10) == pytest.approx(46.051701859880914, rel=1e-15)


def test_binary_cross_entropy_stops_at_100_nats():
    wrong = torch.tensor([-200.0], dtype=torch.float64)
    assert float(functional.binary_cross_entropy(wrong.sigmoid(), torch.ones(1).double())) == 100
    assert float(non_saturating_generator_loss(wrong)) == 200


def test_softplus_forgets_its_second_term_above_twenty():
    logit = torch.tensor([[20.5]], dtype=torch.float64)
    assert float(functional.softplus(logit) - logit) == 0
    assert -float(bernoulli_log_likelihood(logit, torch.ones(1, 1))) == pytest.approx(
        1.2501528656053019e-9, rel=1e-15
    )


def test_gaussian_nll_loss_sets_small_variances_to_a_millionth():
    """At a variance of 1e-8 it charges 1.8 nats too much (and by default it leaves out log(2 pi) / 2)."""
    at, variance = torch.full((1,), 1e-4, dtype=torch.float64), torch.full((1,), 1e-8, dtype=torch.float64)
    peer = functional.gaussian_nll_loss(torch.zeros(1).double(), at, variance, full=True)
    assert float(peer) == pytest.approx(-5.98382, abs=1e-5)
    ours = -gaussian_log_density(at, mean=torch.zeros(1), log_variance=variance.log())
    assert float(ours) == pytest.approx(stats.norm.logpdf(1e-4, 0, 1e-4) * -1, rel=1e-14)
    assert float(ours) == pytest.approx(-7.79140183877151, rel=1e-14)


def test_kl_div_divides_by_the_symbols_unless_it_is_told_not_to():
    p, q = (
        torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64),
        torch.full((1, 4), 0.25, dtype=torch.float64),
    )
    exact = float((p * (p / q).log()).sum())
    with pytest.warns(UserWarning, match="batchmean"):
        assert float(functional.kl_div(q.log(), p)) == pytest.approx(exact / 4, rel=1e-14)
    ours = (
        token_nll(q.log().expand(4, 4), torch.arange(4)) - token_nll(p.log().expand(4, 4), torch.arange(4))
    ) @ p[0]
    assert float(ours) == pytest.approx(exact, rel=1e-13)


def test_differences_of_logistic_distribution_functions_lose_the_upper_tail():
    law = distributions.TransformedDistribution(
        distributions.Uniform(torch.zeros(1).double(), torch.ones(1).double()),
        [distributions.SigmoidTransform().inv, distributions.AffineTransform(100.0, 1.0)],
    )
    edges = torch.tensor([[199.5], [200.5]], dtype=torch.float64)
    assert float(law.cdf(edges[1]) - law.cdf(edges[0])) == 0
    assert np.diff(stats.logistic(100, 1).cdf(edges[:, 0].numpy())) == 0
    far = discretised_logistic_log_prob(torch.tensor([200]), *torch.tensor([[100.0], [1.0]]))
    survival = stats.logistic(100, 1).sf(199.5) - stats.logistic(100, 1).sf(
        200.5
    )  # right, for this tail alone
    assert -float(far) / math.log(2) == pytest.approx(144.20988492608083, rel=1e-15)
    assert -math.log2(survival) == pytest.approx(144.20988492608083, rel=1e-14)
