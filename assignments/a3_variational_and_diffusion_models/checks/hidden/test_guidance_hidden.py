"""Hidden checks of classifier-free guidance: what training was asked, errors on held-out images, and samples.

Samples are drawn by us from `predict_noise`, in a worker that has the trained weights and no images.
"""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import one_hot

from grader.families.class_judge import class_judge, share_of_copies, share_of_leaks, spread_within_classes
from grader.families.guidance import (
    Denoiser,
    deterministic_samples,
    distance_to_any_sampler,
    reported_drops,
    reported_guidance,
    reported_samples,
)
from grader.families.guidance_held_out import (
    errors_of_noise,
    labelled,
    pixelwise_noise,
    train,
    training_notes,
)
from grader.families.vae import disagreement
from grader.metrics.diffusion_process import linear_schedule
from grader.metrics.frechet import extrapolated_distance, factorise, frechet_standard_error
from grader.metrics.intervals import paired_difference
from grader.metrics.same_law import OF_CHANCE, portions_gap

pytestmark = pytest.mark.task("guidance")

SAMPLES = 1000
OTHER_LATER = "the sampler answers otherwise when it is asked again"
GUIDED = 400
GUIDANCE = 1.0
SHOWN = 50


# Guidance and dropped labels


def known(candidate, world, schedule):
    """A model of ours beside the submission, whose noise is known."""
    prop = candidate.prop("class_gaussians")
    return prop.ClassGaussians(world.mean, world.deviation, schedule.alpha_bar)


def test_guidance_of_one_image_and_of_any_weight(candidate, guidance_world, guidance_schedule, noise):
    model = known(candidate, guidance_world, guidance_schedule)
    for count, w in ((1, 3.5), (7, 0.25), (3, -0.5)):
        x_t, y = noise(f"guidance: {count}", count, 3, 5, 5), torch.arange(count) % 3
        t = torch.arange(count) * 5 + 2
        found = reported_guidance(candidate, model, x_t=x_t, t=t, y=y, w=w)
        wrong = disagreement(found, guidance_world.guided(y, w, guidance_schedule)(x_t, t))
        assert not wrong, f"guided_noise of {count} images with w = {w:g} gives {wrong}"


def test_labels_are_dropped_one_by_one(candidate):
    y = torch.arange(3000) % 7
    first, again, other = (reported_drops(candidate, y, rate=0.1, null_label=7, seed=s) for s in (5, 5, 6))
    assert torch.equal(first, again), (
        "drop_labels drops other labels for the same seed; draw with the generator"
    )
    assert not torch.equal(first, other), "drop_labels drops the same labels for another seed"
    share = float((first == 7).double().mean())
    assert 0.07 < share < 0.13, f"drop_labels with rate 0.1 drops {share:.1%} of 3000 labels"


def test_labels_are_dropped_always_or_never(candidate):
    y = torch.arange(50) % 3
    kept = reported_drops(candidate, y, rate=0.0, null_label=3, seed=1)
    gone = reported_drops(candidate, y, rate=1.0, null_label=3, seed=1)
    assert torch.equal(kept, y), "drop_labels with rate 0 changes labels"
    assert bool((gone == 3).all()), "drop_labels with rate 1 leaves labels"


# Training: what it asks a model of ours


@pytest.fixture(scope="module")
def asked(exam, guidance_schedule):
    """Step, label, mean and variance of each x_t of a training run on flat images of four shades."""
    labels = torch.arange(400) % 4
    shades = labels[:, None, None, None] / 2 - 0.75  # -0.75, -0.25, 0.25, 0.75
    candidate = exam.fresh("guidance")
    model = candidate.prop("noting_denoiser").NotingDenoiser(4)
    train(
        candidate,
        model,
        budget=SimpleNamespace(steps=80, batch=64, drop_rate=0.3, wall_s=20),
        images=shades.expand(-1, 1, 8, 8).contiguous(),
        labels=labels,
        schedule=guidance_schedule,
        device=exam.device,
        seed=exam.seed_for("guidance: asked"),
    )
    notes = training_notes(model.asked(), batches=model.batches(), steps=len(guidance_schedule))
    exam.close_worker(candidate)
    return notes


