"""What the leases need of a database: transactions, and the words that differ. No I/O."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

Execute = Callable[..., list[tuple[Any, ...]]]
"""`execute(statement, name=value, ...)` returns all rows; places for values are written `:name`."""


class Database(Protocol):
    """SQLite or PostgreSQL, used by one process and any number of its threads."""

    now: str
    """SQL for the database's clock, in seconds since 1970."""
    skip_locked: str
    """What keeps a claim from waiting for another owner's transaction."""
    one_machine: bool
    """Whether every owner runs on this machine."""

    def transaction(self) -> AbstractContextManager[Execute]:
        """Everything in the block, or nothing of it; other writers wait.

        Raises:
            StoreError: the database is damaged, locked for too long, or out of reach; says what to do.
        """
        ...

    def read(self, statement: str, **values: str | float) -> list[tuple[Any, ...]]:
        """All rows of one query, without waiting for writers.

        Raises:
            StoreError: as for `transaction`.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
