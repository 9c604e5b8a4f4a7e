from decimal import Decimal

import pytest

from grader.records import Status
from grader.report.distributions import criterion_statistics, outcome_counts, scores_of

from .examples import BROKEN, FAILED, MARKS, PASSED, RUBRIC, assignment_view, closed, examination, marksheet


def sheets(*all_points):
    return [assignment_view(marksheet=closed(points, team=f"t{n}")) for n, points in enumerate(all_points)]


def statistics(views):
    return criterion_statistics(map(scores_of, views), prefix="p")


def counted(views):
    """The outcomes of every check of every view."""
    found = [view.examination for view in views if view.examination]
    return outcome_counts((outcome.check, outcome.status) for each in found for outcome in each.outcomes)


def test_mean_quartiles_full_and_none_of_every_criterion():
    first, *_ = statistics(sheets([10, 20, 30, 10, 30], [5, 0, 0, 0, 0], [0, 0, 0, 0, 0]))
    assert (first.title, first.marked, first.open) == ("KL divergence to the prior", 3, 0)
    assert (first.mean, first.quartiles, first.full, first.none) == ("50 %", "25 % · 50 % · 75 %", 1, 1)


def test_open_marks_are_counted_and_never_averaged():
    *_, written = statistics([assignment_view(), *sheets([10, 20, 30, 10, 15])])
    assert (written.marked, written.open, written.mean) == (1, 1, "50 %")


def test_a_criterion_that_nobody_has_a_mark_for_has_no_mean():
    *_, written = statistics([assignment_view()])
    assert (written.mean, written.quartiles, written.open) == ("\N{EN DASH}", "\N{EN DASH}", 1)


def test_discrimination_is_the_correlation_with_the_rest():
    together = sheets(*([n, n, n, n, n] for n in range(10)))
    against = sheets(*([n, 10 - n, 10 - n, 1, 1] for n in range(10)))
    assert statistics(together)[0].discrimination == "1.00"
    assert statistics(against)[0].discrimination == "\N{MINUS SIGN}1.00"


def test_discrimination_of_a_small_or_uniform_class_is_not_a_number():
    assert statistics(sheets([1, 1, 1, 1, 1]))[0].discrimination == "needs 10"
    assert statistics(sheets(*[[1, 1, 1, 1, 1]] * 10))[0].discrimination == "all alike"


def test_penalties_and_criteria_without_points_have_no_share():
    penalty = RUBRIC.criteria[0].model_copy(update={"kind": "penalty"})
    rubric = RUBRIC.model_copy(update={"criteria": (penalty, *RUBRIC.criteria[1:])})
    empty = MARKS[1].model_copy(update={"out_of": Decimal(0)})
    view = assignment_view(rubric=rubric, marksheet=marksheet(marks=(MARKS[0], empty, MARKS[2])))
    assert [line.title for line in statistics([view])] == ["Held-out bound after training"]


def test_checks_that_failed_most_often_come_first():
    one = assignment_view(examination=examination(outcomes=(*PASSED, *FAILED)))
    two = assignment_view(
        examination=examination(outcomes=(*PASSED, FAILED[0], *BROKEN), status=Status.COULD_NOT_CHECK)
    )
    counts = counted([one, two])
    assert (counts[0].check, counts[0].passed, counts[0].failed) == (FAILED[0].check, 0, 2)
    assert counts[2].could_not_check == 1
    assert sum(line.passed for line in counts) == 2 * len(PASSED)


@pytest.mark.parametrize("items", [[], [assignment_view(examination=None)]])
def test_nothing_examined_nothing_counted(items):
    assert counted(items) == ()


def test_an_empty_class_has_no_statistics():
    assert statistics([]) == ()
