"""Hidden checks of the two towers: the loss on other pairs, captions found for held-out images, drawn images.

Who may see what is written down at the top of grader/families/two_tower.py.
"""

import math

import pytest
import torch
from torch.nn.functional import normalize, one_hot

from grader.families.class_judge import class_judge, share_of_copies, share_of_leaks, spread_within_classes
from grader.families.two_tower import (
    LossCase,
    built,
    embeddings,
    first_hits,
    generated,
    loss_mistake,
    scale_of_loss,
)
from grader.families.vae import disagreement
from grader.metrics.frechet import extrapolated_distance, factorise, frechet_standard_error
from grader.metrics.intervals import paired_difference
from grader.metrics.same_law import OF_CHANCE, portions_gap

pytestmark = pytest.mark.task("two_tower")

SAMPLES = 2000
OTHER_LATER = "the sampler answers otherwise when it is asked again"
SHOWN = 40


# The loss


@pytest.fixture
def pairs(noise):
    """Seven pairs of unit vectors that are hardly alike, so that both directions differ."""
    return tuple(normalize(noise(f"two_tower: {name}", 7, 4), dim=1) for name in ("images", "texts"))


@pytest.fixture
def scale(candidate, pairs):
    return scale_of_loss(candidate, LossCase("7 random pairs", *pairs, 0.3))


def test_loss_counts_both_directions(candidate, pairs, scale):
    first, second = pairs
    crowd = normalize(first + 2 * first[:1], dim=1)  # images that are alike, captions that are not
    for what, images, texts in (
        ("images that are alike", crowd, second),
        ("captions that are alike", second, crowd),
    ):
        wrong = loss_mistake(candidate, LossCase(what, images, texts, 0.3), scale=scale)
        assert not wrong, f"contrastive_loss gives {wrong}; images choose captions, and captions images"


def test_loss_does_not_depend_on_the_order_of_the_pairs(candidate, pairs, scale):
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    case = LossCase("the same pairs in another order", pairs[0][order], pairs[1][order], 0.3)
    wrong = loss_mistake(candidate, case, scale=scale)
    assert not wrong, f"contrastive_loss gives {wrong}"


def test_loss_depends_on_who_belongs_to_whom(candidate, pairs, scale):
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    case = LossCase("pairs that were taken apart", pairs[0], pairs[1][order], 0.3)
    wrong = loss_mistake(candidate, case, scale=scale)
    assert not wrong, f"contrastive_loss gives {wrong}"


def test_loss_at_a_low_temperature(candidate, pairs, scale):
    case = LossCase("logits up to 100", pairs[0], pairs[1], 0.01)
    wrong = loss_mistake(candidate, case, scale=scale)
    assert not wrong, f"contrastive_loss gives {wrong}; stay in the log domain"


def test_loss_of_a_single_pair(candidate, pairs):
    wrong = loss_mistake(candidate, LossCase("one pair", pairs[0][:1], pairs[1][:1], 0.3), scale=1.0)
    assert not wrong, f"contrastive_loss gives {wrong}: there is nothing to choose from"


# Towers


@pytest.fixture(scope="module")
def seer(exam, two_tower_config, two_tower_trained):
    """The trained image tower in a fresh worker, which sees no caption."""
    return built(
        exam.fresh("two_tower"),
        "ImageTower",
        two_tower_config,
        two_tower_trained.image_state,
        device=exam.device,
    )


@pytest.fixture(scope="module")
def seen(seer, two_tower_config, images):
    return embeddings(seer, images.held_out, two_tower_config)


def test_training_changes_both_towers(two_tower_trained):
    for name, change in two_tower_trained.moved.items():
        assert change > 0.05, f"training moves no embedding of {name} by more than {change:.3f}"


def test_training_reports_its_losses(exam, two_tower_trained):
    losses = [loss for loss in two_tower_trained.losses() if math.isfinite(loss)]
    assert losses, "train_two_tower returned no loss that is a finite number"
    exam.artifact("curve", "two_tower: training loss", losses)


