"""What a coordinator may ask of the durable state of examinations, as records and one protocol. No I/O.

An examination is known by its key. It is offered, claimed by one owner at a time, and ends in one of four
ways. The number of an attempt is its fence: whoever comes back with an older number is refused.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """Where an examination is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """Given up after several attempts; offering it again begins anew."""


class Ending(StrEnum):
    """Why an attempt ended."""

    DONE = "done"
    FAILED = "failed"
    """It broke for a reason of ours."""
    LOST = "lost"
    """Its owner died, or did not renew the lease in time."""
    RELEASED = "released"
    """Its owner gave it back: an interruption, not a failure."""
    ADOPTED = "adopted"
    """It was finished before this state was kept."""
    DISCARDED = "discarded"
    """What it had stored was found damaged afterwards."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The right to run one examination, until its lease runs out."""

    key: str
    number: int
    """Grows with every claim of the key and never again: the fence."""
    owner: str


@dataclass(frozen=True, kw_only=True)
class LoggedAttempt:
    """One line of the log of attempts. Times are seconds since 1970, by the clock of the database."""

    key: str
    number: int
    owner: str
    began_s: float
    ended_s: float | None = None
    ending: Ending | None = None
    """None while it runs."""
    reason: str = ""


class Leases(Protocol):
    """Durable state of examinations. Safe to use from several threads; every call is one transaction.

    All methods raise `StoreError` when the database is damaged, full, or out of reach.
    """

    def offer(self, keys: Iterable[str]) -> None:
        """Make every key that has no result claimable: new ones, and those that were given up."""
        ...

    def claim(self, keys: Sequence[str], owner: str, *, lease_s: float) -> Attempt | None:
        """The first of these keys that is queued now belongs to `owner`; None where all are taken or done."""
        ...

    def heartbeat(self, owner: str, *, lease_s: float) -> frozenset[Attempt]:
        """Renew all leases of an owner; returns the attempts that it still holds."""
        ...

    def finish(self, attempt: Attempt, digest: str, publish: Callable[[], None]) -> bool:
        """Store a result, if the attempt still holds its key; False, and nothing stored, if it does not.

        Args:
            attempt: what was claimed.
            digest: SHA-256 of what the attempt made, in hexadecimal.
            publish: puts the artefacts, already on the disk, in their place; called only where the attempt
                holds its key and before the result is committed. When it raises, nothing is stored.
        """
        ...

    def fail(self, attempt: Attempt, reason: str) -> bool:
        """The attempt broke for a reason of ours; returns whether the key can be claimed again."""
        ...

    def release(self, attempt: Attempt, reason: str) -> None:
        """Give a key back without a failure."""
        ...

    def requeue_dead(self, asking: str) -> tuple[str, ...]:
        """Queue again what owners other than `asking` held and lost; returns the keys."""
        ...

    def digest_of(self, key: str) -> str | None:
        """SHA-256 of the stored result of a key, or None when it has none."""
        ...

    def discard(self, key: str, digest: str, reason: str) -> bool:
        """Queue a finished key again, whose result of this digest is damaged; False when it has another."""
        ...

    def states(self, keys: Collection[str]) -> dict[str, State]:
        """Where these examinations are; keys that were never offered are left out."""
        ...

    def attempts(self, key: str = "") -> tuple[LoggedAttempt, ...]:
        """Every attempt at a key, or at all, in the order in which they began."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
