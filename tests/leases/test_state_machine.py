"""Owners that claim, die, come back late and finish, in any order: no result is lost, doubled or overwritten."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from grader.leases.opening import open_leases
from grader.leases.owner import this_process
from grader.leases.seam import Ending, State
from grader.leases.sql_leases import FAILURES_AT_MOST

KEYS = st.sampled_from("ab")
OWNERS = st.sampled_from([f"{this_process()}:{number}" for number in range(2)])


class Model(RuleBasedStateMachine):
    """What the database must do, kept in a few dictionaries."""

    url = ""
    attempts = Bundle("attempts")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.leases = open_leases(Path(self.folder.name), self.url)
        self.state, self.holder, self.failures, self.results, self.number = {}, {}, {}, {}, {}
        self.out = set()

    def teardown(self):
        self.leases.close()
        self.folder.cleanup()

    @initialize()
    def begin(self):
        self.offer("ab")

    @rule(target=attempts, key=KEYS, owner=OWNERS, next_owner=OWNERS)
    def lose_and_claim_again(self, key, owner, next_owner):
        """The usual story of a late result."""
        if self.state[key] is not State.QUEUED:
            return multiple()
        late = self.claim([key], owner, has_run_out=True)
        self.requeue("somebody else")
        if self.state[key] is not State.QUEUED:
            return late
        return multiple(late, self.claim([key], next_owner, has_run_out=False))

    @rule(keys=st.lists(KEYS, max_size=2))
    def offer(self, keys):
        self.leases.offer(keys)
        for key in keys:
            if self.state.get(key) in (None, State.QUEUED, State.FAILED):
                self.state[key], self.failures[key] = State.QUEUED, 0

    @rule(target=attempts, keys=st.permutations("ab"), owner=OWNERS, has_run_out=st.booleans())
    def claim(self, keys, owner, has_run_out):
        attempt = self.leases.claim(keys, owner, lease_s=-1 if has_run_out else 1000)
        free = [key for key in keys if self.state.get(key) is State.QUEUED]
        if not free:
            assert attempt is None
            return multiple()
        assert (attempt.key, attempt.owner) == (free[0], owner)
        assert attempt.number == self.number.get(free[0], 0) + 1
        self.number[free[0]] = attempt.number
        self.state[free[0]], self.holder[free[0]] = State.RUNNING, attempt
        self.out = self.out | {attempt} if has_run_out else self.out
        return attempt

    def holds(self, attempt):
        return self.state[attempt.key] is State.RUNNING and self.holder[attempt.key] == attempt

    @rule(attempt=attempts, breaks=st.booleans())
    def finish(self, attempt, breaks):
        """At any time, also long after the lease was lost, and more than once."""
        published = []

        def publish():
            if breaks:
                raise OSError("full")
            published.append(attempt)

        held = self.holds(attempt)
        if held and breaks:
            with pytest.raises(OSError, match="full"):
                self.leases.finish(attempt, str(attempt.number), publish)
            return
        kept = self.leases.finish(attempt, str(attempt.number), publish)
        assert published == ([attempt] if held else [])
        if held:
            self.state[attempt.key], self.results[attempt.key] = State.DONE, str(attempt.number)
        assert kept == (self.state[attempt.key] is State.DONE and self.holder[attempt.key] == attempt)

    @rule(attempt=consumes(attempts))
    def fail(self, attempt):
        held = self.holds(attempt)
        again = self.leases.fail(attempt, "broke")
        if held:
            self.failures[attempt.key] += 1
            assert again == (self.failures[attempt.key] < FAILURES_AT_MOST)
            self.state[attempt.key] = State.QUEUED if again else State.FAILED
        else:
            assert not again

    @rule(attempt=consumes(attempts))
    def release(self, attempt):
        held = self.holds(attempt)
        self.leases.release(attempt, "stopped")
        if held:
            self.state[attempt.key] = State.QUEUED

    @rule(owner=OWNERS)
    def heartbeat(self, owner):
        held = {a for key, a in self.holder.items() if self.state[key] is State.RUNNING and a.owner == owner}
        assert self.leases.heartbeat(owner, lease_s=1000) == held
        self.out -= held

    @rule(owner=OWNERS)
    def requeue(self, owner):
        lost = {
            key
            for key, a in self.holder.items()
            if self.state[key] is State.RUNNING and a in self.out and a.owner != owner
        }
        again = set(self.leases.requeue_dead(owner))
        assert again <= lost
        for key in lost:
            self.state[key] = State.QUEUED if key in again else State.FAILED

    @rule(key=KEYS)
    def discard(self, key):
        digest = self.results.get(key, "none")
        assert self.leases.discard(key, digest, "damaged") == (key in self.results)
        if self.results.pop(key, None):
            self.state[key], self.failures[key] = State.QUEUED, 0
            self.holder.pop(key)

    @rule()
    def reopen(self):
        self.leases.close()
        self.leases = open_leases(Path(self.folder.name), self.url)

    @invariant()
    def the_database_says_what_happened(self):
        assert self.leases.states("ab") == self.state
        assert {key: d for key in "ab" if (d := self.leases.digest_of(key))} == self.results

    @invariant()
    def no_key_is_finished_twice_and_the_log_knows_every_attempt(self):
        log = self.leases.attempts()
        assert {key: sum(each.key == key for each in log) for key in self.number} == self.number
        done = [each.key for each in log if each.ending is Ending.DONE]
        assert sorted(done) == sorted(self.results)


def test_owners_in_any_order_lose_nothing_and_finish_nothing_twice(url):
    machine = type("Machine", (Model,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None,
            max_examples=40 if not url else 15,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
