"""What a class scored and what its checks came to in, figures about each criterion and check out. Pure."""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from grader.course.model import Criterion
from grader.records import Status
from grader.report.figures import percent
from grader.report.histogram import SMALLEST_CLASS, histogram
from grader.report.view import AssignmentView
from grader.report.words import NOTHING


class Score(NamedTuple):
    """One submission in one criterion that gives points."""

    criterion: str
    title: str
    share: float | None
    """Of its points; None while it is open."""
    rest: float | None
    """Points of all the other criteria that are marked."""


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


def criterion_statistics(
    submissions: Iterable[tuple[Score, ...]], *, prefix: str
) -> tuple[CriterionStatistics, ...]:
    """Every criterion of one assignment that gives points, in the rubric's order.

    Args:
        submissions: the scores of each submission for one assignment.
        prefix: makes the drawings' ids unique on the page.
    """
    frame = pd.DataFrame([score for scores in submissions for score in scores], columns=list(Score._fields))
    groups = frame.astype({"share": "float64", "rest": "float64"}).groupby("criterion", sort=False)
    return tuple(
        _statistics(group, identifier=f"{prefix}-{place}") for place, (_, group) in enumerate(groups)
    )


def outcome_counts(outcomes: Iterable[tuple[str, Status]]) -> tuple[OutcomeCounts, ...]:
    """How often each check came out how, those that failed most often first."""
    counts = Counter(outcomes)
    checks = sorted({check for check, _ in counts})
    lines = [OutcomeCounts(check, *(counts[check, status] for status in Status)) for check in checks]
    return tuple(sorted(lines, key=lambda line: (-line.failed, -line.could_not_check)))


def scores_of(item: AssignmentView) -> tuple[Score, ...]:
    """What one submission scored in every criterion that gives points."""
    scored = [
        mark
        for mark in item.marksheet.marks
        if mark.out_of and not _is_penalty(item.criterion(mark.criterion))
    ]
    known = {mark.criterion: float(mark.points) for mark in scored if mark.points is not None}
    return tuple(
        Score(
            sys.intern(mark.criterion),
            sys.intern(mark.title),
            known[mark.criterion] / float(mark.out_of) if mark.criterion in known else None,
            sum(known.values()) - known[mark.criterion] if mark.criterion in known else None,
        )
        for mark in scored
    )


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
