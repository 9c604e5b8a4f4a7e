"""The pytest plugin: fixtures for checks, and every outcome sorted by whose fault it is.

`AssertionError` and `CandidateError` are the student's: failed. Any other exception is ours: could not be
checked. Nothing that pytest prints is shown to a student; only the message of the assertion is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grader.candidate import Candidate
from grader.course.model import Task
from grader.errors import CandidateError
from grader.examine.exam import Exam
from grader.records import Measurement, Outcome, Status

OUR_FAULT = "this check could not be carried out because of a fault on our side; it costs no marks"


class ExaminationPlugin:
    """One examination as a pytest plugin object; read `outcomes` when the session is over."""

    def __init__(self, exam: Exam, *, report: Callable[[str], None] = lambda _: None) -> None:
        self._exam = exam
        self._report = report
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All outcomes, in a stable order."""
        return tuple(self._outcomes[check] for check in sorted(self._outcomes))

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the one marker that a check file needs."""
        config.addinivalue_line("markers", "task(id): the task of assignment.toml that the checks examine")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Every collected check starts as 'could not be checked', so that none can vanish."""
        for item in items:
            self._outcomes[item.nodeid] = Outcome(
                check=item.nodeid, status=Status.COULD_NOT_CHECK, message=OUR_FAULT
            )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which check begins, for the progress display."""
        self._report(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Turn the end of a phase into an outcome."""
        report = yield
        problem = call.excinfo.value if call.excinfo else None
        if problem is not None:
            self._settle(item.nodeid, problem)
        elif call.when == "call":
            self._outcomes[item.nodeid] = Outcome(check=item.nodeid, status=Status.PASSED)
        return report

    def _settle(self, check: str, problem: BaseException) -> None:
        if isinstance(problem, CandidateError | AssertionError | pytest.fail.Exception):
            outcome = Outcome(check=check, status=Status.FAILED, message=_first_words(problem))
        else:
            outcome = Outcome(check=check, status=Status.COULD_NOT_CHECK, message=OUR_FAULT)
        self._outcomes[check] = outcome

    @pytest.fixture(scope="session")
    def exam(self) -> Exam:
        """The examination in progress."""
        return self._exam

    @pytest.fixture
    def task(self, request: pytest.FixtureRequest, exam: Exam) -> Task:
        """The task that the check file names in `pytestmark`."""
        marker = request.node.get_closest_marker("task")
        if marker is None:
            raise LookupError("the check file has no pytestmark = pytest.mark.task('<task id>')")
        return exam.task(marker.args[0])

    @pytest.fixture
    def candidate(self, exam: Exam, task: Task) -> Candidate:
        """The submission, in the worker that the checks of this task share."""
        return exam.shared(task.id)

    @pytest.fixture
    def reference(self, exam: Exam, task: Task) -> Candidate:
        """Our solution: same interface, same sandbox, same path."""
        return exam.shared(task.id, reference=True)

    @pytest.fixture(scope="session")
    def measure(self, exam: Exam) -> Callable[..., Measurement]:
        """Record a figure: `measure(name, value, unit=..., n=..., standard_error=..., extractor=...)`."""

        def record(
            name: str,
            value: float | None,
            *,
            unit: str,
            n: int,
            standard_error: float | None = None,
            extractor: str = "",
        ) -> Measurement:
            figure = _measurement(
                name, value, unit=unit, n=n, standard_error=standard_error, extractor=extractor
            )
            exam.measurements.append(figure)
            return figure

        return record


def _measurement(name: str, value: float | None, *, standard_error: float | None, **rest: Any) -> Measurement:
    if value is None:
        return Measurement(name=name, value=None, **rest)
    spread = 2.0 * float(standard_error) if standard_error is not None else 0.0
    return Measurement(name=name, value=float(value), low=value - spread, high=value + spread, **rest)


def _first_words(problem: BaseException) -> str:
    """The message that the author of the check wrote; never pytest's picture of our variables."""
    text = str(problem).strip() or "the check failed"
    return text.splitlines()[0][:500]
