"""Extractors by name."""

import pytest

from grader.errors import ConfigurationError
from grader.extractors.choose import extractor_named


def refusal(name, **options):
    with pytest.raises(ConfigurationError) as caught:
        extractor_named(name, **options)
    return str(caught.value)


def test_the_digit_network_comes_by_its_name():
    assert extractor_named("digit-cnn").name.startswith("digit-cnn-64@")


def test_a_name_that_is_none_is_told_the_nearest():
    assert refusal("digit-cn") == "unknown extractor 'digit-cn'; did you mean 'digit-cnn'?"
    assert "expected one of digit-cnn, efficientnet-lite0, inception-v3:PATH" in refusal("dinov2")
    assert "unknown extractor 'digit-cnn:x'" in refusal("digit-cnn:x")


def test_inception_needs_its_file(tmp_path):
    assert "names no file of weights; write inception-v3:PATH" in refusal("inception-v3")
    assert f"{tmp_path}/a:b.pth: weights cannot be read" in refusal(f"inception-v3:{tmp_path}/a:b.pth")
    (tmp_path / "other.pth").write_bytes(b"other")
    said = refusal(f"inception-v3:{tmp_path}/other.pth")
    assert "expected 6726825d…" in said
    assert "expected abcdabcd…" in refusal(f"inception-v3:{tmp_path}/other.pth", sha256="abcdabcd")
