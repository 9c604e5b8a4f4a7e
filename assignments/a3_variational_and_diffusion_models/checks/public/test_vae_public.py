"""Public checks of the variational autoencoder: run them yourself with `grader check`."""

import pytest

from grader.families.vae import (
    Vae,
    disagreement,
    our_elbo,
    our_iwae,
    reported_kl,
    with_a_telling_posterior,
)
from grader.metrics.likelihood import gaussian_kl

pytestmark = pytest.mark.task("vae")


def test_kl_has_its_closed_form(candidate, noise):
    mu, logvar = noise("public: mu", 6, 8), noise("public: logvar", 6, 8)
    wrong = disagreement(reported_kl(candidate, mu, logvar), gaussian_kl(mu, logvar))
    assert not wrong, f"kl_divergence gives {wrong} (nats, summed over the latent dimensions)"


def test_every_method_takes_one_image_and_many(candidate, exam, config, digits, noise):
    model = Vae.build(candidate, config, device=exam.device)
    for count in (1, 5):
        x, eps = digits.train[:count], noise("public: shapes", 3, count, config.latent_dim)
        model.encode(x)
        model.decode(eps[0])
        model.elbo(x, eps[0])
        model.iwae(x, eps)


def test_decode_gives_logits_and_no_probabilities(trained):
    lowest = float(trained.after.logits.min())
    assert lowest < 0, (
        f"after training decode gives values from {lowest:.2f} up; logits of dark pixels are negative"
    )


def test_elbo_is_log_likelihood_minus_kl(candidate, exam, config, digits, noise):
    x, eps = digits.train[:16], noise("public: elbo", 16, config.latent_dim)
    model = with_a_telling_posterior(candidate, config, x, device=exam.device)
    wrong = disagreement(model.elbo(x, eps), our_elbo(model, x, eps))
    assert not wrong, (
        f"elbo gives {wrong}: log p(x|z) summed over the pixels, minus the KL, at z = mu + std * eps"
    )


def test_iwae_is_the_log_of_the_mean_weight(candidate, exam, config, digits, noise):
    x, eps = digits.train[:16], noise("public: iwae", 5, 16, config.latent_dim)
    model = with_a_telling_posterior(candidate, config, x, device=exam.device)
    wrong = disagreement(model.iwae(x, eps), our_iwae(model, x, eps))
    assert not wrong, f"iwae with 5 draws gives {wrong}: the log of the mean of p(x, z) / q(z|x)"


def test_samples_are_probabilities(candidate, exam, config):
    Vae.build(candidate, config, device=exam.device).sample(7, seed=1)


def test_training_raises_the_bound(trained):
    before, after = float(trained.before.elbo.mean()), float(trained.after.elbo.mean())
    assert after > before + 1, (
        f"training takes the bound from {before:.1f} to {after:.1f} nats; it has to rise"
    )
