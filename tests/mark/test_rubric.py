import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.course.model import LatePolicy
from grader.mark.rubric import mark
from grader.records import Decision, Status

from .examples import (
    band,
    bands,
    by_hand,
    criterion,
    examination,
    marked,
    measurement,
    only,
    rubric,
    snapshot,
)

GOOD, OTHER, BAD = "public/test_a.py::test_good", "hidden/test_b.py::test_other", "hidden/test_b.py::test_bad"
MESSAGE = "kl is 2 where the closed form gives 1"
MIXED = {GOOD: "", OTHER: "", BAD: MESSAGE}
BROKEN = {GOOD: "", BAD: None}
TOYS = bands(loss=band(2, 6))


# --- kind check


def test_points_are_in_proportion_to_the_checks_that_passed():
    found = only(marked(criterion(checks=("public", "hidden")), exam=examination(MIXED)))
    assert found.points == Decimal("6.5")  # two thirds of ten, to the half point
    assert found.out_of == 10
    assert found.reason == f"2 of 3 checks passed; first failure: {MESSAGE}"
    assert not found.needs_person


def test_all_checks_earn_all_points():
    found = only(marked(criterion(checks=("public",)), exam=examination(MIXED)))
    assert (found.points, found.reason) == (10, "the check passed")


def test_all_or_nothing_gives_nothing_for_a_part():
    strict = criterion(checks=("public", "hidden"), all_or_nothing=True)
    assert only(marked(strict, exam=examination(MIXED))).points == 0
    assert only(marked(strict, exam=examination({GOOD: "", OTHER: ""}))).points == 10


def test_a_check_that_is_meant_twice_counts_once():
    found = only(marked(criterion(checks=(GOOD, "public", BAD)), exam=examination(MIXED)))
    assert found.points == 5


def test_every_parameter_of_a_check_counts():
    outcomes = {f"{GOOD}[1]": "", f"{GOOD}[2]": MESSAGE, f"{GOOD}[3]": MESSAGE, f"{GOOD}[4]": MESSAGE}
    assert only(marked(criterion(checks=(GOOD,)), exam=examination(outcomes))).points == Decimal("2.5")


def test_the_first_failure_is_the_first_of_the_rubric_whatever_ran_first():
    outcomes = {BAD: MESSAGE, GOOD: "the public one failed"}
    found = only(marked(criterion(checks=(GOOD, BAD)), exam=examination(outcomes)))
    assert found.reason == "none of 2 checks passed; first failure: the public one failed"


@given(st.permutations(sorted({GOOD: "", OTHER: "the other failed", BAD: MESSAGE}.items())))
def test_the_order_of_the_outcomes_changes_nothing(outcomes):
    criteria = (criterion(checks=("public", "hidden")), criterion("metric", id="c2", checks=("hidden",)))
    usual = marked(*criteria, exam=examination(sorted(outcomes)), named_bands=TOYS)
    assert marked(*criteria, exam=examination(outcomes), named_bands=TOYS) == usual


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
def test_passing_one_more_check_never_costs_points(passed, data):
    checks = {f"public/test_a.py::test_{n}": "" if good else MESSAGE for n, good in enumerate(passed)}
    mended = dict(checks) | {data.draw(st.sampled_from(sorted(checks))): ""}
    rule = criterion(checks=("public",), points=data.draw(st.decimals(0, 50, places=1)))
    before, after = (only(marked(rule, exam=examination(found))).points for found in (checks, mended))
    assert 0 <= before <= after <= rule.points


def test_our_broken_sandbox_costs_the_student_nothing():
    sheet = marked(criterion(checks=("public", "hidden")), exam=examination(BROKEN))
    assert only(sheet).points is None
    assert only(sheet).needs_person
    reason = "could not be checked; this is our fault and costs nothing: the sandbox broke"
    assert only(sheet).reason == reason
    assert sheet.total is None
    assert sheet.flags == (f"First: {reason}",)


