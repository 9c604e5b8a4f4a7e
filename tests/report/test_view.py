import hashlib

import numpy as np
import pytest
from safetensors.numpy import save

from grader.records import Artifact
from grader.report.view import load_artifacts, page_path

from .examples import examination


def kept(folder, name, tensors):
    content = save(tensors)
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / f"{sha256}.safetensors").write_bytes(content)
    return Artifact(name=name, sha256=sha256)


def loaded(folder, *artifacts):
    return load_artifacts(folder, examination(artifacts=artifacts))


def test_images_curves_and_texts_come_back(tmp_path):
    images, values = np.random.default_rng(0).random((3, 8, 8)), np.arange(5.0)
    found = loaded(
        tmp_path,
        kept(tmp_path, "images/Samples", {"images": images}),
        kept(tmp_path, "curve/Loss", {"values": values}),
        kept(tmp_path, "text/Story", {"utf8": np.frombuffer("grün\x00".encode(), dtype=np.uint8)}),
    )
    assert np.array_equal(found["images/Samples"], images)
    assert np.array_equal(found["curve/Loss"], values)
    assert found["text/Story"] == "grün\x00"


def test_a_text_that_is_not_utf8_is_shown_as_far_as_it_goes(tmp_path):
    broken = kept(tmp_path, "text/Story", {"utf8": np.array([65, 255], dtype=np.uint8)})
    assert loaded(tmp_path, broken) == {"text/Story": "A\ufffd"}


def test_a_missing_file_is_left_out(tmp_path):
    assert loaded(tmp_path, Artifact(name="images/Samples", sha256="0" * 64)) == {}


def test_a_missing_folder_leaves_all_out(tmp_path):
    assert loaded(tmp_path / "nowhere", Artifact(name="images/Samples", sha256="0" * 64)) == {}


def test_a_file_whose_bytes_changed_is_left_out(tmp_path):
    artifact = kept(tmp_path, "curve/Loss", {"values": np.arange(5.0)})
    (tmp_path / f"{artifact.sha256}.safetensors").write_bytes(save({"values": np.arange(6.0)}))
    assert loaded(tmp_path, artifact) == {}


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\xff" * 64])
def test_a_file_that_is_no_tensor_file_is_left_out(tmp_path, content):
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / f"{sha256}.safetensors").write_bytes(content)
    assert loaded(tmp_path, Artifact(name="curve/Loss", sha256=sha256)) == {}


def test_a_file_without_the_expected_tensor_is_left_out(tmp_path):
    assert loaded(tmp_path, kept(tmp_path, "images/Samples", {"other": np.zeros(3)})) == {}


def test_a_kind_that_nobody_knows_is_left_out(tmp_path):
    assert loaded(tmp_path, kept(tmp_path, "sound/Samples", {"images": np.zeros(3)})) == {}


@pytest.mark.parametrize(
    ("handle", "path"),
    [
        ("otter-7", "students/otter-7.html"),
        ("../../etc/passwd", "students/..%2F..%2Fetc%2Fpasswd.html"),
        ("a b&c", "students/a%20b%26c.html"),
        ("", "students/.html"),
    ],
)
def test_a_page_never_leaves_its_folder(handle, path):
    assert page_path(handle) == path
