"""The 8x8 digits: all of them, parted and binarised by seed."""

import pytest
import torch

from grader.data.digits import binarise, load_digits, pixel_probabilities, split


def test_there_are_1797_digits_of_64_pixels_in_the_unit_interval():
    digits = load_digits()
    assert digits.intensity.shape == (1797, 64)
    assert digits.intensity.dtype is torch.float32
    assert (float(digits.intensity.min()), float(digits.intensity.max())) == (0, 1)


def test_every_class_has_its_published_count():
    counts = torch.bincount(load_digits().label).tolist()
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_they_are_those_that_scikit_learn_loads():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    assert torch.equal(load_digits().intensity * 16, torch.from_numpy(images).float())
    assert torch.equal(load_digits().label, torch.from_numpy(labels))


def test_a_split_parts_the_digits_without_loss_or_overlap():
    train, held_out = split(load_digits(), held_out=500, seed=3)
    assert (len(train), len(held_out)) == (1297, 500)
    together = torch.cat([train.intensity, held_out.intensity])
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, load_digits().intensity.tolist()))


def test_labels_stay_with_their_images():
    digits = load_digits()
    where = {
        tuple(image.tolist()): int(label) for image, label in zip(digits.intensity, digits.label, strict=True)
    }
    _, held_out = split(digits, held_out=50, seed=1)
    found = [where[tuple(image.tolist())] for image in held_out.intensity]
    assert found == held_out.label.tolist()


def test_the_split_follows_its_seed():
    first, again, other = (split(load_digits(), held_out=100, seed=seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first.intensity, again.intensity)
    assert not torch.equal(first.intensity, other.intensity)


@pytest.mark.parametrize("held_out", [0, 1797, -1])
def test_an_empty_part_is_refused(held_out: int):
    with pytest.raises(ValueError, match="expected 1 to 1796 images"):
        split(load_digits(), held_out=held_out, seed=0)


def test_binarised_images_are_black_and_white_and_follow_their_seed():
    intensity = load_digits().intensity[:40]
    first, again, other = (binarise(intensity, seed=seed) for seed in (5, 5, 6))
    assert set(first.unique().tolist()) == {0, 1}
    assert first.dtype is torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_several_draws_of_an_image_have_its_probabilities_as_their_mean():
    intensity = load_digits().intensity[:10]
    draws = binarise(intensity, seed=0, draws=4000).reshape(4000, 10, 64)
    assert torch.allclose(draws.mean(0), pixel_probabilities(intensity), atol=4.9 * 0.5 / 4000**0.5)


def test_dark_and_bright_pixels_are_certain():
    probability = pixel_probabilities(torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0]]))
    assert probability.tolist() == [[0, 0, 0.5, 1, 1]]