def test_an_image_is_embedded_alone(seer, seen, two_tower_config, images):
    few = embeddings(seer, images.held_out[40:43], two_tower_config)
    wrong = disagreement(few, seen[40:43], tolerance=1e-3)
    assert not wrong, f"ImageTower of three images gives {wrong} among {len(seen)}"


def test_a_caption_is_embedded_alone(
    candidate, exam, two_tower_config, two_tower_trained, two_tower_captions, two_tower_readings
):
    tower = built(candidate, "TextTower", two_tower_config, two_tower_trained.text_state, device=exam.device)
    backwards = two_tower_captions.writer.all().flip(0)[:7]
    wrong = disagreement(
        embeddings(tower, backwards, two_tower_config), two_tower_readings.flip(0)[:7], tolerance=1e-3
    )
    assert not wrong, f"TextTower of seven captions gives {wrong} among {len(two_tower_readings)}"


def test_captions_found_for_held_out_images(exam, measure, seen, two_tower_readings, two_tower_captions):
    writer = two_tower_captions.writer
    own = writer.numbers(two_tower_captions.held_out)
    hits = first_hits(seen, two_tower_readings, own)
    frequent = writer.numbers(two_tower_captions.train).bincount().argmax()
    baseline = (own == frequent).double()
    error = paired_difference(hits, theirs=baseline).standard_error
    measure("two_tower_recall", float(hits.mean()), unit="", n=len(hits), standard_error=error)
    measure("two_tower_recall_baseline", float(baseline.mean()), unit="", n=len(hits))
    missed = f"{int((hits == 0).sum())} of {len(hits)} held-out images have another caption nearer to them"
    exam.note(f"two_tower: {missed}.")


# The generator


