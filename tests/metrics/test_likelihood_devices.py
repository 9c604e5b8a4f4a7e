"""A code length is the same figure on any device; where there is no GPU only the host is asked."""

import math

import pytest
import torch
from torch import Tensor

from grader.metrics.adversarial_losses import discriminator_loss, gradient_penalty, hinge_discriminator_loss
from grader.metrics.dequantisation import dequantised_bound
from grader.metrics.discretised_logistic import discretised_logistic_log_prob
from grader.metrics.flow_density import change_of_variables, log_volume
from grader.metrics.likelihood import (
    bernoulli_log_likelihood,
    gaussian_kl,
    importance_bound,
    log_importance_weights,
)
from grader.metrics.linear_gaussian import LinearGaussian
from grader.metrics.perplexity import token_nll
from grader.metrics.text_protocol import Protocol, bits_per_byte, code_lengths

GPU = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU on this machine")
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


FIGURES = {
    "cross-entropy": lambda a, b: discriminator_loss(a[0], b[0]),
    "hinge": lambda a, b: hinge_discriminator_loss(a[0], b[0]),
    "penalty": lambda a, b: gradient_penalty(lambda x: x.square().sum(1), a, b, mix=b[:, 0].sigmoid()),
    "dequantised": lambda a, b: dequantised_bound(a, b, dims=3),
    "logistic": lambda a, b: discretised_logistic_log_prob(a.mul(9).long().abs(), b, b.exp()),
    "flow": lambda a, b: change_of_variables(a, log_volume(b.expand(6, 6, 6)).float()),
    "bernoulli": lambda a, b: bernoulli_log_likelihood(a, (b > 0).double()),
    "kl": gaussian_kl,
    "weights": lambda a, b: importance_bound(
        log_importance_weights(a, b[..., None], mean=a[:, :1], log_variance=b[:, :1])
    ),
    "evidence": lambda a, b: LinearGaussian(a, 0.3).log_evidence(b),
    "elbo": lambda a, b: LinearGaussian(a, 0.3).expected_elbo(b, mean=b, log_variance=a),
    "tokens": lambda a, b: token_nll(a, b.argmax(1)),
}


@pytest.fixture(params=["cpu", GPU])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_on_every_device_and_stays_there(device: str, name: str):
    here = FIGURES[name](noise(6, 6), noise(6, 6, seed=1))
    there = FIGURES[name](noise(6, 6).to(device), noise(6, 6, seed=1).to(device))
    assert there.device.type == device
    assert torch.allclose(there.detach().cpu(), here.detach(), rtol=1e-12, atol=1e-12)
    assert bool(here.isfinite().all())


def test_a_text_on_the_host_may_be_asked_of_a_model_on_a_device(device: str):
    def predict(tokens: Tensor) -> Tensor:
        return torch.zeros(*tokens.shape, 4, device=device)

    text = torch.arange(40) % 4
    for tokens in (text, text.to(device)):
        nats = code_lengths(predict, tokens, symbols=4, protocol=Protocol(context=8, stride=3))
        assert nats.device == tokens.device
        assert bits_per_byte(nats, text="abcd" * 10, block=4).value == pytest.approx(2, rel=1e-14)
        assert float(nats.sum()) == pytest.approx(40 * math.log(4), rel=1e-14)
