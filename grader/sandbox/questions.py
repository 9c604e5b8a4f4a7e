"""Our own values in, the bytes of a question out; the format is described in `frames`. Pure, no torch."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from grader.sandbox.frames import CAPS, DTYPES, MAGIC, PREAMBLE, Array, Ref
from grader.sandbox.strict_json import INT64


@dataclass(frozen=True)
class Generator:
    """Becomes `torch.Generator().manual_seed(seed)` on the session's device, in the worker."""

    seed: int


def _no_ref(_: object) -> Ref | None:
    return None


@dataclass
class Packer:
    """Builds one frame: turns values into trees, and collects the arrays that they hold."""

    ref_of: Callable[[object], Ref | None] = _no_ref
    """Says which object is a handle of something in the worker."""
    arrays: list[Array] = field(default_factory=list)

    def tree(self, value: object, depth: int = 0) -> object:
        """The tree of a value.

        Raises:
            TypeError: the value, or a part of it, has no place in a frame.
            ValueError: it is nested too deeply, or an integer needs more than 64 bits.
        """
        if depth > CAPS.nesting:
            raise ValueError(f"a value nested deeper than {CAPS.nesting} cannot be sent to a worker")
        if isinstance(value, np.generic):
            return self.tree(value.item(), depth)
        if value is None or isinstance(value, bool | int | float | str):
            return _scalar(value)
        match value:
            case list():
                return self._trees(value, depth)
            case tuple():
                return {"$tuple": self._trees(value, depth)}
            case dict():
                return {"$dict": [self._trees(pair, depth) for pair in value.items()]}
        return self._object(value, depth)

    def frame(self, header: Mapping[str, object]) -> list[memoryview]:
        """The buffers of a frame: `header`, completed by what the arrays are, and the arrays' bytes."""
        described = [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in self.arrays]
        raw = json.dumps({**header, "arrays": described}, allow_nan=False).encode()
        start = PREAMBLE.pack(MAGIC, len(raw), sum(array.nbytes for array in self.arrays)) + raw
        return [
            memoryview(start),
            *(array.reshape(-1).data.cast("B") for array in self.arrays if array.nbytes),
        ]

    def _trees(self, values: Iterable[object], depth: int) -> list[object]:
        return [self.tree(value, depth + 1) for value in values]

    def _object(self, value: object, depth: int) -> object:
        match value:
            case SimpleNamespace():
                return {
                    "$namespace": {name: self.tree(part, depth + 1) for name, part in vars(value).items()}
                }
            case Generator(seed):
                return {"$generator": seed}
        ref = self.ref_of(value)
        if ref is not None:
            return {"$ref": ref.number, "type": ref.type_name}
        self.arrays.append(_array(value))
        return {"$array": len(self.arrays) - 1}


def _scalar(value: float | str | None) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, int) and value not in INT64:
        raise ValueError(f"{value} needs more than 64 bits and cannot be sent to a worker")
    return value


def _array(value: Any) -> Array:
    """Any array-like, a CPU tensor of torch included, as a contiguous little-endian array."""
    if not hasattr(value, "__array__"):
        raise TypeError(f"a {type(value).__name__} cannot be sent to a worker")
    array = np.asarray(value.detach() if hasattr(value, "detach") else value, order="C")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"an array of {array.dtype.name} cannot be sent to a worker")
    return array.astype(DTYPES[array.dtype.name], copy=False)
