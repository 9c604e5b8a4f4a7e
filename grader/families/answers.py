"""Answers of a submission in, torch tensors and plain floats out, or a `WrongAnswer` that says what is wrong.

An answer is whatever came over the channel: numpy arrays, Python scalars, lists, tuples, dictionaries and
handles of objects that stayed in the worker. Nothing is computed from an answer that has not been through
here.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from grader.errors import WrongAnswer

Kind = Literal["float", "int", "bool", "number"]
"""What the elements may be. `number` is floats or integers, for answers where zeros may well be integers."""

Shape = tuple[int | None, ...]
"""Sizes of the dimensions; None where any size will do."""

_NUMPY_KINDS: dict[Kind, str] = {"float": "f", "int": "iu", "bool": "b", "number": "fiu"}
_TORCH_TYPES: dict[Kind, torch.dtype] = {
    "float": torch.float64,
    "int": torch.int64,
    "bool": torch.bool,
    "number": torch.float64,
}
_WORDS: dict[Kind, str] = {
    "float": "floating point numbers",
    "int": "integers",
    "bool": "booleans",
    "number": "numbers",
}


def as_tensor(
    answer: object, *, name: str, shape: Shape, dtype: Kind = "float", finite: bool = True
) -> Tensor:
    """Check one array and hand it over as a tensor of our own.

    Args:
        answer: what the submission returned.
        name: what was asked, as the student knows it: `encode` or `forward(tokens)`.
        shape: the sizes that are asked for; `()` also takes a plain Python number.
        dtype: kind of the elements.
        finite: refuse NaN and infinities.

    Returns:
        A fresh tensor on the CPU: float64 for "float" and "number", int64 for "int", bool for "bool".

    Raises:
        WrongAnswer: not an array, or of another shape or kind, or not finite.
    """
    array = _as_array(answer, name=name, shape=shape)
    if not _fits(array.shape, shape):
        raise WrongAnswer(f"`{name}` returned shape {array.shape} where {_shape_text(shape)} is asked for")
    if array.dtype.kind not in _NUMPY_KINDS[dtype]:
        raise WrongAnswer(f"`{name}` returned {array.dtype} where {_WORDS[dtype]} are asked for")
    if finite and array.dtype.kind == "f":
        _refuse_non_finite(array, name=name)
    return torch.from_numpy(np.array(array, copy=True, order="C")).to(_TORCH_TYPES[dtype])


def as_float(answer: object, *, name: str, finite: bool = True) -> float:
    """Check one number: a Python number or an array with a single element.

    Raises:
        WrongAnswer: not one number, or not finite.
    """
    single = answer.reshape(()) if isinstance(answer, np.ndarray) and answer.size == 1 else answer
    return float(as_tensor(single, name=name, shape=(), dtype="number", finite=finite))


MOST_NUMBERS = 100_000
"""Longest history that is looked at."""


def as_floats(answer: object, *, name: str, at_least: int = 1, finite: bool = True) -> list[float]:
    """Check a history: a list or tuple of numbers, or an array of one dimension.

    Args:
        answer: what the submission returned.
        name: what was asked, as the student knows it.
        at_least: fewer numbers than this are refused.
        finite: refuse NaN and infinities.

    Raises:
        WrongAnswer: not a list of numbers, too short, or not finite.
    """
    count = _length(answer)
    if count > MOST_NUMBERS:
        raise WrongAnswer(f"`{name}` returned {count} numbers where at most {MOST_NUMBERS} are asked for")
    if isinstance(answer, np.ndarray):
        values = as_tensor(answer, name=name, shape=(None,), dtype="number", finite=finite).tolist()
    elif isinstance(answer, list | tuple):
        values = [as_float(item, name=f"{name}[{i}]", finite=finite) for i, item in enumerate(answer)]
    else:
        raise WrongAnswer(f"`{name}` returned {describe(answer)} where a list of floats is asked for")
    if len(values) < at_least:
        raise WrongAnswer(f"`{name}` returned {len(values)} numbers where at least {at_least} are asked for")
    return values


def as_items(answer: object, *, name: str, count: int) -> tuple[object, ...]:
    """Check that an answer is a tuple or list of exactly `count` things, which remain unchecked.

    Raises:
        WrongAnswer: something else, or another number of things.
    """
    if not isinstance(answer, tuple | list) or len(answer) != count:
        raise WrongAnswer(f"`{name}` returned {describe(answer)} where a tuple of {count} is asked for")
    return tuple(answer)


def as_state(answer: object, *, name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Check a `state_dict`: names to arrays, to be loaded into a fresh worker as they are.

    Values need not be finite: a registered causal mask rightly holds minus infinity.

    Raises:
        WrongAnswer: not a dictionary of arrays with names, or an empty one.
    """
    if not isinstance(answer, Mapping) or not answer:
        raise WrongAnswer(f"`{name}` returned {describe(answer)} where a dictionary of arrays is asked for")
    for key, value in answer.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise WrongAnswer(f"`{name}` holds {describe(value)} under {key!r} where an array is asked for")
    return dict(answer)


def describe(answer: object) -> str:
    """Name what was returned, for a message: 'a tuple of 2', 'an array of shape (3, 4)', 'None'."""
    if answer is None or isinstance(answer, bool):
        return str(answer)
    if isinstance(answer, np.ndarray):
        return f"an array of shape {answer.shape}"
    if isinstance(answer, tuple | list | Mapping):
        return f"a {_container(answer)} of {len(answer)}"
    if isinstance(answer, int | float | str):
        return f"one {type(answer).__name__}"
    return f"an object of class {getattr(answer, 'type_name', type(answer).__name__)}"


def _as_array(answer: object, *, name: str, shape: Shape) -> np.ndarray[Any, Any]:
    if isinstance(answer, np.ndarray | np.generic):
        return np.asarray(answer)
    if shape == () and isinstance(answer, int | float) and not isinstance(answer, bool):
        return np.asarray(answer)
    wanted = "one number" if shape == () else f"an array of shape {_shape_text(shape)}"
    raise WrongAnswer(f"`{name}` returned {describe(answer)} where {wanted} is asked for")


def _length(answer: object) -> int:
    """Of a list, a tuple or an array of one dimension; 0 for anything else."""
    if isinstance(answer, np.ndarray):
        return answer.size if answer.ndim == 1 else 0
    return len(answer) if isinstance(answer, list | tuple) else 0


def _container(answer: object) -> str:
    return "dict" if isinstance(answer, Mapping) else type(answer).__name__


def _fits(found: tuple[int, ...], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(w in (None, f) for f, w in zip(found, wanted, strict=True))


def _shape_text(shape: Shape) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


def _refuse_non_finite(array: np.ndarray[Any, Any], *, name: str) -> None:
    bad = int(array.size - np.isfinite(array).sum())
    if bad and array.ndim == 0:
        raise WrongAnswer(f"`{name}` returned {array} where a finite number is asked for")
    if bad:
        raise WrongAnswer(f"`{name}` returned {bad} of {array.size} values that are NaN or infinite")
