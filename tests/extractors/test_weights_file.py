"""Weights are read only where they are the right ones, and never as code."""

import hashlib
import pickle

import pytest
import torch
from safetensors.torch import save
from torch import nn

from grader.errors import ConfigurationError
from grader.extractors.weights_file import put_weights, read_weights


def refusal(call, *arguments, **options):
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.fixture(params=["safetensors", "pth"])
def weights(request, tmp_path):
    path = tmp_path / f"weights.{request.param}"
    tensors = {"a": torch.arange(3.0), "b.c": torch.ones(2, 2)}
    if request.param == "pth":
        torch.save(tensors, path)
    else:
        path.write_bytes(save(tensors))
    return path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_right_file_is_read(weights):
    tensors, found = read_weights(weights, sha256=sha(weights))
    assert found == sha(weights)
    assert tensors["a"].tolist() == [0, 1, 2]
    assert read_weights(weights, sha256=sha(weights)[:8].upper())[1] == found


def test_one_changed_byte_is_another_file(weights):
    expected = sha(weights)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    said = refusal(read_weights, weights, sha256=expected)
    assert said.startswith(f"{weights}: SHA-256 is {sha(weights)[:16]}…, expected {expected[:16]}…;")


def test_no_checksum_is_no_permission(weights):
    assert "SHA-256 '': expected 8 to 64 hexadecimal digits" in refusal(read_weights, weights, sha256="")


@pytest.mark.parametrize("digits", [1, 7])
def test_a_few_digits_are_no_checksum(weights, digits):
    """One file in sixteen begins with the right one."""
    begins = sha(weights)[:digits]
    said = refusal(read_weights, weights, sha256=begins)
    assert (
        said
        == f"SHA-256 {begins!r}: expected 8 to 64 hexadecimal digits, the whole checksum or its beginning"
    )


@pytest.mark.parametrize("given", ["x" * 64, "0" * 65, "sha256:01234567", "0123 4567", "٠١٢٣٤٥٦٧"])
def test_what_is_no_checksum_is_refused_before_the_file_is_read(tmp_path, given):
    said = refusal(read_weights, tmp_path / "nothing.pth", sha256=given)
    assert said.startswith(f"SHA-256 {given!r}: expected 8 to 64 hexadecimal digits")


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "nothing.pth: weights cannot be read: No such file" in refusal(
        read_weights, tmp_path / "nothing.pth", sha256="0" * 64
    )


class Code:
    def __reduce__(self):
        return exec, ("raise SystemExit('code from a file of weights was run')",)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_of_weights_is_not_run(tmp_path, how):
    path = tmp_path / "evil.pth"
    if how == "torch":
        torch.save({"a": Code()}, path)
    else:
        path.write_bytes(pickle.dumps({"a": Code()}, protocol=2))
    assert "not a file of weights" in refusal(read_weights, path, sha256=sha(path))


@pytest.mark.parametrize("name", ["junk.pth", "junk.safetensors"])
def test_junk_is_no_file_of_weights(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"junk")
    assert "not a file of weights" in refusal(read_weights, path, sha256=sha(path))


def test_tensors_without_names_are_refused(tmp_path):
    path = tmp_path / "list.pth"
    torch.save([torch.ones(1)], path)
    assert "holds a list; expected tensors by name" in refusal(read_weights, path, sha256=sha(path))


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_every_weight_finds_its_place(network, tmp_path):
    given = {name: torch.full_like(tensor, 2) for name, tensor in network.state_dict().items()}
    put_weights(network, given, path=tmp_path)
    assert network[0].weight.detach().tolist() == [[2, 2]] * 3
    del given["1.num_batches_tracked"]
    put_weights(network, given, path=tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"0.weight": None}, "lacks 0.weight;"),
        ({"0.weight": None, "0.bias": None}, "lacks 0.bias and 1 more;"),
        ({"2.weight": torch.ones(1)}, "has the unknown 2.weight;"),
        ({"0.weight": torch.ones(3, 3)}, "has another shape of 0.weight;"),
    ],
)
def test_weights_of_another_network_are_refused(network, tmp_path, change, said):
    given = {**network.state_dict(), **change}
    given = {name: tensor for name, tensor in given.items() if tensor is not None}
    assert f"{tmp_path}: {said}" in refusal(put_weights, network, given, path=tmp_path)