def test_a_check_that_was_not_run_is_our_fault():
    found = only(marked(criterion(checks=("public", "hidden/test_c.py")), exam=examination(MIXED)))
    assert found.points is None
    assert found.needs_person
    assert found.reason == "'hidden/test_c.py' was not run; this is our fault and costs nothing"


def test_a_required_check_that_failed_takes_all_points():
    found = only(marked(criterion(checks=(GOOD,), requires=(BAD,)), exam=examination(MIXED)))
    assert found.points == 0
    assert found.reason == f"no points, as a required check failed: {MESSAGE}"


def test_a_required_check_that_passed_changes_nothing():
    found = only(marked(criterion(checks=(GOOD,), requires=(OTHER,)), exam=examination(MIXED)))
    assert found.points == 10


def test_a_required_check_that_could_not_be_checked_leaves_the_mark_open():
    found = only(marked(criterion(checks=(GOOD,), requires=(BAD,)), exam=examination(BROKEN)))
    assert found.points is None
    assert found.needs_person


def test_a_required_check_that_failed_decides_even_if_another_could_not_be_checked():
    outcomes = BROKEN | {OTHER: MESSAGE}
    found = only(marked(criterion(checks=(GOOD,), requires=("hidden",)), exam=examination(outcomes)))
    assert found.points == 0


# --- kind metric


def test_a_measurement_earns_points_and_is_kept_for_the_report():
    figure = measurement(4, half=0.1)
    found = only(marked(criterion("metric"), exam=examination((), [figure]), named_bands=TOYS))
    assert found.points == Decimal("5.5")
    assert found.reason == "measured 4.0 ± 0.1 nats; full points at 2.0, none at 6.0"
    assert (found.measurement, found.full_at, found.none_at) == (figure, 2, 6)
    assert not found.needs_person


def test_an_interval_over_more_than_a_step_asks_for_a_person_and_earns_what_the_figure_does():
    exam = examination((), [measurement(4, half=0.4)])
    sheet = marked(criterion("metric"), exam=exam, named_bands=TOYS)
    assert only(sheet).points == 5
    assert only(sheet).reason.endswith("; the interval spans 4.0 to 6.0 points")
    assert sheet.total == 5
    assert sheet.flags == (f"First: {only(sheet).reason}",)


def test_one_absurd_answer_does_not_make_a_bad_figure_a_good_one():
    """1 of 500 images costs 8000 nats: the mean is hopeless, and its favourable end better than any model."""
    exam = examination((), [measurement(24, half=32)])
    found = only(marked(criterion("metric"), exam=exam, named_bands=TOYS))
    assert (found.points, found.needs_person) == (0, True)


def test_a_distance_below_zero_by_more_than_its_error_asks_for_a_person():
    for value, half, asked in ((-0.05, 0.1, False), (-0.5, 0.1, True)):
        exam = examination((), [measurement(value, half=half)])
        found = only(marked(criterion("metric", scale="log"), exam=exam, named_bands=TOYS))
        assert found.points == found.out_of
        assert found.needs_person == asked
        assert ("below zero by more than its error" in found.reason) == asked


def test_an_interval_over_one_grid_point_asks_nobody():
    exam = examination((), [measurement(3.95, half=0.08)])
    found = only(marked(criterion("metric"), exam=exam, named_bands=TOYS))
    assert found.points == Decimal("5.5")
    assert not found.needs_person


def test_a_metric_needs_its_required_checks():
    exam = examination(MIXED, [measurement(2, half=0.1)])
    found = only(marked(criterion("metric", requires=(BAD,)), exam=exam, named_bands=TOYS))
    assert found.points == 0
    assert found.reason == f"no points, as a required check failed: {MESSAGE}"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_no_measurement_because_its_check_failed_earns_nothing(value):
    exam = examination(MIXED, [measurement(value)])
    found = only(marked(criterion("metric", checks=(BAD,)), exam=exam, named_bands=TOYS))
    assert found.points == 0
    assert found.reason == f"could not be measured: {MESSAGE}"
    assert not found.needs_person


