"""The pytest plugin: every outcome of a check, sorted by whose fault it is.

`AssertionError` and `CandidateError` are the student's: failed. Any other exception is ours: could not be
checked. Nothing that pytest prints is shown to a student; only the message of the assertion is.
"""

from collections.abc import Callable, Iterator
from types import TracebackType

import pytest

from grader.errors import CandidateError
from grader.examine.exam import Exam
from grader.examine.fixtures import EXAM
from grader.records import Outcome, Status
from grader.sandbox.visible import visible

_RUNNER = frozenset({"_pytest", "pluggy"})
"""Packages whose frames say nothing about a check."""

OUR_FAULT = "this check could not be carried out because of a fault on our side; it costs no marks"


class ExaminationPlugin:
    """One examination as a pytest plugin object; read `outcomes` when the session is over."""

    def __init__(
        self, exam: Exam, *, tasks: tuple[str, ...] = (), report: Callable[[str], None] = lambda _: None
    ) -> None:
        """Run the checks of these tasks, or of all where none is named; `report` hears which one begins."""
        self._exam = exam
        self._tasks = tasks
        self._report = report
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All outcomes, in a stable order."""
        return tuple(self._outcomes[check] for check in sorted(self._outcomes))

    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand the examination to the fixtures, and declare the one marker that a check file needs."""
        config.stash[EXAM] = self._exam
        config.addinivalue_line("markers", "task(id): the task of assignment.toml that the checks examine")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Every check that was asked for starts as 'could not be checked', so that none can vanish."""
        if self._tasks:
            items[:] = [item for item in items if _task_of(item) in self._tasks]
        for item in items:
            self._outcomes[item.nodeid] = Outcome(
                check=item.nodeid, status=Status.COULD_NOT_CHECK, message=OUR_FAULT
            )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which check begins, for the progress display."""
        self._report(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Turn the end of a phase into an outcome, and show in the log where a check ended."""
        problem = call.excinfo.value if call.excinfo else None
        if problem is not None:
            call.excinfo = pytest.ExceptionInfo.from_exception(_from_the_check_on(problem))
        report = yield
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


def _task_of(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("task")
    return marker.args[0] if marker else None


def _from_the_check_on(problem: BaseException) -> BaseException:
    """With a traceback that begins where the runner called the check or its fixture, if it did."""
    frame: TracebackType | None = problem.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _RUNNER:
        frame = frame.tb_next
    return problem.with_traceback(frame or problem.__traceback__)


def _first_words(problem: BaseException) -> str:
    """The message that the author of the check wrote; never pytest's picture of our variables."""
    text = str(problem).strip() or "the check failed"
    return visible(text.splitlines()[0], limit=500)
