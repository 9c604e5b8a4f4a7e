"""Hidden checks of the variational autoencoder: other numbers, true bounds, and samples under suspicion.

Which worker may see what is written down at the top of grader/families/vae_held_out.py.
"""

import math

import pytest
import torch

from grader.data.digits import pixel_probabilities
from grader.families.class_judge import share_of_leaks
from grader.families.vae import (
    Vae,
    disagreement,
    our_elbo,
    our_iwae,
    reported_kl,
    with_a_telling_posterior,
)
from grader.families.vae_held_out import decoded_again, held_out_bounds
from grader.metrics.binary_images import draw, law_gap, pixel_frequencies
from grader.metrics.frechet import extrapolated_distance, factorise, frechet_standard_error
from grader.metrics.intervals import paired_difference
from grader.metrics.likelihood import bernoulli_log_likelihood, gaussian_kl
from grader.metrics.memorisation import near_copies
from grader.metrics.variety import least_variety

pytestmark = pytest.mark.task("vae")

DRAWS = 50
SAMPLES = 2000
SHOWN = 32


# Closed form


def test_kl_far_from_the_prior(candidate, noise):
    mu, logvar = 4 * noise("hidden: mu", 40, 3), 4 * noise("hidden: logvar", 40, 3)
    wrong = disagreement(reported_kl(candidate, mu, logvar), gaussian_kl(mu, logvar))
    assert not wrong, f"far from the prior kl_divergence gives {wrong}"


def test_kl_of_one_image_and_one_dimension(candidate, noise):
    mu, logvar = noise("hidden: one mu", 1, 1), noise("hidden: one logvar", 1, 1)
    wrong = disagreement(reported_kl(candidate, mu, logvar), gaussian_kl(mu, logvar))
    assert not wrong, f"for one image and one latent dimension kl_divergence gives {wrong}"


# Bounds on given noise


@pytest.fixture
def telling(candidate, exam, config, digits):
    return with_a_telling_posterior(candidate, config, digits.train[100:164], device=exam.device)


def test_elbo_is_ours_on_the_same_noise(telling, config, digits, noise):
    x, eps = digits.train[100:164], 1.5 * noise("hidden: elbo", 64, config.latent_dim)
    wrong = disagreement(telling.elbo(x, eps), our_elbo(telling, x, eps))
    assert not wrong, f"elbo gives {wrong} by encode and decode of the same model"


def test_elbo_of_an_image_does_not_depend_on_its_batch(telling, config, digits, noise):
    x, eps = digits.train[100:107], noise("hidden: batch", 7, config.latent_dim)
    wrong = disagreement(telling.elbo(x[3:4], eps[3:4]), telling.elbo(x, eps)[3:4])
    assert not wrong, f"elbo of an image alone gives {wrong} by elbo of seven"


def test_iwae_is_ours_on_the_same_noise(telling, config, digits, noise):
    x = digits.train[100:124]
    for draws in (1, 2, 20):
        eps = noise(f"hidden: iwae {draws}", draws, len(x), config.latent_dim)
        wrong = disagreement(telling.iwae(x, eps), our_iwae(telling, x, eps))
        assert not wrong, f"iwae with K = {draws} gives {wrong}"


def test_iwae_lies_above_the_mean_of_its_draws(telling, config, digits, noise):
    x, eps = digits.train[100:124], noise("hidden: jensen", 8, 24, config.latent_dim)
    single = torch.stack([telling.iwae(x, one[None]) for one in eps])  # (8, 24)
    gain = telling.iwae(x, eps) - single.mean(0)
    assert float(gain.min()) > -1e-3, (
        f"iwae with 8 draws is {-float(gain.min()):.3f} nats below the mean of its draws"
    )
    assert float(gain.mean()) > 1e-3, (
        "iwae with 8 draws is the mean of its draws; the mean goes inside the log"
    )


# Training


def test_training_changes_both_networks(trained):
    for name, change in trained.moved().items():
        assert change > 1e-2, f"training leaves {name} as it was; gradients have to reach both networks"


def test_training_reports_its_losses(exam, trained):
    losses = [loss for loss in trained.losses() if math.isfinite(loss)]
    assert losses, "train_vae returned no loss that is a finite number"
    exam.artifact("curve", "training loss", losses)


@pytest.fixture(scope="session")
def decoder(exam, config, trained):
    """The trained weights in a fresh worker, which never sees an image."""
    return Vae.build(exam.fresh("vae"), config, trained.state, device=exam.device)


def test_the_weights_are_the_whole_model(decoder, trained, config, noise):
    again = decoder.decode(noise("probe: z", 256, config.latent_dim))
    wrong = disagreement(again, trained.after.logits, tolerance=1e-3)
    assert not wrong, f"decode with the same state_dict in another process gives {wrong}"


# True bounds on held-out digits


@pytest.fixture(scope="session")
def bounds(exam, config, trained, decoder, digits, noise):
    return held_out_bounds(
        encoder=trained.model,
        decoder=decoder,
        x=digits.held_out,
        noise=noise("bounds: noise", DRAWS, len(digits.held_out), config.latent_dim),
        prior_z=noise("bounds: prior", SAMPLES, config.latent_dim),
        seed=exam.seed_for("bounds: order"),
    )


def test_encode_depends_on_the_image_alone(trained, digits):
    few, all_of_them = trained.model.encode(digits.held_out[40:43]), trained.model.encode(digits.held_out)
    wrong = disagreement(few.mean, all_of_them.mean[40:43], tolerance=1e-3)
    assert not wrong, f"encode of three images gives a mean of {wrong} among five hundred"