def test_training_drops_the_share_of_labels_that_it_is_told(asked):
    share = float((asked.y == 4).double().mean())
    margin = 5 * math.sqrt(0.3 * 0.7 / len(asked.y))
    assert abs(share - 0.3) < margin, (
        f"train_guidance with drop_rate 0.3 drops {share:.1%} of {len(asked.y)} labels; read budget.drop_rate"
    )


def test_training_drops_labels_one_by_one(asked):
    shares = torch.stack([(batch == 4).double().mean() for batch in asked.y.split(asked.sizes)])
    mixed = float(((shares > 0) & (shares < 1)).double().mean())
    assert mixed > 0.5, (
        f"only {mixed:.0%} of the batches have dropped and other labels; each label is dropped on its own"
    )


def test_training_asks_about_every_step(asked, guidance_schedule):
    lowest, highest, last = int(asked.t.min()), int(asked.t.max()), len(guidance_schedule) - 1
    assert lowest == 0, f"train_guidance never asks about step 0; the lowest is {lowest}"
    assert highest == last, (
        f"the highest step that train_guidance asks about is {highest}, the last is {last}"
    )


def test_training_adds_the_noise_of_the_step(asked, guidance_schedule):
    ratio = float((asked.variance / guidance_schedule.noise_variance[asked.t]).mean())
    assert 0.9 < ratio < 1.1, (
        f"the noise in x_t has {ratio:.2f} times the variance 1 - alphas_bar[t] that belongs to its step"
    )


def test_training_keeps_each_label_with_its_image(asked, guidance_schedule):
    clear = (guidance_schedule.noise_variance[asked.t] < 0.1) & (asked.y < 4)
    shade = asked.mean[clear] / guidance_schedule.alpha_bar[asked.t[clear]].sqrt()
    wrong = ((shade - (asked.y[clear] / 2 - 0.75)).abs() > 0.25).double().mean()
    assert float(wrong) < 0.02, f"{float(wrong):.0%} of the labels in training belong to another image"


# Training: what comes of it


@pytest.fixture(scope="module")
def drawer(exam, guidance_config, guidance_trained):
    """The trained weights in a fresh worker, which is given no images but noisy held-out ones."""
    return Denoiser.build(exam.fresh("guidance"), guidance_config, guidance_trained.state, device=exam.device)


@pytest.fixture(scope="module")
def errors_with(exam, images, guidance_schedule):
    """Errors of a model on the held-out images, one for each; always with the same noise."""

    def errors(model):
        scaled = 2 * images.held_out - 1
        return errors_of_noise(model, scaled, guidance_schedule, seed=exam.seed_for("guidance: paths"))

    return errors


@pytest.fixture(scope="module")
def errors(errors_with, drawer, images):
    """With the right labels: the first questions about these images."""
    return errors_with(labelled(drawer, images.held_out_label))


@pytest.fixture(scope="module")
def trivial_errors(errors_with, images, guidance_schedule):
    """Of pixels that know neither each other nor the label."""
    return errors_with(pixelwise_noise(2 * images.train - 1, guidance_schedule))


def test_the_label_helps(errors, errors_with, drawer, images):
    others = (images.held_out_label + 1) % images.classes
    right, wrong = float(errors.mean()), float(errors_with(labelled(drawer, others)).mean())
    assert right < 0.9 * wrong, (
        f"the error of the noise is {right:.3f} with the right label and {wrong:.3f} with a wrong one; "
        "the label has to help"
    )


def test_the_model_works_without_a_label(errors_with, trivial_errors, drawer, images):
    null_label = drawer.null_label()
    assert not 0 <= null_label < images.classes, f"null_label is {null_label}, which is the label of a class"
    nobody = torch.full_like(images.held_out_label, null_label)
    error, limit = float(errors_with(labelled(drawer, nobody)).mean()), float(trivial_errors.mean())
    assert error < limit, (
        f"without a label the error of the noise is {error:.3f}; pixels that know nothing of each other have "
        f"{limit:.3f}"
    )


