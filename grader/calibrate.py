"""The reference over several seeds in; bands.json, the spread that marks are measured against, out.

The baselines (no points here or worse) are measured by the checks themselves: a measurement called
`<name>_baseline` beside `<name>` becomes the lower anchor of its band.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from grader.course.model import Band, Bands, Criterion
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError, GraderError
from grader.examine.executor import Report
from grader.examine.request import engine_digest, environment_lock, new_request
from grader.examine.scheduler import OpenExecutor, Scheduler
from grader.examine.stored import load
from grader.metrics.intervals import tolerance_factor
from grader.pipeline import material_of
from grader.records import Examination, Measurement, Status
from grader.store import Store, write_whole

BASELINE = "_baseline"


def calibrate(
    tree: CourseTree,
    assignment: str,
    *,
    seeds: int,
    executor: OpenExecutor,
    sandbox: str,
    observe: Report,
    tasks: tuple[str, ...] = (),
) -> Path:
    """Examine the reference under several seeds and write its bands.

    With `tasks`, those alone are examined and the bands of the others stay as they are.

    Raises:
        ConfigurationError: the assignment is not usable, or a metric has no baseline.
        GraderError: the reference does not pass its own checks under every seed.
    """
    material = material_of(tree, tree.assignment(assignment))
    found = material.assignment
    chosen = [found.seed + offset for offset in range(seeds)]
    requests = [
        new_request(material.reference, material, sandbox=sandbox, seed=seed, tasks=tasks) for seed in chosen
    ]
    store = Store(tree.root / ".grader")
    with store.locked(), Scheduler(executor(store), observe=observe) as scheduler:
        scheduler.examine_all(requests, store)
    examinations = [load(store, request) for request in requests]
    _refuse_failures(examinations)
    criteria = [c for c in tree.rubric(found.id).criteria if c.kind == "metric"]
    measured = [c for c in criteria if not tasks or c.task in tasks]
    bands = bands_of(measured, examinations, device=found.device, seeds=chosen)
    kept = {c.metric for c in criteria} - {c.metric for c in measured}
    bands = _with_others(bands, tree.bands(found.id), kept)
    text = bands.model_dump_json(indent=2, exclude_unset=True)  # bands of other tasks stay as they were
    write_whole(tree.bands_path(found.id), f"{text}\n")
    return tree.bands_path(found.id)


def _with_others(bands: Bands, before: Bands | None, kept: set[str]) -> Bands:
    """The new bands and, of those written before, the ones that were not measured this time."""
    old = {name: band for name, band in before.bands.items() if name in kept} if before else {}
    return bands.model_copy(update={"bands": dict(sorted((old | bands.bands).items()))})


def bands_of(
    criteria: Iterable[Criterion], examinations: Sequence[Examination], *, device: str, seeds: Sequence[int]
) -> Bands:
    """The bands of all metric criteria from the reference's examinations."""
    figures: dict[str, list[Measurement]] = defaultdict(list)
    for examination in examinations:
        for figure in examination.measurements:
            figures[figure.name].append(figure)
    bands = {criterion.metric: _band(criterion, figures, seeds=tuple(seeds)) for criterion in criteria}
    return Bands(
        device=device,
        engine=engine_digest(),
        seeds=tuple(seeds),
        versions=environment_lock(),
        bands=bands,
    )


def _band(criterion: Criterion, figures: dict[str, list[Measurement]], *, seeds: tuple[int, ...]) -> Band:
    """Full points at the tolerance bound: 95 % sure that 99 % of the reference's runs are no worse."""
    values = _values(figures[criterion.metric], criterion.metric)
    baselines = _values(figures[criterion.metric + BASELINE], criterion.metric + BASELINE)
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    sign = -1.0 if criterion.direction == "higher" else 1.0
    return Band(
        mean=mean,
        standard_deviation=spread,
        n=len(values),
        full_at=mean + sign * tolerance_factor(len(values)) * spread,
        none_at=statistics.fmean(baselines),
        unit=figures[criterion.metric][0].unit,
        standard_error=_standard_error(figures[criterion.metric]),
        quantiles=_quantiles(values),
        seeds=seeds,
        engine=engine_digest(),
    )


def _standard_error(figures: Sequence[Measurement]) -> float:
    """What the figures claim of their own noise: an interval is 4 standard errors wide."""
    errors = [(f.high - f.low) / 4 for f in figures if f.low is not None and f.high is not None]
    return math.sqrt(statistics.fmean(error**2 for error in errors)) if errors else 0.0


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    """Smallest and largest, and the quartiles in proportion between the ordered values."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return dict(zip(("0", "0.25", "0.5", "0.75", "1"), (min(values), *quartiles, max(values)), strict=True))


def _values(figures: Sequence[Measurement], name: str) -> list[float]:
    values = [figure.value for figure in figures if figure.value is not None]
    if len(values) < 3:
        raise ConfigurationError(
            f"'{name}' was measured {len(values)} times; a check must record it in every examination"
        )
    return values


def _refuse_failures(examinations: Sequence[Examination]) -> None:
    for examination in examinations:
        for outcome in examination.outcomes:
            if outcome.status is not Status.PASSED:
                raise GraderError(
                    f"the reference does not pass {outcome.check} (seed {examination.environment.seed}): "
                    f"{outcome.message}"
                )
