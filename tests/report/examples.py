"""Realistic records for the pages: one assignment on VAEs, submissions of every kind, a class of any size."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from grader.course.model import Assignment, Band, Bands, Criterion, Rubric, Task
from grader.records import (
    Artifact,
    Cell,
    CellState,
    Decision,
    Environment,
    Evidence,
    EvidenceLevel,
    Examination,
    GradeRow,
    Lateness,
    Mark,
    Marksheet,
    Measurement,
    Outcome,
    Snapshot,
    Status,
)
from grader.report.lines import line_of
from grader.report.overview import OverviewView, render_overview
from grader.report.view import AssignmentView, StudentView

A3 = "a3_variational_and_diffusion_models"
COMMIT = "9f2c41d07be5a6630f1c9d1f5f0b7a2e4c8d6b13"

ASSIGNMENT = Assignment(
    id=A3,
    title="Variational and diffusion models",
    deadline="2025-07-18 23:59",
    folder="a3",
    seed=20250718,
    tasks=(Task(id="vae", title="Variational autoencoder", module="vae", names=("VAE", "train_vae")),),
)

RUBRIC = Rubric(
    assignment=A3,
    title="Variational and diffusion models",
    criteria=(
        Criterion(
            id="kl",
            title="KL divergence to the prior",
            points=Decimal(10),
            kind="check",
            checks=(
                "hidden/test_vae.py::test_kl_is_closed_form",
                "public/test_vae.py::test_kl_of_the_prior_is_zero",
            ),
        ),
        Criterion(
            id="elbo",
            title="ELBO agrees with its definition",
            points=Decimal(20),
            kind="check",
            checks=("hidden/test_elbo.py",),
        ),
        Criterion(
            id="fit",
            title="Held-out bound after training",
            points=Decimal(30),
            kind="metric",
            metric="negative_elbo",
            direction="lower",
            scale="log",
        ),
        Criterion(
            id="coverage",
            title="Coverage of the digit classes",
            points=Decimal(10),
            kind="metric",
            metric="coverage",
            direction="higher",
            scale="linear",
        ),
        Criterion(id="written", title="Written task: derive the bound", points=Decimal(30), kind="manual"),
    ),
)

BANDS = Bands(
    device="cpu",
    engine="0.1.0",
    seeds=(0, 1, 2, 3, 4),
    bands={
        "negative_elbo": Band(
            mean=18.62, standard_deviation=0.14, n=5, full_at=19.2, none_at=33.0, unit="nats"
        ),
        "coverage": Band(mean=0.93, standard_deviation=0.012, n=5, full_at=0.9, none_at=0.3),
    },
)

ENVIRONMENT = Environment(
    engine="0.1.0+3f2a9c1",
    python="3.11.9",
    torch="2.5.1",
    device="cpu",
    sandbox="bubblewrap 0.8, seccomp, cgroup v2",
    seed=20250718,
)


def evidence(**changes):
    return Evidence(
        **{
            "decision": Decision.CONFIRMED,
            "level": EvidenceLevel.OWN_SNAPSHOT,
            "deadline": 1752897600,
            "deadline_text": "2025-07-18 23:59:59 America/Toronto",
            "ref": "refs/heads/main",
            "proven": COMMIT,
            "explanation": "Our own snapshot at 23:58:12 saw this commit at the tip of main, and nothing newer is dated before the deadline.",
        }
        | changes
    )


def snapshot(**changes):
    return Snapshot(
        **{
            "team": "otter",
            "assignment": A3,
            "commit": COMMIT,
            "tree": "51ab0c9e6cb8d04f7e3fb2e0b1a2c3d4e5f60718",
            "committer_date": 1752896000,
            "evidence": evidence(),
        }
        | changes
    )


PASSED = tuple(
    Outcome(check=f"{where}/test_vae.py::test_{name}", status=Status.PASSED)
    for where, name in (
        ("public", "encoder_returns_mean_and_log_variance"),
        ("public", "decoder_returns_a_logit_for_every_pixel"),
        ("public", "kl_of_the_prior_is_zero"),
        ("hidden", "kl_is_closed_form"),
        ("hidden", "batch_of_one_works"),
        ("hidden", "samples_are_probabilities"),
        ("hidden", "sampler_depends_on_its_generator"),
    )
)
FAILED = (
    Outcome(
        check="hidden/test_elbo.py::test_importance_weighted_bound_grows_with_the_samples",
        status=Status.FAILED,
        message="the bound with 50 samples is -19.71, with 1 sample -19.02; more samples must not make it worse",
    ),
    Outcome(
        check="hidden/test_elbo.py::test_elbo_accepts_an_odd_batch[7]",
        status=Status.FAILED,
        message="RuntimeError: shape '[64, 16]' is invalid for input of size 112\ncell 7, line 12, in elbo: z = z.view(64, 16)",
    ),
)
BROKEN = (
    Outcome(
        check="hidden/test_coverage.py::test_coverage_of_the_classes",
        status=Status.COULD_NOT_CHECK,
        message="the classifier's weights could not be read",
    ),
)


def digits(count, *, seed=0, noise=0.05):
    """Blobs of 8 by 8 pixels that look a little like digits."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:8, 0:8]
    centres = random.uniform(2, 5, size=(count, 2))
    radii = random.uniform(1.2, 2.8, size=count)
    rings = [
        np.exp(-((np.hypot(y - cy, x - cx) - r) ** 2) / 0.6)
        for (cy, cx), r in zip(centres, radii, strict=True)
    ]
    return np.clip(np.stack(rings) + random.normal(0, noise, size=(count, 8, 8)), 0, 1).astype(np.float32)


