import pytest

from grader.examine.withhold import withhold
from grader.records import Environment, Examination, Outcome, Status

ENVIRONMENT = Environment(engine="e", python="3", torch="2", device="cpu", sandbox="fake", seed=1)


def examination(**outcomes):
    made = tuple(
        Outcome(check=c, status=s, message="" if s is Status.PASSED else "why") for c, s in outcomes.items()
    )
    return Examination(
        key="k", team="t", assignment="a", outcomes=made, status=Status.FAILED, environment=ENVIRONMENT
    )


@pytest.mark.parametrize("of_reference", [Status.FAILED, Status.COULD_NOT_CHECK])
def test_a_check_that_our_own_solution_does_not_pass_costs_nobody_anything(of_reference):
    found = withhold(examination(one=Status.FAILED), examination(one=of_reference))
    assert found.outcome("one").status is Status.COULD_NOT_CHECK
    assert found.status is Status.COULD_NOT_CHECK


def test_a_check_that_our_solution_passes_stays_failed():
    mine = examination(one=Status.FAILED)
    assert withhold(mine, examination(one=Status.PASSED)) == mine


def test_a_passed_check_stays_passed_whatever_the_reference_does():
    assert (
        withhold(examination(one=Status.PASSED), examination(one=Status.FAILED)).outcome("one").status
        is Status.PASSED
    )


def test_where_our_solution_was_not_examined_no_failure_is_blamed_on_anybody():
    mine = examination(one=Status.FAILED, two=Status.PASSED)
    ours = examination(**{"the examination itself": Status.COULD_NOT_CHECK})
    found = withhold(mine, ours.model_copy(update={"status": Status.COULD_NOT_CHECK}))
    assert [found.outcome(check).status for check in ("one", "two")] == [
        Status.COULD_NOT_CHECK,
        Status.PASSED,
    ]
