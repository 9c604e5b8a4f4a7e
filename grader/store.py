"""The state folder: records and folders that are whole or absent, and one run at a time.

Everything is written in a scratch folder, flushed to the disk and then renamed into its place, so a reader
(or the next run, after a `kill -9`) finds either all of it or nothing. What a killed run left half-written
is still in the scratch folder, and is swept when the next run takes the lock.

Which examinations are finished is kept beside the folders, in the leases: see docs/state.md.
"""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from grader.errors import StateInUse, StoreError
from grader.leases.opening import open_leases
from grader.leases.seam import Leases
from grader.records import Record
from grader.shelf import Shelf

Key = TypeVar("Key", bound=Hashable)
RecordType = TypeVar("RecordType", bound=Record)

SCRATCH = ".scratch"
SWEEPING_S = 5.0
"""Longest wait for another run that sweeps, before the state folder counts as held by it alone."""

ASIDE = "damaged"
"""Where files go that cannot be read, for a person to look at."""

IN_USE = "another run is using this state folder; wait for it, or give --state another folder"

TRIES = 1
"""Attempts of one coordinator at an examination; its executor has tried what it can before it says so."""


class Store:
    """A folder of records by relative name. Safe against being killed.

    Shared between machines only where the state of examinations is in PostgreSQL.
    """

    def __init__(self, root: Path, *, state_url: str = "") -> None:
        """Nothing is opened or made before it is needed.

        Args:
            root: the folder.
            state_url: `postgresql://…` where several coordinators share the folder; empty for SQLite in it.
        """
        self.root = root
        self._state_url = state_url
        self._leases: Leases | None = None

    @property
    def leases(self) -> Leases:
        """Which examinations are finished, and who may run the others.

        Raises:
            StoreError: the database is damaged, from a newer version, on a network or out of reach.
        """
        if self._leases is None:
            opened = open_leases(self.root, self._state_url, failures_at_most=TRIES)
            weakref.finalize(self, opened.close)
            self._leases = opened
        return self._leases

    def open(self) -> None:
        """Open the leases now rather than when they are first needed, so that what is wrong is said early.

        Raises:
            StoreError: as `leases`.
        """
        assert self.leases is not None, "opened, or an error was raised"

    def path(self, name: str) -> Path:
        """Where `name` lies, or would lie."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Whether `name` was written whole."""
        return self.path(name).exists()

    def read(self, name: str, record_type: type[RecordType]) -> RecordType | None:
        """The record called `name`, or None when it was never written.

        Raises:
            StoreError: it is there but does not hold a record of this type.
        """
        try:
            content = self.path(name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return record_type.model_validate_json(content)
        except ValidationError as error:
            raise StoreError(
                f"{name}: not a {record_type.__name__} of this version ({error.error_count()} problems); "
                "move the file away and give the same command again"
            ) from error

    def read_text(self, name: str) -> str | None:
        """The text called `name`, or None when it was never written."""
        path = self.path(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None

    def remove(self, name: str) -> None:
        """Forget the record or text called `name`, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def write(self, name: str, record: Record) -> None:
        """Store a record under `name`, replacing what was there."""
        self.write_text(name, record.model_dump_json(indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Store a text under `name`, replacing what was there."""
        write_whole(self.path(name), text, scratch=self._scratch())

    @contextmanager
    def new_folder(self, name: str) -> Iterator[Path]:
        """A scratch folder that becomes `name` if the block ends well, and vanishes if it does not."""
        with self.draft_folder() as draft:
            yield draft
            self.flush(draft)
            self.publish(draft, name)

    @contextmanager
    def draft_folder(self) -> Iterator[Path]:
        """A scratch folder that vanishes when the block ends, unless it was published."""
        draft = Path(tempfile.mkdtemp(dir=self._scratch()))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def flush(self, draft: Path) -> None:
        """Everything in a draft is on the disk when this returns."""
        for path in [*draft.rglob("*"), draft]:
            _sync_folder(path) if path.is_dir() else _sync_file(path)

    def publish(self, draft: Path, name: str) -> None:
        """A flushed draft becomes `name`, whole, in the place of what was there."""
        target = self.path(name)
        draft.chmod(0o755)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
        _sync_folder(target.parent)

    def set_aside(self, name: str) -> str:
        """Move what cannot be read out of the way and keep it; returns where it lies now, by its name."""
        kept, number = f"{ASIDE}/{name}", 1
        while self.has(kept):
            number += 1
            kept = f"{ASIDE}/{name}.{number}"
        self.path(kept).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).rename(self.path(kept))
        return kept

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state folder for one run and sweep what a killed run left half-written.

        Runs that share their state in PostgreSQL hold it together; the sweeping waits until one is alone.

        Raises:
            StoreError: another run holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as handle:
            if _takes(handle, fcntl.LOCK_EX):
                shutil.rmtree(self.root / SCRATCH, ignore_errors=True)
            elif not self._state_url:
                raise StateInUse(IN_USE)
            if self._state_url and not _takes_soon(handle, fcntl.LOCK_SH):
                raise StateInUse(IN_USE)
            yield

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Of the runs that hold the state folder together one at a time, the others wait for it."""
        with (self.root / "turn").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def shelf(
        self, record_type: type[RecordType], records: Iterable[tuple[Key, RecordType]]
    ) -> Shelf[Key, RecordType]:
        """Put records that need not outlive this process where they can be read again one by one."""
        return Shelf(record_type, records, folder=self._scratch())

    def _scratch(self) -> Path:
        folder = self.root / SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def write_whole(path: Path, text: str | Iterable[str], *, scratch: Path | None = None) -> None:
    """Write a text file so that it is whole or absent, also after a crash.

    Args:
        path: where it goes.
        text: its whole content, or the pieces of it in their order, which need not be in memory together.
        scratch: a folder on the same file system to write in first; by default the file's own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _new_file(scratch) if scratch else path.with_name(f".{path.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as handle:
            handle.writelines([text] if isinstance(text, str) else text)
            handle.flush()
            os.fsync(handle.fileno())
        draft.chmod(0o644)
        draft.replace(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _new_file(folder: Path) -> Path:
    """An empty file with a name of its own; outside a scratch folder nobody would sweep it after a kill."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    return Path(name)


def _takes_soon(handle: IO[str], kind: int) -> bool:
    """As `_takes`; waits for one that is sweeping, which holds the folder for itself for a moment."""
    deadline = time.monotonic() + SWEEPING_S
    while not _takes(handle, kind):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _takes(handle: IO[str], kind: int) -> bool:
    """Whether the lock on a file can be had now."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