@pytest.fixture(scope="module")
def wanted(two_tower_captions):
    """Captions as frequent as among the held-out images."""
    captions = two_tower_captions.held_out
    return captions.repeat(1 + SAMPLES // len(captions), 1)[:SAMPLES]


@pytest.fixture(scope="module")
def conditions(two_tower_readings, two_tower_captions, wanted):
    return two_tower_readings[two_tower_captions.writer.numbers(wanted)]


@pytest.fixture(scope="module")
def chance(noise, two_tower_config):
    return noise("two_tower: z", SAMPLES, two_tower_config.latent_dim)


@pytest.fixture(scope="module")
def samples(two_tower_generator, conditions, chance, two_tower_config):
    return generated(two_tower_generator, conditions, chance, two_tower_config).flatten(1)


@pytest.fixture(scope="module")
def all_samples(exam, two_tower_generator, conditions, samples, noise, two_tower_config):
    """More of them where noise left points open, one portion after the other; each is looked at alike."""
    names = exam.portions("two_tower: z")[1:]
    chances = [noise(name, SAMPLES, two_tower_config.latent_dim) for name in names]
    more = [generated(two_tower_generator, conditions, z, two_tower_config).flatten(1) for z in chances]
    return torch.cat([samples, *more])


@pytest.fixture(scope="module")
def judge(images):
    return class_judge(images.train.flatten(1), images.train_label)


def test_an_image_follows_from_its_embedding_and_z(
    two_tower_generator, conditions, chance, samples, two_tower_config
):
    few = generated(two_tower_generator, conditions[40:43], chance[40:43], two_tower_config).flatten(1)
    wrong = disagreement(few, samples[40:43], tolerance=1e-3)
    assert not wrong, f"generate of three embeddings gives {wrong} among {len(samples)}; all chance is in z"


def test_images_show_what_the_caption_says(judge, samples, wanted, two_tower_captions, images, measure):
    labels = two_tower_captions.writer.labels(wanted)
    share = judge.agreement(samples, labels)
    limit = 0.8 * judge.agreement(images.held_out.flatten(1), images.held_out_label)
    measure("two_tower_class_agreement", share, unit="", n=len(labels))
    assert share > limit, (
        f"{share:.0%} of the generated images show the class that the caption names; {limit:.0%} are needed"
    )


def test_images_have_the_ink_that_the_caption_says(samples, wanted, two_tower_captions, images):
    writer, shape = two_tower_captions.writer, (-1, *images.train.shape[1:])
    found = writer.captions(samples.float().reshape(shape), writer.labels(wanted))
    share = float((found[:, 0] == wanted[:, 0]).double().mean())
    assert share > 0.75, (
        f"{share:.0%} of the generated images are as heavy or light as their caption says; 75% are needed"
    )


def test_images_of_a_class_are_varied(all_samples, wanted, two_tower_captions, images):
    labels = two_tower_captions.writer.labels(wanted)
    real = {"like": images.held_out.flatten(1), "like_labels": images.held_out_label}
    share = min(spread_within_classes(portion, labels, **real) for portion in all_samples.split(SAMPLES))
    assert share > 0.2, (
        f"the images of one class have {share:.0%} of the variance of that class; 20 % are needed"
    )


def test_images_of_a_caption_follow_z(two_tower_generator, two_tower_readings, chance, two_tower_config):
    one = two_tower_readings[:1].expand(200, -1)
    found = generated(two_tower_generator, one, chance[:200], two_tower_config).flatten(1)
    distinct = len(found.mul(1000).round().unique(dim=0)) / len(found)
    assert distinct > 0.5, f"of 200 images of one caption only {distinct:.0%} differ; z has to matter"


def test_images_are_no_training_images(all_samples, images):
    training, held_out = images.train.flatten(1), images.held_out.flatten(1)
    for portion in all_samples.split(SAMPLES):
        found = share_of_copies(portion, training=training, held_out=held_out)
        assert not found.found_copies, (
            f"{found.share:.0%} of the images are far closer to a training image than to any other image; "
            f"up to {found.limit:.0%} is chance"
        )
        leaked = share_of_leaks(portion, training=training, held_out=held_out)
        assert not leaked.found_copies, (
            f"{leaked.share:.0%} of the images are far closer to a held-out image than to any training "
            f"image; up to {leaked.limit:.0%} is chance"
        )


def test_distance_of_images_and_captions_to_held_out_ones(
    exam, measure, all_samples, wanted, two_tower_captions, two_tower_config, images, noise
):
    """Of pixels and words together, so that an image of another caption than asked for is far off."""
    assert portions_gap(all_samples, portion=SAMPLES) < OF_CHANCE, OTHER_LATER

    def joint(pixels, captions):
        words = one_hot(captions, two_tower_config.vocabulary).sum(1)  # each caption has a word only once
        return torch.cat([pixels.double(), words.double()], 1)

    reference = factorise(joint(images.held_out.flatten(1), two_tower_captions.held_out))
    pixels = images.train.flatten(1)
    made_up = pixels.mean(0) + pixels.std(0) * noise("two_tower: baseline", SAMPLES, pixels.shape[1])
    for name, rows in (
        ("two_tower_frechet", joint(all_samples, wanted.repeat(len(all_samples) // SAMPLES, 1))),
        ("two_tower_frechet_baseline", joint(made_up.clamp(0, 1), wanted)),
    ):
        measure(
            name,
            extrapolated_distance(reference, rows, seed=exam.seed_for("two_tower: halves"), portion=SAMPLES),
            unit="squared pixels",
            n=len(rows),
            standard_error=frechet_standard_error(reference, rows),
            sampled=True,
            extractor=f"pixels-{pixels.shape[1]} and words",
        )
    shown = all_samples[:SHOWN].reshape(-1, images.channels, images.side, images.side).mean(1)
    exam.artifact("images", "two_tower: drawn from captions", shown)
