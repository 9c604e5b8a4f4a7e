"""What the examiner may put into a question, and what it may not."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from grader.sandbox.frames import PREAMBLE, Ref
from grader.sandbox.questions import Generator, Packer


def test_tags_stand_for_what_json_does_not_have():
    tree = Packer().tree([(1,), {"a": None}, float("nan"), SimpleNamespace(width=3), Generator(5)])
    assert tree == [
        {"$tuple": [1]},
        {"$dict": [["a", None]]},
        {"$float": "nan"},
        {"$namespace": {"width": 3}},
        {"$generator": 5},
    ]


def test_numpy_scalars_become_plain_ones():
    tree = Packer().tree([np.float64(1.5), np.int64(2), np.bool_(True)])
    assert [type(value) for value in tree] == [float, int, bool]


def test_arrays_are_made_contiguous_and_little_endian():
    packer = Packer()
    packer.tree([np.arange(6, dtype=">i4").reshape(2, 3).T, np.array(1.0)])
    head, *bodies = packer.frame({"id": 1})
    assert [bytes(body) for body in bodies] == [
        np.array([0, 3, 1, 4, 2, 5], "<i4").tobytes(),
        np.array(1.0).tobytes(),
    ]
    described = json.loads(bytes(head)[PREAMBLE.size :])["arrays"]
    assert described == [{"dtype": "int32", "shape": [3, 2]}, {"dtype": "float64", "shape": []}]


def test_an_empty_array_has_no_bytes():
    packer = Packer()
    packer.tree(np.zeros((0, 4), np.float32))
    assert len(packer.frame({"id": 1})) == 1


def test_a_tensor_crosses_without_importing_torch_here():
    torch = pytest.importorskip("torch")
    packer = Packer()
    packer.tree(torch.ones(2, requires_grad=True))
    assert packer.arrays[0].tolist() == [1.0, 1.0]


def test_what_is_kept_in_the_worker_is_named_by_its_number():
    handle = object()
    packer = Packer(ref_of=lambda value: Ref(4, "VAE") if value is handle else None)
    assert packer.tree([handle]) == [{"$ref": 4, "type": "VAE"}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "a object cannot be sent to a worker"),
        (np.array(["text"]), "an array of str128 cannot be sent to a worker"),
        (np.array([1j]), "an array of complex128 cannot be sent to a worker"),
    ],
)
def test_anything_else_is_our_mistake(value, message):
    with pytest.raises(TypeError, match=message):
        Packer().tree(value)


def test_an_integer_of_more_than_64_bits_is_our_mistake():
    with pytest.raises(ValueError, match="needs more than 64 bits"):
        Packer().tree(2**63)


def test_a_list_that_holds_itself_is_our_mistake():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested deeper than 64"):
        Packer().tree(endless)
