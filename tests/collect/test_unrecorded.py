"""A push record whose beginning or middle is missing says nothing of what it does not hold."""

import pytest

from grader.collect.deadline import Deadline
from grader.collect.ruling import rule
from grader.records import Decision, EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, Repository, T

FEATURE = "refs/heads/feature"


@pytest.fixture
def repository(tmp_path):
    """`c1` and `c2` are dated on time, `c3` late."""
    made = Repository(tmp_path / "r.git")
    made.commit("c1", T - 5 * HOUR)
    made.commit("c2", T - 2 * HOUR, ["c1"])
    made.commit("c3", T + 3 * HOUR, ["c2"])
    return made


def looked(repository, name, time, ref=MAIN):
    commit = repository.commits[name]
    return Sighting(time=time, ref=ref, commit=commit, level=EvidenceLevel.OWN_SNAPSHOT, source="a look")


def unknown(repository, after, time):
    """A push of which the forge does not say where it moved the branch from."""
    push = repository.push(None, after, time)
    return type(push)(push.ref, "", push.after, push.time)


def pushed(repository, pushes, seen=()):
    """Nickname → when a record brought the commit, in hours after the deadline."""
    times = repository.history(pushes=pushes, seen=seen).pushed
    return {
        repository.name_of(commit): None if time is None else (time - T) // HOUR
        for commit, time in times.items()
    }


def ruled(repository, tip, pushes, seen=()):
    deadline = Deadline(first_late=T, text="the first of October")
    history = repository.history(pushes=pushes, seen=seen)
    ruling = rule(history, ref=MAIN, tip=repository.commits[tip], deadline=deadline)
    return repository.name_of(ruling.commit), ruling.evidence.decision


def test_a_whole_record_says_when_each_commit_came(repository):
    pushes = [repository.push(None, "c1", T - 4 * HOUR), repository.push("c1", "c3", T + 4 * HOUR)]
    seen = [looked(repository, "c1", T - HOUR), looked(repository, "c3", T + DAY)]
    assert pushed(repository, pushes, seen) == {"c1": -4, "c2": 4, "c3": 4}


def test_a_branch_made_late_from_work_that_the_forge_forgot_makes_that_work_not_late(repository):
    pushes = [repository.push(None, "c2", T + HOUR, FEATURE)]
    seen = [looked(repository, "c2", T + 2 * HOUR)]
    assert pushed(repository, pushes, seen) == {"c1": None, "c2": None}
    assert ruled(repository, "c2", pushes, seen) == ("c2", Decision.CLAIMED_ONLY)


def test_the_same_holds_where_the_forge_has_a_later_push_of_the_counting_branch(repository):
    pushes = [repository.push(None, "c2", T + HOUR, FEATURE), repository.push("c2", "c3", T + 4 * HOUR)]
    assert pushed(repository, pushes) == {"c1": None, "c2": None, "c3": 4}
    assert ruled(repository, "c3", pushes) == ("c2", Decision.CLAIMED_ONLY)


def test_a_hole_in_the_middle_shows_where_a_push_goes_on_from_elsewhere(repository):
    pushes = [
        repository.push(None, "c1", T - 4 * HOUR),
        repository.push(None, "c2", T + HOUR, FEATURE),
        repository.push("c2", "c3", T + 4 * HOUR),
    ]
    assert pushed(repository, pushes) == {"c1": -4, "c2": None, "c3": 4}
    assert ruled(repository, "c3", pushes) == ("c2", Decision.GAP)


def test_a_look_after_the_last_record_takes_nothing_from_what_was_recorded_before(repository):
    pushes = [repository.push(None, "c1", T - 4 * HOUR), repository.push("c1", "c2", T + HOUR)]
    seen = [looked(repository, "c3", T + DAY)]
    assert pushed(repository, pushes, seen) == {"c1": -4, "c2": 1}
    assert ruled(repository, "c3", pushes, seen) == ("c1", Decision.GAP)


def test_a_push_from_an_unknown_commit_brings_nothing_that_can_be_called_late(repository):
    pushes = [unknown(repository, "c2", T + HOUR)]
    assert pushed(repository, pushes) == {"c1": None, "c2": None}
    assert ruled(repository, "c2", pushes) == ("c2", Decision.CLAIMED_ONLY)


def test_a_record_that_begins_with_the_branch_itself_after_the_deadline_shows_that_nothing_was_there(
    repository,
):
    pushes = [repository.push(None, "c2", T + HOUR)]
    assert ruled(repository, "c2", pushes, [looked(repository, "c2", T + DAY)]) == (None, Decision.NO_COMMIT)


def test_work_that_was_recorded_on_another_branch_late_is_late_on_a_branch_whose_record_goes_on(repository):
    pushes = [
        repository.push(None, "c1", T - 4 * HOUR),
        repository.push(None, "c2", T + HOUR, FEATURE),
        repository.push("c1", "c2", T + 2 * HOUR),
    ]
    assert pushed(repository, pushes)["c2"] == 1
    assert ruled(repository, "c2", pushes) == ("c1", Decision.GAP)
