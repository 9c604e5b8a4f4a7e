"""A type annotation of the course records in; the same in an instructor's words out. No I/O."""

from collections.abc import Sequence
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

SIMPLE = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    NoneType: "nothing",
}


def in_words(annotation: Any, metadata: Sequence[object] = ()) -> str:
    """What an instructor may write where a record has this annotation.

    Args:
        annotation: the type, as pydantic reports it.
        metadata: bounds that stand beside it, as in `FieldInfo.metadata`.

    Returns:
        Such as "a whole number above 0", "'linear' or 'log'" or "a list, each a text".
    """
    inner, bounds = unwrapped(annotation, metadata)
    return _kind_in_words(inner) + _bounds_in_words(bounds)


def unwrapped(annotation: Any, metadata: Sequence[object] = ()) -> tuple[Any, list[object]]:
    """The bare type and all bounds of an annotation that may be an `Annotated` one."""
    if get_origin(annotation) is not Annotated:
        return annotation, list(metadata)
    inner, *extras = get_args(annotation)
    bounds = [bound for extra in extras for bound in _bounds_of(extra)]
    return inner, [*metadata, *bounds]


def item_of(annotation: Any) -> Any:
    """What a list or table holds: `X` of `tuple[X, ...]` and of `dict[str, X]`; None for other types."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return arguments[0]
    return arguments[1] if origin is dict else None


def _bounds_of(extra: object) -> Sequence[object]:
    return extra.metadata if isinstance(extra, FieldInfo) else (extra,)


def _kind_in_words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"'{choice}'" for choice in arguments)
    if origin in {Union, UnionType}:
        choices = [choice for choice in arguments if choice is not NoneType]  # a file cannot say "nothing"
        return " or ".join(dict.fromkeys(in_words(choice) for choice in choices))
    if origin is tuple:
        return f"a list, each {in_words(arguments[0])}"
    if origin is dict:
        return f"a table, each {in_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a table"
    return SIMPLE.get(annotation, "a value")


def _bounds_in_words(bounds: Sequence[object]) -> str:
    low = next((bound for bound in bounds if isinstance(bound, (Ge, Gt))), None)
    high = next((bound for bound in bounds if isinstance(bound, Le)), None)
    if isinstance(low, Gt):
        return f" above {low.gt}"
    if low is None:
        return ""
    return f" from {low.ge} to {high.le}" if high else f", {low.ge} or more"
