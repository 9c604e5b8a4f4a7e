"""A record of the course tree in; what contradicts itself inside it, as field and message, out. No I/O."""

import keyword
import re
from collections.abc import Iterator
from functools import singledispatch
from pathlib import PurePosixPath

from grader.course.cluster_settings import ClusterSettings, cluster_problems
from grader.course.instants import zone_named
from grader.course.mistakes import repeated
from grader.course.model import Assignment, Band, Bands, Component, Course, Criterion, Rubric
from grader.course.scale import scale_problems
from grader.errors import ConfigurationError
from grader.records import Record

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
Problem = tuple[str, str]


@singledispatch
def mistakes_in(record: Record) -> Iterator[Problem]:  # noqa: ARG001  # the type alone decides
    """What pydantic cannot see because it takes two fields to see it."""
    yield from ()


@mistakes_in.register
def _course(course: Course) -> Iterator[Problem]:
    yield from _components(course)
    yield from _time_zone(course.time_zone)
    if course.collect.branch.startswith("refs/"):
        short = course.collect.branch.removeprefix("refs/heads/")
        yield "collect.branch", f"expected the name alone, such as 'main', got a full name; write '{short}'"
    yield from ((f"cluster.{field}", message) for field, message in cluster_problems(course.cluster))
    if not course.scales:
        yield "scales", "at least one letter scale is needed, such as [scales.undergraduate]"
    for level, scale in course.scales.items():
        if not scale.letters:
            yield f"scales.{level}.letters", "no letters; write such as A = 85"
        if repeated(str(bound) for bound in scale.letters.values()):
            yield f"scales.{level}.letters", "two letters have the same lowest mark"


@mistakes_in.register
def _cluster(settings: ClusterSettings) -> Iterator[Problem]:
    yield from cluster_problems(settings)


def _components(course: Course) -> Iterator[Problem]:
    shares = course.components
    total = sum(part.weight for part in (shares.assignments, shares.exam, shares.project))
    if total != 100:
        yield "components", f"weights sum to {total}, expected 100"
    if not shares.assignments.items and shares.assignments.weight > 0:
        yield "components.assignments.items", "empty; name the assignments that share the weight"
    for item in repeated(shares.assignments.items):
        yield "components.assignments.items", f"'{item}' is named twice"
    wholes: tuple[tuple[str, Component], ...] = (("exam", shares.exam), ("project", shares.project))
    for name, part in wholes:
        if part.items:
            yield f"components.{name}.items", "only the assignments have items; leave it out"


def _time_zone(zone: str) -> Iterator[Problem]:
    try:
        zone_named(zone)
    except ConfigurationError as error:
        yield "time_zone", str(error).removeprefix("time zone ")


@mistakes_in.register
def _assignment(assignment: Assignment) -> Iterator[Problem]:
    if not IDENTIFIER.fullmatch(assignment.id):
        yield "id", f"'{assignment.id}' is not an id; use lower-case letters, digits and '_'"
    folder = PurePosixPath(assignment.folder)
    if folder.is_absolute() or ".." in folder.parts:
        yield "folder", f"'{assignment.folder}' leaves the repository; write a folder inside it"
    for repeat in repeated(task.id for task in assignment.tasks):
        yield "tasks", f"two tasks have the id '{repeat}'"
    for repeat in repeated(task.module for task in assignment.tasks):
        yield "tasks", f"two tasks have the module '{repeat}'"
    for task in assignment.tasks:
        if not _is_name(task.module):
            hint = "leave out '.py'" if task.module.endswith(".py") else "write the name of a Python module"
            yield f"tasks[{task.id}].module", f"'{task.module}' cannot be imported; {hint}"
        for name in (*task.names, *task.optional):
            if not _is_name(name):
                yield f"tasks[{task.id}].names", f"'{name}' is not the name of a function or class"
    yield from scale_problems(assignment)
    yield from _image_names(assignment)


def _image_names(assignment: Assignment) -> Iterator[Problem]:
    images = {"images": assignment.images}
    images |= {f"scales.{name}.images": scale.images or "" for name, scale in assignment.scales.items()}
    for field, name in images.items():
        if name and not IDENTIFIER.fullmatch(name):
            yield field, f"'{name}' is not the name of image data; use lower-case letters, digits and '_'"


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


@mistakes_in.register
def _rubric(rubric: Rubric) -> Iterator[Problem]:
    if not rubric.criteria:
        yield "criteria", "no criteria; write at least one [[criteria]]"
    for repeat in repeated(criterion.id for criterion in rubric.criteria):
        yield "criteria", f"two criteria have the id '{repeat}'"
    for criterion in rubric.criteria:
        for field, message in _criterion(criterion):
            yield f"criteria[{criterion.id}].{field}", message


def _criterion(criterion: Criterion) -> Iterator[Problem]:
    if not IDENTIFIER.fullmatch(criterion.id):
        yield "id", f"'{criterion.id}' is not an id; use lower-case letters, digits and '_'"
    if criterion.kind == "check" and not criterion.checks:
        yield "checks", "empty; a criterion of kind 'check' names the checks that earn its points"
    if criterion.kind == "metric" and not criterion.metric:
        yield "metric", "empty; a criterion of kind 'metric' names the measurement that earns its points"
    if criterion.kind != "metric" and criterion.metric:
        yield "metric", f"a criterion of kind '{criterion.kind}' has no metric"
    if criterion.kind == "manual" and (criterion.checks or criterion.requires):
        yield "checks", "a criterion of kind 'manual' is marked by a person and has no checks"
    if criterion.kind == "penalty" and criterion.requires:
        yield "requires", "a criterion of kind 'penalty' takes points and requires nothing"


@mistakes_in.register
def _bands(bands: Bands) -> Iterator[Problem]:
    for name, band in bands.bands.items():
        if band.full_at == band.none_at:
            yield f"bands.{name}", f"full_at and none_at are both {band.full_at}; calibrate again"


def band_problem(criterion: Criterion, band: Band) -> str | None:
    """Why points cannot be given on this band, or None when they can."""
    if (band.full_at < band.none_at) != (criterion.direction == "lower") or band.full_at == band.none_at:
        relation = "below" if criterion.direction == "lower" else "above"
        anchors = f"full_at is {band.full_at} and none_at is {band.none_at}"
        return f"{anchors}, but full points must lie {relation}, where '{criterion.direction}' is better"
    if criterion.scale == "log" and min(band.full_at, band.none_at) <= 0:
        return f"full_at is {band.full_at} and none_at is {band.none_at}, but a log scale needs both above 0"
    return None