def losses(steps=600, *, seed=0, end=19.0):
    random = np.random.default_rng(seed)
    return (end + 24 * np.exp(-np.arange(steps) / 70) + random.normal(0, 0.5, steps)).astype(np.float32)


STORY = "once upon a time the cat sat on the hill and the hill was green and the sea"
ARTIFACTS = {
    "images/Samples from the prior": digits(25, noise=0.16),
    "text/Continuation of a prompt": STORY + " and and and the the",
    "curve/Negative ELBO": losses(end=20.6, seed=1),
}
REFERENCE_ARTIFACTS = {
    "images/Samples from the prior": digits(25, seed=4),
    "text/Continuation of a prompt": STORY + " was calm, and in the morning they rowed home",
    "curve/Negative ELBO": losses(end=18.6),
}


def examination(**changes):
    return Examination(
        **{
            "key": "b7d1f09c2ad64f51",
            "team": "otter",
            "assignment": A3,
            "outcomes": (*PASSED, *FAILED, *BROKEN),
            "status": Status.COULD_NOT_CHECK,
            "notes": (
                "vae.ipynb: cell 3 was skipped, it does not parse: `!pip install torch",
                "vae.ipynb: cells 9 to 14 train at top level and were left out",
            ),
            "artifacts": tuple(Artifact(name=name, sha256="0" * 64) for name in ARTIFACTS),
            "environment": ENVIRONMENT,
        }
        | changes
    )


FIT = Measurement(name="negative_elbo", value=20.61, unit="nats", n=360, low=20.25, high=20.97)
COVERAGE = Measurement(
    name="coverage",
    value=0.92,
    unit="",
    n=1000,
    low=0.9,
    high=0.94,
    extractor="digit classifier, 64 features",
)

