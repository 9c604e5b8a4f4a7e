"""Answers made to cost us time or memory, or to slip through, and what an attacker gets for them."""

import itertools
import json
import time

import numpy as np
import pytest

from grader.errors import ProtocolViolation
from grader.sandbox.frames import read_answer

EMPTY = np.zeros(0, np.uint8)
ENOUGH_S = 6.0  # of CPU, where coverage is measured too; what is refused took much longer
"""Processor time that no answer of at most 1 MiB of header may cost, on a slow machine; usual is below 0.5."""


def answer(value, arrays=(), body=EMPTY):
    header = {"id": 1, "ok": True, "value": value, "arrays": list(arrays)}
    return read_answer(json.dumps(header, separators=(",", ":")).encode(), body)


def refusal(*args):
    with pytest.raises(ProtocolViolation) as caught:
        answer(*args)
    return str(caught.value).removeprefix("the answer is not readable: ")


def test_keys_chosen_to_have_the_same_hash_are_refused_at_once():
    """-1 and -2 have the same hash, so tuples of them cost a dict the square of their number: 8 s for 1 MiB."""
    keys = itertools.islice(itertools.product((-1, -2), repeat=14), 14_000)
    tree = {"$dict": [[{"$tuple": list(key)}, 0] for key in keys]}
    started = time.process_time()
    assert refusal(tree) == "a dict has more than 32 keys of the same hash"
    assert time.process_time() - started < ENOUGH_S


def test_honest_keys_that_share_a_hash_are_taken():
    offsets = list(itertools.product((-2, -1, 0, 1, 2), repeat=4))
    value = answer({"$dict": [[{"$tuple": list(key)}, 0] for key in offsets]}).value
    assert list(value) == offsets


def test_a_large_table_of_pairs_is_taken():
    pairs = [(left, right) for left in range(150) for right in range(150)]
    assert list(answer({"$dict": [[{"$tuple": list(pair)}, 1] for pair in pairs]}).value) == pairs


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param([0] * 500_000, id="numbers"),
        pytest.param([[]] * 340_000, id="lists"),
        pytest.param([{"$tuple": []}] * 70_000, id="tuples"),
        pytest.param([{"$ref": 1, "type": ""}] * 40_000, id="objects"),
        pytest.param("\x01" * 170_000, id="escapes"),
        pytest.param({"$ref": 1, "type": "\x01" * 170_000}, id="a_long_name"),
    ],
)
def test_a_full_header_of_the_cheapest_parts_costs_little(tree):
    started = time.process_time()
    answer(tree)
    assert time.process_time() - started < ENOUGH_S


@pytest.mark.parametrize(
    "digits",
    ["0." + "1" * 1_000_000, "9007199254740993." + "0" * 1_000_000 + "1", "1e-" + "0" * 1_000_000 + "1"],
)
def test_a_number_of_a_million_digits_costs_little(digits):
    started = time.process_time()
    read_answer(b'{"id":1,"ok":true,"value":' + digits.encode() + b"}", EMPTY)
    assert time.process_time() - started < ENOUGH_S


def test_an_integer_of_a_million_digits_is_refused():
    with pytest.raises(ProtocolViolation, match="an integer needs more than 64 bits"):
        read_answer(b'{"id":1,"ok":true,"value":' + b"1" * 1_000_000 + b"}", EMPTY)


def test_brackets_without_end_are_refused():
    with pytest.raises(ProtocolViolation, match="nested too deeply"):
        read_answer(b"[" * (1 << 20), EMPTY)


@pytest.mark.parametrize("pair", [(1, True), (1, 1.0), (0.0, -0.0), ("a", "a")])
def test_keys_that_are_equal_are_the_same_key(pair):
    assert "twice" in refusal({"$dict": [[key, 0] for key in pair]})


def test_arrays_that_together_are_longer_than_the_body_do_not_share_it():
    form = {"dtype": "uint8", "shape": [8]}
    message = refusal([{"$array": 0}, {"$array": 1}], [form, form], np.zeros(8, np.uint8))
    assert message == "its arrays have 8 bytes where their shapes need 16"