def test_no_measurement_because_its_check_could_not_run_stays_open():
    found = only(marked(criterion("metric", checks=(BAD,)), exam=examination(BROKEN), named_bands=TOYS))
    assert found.points is None
    assert found.needs_person


@pytest.mark.parametrize("checks", [(), (GOOD,)])
def test_no_measurement_that_nobody_can_explain_stays_open(checks):
    exam = examination(MIXED)
    found = only(marked(criterion("metric", checks=checks), exam=exam, named_bands=TOYS))
    assert found.points is None
    assert found.reason == "was not measured; this costs nothing"
    assert found.needs_person


@pytest.mark.parametrize("calibrated", [None, bands(), bands(loss=band(6, 2)), bands(loss=band(0, 2))])
def test_without_a_band_that_fits_the_mark_stays_open(calibrated):
    rule = criterion("metric", scale="log")
    found = only(marked(rule, exam=examination((), [measurement(2)]), named_bands=calibrated))
    assert found.points is None
    assert found.needs_person
    assert found.reason.startswith("the measurement cannot be turned into points: ")


def remarked(value, recorded, *, rule=None, calibrated=TOYS):
    exam = examination((), [measurement(value, half=0.05)])
    return marked(rule or criterion("metric"), exam=exam, named_bands=calibrated, recorded=recorded)


def test_a_mark_that_noise_would_move_by_a_step_stands():
    first = remarked(4.0, None)
    again = remarked(4.18, first)
    assert only(first).points == 5
    assert only(remarked(4.18, None)).points == Decimal("4.5")
    assert only(again).points == 5
    assert only(again).reason.endswith("; the recorded 5.0 stand, as the interval does not exclude them")


def test_a_mark_that_the_new_interval_excludes_moves():
    assert only(remarked(3.0, remarked(4.0, None))).points == Decimal("7.5")


@pytest.mark.parametrize(
    "change",
    [
        {"rule": criterion("metric", points=Decimal("9.8"))},
        {"calibrated": bands(loss=band(2, 6.05))},
        {"rule": criterion("metric", step=Decimal("0.3"))},
        {"rule": criterion("metric", id="other")},
    ],
)
def test_a_changed_rubric_or_band_starts_afresh(change):
    first = remarked(4.0, None)
    assert only(remarked(4.18, first, **change)).points == only(remarked(4.18, None, **change)).points


def test_a_recorded_mark_that_was_open_or_not_measured_binds_nobody():
    fresh = remarked(4.18, None)
    given_by_hand = marked(criterion("metric"), manual=by_hand("5", reason="asked"), exam=examination())
    still_open = marked(criterion("metric"), exam=examination(), named_bands=TOYS)
    assert only(remarked(4.18, given_by_hand)) == only(fresh)
    assert only(remarked(4.18, still_open)) == only(fresh)


# --- kinds manual and penalty, and marks by hand


def test_a_manual_criterion_waits_for_its_mark_without_raising_an_alarm():
    sheet = marked(criterion("manual"), exam=examination())
    assert only(sheet).points is None
    assert only(sheet).reason == "not marked yet"
    assert sheet.total is None
    assert sheet.flags == ()


def test_a_manual_mark_counts_with_its_reason():
    found = only(marked(criterion("manual"), manual=by_hand("7.25", reason="sign error"), exam=examination()))
    assert (found.points, found.reason) == (Decimal("7.25"), "sign error")
    assert only(marked(criterion("manual"), manual=by_hand("7"))).reason == "marked by hand"


