import pytest

from grader.errors import WrongAnswer

pytestmark = pytest.mark.task("count")


def test_mean_of_equals_the_reference(candidate, reference):
    want = reference.mean_of([1, 2, 6])
    got = candidate.mean_of([1, 2, 6])
    assert abs(got - want) < 1e-9, f"the mean of 1, 2 and 6 comes out as {got!r}; it should be {want!r}"


def test_mean_is_close_on_many_numbers(candidate, exam, measure):
    numbers = [(exam.seed_for(f"number {i}") % 1000) / 10 for i in range(50)]
    got = candidate.mean_of(numbers)
    if not isinstance(got, float):
        raise WrongAnswer(f"`mean_of` returned a {type(got).__name__} where a float is asked for")
    error = abs(got - sum(numbers) / len(numbers))
    measure("mean_error", error, unit="", n=len(numbers), standard_error=0.0)
    measure("mean_error_baseline", 100.0, unit="", n=len(numbers))
    exam.artifact("text", "numbers", " ".join(map(str, numbers[:5])))
    assert error < 10, f"the mean is off by {error:.3g}; at most 10 is allowed"
