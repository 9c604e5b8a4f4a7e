"""Keys of one state folder in, the right to run them out, renewed for as long as they run.

Used by the one thread of a coordinator. Renewing is part of waiting, so a coordinator that hangs loses its
leases; what it brings afterwards is refused.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterable

from grader.leases.owner import this_process
from grader.leases.seam import Attempt, Leases, State

LEASE_S = 120.0
"""How long others wait for a coordinator of which nothing is heard."""

RENEW_EVERY_S = 20.0


class Claims:
    """What one coordinator may run."""

    def __init__(
        self, leases: Leases, *, lease_s: float = LEASE_S, renew_every_s: float = RENEW_EVERY_S
    ) -> None:
        self._leases = leases
        self._lease_s = lease_s
        self._renew_every_s = renew_every_s
        self._owner = f"{this_process()}:{uuid.uuid4().hex[:8]}"
        self._held: dict[str, Attempt] = {}
        self._renewed_at = time.monotonic()

    def offer(self, keys: Iterable[str]) -> None:
        """Let keys be claimed, also those whose owner has died."""
        self._leases.requeue_dead(self._owner)
        self._leases.offer(keys)

    def take(self, key: str) -> bool:
        """Whether the key is ours to run now."""
        attempt = self._leases.claim([key], self._owner, lease_s=self._lease_s)
        if attempt is not None:
            self._held[key] = attempt
        return attempt is not None

    def renew(self) -> None:
        """Keep what is held, when it is time to."""
        now = time.monotonic()
        if self._held and now - self._renewed_at >= self._renew_every_s:
            self._leases.heartbeat(self._owner, lease_s=self._lease_s)
            self._renewed_at = now

    def finish(self, key: str, digest: str, publish: Callable[[], None]) -> bool:
        """Store a result; False when the key was no longer ours, and another has it. See `Leases.finish`."""
        kept = self._leases.finish(self._held[key], digest, publish)
        del self._held[key]
        return kept

    def fail(self, key: str, reason: str) -> None:
        """We could not examine it."""
        self._leases.fail(self._held.pop(key), reason)

    def release_all(self, reason: str) -> None:
        """Give back whatever is held."""
        while self._held:
            _, attempt = self._held.popitem()
            self._leases.release(attempt, reason)

    def states(self, keys: Collection[str]) -> dict[str, State]:
        """Where keys are that others hold; what dead ones held can be taken afterwards."""
        self._leases.requeue_dead(self._owner)
        return self._leases.states(keys)