def test_the_weights_are_the_whole_denoiser(drawer, guidance_trained, guidance_config, images, noise):
    x_t = noise("guidance: whole", 40, images.channels, images.side, images.side)
    t, y = torch.arange(40) % guidance_config.steps, torch.arange(40) % images.classes
    here, there = drawer.predict_noise(x_t, t, y), guidance_trained.model.predict_noise(x_t, t, y)
    wrong = disagreement(here, there, tolerance=1e-3)
    assert not wrong, f"predict_noise with the same state_dict in another process gives {wrong}"


def test_training_reports_its_losses(exam, guidance_trained):
    losses = [loss for loss in guidance_trained.losses() if math.isfinite(loss)]
    assert losses, "train_guidance returned no loss that is a finite number"
    exam.artifact("curve", "guidance: training loss", losses)


# Sampling with given noise


def test_sampling_follows_its_own_guidance(candidate, guidance_world, noise):
    for count, steps, w in ((1, 25, 1.5), (5, 40, -1.0)):
        schedule = linear_schedule(steps)
        model = known(candidate, guidance_world, schedule)
        x_T, y = noise(f"guidance: start {count}", count, 2, 3, 3), torch.arange(count) % 3
        found = reported_samples(candidate, model, x_T=x_T, y=y, w=w, schedule=schedule)
        gap = distance_to_any_sampler(
            found, x_T=x_T, noise=guidance_world.guided(y, w, schedule), schedule=schedule
        )
        assert gap < 1e-3, (
            f"with a model of known noise, {steps} steps and w = {w:g} the pixels of sample_guided are off "
            f"by {gap:.3f}"
        )


def test_sampling_from_the_trained_model(exam, candidate, guidance_config, guidance_trained, images, noise):
    model = Denoiser.build(candidate, guidance_config, guidance_trained.state, device=exam.device)
    schedule = linear_schedule(guidance_config.steps)
    x_T = noise("guidance: own start", 10, images.channels, images.side, images.side)
    y = torch.arange(10) % images.classes
    found = reported_samples(candidate, model.remote, x_T=x_T, y=y, w=GUIDANCE, schedule=schedule)
    gap = distance_to_any_sampler(found, x_T=x_T, noise=model.guided(y, GUIDANCE), schedule=schedule)
    assert gap < 0.05, (
        f"sample_guided and predict_noise of the trained model are apart by {gap:.2f} in a pixel"
    )


# Errors on held-out images


def test_noise_of_an_image_does_not_depend_on_its_batch(drawer, guidance_config, images, noise):
    x_t = noise("guidance: company", 64, images.channels, images.side, images.side)
    t, y = torch.arange(64) % guidance_config.steps, torch.arange(64) % images.classes
    few, many = drawer.predict_noise(x_t[40:43], t[40:43], y[40:43]), drawer.predict_noise(x_t, t, y)
    wrong = disagreement(few, many[40:43], tolerance=1e-3)
    assert not wrong, f"predict_noise of three images gives {wrong} among 64"


def test_error_of_the_noise_on_held_out_images(measure, errors, trivial_errors):
    spread = paired_difference(errors, theirs=trivial_errors).standard_error
    measure("guidance_error", float(errors.mean()), unit="", n=len(errors), standard_error=spread)
    measure("guidance_error_baseline", float(trivial_errors.mean()), unit="", n=len(errors))


# Samples


