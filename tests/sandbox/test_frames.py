"""The trusted decoder: what is written comes back, and nothing else gets through."""

import json
import math
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grader.errors import ProtocolViolation
from grader.sandbox.frames import CAPS, DTYPES, MAGIC, PREAMBLE, Answer, Caps, Ref, read_answer, read_preamble
from grader.sandbox.questions import Packer

QUICK = settings(deadline=None, max_examples=200)
FLOAT = {"dtype": "float32", "shape": [2, 2]}


def decode(data, caps=CAPS):
    """A whole frame that is in memory already."""
    if len(data) < PREAMBLE.size:
        raise ProtocolViolation("the answer is not readable: too short")
    header_bytes, body_bytes = read_preamble(data[: PREAMBLE.size], caps)
    rest = data[PREAMBLE.size :]
    if len(rest) != header_bytes + body_bytes:
        raise ProtocolViolation("the answer is not readable: another length")
    return read_answer(
        rest[:header_bytes], np.frombuffer(bytearray(rest[header_bytes:]), np.uint8), caps=caps
    )


def framed(value):
    """The bytes of an answer with this value, as the trusted side would write it."""
    packer = Packer()
    return b"".join(packer.frame({"id": 1, "ok": True, "value": packer.tree(value)}))


def answer(value=None, arrays=(), body=b"", **fields):
    """An answer whose header and body are given piece by piece."""
    header = {"id": 1, "ok": True, "value": value, "arrays": list(arrays), **fields}
    return read_answer(json.dumps(header).encode(), np.frombuffer(body, np.uint8))


def refusal(*args, **kwargs):
    with pytest.raises(ProtocolViolation) as caught:
        answer(*args, **kwargs)
    return str(caught.value).removeprefix("the answer is not readable: ")


def assert_answer_or_violation(read):
    try:
        result = read()
    except ProtocolViolation as error:
        result = str(error)
    assert isinstance(result, Answer) or re.fullmatch("the answer is not readable: .{1,250}", result)


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
)
keys = scalars | st.tuples(scalars, scalars)
arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: hnp.arrays(DTYPES[name], hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
)


def same(left, right):
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(map(same, left.items(), right.items()))
    return left == right


@QUICK
@given(values)
def test_every_value_comes_back_as_it_was_sent(value):
    assert same(value, decode(framed(value)).value)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_floats_cross(value):
    assert decode(framed([value])).value == [value]


def test_nan_crosses():
    assert math.isnan(decode(framed(math.nan)).value)


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(ProtocolViolation):
        decode(data)


@QUICK
@given(st.binary(max_size=200), st.binary(max_size=50))
def test_random_headers_and_bodies_are_refused_and_never_break_the_decoder(header, body):
    with pytest.raises(ProtocolViolation):
        decode(PREAMBLE.pack(MAGIC, len(header), len(body)) + header + body)


@QUICK
@given(values, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_frame_with_bytes_changed_gives_a_value_or_a_violation(value, changes):
    data = bytearray(framed(value))
    for position, byte in changes:
        data[position % len(data)] = byte
    assert_answer_or_violation(lambda: decode(bytes(data)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["$dict", "$tuple", "$array", "$float", "$ref", "type", "$namespace", "dtype", "shape"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@QUICK
@given(
    st.fixed_dictionaries(
        {"id": st.just(1) | json_values, "ok": st.booleans() | json_values},
        optional={"value": json_values, "error": json_values, "arrays": json_values},
    )
)
def test_any_json_header_gives_an_answer_or_a_violation(header):
    assert_answer_or_violation(lambda: read_answer(json.dumps(header).encode(), np.zeros(8, np.uint8)))


@QUICK
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from([*DTYPES, "object", "complex64", ">f4", ""]),
                "shape": st.lists(
                    st.integers(-2, 4) | st.sampled_from([2**31, 2**62, 2**63 - 1]), max_size=9
                ),
            }
        ),
        max_size=3,
    ),
    st.binary(max_size=64),
)
def test_any_description_of_arrays_gives_arrays_within_the_body_or_a_violation(described, body):
    tree = [{"$array": index} for index in range(len(described))]
    try:
        value = answer(tree, described, body).value
    except ProtocolViolation:
        return
    assert sum(array.nbytes for array in value) == len(body)


def test_a_giant_header_is_refused_before_it_is_read():
    with pytest.raises(ProtocolViolation, match="its header has 1048577 bytes, at most 1048576 are allowed"):
        read_preamble(PREAMBLE.pack(MAGIC, (1 << 20) + 1, 0))


def test_a_giant_body_is_refused_before_memory_is_taken():
    with pytest.raises(ProtocolViolation, match="its arrays have 1099511627776 bytes"):
        read_preamble(PREAMBLE.pack(MAGIC, 10, 1 << 40))


