"""What the rule says beside the table of histories: bounds, tolerance, policy of the course, odd dates, words."""

import pytest

from grader.collect.deadline import Deadline
from grader.collect.ruling import rule
from grader.course.decision_policy import DecisionPolicy
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


def merged_after_the_deadline(repository):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("alice", T - 3 * HOUR, ["c1"])
    repository.commit("bob", T - HOUR, ["c1"])
    repository.commit("merge", T + 2 * HOUR, ["alice", "bob"])


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


def test_a_commit_dated_before_its_signed_parent_is_as_late_as_the_parent(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("web", T - 2 * HOUR, ["c1"])
    repository.commit("forged", T - HOUR, ["web"])
    assert ruled(repository, "forged")[0] == "forged"
    assert ruled(repository, "forged", signed={"web": T + HOUR})[0] == "c1"


def test_a_push_record_that_starts_too_late_proves_nothing_against_older_work(repository):
    linear(repository)
    taken, evidence = ruled(repository, "c3", pushes=[repository.push("c2", "c3", T + 2 * HOUR)])
    assert (taken, evidence.decision) == ("c2", Decision.CLAIMED_ONLY)


def gap(repository):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("c2", T - 600, ["c1"])
    return [repository.push(None, "c1", T - 4 * HOUR), repository.push("c1", "c2", T + 300)]


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


def decided(repository, tip, *, pushes=(), seen=(), looked=(), **decisions):
    """The ruling under a policy of the course."""
    return rule(
        repository.history(pushes=pushes, seen=seen, looked=looked),
        ref=MAIN,
        tip=repository.commits[tip],
        deadline=Deadline(first_late=T, text="", decisions=DecisionPolicy(**decisions)),
    )


def names(repository, ruling):
    """Which commit counts, and from what a person has to choose."""
    return repository.name_of(ruling.commit), [repository.name_of(one) for one in ruling.candidates]


@pytest.mark.parametrize(
    ("policy", "commit", "candidates", "said"),
    [
        ("rule", "c1", [], "c1, which the push record shows there before the deadline, counts"),
        ("proven", "c1", [], "counts by a rule of the course (collect.decisions.gap = 'proven')"),
        (
            "claimed",
            "c2",
            [],
            "which the course accepts (collect.decisions.gap = 'claimed'); it counts. The last commit that is",
        ),
        (
            "person",
            None,
            ["c1", "c2"],
            "; a person decides by a rule of the course (collect.decisions.gap = 'person')",
        ),
    ],
)
def test_what_the_course_does_with_a_gap_is_done_and_said(repository, policy, commit, candidates, said):
    ruling = decided(repository, "c2", pushes=gap(repository), gap=policy)
    assert names(repository, ruling) == (commit, candidates)
    assert ruling.evidence.decision is Decision.GAP
    assert said in in_nicknames(repository, ruling.evidence.explanation)


def test_of_several_newer_lines_of_work_the_explanation_speaks_in_the_plural(repository):
    merged_after_the_deadline(repository)
    pushes = [repository.push(None, "c1", T - 49 * HOUR), repository.push("c1", "merge", T + 2 * HOUR)]
    ruling = decided(repository, "merge", pushes=pushes, gap="proven")
    said = in_nicknames(repository, ruling.evidence.explanation)
    assert said.startswith("commit bob, commit alice are dated before the deadline but were first seen on")


def test_where_our_copy_lacks_what_came_later_nobody_is_said_to_have_rewritten_anything(repository):
    repository.commit("c1", T - HOUR)
    lost = looked(repository, "c1", T + HOUR).model_copy(update={"commit": "f" * 40})
    taken, evidence = ruled(repository, "c1", seen=[looked(repository, "c1", T - 1), lost])
    assert (taken, evidence.decision) == ("c1", Decision.REWRITTEN)
    assert "our copy lacks what it held later, and what it held at" in evidence.explanation
    assert "the branch was rewritten" not in f"{evidence.explanation} {evidence.flags}"


def in_nicknames(repository, text):
    for name, commit in repository.commits.items():
        text = text.replace(commit[:10], name)
    return text


@pytest.mark.parametrize(
    ("policy", "commit", "candidates", "decision"),
    [
        ("rule", None, [], Decision.NO_COMMIT),
        ("proven", None, [], Decision.NO_COMMIT),
        ("claimed", "c1", [], Decision.GAP),
        ("person", None, ["c1"], Decision.GAP),
    ],
)
def test_the_policy_for_gaps_holds_where_nothing_at_all_was_pushed_in_time(
    repository, policy, commit, candidates, decision
):
    repository.commit("c1", T - HOUR)
    ruling = decided(repository, "c1", pushes=[repository.push(None, "c1", T + HOUR)], gap=policy)
    assert (*names(repository, ruling), ruling.evidence.decision) == (commit, candidates, decision)


def replaced(repository):
    """Seen a day before the deadline; something else that is dated on time is there a day after it."""
    repository.commit("c1", T - 2 * DAY)
    repository.commit("c2", T - HOUR)
    return [looked(repository, "c1", T - DAY), looked(repository, "c2", T + DAY)]


@pytest.mark.parametrize(
    ("policy", "commit", "candidates", "said"),
    [
        ("rule", None, ["c1", "c2"], "dated on time, and nobody looked in between; a person decides"),
        ("proven", "c1", [], "what it held at the deadline counts"),
        (
            "claimed",
            "c2",
            [],
            "takes its place by a rule of the course (collect.decisions.rewritten = 'claimed'",
        ),
        ("person", None, ["c1", "c2"], "a person decides by a rule of the course"),
    ],
)
def test_what_the_course_does_with_a_rewritten_branch_is_done_and_said(
    repository, policy, commit, candidates, said
):
    ruling = decided(repository, "c2", seen=replaced(repository), rewritten=policy)
    assert names(repository, ruling) == (commit, candidates)
    assert ruling.evidence.decision is Decision.REWRITTEN
    assert said in ruling.evidence.explanation


def test_a_rewriting_that_a_push_record_shows_to_be_late_needs_nobody(repository):
    seen = replaced(repository)
    pushes = [repository.push("c1", "c2", T + HOUR)]
    assert names(repository, decided(repository, "c2", seen=seen, pushes=pushes)) == ("c1", [])


def test_where_nothing_took_the_place_of_what_was_proven_the_claimed_cannot_be_taken(repository):
    repository.commit("c1", T - HOUR)
    repository.commit("late", T + HOUR)
    seen = [looked(repository, "c1", T - 5), looked(repository, "late", T + DAY)]
    assert names(repository, decided(repository, "late", seen=seen, rewritten="claimed")) == ("c1", [])


def test_other_heads_dates_alone_and_several_lines_are_for_a_person_where_the_course_says_so(repository):
    merged_after_the_deadline(repository)
    proven = [looked(repository, "alice", T - 5)]
    heads = ["bob", "alice"]
    asked = decided(repository, "merge", seen=proven, confirmed_other_heads="person")
    assert (names(repository, asked), asked.evidence.decision) == (
        (None, heads),
        Decision.CONFIRMED_OTHER_HEADS,
    )
    assert names(repository, decided(repository, "alice", claimed_only="person")) == (None, ["alice"])
    assert names(repository, decided(repository, "merge")) == (None, heads)
    newest = decided(repository, "merge", ambiguous="newest")
    assert (names(repository, newest), newest.evidence.decision) == (("bob", []), Decision.AMBIGUOUS)
    assert "(collect.decisions.ambiguous = 'newest')" in newest.evidence.explanation


def test_what_was_there_seconds_after_the_deadline_has_the_benefit_of_the_doubt(repository):
    gap(repository)
    seen = [looked(repository, "c1", T - 5), looked(repository, "c2", T + 59)]
    ruling = decided(repository, "c2", seen=seen)
    assert (names(repository, ruling), ruling.evidence.decision) == (("c2", []), Decision.GAP)
    assert "after the deadline, within a minute of it; it counts" in ruling.evidence.explanation
    late = [repository.push("c1", "c2", T + 30)]
    assert names(repository, decided(repository, "c2", seen=seen, pushes=late)) == ("c1", [])
    slower = [looked(repository, "c1", T - 5), looked(repository, "c2", T + 60)]
    assert names(repository, decided(repository, "c2", seen=slower)) == ("c1", [])


@pytest.mark.parametrize(("before_s", "expected"), [(5, None), (600, None), (601, "c1"), (DAY, "c1")])
def test_an_empty_repository_counts_against_what_came_later_only_if_we_saw_it_right_before(
    repository, before_s, expected
):
    repository.commit("c1", T - 2 * DAY)
    seen = [looked(repository, "c1", T + DAY)]
    ruling = decided(repository, "c1", seen=seen, looked=[T - before_s, T + DAY])
    assert names(repository, ruling) == (expected, [])


def test_a_signature_makes_work_that_was_first_seen_late_more_than_a_claim(repository):
    gap(repository)
    seen = [looked(repository, "c1", T - 3 * HOUR), looked(repository, "c2", T + DAY)]
    taken, evidence = ruled(repository, "c2", seen=seen, signed={"c2": T - 600})
    assert (taken, evidence.decision, evidence.level) == (
        "c2",
        Decision.GAP,
        EvidenceLevel.FORGE_SIGNATURE,
    )
    assert "was on time by the forge's signature" in evidence.explanation


def test_a_commit_on_the_server_that_we_could_not_get_hides_no_work_that_is_there(repository):
    repository.commit("c1", T - HOUR)
    gone = Sighting(
        time=T + 1, ref=MAIN, commit="f" * 40, level=EvidenceLevel.PUSH_RECORD, source="the push record"
    )
    assert ruled(repository, "c1", seen=[gone, looked(repository, "c1", T + DAY)])[0] == "c1"


def test_a_push_record_that_our_later_look_agrees_with_is_the_evidence(repository):
    linear(repository)
    pushes = [repository.push(None, "c2", T - HOUR)]
    taken, evidence = ruled(repository, "c3", pushes=pushes, seen=[looked(repository, "c2", T - 5)])
    assert (taken, evidence.decision, evidence.level) == ("c2", Decision.CONFIRMED, EvidenceLevel.PUSH_RECORD)


def test_our_later_look_is_the_evidence_where_the_push_record_lacks_what_it_shows(repository):
    linear(repository)
    pushes = [repository.push(None, "c1", T - 3 * HOUR)]
    evidence = ruled(repository, "c3", pushes=pushes, seen=[looked(repository, "c2", T - 5)])[1]
    assert evidence.level is EvidenceLevel.OWN_SNAPSHOT


@pytest.mark.parametrize(("tolerance_s", "expected"), [(0, "c1"), (300, "c1"), (301, "c2")])
@pytest.mark.parametrize("looks", [[], [T], [T, T + 60]])
def test_a_look_right_at_the_deadline_takes_nobody_the_tolerance_of_the_course(
    repository, looks, tolerance_s, expected
):
    pushes = gap(repository)
    seen = [looked(repository, "c1", time) for time in (T - 10, *looks)]
    seen.append(looked(repository, "c2", T + 300))
    for recorded in ((), pushes):
        taken, evidence = ruled(repository, "c2", pushes=recorded, seen=seen, tolerance_s=tolerance_s)
        assert taken == expected
        assert (evidence.decision is Decision.GAP) == (taken == "c2" or not looks)


def test_of_two_pushes_within_the_tolerance_the_last_counts(repository):
    pushes = gap(repository)
    repository.commit("c3", T - 30, ["c2"])
    pushes.append(repository.push("c2", "c3", T + 400))
    assert ruled(repository, "c3", pushes=pushes, tolerance_s=600)[0] == "c3"
    assert ruled(repository, "c3", pushes=pushes, tolerance_s=350)[0] == "c2"


def test_late_work_within_the_tolerance_takes_the_place_of_nothing(repository):
    repository.commit("c1", T - HOUR)
    repository.commit("late", T + 30, ["c1"])
    seen = [looked(repository, "c1", T - 10), looked(repository, "c1", T), looked(repository, "late", T + 60)]
    taken, evidence = ruled(repository, "late", seen=seen, tolerance_s=300)
    assert (taken, evidence.decision) == ("c1", Decision.CONFIRMED)
