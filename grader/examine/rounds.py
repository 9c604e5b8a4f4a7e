"""Requests and the state folder in; all that was found out about them, in every round of samples, out."""

from grader.examine.effort import EFFORTS, sharpest, without_damaged
from grader.examine.request import ExamRequest, with_effort
from grader.examine.stored import is_damaged, is_stored, load
from grader.examine.withhold import withhold
from grader.records import Examination
from grader.store import Store


def found_out(store: Store, request: ExamRequest, reference: ExamRequest) -> Examination:
    """What is stored: held against our reference, and each task with the most samples that were drawn.

    A round of which a file is damaged, the submission's or ours, counts as absent; a note says so.
    """
    rounds = [
        (
            with_effort(request, task=task.id, effort=effort),
            with_effort(reference, task=task.id, effort=effort),
        )
        for task in request.material.assignment.tasks
        for effort in EFFORTS
    ]
    damaged = [pair for pair in rounds if any(is_damaged(store, each) for each in pair)]
    more = [pair for pair in rounds if is_stored(store, pair[0]) and pair not in damaged]
    found = sharpest(
        withhold(load(store, request), load(store, reference)),
        ((load(store, again), load(store, ours)) for again, ours in more),
    )
    return without_damaged(found, [again.effort for again, _ in damaged])


def is_to_be_sharpened(store: Store, request: ExamRequest, task: str) -> bool:
    """Whether a task that is in doubt is yet to be examined with more samples."""
    return not all(is_stored(store, with_effort(request, task=task, effort=effort)) for effort in EFFORTS)
