"""Every answer of a submission is checked before anything is computed from it."""

import numpy as np
import pytest
import torch

from grader.errors import WrongAnswer
from grader.families.answers import as_float, as_floats, as_items, as_state, as_tensor, describe


class Handle:
    """Stands where a handle of an object in the worker would stand."""

    type_name = "Normal"


def test_a_float32_array_of_the_right_shape_becomes_float64():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = as_tensor(array, name="encode", shape=(2, 3))
    assert tensor.dtype is torch.float64
    assert tensor.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_tensor_does_not_share_memory_with_the_answer():
    array = np.zeros(3)
    tensor = as_tensor(array, name="f", shape=(3,))
    array[0] = 7
    assert tensor[0] == 0


def test_a_read_only_answer_is_taken():
    array = np.frombuffer(b"\0" * 8, dtype=np.float32)
    assert as_tensor(array, name="f", shape=(2,)).sum() == 0


def test_none_in_the_shape_takes_any_size():
    assert as_tensor(np.zeros((5, 2)), name="f", shape=(None, 2)).shape == (5, 2)


@pytest.mark.parametrize(
    ("answer", "shape", "dtype", "message"),
    [
        (np.zeros((3, 4)), (3, 8), "float", r"`encode` returned shape \(3, 4\) where \(3, 8\) is asked for"),
        (np.zeros((3, 4)), (3,), "float", r"returned shape \(3, 4\) where \(3,\) is asked for"),
        (np.zeros((3, 4)), (None, 5), "float", r"returned shape \(3, 4\) where \(any, 5\) is asked for"),
        (np.zeros(3, dtype=np.int64), (3,), "float", "returned int64 where floating point numbers are"),
        (np.zeros(3), (3,), "int", "returned float64 where integers are asked for"),
        (np.zeros(3, dtype=bool), (3,), "number", "returned bool where numbers are asked for"),
        (np.array([1.0, np.nan]), (2,), "float", "returned 1 of 2 values that are NaN or infinite"),
        (np.array([np.inf, -np.inf]), (2,), "number", "returned 2 of 2 values that are NaN or infinite"),
        (np.array([1.0, np.inf], dtype=np.float16), (2,), "float", "1 of 2 values"),
        (None, (2,), "float", r"returned None where an array of shape \(2,\) is asked for"),
        ((np.zeros(2), np.zeros(2)), (2,), "float", r"returned a tuple of 2 where an array of shape \(2,\)"),
        ([0.0, 1.0], (2,), "float", "returned a list of 2 where an array"),
        ({"mu": 1}, (2,), "float", "returned a dict of 1 where an array"),
        (0.5, (2,), "float", "returned one float where an array"),
        ("0.5", (), "float", "returned one str where one number is asked for"),
        (True, (), "number", "returned True where one number is asked for"),
        (10**40, (), "number", "returned object where numbers are asked for"),
        (Handle(), (2,), "float", "returned an object of class Normal where an array"),
    ],
)
def test_a_wrong_answer_is_refused_and_named(answer, shape, dtype, message):
    with pytest.raises(WrongAnswer, match=message):
        as_tensor(answer, name="encode", shape=shape, dtype=dtype)


def test_non_finite_values_pass_only_where_they_are_allowed():
    array = np.array([-np.inf, 0.0])
    assert as_tensor(array, name="f", shape=(2,), finite=False)[0] == -torch.inf


def test_integers_and_floats_both_count_as_numbers():
    assert as_tensor(np.zeros(2, dtype=np.int32), name="f", shape=(2,), dtype="number").dtype is torch.float64


@pytest.mark.parametrize("answer", [2.5, np.float32(2.5), np.array(2.5), np.array([2.5]), np.array([[2.5]])])
def test_one_number_may_come_in_any_wrapping(answer):
    assert as_float(answer, name="loss") == 2.5


def test_two_numbers_are_not_one():
    with pytest.raises(WrongAnswer, match=r"`loss` returned shape \(2,\) where \(\) is asked for"):
        as_float(np.zeros(2), name="loss")


@pytest.mark.parametrize("answer", [[3.0, 2, np.array(1.0)], (3.0, 2.0, 1.0), np.array([3.0, 2.0, 1.0])])
def test_a_history_may_be_a_list_a_tuple_or_an_array(answer):
    assert as_floats(answer, name="train") == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0, float("nan")], r"`train\[1\]` returned nan where a finite number is asked for"),
        ([1.0, "x"], r"`train\[1\]` returned one str where one number is asked for"),
        ([], "`train` returned 0 numbers where at least 1 are asked for"),
        (None, "`train` returned None where a list of floats is asked for"),
        (3.0, "`train` returned one float where a list of floats is asked for"),
        (np.array(3.0), r"`train` returned shape \(\) where \(any,\) is asked for"),
        (np.zeros((2, 2)), r"`train` returned shape \(2, 2\) where \(any,\) is asked for"),
        ([[1, [2, 3]]], r"`train\[0\]` returned a list of 2 where one number is asked for"),
        ([np.zeros(3), 1.0], r"`train\[0\]` returned shape \(3,\) where \(\) is asked for"),
    ],
)
def test_a_wrong_history_is_refused_and_named(answer, message):
    with pytest.raises(WrongAnswer, match=message):
        as_floats(answer, name="train")


def test_a_pair_is_taken_apart():
    assert as_items((1, "b"), name="encode", count=2) == (1, "b")


def test_a_pair_of_three_is_refused():
    with pytest.raises(WrongAnswer, match="`encode` returned a list of 3 where a tuple of 2 is asked for"):
        as_items([1, 2, 3], name="encode", count=2)


def test_weights_are_taken_as_they_are_even_with_a_mask_of_minus_infinity():
    state = {"mask": np.full(2, -np.inf), "w": np.ones(3, dtype=np.float32)}
    assert as_state(state, name="state_dict").keys() == {"mask", "w"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "returned a dict of 0 where a dictionary of arrays is asked for"),
        ([np.zeros(2)], "returned a list of 1 where a dictionary of arrays is asked for"),
        ({"w": 3.0}, "holds one float under 'w' where an array is asked for"),
        ({1: np.zeros(2)}, "holds an array of shape .* under 1 where"),
    ],
)
def test_weights_that_are_no_arrays_are_refused(answer, message):
    with pytest.raises(WrongAnswer, match=message):
        as_state(answer, name="state_dict")


def test_a_handle_is_described_by_the_class_it_has_in_the_worker():
    assert describe(Handle()) == "an object of class Normal"


@pytest.mark.parametrize("answer", [np.zeros(200_000, dtype=np.uint8), [[]] * 200_000], ids=["array", "list"])
def test_a_history_of_absurd_length_is_refused_before_it_is_copied(answer):
    with pytest.raises(WrongAnswer, match="returned 200000 numbers where at most 100000 are asked for"):
        as_floats(answer, name="train")
