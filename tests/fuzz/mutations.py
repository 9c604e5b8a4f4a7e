"""A frame and a source of chance in, a frame changed where it hurts out. It knows the format's structure."""

import json
from random import Random

from grader.sandbox.frames import DTYPES, MAGIC, PREAMBLE
from tests.fuzz.judge import frame_of

HUGE = (2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 10**30)
SCALARS = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    "x",
    "nan",
    "$array",
    "\ud800",
    "\x1b[2J",
    *HUGE,
)
TAGS = ("$tuple", "$dict", "$float", "$array", "$ref", "$namespace", "$generator", "$unknown", "type")
LONG_BYTES = 60_000
"""Longer headers are cut: what doubles again and again would take the fuzzer's memory, not the decoder's."""
FIELDS = (
    "id",
    "ok",
    "value",
    "arrays",
    "error",
    "kind",
    "type",
    "message",
    "trace",
    "dtype",
    "shape",
    "points",
)
TOKENS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-0",
    b"1" * 400,
    b"9" * 19,
    b"\\ud800",
    b"\x00",
    b"\xff",
    b"{}",
)


def mutate(frame: bytes, chance: Random) -> bytes:
    """A changed frame: its tree, its text, its body or its lengths; usually with lengths that fit again."""
    header, body = parts_of(frame)
    if len(header) > LONG_BYTES:
        header = header[:LONG_BYTES]
    for _ in range(1 + chance.randrange(3)):
        kind = chance.randrange(8)
        if kind < 4:
            header = _change_tree(header, chance)
        elif kind < 6:
            header = _change_text(header, chance)
        elif kind == 6:
            body = _change_bytes(body, chance)
        else:
            header = _fit(header, body, chance)
    whole = frame_of(header, body)
    return whole if chance.randrange(8) else _change_envelope(whole, chance)


def parts_of(frame: bytes) -> tuple[bytes, bytes]:
    """Header and body of a frame, as far as its lengths can be followed."""
    if len(frame) < PREAMBLE.size:
        return frame, b""
    header_bytes = PREAMBLE.unpack_from(frame)[1]
    rest = frame[PREAMBLE.size :]
    return rest[:header_bytes], rest[header_bytes:]


def _change_tree(header: bytes, chance: Random) -> bytes:
    try:
        tree = json.loads(header)
    except (ValueError, RecursionError):
        return _change_text(header, chance)
    try:
        return json.dumps(_changed(tree, chance, 0)).encode()
    except RecursionError:
        return header


def _changed(node: object, chance: Random, depth: int) -> object:
    """The tree with one place changed; the deeper, the likelier it is here."""
    if isinstance(node, dict) and node and chance.randrange(6):
        return _changed_object(node, chance, depth)
    if isinstance(node, list) and node and chance.randrange(6):
        return _changed_list(node, chance, depth)
    return _another(node, chance)


def _changed_object(node: dict[str, object], chance: Random, depth: int) -> object:
    key = chance.choice(sorted(node))
    match chance.randrange(6):
        case 0:
            return {other: value for other, value in node.items() if other != key}
        case 1:
            return {**node, chance.choice(FIELDS + TAGS): _another(node[key], chance)}
        case 2:
            return {
                chance.choice(FIELDS + TAGS) if other == key else other: part for other, part in node.items()
            }
    return {**node, key: _changed(node[key], chance, depth + 1)}


def _changed_list(node: list[object], chance: Random, depth: int) -> object:
    place = chance.randrange(len(node))
    match chance.randrange(6):
        case 0:
            return node[:place] + node[place + 1 :]
        case 1:
            return [*node, node[place]]
        case 2:
            return node[::-1]
    return [*node[:place], _changed(node[place], chance, depth + 1), *node[place + 1 :]]


def _another(node: object, chance: Random) -> object:
    match chance.randrange(8):
        case 0 | 1:
            return chance.choice(SCALARS)
        case 2:
            return {chance.choice(TAGS): node}
        case 3:
            return {"$dict": [[node, 0], [chance.choice(SCALARS), node]]}
        case 4:
            return _nested(node, chance.choice((1, 8, 63, 64, 65, 200)), chance)
        case 5 | 6:
            return _of_arrays(chance)
    small = isinstance(node, int | float | None) or (isinstance(node, dict) and len(str(node)) < 60)
    return [node] * chance.choice((0, 1, 2, 9, 21, 33, 4097) if small else (0, 1, 2))


def _of_arrays(chance: Random) -> object:
    if chance.randrange(2):
        return {"$array": chance.choice((0, 1, 2, -1, True, 1.0, "0"))}
    dtype = chance.choice([*DTYPES, "object", ">f4"])
    return {"dtype": dtype, "shape": [chance.choice((0, 1, 2, *HUGE))]}


def _nested(node: object, depth: int, chance: Random) -> object:
    wrap = chance.choice((lambda inner: [inner], lambda inner: {"$tuple": [inner]}))
    for _ in range(depth):
        node = wrap(node)
    return node


def _change_text(header: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(header) + 1)
    stop = min(len(header), start + chance.randrange(6))
    match chance.randrange(4):
        case 0:
            return header[:start] + header[stop:]
        case 1:
            return header[:start] + chance.choice(TOKENS) + header[stop:]
        case 2:
            return header[:stop] + header[start:]
    return _change_bytes(header, chance)


def _change_bytes(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    match chance.randrange(4):
        case 0:
            return data[: chance.randrange(len(data) + 1)]
        case 1:
            return data + chance.randbytes(chance.randrange(9))
    for _ in range(1 + chance.randrange(4)):
        if changed:
            changed[chance.randrange(len(changed))] = chance.choice(
                (0, 1, 2, 34, 91, 93, 123, 125, 127, 128, 255)
            )
    return bytes(changed)


def _fit(header: bytes, body: bytes, chance: Random) -> bytes:
    """A header that describes this body as one array of bytes: right, but for what was changed before."""
    try:
        tree = json.loads(header)
    except (ValueError, RecursionError):
        return header
    if not isinstance(tree, dict):
        return header
    form = {"dtype": chance.choice(("uint8", "bool", "float32")), "shape": [len(body)]}
    try:
        return json.dumps({**tree, "value": [tree.get("value"), {"$array": 0}], "arrays": [form]}).encode()
    except RecursionError:
        return header


def _change_envelope(frame: bytes, chance: Random) -> bytes:
    _, header_bytes, body_bytes = PREAMBLE.unpack_from(frame)
    lengths = (0, 1, 2**31, 2**32 - 1, header_bytes, header_bytes + 1, max(header_bytes - 1, 0))
    match chance.randrange(4):
        case 0:
            return PREAMBLE.pack(MAGIC, chance.choice(lengths), body_bytes) + frame[PREAMBLE.size :]
        case 1:
            body = chance.choice((body_bytes + 1, 2**40, 2**64 - 1, max(body_bytes - 1, 0)))
            return PREAMBLE.pack(MAGIC, header_bytes, body) + frame[PREAMBLE.size :]
        case 2:
            return frame[: chance.randrange(len(frame))]
    return _change_bytes(frame, chance)