MARKS = (
    Mark(
        criterion="kl",
        title="KL divergence to the prior",
        points=Decimal(10),
        out_of=Decimal(10),
        reason="2 of 2 checks passed",
    ),
    Mark(
        criterion="elbo",
        title="ELBO agrees with its definition",
        points=Decimal("6.5"),
        out_of=Decimal(20),
        reason="1 of 3 checks passed",
    ),
    Mark(
        criterion="fit",
        title="Held-out bound after training",
        points=Decimal("24.5"),
        out_of=Decimal(30),
        reason="measured 20.6 ± 0.4 nats; full points at 19.2, none at 33",
        measurement=FIT,
        full_at=19.2,
        none_at=33.0,
    ),
    Mark(
        criterion="coverage",
        title="Coverage of the digit classes",
        points=None,
        out_of=Decimal(10),
        reason="could not be checked: the classifier's weights could not be read; no marks are lost",
        needs_person=True,
        measurement=COVERAGE,
        full_at=0.9,
        none_at=0.3,
    ),
    Mark(
        criterion="written",
        title="Written task: derive the bound",
        points=None,
        out_of=Decimal(30),
        reason="not yet marked",
    ),
)
ON_TIME = Lateness(days_late=0, deducted=Decimal(0), rule="")
ONE_DAY = Lateness(
    days_late=1, deducted=Decimal(10), rule="10 % of the 100 possible points per started day, at most 2 days"
)


def marksheet(**changes):
    return Marksheet(
        **{
            "team": "otter",
            "assignment": A3,
            "marks": MARKS,
            "lateness": ON_TIME,
            "total": None,
            "out_of": Decimal(100),
            "flags": ("1 check could not be run: the classifier's weights could not be read",),
        }
        | changes
    )


def closed(sheet_points, *, team="otter", lateness=ON_TIME, flags=()):
    """A marksheet with every criterion marked."""
    marks = tuple(
        mark.model_copy(update={"points": Decimal(str(value)), "needs_person": False, "reason": "marked"})
        for mark, value in zip(MARKS, sheet_points, strict=True)
    )
    total = max(sum((mark.points for mark in marks), Decimal(0)) - lateness.deducted, Decimal(0))
    return marksheet(team=team, marks=marks, total=total, lateness=lateness, flags=flags)


def assignment_view(**changes):
    return AssignmentView(
        **{
            "assignment": ASSIGNMENT,
            "rubric": RUBRIC,
            "snapshot": snapshot(),
            "examination": examination(),
            "marksheet": marksheet(),
            "reference": examination(team="reference", outcomes=PASSED, status=Status.PASSED, notes=()),
            "bands": BANDS,
            "artifacts": ARTIFACTS,
            "reference_artifacts": REFERENCE_ARTIFACTS,
        }
        | changes
    )


def cell(item, component, state=CellState.MARK, **changes):
    values = (
        {"weight": Decimal(25), "points": Decimal(80), "contribution": Decimal(20)}
        if state is CellState.MARK
        else {"weight": Decimal(25)}
    )
    return Cell(item=item, component=component, state=state, **(values | changes))


def grade(**changes):
    return GradeRow(
        **{
            "student": "otter",
            "team": "otter",
            "level": "graduate",
            "cells": (
                cell(
                    A3,
                    "assignments",
                    points=Decimal("71.5"),
                    weight=Decimal(45),
                    contribution=Decimal("32.175"),
                    rule="after the late rule",
                ),
                cell("exam", "exam", points=Decimal(83), weight=Decimal(25), contribution=Decimal("20.75")),
                cell(
                    "project",
                    "project",
                    points=Decimal(50),
                    out_of=Decimal(60),
                    weight=Decimal(30),
                    contribution=Decimal(25),
                ),
            ),
            "total": Decimal(78),
            "letter": "B+",
        }
        | changes
    )


def student(**changes):
    return StudentView(
        **{
            "student": "otter",
            "course_title": "Deep Generative Models",
            "term": "Summer 2025",
            "items": (assignment_view(),),
            "grade": None,
        }
        | changes
    )


ANIMALS = (
    "otter",
    "heron",
    "lynx",
    "newt",
    "wren",
    "stoat",
    "raven",
    "perch",
    "moth",
    "hare",
    "finch",
    "crane",
    "toad",
    "seal",
)


