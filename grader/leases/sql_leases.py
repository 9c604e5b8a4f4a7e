"""A database in; leases on examinations, with fencing, out. The same for SQLite and PostgreSQL."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from grader.leases import statements as sql
from grader.leases.database import Database, Execute
from grader.leases.owner import Fate, fate_of
from grader.leases.schema import prepare
from grader.leases.seam import Attempt, Ending, LoggedAttempt, State

FAILURES_AT_MOST = 2
"""Attempts that broke before an examination is given up; the next run offers it again."""

LOSSES_AT_MOST = 5
"""Owners that died over one examination before it is suspected of having killed them."""


class SqlLeases:
    """`Leases` over a `Database`, for one state folder."""

    def __init__(
        self,
        database: Database,
        folder: str,
        *,
        finished: Iterable[tuple[str, str]] = (),
        failures_at_most: int = FAILURES_AT_MOST,
    ) -> None:
        """Take over an open database; see `prepare` for what is adopted and when it raises."""
        try:
            prepare(database, folder, finished)
        except BaseException:
            database.close()
            raise
        self._database = database
        self._folder = folder
        self._failures_at_most = failures_at_most

    def offer(self, keys: Iterable[str]) -> None:
        """See `Leases`."""
        with self._transaction() as execute:
            for key in sorted(set(keys)):  # always in one order, so that two who offer never wait in a circle
                execute(sql.OFFER, key=key)

    def claim(self, keys: Sequence[str], owner: str, *, lease_s: float) -> Attempt | None:
        """See `Leases`."""
        with self._transaction() as execute:
            for key in keys:
                rows = execute(self._worded(sql.CLAIM), key=key, owner=owner, lease_s=lease_s)
                if rows:
                    attempt = Attempt(key=key, number=rows[0][0], owner=owner)
                    execute(self._worded(sql.BEGIN_LOG), **_named(attempt))
                    return attempt
        return None

    def heartbeat(self, owner: str, *, lease_s: float) -> frozenset[Attempt]:
        """See `Leases`."""
        with self._transaction() as execute:
            rows = execute(self._worded(sql.HEARTBEAT), owner=owner, lease_s=lease_s)
        return frozenset(Attempt(key=key, number=number, owner=owner) for key, number in rows)

    def finish(self, attempt: Attempt, digest: str, publish: Callable[[], None]) -> bool:
        """See `Leases`."""
        with self._transaction() as execute:
            if not execute(sql.LEAVE, **_named(attempt), state=State.DONE.value):
                # When it was this very attempt, the answer to its commit was lost and not the commit.
                return bool(execute(sql.FINISHED_BY, **_named(attempt)))
            publish()
            execute(sql.STORE_RESULT, **_named(attempt), sha256=digest)
            self._end(execute, attempt, Ending.DONE)
            return True

    def fail(self, attempt: Attempt, reason: str) -> bool:
        """See `Leases`."""
        with self._transaction() as execute:
            leave = sql.COUNT_AND_LEAVE.format(counter="failures")
            rows = execute(leave, **_named(attempt), at_most=self._failures_at_most)
            if rows:
                self._end(execute, attempt, Ending.FAILED, reason)
        return _is_queued(rows)

    def release(self, attempt: Attempt, reason: str) -> None:
        """See `Leases`."""
        with self._transaction() as execute:
            if execute(sql.LEAVE, **_named(attempt), state=State.QUEUED.value):
                self._end(execute, attempt, Ending.RELEASED, reason)

    def requeue_dead(self, asking: str) -> tuple[str, ...]:
        """See `Leases`."""
        with self._transaction() as execute:
            rows = execute(self._worded(sql.RUNNING), owner=asking)
            return tuple(
                key
                for key, number, owner, has_run_out in rows
                if self._is_lost(execute, Attempt(key=key, number=number, owner=owner), run_out=has_run_out)
            )

    def _is_lost(self, execute: Execute, attempt: Attempt, *, run_out: bool) -> bool:
        """Whether an attempt was lost and its key is queued again."""
        fate = fate_of(attempt.owner, one_machine=self._database.one_machine)
        if not run_out and fate is not Fate.GONE:
            return False
        leave = sql.COUNT_AND_LEAVE.format(counter="losses")
        rows = execute(leave, **_named(attempt), at_most=LOSSES_AT_MOST)
        if rows:
            reason = "its owner has died" if fate is Fate.GONE else "its lease was not renewed in time"
            self._end(execute, attempt, Ending.LOST, reason)
        return _is_queued(rows)

    def digest_of(self, key: str) -> str | None:
        """See `Leases`."""
        rows = self._database.read(sql.RESULT_OF, folder=self._folder, key=key)
        return str(rows[0][0]) if rows else None

    def discard(self, key: str, digest: str, reason: str) -> bool:
        """See `Leases`."""
        with self._transaction() as execute:
            rows = execute(sql.FORGET_RESULT, key=key, sha256=digest)
            if rows:
                execute(sql.REOPEN, key=key)
                self._end(execute, Attempt(key=key, number=rows[0][0], owner=""), Ending.DISCARDED, reason)
        return bool(rows)

    def states(self, keys: Collection[str]) -> dict[str, State]:
        """See `Leases`."""
        rows = {key: self._database.read(sql.STATE_OF, folder=self._folder, key=key) for key in keys}
        return {key: State(found[0][0]) for key, found in rows.items() if found}

    def attempts(self, key: str = "") -> tuple[LoggedAttempt, ...]:
        """See `Leases`."""
        rows = self._database.read(sql.LOG, folder=self._folder, key=key)
        return tuple(
            LoggedAttempt(
                key=key,
                number=number,
                owner=owner,
                began_s=began,
                ended_s=ended,
                ending=Ending(ending) if ending else None,
                reason=reason,
            )
            for key, number, owner, began, ended, ending, reason in rows
        )

    def close(self) -> None:
        """See `Leases`."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[Execute]:
        with self._database.transaction() as execute:
            yield partial(execute, folder=self._folder)

    def _worded(self, statement: str) -> str:
        return statement.format(now=self._database.now, skip_locked=self._database.skip_locked)

    def _end(self, execute: Execute, attempt: Attempt, ending: Ending, reason: str = "") -> None:
        named = _named(attempt)
        execute(self._worded(sql.END_LOG), **named, ending=ending.value, reason=reason)


def _named(attempt: Attempt) -> dict[str, Any]:
    return {"key": attempt.key, "attempt": attempt.number, "owner": attempt.owner}


def _is_queued(rows: list[tuple[Any, ...]]) -> bool:
    return bool(rows) and State(rows[0][0]) is State.QUEUED
