"""Stands, inside a worker, for a module that displays, plots or shows progress: every name is there.

Called, a name gives nothing again, which still yields what it was given: `for batch in tqdm(batches)`. The
text of this file is sent to the worker under the names that `stand_ins` lists.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Self


class Nothing:
    """Takes anything and does nothing."""

    def __init__(self, items: Iterable[Any] = (), *_: Any, **__: Any) -> None:
        self._items = items

    def __call__(self, *args: Any, **_: Any) -> "Nothing":
        """Nothing again."""
        return Nothing(*args)

    def __getattr__(self, name: str) -> "Nothing":
        return __getattr__(name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def __getattr__(name: str) -> Nothing:
    if name.startswith("__"):
        raise AttributeError(name)
    return Nothing()