@pytest.mark.parametrize("kind", ["check", "metric"])
def test_a_mark_by_hand_beats_what_the_grader_found(kind):
    rule = criterion(kind, checks=("public", "hidden"))
    sheet = marked(rule, exam=examination(BROKEN), manual=by_hand("8", reason="ran it myself"))
    assert only(sheet).points == 8
    assert only(sheet).reason == "ran it myself (marked by hand)"
    assert sheet.total == 8


def test_a_penalty_takes_points_for_the_checks_that_failed():
    sheet = marked(
        criterion(checks=(GOOD,)),
        criterion("penalty", id="p", points=Decimal(6), checks=("public", "hidden")),
        exam=examination(MIXED),
    )
    assert sheet.marks[1].points == -2
    assert sheet.marks[1].out_of == 0
    assert (sheet.total, sheet.out_of) == (8, 10)


def test_a_penalty_can_be_all_or_nothing_or_none_at_all():
    rule = {"id": "p", "points": Decimal(6)}
    strict = criterion("penalty", checks=("hidden",), all_or_nothing=True, **rule)
    assert only(marked(strict, exam=examination(MIXED))).points == -6
    assert only(marked(strict, exam=examination({OTHER: ""}))).points == 0
    assert only(marked(criterion("penalty", **rule), exam=examination(MIXED))).points == 0
    by_person = marked(
        criterion("penalty", **rule), manual=by_hand("3", "p", "no README"), exam=examination()
    )
    assert only(by_person).points == -3


def test_a_penalty_that_could_not_be_checked_stays_open():
    rule = criterion("penalty", checks=("hidden",))
    assert only(marked(rule, exam=examination(BROKEN))).points is None


def test_penalties_take_the_total_no_lower_than_zero():
    sheet = marked(
        criterion(checks=(BAD,)), criterion("penalty", id="p", checks=(BAD,)), exam=examination(MIXED)
    )
    assert sheet.marks[1].points == -10
    assert sheet.total == 0


# --- nothing to examine


EVERY_KIND = (
    criterion(checks=("public",)),
    criterion("metric", id="c2"),
    criterion("manual", id="c3"),
    criterion("penalty", id="c4", checks=("public",)),
)


def test_no_submission_earns_nothing_and_says_why():
    collected = snapshot(commit=None, tree=None, problem="no commit before the deadline")
    sheet = marked(*EVERY_KIND, collected=collected)
    assert [mark.points for mark in sheet.marks] == [0, 0, None, 0]
    assert sheet.marks[0].reason == "no commit before the deadline"
    assert sheet.flags == ()


def test_a_commit_without_the_folder_of_the_assignment_earns_nothing():
    collected = snapshot(tree=None, problem="there is no folder a1")
    assert only(marked(criterion(checks=("public",)), collected=collected)).points == 0


def test_no_commit_without_a_word_is_no_submission():
    found = only(marked(criterion(checks=("public",)), collected=snapshot(commit=None, tree=None)))
    assert (found.points, found.reason) == (0, "nothing was handed in")


def test_a_repository_that_we_could_not_reach_costs_nothing():
    collected = snapshot(commit=None, tree=None, problem="the forge was down", problem_is_ours=True)
    sheet = marked(*EVERY_KIND, collected=collected)
    assert [mark.points for mark in sheet.marks] == [None, None, None, None]
    assert [mark.needs_person for mark in sheet.marks] == [True, True, False, True]
    assert sheet.flags == ("the forge was down; this costs nothing until a person has looked",)
    silent = snapshot(commit=None, tree=None, problem_is_ours=True)
    assert "the work could not be collected" in marked(*EVERY_KIND, collected=silent).flags[0]


def test_work_that_was_not_examined_yet_stays_open():
    found = only(marked(criterion(checks=("public",))))
    assert (found.points, found.reason, found.needs_person) == (None, "not examined yet", True)


def test_a_mark_by_hand_stands_also_without_a_submission():
    collected = snapshot(commit=None, tree=None, problem="handed in on paper")
    assert (
        marked(criterion(checks=("public",)), collected=collected, manual=by_hand("4", reason="x")).total == 4
    )