def test_another_magic_is_refused():
    with pytest.raises(ProtocolViolation, match="does not begin as a frame"):
        read_preamble(PREAMBLE.pack(b"PK\x03\x04", 10, 0))


def test_no_description_makes_the_decoder_allocate_what_did_not_come():
    tracemalloc.start()
    try:
        refusal({"$array": 0}, [{"dtype": "float64", "shape": [1 << 26]}], b"few bytes")
        refusal({"$array": 0}, [{"dtype": "float64", "shape": [0, 1 << 62]}])
        refusal([], [{"dtype": "uint8", "shape": [0]}] * 5000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 << 20


def test_fewer_bytes_than_the_shape_needs_are_refused():
    message = "array 0 has 12 bytes where its shape needs 16"
    assert refusal({"$array": 0}, [FLOAT], bytes(12)) == message


def test_more_bytes_than_the_shapes_need_are_refused():
    tree = [{"$array": 0}, {"$array": 1}]
    assert refusal(tree, [FLOAT, FLOAT], bytes(33)) == "its arrays have 33 bytes where their shapes need 32"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"dtype": "object", "shape": [2]}, "array 0 has dtype 'object'"),
        ({"dtype": ">f4", "shape": [2]}, "array 0 has dtype '>f4'"),
        ({"dtype": ["float32"], "shape": [2]}, "array 0 has dtype a list"),
        ({"dtype": "float32"}, "array 0 is not described by dtype and shape"),
        ({"dtype": "float32", "shape": [2], "strides": [0]}, "array 0 is not described by dtype and shape"),
        ({"dtype": "float32", "shape": [-1]}, "a dimension of array 0 is -1, not a whole number from 0 up"),
        ({"dtype": "float32", "shape": [2.0]}, "a dimension of array 0 is 2.0, not a whole number from 0 up"),
        (
            {"dtype": "float32", "shape": [True]},
            "a dimension of array 0 is True, not a whole number from 0 up",
        ),
        ({"dtype": "float32", "shape": 2}, "array 0 has a shape that is not a list of at most 8 dimensions"),
        (
            {"dtype": "float32", "shape": [1] * 9},
            "array 0 has a shape that is not a list of at most 8 dimensions",
        ),
        ({"dtype": "uint8", "shape": [1 << 30]}, "array 0 has a shape of more than 536870912 bytes"),
        ({"dtype": "uint8", "shape": [0, 1 << 30]}, "array 0 has a shape of more than 536870912 bytes"),
        ({"dtype": "uint8", "shape": [0, 10**40]}, "an integer needs more than 64 bits"),
    ],
)
def test_an_array_described_wrongly_is_refused(form, message):
    assert refusal({"$array": 0}, [form]) == message


def test_too_many_arrays_are_refused():
    forms = [{"dtype": "uint8", "shape": [0]}] * 4097
    assert refusal([], forms) == "it has 4097 arrays, at most 4096 are allowed"


def test_a_bool_of_seven_is_refused():
    form = {"dtype": "bool", "shape": [3]}
    message = "array 0 is bool and has a byte that is neither 0 nor 1"
    assert refusal({"$array": 0}, [form], bytes([0, 1, 7])) == message


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"$array": 1}, "it refers to array 1 of 1"),
        ({"$array": -1}, "the index of an array is -1, not a whole number from 0 up"),
        ({"$array": "0"}, "the index of an array is '0', not a whole number from 0 up"),
        ([{"$array": 0}, {"$array": 0}], "it uses array 0 twice"),
        ([], "it has 1 arrays and uses 0"),
    ],
)
def test_arrays_are_used_exactly_once(tree, message):
    assert refusal(tree, [FLOAT], bytes(16)) == message


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"plain": 1},
        {"$unknown": 1},
        {"$tuple": 1},
        {"$tuple": [], "more": 1},
        {"$dict": {}},
        {"$float": "1.0"},
        {"$float": 1.0},
        {"$ref": 1},
        {"$ref": 1, "type": 2},
        {"$namespace": {}},
        {"$generator": 1},
    ],
)
def test_an_object_that_is_no_value_is_refused(tree):
    assert refusal(tree) == "it holds an object that is not a value"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([1], "an entry of a dict is not a key and a value"),
        ([[1, 2, 3]], "an entry of a dict is not a key and a value"),
        ([[[], 1]], "a dict has the key a list, which cannot be one"),
        ([[{"$tuple": [[]]}, 1]], "a dict has the key a tuple, which cannot be one"),
        ([["a", 1], ["a", 2]], "a dict has the key 'a' twice"),
        ([[1, 1], [True, 2]], "a dict has the key True twice"),
    ],
)
def test_a_dict_that_is_none_is_refused(pairs, message):
    assert refusal({"$dict": pairs}) == message


