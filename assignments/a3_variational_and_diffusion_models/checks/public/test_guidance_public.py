"""Public checks of classifier-free guidance: run them yourself with `grader check --task guidance`."""

import pytest
import torch

from grader.families.guidance import (
    Denoiser,
    distance_to_any_sampler,
    reported_drops,
    reported_guidance,
    reported_samples,
)
from grader.families.guidance_held_out import errors_of_noise, labelled
from grader.families.vae import disagreement
from grader.metrics.diffusion_process import linear_schedule

pytestmark = pytest.mark.task("guidance")

STEPS = 12


@pytest.fixture
def schedule(guidance_schedule):
    return guidance_schedule


@pytest.fixture
def known_model(candidate, guidance_world, schedule):
    """A model of ours beside the submission, whose noise is known."""
    prop = candidate.prop("class_gaussians")
    return prop.ClassGaussians(guidance_world.mean, guidance_world.deviation, schedule.alpha_bar)


def test_predict_noise_takes_one_image_and_many(candidate, exam, guidance_config, images, noise):
    model = Denoiser.build(candidate, guidance_config, device=exam.device)
    for count in (1, 5):
        x_t = noise("guidance public: shapes", count, images.channels, images.side, images.side)
        steps = torch.arange(count) * (guidance_config.steps // 5)
        model.predict_noise(x_t, steps, images.train_label[:count])
        model.predict_noise(x_t, steps, torch.full((count,), model.null_label()))


def test_guidance_moves_away_from_no_label(candidate, known_model, guidance_world, schedule, noise):
    x_t, t, y = noise("guidance public: rule", 6, 1, 4, 4), torch.arange(6) * 3, torch.arange(6) % 3
    for w, meaning in ((0.0, "with the label alone"), (-1.0, "without the label"), (2.0, "guided")):
        found = reported_guidance(candidate, known_model, x_t=x_t, t=t, y=y, w=w)
        wrong = disagreement(found, guidance_world.guided(y, w, schedule)(x_t, t))
        assert not wrong, f"guided_noise with w = {w:g} gives {wrong} ({meaning}: (1 + w) c - w u)"


def test_dropped_labels_become_the_null_label(candidate):
    y = torch.arange(4000) % 10
    left = reported_drops(candidate, y, rate=0.3, null_label=10, seed=1)
    dropped = left == 10
    assert torch.equal(left[~dropped], y[~dropped]), "drop_labels changes labels that it does not drop"
    share = float(dropped.double().mean())
    assert 0.26 < share < 0.34, f"drop_labels with rate 0.3 drops {share:.1%} of 4000 labels"


def test_sampling_with_the_label_alone(candidate, guidance_world, noise):
    schedule = linear_schedule(50)
    prop = candidate.prop("class_gaussians")
    model = prop.ClassGaussians(guidance_world.mean, guidance_world.deviation, schedule.alpha_bar)
    x_T, y = noise("guidance public: start", 6, 1, 4, 4), torch.arange(6) % 3
    found = reported_samples(candidate, model, x_T=x_T, y=y, w=0.0, schedule=schedule)
    gap = distance_to_any_sampler(
        found, x_T=x_T, noise=guidance_world.guided(y, 0.0, schedule), schedule=schedule
    )
    assert gap < 1e-3, f"with a model of known noise the pixels of sample_guided are off by {gap:.3f}"


def test_training_lowers_the_error_of_the_noise(exam, guidance_trained, images, schedule):
    model = labelled(guidance_trained.model, images.train_label[:300])
    seed = exam.seed_for("guidance public: error")
    error = float(errors_of_noise(model, 2 * images.train[:300] - 1, schedule, seed=seed).mean())
    assert error < 0.5, (
        f"after training the mean squared error of the noise is {error:.2f}; a guess of 0 has 1"
    )
