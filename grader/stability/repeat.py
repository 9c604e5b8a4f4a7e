"""One piece of work in, how well its marks hold when it is graded again and again out.

The same examination again: from the store, and from scratch in new sandboxes. Then, on purpose, with other
noise than everybody is measured with (or with another training as well), which no class ever sees. All
examinations are content-addressed and stored, so a run that was stopped goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from grader.collect.notebook import prepare
from grader.course.mistakes import resolved
from grader.course.model import Bands, Criterion, Task
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError, GraderError
from grader.examine.executor import Report
from grader.examine.request import ExamRequest, Material, Work, new_request, with_noise
from grader.examine.scheduler import OpenExecutor, Scheduler
from grader.examine.stored import is_stored, load, usage_of
from grader.examine.withhold import withhold
from grader.mark.criteria import mark_criterion
from grader.pipeline import material_of
from grader.prove.variants import Variant, find_variants
from grader.records import Examination, Mark, Usage
from grader.store import Store

Fresh = Literal["noise", "all"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to repeat, and how often."""

    repeats: int
    """Gradings from the store, and as many with fresh noise."""
    reruns: int
    """Examinations of the same from scratch."""
    fresh: Fresh
    """'noise': other noise where we measure, the same training. 'all': another seed for everything."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is graded again and again: one piece of work, and the criteria that its tasks decide."""

    name: str
    material: Material
    bands: Bands | None
    criteria: tuple[Criterion, ...]
    requests: tuple[ExamRequest, ...]
    """Its usual examination, task by task."""
    reference: tuple[ExamRequest, ...]
    """Our own solution's, in the same order."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """One grading: a mark for every criterion, in their order."""

    marks: tuple[Mark, ...]
    examinations: tuple[Examination, ...]


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """Everything that was graded, for the tables."""

    subject: Subject
    plan: Plan
    usual: Graded
    regrades: tuple[Graded, ...]
    """From the store, each with the marks before as recorded ones."""
    reruns: tuple[Graded, ...]
    """From scratch, with nothing recorded."""
    fresh: tuple[Graded, ...]
    """With other noise, with nothing recorded."""
    ran: int
    """Examinations that this command carried out; the others were stored."""
    reran: int
    """Of the examinations from scratch, how many this command carried out."""
    examined: int
    """Examinations that the tables are made of."""
    usage: Usage
    """Of all of them, whenever they were run."""


def subject_of(
    tree: CourseTree,
    assignment: str,
    *,
    tasks: Sequence[str],
    sandbox: str,
    place: Path,
    folder: Path | None = None,
    variant: str = "",
) -> Subject:
    """The work to repeat: a folder, a variant that `grader prove` knows, or our own solution.

    Args:
        tree: the course.
        assignment: its id, or the beginning of it.
        tasks: those to examine; empty for all that the work is about.
        sandbox: what isolates it.
        place: where a variant that is made of edits is written.
        folder: a submission.
        variant: the name of a folder below broken/, harmless/ or cheats/ of the reference.

    Raises:
        ConfigurationError: no such task or variant, or nothing that the grader marks.
    """
    material = material_of(tree, tree.assignment(assignment))
    chosen = [task for task in material.assignment.tasks if not tasks or task.id in _known(tasks, material)]
    work = material.reference
    if folder is not None:
        folder = folder.resolve()
        work = Work(team=folder.name, folder=str(folder), prepared=prepare(folder, chosen))
    elif variant:
        found = _variant(tree, material.assignment.id, variant, tasks)
        chosen, laid_out = [found.task], found.laid_out(place / found.label)
        work = Work(team=found.label, folder=str(laid_out), prepared=prepare(laid_out, chosen))
    criteria = _criteria(tree, material.assignment.id, chosen)
    if not criteria:
        raise ConfigurationError(f"{material.assignment.id}: the grader marks nothing of these tasks")
    return Subject(
        name=work.team,
        material=material,
        bands=tree.bands(material.assignment.id),
        criteria=criteria,
        requests=_by_task(work, material, chosen, sandbox=sandbox),
        reference=_by_task(material.reference, material, chosen, sandbox=sandbox),
    )


def repeat(
    subject: Subject, plan: Plan, store: Store, *, executor: OpenExecutor, observe: Report
) -> Repeated:
    """Grade the same work again and again.

    Raises:
        GraderError: an examination could not be carried out.
        StoreError: another run holds the state folder.
    """
    fresh = [_fresh(subject, plan, number) for number in range(1, plan.repeats + 1)]
    again = [Store(store.root / "stability" / f"rerun-{number}") for number in range(1, plan.reruns + 1)]
    usual = [*subject.reference, *subject.requests]
    with store.locked(), Scheduler(executor(store), observe=observe) as scheduler:
        batches = [(store, usual), *((other, list(subject.requests)) for other in again)]
        batches += [(store, [request for requests in fresh for request in requests])]
        ran = [_examine(scheduler, place, requests) for place, requests in batches]
        ours = tuple(load(store, request) for request in subject.reference)
        graded = _graded(subject, subject.requests, store, ours)
        return Repeated(
            subject=subject,
            plan=plan,
            usual=graded,
            regrades=_regrades(subject, graded, store, scheduler, repeats=plan.repeats),
            reruns=tuple(_graded(subject, subject.requests, other, ours) for other in again),
            fresh=tuple(_graded(subject, requests, store, ours) for requests in fresh),
            ran=sum(ran),
            reran=sum(1 for count in ran[1:-1] if count),
            examined=sum(len({r.key for r in requests}) for _, requests in batches),
            usage=_summed([usage_of(place, r) for place, requests in batches for r in set_of(requests)]),
        )


def graded_again(subject: Subject, graded: Graded, *, recorded: Graded) -> Graded:
    """The same figures, for work that has marks already."""
    marks = tuple(
        _mark(subject, criterion, graded.examinations, before)
        for criterion, before in zip(subject.criteria, recorded.marks, strict=True)
    )
    return Graded(marks=marks, examinations=graded.examinations)


def set_of(requests: Sequence[ExamRequest]) -> list[ExamRequest]:
    """Each examination once."""
    return list({request.key: request for request in requests}.values())


def _known(tasks: Sequence[str], material: Material) -> list[str]:
    ids = [task.id for task in material.assignment.tasks]
    return [resolved(name, ids, noun="task") for name in tasks]


def _variant(tree: CourseTree, assignment: str, name: str, tasks: Sequence[str]) -> Variant:
    found = [v for v in find_variants(tree, assignment) if not tasks or v.task.id in tasks]
    names = {label: v for v in found for label in (v.name, v.label)}
    return names[resolved(name, list(names), noun="variant")]


def _criteria(tree: CourseTree, assignment: str, tasks: Sequence[Task]) -> tuple[Criterion, ...]:
    ids = {task.id for task in tasks}
    return tuple(c for c in tree.rubric(assignment).criteria if c.task in ids and c.kind != "manual")


def _by_task(
    work: Work, material: Material, tasks: Sequence[Task], *, sandbox: str
) -> tuple[ExamRequest, ...]:
    seed = material.assignment.seed
    return tuple(new_request(work, material, sandbox=sandbox, seed=seed, tasks=(task.id,)) for task in tasks)


def _fresh(subject: Subject, plan: Plan, number: int) -> list[ExamRequest]:
    """The examination of every task under other noise, or under another seed altogether."""
    if plan.fresh == "noise":
        return [with_noise(request, number) for request in subject.requests]
    return [
        new_request(
            r.work, r.material, sandbox=r.sandbox, seed=r.seed + number, tasks=r.tasks, groups=r.groups
        )
        for r in subject.requests
    ]


def _examine(scheduler: Scheduler, store: Store, requests: Sequence[ExamRequest]) -> int:
    """Examine what is not stored yet; returns how many that were."""
    waiting = [request for request in set_of(requests) if not is_stored(store, request)]
    scheduler.examine_all(requests, store)
    broken = [request for request in waiting if not is_stored(store, request)]
    if broken:
        said = load(store, broken[0]).outcomes[0].message
        raise GraderError(f"{len(broken)} examinations could not be carried out; the first: {said}")
    return len(waiting)


def _graded(
    subject: Subject, requests: Sequence[ExamRequest], store: Store, ours: Sequence[Examination]
) -> Graded:
    """What is stored, held against our own solution's usual examination, marked with nothing recorded."""
    examinations = tuple(
        withhold(load(store, request), reference) for request, reference in zip(requests, ours, strict=True)
    )
    marks = tuple(_mark(subject, criterion, examinations, None) for criterion in subject.criteria)
    return Graded(marks=marks, examinations=examinations)


