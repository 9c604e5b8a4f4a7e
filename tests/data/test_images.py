import numpy as np
import pytest
import torch

from grader.data.digits import GREY_LEVELS
from grader.data.images import binary_images, image_split
from grader.errors import ConfigurationError

from .generated import large_digits, write_idx_set


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_idx_set(folder / "mnist", large_digits(count=200, test=80))
    return folder


def test_the_digits_need_no_data_folder(tmp_path):
    images = image_split("digits", seed=3, data_folder=tmp_path / "nowhere")
    assert (images.side, images.channels, images.classes) == (8, 1, 10)
    assert (len(images.train), len(images.held_out)) == (1297, 500)
    assert torch.equal(images.train * GREY_LEVELS, (images.train * GREY_LEVELS).round())


def test_a_folder_gives_intensities_with_their_labels(data_folder):
    images = image_split("mnist", seed=3, data_folder=data_folder, held_out=50)
    assert (images.side, images.channels, images.classes) == (28, 1, 10)
    assert images.train.dtype == torch.float32
    assert images.train.shape == (150, 1, 28, 28)
    assert 0 <= float(images.train.min()) < float(images.train.max()) <= 1
    train, labels, *_ = large_digits(count=200, test=80)
    one = torch.from_numpy(train[7] / np.float32(255))
    both = torch.cat([images.train, images.held_out])[:, 0]
    (place,) = (both - one).abs().amax((1, 2)).lt(1e-6).nonzero()
    assert torch.cat([images.train_label, images.held_out_label])[place] == labels[7]


def test_what_is_held_out_is_not_the_public_test_set(data_folder):
    images = image_split("mnist", seed=3, data_folder=data_folder, held_out=60)
    test = torch.from_numpy(large_digits(count=200, test=80)[2] / np.float32(255))
    from_test = torch.cdist(images.held_out.flatten(1), test.flatten(1)).amin(1) < 1e-5
    assert 5 < int(from_test.sum()) < 55


def test_no_image_is_on_both_sides_and_the_seed_decides(data_folder):
    first, again, other = (
        image_split("mnist", seed=seed, data_folder=data_folder, held_out=60) for seed in (3, 3, 4)
    )
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.held_out, other.held_out)
    assert float(torch.cdist(first.train.flatten(1), first.held_out.flatten(1)).min()) > 0


def test_sizes_are_capped(data_folder, tmp_path):
    assert len(image_split("mnist", seed=1, data_folder=data_folder, held_out=50, train=20).train) == 20
    few = image_split("digits", seed=1, data_folder=tmp_path, held_out=50, train=20)
    assert (len(few.train), len(few.train_label), len(few.held_out)) == (20, 20, 50)


def test_too_few_images_are_refused(data_folder):
    with pytest.raises(ConfigurationError, match="200 images, of which 200 are held out; lower"):
        image_split("mnist", seed=1, data_folder=data_folder, held_out=200)


def test_black_and_white_images_are_those_of_the_split(data_folder):
    images = image_split("mnist", seed=1, data_folder=data_folder, held_out=50)
    binary = binary_images(images, seed=1, draws=3)
    assert binary.train.shape == (450, 784)
    assert set(binary.train.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(binary.train_label, images.train_label.repeat(3))
    certain = (images.held_out.flatten(1) - 0.5).abs() > 0.25
    assert torch.equal(binary.held_out[certain], images.held_out.flatten(1).round()[certain])
