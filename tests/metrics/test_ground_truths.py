"""Every value that is known exactly, beside what our functions give: one line each, in the order of the notes.

The column `within` is the largest relative error allowed. Where none is given it is four last places of
float64; it is larger where a thousand terms are summed or matrices factorised, and half a unit of the last
digit where only so many are known. Values of chance (bounds by sampling, biases of finite samples) are held
to their standard errors.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from grader.data.markov import MarkovSource
from grader.metrics.adversarial_losses import (
    discriminator_loss,
    gradient_penalty,
    hinge_discriminator_loss,
    hinge_generator_loss,
    jensen_shannon_divergence,
    minimax_generator_loss,
    non_saturating_generator_loss,
)
from grader.metrics.classifier_score import classifier_score
from grader.metrics.dequantisation import bits_per_dim, dequantised_bound
from grader.metrics.diffusion_bound import prior_term, variational_bound
from grader.metrics.diffusion_oracle import GaussianData, MixtureData, implicit_laws
from grader.metrics.diffusion_process import linear_schedule, posterior_mean
from grader.metrics.discretised_logistic import discretised_logistic_log_prob
from grader.metrics.flow_density import change_of_variables
from grader.metrics.frechet import factorise, frechet_distance
from grader.metrics.gaussian_diffusion import (
    best_reverse_variance,
    best_simple_loss,
    entropy,
    expected_bound,
    image_variance,
    implicit_limit,
)
from grader.metrics.intervals import mean_with_error
from grader.metrics.kernel_distance import kernel_distance, prepare_reference
from grader.metrics.likelihood import (
    bernoulli_log_likelihood,
    gaussian_log_density,
    importance_bound,
    log_importance_weights,
)
from grader.metrics.linear_gaussian import LinearGaussian
from grader.metrics.perplexity import bits_per_character, perplexity, token_nll
from grader.metrics.prdc import expected_coverage, prdc
from grader.metrics.prdc import prepare_reference as prepare_neighbourhoods
from grader.metrics.probability_flow import LinearSchedule, Method, flow_log_density

EPSILON = 2.3e-16
"""An ulp of float64, relative."""
BIT = math.log(2)


def held(name: str, found: Callable[[], float], wanted: float, within: float = 4 * EPSILON):
    return pytest.param(found, wanted, within, id=name)


def check(found: Callable[[], float], wanted: float, within: float) -> None:
    assert float(found()) == pytest.approx(wanted, rel=within, abs=0)


# The Fréchet distance


def gaussian(mean: Tensor, factor: Tensor) -> Tensor:
    """Rows in pairs whose sample mean and covariance are `mean` and factor factor^T."""
    columns = math.sqrt(factor.shape[1] - 0.5) * factor.double().T
    return mean.double() + torch.cat([columns, -columns])


def apart(first: Tensor, second: Tensor, *, shift: Tensor | None = None) -> float:
    """Between zero-mean Gaussians with these factors, the second one shifted."""
    zero = torch.zeros(len(first))
    reference = factorise(gaussian(zero, first))
    return frechet_distance(reference, gaussian(zero if shift is None else shift, second)).value


def diagonal(*variances: float) -> Tensor:
    return torch.tensor(variances, dtype=torch.float64).sqrt().diag()


def tridiagonal_root(n: int, side: float) -> Tensor:
    """Of the matrix with 2 on the diagonal and `side` beside it."""
    beside = torch.full((n - 1,), side, dtype=torch.float64)
    return torch.linalg.cholesky(2 * torch.eye(n, dtype=torch.float64) + beside.diag(1) + beside.diag(-1))


def identity_against_tridiagonal(n: int) -> float:
    return apart(torch.eye(n), tridiagonal_root(n, 1))


def non_commuting(n: int) -> float:
    """S2 = T S1 T with T = diag(1 + i / n) and S1 = tridiag(-1, 2, -1)."""
    root, stretch = tridiagonal_root(n, -1), 1 + torch.arange(1, n + 1, dtype=torch.float64) / n
    return apart(root, stretch[:, None] * root)


def rank_one() -> float:
    """Sets that vary along a = (1 ... 64) / 64 and along b = (1 ... 1) / 8: |a|² + |b|² - 2 |a.b|."""
    a, b = torch.arange(1, 65, dtype=torch.float64) / 64, torch.full((64,), 1 / 8, dtype=torch.float64)
    return apart(a[:, None], b[:, None])


PAIR = torch.linalg.cholesky(torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64))


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("N(0, 1) and N(1, 4)", lambda: apart(diagonal(1), diagonal(4), shift=torch.ones(1)), 2, 2e-15),
        held("diag(1, 4, 9) and diag(4, 9, 16), (1, 2, 3) apart",
             lambda: apart(diagonal(1, 4, 9), diagonal(4, 9, 16), shift=torch.tensor([1, 2, 3])), 17, 2e-15),
        held("[[2, 1], [1, 2]] and diag(1, 3)", lambda: apart(PAIR, diagonal(1, 3)), 0.51668522645211723, 6e-15),
        held("I and tridiag(1, 2, 1), n = 64", lambda: identity_against_tridiagonal(64), 28.486914628613972, 5e-15),
        held("n = 256", lambda: identity_against_tridiagonal(256), 115.55691135671627, 1e-14),
        held("non-commuting, n = 64", lambda: non_commuting(64), 43.671875, 1e-14),
        held("non-commuting, n = 256", lambda: non_commuting(256), 171.66796875, 1e-13),
        held("rank one", rank_one, 14.7109375, 2e-15),
        pytest.param(lambda: identity_against_tridiagonal(2048), 928.26460121399571, 1e-13,
                     id="I and tridiag(1, 2, 1), n = 2048", marks=pytest.mark.slow),
        pytest.param(lambda: non_commuting(2048), 1366.33349609375, 3e-12,
                     id="non-commuting, n = 2048", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_frechet_distance(found, wanted, within):
    check(found, wanted, within)


def frechet_bias(d: int, n: int) -> float:
    """To second order in 1/n, for N(0, I) against itself with an exact reference."""
    return d / n + (d * d + d) / (4 * (n - 1))


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("n", "draws", "wanted"), [(1000, 40, 1.10504), (5000, 10, 0.220842)])
def test_the_bias_of_the_frechet_distance_of_few_samples(n: int, draws: int, wanted: float):
    """What is left out is of third order: 2 % at n = 1000."""
    assert frechet_bias(64, n) == pytest.approx(wanted, abs=5e-6)
    reference = factorise(gaussian(torch.zeros(64), torch.eye(64)))
    found = [frechet_distance(reference, normal(seed, n, 64)).value for seed in range(draws)]
    estimate = mean_with_error(found)
    assert estimate.value == pytest.approx(wanted, rel=20 / n, abs=4.75 * estimate.standard_error)
    assert estimate.standard_error < 0.02 * wanted


# The kernel distance of N(m, I) from N(0, I)


def kernel_closed_form(d: int, squared: float) -> float:
    third = squared**3 + 6 * squared**2 + 3 * squared * d + 6 * squared
    return 3 * squared / d + 3 * squared**2 / d**2 + third / d**3


@pytest.mark.parametrize(
    ("d", "squared", "wanted"),
    [(64, 1, 0.048389434814453125), (64, 4, 0.202850341796875), (2048, 1, 0.00146627577487)],
)
def test_kernel_distance(d: int, squared: float, wanted: float):
    assert kernel_closed_form(d, squared) == pytest.approx(wanted, rel=2e-12)
    shift = torch.full((d,), math.sqrt(squared / d), dtype=torch.float64)
    rows = 3000 if d == 64 else 1500
    both = normal(0, rows, d), normal(1, rows, d) + shift
    there, back = (kernel_distance(prepare_reference(a), b) for a, b in (both, both[::-1]))
    error = math.hypot(there.standard_error, back.standard_error)  # through the draws of both sides
    assert there.value == pytest.approx(wanted, abs=4.75 * error)
    assert there.value == pytest.approx(back.value, abs=1e-13)
    assert error < 0.3 * wanted


# Precision, recall, density and coverage of two sets of one law


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("coverage of (10k, 10k, 5)", lambda: expected_coverage(real=10_000, samples=10_000, neighbours=5).value,
             0.96877343515566, 2e-14),
        held("coverage of (5000, 1000, 5)", lambda: expected_coverage(real=5000, samples=1000, neighbours=5).value,
             0.59832345, 7e-9),
    ],
)  # fmt: skip
def test_coverage_in_expectation(found, wanted, within):
    check(found, wanted, within)


def test_density_and_coverage_of_one_law():
    found = [
        prdc(prepare_neighbourhoods(normal(seed, 600, 16), neighbours=5), normal(seed + 50, 400, 16))
        for seed in range(20)
    ]
    density = mean_with_error([each.density.value for each in found])
    assert density.value == pytest.approx(1, abs=4.75 * density.standard_error)
    coverage = mean_with_error([each.coverage.value for each in found])
    wanted = expected_coverage(real=600, samples=400, neighbours=5).value
    assert coverage.value == pytest.approx(wanted, abs=4.75 * coverage.standard_error)
    assert max(density.standard_error, coverage.standard_error) < 0.02


def inception_score(classes: int) -> float:
    """Of as many sure guesses of every class."""
    return classifier_score(torch.eye(classes, dtype=torch.float64).repeat(7, 1).log()).value


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_the_score_of_balanced_sure_guesses_is_the_number_of_classes(classes: int):
    check(lambda: inception_score(classes), classes, 2e-15)


# Probabilistic PCA with 5 pixels and 2 latent dimensions

PCA = LinearGaussian(
    torch.cos(torch.arange(5.0).double()[:, None] + 2 * torch.arange(2.0).double() + 1), 0.25
)
IMAGE = (torch.arange(5.0).double() / 2 - 1)[None]
PRIOR = torch.zeros(1, 2, dtype=torch.float64)
BEST = {"mean": PCA.posterior_mean(IMAGE), "log_variance": PCA.mean_field_log_variance()}


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("log p(x)", lambda: PCA.log_evidence(IMAGE), -4.2444093404804808, 2e-15),
        held("KL gap of the mean field", lambda: PCA.log_evidence(IMAGE) - PCA.expected_elbo(IMAGE, **BEST),
             0.069007560873812245, 1e-14),
        held("ELBO of the mean field", lambda: PCA.expected_elbo(IMAGE, **BEST), -4.313416901354293),
        held("ELBO with q = prior", lambda: PCA.expected_elbo(IMAGE, mean=PRIOR, log_variance=PRIOR),
             -15.990954930283809),
        held("posterior mean of z1", lambda: PCA.posterior_mean(IMAGE)[0, 0], 0.19864677864155302, 2e-15),
        held("posterior mean of z2", lambda: PCA.posterior_mean(IMAGE)[0, 1], 0.84910716697613422, 2e-15),
    ],
)  # fmt: skip
def test_probabilistic_pca(found, wanted, within):
    check(found, wanted, within)


def log_weights(drawn: Tensor) -> Tensor:
    """Of draws of z from the best mean-field q, given by standard normal noise [K, B, 2]."""
    z = BEST["mean"] + (BEST["log_variance"] / 2).exp() * drawn
    pixels = torch.full((5,), math.log(PCA.variance), dtype=torch.float64)
    log_likelihood = gaussian_log_density(IMAGE, mean=z @ PCA.weights.T, log_variance=pixels)
    return log_importance_weights(log_likelihood, drawn, **BEST)


@pytest.mark.parametrize(("draws", "wanted"), [(5, -4.2615), (50, -4.2462), (500, -4.2444)])
def test_bounds_of_many_draws(draws: int, wanted: float):
    """Four digits are known. The mean of w / p - 1 is 0: what is subtracted takes most of the chance away."""
    off = importance_bound(log_weights(normal(draws, draws, 4000, 2))) - PCA.log_evidence(IMAGE)
    estimate = mean_with_error(off - torch.expm1(off))
    found = PCA.log_evidence(IMAGE).item() + estimate.value
    assert found == pytest.approx(wanted, abs=2.5e-4 + 4.75 * estimate.standard_error)


def test_weights_average_to_the_evidence_and_their_variance_is_the_gap_to_come():
    ratio = (log_weights(normal(1, 1, 200_000, 2)) - PCA.log_evidence(IMAGE)).exp()[0]
    estimate = mean_with_error(ratio)
    assert estimate.value == pytest.approx(1, abs=4.75 * estimate.standard_error)
    wanted = PCA.relative_weight_variance(IMAGE, **BEST).item()
    assert wanted / 2 == pytest.approx(0.1258, abs=5e-5)
    spread = mean_with_error((ratio - 1).square())
    assert spread.value == pytest.approx(wanted, abs=4.75 * spread.standard_error)


# A Markov chain with the table [[.9, .1], [.4, .6]]

CHAIN = MarkovSource(torch.tensor([[0.9, 0.1], [0.4, 0.6]], dtype=torch.float64))


def uniform_nats(symbols: int) -> float:
    return float(token_nll(torch.zeros(1, symbols), torch.zeros(1, dtype=torch.long)))


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("entropy rate", CHAIN.entropy_rate, 0.39466871211500988),
        held("perplexity", lambda: perplexity(CHAIN.entropy_rate()), 1.4838925138696132),
        held("bits", lambda: bits_per_character(CHAIN.entropy_rate(), tokens=1, characters=1), 0.5693865937623587),
        held("unigram perplexity", lambda: perplexity(CHAIN.conditional_entropy(0)), 1.6493848884661178),
        held("variance of a mean of NLLs", CHAIN.long_run_surprise_variance, 0.606682, 8e-7),
        held("variance of one NLL", CHAIN.surprise_variance, 0.374861, 1.3e-6),
        held("uniform over 65", lambda: perplexity(uniform_nats(65)), 65, 1e-15),
        held("uniform over 50257", lambda: perplexity(uniform_nats(50257)), 50257, 2e-15),
        held("a target 120 nats down, ten symbols",
             lambda: token_nll(torch.tensor([[0.0, -120.0] + 8 * [0.0]]), torch.tensor([1])), 122.19722457733622),
    ],
)  # fmt: skip
def test_language_models(found, wanted, within):
    check(found, wanted, within)


# The linear schedule (1e-4, .02, 1000)

HO = linear_schedule(1000)
STANDARD, NARROW = GaussianData(0.0, 1.0), GaussianData(0.0, 0.5)
ONE, NONE = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)


def bound(data: GaussianData, variance: Tensor) -> float:
    """With the best variance at the step that ends at the image."""
    return expected_bound(data, HO, torch.cat([image_variance(data, HO)[:1], variance[1:]]))


def implicit(steps: int) -> float:
    grid = torch.linspace(999, 0, steps, dtype=torch.float64).round().long()
    return implicit_laws(STANDARD, HO.alpha_bar[grid].tolist(), first=0.5, eta=0.0)[0].slope


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("alpha bar 1000", lambda: HO.alpha_bar[999], 4.0358297653756833e-5, 3e-15),
        held("alpha bar 500", lambda: HO.alpha_bar[499], 0.078587242881778237, 2e-15),
        held("posterior variance at t = 2", lambda: HO.posterior_variance[1], 5.4531876613026054e-5),
        held("weight of x_0 at t = 500", lambda: posterior_mean(ONE, NONE, 499, HO), 0.0030700711142649769, 3e-15),
        held("weight of x_t at t = 500", lambda: posterior_mean(NONE, ONE, 499, HO), 0.99410667021016659),
        held("best simple loss, N(0, 1)", lambda: best_simple_loss(STANDARD, HO), 0.27551323339680625, 2e-15),
        held("best simple loss, N(0, .25)", lambda: best_simple_loss(NARROW, HO), 0.17305340608368611, 2e-15),
        held("L_T at x_0 = 1", lambda: prior_term(ONE, HO), 2.0179556e-5, 2e-8),
        held("VLB, N(0, 1), beta: the entropy", lambda: bound(STANDARD, HO.beta), 1.4189385332046727, 1e-14),
        held("VLB, N(0, 1), beta~", lambda: bound(STANDARD, HO.posterior_variance), 1.883830851951712, 1e-14),
        held("VLB, N(0, .25), best", lambda: bound(NARROW, best_reverse_variance(NARROW, HO)), 0.72579135287378096, 1e-14),
        held("VLB, N(0, .25), beta", lambda: bound(NARROW, HO.beta), 0.72688358546370494, 1e-14),
        held("VLB, N(0, .25), beta~", lambda: bound(NARROW, HO.posterior_variance), 1.182139766113432, 1e-14),
        held("entropy of N(0, 1)", lambda: entropy(STANDARD), 1.4189385332046727),
        held("DDIM limit, N(0, 1)", lambda: implicit_limit(STANDARD, HO), 1.0),
        held("DDIM limit, N(0, .25)", lambda: implicit_limit(NARROW, HO), 0.5000075674, 1e-10),
        held("DDIM, 10 steps", lambda: implicit(10), 0.81458618, 6e-9),
        held("DDIM, 50 steps", lambda: implicit(50), 0.96338255, 6e-9),
        held("DDIM, 100 steps", lambda: implicit(100), 0.98167494, 6e-9),
        held("DDIM, 1000 steps", lambda: implicit(1000), 0.99812429, 6e-9),
    ],
)  # fmt: skip
def test_diffusion(found, wanted, within):
    check(found, wanted, within)


@pytest.mark.parametrize(("data", "kind"), [(STANDARD, "beta"), (NARROW, "best")])
def test_the_sampled_bound_is_the_exact_one_within_its_standard_error(data: GaussianData, kind: str):
    variance = {"beta": HO.beta, "best": best_reverse_variance(data, HO)}[kind]
    slopes = [data.guess(float(share))[0] for share in HO.alpha_bar]
    found = variational_bound(
        data.deviation * normal(3, 2000, 1),
        lambda x_t, t, _: slopes[t] * x_t.double(),
        schedule=HO,
        variance=variance,
        levels=None,
        seed=1,
    )
    estimate = mean_with_error(found.nats)
    assert estimate.value == pytest.approx(
        expected_bound(data, HO, variance), abs=4.75 * estimate.standard_error
    )
    assert estimate.standard_error < 0.1


# A mixture of two Gaussians at -2 and 2, and its probability flow

MIXTURE = MixtureData(torch.tensor([[-2.0], [2.0]], dtype=torch.float64), 0.5)
CONTINUOUS = LinearSchedule()
POINTS = torch.tensor([[1.0], [0.0], [-2.3], [2.0], [3.5]], dtype=torch.float64)


def line(low: float, high: float, count: int = 2001) -> tuple[Tensor, float]:
    """Places and the distance between them; sums over them are exact for smooth functions that die out."""
    return torch.linspace(low, high, count, dtype=torch.float64), (high - low) / (count - 1)


def mixture_entropy() -> float:
    x, step = line(-8, 8)
    log_density = MIXTURE.log_density(x[:, None])
    return -float((log_density.exp() * log_density).sum()) * step


def mixture_at(point: float) -> Tensor:
    return MIXTURE.log_density(torch.tensor([[point]]))


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("log p(1)", lambda: mixture_at(1.0), -2.9189384206695044),
        held("log p(0)", lambda: mixture_at(0.0), -8.2257913526447274),
        held("entropy", mixture_entropy, 1.4188449981276474, 2e-15),
    ],
)
def test_a_mixture(found, wanted, within):
    check(found, wanted, within)


def flow_error(steps: int, terminal: Callable[[Tensor], Tensor], method: Method = "runge-kutta") -> float:
    def score(points: Tensor, time: float) -> Tensor:
        log_density = MIXTURE.log_density(points, CONTINUOUS.alpha_bar(time))
        return torch.autograd.grad(log_density.sum(), points, create_graph=True)[0]

    found = flow_log_density(
        score, POINTS, terminal=terminal, schedule=CONTINUOUS, steps=steps, method=method
    )
    return float((found - MIXTURE.log_density(POINTS)).abs().max())


@pytest.mark.parametrize(
    ("method", "steps", "wanted"),
    [
        ("euler", 1000, 6.7e-3),
        ("heun", 200, 1.3e-3),
        ("runge-kutta", 50, 2e-5),
        ("runge-kutta", 100, 9e-7),
        ("runge-kutta", 200, 6e-8),
        ("runge-kutta", 1000, 9e-11),
    ],
)
def test_the_error_of_the_probability_flow_with_the_exact_end(method: Method, steps: int, wanted: float):
    """Measured values with one digit or two, over five points."""
    found = flow_error(steps, lambda points: MIXTURE.log_density(points, CONTINUOUS.alpha_bar(1.0)), method)
    assert 0.4 * wanted < found < 1.1 * wanted


def test_the_error_of_the_probability_flow_with_a_standard_normal_end():
    def normal(points: Tensor) -> Tensor:
        return -0.5 * points.square().sum(1) - 0.5 * math.log(2 * math.pi)

    assert flow_error(200, normal) == pytest.approx(6.5e-4, rel=0.01)


# Pixels


def logistic_bits(pixel: int, mean: float, scale: float) -> float:
    one = torch.tensor([pixel]), *torch.tensor([[mean], [scale]], dtype=torch.float64)
    return -float(discretised_logistic_log_prob(*one)) / BIT


def logistic_entropy() -> float:
    pixels, wide = torch.arange(256), torch.ones(256, dtype=torch.float64)
    log_prob = discretised_logistic_log_prob(pixels, 127.5 * wide, 10 * wide)
    return -float((log_prob.exp() * log_prob).sum()) / BIT


def banana(first: float, second: float) -> float:
    """z = (x1, x2 - x1²) has the determinant 1."""
    z = torch.tensor([[first, second - first**2]], dtype=torch.float64)
    return float(change_of_variables(z, torch.zeros(1)))


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("k = 127, mean 127.5, scale 10", lambda: logistic_bits(127, 127.5, 10), 5.3231296399372865),
        held("k = 0, mean 10, scale 3", lambda: logistic_bits(0, 10, 3), 4.6280887177139842),
        held("k = 200, mean 100, scale 1", lambda: logistic_bits(200, 100, 1), 144.20988492608083),
        held("k = 255, mean 250, scale .01", lambda: logistic_bits(255, 250, 0.01), 649.21276840003353),
        held("entropy at mean 127.5, scale 10", logistic_entropy, 6.2074894424072352, 2e-15),
        held("a fair coin", lambda: -bernoulli_log_likelihood(torch.zeros(1, 1), torch.ones(1, 1)) / BIT, 1),
        held("uniform over 256",
             lambda: bits_per_dim(-dequantised_bound(torch.zeros(1, 3), dims=784), dims=784), 8),
        held("banana at (1, 2)", lambda: banana(1, 2), -2.8378770664093455),
    ],
)  # fmt: skip
def test_pixels_and_flows(found, wanted, within):
    check(found, wanted, within)


# Adversarial games: logits (2, -1) of real images and (.5, -3) of fakes

REAL, FAKE, KNOWS_NOTHING = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0]), torch.zeros(4)


def divergence() -> Tensor:
    """Of N(0, 1) and N(1, 1)."""
    x, step = line(-12, 13)
    first, second = (-0.5 * (x - mean).square() - 0.5 * math.log(2 * math.pi) for mean in (0, 1))
    return jensen_shannon_divergence(first, second, weights=torch.full_like(x, step))


def quadratic_penalty() -> Tensor:
    matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    e1, e2 = torch.eye(2).split(1)
    penalty = gradient_penalty(lambda x: (x @ matrix * x).sum(1) / 2, e1, e2, mix=torch.tensor([0.25]))
    return 10 * penalty.detach()


def linear_penalty() -> Tensor:
    slope = torch.tensor([3.0, 4.0], dtype=torch.float64)
    penalty = gradient_penalty(
        lambda x: x @ slope, torch.zeros(1, 2), torch.ones(1, 2), mix=torch.tensor([0.3])
    )
    return 10 * penalty.detach()


@pytest.mark.parametrize(
    ("found", "wanted", "within"),
    [
        held("BCE D", lambda: discriminator_loss(REAL, FAKE), 1.2314270171575221),
        held("non-saturating G", lambda: non_saturating_generator_loss(FAKE), 1.7613321678769243),
        held("minimax G", lambda: minimax_generator_loss(FAKE), -0.5113321678769244),
        held("hinge D", lambda: hinge_discriminator_loss(REAL, FAKE), 1.75),
        held("hinge G", lambda: hinge_generator_loss(FAKE), 1.25),
        held("D at 0", lambda: discriminator_loss(KNOWS_NOTHING, KNOWS_NOTHING), 2 * math.log(2)),
        held("JSD of N(0, 1) and N(1, 1)", divergence, 0.11142148218473618, 2e-15),
        held("best D loss", lambda: 2 * math.log(2) - 2 * divergence(), 1.1634513967504183, 2e-15),
        held("GP of a quadratic critic", quadratic_penalty, 32.223300562505266),
        held("GP of the critic (3, 4)", linear_penalty, 160),
    ],
)
def test_adversarial_games(found, wanted, within):
    check(found, wanted, within)
