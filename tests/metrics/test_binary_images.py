"""Two sets of binary images: the same law passes, another law with the same pixels does not."""

import pytest
import torch

from grader.data.digits import binarise, load_digits, pixel_probabilities
from grader.metrics.binary_images import draw, law_gap, pixel_frequencies

DIGITS = load_digits().intensity


def test_two_draws_from_one_law_are_close():
    gaps = [law_gap(binarise(DIGITS, seed=seed), binarise(DIGITS, seed=seed + 50)) for seed in range(20)]
    assert max(gaps) < 6.5


def test_the_same_pixel_frequencies_with_independent_pixels_are_far():
    images = binarise(DIGITS, seed=0)
    independent = draw(images.mean(0).expand(1797, 64), seed=1)
    assert law_gap(images, independent) > 9


def test_one_image_in_eighteen_with_a_speck_is_seen():
    images, other = binarise(DIGITS, seed=0), binarise(DIGITS, seed=1)
    other[:100, 0] = 1
    assert law_gap(images, other) > 8


def test_one_pixel_is_compared_as_two_shares_are():
    first, second = (
        torch.cat([torch.ones(on, 1), torch.zeros(n - on, 1)]) for on, n in ((50, 100), (120, 200))
    )
    pooled = 170 / 300
    assert law_gap(first, second) == pytest.approx(0.1 / (pooled * (1 - pooled) * (1 / 100 + 1 / 200)) ** 0.5)


def test_pixels_that_never_change_do_not_count():
    assert law_gap(torch.zeros(50, 4), torch.zeros(60, 4)) == 0


def test_draws_have_their_probabilities_as_means_and_follow_the_seed():
    probability = pixel_probabilities(DIGITS[:1]).expand(5000, 64)
    assert torch.allclose(draw(probability, seed=3).mean(0), probability[0], atol=0.035)
    assert torch.equal(draw(probability, seed=3), draw(probability, seed=3))
    assert not torch.equal(draw(probability, seed=3), draw(probability, seed=4))


def test_frequencies_are_never_certain():
    found = pixel_frequencies(torch.tensor([[1.0, 0.0]] * 8))
    assert found.tolist() == pytest.approx([0.9, 0.1])
