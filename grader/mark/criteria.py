"""One criterion and one examination in, one mark with its reason out. Pure.

Whose fault decides: what the submission failed earns nothing; what *we* could not check earns no points
either way, stays open and asks for a person. A gap is never filled with a number.
"""

import math
from collections.abc import Sequence
from decimal import Decimal

from grader.course.check_ids import covers
from grader.course.consistency import band_problem
from grader.course.model import Band, Bands, Criterion
from grader.mark.reasons import measured, message_of, not_met, passed
from grader.mark.scale import ARITHMETIC, quantised, scaled, settled
from grader.records import Examination, Mark, Measurement, Outcome, Status

NOTHING = Decimal(0)


def mark_criterion(
    criterion: Criterion, examination: Examination, bands: Bands | None, *, recorded: Mark | None = None
) -> Mark:
    """The mark for any kind of criterion that an examination decides."""
    if criterion.kind == "metric":
        return mark_by_metric(criterion, examination, bands, recorded=recorded)
    return (mark_by_checks if criterion.kind == "check" else mark_penalty)(criterion, examination)


def mark_by_checks(criterion: Criterion, examination: Examination) -> Mark:
    """Kind 'check': points in proportion to the checks that passed, or all or nothing."""
    if (blocked := _requirement(criterion, examination)) is not None:
        return blocked
    if (unclear := _unclear(criterion, criterion.checks, examination)) is not None:
        return unclear
    outcomes = _chosen(criterion.checks, examination)
    failures = _with_status(Status.FAILED, outcomes)
    share = ARITHMETIC.divide(Decimal(len(outcomes) - len(failures)), Decimal(len(outcomes)))
    if criterion.all_or_nothing and failures:
        share = NOTHING
    points = quantised(share * criterion.points, step=criterion.step, most=criterion.points)
    return given(criterion, points, passed(outcomes, failures, all_needed=criterion.all_or_nothing))


def mark_by_metric(
    criterion: Criterion, examination: Examination, bands: Bands | None, *, recorded: Mark | None = None
) -> Mark:
    """Kind 'metric': points by where the measured interval lies between baseline and reference.

    Args:
        criterion: of kind 'metric'.
        examination: holds the measurement under the criterion's metric.
        bands: the calibration; None before the first.
        recorded: the mark of an earlier examination of the same work; it stands unless the new interval
            excludes it.
    """
    if (blocked := _requirement(criterion, examination)) is not None:
        return blocked
    band = bands.bands.get(criterion.metric) if bands else None
    problem = "it has not been calibrated" if band is None else band_problem(criterion, band)
    if band is None or problem is not None:
        return open_for_a_person(criterion, f"the measurement cannot be turned into points: {problem}")
    figure = examination.measurement(criterion.metric)
    if figure is None or figure.value is None or not math.isfinite(figure.value):
        return _unmeasured(criterion, examination)
    return _on_the_scale(criterion, figure, band, recorded)


def mark_penalty(criterion: Criterion, examination: Examination) -> Mark:
    """Kind 'penalty': points taken in proportion to the checks that failed; none without checks."""
    if not criterion.checks:
        return given(criterion, NOTHING, "nothing was taken away")
    if (unclear := _unclear(criterion, criterion.checks, examination)) is not None:
        return unclear
    outcomes = _chosen(criterion.checks, examination)
    failures = _with_status(Status.FAILED, outcomes)
    share = ARITHMETIC.divide(Decimal(len(failures)), Decimal(len(outcomes)))
    if criterion.all_or_nothing and failures:
        share = Decimal(1)
    points = quantised(share * criterion.points, step=criterion.step, most=criterion.points)
    return given(criterion, points, passed(outcomes, failures, all_needed=criterion.all_or_nothing))


def given(criterion: Criterion, points: Decimal, reason: str) -> Mark:
    """A mark that stands. The points of a penalty are counted below zero, out of nothing."""
    penalty = criterion.kind == "penalty"
    return Mark(
        criterion=criterion.id,
        title=criterion.title,
        points=-points if penalty and points else points,
        out_of=NOTHING if penalty else criterion.points,
        reason=reason,
    )


