"""A view in, the same view with a hostile text in every string of it out."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum

from pydantic import BaseModel

HOSTILE = (
    "\"'></code></title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>"
    "<a href='javascript:alert(1)'>{{ 7 * 7 }}{% raw %}\x1b]0;title\x07\x1b[2J\u202e\u2066\u200b"
    '\n=HYPERLINK("http://evil.example")'
)
KINDS = ("images/", "text/", "curve/", "public/", "hidden/")


def poisoned(value, text=HOSTILE):
    """Records and views are walked; enumerations and what is no text stay."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return next((kind for kind in KINDS if value.startswith(kind)), "") + text
    if isinstance(value, BaseModel):
        update = {name: _field(name, getattr(value, name), text) for name in type(value).model_fields}
        return value.model_copy(update=update)
    if is_dataclass(value):
        return replace(value, **{f.name: poisoned(getattr(value, f.name), text) for f in fields(value)})
    return _poisoned_collection(value, text)


def _poisoned_collection(value, text):
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    if isinstance(value, Mapping):
        return {poisoned(key, text): poisoned(item, text) for key, item in value.items()}
    return value


def _field(name, value, text):
    fixed = {"kind", "direction", "scale", "device", "component"}
    return value if name in fixed else poisoned(value, text)
