"""Bytes of the channel in, checked answers out. Pure: no socket, no clock, no torch, no pickle.

A frame is `GRD1`, the header's length (uint32), the body's length (uint64), the header (a JSON object) and
the body (the arrays' bytes, one after the other; C order; everything little-endian). The header says what
each array is; a value is a tree of JSON in which these objects stand for what JSON does not have:

    {"$float": "nan" | "inf" | "-inf"}      {"$array": index}
    {"$tuple": [...]}                       {"$ref": number, "type": name}     kept in the worker
    {"$dict": [[key, value], ...]}          {"$namespace": {...}}              questions only
                                            {"$generator": seed}               questions only

What comes from a worker was written by somebody who may want to mislead or harm us, so everything is
checked before it is used, and whatever is not exactly as described is a `ProtocolViolation`. The other
direction, our own values to bytes, is in `questions`.
"""

import itertools
import math
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.sandbox.strict_json import parse_object, unreadable
from grader.sandbox.visible import visible

MAGIC = b"GRD1"
PREAMBLE = struct.Struct("<4sIQ")
DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype("?"),
    "uint8": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
ALIKE = 32
"""Keys of one dict that may share a hash; tuples can be chosen so that all do, and each costs all others."""
COMPLAINTS = ("raised", "missing", "not_implemented", "cannot_send")

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Form = tuple[np.dtype[Any], tuple[int, ...]]


@dataclass(frozen=True)
class Caps:
    """The most that one frame may hold; checked before anything is allocated or used."""

    header_bytes: int = 1 << 20
    body_bytes: int = 512 << 20
    arrays: int = 4096
    dimensions: int = 8
    nesting: int = 64


CAPS = Caps()


@dataclass(frozen=True)
class Ref:
    """An object that stays in the worker: its number there and the name of its class."""

    number: int
    type_name: str


@dataclass(frozen=True)
class Complaint:
    """Why a question has no value: `kind` is raised, missing, not_implemented or cannot_send."""

    kind: str
    type_name: str
    message: str
    trace: tuple[str, ...] = ()
    """Frames of the submission's own code, innermost last: 'cell 7, line 3, in encode: x = y'."""


@dataclass(frozen=True)
class Answer:
    """One decoded frame of a worker. `complaint` is None when there is a value."""

    id: int
    value: Any = None
    complaint: Complaint | None = None


def read_preamble(raw: bytes, caps: Caps = CAPS) -> tuple[int, int]:
    """The lengths of the header and of the body, in bytes, from the first 16 bytes of a frame.

    Raises:
        ProtocolViolation: not the start of a frame, or longer than `caps` allows.
    """
    magic, header_bytes, body_bytes = PREAMBLE.unpack(raw)
    if magic != MAGIC:
        raise unreadable("it does not begin as a frame")
    if header_bytes > caps.header_bytes:
        raise unreadable(f"its header has {header_bytes} bytes, at most {caps.header_bytes} are allowed")
    if body_bytes > caps.body_bytes:
        raise unreadable(f"its arrays have {body_bytes} bytes, at most {caps.body_bytes} are allowed")
    return header_bytes, body_bytes


def read_answer(
    raw_header: bytes, body: Bytes, *, caps: Caps = CAPS, make_ref: Callable[[Ref], object] = lambda ref: ref
) -> Answer:
    """One checked answer of a worker.

    Args:
        raw_header: the header's bytes.
        body: the body's bytes; the arrays in the answer are views of it where alignment allows.
        caps: what a frame may hold at most.
        make_ref: makes the value that stands for an object kept in the worker.

    Raises:
        ProtocolViolation: anything is not exactly as the format says.
    """
    header = parse_object(raw_header)
    number = _whole(header.get("id"), "its id")
    if header.get("ok") is True:
        _only(header, {"id", "ok", "value", "arrays"}, needed={"value"})
        reader = _Reader(read_arrays(header.get("arrays", []), body, caps), caps, make_ref)
        return Answer(number, value=reader.read(header["value"]))
    if header.get("ok") is False:
        _only(header, {"id", "ok", "error"}, needed={"error"})
        read_arrays([], body, caps)
        return Answer(number, complaint=_complaint(header["error"]))
    raise unreadable("its `ok` is neither true nor false")


def read_arrays(described: object, body: Bytes, caps: Caps = CAPS) -> list[Array]:
    """The arrays of a body: aligned, none overlapping another, writable where the body is.

    Raises:
        ProtocolViolation: a dtype, a shape or the number of bytes is wrong.
    """
    if not isinstance(described, list):
        raise unreadable("its arrays are not a list")
    if len(described) > caps.arrays:
        raise unreadable(f"it has {len(described)} arrays, at most {caps.arrays} are allowed")
    forms = [_form(index, entry, caps) for index, entry in enumerate(described)]
    sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in forms]
    if len(forms) == 1 and sizes[0] != body.size:
        raise unreadable(f"array 0 has {body.size} bytes where its shape needs {sizes[0]}")
    if sum(sizes) != body.size:
        raise unreadable(f"its arrays have {body.size} bytes where their shapes need {sum(sizes)}")
    pieces = itertools.pairwise(itertools.accumulate(sizes, initial=0))
    return [
        _view(body[start:stop], form, index)
        for index, ((start, stop), form) in enumerate(zip(pieces, forms, strict=True))
    ]