def open_for_a_person(criterion: Criterion, reason: str) -> Mark:
    """No mark, for a reason that is not the student's."""
    return given(criterion, NOTHING, reason).model_copy(update={"points": None, "needs_person": True})


def not_yet_marked(criterion: Criterion) -> Mark:
    """No mark, because the person who gives it has not done so."""
    return given(criterion, NOTHING, "not marked yet").model_copy(update={"points": None})


def _requirement(criterion: Criterion, examination: Examination) -> Mark | None:
    """The mark where a required check failed or could not be checked; None where all passed."""
    outcomes = _chosen(criterion.requires, examination)
    if failures := _with_status(Status.FAILED, outcomes):
        return given(criterion, NOTHING, not_met(failures[0]))
    return _unclear(criterion, criterion.requires, examination)


def _unclear(criterion: Criterion, patterns: Sequence[str], examination: Examination) -> Mark | None:
    """The open mark where one of these checks could not be checked or was not run; None otherwise."""
    outcomes = _chosen(patterns, examination)
    if broken := _with_status(Status.COULD_NOT_CHECK, outcomes):
        return open_for_a_person(
            criterion, f"could not be checked; this is our fault and costs nothing: {message_of(broken[0])}"
        )
    not_run = [pattern for pattern in patterns if not any(covers(pattern, o.check) for o in outcomes)]
    if not_run:
        return open_for_a_person(
            criterion, f"'{not_run[0]}' was not run; this is our fault and costs nothing"
        )
    return None


def _unmeasured(criterion: Criterion, examination: Examination) -> Mark:
    """The mark where there is no figure: the checks that should have measured it say whose fault that is."""
    if (unclear := _unclear(criterion, criterion.checks, examination)) is not None:
        return unclear
    if failures := _with_status(Status.FAILED, _chosen(criterion.checks, examination)):
        reason = _why_unmeasured(failures[0])
        return given(criterion, NOTHING, reason)
    return open_for_a_person(criterion, "was not measured; this costs nothing")


def _why_unmeasured(failure: Outcome) -> str:
    said = message_of(failure)
    return said if failure.is_to_do else f"could not be measured: {said}"


def _on_the_scale(criterion: Criterion, figure: Measurement, band: Band, recorded: Mark | None) -> Mark:
    fresh = scaled(figure, criterion=criterion, band=band)
    points, reason = fresh.earned, measured(figure, band)
    if recorded is not None and _comparable(recorded, criterion, band):
        points = settled(fresh, recorded=recorded.points or NOTHING, criterion=criterion)
        if points != fresh.earned:
            reason += f"; the recorded {points:f} stand, as the interval does not exclude them"
    if fresh.is_unsure:
        reason += f"; the interval spans {fresh.least:f} to {fresh.points:f} points"
    below_nothing = criterion.scale == "log" and figure.high is not None and figure.high < 0
    if below_nothing:
        reason += "; it is below zero by more than its error, which no honest distance is"
    update = {
        "needs_person": fresh.is_unsure or below_nothing,
        "measurement": figure,
        "full_at": band.full_at,
        "none_at": band.none_at,
    }
    return given(criterion, points, reason).model_copy(update=update)


def _comparable(recorded: Mark, criterion: Criterion, band: Band) -> bool:
    """Whether an earlier mark was given on the same scale; after a change of rubric or band none was."""
    anchors = (recorded.out_of, recorded.full_at, recorded.none_at)
    on_grid = recorded.points is not None and recorded.points in {
        criterion.points,
        quantised(recorded.points, step=criterion.step, most=criterion.points),
    }
    return on_grid and anchors == (criterion.points, band.full_at, band.none_at)


def _chosen(patterns: Sequence[str], examination: Examination) -> list[Outcome]:
    """The outcomes that ids of a rubric mean, each once: in the rubric's order, then by id."""
    ordered = sorted(examination.outcomes, key=lambda outcome: outcome.check)
    chosen = {o.check: o for pattern in patterns for o in ordered if covers(pattern, o.check)}
    return list(chosen.values())


def _with_status(status: Status, outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.status is status]
