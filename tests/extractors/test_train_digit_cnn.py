"""The script that made the weights, on a tenth of a second of the work."""

import gzip
import json

import pytest
import torch

from grader.errors import ConfigurationError
from grader.extractors import train_digit_cnn
from grader.extractors.digit_cnn import load_digit_cnn
from grader.extractors.train_digit_cnn import main, read_part, train
from tests.data.generated import large_digits, write_idx_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Digits of 8 x 8 pixels, enlarged, in the files of MNIST."""
    return write_idx_set(tmp_path_factory.mktemp("data") / "mnist", large_digits(count=1400, test=100))


@pytest.fixture(scope="module")
def data(folder):
    return read_part(folder, "train")[0]


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=False)


def test_the_same_seed_gives_the_same_weights(data):
    first, again, other = (train(data, epochs=1, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hidden.weight"], other["hidden.weight"])


def test_it_learns(data):
    found = train_digit_cnn.accuracies(train(data, epochs=3, seed=1), data)
    assert found["mnist_test_28x28"] > 0.8
    assert found["scikit_learn_digits_8x8"] > 0.8


def test_the_files_of_mnist_are_read_compressed_or_not_with_the_checksums_of_what_they_hold(folder, tmp_path):
    packed, sums = read_part(folder, "test")
    for path in folder.glob("t10k-*"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    plain, again = read_part(tmp_path, "test")
    assert torch.equal(plain.images, packed.images)
    assert torch.equal(plain.labels, packed.labels)
    assert sums == again
    images, labels = large_digits(count=1400, test=100)[2:]
    assert (plain.images[:, 0] * 255).round().to(torch.uint8).numpy().tolist() == images.tolist()
    assert plain.labels.tolist() == labels.tolist()


def test_a_folder_without_mnist_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="train-images-idx3-ubyte: not there, compressed or not"):
        read_part(tmp_path, "train")


def test_the_command_writes_weights_that_can_be_loaded(folder, tmp_path, monkeypatch, capsys, one_thread):
    monkeypatch.setattr(train_digit_cnn, "train", lambda data: train(data, epochs=1))
    path = tmp_path / "digit_cnn.safetensors"
    assert main([str(folder), str(path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert load_digit_cnn(weights=path).name == f"digit-cnn-64@{facts['sha256'][:8]}"
    assert len(facts["training"]["data_sha256"]) == 4
    assert set(facts["training"]["accuracy"]) == {
        "mnist_test_28x28",
        "mnist_test_drawn_in_8x8",
        "scikit_learn_digits_8x8",
    }


def test_the_command_says_what_is_wrong(tmp_path, capsys, one_thread):
    assert main([]) == 2
    assert main([str(tmp_path)]) == 3
    assert "usage: " in capsys.readouterr().err
