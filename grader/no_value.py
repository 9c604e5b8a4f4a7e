"""What a check may do with a number or an array in, a `WrongAnswer` out where it is handed an object instead.

A submission may answer with any object, which stays in the worker. A check that calculates with it would
end in a TypeError, which counts as ours and so costs nothing; and an object that is asked whether it is true
would say yes. Both are the submission's.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from grader.errors import WrongAnswer

_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
_OTHERS = (
    "lt le gt ge neg pos abs invert round trunc floor ceil int float complex index bool "
    "len iter next reversed getitem contains array"
)
OPERATIONS = tuple(
    f"__{name}__" for name in [*_BINARY.split(), *(f"r{name}" for name in _BINARY.split()), *_OTHERS.split()]
)


class NoValue:
    """Something that is no number, truth value, sequence or array, and says whose mistake it is."""

    @property
    def type_name(self) -> str:
        """The name of its class, as the submission has it."""
        raise NotImplementedError

    def __format__(self, _: str) -> str:
        return repr(self)

    @classmethod
    def __torch_function__(
        cls, _function: object, _types: object, args: tuple[Any, ...] = (), kwargs: object = None
    ) -> NoReturn:
        """Called by torch where a tensor is expected."""
        found = next((part for part in args if isinstance(part, cls)), None)
        _refuse(found)


def _refuse(found: NoValue | None) -> NoReturn:
    kind = f"an object of type `{found.type_name}`" if found is not None else "an object"
    raise WrongAnswer(f"the answer is {kind}, where a number, a list or an array is asked for")


def _refusal() -> Callable[..., NoReturn]:
    def refuse(self: NoValue, *_: object, **__: object) -> NoReturn:
        _refuse(self)

    return refuse


for _name in OPERATIONS:
    setattr(NoValue, _name, _refusal())
