"""A submission's artifacts and the reference's in, sample grids, texts and curves side by side out. Pure."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from grader.records import Examination
from grader.report.curve import Curve, Summary, curve_chart, summary
from grader.report.images import Sheet, contact_sheet
from grader.report.view import AssignmentView, Evidence

MOST_TEXT = 2000


@dataclass(frozen=True)
class SamplePair:
    """Samples of one name: the submission's and, where it has some, the reference's."""

    title: str
    mine: Sheet | str | None
    theirs: Sheet | str | None


@dataclass(frozen=True)
class CurveFigure:
    """A chart of what the submission reported, with its data table."""

    title: str
    chart: Markup | None
    summaries: tuple[Summary, ...]


@dataclass(frozen=True)
class Shown:
    """All evidence of one assignment."""

    samples: tuple[SamplePair, ...]
    curves: tuple[CurveFigure, ...]
    missing: tuple[str, ...]
    """Titles of artifacts whose file could not be read back: our fault."""


def shown_evidence(view: AssignmentView, *, prefix: str) -> Shown:
    """Pair what there is by name.

    Args:
        view: of the assignment, with the artifacts that could be loaded.
        prefix: makes the drawings' ids unique on the page.
    """
    names = _names(view.examination, view.reference)
    pairs = [(name, view.artifacts.get(name), view.reference_artifacts.get(name)) for name in names]
    there = [pair for pair in pairs if pair[1] is not None or pair[2] is not None]
    return Shown(
        samples=tuple(_pair(*pair) for pair in there if _kind(pair[0]) in {"images", "text"}),
        curves=tuple(
            _curve(f"{prefix}-curve-{place}", *pair)
            for place, pair in enumerate(there)
            if _kind(pair[0]) == "curve"
        ),
        missing=tuple(_title(name) for name in _names(view.examination) if name not in view.artifacts),
    )


def _names(*examinations: Examination | None) -> tuple[str, ...]:
    """Names of all artifacts, each once, in the order of the first that has it."""
    artifacts = (artifact.name for found in examinations if found for artifact in found.artifacts)
    return tuple(dict.fromkeys(artifacts))


def _kind(name: str) -> str:
    return name.partition("/")[0]


def _title(name: str) -> str:
    """The name of an artifact without its kind, for people: `text/a_sample` is 'A sample'."""
    words = (name.partition("/")[2] or name).replace("_", " ")
    return words[:1].upper() + words[1:]


def _pair(name: str, mine: Evidence | None, theirs: Evidence | None) -> SamplePair:
    return SamplePair(_title(name), _sample(mine), _sample(theirs))


def _sample(value: Evidence | None) -> Sheet | str | None:
    if isinstance(value, np.ndarray):
        return contact_sheet(value)
    if value is None or len(value) <= MOST_TEXT:
        return value
    return f"{value[:MOST_TEXT]} … ({len(value) - MOST_TEXT} more characters)"


def _curve(identifier: str, name: str, mine: Evidence | None, theirs: Evidence | None) -> CurveFigure:
    named = (("reference solution", "theirs", theirs), ("this submission", "mine", mine))
    curves = [Curve.of(who, css, value) for who, css, value in named if isinstance(value, np.ndarray)]
    title = f"{_title(name)}, as reported"
    chart = curve_chart(identifier, title=title, curves=curves)
    return CurveFigure(_title(name), chart, tuple(summary(curve) for curve in reversed(curves)))
