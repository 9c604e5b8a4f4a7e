"""Log-probabilities of classes in, the Inception score of samples out, with error and bias. Pure, float64.

    S = exp E KL(p(y|x) || p(y)),    p(y) = mean of p(y|x) over the samples

from 1, where all samples look the same to the classifier, to K, where each is surely of one of K classes that
are equally frequent. It is called Inception score for the classifier it was first taken with, means nothing
without the name of the one it was taken with, and sees neither copies nor what is amiss within a class.

All samples are taken at once. The usual mean over ten parts of a random order, with its spread in the place
of an error, is another figure: each part has a tenth of the samples and so about ten times the bias, and the
order changes it.

Source: Salimans et al. 2016, arXiv:1606.03498, section 4; Barratt & Sharma 2018, arXiv:1801.01973.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

UNNORMALISED = 1e-4
"""How far the logarithm of the sum of probabilities may be from 0: a float32 softmax is within 1e-6."""


@dataclass(frozen=True)
class ClassifierScore:
    """A score with its error."""

    value: float
    standard_error: float
    """Through the draw of the samples."""
    bias: float
    """How much too high (or, as a rule, too low) the value is on average, to first order in 1/n."""
    n: int


def classifier_score(log_probabilities: Float[Tensor, "n K"]) -> ClassifierScore:
    """The score of samples, by a classifier that the generator's author has no part in; higher is better.

    The error is that of the influence of one sample, which is S (KL(p(y|x) || p(y)) - log S). The bias comes
    from p(y), which is estimated from the same samples: E log S is too low by E KL(estimate || p(y)), about
    the sum over classes of Var p(y|x) / (2 n p(y)), (K - 1) / (2 n) where the classifier is sure.

    Args:
        log_probabilities: of each class for each sample; minus infinity where a class is excluded.

    Raises:
        ValueError: fewer than two samples, or probabilities that do not sum to one.
    """
    log_p = _checked(log_probabilities)
    n, p = len(log_p), log_p.exp()
    log_marginal = log_p.logsumexp(0) - math.log(n)  # (K,)
    divergence = torch.where(p > 0, p * (log_p - log_marginal), 0.0).sum(1)  # 0 log 0 = 0
    information, error = float(divergence.mean()), float(divergence.std()) / math.sqrt(n)
    marginal = p.mean(0)
    too_low = float(torch.where(marginal > 0, p.var(0) / marginal, 0.0).sum()) / (2 * n)
    score = math.exp(information)
    return ClassifierScore(
        value=score, standard_error=score * error, bias=score * (error**2 / 2 - too_low), n=n
    )


def _checked(log_probabilities: Float[Tensor, "n K"]) -> Float[Tensor, "n K"]:
    """The log-probabilities in float64, each row summing to one."""
    rows = log_probabilities.detach().to(torch.float64)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] == 0:
        raise ValueError(
            f"log_probabilities: expected a row of classes for at least 2 samples, got {tuple(rows.shape)}"
        )
    total = rows.logsumexp(1, keepdim=True)
    if not bool((total.abs() <= UNNORMALISED).all()):
        worst = float(total[total.abs().nan_to_num(torch.inf).argmax()])
        raise ValueError(
            "log_probabilities: expected rows whose probabilities sum to 1, "
            f"got one whose sum has the logarithm {worst:.3g}; take log_softmax of logits"
        )
    return rows - total
