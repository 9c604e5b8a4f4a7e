"""What examinations took, kept in the state folder; in for the next ones, how long they will take.

`durations/<assignment>.json` is written when a batch is done, never for each examination. It helps the order
and the person who waits: no result depends on it, and a missing or damaged file is no history.
"""

from grader.errors import StoreError
from grader.examine.estimate import Durations
from grader.examine.request import ExamRequest
from grader.store import Store


class History:
    """The durations of one state folder."""

    def __init__(self, store: Store) -> None:
        """Files are read when they are first asked for."""
        self._store = store
        self._known: dict[str, Durations] = {}
        self._new: dict[str, list[tuple[ExamRequest, float]]] = {}

    def expected_s(self, request: ExamRequest) -> float:
        """How long an examination will take, in seconds."""
        return self._durations(request.material.assignment.id).expected_s(request)

    def took(self, request: ExamRequest, wall_s: float) -> None:
        """Remember how long one took."""
        self._new.setdefault(request.material.assignment.id, []).append((request, wall_s))

    def save(self) -> None:
        """Write what is new."""
        while self._new:
            assignment, took = self._new.popitem()
            self._known[assignment] = self._durations(assignment).with_more(took)
            self._store.write(_name(assignment), self._known[assignment])

    def _durations(self, assignment: str) -> Durations:
        if assignment not in self._known:
            try:
                found = self._store.read(_name(assignment), Durations)
            except StoreError:
                found = None
            self._known[assignment] = found or Durations()
        return self._known[assignment]


def _name(assignment: str) -> str:
    return f"durations/{assignment}.json"
