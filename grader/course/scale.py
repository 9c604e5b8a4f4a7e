"""An assignment and the name of a scale in; the assignment with the sizes of that scale out. No I/O."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from grader.course.mistakes import nearest
from grader.course.model import Assignment, Limits, Scale, Task, TaskScale
from grader.errors import ConfigurationError

CPU = "cpu"
"""The scale of the file itself: what stands in `config`, `budget` and `limits`."""

DIGITS = "digits"
"""The image data that are part of the grader; all others lie in the course's data folder."""

Problem = tuple[str, str]
Value = TypeVar("Value")


def at_scale(assignment: Assignment, scale: str = "") -> Assignment:
    """The assignment as it is examined: every override of the scale is in its place, and none is left over.

    Args:
        assignment: as the file says it.
        scale: 'cpu' or one of the assignment's scales; empty for the one that the file chooses.

    Raises:
        ConfigurationError: the assignment has no such scale.
    """
    name = scale or assignment.scale
    if name != CPU and name not in assignment.scales:
        known = (CPU, *assignment.scales)
        raise ConfigurationError(f"{assignment.id} has no scale '{name}'{nearest(name, known)}")
    chosen = assignment.scales.get(name, Scale())
    plain = {
        field: value
        for field in ("device", "images", "train_images", "held_out_images")
        if (value := getattr(chosen, field)) is not None
    }
    return assignment.model_copy(
        update=plain
        | {
            "scale": name,
            "scales": {},
            "tasks": tuple(_task_at(task, name) for task in assignment.tasks),
            "limits": assignment.limits.model_copy(update=chosen.limits),
        }
    )


def scale_problems(assignment: Assignment) -> Iterator[Problem]:
    """What is wrong with the scales of an assignment, as field and message."""
    known = (CPU, *assignment.scales)
    if assignment.scale not in known:
        yield "scale", f"no scale '{assignment.scale}'{nearest(assignment.scale, known)}"
    if CPU in assignment.scales:
        yield f"scales.{CPU}", "is the scale of the file itself; write its sizes in the file"
    for name, scale in assignment.scales.items():
        yield from _unknown_keys(scale.limits, Limits.model_fields, f"scales.{name}.limits")
    for task in assignment.tasks:
        for name, changes in task.scales.items():
            yield from _task_problems(task, name, changes, tuple(assignment.scales))


def budget_problems(assignment: Assignment) -> Iterator[Problem]:
    """Training budgets that no session can last for, at any scale."""
    for name in (CPU, *assignment.scales):
        sized = at_scale(assignment, name)
        for task in sized.tasks:
            wall_s, lasts_s = task.budget.get("wall_s", 0), sized.limits.session_wall_s
            if wall_s > lasts_s:
                message = (
                    f"{wall_s} s at scale '{name}'; a worker ends after limits.session_wall_s, {lasts_s} s"
                )
                yield f"tasks[{task.id}].budget.wall_s", message


def bands_file(scale: str) -> str:
    """Name of the file with the bands of a scale: the reference is another model on other data there."""
    return "bands.json" if scale == CPU else f"bands_{scale}.json"


def _task_at(task: Task, name: str) -> Task:
    changes = task.scales.get(name, TaskScale())
    update = {"config": task.config | changes.config, "budget": task.budget | changes.budget, "scales": {}}
    return task.model_copy(update=update)


def _task_problems(task: Task, name: str, changes: TaskScale, known: tuple[str, ...]) -> Iterator[Problem]:
    place = f"tasks[{task.id}].scales.{name}"
    if name not in known:
        yield place, f"no table [scales.{name}] in this file{nearest(name, known)}"
    yield from _unknown_keys(changes.config, task.config, f"{place}.config")
    yield from _unknown_keys(changes.budget, task.budget, f"{place}.budget")


def _unknown_keys(changes: Mapping[str, object], known: Mapping[str, Value], place: str) -> Iterator[Problem]:
    for key in changes:
        if key not in known:
            yield f"{place}.{key}", f"changes what is not there{nearest(key, tuple(known))}"
