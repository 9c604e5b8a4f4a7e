"""An open database in; the tables of this version in it, with what was finished before they existed, out.

One database may hold the state of several folders, told apart by `folder`.
"""

from collections.abc import Iterable

from grader.errors import StoreError
from grader.leases.database import Database, Execute

VERSION = 1

TABLES = (
    "CREATE TABLE IF NOT EXISTS grader_schema (version INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS grader_folder (folder TEXT PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS grader_task (
        folder TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
        attempt INTEGER NOT NULL, owner TEXT NOT NULL, lease_until DOUBLE PRECISION NOT NULL,
        failures INTEGER NOT NULL, losses INTEGER NOT NULL,
        PRIMARY KEY (folder, key))""",
    "CREATE INDEX IF NOT EXISTS grader_task_state ON grader_task (folder, state)",
    """CREATE TABLE IF NOT EXISTS grader_result (
        folder TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY (folder, key))""",
    """CREATE TABLE IF NOT EXISTS grader_attempt (
        folder TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, owner TEXT NOT NULL,
        began DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION, ending TEXT, reason TEXT NOT NULL,
        PRIMARY KEY (folder, key, attempt))""",
)

ADOPT = (
    """INSERT INTO grader_task (folder, key, state, attempt, owner, lease_until, failures, losses)
       VALUES (:folder, :key, 'done', 0, '', 0, 0, 0)""",
    "INSERT INTO grader_result (folder, key, attempt, sha256) VALUES (:folder, :key, 0, :sha256)",
)


def prepare(database: Database, folder: str, finished: Iterable[tuple[str, str]]) -> None:
    """Create what is missing, in one transaction: a kill leaves all of it or nothing.

    Args:
        database: open, of any age.
        folder: name of the state folder in the database.
        finished: key and SHA-256 of results that were stored before; read only for a folder that is new.

    Raises:
        StoreError: the tables were made by a newer version.
    """
    with database.transaction() as execute:
        if database.skip_locked:
            execute("SELECT pg_advisory_xact_lock(718281828)")  # two that create tables at once would clash
        for table in TABLES:
            execute(table)
        _check_version(execute)
        if execute("SELECT 1 FROM grader_folder WHERE folder = :folder", folder=folder):
            return
        execute("INSERT INTO grader_folder (folder) VALUES (:folder)", folder=folder)
        for key, sha256 in finished:
            execute(ADOPT[0], folder=folder, key=key)
            execute(ADOPT[1], folder=folder, key=key, sha256=sha256)


def _check_version(execute: Execute) -> None:
    found = execute("SELECT version FROM grader_schema")
    if not found:
        execute("INSERT INTO grader_schema (version) VALUES (:version)", version=VERSION)
    elif found[0][0] != VERSION:
        raise StoreError(
            f"the database of examinations has version {found[0][0]}, and this grader knows {VERSION}; "
            "use the grader that wrote it, or a newer one; nothing was changed"
        )
