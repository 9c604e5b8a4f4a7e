"""A URL in; a database that several coordinators may use at once, out. Needs the extra `postgres`."""

import importlib
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from grader.errors import ConfigurationError, StoreError
from grader.leases.database import Execute

CONNECT_S = 10
PLACE = re.compile(r"(?<!:):([a-z_0-9]+)")
"""`:name` in a statement; psycopg writes it `%(name)s`."""


class PostgresDatabase:
    """Any database on a PostgreSQL server; its tables are made when they are missing."""

    now = "extract(epoch from clock_timestamp())"
    skip_locked = "FOR UPDATE SKIP LOCKED"
    one_machine = False

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            ConfigurationError: the extra `postgres` is not installed.
            StoreError: the server cannot be reached or refuses us.
        """
        try:
            self._psycopg: Any = importlib.import_module("psycopg")
        except ImportError as error:
            raise ConfigurationError(
                "--state-url asks for PostgreSQL: install the extra with pip install 'grader[postgres]'"
            ) from error
        self._url = url
        self._lock = threading.RLock()
        with self._explained():
            self._connection = self._connect()

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """See `Database`. A connection that the server has closed since is opened again, once."""
        with self._lock, self._explained(), ExitStack() as stack:
            try:
                stack.enter_context(self._connection.transaction())
            except self._psycopg.OperationalError:
                self._reconnect()
                stack.enter_context(self._connection.transaction())
            yield self._execute

    def read(self, statement: str, **values: str | float) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self._lock, self._explained():
            try:
                return self._execute(statement, **values)
            except self._psycopg.OperationalError:
                self._reconnect()
                return self._execute(statement, **values)

    def close(self) -> None:
        """See `Database`."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> Any:
        return self._psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_S)

    def _reconnect(self) -> None:
        self._connection.close()
        self._connection = self._connect()

    def _execute(self, statement: str, **values: str | float) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(PLACE.sub(r"%(\1)s", statement), values)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors name the server and the database, and never the password."""
        try:
            yield
        except self._psycopg.Error as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise StoreError(
                f"{self._where()}: {said}; nothing is lost; once that is mended, the same command goes on"
            ) from error

    def _where(self) -> str:
        parts = urlsplit(self._url)
        host, database = parts.hostname or "the local socket", parts.path[1:] or "(default)"
        return f"PostgreSQL at {host}, database {database}"
