"""The checks of every task that has a second scale run on images of another size than the digits'."""

from pathlib import Path

import pytest

from grader.collect.notebook import prepare
from grader.course.model import Assignment, Task
from grader.course.tree import CourseTree
from grader.data.data_sets import data_digest
from grader.examine.job import examine
from grader.examine.request import Material, Work, new_request
from grader.records import Status
from tests.data.generated import large_digits, write_idx_set

TREE = CourseTree.open(Path(__file__).parents[2], scale="gpu")
TASKS = [
    (name, task.id)
    for name in TREE.assignment_ids()
    if (found := TREE.read_assignment(name).found) is not None and "gpu" in found.scales
    for task in found.tasks
    if "gpu" in task.scales and (TREE.reference_dir(name) / f"{task.module}.py").is_file()
]
NARROW = {
    "width": 32,
    "hidden_dim": 32,
    "layers": 2,
    "blocks": 2,
    "latent_dim": 8,
    "context": 20,
    "steps": 60,
}
"""Sizes of models, for a machine without an accelerator; sizes of the images stay those of the scale."""
ONLY_PUBLIC = ("autoregressive", "transformer")
"""Tasks whose hidden checks take a minute: images drawn pixel by pixel, and every prefix of many sequences."""
SHORT = {"steps": 40, "batch": 32, "critic_steps": 2, "wall_s": 60}


def small(assignment: Assignment, task: Task) -> Assignment:
    """The assignment at its scale with one task, on the processor, with narrow networks and a short training."""
    config = {name: NARROW.get(name, value) for name, value in task.config.items()}
    budget = {name: SHORT.get(name, value) for name, value in task.budget.items()}
    tasks = (task.model_copy(update={"config": config, "budget": budget}),)
    update = {"device": "cpu", "tasks": tasks, "train_images": 600, "held_out_images": 300}
    return assignment.model_copy(update=update)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_idx_set(folder / "mnist", large_digits())
    return folder


def test_there_are_tasks_with_a_second_scale():
    assert ("a3_variational_and_diffusion_models", "vae") in TASKS


@pytest.mark.slow
@pytest.mark.parametrize(("assignment_id", "task_id"), TASKS, ids=lambda value: value)
def test_the_checks_run_on_large_images(assignment_id, task_id, data_folder, tmp_path):
    whole = TREE.assignment(assignment_id)
    assignment = small(whole, next(task for task in whole.tasks if task.id == task_id))
    folder = TREE.reference_dir(assignment_id)
    reference = Work(team="reference", folder=str(folder), prepared=prepare(folder, assignment.tasks))
    material = Material(
        assignment=assignment,
        folder=str(TREE.assignment_dir(assignment_id)),
        data_folder=str(data_folder),
        data_digest=data_digest("mnist", data_folder),
        reference=reference,
    )
    groups = ("public",) if task_id in ONLY_PUBLIC else ("public", "hidden")
    request = new_request(
        reference, material, sandbox="fake", seed=assignment.seed, groups=groups, tasks=(task_id,)
    )
    examination, _ = examine(request, tmp_path)
    by_status = {status: [o.check for o in examination.outcomes if o.status is status] for status in Status}
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert by_status[Status.COULD_NOT_CHECK] == [], log[-2000:]
    assert len(by_status[Status.PASSED]) > len(by_status[Status.FAILED]), examination.outcomes