def _mark(
    subject: Subject, criterion: Criterion, examinations: Sequence[Examination], recorded: Mark | None
) -> Mark:
    for examination, request in zip(examinations, subject.requests, strict=True):
        if criterion.task in request.tasks:
            return mark_criterion(criterion, examination, subject.bands, recorded=recorded)
    raise LookupError(f"criterion '{criterion.id}' is of no task that was examined")


def _regrades(
    subject: Subject, first: Graded, store: Store, scheduler: Scheduler, *, repeats: int
) -> tuple[Graded, ...]:
    """The path of a class: ask for the examination (it is stored), hold it against ours, mark it again."""
    regrades, recorded = [], first
    for _ in range(repeats):
        _examine(scheduler, store, subject.requests)
        held = tuple(
            withhold(load(store, request), load(store, ours))
            for request, ours in zip(subject.requests, subject.reference, strict=True)
        )
        recorded = graded_again(subject, Graded(marks=(), examinations=held), recorded=recorded)
        regrades.append(recorded)
    return tuple(regrades)


def _summed(usages: Sequence[Usage]) -> Usage:
    return Usage(
        wall_s=round(sum(u.wall_s for u in usages), 1),
        cpu_s=round(sum(u.cpu_s for u in usages), 1),
        examiner_cpu_s=round(sum(u.examiner_cpu_s for u in usages), 1),
        peak_memory_mib=max((u.peak_memory_mib for u in usages), default=0.0),
        sessions=sum(u.sessions for u in usages),
    )


def points_of(graded: Graded) -> tuple[Decimal | None, ...]:
    """The points of one grading."""
    return tuple(mark.points for mark in graded.marks)