def test_decode_depends_on_z_alone(exam, candidate, config, trained, decoder, bounds):
    chosen = torch.Generator().manual_seed(exam.seed_for("audit: draws"))
    draws = torch.randint(DRAWS, (bounds.z.shape[1],), generator=chosen)
    elsewhere = Vae.build(candidate, config, trained.state, device=exam.device)
    for model, where in ((decoder, "again"), (elsewhere, "in another process")):
        gap = decoded_again(model, bounds, draws=draws, seed=exam.seed_for(f"audit: {where}"))
        assert gap < 1e-4, (
            f"the same z decoded {where} gives other logits (by {gap:.1e}); decode must depend on z alone"
        )


def test_bounds_on_held_out_digits(exam, measure, bounds, digits, images):
    """The error is that of the gain over the trivial model on the same images: how hard they are cancels."""
    x = digits.held_out
    trivial = pixel_frequencies(digits.train).logit().expand(len(x), -1)
    baseline = bernoulli_log_likelihood(trivial, x)
    for name, values in (("vae_elbo", bounds.elbo), ("vae_iwae_50", bounds.iwae)):
        error = paired_difference(values, theirs=baseline).standard_error
        measure(name, float(values.mean()), unit="nats", n=len(x), standard_error=error)
        measure(f"{name}_baseline", float(baseline.mean()), unit="nats", n=len(x))
    pairs = torch.stack([x[:SHOWN], bounds.logits[0, :SHOWN].sigmoid()], 1)  # each image beside its own
    exam.artifact("images", "reconstructions", pairs.reshape(-1, images.side, images.side))


# Samples


@pytest.fixture(scope="session")
def samples(exam, decoder):
    """Pixel probabilities; whether a pixel is on is drawn by us."""
    return decoder.sample(SAMPLES, seed=exam.seed_for("samples"))


@pytest.fixture(scope="session")
def all_samples(exam, decoder, samples):
    """More of them where noise left points open, one portion after the other; each is looked at alike."""
    more = [decoder.sample(SAMPLES, seed=exam.seed_for(name)) for name in exam.portions("samples")[1:]]
    return torch.cat([samples, *more])


@pytest.fixture(scope="session")
def all_drawn(exam, all_samples):
    names = exam.portions("samples: pixels")
    portions = zip(all_samples.split(SAMPLES), names, strict=True)
    return torch.cat([draw(portion, seed=exam.seed_for(name)) for portion, name in portions])


def test_samples_follow_the_generator(decoder):
    first, again, other = (decoder.sample(20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again), (
        "sample gives other images for the same seed; draw with the given generator"
    )
    assert not torch.allclose(first, other), "sample gives the same images for another seed"


def test_samples_are_varied(all_samples, digits):
    found = least_variety(all_samples, portion=SAMPLES, like=digits.held_out_probabilities)
    assert found.distinct > 0.5, f"only {found.distinct:.0%} of the samples differ from each other"
    assert found.spread > 0.2, (
        f"the samples have {found.spread:.0%} of the variance of digits; 20 % are needed"
    )


def test_samples_are_no_copies(all_samples, bounds, digits, images):
    """Neither of training images nor of held-out ones, which are public and could have been brought along."""
    known, unknown = (pixel_probabilities(part).flatten(1) for part in (images.train, images.held_out))
    for name, made in (
        *(("samples", portion) for portion in all_samples.split(SAMPLES)),
        ("images decoded from the prior", bounds.prior_logits.sigmoid()),
    ):
        found = near_copies(
            made, training=digits.train, held_out=digits.held_out_probabilities, side=images.side, shift=0
        )
        assert not found.found_copies, (
            f"{found.share:.0%} of the {name} are (nearly) training images; up to {found.limit:.0%} is chance"
        )
        leaked = share_of_leaks(made, training=known, held_out=unknown)
        assert not leaked.found_copies, (
            f"{leaked.share:.0%} of the {name} are far closer to a held-out image than to any training "
            f"image; up to {leaked.limit:.0%} is chance"
        )


def test_samples_come_from_the_decoder(exam, bounds, all_drawn):
    ours = draw(bounds.prior_logits.sigmoid(), seed=exam.seed_for("samples: ours"))
    gap = max(law_gap(portion, ours) for portion in all_drawn.split(SAMPLES))
    assert gap < 6.5, (
        f"sample and decode at z from the prior differ by {gap:.0f} standard errors; 6.5 are chance"
    )


def test_distance_of_samples_to_held_out_digits(exam, measure, samples, all_drawn, digits, images):
    reference = factorise(digits.held_out)
    trivial = pixel_frequencies(digits.train).expand(SAMPLES, -1)
    baseline = draw(trivial, seed=exam.seed_for("samples: baseline"))
    measure(
        "vae_frechet",
        extrapolated_distance(reference, all_drawn, seed=exam.seed_for("samples: halves"), portion=SAMPLES),
        unit="squared pixels",
        n=exam.samples(SAMPLES),
        standard_error=frechet_standard_error(reference, all_drawn),
        sampled=True,
        extractor=f"pixels-{samples.shape[1]}",
    )
    measure(
        "vae_frechet_baseline",
        extrapolated_distance(reference, baseline, seed=exam.seed_for("samples: halves"), portion=SAMPLES),
        unit="squared pixels",
        n=SAMPLES,
        extractor=f"pixels-{samples.shape[1]}",
    )
    exam.artifact("images", "samples", samples[: 2 * SHOWN].reshape(-1, images.side, images.side))
