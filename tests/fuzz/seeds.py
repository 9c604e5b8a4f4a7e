"""Nothing in, valid frames of every kind out: what mutations begin with."""

import json

import numpy as np

from grader.sandbox.frames import DTYPES, Ref
from grader.sandbox.questions import Packer
from tests.fuzz.judge import frame_of

VALUES = (
    None,
    [True, False, 0, -1, 2**63 - 1, -(2**63), 1.5, -0.0, 1e308, "text", "\u2028\u202e\x1b", ""],
    [float("nan"), float("inf"), float("-inf")],
    (1, (2, (3, ())), []),
    {"a": 1, 2: "b", (1, "c"): None, None: {}, 1.5: [], (-1, -2): (), (-2, -1): ()},
    np.arange(6, dtype=np.float32).reshape(2, 3),
    [np.array(1.5), np.zeros((0, 4), np.int16), np.array([True, False]), np.array([3], np.int64)],
    {"loss": [0.5, 0.25], "model": Ref(7, "VAE"), "images": (np.zeros((1, 2, 2), np.uint8), Ref(1, "x"))},
    [np.ones(3, dtype) for dtype in DTYPES.values()],
)
ERROR = {"kind": "raised", "type": "ValueError", "message": "no \u202e", "trace": ["cell 1, line 2, in f: x"]}


def seeds() -> list[bytes]:
    """Answers with values, and complaints."""
    answers = [_answer(number, value) for number, value in enumerate(VALUES)]
    kinds = ("raised", "missing", "not_implemented", "cannot_send")
    complaints = [{"id": 4, "ok": False, "error": {**ERROR, "kind": kind}} for kind in kinds]
    return answers + [frame_of(json.dumps(complaint).encode()) for complaint in complaints]


def _answer(number: int, value: object) -> bytes:
    packer = Packer(ref_of=lambda part: part if isinstance(part, Ref) else None)
    return b"".join(packer.frame({"id": number, "ok": True, "value": packer.tree(value)}))
