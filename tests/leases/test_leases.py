"""What holds for the leases on every database."""

import os
import subprocess
import sys
import threading

import pytest

from grader.errors import StoreError
from grader.leases.opening import open_leases
from grader.leases.owner import this_process
from grader.leases.seam import Attempt, Ending, State
from grader.leases.sql_leases import FAILURES_AT_MOST, LOSSES_AT_MOST

ME, OTHER = this_process() + ":me", this_process() + ":other"


def nothing():
    """There are no artefacts."""


def dead_owner():
    """The name of a process that has ended."""
    child = [sys.executable, "-c", "from grader.leases.owner import this_process; print(this_process())"]
    return subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip()


def endings(leases, key="a"):
    return [logged.ending for logged in leases.attempts(key)]


def test_an_offered_key_is_claimed_once_and_its_result_is_kept(leases):
    leases.offer(["a"])
    attempt = leases.claim(["a"], ME, lease_s=60)
    assert attempt == Attempt(key="a", number=1, owner=ME)
    assert leases.claim(["a"], OTHER, lease_s=60) is None
    assert leases.digest_of("a") is None
    assert leases.finish(attempt, "0" * 64, nothing)
    assert leases.digest_of("a") == "0" * 64
    assert leases.states(["a", "unknown"]) == {"a": State.DONE}
    assert endings(leases) == [Ending.DONE]


def test_the_first_key_that_nobody_has_is_claimed(leases):
    leases.offer(["b", "a"])
    assert leases.claim(["b", "a"], ME, lease_s=60).key == "b"
    assert leases.claim(["b", "a"], OTHER, lease_s=60).key == "a"
    assert leases.claim(["b", "a"], OTHER, lease_s=60) is None


def test_a_key_that_is_done_is_not_claimed_when_it_is_offered_again(leases):
    leases.offer(["a"])
    leases.finish(leases.claim(["a"], ME, lease_s=60), "1", nothing)
    leases.offer(["a"])
    assert leases.claim(["a"], ME, lease_s=60) is None


def test_a_running_attempt_is_not_disturbed_by_an_offer(leases):
    leases.offer(["a"])
    attempt = leases.claim(["a"], ME, lease_s=60)
    leases.offer(["a"])
    assert leases.claim(["a"], OTHER, lease_s=60) is None
    assert leases.finish(attempt, "1", nothing)


def test_a_late_result_of_a_lost_lease_is_refused_and_its_artefacts_stay_out(leases):
    leases.offer(["a"])
    late = leases.claim(["a"], OTHER, lease_s=-1)
    assert leases.requeue_dead(ME) == ("a",)
    attempt, published = leases.claim(["a"], ME, lease_s=60), []
    assert not leases.finish(late, "late", lambda: published.append("late"))
    assert leases.finish(attempt, "good", lambda: published.append("good"))
    assert not leases.finish(late, "late", lambda: published.append("late"))
    assert published == ["good"]
    assert leases.digest_of("a") == "good"
    assert endings(leases) == [Ending.LOST, Ending.DONE]
    assert leases.attempts("a")[0].reason == "its lease was not renewed in time"


def test_an_owner_that_claims_a_key_again_cannot_finish_its_earlier_attempt(leases):
    leases.offer(["a"])
    late = leases.claim(["a"], ME, lease_s=-1)
    leases.requeue_dead(OTHER)
    again = leases.claim(["a"], ME, lease_s=60)
    assert not leases.finish(late, "late", nothing)
    assert leases.states(["a"]) == {"a": State.RUNNING}
    assert leases.finish(again, "good", nothing)
    assert leases.digest_of("a") == "good"


def test_a_finish_whose_answer_was_lost_can_be_given_again(leases):
    leases.offer(["a"])
    attempt, published = leases.claim(["a"], ME, lease_s=60), []
    for _ in range(2):
        assert leases.finish(attempt, "1", lambda: published.append(1))
    assert published == [1]


def test_when_the_artefacts_cannot_be_put_in_place_nothing_is_stored(leases):
    leases.offer(["a"])
    attempt = leases.claim(["a"], ME, lease_s=60)

    def full():
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        leases.finish(attempt, "1", full)
    assert leases.digest_of("a") is None
    assert leases.states(["a"]) == {"a": State.RUNNING}
    assert leases.finish(attempt, "1", nothing)


def test_what_a_dead_process_held_is_queued_again_at_once(leases):
    leases.offer(["a", "b"])
    leases.claim(["a"], dead_owner(), lease_s=3600)
    leases.claim(["b"], OTHER, lease_s=3600)
    assert leases.requeue_dead(ME) == ("a",)
    assert leases.claim(["b", "a"], ME, lease_s=60).key == "a"
    assert leases.attempts("a")[0].reason == "its owner has died"


def test_a_heartbeat_keeps_a_lease_and_says_what_is_still_held(leases):
    leases.offer(["a", "b"])
    first, second = (leases.claim([key], OTHER, lease_s=0) for key in "ab")
    assert leases.heartbeat(OTHER, lease_s=60) == {first, second}
    assert leases.requeue_dead(ME) == ()
    leases.heartbeat(OTHER, lease_s=-1)
    leases.requeue_dead(ME)
    assert leases.heartbeat(OTHER, lease_s=60) == frozenset()


def test_nobody_takes_his_own_attempts_away(leases):
    leases.offer(["a"])
    attempt = leases.claim(["a"], ME, lease_s=-1)
    assert leases.requeue_dead(ME) == ()
    assert leases.finish(attempt, "1", nothing)


