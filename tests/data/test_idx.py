import gzip
import struct

import numpy as np
import pytest

from grader.data.idx import read_idx
from grader.errors import ConfigurationError

from .generated import idx_bytes

PICTURES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def refusal(path, *, dimensions=(3,)):
    with pytest.raises(ConfigurationError) as caught:
        read_idx(path, dimensions=dimensions)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_plain_and_compressed_files_read_the_same(tmp_path, name):
    content = idx_bytes(PICTURES)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert np.array_equal(read_idx(tmp_path / name, dimensions=(3,)), PICTURES)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an IDX file; it begins with nothing"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file; it begins with 89504e47"),
        (b"\0\0\x0d\x03" + bytes(12), "type 0x0d; expected unsigned bytes"),
        (idx_bytes(PICTURES[0]), "2 dimensions; expected 3"),
        (idx_bytes(PICTURES)[:10], "ends inside its header"),
        (idx_bytes(PICTURES)[:-5], "ends after 19 of 24 bytes"),
        (idx_bytes(PICTURES) + b"\0", "goes on after the 24 bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 28), "announces an array of 4294967295 x"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 28, 28), "announces an array of 0 x 28 x 28 bytes"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, content, said, compressed):
    path = tmp_path / ("file.gz" if compressed else "file")
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert said in refusal(path)


def test_a_file_that_is_not_compressed_or_cut_off_is_no_crash(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(idx_bytes(PICTURES))
    assert "cannot be read" in refusal(path)
    path.write_bytes(gzip.compress(idx_bytes(PICTURES))[:-9])
    assert "get the file again" in refusal(path)
    packed = bytearray(gzip.compress(idx_bytes(PICTURES)))
    packed[14] ^= 0xFF
    path.write_bytes(bytes(packed))
    refusal(path)
    assert "cannot be read" in refusal(tmp_path / "nothing")


def test_several_numbers_of_dimensions_may_be_allowed(tmp_path):
    path = tmp_path / "colour"
    path.write_bytes(idx_bytes(PICTURES[None]))
    assert read_idx(path, dimensions=(3, 4)).shape == (1, 2, 3, 4)
    assert "4 dimensions; expected 1 or 3" in refusal(path, dimensions=(1, 3))
