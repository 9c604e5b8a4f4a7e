"""What one command works on in, the examinations that it asks for out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from grader.collect.collector import Collected
from grader.collect.notebook import prepare
from grader.course.model import Assignment, Roster
from grader.course.scale import DIGITS
from grader.course.tree import CourseTree
from grader.data.data_sets import data_digest
from grader.examine.executor import Report
from grader.examine.request import ExamRequest, Material, Work, new_request
from grader.examine.scheduler import OpenExecutor, on_this_machine
from grader.store import Store

REFERENCE = "reference"
"""Team name under which our own solution is examined, before anybody else's."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one command works on."""

    tree: CourseTree
    roster: Roster
    store: Store
    out: Path
    sandbox: str = "auto"
    executor: OpenExecutor = field(default_factory=lambda: on_this_machine(2))
    """Where examinations run."""
    clock: Callable[[], int] = lambda: int(time.time())
    observe: Report = lambda _: None
    """Told what happens: for the display and the event log."""


def material_of(tree: CourseTree, assignment: Assignment) -> Material:
    """Our side of an assignment; the reference takes the same path as everybody's work.

    Raises:
        ConfigurationError: the image data of the assignment's scale are not there, or have changed.
    """
    folder = tree.reference_dir(assignment.id)
    reference = Work(team=REFERENCE, folder=str(folder), prepared=prepare(folder, assignment.tasks))
    data_folder = tree.data_dir()
    from_folder = assignment.images != DIGITS
    return Material(
        assignment=assignment,
        folder=str(tree.assignment_dir(assignment.id)),
        data_folder=str(data_folder),
        data_digest=data_digest(assignment.images, data_folder) if from_folder else "",
        reference=reference,
    )


def reference_request(run: Run, material: Material) -> ExamRequest:
    """The examination of our own solution."""
    seed = material.assignment.seed
    return new_request(material.reference, material, sandbox=run.sandbox, seed=seed)


def request_of(run: Run, material: Material, collected: Collected) -> ExamRequest | None:
    """The examination of a submission, or None where there is nothing to examine."""
    if collected.files is None or collected.prepared is None:
        return None
    folder = str(run.store.path(collected.files))
    work = Work(team=collected.snapshot.team, folder=folder, prepared=collected.prepared)
    return new_request(work, material, sandbox=run.sandbox, seed=material.assignment.seed)
