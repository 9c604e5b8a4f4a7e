"""A file in; a database that survives `kill -9` and a power cut, for one coordinator on one machine, out.

Write-ahead log, and `synchronous=FULL`: a commit is on the disk when it returns.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grader.errors import StoreError
from grader.leases.database import Execute
from grader.leases.file_systems import refuse_network

OLDEST = (3, 35, 0)
"""The first version with RETURNING."""

WAIT_S = 60
"""How long a writer waits for another; commits take milliseconds."""


class SqliteDatabase:
    """The state of one folder's examinations in one file."""

    now = "((julianday('now') - 2440587.5) * 86400.0)"
    skip_locked = ""
    one_machine = True

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StoreError: the folder lies on a network, the file is damaged, or SQLite is too old.
        """
        if sqlite3.sqlite_version_info < OLDEST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed")
        refuse_network(path.parent)
        self._path = path
        self._lock = threading.RLock()
        with self._explained():
            self._connection = sqlite3.connect(
                path, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """See `Database`; BEGIN IMMEDIATE, so that a reader never has to become a writer half-way."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, statement: str, **values: str | float) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self._lock, self._explained():
            return self._execute(statement, **values)

    def close(self) -> None:
        """See `Database`."""
        with self._lock:
            self._connection.close()

    def _execute(self, statement: str, **values: str | float) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self._path}: {error}; nothing is lost; once that is mended, the same command goes on"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self._path}: the database is damaged ({error}); move it and its -wal and -shm files aside "
                "and give the same command again: finished examinations are taken from their folders"
            ) from error
