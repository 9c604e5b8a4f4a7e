"""Gaussian data and a schedule in, the best noise predictor's losses and bounds out, exactly; float64. Pure.

Every term of a diffusion model's bound is a KL divergence of two Gaussians, or the code length of one, whose
means differ by what the model cannot know: a multiple of x_0 - E[x_0 | x_t]. For data N(mean, s²) the
expectation of its square is the variance of x_0 given x_t, so the whole bound is a sum over the steps with
nothing random in it. An estimate by sampling has to agree with it within its standard error, and no bound of
any model has a smaller expectation than the entropy.

Everything is for one dimension, in nats, float64. Letters in shapes: T steps, counted from 0.

Source: Ho et al. 2020, arXiv:2006.11239, equation 5; Bao et al. 2022, arXiv:2201.06503, for the variances.
"""

import math

from jaxtyping import Float
from torch import Tensor

from grader.metrics.diffusion_oracle import GaussianData
from grader.metrics.diffusion_process import Schedule


def entropy(data: GaussianData) -> float:
    """Of the data, in nats: no bound can have a smaller expectation."""
    return 0.5 * math.log(2 * math.pi * math.e * data.deviation**2)


def image_variance(data: GaussianData, schedule: Schedule) -> Float[Tensor, " T"]:
    """Variance of x_0 given x_t: what is not known of the image after each step."""
    spread = schedule.noise_variance
    return data.deviation**2 * spread / (schedule.alpha_bar * data.deviation**2 + spread)


def best_simple_loss(data: GaussianData, schedule: Schedule) -> float:
    """Mean squared error of the best guess of the noise, all steps alike; 1 is a guess of nothing.

    Source: Ho et al. 2020, arXiv:2006.11239, equation 14.
    """
    signal = schedule.alpha_bar * data.deviation**2
    return float((signal / (signal + schedule.noise_variance)).mean())


def best_reverse_variance(data: GaussianData, schedule: Schedule) -> Float[Tensor, " T"]:
    """The variance of x_{t-1} given x_t: with it as reverse variance, every step of the bound is smallest.

    Source: Bao et al. 2022, arXiv:2201.06503, theorem 1.
    """
    return schedule.posterior_variance + _image_weight(schedule).square() * image_variance(data, schedule)


def expected_bound(data: GaussianData, schedule: Schedule, variance: Float[Tensor, " T"]) -> float:
    """Expectation of the bound on the code length, of the best noise predictor over data and noise.

    Equal to the entropy, to rounding, for standard normal data and the variance beta.

    Args:
        data: one-dimensional; for images of independent pixels multiply by their number.
        schedule: of the forward process.
        variance: of the reverse process at every step; at step 0 that of the decoder's Gaussian density.

    Raises:
        ValueError: not one positive variance for each step.
    """
    if variance.shape != schedule.beta.shape or not bool((variance > 0).all()):
        raise ValueError(
            f"variance: expected {len(schedule)} positive numbers, got shape {tuple(variance.shape)}"
        )
    unknown = _image_weight(schedule).square() * image_variance(data, schedule)
    ratio = schedule.posterior_variance[1:] / variance[1:]
    steps = (ratio - 1 - ratio.log() + unknown[1:] / variance[1:]) / 2
    decoder = ((2 * math.pi * variance[0]).log() + unknown[0] / variance[0]) / 2
    return float(steps.sum() + decoder) + expected_prior_term(data, schedule)


def expected_prior_term(data: GaussianData, schedule: Schedule) -> float:
    """Expectation of L_T, the divergence of x_T from the standard normal; no model has a part in it."""
    remains, spread = schedule.alpha_bar[-1], schedule.noise_variance[-1]
    power = data.mean**2 + data.deviation**2
    return float(remains * power - remains - spread.log()) / 2


def implicit_limit(data: GaussianData, schedule: Schedule) -> float:
    """Slope of x_0 in x_T under implicit sampling without noise, as the steps become infinitely fine.

    Source: Song et al. 2021, arXiv:2010.02502, section 4.3: the sampler is then the probability flow.
    """
    spread = float(schedule.alpha_bar[-1]) * data.deviation**2 + float(schedule.noise_variance[-1])
    return data.deviation / math.sqrt(spread)


def _image_weight(schedule: Schedule) -> Float[Tensor, " T"]:
    """Weight of x_0 in the mean of q(x_{t-1} | x_t, x_0); 1 at step 0."""
    return schedule.alpha_bar_before.sqrt() * schedule.beta / schedule.noise_variance
