import io
import zipfile

import numpy as np
import pytest

from grader.data.numpy_files import read_npy, read_npz
from grader.errors import ConfigurationError

NUMBERS = np.arange(6, dtype=np.int32).reshape(2, 3)
WANTED = (("a", "b"), ("x", "y"))


def refusal(read, path, **named):
    with pytest.raises(ConfigurationError) as caught:
        read(path, **named)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_an_array_comes_back(tmp_path):
    np.save(tmp_path / "numbers.npy", NUMBERS)
    assert np.array_equal(read_npy(tmp_path / "numbers.npy"), NUMBERS)


def test_of_an_archive_the_first_complete_set_of_names_is_read(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, a=NUMBERS, x=NUMBERS + 1, y=NUMBERS + 2, other=NUMBERS)
    first, second = read_npz(path, names=WANTED)
    assert np.array_equal(first, NUMBERS + 1)
    assert np.array_equal(second, NUMBERS + 2)


def test_an_archive_without_the_names_lists_what_it_holds(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, a=NUMBERS)
    assert "holds a; expected a, b or x, y" in refusal(read_npz, path, names=WANTED)
    np.savez(path)
    assert "holds nothing" in refusal(read_npz, path, names=WANTED)


def test_one_kind_of_file_in_the_place_of_the_other_is_named(tmp_path):
    np.save(tmp_path / "numbers.npy", NUMBERS)
    np.savez(tmp_path / "set.npz", a=NUMBERS)
    (tmp_path / "numbers.npy").rename(tmp_path / "single.npz")
    (tmp_path / "set.npz").rename(tmp_path / "many.npy")
    assert "expected an archive" in refusal(read_npz, tmp_path / "single.npz", names=WANTED)
    assert "expected one array" in refusal(read_npy, tmp_path / "many.npy")


def test_a_pickle_is_never_opened(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([print, {}], dtype=object), allow_pickle=True)
    assert "objects.npy: holds Python objects, which are never" in refusal(read_npy, tmp_path / "objects.npy")
    np.savez(tmp_path / "objects.npz", a=np.array([print], dtype=object), b=NUMBERS)
    said = refusal(read_npz, tmp_path / "objects.npz", names=WANTED)
    assert "objects.npz: a holds Python objects, which are never opened; save numbers" in said


@pytest.mark.parametrize("content", [b"\x93NUMPY", b"PK\x03\x04 half an archive"])
def test_half_a_numpy_file_is_refused(tmp_path, content):
    (tmp_path / "file.npy").write_bytes(content)
    assert "cannot be read as NumPy data" in refusal(read_npy, tmp_path / "file.npy")


@pytest.mark.parametrize(("content", "beginning"), [(b"", "nothing"), (b"text", "74657874")])
def test_what_is_no_numpy_file_is_refused(tmp_path, content, beginning):
    (tmp_path / "file.npy").write_bytes(content)
    said = refusal(read_npy, tmp_path / "file.npy")
    assert said.endswith(f"file.npy: not NumPy data; it begins with {beginning}")


def announcing(shape, *, kind="|u1"):
    """Three bytes behind a header that announces more."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + b"abc"


ABSURD = [(10**12, 28, 28), (10**23,), (10**23, 0), (2**63,), (2, 2), (-1, -(10**23))]


@pytest.mark.parametrize("shape", ABSURD)
def test_a_header_that_announces_more_than_there_is_is_refused_before_room_is_made(tmp_path, shape):
    path = tmp_path / "numbers.npy"
    path.write_bytes(announcing(shape))
    said = refusal(read_npy, path)
    assert f"cannot be read as NumPy data: its header announces shape {shape}, and 3 bytes follow" in said
    path.write_bytes(announcing((10**12,), kind="|V0"))
    assert "cannot be read as NumPy data: its header announces" in refusal(read_npy, path)


@pytest.mark.parametrize("shape", ABSURD)
def test_so_is_one_inside_an_archive(tmp_path, shape):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", announcing(shape))
        archive.writestr("b.npy", announcing((3,)))
    said = refusal(read_npz, path, names=WANTED)
    assert f"a cannot be read: its header announces shape {shape}, and 3 bytes follow" in said


def headed(text, *, version=1):
    header = text.encode()
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 * version, "little") + header + b"x" * 50
    )


HEADERS = [
    "{'descr': (",
    "(" * 9000,
    "[" * 150,
    "{[]: 1}",
    "{'descr': ',u1', 'fortran_order': False, 'shape': (5,)}",
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_header_that_is_none_is_refused(tmp_path, header, version):
    (tmp_path / "file.npy").write_bytes(headed(header, version=version))
    assert "cannot be read as NumPy data" in refusal(read_npy, tmp_path / "file.npy")
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("a.npy", headed(header, version=version))
        archive.writestr("b.npy", announcing((3,)))
    assert "a cannot be read" in refusal(read_npz, tmp_path / "set.npz", names=WANTED)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_no_rows_or_dimensions_are_read(tmp_path, order):
    for array in (np.zeros((0, 28, 28)), np.array(5), np.asarray(NUMBERS, order=order)):
        np.save(tmp_path / "numbers.npy", array)
        assert np.array_equal(read_npy(tmp_path / "numbers.npy"), array)


def test_texts_are_no_numbers(tmp_path):
    np.save(tmp_path / "texts.npy", np.array(["one", "two"]))
    assert "expected integers or floats" in refusal(read_npy, tmp_path / "texts.npy")


def test_a_damaged_member_is_named(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, a=np.arange(4000), b=NUMBERS)
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(bytes(content))
    assert "a cannot be read" in refusal(read_npz, path, names=WANTED)