def test_a_tree_nested_too_deeply_is_refused():
    tree = []
    for _ in range(65):
        tree = [tree]
    assert refusal(tree) == "it is nested deeper than 64"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_nested_without_end_is_refused(opening):
    with pytest.raises(ProtocolViolation, match="not JSON, or is nested too deeply"):
        read_answer(opening * 100_000, np.zeros(0, np.uint8))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\xff", "its header is not JSON, or is nested too deeply"),
        (b"\xef\xbb\xbf{}", "its header is not JSON, or is nested too deeply"),
        (b"", "its header is not JSON, or is nested too deeply"),
        (b"[]", "its header is not an object"),
        (b'{"id": 1, "ok": true, "value": NaN}', "NaN is not JSON"),
        (b'{"id": 1, "ok": true, "value": -Infinity}', "-Infinity is not JSON"),
        (b'{"id": 1, "ok": true, "value": 1e999}', "a number is too large for a float"),
        (b'{"id": 1, "ok": true, "value": 9223372036854775808}', "an integer needs more than 64 bits"),
        (b'{"id": 1, "ok": true, "value": ' + b"9" * 100_000 + b"}", "an integer needs more than 64 bits"),
        (b'{"id": 1, "id": 2, "ok": true, "value": 1}', "an object has a name twice"),
        (b'{"id": 1, "ok": true, "value": "\\ud800"}', "a text holds half a character"),
    ],
)
def test_a_header_that_is_not_strict_json_is_refused(raw, message):
    with pytest.raises(ProtocolViolation) as caught:
        read_answer(raw, np.zeros(0, np.uint8))
    assert str(caught.value) == f"the answer is not readable: {message}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": -1}, "its id is -1, not a whole number from 0 up"),
        ({"id": None}, "its id is None, not a whole number from 0 up"),
        ({"ok": 1}, "its `ok` is neither true nor false"),
        ({"passed": True}, "its header does not have the fields of an answer"),
        ({"ok": False}, "its header does not have the fields of an answer"),
    ],
)
def test_a_header_with_other_fields_is_refused(fields, message):
    assert refusal(**fields) == message


GOOD = {"kind": "raised", "type": "ValueError", "message": "no", "trace": ["cell 1, line 2: x"]}


def complaint(**changes):
    header = {"id": 1, "ok": False, "error": {**GOOD, **changes}}
    return read_answer(json.dumps(header).encode(), np.zeros(0, np.uint8)).complaint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "passed"}, "its error is of the unknown kind 'passed'"),
        ({"kind": ["raised"]}, "its error is of the unknown kind a list"),
        ({"type": 1}, "its error has no text"),
        ({"message": None}, "its error has no text"),
        ({"trace": ["x"] * 21}, "the trace of its error is not a list of at most 20 lines"),
        ({"trace": [1]}, "the trace of its error is not a list of at most 20 lines"),
        ({"points": 20}, "its header does not have the fields of an answer"),
    ],
)
def test_a_complaint_that_is_none_is_refused(changes, message):
    with pytest.raises(ProtocolViolation) as caught:
        complaint(**changes)
    assert str(caught.value) == f"the answer is not readable: {message}"


def test_a_complaint_is_harmless_text():
    shown = complaint(message="\x1b[2J" + "x" * 5000, type="\u202eError", trace=["a\nb" * 200])
    assert shown.message.startswith(r"\x1b[2J")
    assert len(shown.message) == 500
    assert shown.type_name == r"\u202eError"
    assert len(shown.trace[0]) == 300
    assert "\n" not in shown.trace[0]


def test_bytes_after_a_complaint_are_refused():
    header = json.dumps({"id": 1, "ok": False, "error": GOOD}).encode()
    with pytest.raises(ProtocolViolation, match="its arrays have 4 bytes where their shapes need 0"):
        read_answer(header, np.zeros(4, np.uint8))


def test_an_object_kept_in_the_worker_has_a_harmless_name():
    assert answer({"$ref": 7, "type": "Evil\x1b" + "x" * 200}).value == Ref(7, r"Evil\x1b" + "x" * 91 + "…")


def test_arrays_are_aligned_and_do_not_overlap():
    value = decode(framed([np.array([True]), np.array([1.5, 2.5]), np.array([3], np.int16)])).value
    assert all(array.flags.aligned for array in value)
    value[0][:] = False
    assert value[1].tolist() == [1.5, 2.5]


def test_smaller_caps_are_kept():
    caps = Caps(header_bytes=500, body_bytes=8, arrays=1, dimensions=1, nesting=1)
    assert decode(framed([np.zeros(8, np.uint8)]), caps).value[0].size == 8
    for value in (np.zeros(9, np.uint8), np.zeros((1, 1), np.uint8), [[[]]], "x" * 500):
        with pytest.raises(ProtocolViolation):
            decode(framed(value), caps)