@pytest.fixture(scope="module")
def wanted(images):
    """Labels as frequent as among the held-out images."""
    return images.held_out_label.repeat(1 + SAMPLES // len(images.held_out_label))[:SAMPLES]


def drawn(drawer, y, *, w, start, schedule):
    """Images in [0, 1], one a row, drawn by us."""
    samples = deterministic_samples(start, drawer.guided(y, w), schedule)
    return ((samples + 1) / 2).clamp(0, 1).flatten(1)


@pytest.fixture(scope="module")
def samples(drawer, wanted, images, guidance_schedule, noise):
    start = noise("guidance: samples", SAMPLES, images.channels, images.side, images.side)
    return drawn(drawer, wanted, w=0.0, start=start, schedule=guidance_schedule)


@pytest.fixture(scope="module")
def all_samples(exam, drawer, wanted, samples, images, guidance_schedule, noise):
    """More of them where noise left points open, one portion after the other; each is looked at alike."""
    shape = (SAMPLES, images.channels, images.side, images.side)
    starts = [noise(name, *shape) for name in exam.portions("guidance: samples")[1:]]
    more = [drawn(drawer, wanted, w=0.0, start=start, schedule=guidance_schedule) for start in starts]
    return torch.cat([samples, *more])


@pytest.fixture(scope="module")
def guided_samples(drawer, wanted, images, guidance_schedule, noise):
    start = noise("guidance: samples", SAMPLES, images.channels, images.side, images.side)[:GUIDED]
    return drawn(drawer, wanted[:GUIDED], w=GUIDANCE, start=start, schedule=guidance_schedule)


@pytest.fixture(scope="module")
def judge(images):
    return class_judge(images.train.flatten(1), images.train_label)


def test_guided_samples_show_their_class(judge, guided_samples, wanted, images, measure):
    share = judge.agreement(guided_samples, wanted[:GUIDED])
    limit = 0.9 * judge.agreement(images.held_out.flatten(1), images.held_out_label)
    measure("guidance_class_agreement", share, unit="", n=GUIDED)
    assert share > limit, (
        f"{share:.0%} of the guided samples (w = {GUIDANCE:g}) show the class that was asked for; "
        f"{limit:.0%} are needed"
    )


def test_guidance_makes_the_class_clearer(judge, guided_samples, samples, wanted):
    plain = judge.margin(samples[:GUIDED], wanted[:GUIDED])
    guided = judge.margin(guided_samples, wanted[:GUIDED])
    gain = paired_difference(guided, theirs=plain)
    assert gain.low > 0, (
        f"guidance changes the evidence for the class by {gain.value:.1f} nats on average; it has to rise"
    )


def test_samples_of_a_class_are_varied(all_samples, wanted, images):
    real = {"like": images.held_out.flatten(1), "like_labels": images.held_out_label}
    share = min(spread_within_classes(portion, wanted, **real) for portion in all_samples.split(SAMPLES))
    assert share > 0.2, (
        f"the samples of one class have {share:.0%} of the variance of that class; 20 % are needed"
    )


def test_samples_are_no_training_images(all_samples, images):
    training, held_out = images.train.flatten(1), images.held_out.flatten(1)
    for portion in all_samples.split(SAMPLES):
        found = share_of_copies(portion, training=training, held_out=held_out)
        assert not found.found_copies, (
            f"{found.share:.0%} of the samples are far closer to a training image than to any other image; "
            f"up to {found.limit:.0%} is chance"
        )
        leaked = share_of_leaks(portion, training=training, held_out=held_out)
        assert not leaked.found_copies, (
            f"{leaked.share:.0%} of the samples are far closer to a held-out image than to any training "
            f"image; up to {leaked.limit:.0%} is chance"
        )


def test_distance_of_samples_to_held_out_images(exam, measure, all_samples, wanted, images, noise):
    """Of pixels and labels together, so that an image of another class than asked for is far off."""
    assert portions_gap(all_samples, portion=SAMPLES) < OF_CHANCE, OTHER_LATER

    def joint(pixels, labels):
        return torch.cat([pixels.double(), one_hot(labels, images.classes).double()], 1)

    reference = factorise(joint(images.held_out.flatten(1), images.held_out_label))
    pixels = images.train.flatten(1)
    made_up = pixels.mean(0) + pixels.std(0) * noise("guidance: baseline", SAMPLES, pixels.shape[1])
    for name, rows in (
        ("guidance_frechet", joint(all_samples, wanted.repeat(len(all_samples) // SAMPLES))),
        ("guidance_frechet_baseline", joint(made_up.clamp(0, 1), wanted)),
    ):
        measure(
            name,
            extrapolated_distance(reference, rows, seed=exam.seed_for("guidance: halves"), portion=SAMPLES),
            unit="squared pixels",
            n=len(rows),
            standard_error=frechet_standard_error(reference, rows),
            sampled=True,
            extractor=f"pixels-{pixels.shape[1]} and labels",
        )
    shown = all_samples[:SHOWN].reshape(-1, images.channels, images.side, images.side).mean(1)
    exam.artifact("images", "guidance: samples", shown)
