"""An examination and our reference's in; the same examination without the checks that we ourselves fail, out.

Our solution is examined first, by the same path. A check that it does not pass says nothing about a
student: there the fault is ours, and the outcome becomes `could_not_check`.
"""

from grader.records import Examination, Outcome, Status

REFERENCE_FAILS = (
    "our own solution does not pass this check here; it costs no marks until a person has looked"
)


def withhold(examination: Examination, reference: Examination) -> Examination:
    """Turn failures of checks that the reference does not pass into 'could not be checked'."""
    known = {outcome.check for outcome in reference.outcomes if outcome.status is Status.PASSED}
    unsound = {outcome.check for outcome in reference.outcomes} - known
    if reference.status is Status.COULD_NOT_CHECK and not known:  # it was not examined at all
        unsound = {outcome.check for outcome in examination.outcomes}
    outcomes = tuple(_without_blame(outcome, unsound) for outcome in examination.outcomes)
    if outcomes == examination.outcomes:
        return examination
    return examination.model_copy(update={"outcomes": outcomes, "status": Status.COULD_NOT_CHECK})


def _without_blame(outcome: Outcome, unsound: set[str]) -> Outcome:
    if outcome.check not in unsound or outcome.status is not Status.FAILED:
        return outcome
    return outcome.model_copy(update={"status": Status.COULD_NOT_CHECK, "message": REFERENCE_FAILS})
