import gzip

import numpy as np
import pytest

from grader.data.checksums import write_sums
from grader.data.data_sets import ARRAYS, IDX, KERAS, data_digest, find_files, load_data_set
from grader.errors import ConfigurationError

from .generated import idx_bytes, large_digits, write_idx_set


@pytest.fixture(scope="module")
def parts():
    return large_digits(count=40, test=10)


def refusal(call, *arguments):
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments)
    return str(caught.value)


def write_arrays(folder, parts):
    folder.mkdir(parents=True)
    for name, array in zip(ARRAYS, parts, strict=True):
        np.save(folder / f"{name}.npy", array)


def write_archive(folder, parts, names=ARRAYS):
    folder.mkdir(parents=True)
    np.savez(folder / f"{folder.name}.npz", **dict(zip(names, parts, strict=True)))


def test_every_layout_gives_the_same_images(tmp_path, parts):
    write_idx_set(tmp_path / "packed", parts)
    write_idx_set(tmp_path / "plain", parts, compressed=False)
    write_arrays(tmp_path / "arrays", parts)
    write_archive(tmp_path / "archive", parts)
    write_archive(tmp_path / "keras", parts, KERAS)
    for name in ("packed", "plain", "arrays", "archive", "keras"):
        found = load_data_set(name, tmp_path)
        assert found.images.shape == (40, 1, 28, 28)
        assert np.array_equal(found.images[:30, 0], parts[0])
        assert np.array_equal(found.labels[30:], parts[3])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 28, 28), (4, 1, 28, 28)),
        ((4, 28, 28, 1), (4, 1, 28, 28)),
        ((4, 32, 32, 3), (4, 3, 32, 32)),
        ((4, 3, 32, 32), (4, 3, 32, 32)),
        ((4, 1, 32, 32), (4, 1, 32, 32)),
    ],
)
def test_channels_may_stand_first_or_last(tmp_path, shape, expected):
    images, labels = np.zeros(shape, np.uint8), np.zeros((4, 1), np.int64)
    images[2].flat[1] = 9
    write_arrays(tmp_path / "set", (images, labels, images, labels))
    found = load_data_set("set", tmp_path)
    assert found.images.shape[1:] == expected[1:]
    place = (2, 1, 0, 0) if shape[-1] == 3 else (2, 0, 0, 1)
    assert found.images[place] == 9


GREY, CLASS = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (GREY[:, 1:], CLASS, "images of shape 27 x 28; expected 28 x 28 or 32 x 32"),
        (GREY[:, None, None], CLASS, "images of shape 1 x 1 x 28 x 28"),
        (GREY[:, :, :, None].repeat(2, 3), CLASS, "images of shape 28 x 28 x 2"),
        (GREY.reshape(4, 784), CLASS, "images of shape 784"),
        (GREY.astype(np.int64), CLASS, "images: int64; expected bytes or floats"),
        (GREY + np.float32(2), CLASS, "a float outside 0 to 1"),
        (GREY * np.float32("nan"), CLASS, "a float outside 0 to 1"),
        (GREY, CLASS[:3], "4 images and 3 labels"),
        (GREY, CLASS.astype(np.float32), "labels: float32 of shape (4,)"),
        (GREY, np.zeros((4, 10), np.uint8), "labels: uint8 of shape (4, 10)"),
        (GREY, CLASS.astype(np.int64) - 1, "expected classes from 0 to at most 999"),
        (GREY, CLASS.astype(np.int64) + 1000, "expected classes from 0 to at most 999"),
        (GREY[:0], CLASS[:0], "expected classes from 0"),
    ],
)
def test_images_or_labels_of_another_kind_are_refused(tmp_path, images, labels, said):
    write_arrays(tmp_path / "set", (GREY, CLASS, images, labels))
    refused = refusal(load_data_set, "set", tmp_path)
    assert said in refused
    assert "set: test part" in refused


def test_both_parts_must_be_of_one_kind(tmp_path):
    write_arrays(tmp_path / "set", (GREY, CLASS, GREY.astype(np.float32), CLASS))
    assert "differ in shape or type" in refusal(load_data_set, "set", tmp_path)


def test_an_absent_set_says_where_it_was_looked_for_and_what_to_do(tmp_path):
    said = refusal(find_files, "mnist", tmp_path / "data")
    assert f"there is no folder {tmp_path / 'data'};" in said
    (tmp_path / "data").mkdir()
    said = refusal(find_files, "mnist", tmp_path / "data")
    assert f"there is no folder {tmp_path / 'data' / 'mnist'};" in said
    for hint in (*IDX, "train_images.npy", "mnist.npz", 'scale = "cpu"', "data_folder", "docs/data.md"):
        assert hint in said


def test_an_incomplete_set_says_what_is_there(tmp_path, parts):
    folder = write_idx_set(tmp_path / "mnist", parts)
    (folder / f"{IDX[3]}.gz").unlink()
    said = refusal(find_files, "mnist", tmp_path)
    assert f"holds {IDX[2]}.gz, {IDX[0]}.gz, {IDX[1]}.gz;" in said


def test_nothing_is_chosen_where_a_set_is_there_twice(tmp_path, parts):
    folder = write_idx_set(tmp_path / "mnist", parts)
    np.savez(folder / "mnist.npz", x=1)
    assert "holds it twice" in refusal(find_files, "mnist", tmp_path)
    (folder / "mnist.npz").unlink()
    (folder / IDX[0]).write_bytes(idx_bytes(parts[0]))
    assert "compressed and not; keep one of them" in refusal(find_files, "mnist", tmp_path)


def test_the_digest_follows_the_bytes_and_the_checksums_are_held_to(tmp_path, parts):
    folder = write_idx_set(tmp_path / "mnist", parts)
    before = data_digest("mnist", tmp_path)
    write_sums(folder)
    assert data_digest("mnist", tmp_path) == before
    (folder / f"{IDX[1]}.gz").write_bytes(gzip.compress(idx_bytes(parts[1]), 9) + gzip.compress(b""))
    for call in (data_digest, load_data_set):
        assert f"{IDX[1]}.gz: SHA-256 is" in refusal(call, "mnist", tmp_path)
    write_sums(folder)
    assert data_digest("mnist", tmp_path) != before