@dataclass(frozen=True, kw_only=True)
class ShownClass:
    """The views of a class, as they are before the page of the class takes its lines from them."""

    course_title: str = "Deep Generative Models"
    term: str = ""
    students: tuple[StudentView, ...]
    final: bool = False


def overview(shown):
    """The page of a class."""
    view = OverviewView(
        course_title=shown.course_title,
        term=shown.term,
        students=tuple(map(line_of, shown.students)),
        final=shown.final,
    )
    return "".join(render_overview(view))


def class_of(count):
    """A class with every kind of trouble in it, in the order of the roster."""
    return ShownClass(
        term="Summer 2025",
        students=tuple(_member(place) for place in range(count)),
    )


def _member(place):
    handle = f"{ANIMALS[place % len(ANIMALS)]}-{place:02d}"
    if place == 1:
        return _open_member(handle)
    if place == 2:
        return _absent_member(handle)
    if place == 3:
        return _gap_member(handle)
    random = np.random.default_rng(place)
    shares = random.beta(4, 1.5, size=5)
    values = [np.floor(share * float(mark.out_of) * 2) / 2 for share, mark in zip(shares, MARKS, strict=True)]
    sheet = closed(values, team=handle, lateness=ONE_DAY if place % 7 == 5 else ON_TIME)
    item = assignment_view(
        marksheet=sheet,
        snapshot=snapshot(team=handle, days_late=sheet.lateness.days_late),
        examination=examination(team=handle, outcomes=(*PASSED, *FAILED[: place % 3]), status=Status.PASSED),
        artifacts={},
        reference_artifacts={},
    )
    return student(student=handle, items=(item,), grade=_grade_of(handle, sheet.total))


def _grade_of(handle, total, **changes):
    state = (
        {"state": CellState.NOT_YET_MARKED}
        if total is None
        else {"points": total, "contribution": total * Decimal("0.45")}
    )
    cells = (
        cell(A3, "assignments", weight=Decimal(45), **state),
        cell("exam", "exam"),
        cell("project", "project", CellState.NOT_YET_MARKED),
    )
    return grade(student=handle, team=handle, cells=cells, total=None, letter=None, **changes)


def _open_member(handle):
    item = assignment_view(
        marksheet=marksheet(team=handle), snapshot=snapshot(team=handle), artifacts={}, reference_artifacts={}
    )
    return student(student=handle, items=(item,), grade=_grade_of(handle, None))


def _absent_member(handle):
    nothing = evidence(
        decision=Decision.NO_COMMIT,
        level=None,
        proven=None,
        explanation="The repository has no commit before the deadline.",
    )
    taken = snapshot(
        team=handle,
        commit=None,
        tree=None,
        evidence=nothing,
        problem="there is no commit before the deadline",
    )
    sheet = closed([0, 0, 0, 0, 0], team=handle)
    item = assignment_view(marksheet=sheet, snapshot=taken, examination=None, artifacts={})
    return student(student=handle, items=(item,), grade=_grade_of(handle, Decimal(0)))


def _gap_member(handle):
    late_seen = evidence(
        decision=Decision.GAP,
        level=EvidenceLevel.DATES_ONLY,
        explanation="The newest commit is dated 23:54 but was first seen at 00:31.",
        flags=("dated before the deadline, first seen 31 minutes after it",),
    )
    sheet = closed(
        [10, 20, 25, 9, 21],
        team=handle,
        flags=("coverage is 0.92 ± 0.02: the interval straddles 9 and 9.5 points",),
    )
    found = examination(team=handle, outcomes=PASSED, status=Status.PASSED, artifacts=())
    taken = snapshot(team=handle, evidence=late_seen)
    item = assignment_view(marksheet=sheet, snapshot=taken, examination=found, artifacts={})
    return student(student=handle, items=(item,), grade=_grade_of(handle, sheet.total))
