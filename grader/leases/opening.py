"""A state folder and perhaps a URL in; its leases, with what was finished before they existed, out."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from grader.errors import ConfigurationError
from grader.leases.database import Database
from grader.leases.postgres import PostgresDatabase
from grader.leases.sql_leases import FAILURES_AT_MOST, SqlLeases
from grader.leases.sqlite import SqliteDatabase

FILE = "leases.sqlite"
IDENTITY = "identity.txt"
"""Says which rows of a shared database belong to this folder."""

POSTGRES = ("postgresql://", "postgres://")


def open_leases(root: Path, url: str = "", *, failures_at_most: int = FAILURES_AT_MOST) -> SqlLeases:
    """The durable state of the examinations in a state folder.

    Args:
        root: the state folder; results lie in `examinations/KEY/examination.json` below it.
        url: `postgresql://…` for several coordinators; empty for SQLite in the folder itself.

        failures_at_most: attempts that may break before an examination is given up.

    Raises:
        ConfigurationError: the URL is of another kind, or the extra for it is missing.
        StoreError: the database is damaged, newer, on a network file system or out of reach.
    """
    root.mkdir(parents=True, exist_ok=True)
    if not url:
        database: Database = SqliteDatabase(root / FILE)
        return SqlLeases(database, "here", finished=finished_in(root), failures_at_most=failures_at_most)
    if not url.startswith(POSTGRES):
        kind = url.partition(":")[0]
        raise ConfigurationError(f"--state-url: expected postgresql://…, got a URL that begins with '{kind}'")
    database = PostgresDatabase(url)
    return SqlLeases(database, _identity(root), finished=finished_in(root), failures_at_most=failures_at_most)


def finished_in(root: Path) -> Iterator[tuple[str, str]]:
    """Key and SHA-256 of every result in a state folder, in the order of the keys."""
    for path in filter(Path.is_file, sorted((root / "examinations").glob("*/examination.json"))):
        yield path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest()


def _identity(root: Path) -> str:
    """The name of the folder, given once: of several who give it one the first to link it wins."""
    path = root / IDENTITY
    if not path.exists():
        draft = root / f".{IDENTITY}.{uuid.uuid4().hex}"
        draft.write_text(uuid.uuid4().hex + "\n", encoding="ascii")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
