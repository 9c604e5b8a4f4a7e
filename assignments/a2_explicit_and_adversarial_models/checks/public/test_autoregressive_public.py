"""Public checks of the autoregressive model: run them yourself with `grader check --task autoregressive`."""

import pytest

from grader.families.autoregressive import ImageModel, look_ahead, movement, redrawn_before, sampled
from grader.families.vae import disagreement

pytestmark = pytest.mark.task("autoregressive")


@pytest.fixture
def untrained(candidate, exam):
    return ImageModel.build(candidate, exam.config("autoregressive"), device=exam.device)


def test_no_pixel_sees_itself_or_later_ones(untrained, autoregressive_digits, exam):
    x = autoregressive_digits.train[:7]
    found = look_ahead(untrained, x, cuts=12, seed=exam.seed_for("public: cuts"))
    assert found.holds, (
        f"the logit of pixel {found.pixel} moves by {found.worst:.1e} when pixels from it on change; "
        "it may depend on the pixels before it alone, row by row from the left"
    )


def test_pixels_depend_on_earlier_ones(autoregressive_trained, autoregressive_digits, exam):
    x = autoregressive_digits.train[:32]
    edited = redrawn_before(x, x[0].numel() // 2, seed=exam.seed_for("public: past"))
    change = movement(autoregressive_trained.model.logits(x), autoregressive_trained.model.logits(edited))
    assert change.worst > 1e-2, (
        "after training no logit changes when the upper half of the image does; the past has to be used"
    )


def test_log_prob_is_the_sum_over_the_pixels(untrained, autoregressive_digits):
    for count in (1, 16):
        x = autoregressive_digits.train[:count]
        wrong = disagreement(untrained.log_prob(x), untrained.log_likelihood(x))
        assert not wrong, (
            f"log_prob of {count} images gives {wrong}: nats, summed over the pixels, one value per image"
        )


def test_samples_are_black_and_white(candidate, untrained, exam):
    side = exam.config("autoregressive").side
    for count in (1, 5):
        sampled(candidate, untrained.remote, (count, 1, side, side), seed=count)


def test_training_raises_the_likelihood(untrained, autoregressive_trained, autoregressive_digits):
    x = autoregressive_digits.train[:256]
    before = float(untrained.log_likelihood(x).mean())
    after = float(autoregressive_trained.model.log_likelihood(x).mean())
    assert after > before + 1, (
        f"training takes log p(x) from {before:.1f} to {after:.1f} nats an image; it has to rise"
    )
