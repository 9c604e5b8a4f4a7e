"""The views of a class in, figures about its criteria and checks out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from grader.course.model import Criterion
from grader.records import Status
from grader.report.figures import percent
from grader.report.histogram import SMALLEST_CLASS, histogram
from grader.report.view import AssignmentView
from grader.report.words import NOTHING

COLUMNS = ("criterion", "title", "submission", "share", "rest")


@dataclass(frozen=True)
class CriterionStatistics:
    """How a class did in one criterion."""

    title: str
    marked: int
    open: int
    mean: str
    """Share of the points that were earned, on average: how hard it was."""
    quartiles: str
    full: int
    none: int
    discrimination: str
    """Correlation with the rest of the marksheet, or why there is none."""
    chart: Markup | None


@dataclass(frozen=True)
class OutcomeCounts:
    """How often a check came out how."""

    check: str
    passed: int
    failed: int
    could_not_check: int


def criterion_statistics(items: Iterable[AssignmentView], *, prefix: str) -> tuple[CriterionStatistics, ...]:
    """Every criterion of one assignment that gives points, in the rubric's order.

    Args:
        items: the submissions of one assignment, each once.
        prefix: makes the drawings' ids unique on the page.
    """
    frame = _frame(items)
    groups = frame.groupby("criterion", sort=False)
    return tuple(
        _statistics(group, identifier=f"{prefix}-{place}") for place, (_, group) in enumerate(groups)
    )


def outcome_counts(items: Iterable[AssignmentView]) -> tuple[OutcomeCounts, ...]:
    """Outcomes of every check, those that failed most often first."""
    rows = [
        (outcome.check, outcome.status.value)
        for item in items
        if item.examination
        for outcome in item.examination.outcomes
    ]
    if not rows:
        return ()
    frame = pd.DataFrame(rows, columns=["check", "status"])
    table = pd.crosstab(frame["check"], frame["status"]).reindex(
        columns=[s.value for s in Status], fill_value=0
    )
    ordered = table.sort_values(["failed", "could_not_check"], ascending=False, kind="stable")
    return tuple(
        OutcomeCounts(str(check), *map(int, counts))
        for check, counts in zip(ordered.index, ordered.to_numpy().tolist(), strict=True)
    )


def _frame(items: Iterable[AssignmentView]) -> pd.DataFrame:
    """One row a submission and criterion: share of the points, and share of all the others."""
    rows = [row for item in items for row in _rows(item)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"share": "float64", "rest": "float64"})


def _rows(item: AssignmentView) -> list[tuple[str, str, str, float | None, float | None]]:
    scored = [
        mark
        for mark in item.marksheet.marks
        if mark.out_of and not _is_penalty(item.criterion(mark.criterion))
    ]
    known = {mark.criterion: float(mark.points) for mark in scored if mark.points is not None}
    return [
        (
            mark.criterion,
            mark.title,
            item.marksheet.team,
            known[mark.criterion] / float(mark.out_of) if mark.criterion in known else None,
            sum(known.values()) - known[mark.criterion] if mark.criterion in known else None,
        )
        for mark in scored
    ]


def _is_penalty(criterion: Criterion | None) -> bool:
    return criterion is not None and criterion.kind == "penalty"


def _statistics(group: pd.DataFrame, *, identifier: str) -> CriterionStatistics:
    title = str(group["title"].iloc[0])
    marked = group.dropna(subset=["share"])
    shares = marked["share"].tolist()
    return CriterionStatistics(
        title=title,
        marked=len(marked),
        open=len(group) - len(marked),
        mean=percent(float(marked["share"].mean())) if shares else NOTHING,
        quartiles=" · ".join(percent(float(marked["share"].quantile(q))) for q in (0.25, 0.5, 0.75))
        if shares
        else NOTHING,
        full=int((marked["share"] >= 1).sum()),
        none=int((marked["share"] <= 0).sum()),
        discrimination=_discrimination(marked),
        chart=histogram(identifier, title=f"{title}: share of the points", shares=shares),
    )


def _discrimination(marked: pd.DataFrame) -> str:
    if len(marked) < SMALLEST_CLASS:
        return f"needs {SMALLEST_CLASS}"
    if marked["share"].nunique() < 2 or marked["rest"].nunique() < 2:
        return "all alike"
    return f"{marked['share'].corr(marked['rest']):.2f}".replace("-", "\N{MINUS SIGN}")