# --- the sheet


def test_the_total_is_the_sum_less_the_late_rule():
    sheet = marked(
        criterion(checks=("public", "hidden"), points=Decimal(60)),
        criterion("manual", id="c2", points=Decimal(40)),
        exam=examination({GOOD: "", BAD: MESSAGE}),
        manual=by_hand("35.5", "c2"),
        collected=snapshot(days_late=2),
    )
    assert sheet.lateness.deducted == 20
    assert sheet.total == Decimal("45.5")
    assert sheet.out_of == 100
    assert (sheet.team, sheet.assignment) == ("t1", "a1_toys")


def test_lateness_is_shown_while_the_total_is_open():
    sheet = marked(criterion("manual", points=Decimal(100)), collected=snapshot(days_late=1))
    assert sheet.total is None
    assert sheet.lateness.deducted == 10


def test_work_of_another_assignment_is_refused():
    with pytest.raises(ValueError, match="rubric of a1_toys for a snapshot of a2"):
        marked(criterion(), collected=snapshot(assignment="a2"))
    with pytest.raises(ValueError, match="examination of a2 for a snapshot of a1_toys"):
        marked(criterion(), exam=examination(assignment="a2"))


def test_identical_work_of_two_teams_shares_an_examination():
    sheet = marked(criterion(checks=(GOOD,)), exam=examination(MIXED, team="t2"))
    assert (sheet.team, sheet.total) == ("t1", 10)


STATUSES = st.sampled_from(["", MESSAGE, None])


@given(
    st.fixed_dictionaries({GOOD: STATUSES, OTHER: STATUSES, BAD: STATUSES}),
    st.none() | st.floats(-1, 9),
    st.floats(0, 2),
    st.integers(0, 4),
)
def test_regrading_a_hundred_times_changes_no_mark(outcomes, value, half, days_late):
    figure = measurement(value) if value is None else measurement(value, half=half)
    exam = examination(outcomes, [figure], status=Status.PASSED)
    arguments = (
        snapshot(days_late=days_late),
        exam,
        rubric(
            criterion(checks=("public", "hidden"), points=Decimal(50)),
            criterion("metric", id="c2", points=Decimal(40), requires=(GOOD,), checks=(OTHER,)),
            criterion("penalty", id="c3", points=Decimal(10), checks=(BAD,)),
        ),
        TOYS,
        {},
        LatePolicy(),
    )
    first = recorded = mark(*arguments)
    for _ in range(100):
        recorded = mark(*arguments, recorded=recorded)
    assert recorded == first
    assert first.total is None or 0 <= first.total <= first.out_of
    open_because_of_us = None in outcomes.values()
    assert first.total is not None or open_because_of_us or value is None


@pytest.mark.parametrize("decision", [Decision.REWRITTEN, Decision.GAP])
def test_a_doubt_about_the_commit_is_a_reason_to_look(decision):
    found = snapshot().evidence.model_copy(
        update={"decision": decision, "flags": ("the branch was rewritten",)}
    )
    sheet = marked(
        criterion(checks=(GOOD,)), collected=snapshot(evidence=found), exam=examination({GOOD: ""})
    )
    assert sheet.flags == ("the branch was rewritten",)
    assert sheet.total is not None


def test_context_about_a_commit_that_nobody_doubts_is_no_reason():
    found = snapshot().evidence.model_copy(update={"flags": ("branch `x` has newer work",)})
    assert marked(criterion("manual"), collected=snapshot(evidence=found)).flags == ()


def test_a_flag_about_many_criteria_names_the_first_and_counts_the_rest():
    many = [criterion(id=f"c{number}", title=f"Number {number}", checks=(GOOD,)) for number in range(5)]
    (flag,) = marked(*many, exam=examination({GOOD: None})).flags
    assert flag.startswith("Number 0, Number 1, Number 2 and 2 more: could not be checked")
