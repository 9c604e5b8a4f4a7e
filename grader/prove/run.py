"""An assignment in, a verdict on every variant of it out: examined by the path that submissions take."""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from grader.collect.notebook import prepare
from grader.course.mistakes import nearest
from grader.course.model import Bands
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.examine.executor import Report
from grader.examine.request import ExamRequest, Material, Work, new_request
from grader.examine.scheduler import OpenExecutor, Scheduler
from grader.examine.stored import load
from grader.mark.criteria import mark_criterion
from grader.pipeline import material_of
from grader.prove.variants import Kind, Variant, find_variants
from grader.prove.verdicts import Verdict, judge
from grader.records import Examination, Mark
from grader.store import Store

Wanted = Callable[[Variant], bool]


def chosen(
    tree: CourseTree, assignment_ids: Sequence[str], *, tasks: Collection[str], kinds: Collection[str]
) -> Wanted:
    """Which variants are wanted; nothing named means all.

    Raises:
        ConfigurationError: no such task, or no such kind.
    """
    known = [task.id for name in assignment_ids for task in tree.assignment(name).tasks]
    for found, names, noun in ((tasks, known, "task"), (kinds, list(Kind), "kind")):
        for name in found:
            if name not in names:
                raise ConfigurationError(f"no {noun} '{name}'{nearest(name, [str(n) for n in names])}")
    return lambda v: (not tasks or v.task.id in tasks) and (not kinds or v.kind in kinds)


def prove(
    tree: CourseTree,
    assignment_names: Sequence[str],
    *,
    tasks: Collection[str],
    kinds: Collection[str],
    executor: OpenExecutor,
    sandbox: str,
    observe: Report,
) -> dict[str, tuple[Verdict, ...]]:
    """The verdicts on the variants of some assignments, by id; all variants where no task or kind is named.

    Raises:
        ConfigurationError: no such assignment, task or kind, or a mistake in a variant.
        StoreError: another run holds the state folder.
    """
    ids = [tree.assignment(name).id for name in assignment_names]
    wanted = chosen(tree, ids, tasks=tasks, kinds=kinds)
    return {
        name: prove_assignment(tree, name, executor=executor, sandbox=sandbox, observe=observe, wanted=wanted)
        for name in ids
    }


def prove_assignment(
    tree: CourseTree,
    assignment_id: str,
    *,
    executor: OpenExecutor,
    sandbox: str,
    observe: Report,
    wanted: Wanted = lambda _: True,
) -> tuple[Verdict, ...]:
    """Examine every variant that is wanted, and say of each whether its marks are what it is worth.

    Results are stored in the course tree's state folder, so only what has changed is examined again.

    Raises:
        ConfigurationError: the tree, or a variant in it, has mistakes.
        StoreError: another run holds the state folder.
    """
    material = material_of(tree, tree.assignment(assignment_id))
    bands = tree.bands(material.assignment.id)
    variants = with_stubs(find_variants(tree, assignment_id), wanted)
    store = Store(tree.root / ".grader")
    requests = [
        request_for(variant, material, sandbox=sandbox, place=store.path(f"variants/{assignment_id}"))
        for variant in variants
    ]

    with store.locked(), Scheduler(executor(store), observe=observe) as scheduler:
        scheduler.examine_all(requests, store)
        found = [load(store, request) for request in requests]
    examined = list(zip(variants, found, strict=True))
    stub = stub_points(examined, bands)
    return tuple(
        judge(variant, examination, marks_of(variant, examination, bands), stub=stub)
        for variant, examination in examined
        if wanted(variant)
    )


def with_stubs(variants: Sequence[Variant], wanted: Wanted) -> list[Variant]:
    """Those that are wanted, and the starters that their cheats are compared with."""
    cheated = {variant.task.id for variant in variants if variant.kind is Kind.CHEAT and wanted(variant)}
    return [v for v in variants if wanted(v) or (v.kind is Kind.STARTER and v.task.id in cheated)]


def request_for(variant: Variant, material: Material, *, sandbox: str, place: Path) -> ExamRequest:
    """The examination of one variant for its task; what is made of edits is written below `place`."""
    folder = variant.laid_out(place / variant.label)
    work = Work(team=variant.label, folder=str(folder), prepared=prepare(folder, [variant.task]))
    seed = material.assignment.seed
    return new_request(work, material, sandbox=sandbox, seed=seed, tasks=(variant.task.id,))


def marks_of(variant: Variant, examination: Examination, bands: Bands | None) -> list[Mark]:
    """A mark for each criterion of the variant's task."""
    return [mark_criterion(criterion, examination, bands) for criterion in variant.criteria]


def stub_points(
    examined: Sequence[tuple[Variant, Examination]], bands: Bands | None
) -> Mapping[str, Decimal]:
    """What the unfilled starters earn, by criterion."""
    return {
        mark.criterion: mark.points or Decimal(0)
        for variant, examination in examined
        if variant.kind is Kind.STARTER
        for mark in marks_of(variant, examination, bands)
    }
