"""The histories of docs/deadlines.md, built with real git, and the ruling on each."""

import pytest

from grader.collect.deadline import Deadline
from grader.collect.ruling import rule
from grader.records import Decision, EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, Repository, T


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "server.git")


def ruled(repository, tip, *, pushes=(), seen=(), signed=None, tolerance_s=0):
    """The ruling on `main` with its tip at a nicknamed commit; the names of the commits it takes and claims."""
    ruling = rule(
        repository.history(pushes=pushes, seen=seen, signed=signed),
        ref=MAIN,
        tip=repository.commits[tip] if tip else None,
        deadline=Deadline(first_late=T, text="the first of October", gap_tolerance_s=tolerance_s),
    )
    return repository.name_of(ruling.commit), ruling.evidence


def looked(repository, name, time, ref=MAIN):
    return Sighting(
        time=time,
        ref=ref,
        commit=repository.commits[name],
        level=EvidenceLevel.OWN_SNAPSHOT,
        source="round 1 of our own ledger",
    )


def linear(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("c2", T - 2 * HOUR, ["c1"])
    repository.commit("c3", T + 2 * HOUR, ["c2"])


def test_linear_history_without_any_witness_is_claimed_by_its_dates_only(repository):
    linear(repository)
    taken, evidence = ruled(repository, "c3")
    assert (taken, evidence.decision, evidence.level) == (
        "c2",
        Decision.CLAIMED_ONLY,
        EvidenceLevel.DATES_ONLY,
    )
    assert evidence.proven is None
    assert "only the dates that the commits carry themselves" in evidence.explanation


def test_linear_history_with_push_records_is_confirmed(repository):
    linear(repository)
    pushes = [repository.push(None, "c2", T - HOUR), repository.push("c2", "c3", T + 2 * HOUR)]
    taken, evidence = ruled(repository, "c3", pushes=pushes)
    assert (taken, evidence.decision, evidence.level) == ("c2", Decision.CONFIRMED, EvidenceLevel.PUSH_RECORD)
    assert [sighting.time for sighting in evidence.sightings] == [T - HOUR]


def test_our_own_look_right_before_the_deadline_confirms(repository):
    linear(repository)
    taken, evidence = ruled(repository, "c3", seen=[looked(repository, "c2", T - 5)])
    assert (taken, evidence.decision, evidence.level) == (
        "c2",
        Decision.CONFIRMED,
        EvidenceLevel.OWN_SNAPSHOT,
    )


def test_a_commit_at_the_last_second_is_on_time_and_one_second_later_is_not(repository):
    repository.commit("c1", T - 2 * HOUR)
    repository.commit("c2", T - 1, ["c1"])
    repository.commit("c3", T, ["c2"])
    assert ruled(repository, "c3")[0] == "c2"


def test_three_commits_in_one_second_give_the_last(repository):
    repository.commit("c1", T - HOUR)
    repository.commit("c2", T - HOUR, ["c1"])
    repository.commit("c3", T - HOUR, ["c2"])
    assert ruled(repository, "c3")[0] == "c3"


def test_pushed_on_time_then_amended_after_the_deadline_counts_as_it_was(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("c2", T - 2 * HOUR, ["c1"])
    repository.commit("amended", T + 3 * HOUR, ["c1"], authored=T - 2 * HOUR)
    pushes = [repository.push("c1", "c2", T - 2 * HOUR), repository.push("c2", "amended", T + 3 * HOUR)]
    taken, evidence = ruled(repository, "amended", pushes=pushes)
    assert (taken, evidence.decision) == ("c2", Decision.REWRITTEN)
    assert repository.name_of(evidence.claimed[0]) == "c1"
    assert "the branch was rewritten or removed after the deadline" in evidence.flags


def test_everything_rebased_after_the_deadline_counts_as_it_was(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("c2", T - 20 * HOUR, ["c1"])
    repository.commit("c3", T - 2 * HOUR, ["c2"])
    repository.commit("c2r", T + 3 * HOUR, ["c1"], authored=T - 20 * HOUR)
    repository.commit("c3r", T + 3 * HOUR + 1, ["c2r"], authored=T - 2 * HOUR)
    taken, evidence = ruled(repository, "c3r", seen=[looked(repository, "c3", T - HOUR)])
    assert (taken, evidence.decision) == ("c3", Decision.REWRITTEN)


def test_a_forged_date_put_in_place_by_force_does_not_replace_what_was_pushed(repository):
    linear(repository)
    repository.commit("late", T + HOUR, ["c2"])
    repository.commit("forged", T - 300, ["c2"])
    pushes = [repository.push("c1", "c2", T - HOUR), repository.push("c2", "forged", T + HOUR)]
    taken, evidence = ruled(repository, "forged", pushes=pushes)
    assert (taken, evidence.decision) == ("c2", Decision.GAP)
    assert [repository.name_of(head) for head in evidence.claimed] == ["forged"]
    assert any(
        "dated before the deadline, first seen on the branch after it" in flag for flag in evidence.flags
    )


def test_a_forged_date_on_top_of_an_honest_late_commit_is_late_without_any_witness(repository):
    linear(repository)
    repository.commit("forged", T - 300, ["c3"])
    repository.commit("x", T + 30 * HOUR, ["forged"])
    assert ruled(repository, "x")[0] == "c2"


def merged_after_the_deadline(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("alice", T - 3 * HOUR, ["c1"])
    repository.commit("bob", T - HOUR, ["c1"])
    repository.commit("merge", T + 2 * HOUR, ["alice", "bob"])


def test_a_branch_merged_after_the_deadline_leaves_what_main_held(repository):
    merged_after_the_deadline(repository)
    pushes = [repository.push("c1", "alice", T - 3 * HOUR), repository.push("alice", "merge", T + 2 * HOUR)]
    taken, evidence = ruled(repository, "merge", pushes=pushes)
    assert (taken, evidence.decision) == ("alice", Decision.CONFIRMED_OTHER_HEADS)
    assert {repository.name_of(head) for head in evidence.claimed} == {"alice", "bob"}


def test_a_branch_merged_after_the_deadline_is_for_a_person_when_nothing_is_proven(repository):
    merged_after_the_deadline(repository)
    taken, evidence = ruled(repository, "merge")
    assert (taken, evidence.decision) == (None, Decision.AMBIGUOUS)
    assert {repository.name_of(head) for head in evidence.claimed} == {"alice", "bob"}


def test_the_first_parent_of_a_late_pull_is_not_taken_for_what_was_pushed(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("alice", T - 3 * HOUR, ["c1"])
    repository.commit("unpushed", T - 5 * HOUR, ["c1"])
    repository.commit("pull", T + HOUR, ["unpushed", "alice"])
    pushes = [repository.push("c1", "alice", T - 3 * HOUR), repository.push("alice", "pull", T + HOUR)]
    taken, evidence = ruled(repository, "pull", pushes=pushes)
    assert (taken, evidence.decision) == ("alice", Decision.CONFIRMED_OTHER_HEADS)


def test_a_clock_that_fell_back_to_the_year_2000_costs_nothing(repository):
    repository.commit("c1", T - 30 * DAY)
    repository.commit("c2", T - 20 * DAY, ["c1"])
    repository.commit("c3", 946_684_800, ["c2"])
    repository.commit("c4", 946_684_900, ["c3"])
    assert ruled(repository, "c4")[0] == "c4"


def test_a_skewed_side_branch_is_for_a_person(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("a1", T - HOUR, ["c1"])
    repository.commit("a2", 946_684_800, ["a1"])
    repository.commit("b1", T - 9 * HOUR, ["c1"])
    repository.commit("m", T + 2 * HOUR, ["a2", "b1"])
    taken, evidence = ruled(repository, "m")
    assert (taken, evidence.decision) == (None, Decision.AMBIGUOUS)


def clock_ahead(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("c2", T + 46 * HOUR, ["c1"])
    repository.commit("c3", T - HOUR, ["c2"])


def test_a_clock_two_days_ahead_loses_by_dates_alone(repository):
    clock_ahead(repository)
    assert ruled(repository, "c3")[0] == "c1"


def test_the_forges_signature_saves_the_work_of_a_clock_two_days_ahead(repository):
    clock_ahead(repository)
    taken, evidence = ruled(repository, "c3", signed={"c3": T - HOUR})
    assert (taken, evidence.decision, evidence.level) == (
        "c3",
        Decision.CONFIRMED,
        EvidenceLevel.FORGE_SIGNATURE,
    )


def test_a_commit_dated_before_its_signed_parent_is_as_late_as_the_parent(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("web", T - 2 * HOUR, ["c1"])
    repository.commit("forged", T - HOUR, ["web"])
    assert ruled(repository, "forged")[0] == "forged"
    assert ruled(repository, "forged", signed={"web": T + HOUR})[0] == "c1"


def test_work_on_another_branch_only_leaves_what_main_holds(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("dev", T - 2 * HOUR, ["c1"])
    assert ruled(repository, "c1")[0] == "c1"


def test_a_branch_brought_over_after_the_deadline_does_not_count_though_it_was_there(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("dev", T - 2 * HOUR, ["c1"])
    pushes = [
        repository.push(None, "c1", T - 40 * HOUR),
        repository.push(None, "dev", T - HOUR, "refs/heads/dev"),
        repository.push("c1", "dev", T + HOUR),
    ]
    taken, evidence = ruled(repository, "dev", pushes=pushes)
    assert (taken, evidence.decision) == ("c1", Decision.GAP)


def test_a_fresh_root_forced_over_the_history_does_not_hide_the_old_one(repository):
    repository.commit("old", T - 3 * HOUR)
    repository.commit("new", T + 3 * HOUR)
    taken, evidence = ruled(repository, "new", seen=[looked(repository, "old", T - HOUR)])
    assert (taken, evidence.decision, evidence.claimed) == ("old", Decision.REWRITTEN, ())
    assert ruled(repository, "new")[1].decision is Decision.NO_COMMIT


def test_a_branch_that_was_removed_after_the_deadline_still_counts(repository):
    repository.commit("c1", T - 3 * HOUR)
    taken, evidence = ruled(repository, None, seen=[looked(repository, "c1", T - HOUR)])
    assert (taken, evidence.decision) == ("c1", Decision.REWRITTEN)


def test_nothing_before_the_deadline_is_no_submission(repository):
    repository.commit("c1", T + HOUR)
    taken, evidence = ruled(repository, "c1")
    assert (taken, evidence.decision, evidence.level) == (None, Decision.NO_COMMIT, None)
    assert evidence.explanation == "no commit on `main` was made before the deadline"


def test_a_branch_first_pushed_after_the_deadline_is_not_saved_by_its_dates(repository):
    repository.commit("c1", T - HOUR)
    taken, evidence = ruled(repository, "c1", pushes=[repository.push(None, "c1", T + HOUR)])
    assert (taken, evidence.decision, evidence.level) == (None, Decision.NO_COMMIT, EvidenceLevel.PUSH_RECORD)
    assert evidence.flags


def test_a_push_record_that_starts_too_late_proves_nothing_against_older_work(repository):
    linear(repository)
    taken, evidence = ruled(repository, "c3", pushes=[repository.push("c2", "c3", T + 2 * HOUR)])
    assert (taken, evidence.decision) == ("c2", Decision.CLAIMED_ONLY)


def gap(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("c2", T - 600, ["c1"])
    return [repository.push(None, "c1", T - 4 * HOUR), repository.push("c1", "c2", T + 300)]


def test_dated_on_time_and_pushed_five_minutes_late_is_a_gap(repository):
    pushes = gap(repository)
    taken, evidence = ruled(repository, "c2", pushes=pushes)
    assert (taken, evidence.decision, evidence.level) == ("c1", Decision.GAP, EvidenceLevel.PUSH_RECORD)
    assert [sighting.time for sighting in evidence.sightings] == [pushes[0].time, pushes[1].time]


@pytest.mark.parametrize(("tolerance_s", "expected"), [(300, "c1"), (301, "c2")])
def test_the_tolerance_of_the_course_decides_a_gap(repository, tolerance_s, expected):
    taken, evidence = ruled(repository, "c2", pushes=gap(repository), tolerance_s=tolerance_s)
    assert (taken, evidence.decision) == (expected, Decision.GAP)
    assert evidence.flags


def test_a_look_of_ours_right_at_the_deadline_makes_a_later_push_a_gap(repository):
    gap(repository)
    seen = [looked(repository, "c1", T - 10), looked(repository, "c2", T + DAY)]
    assert ruled(repository, "c2", seen=seen)[0] == "c1"


def test_a_push_at_the_first_late_second_is_late_and_one_second_earlier_is_not(repository):
    gap(repository)
    first = repository.push(None, "c1", T - 4 * HOUR)
    assert ruled(repository, "c2", pushes=[first, repository.push("c1", "c2", T)])[0] == "c1"
    assert ruled(repository, "c2", pushes=[first, repository.push("c1", "c2", T - 1)])[0] == "c2"


def test_a_look_at_the_first_late_second_shows_what_was_there(repository):
    gap(repository)
    taken, evidence = ruled(repository, "c2", seen=[looked(repository, "c1", T)])
    assert (taken, evidence.decision) == ("c1", Decision.CLAIMED_ONLY)


def test_a_push_record_that_begins_late_still_tells_what_the_branch_held(repository):
    repository.commit("c0", T - DAY)
    repository.commit("c1", T - 2 * HOUR, ["c0"])
    repository.commit("c2", T - HOUR, ["c1"])
    pushes = [repository.push("c1", "c2", T + HOUR)]
    assert ruled(repository, "c2", pushes=pushes)[0] == "c1"
    taken, evidence = ruled(repository, "c2", pushes=pushes, seen=[looked(repository, "c0", T - DAY)])
    assert (taken, evidence.decision, evidence.proven) == ("c1", Decision.GAP, repository.commits["c0"])


def test_a_commit_that_a_record_shows_pushed_late_elsewhere_was_not_on_time_here(repository):
    gap(repository)
    elsewhere = repository.push(None, "c2", T + HOUR, "refs/heads/dev")
    seen = [looked(repository, "c1", T - DAY), looked(repository, "c2", T + 2 * HOUR)]
    assert ruled(repository, "c2", seen=seen)[0] == "c2"
    pushes = [elsewhere, repository.push("c1", "c2", T + HOUR + 60)]
    assert ruled(repository, "c2", pushes=pushes, seen=seen)[0] == "c1"
    # Without a record of this branch it may have been given the commit when nobody wrote it down.
    assert ruled(repository, "c2", pushes=[elsewhere], seen=seen)[0] == "c2"


def test_a_look_of_ours_days_before_the_deadline_costs_nobody_the_work_since(repository):
    gap(repository)
    seen = [looked(repository, "c1", T - 3 * HOUR), looked(repository, "c2", T + DAY)]
    taken, evidence = ruled(repository, "c2", seen=seen)
    assert (taken, evidence.decision, evidence.level) == ("c2", Decision.GAP, EvidenceLevel.DATES_ONLY)
    assert "nobody looked in between" in evidence.explanation


def test_two_newer_lines_of_work_that_nobody_saw_are_for_a_person(repository):
    merged_after_the_deadline(repository)
    seen = [looked(repository, "c1", T - DAY), looked(repository, "merge", T + DAY)]
    taken, evidence = ruled(repository, "merge", seen=seen)
    assert (taken, evidence.decision, evidence.proven) == (None, Decision.AMBIGUOUS, repository.commits["c1"])


def test_a_commit_that_somebody_saw_on_time_counts_whatever_its_date(repository):
    clock_ahead(repository)
    taken, evidence = ruled(repository, "c3", seen=[looked(repository, "c3", T - HOUR)])
    assert (taken, evidence.decision) == ("c3", Decision.CONFIRMED)


@pytest.mark.parametrize(
    "committer", ["committer s <s@x> xyz", "committer s <s@x>", "committer s <s@x> 0 +0000", "committer s"]
)
def test_an_unreadable_date_does_not_pass_for_1970(repository, committer):
    repository.commit("c1", T - 5 * HOUR)
    repository.raw_commit("odd", committer, ["c1"])
    repository.commit("c3", T - HOUR, ["odd"])
    assert ruled(repository, "c3")[0] == "c1"


def test_an_unreadable_date_is_no_matter_when_the_push_was_recorded(repository):
    repository.raw_commit("odd", "committer s <s@x> xyz")
    taken, evidence = ruled(repository, "odd", pushes=[repository.push(None, "odd", T - HOUR)])
    assert (taken, evidence.decision) == ("odd", Decision.CONFIRMED)


def test_a_hostile_branch_name_is_harmless_in_explanations(repository):
    repository.commit("c1", T + HOUR)
    ruling = rule(
        repository.history(),
        ref="refs/heads/\x1b[31m`<b>",
        tip=repository.commits["c1"],
        deadline=Deadline(first_late=T, text=""),
    )
    assert ruling.evidence.explanation.startswith("no commit on `�[31m�<b>` was")