def _form(index: int, entry: object, caps: Caps) -> Form:
    """Dtype and shape of one described array; even with its zeros left out it fits into a body."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape"}:
        raise unreadable(f"array {index} is not described by dtype and shape")
    name, shape = entry["dtype"], entry["shape"]
    if not isinstance(name, str) or name not in DTYPES:
        raise unreadable(f"array {index} has dtype {_quoted(name)}")
    if not isinstance(shape, list) or len(shape) > caps.dimensions:
        raise unreadable(
            f"array {index} has a shape that is not a list of at most {caps.dimensions} dimensions"
        )
    lengths = tuple(_whole(length, f"a dimension of array {index}") for length in shape)
    if math.prod(max(length, 1) for length in lengths) * DTYPES[name].itemsize > caps.body_bytes:
        raise unreadable(f"array {index} has a shape of more than {caps.body_bytes} bytes")
    return DTYPES[name], lengths


def _view(raw: Bytes, form: Form, index: int) -> Array:
    dtype, shape = form
    if dtype == np.bool_ and raw.size and raw.max() > 1:
        raise unreadable(f"array {index} is bool and has a byte that is neither 0 nor 1")
    array = raw.view(dtype).reshape(shape)
    return array if array.flags.aligned else array.copy()


@dataclass
class _Reader:
    """Turns a tree into a value; every array must be used exactly once."""

    arrays: list[Array]
    caps: Caps
    make_ref: Callable[[Ref], object]
    used: set[int] = field(default_factory=set)

    def read(self, tree: object) -> object:
        value = self._value(tree, 0)
        if len(self.used) != len(self.arrays):
            raise unreadable(f"it has {len(self.arrays)} arrays and uses {len(self.used)}")
        return value

    def _value(self, tree: object, depth: int) -> object:
        if depth > self.caps.nesting:
            raise unreadable(f"it is nested deeper than {self.caps.nesting}")
        if isinstance(tree, dict):
            return self._tagged(tree, depth)
        if isinstance(tree, list):
            return [self._value(item, depth + 1) for item in tree]
        return _text(tree) if isinstance(tree, str) else tree

    def _tagged(self, tree: dict[str, object], depth: int) -> object:
        match tree:
            case {"$tuple": list(items), **rest} if not rest:
                return tuple(self._value(item, depth + 1) for item in items)
            case {"$dict": list(pairs), **rest} if not rest:
                return self._dict(pairs, depth)
            case {"$float": str(name), **rest} if not rest and name in FLOATS:
                return FLOATS[name]
            case {"$array": index, **rest} if not rest:
                return self._array(index)
            case {"$ref": number, "type": str(name), **rest} if not rest:
                return self.make_ref(Ref(_whole(number, "the number of an object"), visible(name, limit=100)))
        raise unreadable("it holds an object that is not a value")

    def _dict(self, pairs: list[object], depth: int) -> dict[object, object]:
        result: dict[object, object] = {}
        alike: Counter[int] = Counter()
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise unreadable("an entry of a dict is not a key and a value")
            key = self._value(pair[0], depth + 1)
            if not _is_key(key):
                raise unreadable(f"a dict has the key {_quoted(key)}, which cannot be one")
            alike[hash(key)] += 1
            if alike[hash(key)] > ALIKE:
                raise unreadable(f"a dict has more than {ALIKE} keys of the same hash")
            if key in result:
                raise unreadable(f"a dict has the key {_quoted(key)} twice")
            result[key] = self._value(pair[1], depth + 1)
        return result

    def _array(self, index: object) -> Array:
        number = _whole(index, "the index of an array")
        if number >= len(self.arrays):
            raise unreadable(f"it refers to array {number} of {len(self.arrays)}")
        if number in self.used:
            raise unreadable(f"it uses array {number} twice")
        self.used.add(number)
        return self.arrays[number]


def _is_key(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_key(part) for part in value)
    return value is None or isinstance(value, bool | int | float | str)


def _complaint(error: object) -> Complaint:
    if not isinstance(error, dict):
        raise unreadable("its error is not an object")
    _only(error, {"kind", "type", "message", "trace"}, needed={"kind", "type", "message"})
    kind, type_name, message = error["kind"], error["type"], error["message"]
    trace = error.get("trace", [])
    if kind not in COMPLAINTS:
        raise unreadable(f"its error is of the unknown kind {_quoted(kind)}")
    if not isinstance(type_name, str) or not isinstance(message, str):
        raise unreadable("its error has no text")
    if not isinstance(trace, list) or len(trace) > 20 or not all(isinstance(line, str) for line in trace):
        raise unreadable("the trace of its error is not a list of at most 20 lines")
    lines = tuple(visible(line, limit=300) for line in trace)
    return Complaint(kind, visible(type_name, limit=100), visible(message), lines)


def _only(fields: Mapping[str, object], known: set[str], *, needed: set[str]) -> None:
    if not needed <= set(fields) <= known:
        raise unreadable("its header does not have the fields of an answer")


def _whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise unreadable(f"{what} is {_quoted(value)}, not a whole number from 0 up")
    return value


def _text(text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise unreadable("a text holds half a character")
    return text


def _quoted(value: object) -> str:
    """A scalar as it came; anything larger by its kind alone, so that a message stays short."""
    if isinstance(value, str):
        return f"'{visible(value, limit=40)}'"
    return (
        str(value) if value is None or isinstance(value, bool | int | float) else f"a {type(value).__name__}"
    )