def test_an_attempt_that_breaks_is_tried_again_and_then_given_up(leases):
    leases.offer(["a"])
    again = [
        leases.fail(leases.claim(["a"], ME, lease_s=60), "torch crashed") for _ in range(FAILURES_AT_MOST)
    ]
    assert again == [True] * (FAILURES_AT_MOST - 1) + [False]
    assert leases.states(["a"]) == {"a": State.FAILED}
    assert leases.claim(["a"], ME, lease_s=60) is None
    leases.offer(["a"])
    assert leases.claim(["a"], ME, lease_s=60).number == FAILURES_AT_MOST + 1
    assert endings(leases) == [Ending.FAILED] * FAILURES_AT_MOST + [None]


def test_an_examination_that_keeps_killing_its_owners_is_given_up(leases):
    leases.offer(["a"])
    for _ in range(LOSSES_AT_MOST):
        assert leases.states(["a"]) == {"a": State.QUEUED}
        leases.claim(["a"], OTHER, lease_s=-1)
        leases.requeue_dead(ME)
    assert leases.states(["a"]) == {"a": State.FAILED}


def test_an_attempt_that_was_taken_away_can_neither_fail_nor_be_released(leases):
    leases.offer(["a"])
    late = leases.claim(["a"], OTHER, lease_s=-1)
    leases.requeue_dead(ME)
    attempt = leases.claim(["a"], ME, lease_s=60)
    assert not leases.fail(late, "too late")
    leases.release(late, "too late")
    assert leases.finish(attempt, "1", nothing)
    assert endings(leases) == [Ending.LOST, Ending.DONE]


def test_what_is_released_can_be_claimed_at_once_and_is_no_failure(leases):
    leases.offer(["a"])
    for number in range(1, 2 * FAILURES_AT_MOST):
        attempt = leases.claim(["a"], ME, lease_s=60)
        assert attempt.number == number
        leases.release(attempt, "interrupted")
    assert set(endings(leases)) == {Ending.RELEASED}


def test_a_damaged_result_is_discarded_once_and_examined_again(leases):
    leases.offer(["a"])
    leases.finish(leases.claim(["a"], ME, lease_s=60), "old", nothing)
    assert not leases.discard("a", "another", "damaged")
    assert leases.discard("a", "old", "examination.json was changed")
    assert not leases.discard("a", "old", "examination.json was changed")
    assert leases.digest_of("a") is None
    assert leases.finish(leases.claim(["a"], ME, lease_s=60), "new", nothing)
    assert leases.digest_of("a") == "new"
    assert endings(leases) == [Ending.DISCARDED, Ending.DONE]


def test_of_many_who_claim_at_once_each_gets_other_keys(url, tmp_path):
    keys, got = [f"k{i}" for i in range(40)], []

    def work(number):
        mine = open_leases(tmp_path / "state", url)
        mine.offer(keys)
        while attempt := mine.claim(keys, f"{ME}{number}", lease_s=60):
            got.append(attempt.key)
            assert mine.finish(attempt, "1", nothing)
        mine.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(keys)


def test_what_was_finished_before_leases_existed_is_adopted_when_they_are_made(url, tmp_path):
    state = tmp_path / "state"
    for key in ("a", "b"):
        (state / "examinations" / key).mkdir(parents=True)
        (state / "examinations" / key / "examination.json").write_text(key)
    (state / "examinations" / "empty").mkdir()
    leases = open_leases(state, url)
    leases.offer(["a", "c"])
    assert leases.states("abc") == {"a": State.DONE, "b": State.DONE, "c": State.QUEUED}
    assert leases.digest_of("a").startswith("ca978112")
    leases.close()
    (state / "examinations" / "d").mkdir()
    (state / "examinations" / "d" / "examination.json").write_text("d")
    again = open_leases(state, url)
    assert again.digest_of("d") is None, "a folder without a row counts as absent once there are leases"
    again.close()


def test_state_outlives_the_connection(url, tmp_path):
    leases = open_leases(tmp_path, url)
    leases.offer(["a"])
    leases.finish(leases.claim(["a"], ME, lease_s=60), "1", nothing)
    leases.close()
    again = open_leases(tmp_path, url)
    assert again.digest_of("a") == "1"
    again.close()


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(url, tmp_path):
    leases = open_leases(tmp_path, url)
    with leases._database.transaction() as execute:
        execute("UPDATE grader_schema SET version = 7")
    leases.close()
    with pytest.raises(StoreError, match="version 7, and this grader knows 1"):
        open_leases(tmp_path, url)


def test_a_process_is_told_from_another_with_the_same_number():
    from grader.leases.owner import Fate, fate_of

    boot, namespace, pid, started = this_process().split(":")
    assert pid == str(os.getpid())
    assert fate_of(this_process() + ":more", one_machine=False) is Fate.ALIVE
    assert fate_of(f"{boot}:{namespace}:{pid}:{int(started) + 1}", one_machine=False) is Fate.GONE
    assert fate_of(f"other:{namespace}:{pid}:{started}", one_machine=False) is Fate.UNKNOWN
    assert fate_of(f"other:{namespace}:{pid}:{started}", one_machine=True) is Fate.GONE
    assert fate_of(f"{boot}:1:{pid}:{started}", one_machine=True) is Fate.UNKNOWN
    assert fate_of("nonsense", one_machine=False) is Fate.UNKNOWN
    assert fate_of(dead_owner(), one_machine=False) is Fate.GONE
