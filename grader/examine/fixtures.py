"""What a check file can ask for by name: candidate, reference, exam, task and measure."""

from collections.abc import Callable
from typing import Any

import pytest

from grader.candidate import Candidate
from grader.course.model import Task
from grader.examine.exam import Exam
from grader.records import Measurement

EXAM = pytest.StashKey[Exam]()
"""Where the plugin puts the examination in progress."""


@pytest.fixture(scope="session")
def exam(pytestconfig: pytest.Config) -> Exam:
    """The examination in progress."""
    return pytestconfig.stash[EXAM]


@pytest.fixture
def task(request: pytest.FixtureRequest, exam: Exam) -> Task:
    """The task that the check file names in `pytestmark`."""
    marker = request.node.get_closest_marker("task")
    if marker is None:
        raise LookupError("the check file has no pytestmark = pytest.mark.task('<task id>')")
    return exam.task(marker.args[0])


@pytest.fixture
def candidate(exam: Exam, task: Task) -> Candidate:
    """The submission, in the worker that the checks of this task share."""
    return exam.shared(task.id)


@pytest.fixture
def reference(exam: Exam, task: Task) -> Candidate:
    """Our solution: same interface, same sandbox, same path."""
    return exam.shared(task.id, reference=True)


@pytest.fixture(scope="session")
def measure(exam: Exam) -> Callable[..., Measurement]:
    """Record a figure: `measure(name, value, unit=..., n=..., standard_error=..., extractor=...)`.

    With `sampled=True` where n is `exam.samples(...)`: drawing more samples narrows the interval.
    """

    def record(
        name: str, value: float | None, *, standard_error: float | None = None, **rest: Any
    ) -> Measurement:
        figure = with_interval(name, value, standard_error=standard_error, **rest)
        exam.measurements.append(figure)
        return figure

    return record


def with_interval(
    name: str, value: float | None, *, standard_error: float | None = None, **rest: Any
) -> Measurement:
    """A measurement with the interval value ± 2 standard errors."""
    if value is None:
        return Measurement(name=name, value=None, **rest)
    spread = 2.0 * float(standard_error or 0.0)
    return Measurement(name=name, value=float(value), low=value - spread, high=value + spread, **rest)
