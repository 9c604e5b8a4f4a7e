"""Audits in, lines for a terminal out: one a team, what a person must decide first. Pure."""

from collections.abc import Iterable

from grader.audit.records import Audit, Dossier
from grader.audit.words import badge
from grader.collect.deadline import short
from grader.course.counting import plural
from grader.report.text import one_line

HEADER = ("team", "commit", "late", "evidence", "flags", "decision")


def summary(audits: Iterable[Audit]) -> str:
    """A table an assignment, and below it every open question."""
    return "\n\n".join(map(_of_one, audits))


def _of_one(audit: Audit) -> str:
    ordered = sorted(audit.dossiers, key=lambda dossier: not dossier.decide)
    rows = [HEADER, *map(_row, ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    questions = [
        f"{one_line(dossier.team)}: {one_line(question)}"
        for dossier in ordered
        for question in dossier.decide
    ]
    open_cases = sum(bool(dossier.decide) for dossier in audit.dossiers)
    last = f"a person must decide about {plural(open_cases, 'team')}" if open_cases else "nothing is open"
    name, deadline = one_line(audit.assignment), one_line(audit.deadline_text)
    title = f"{name}: {plural(len(ordered), 'team')}, deadline {deadline}"
    return "\n".join([title, *table, f"{last}{':' if questions else ''}", *questions])


def _row(dossier: Dossier) -> tuple[str, ...]:
    shown = dossier.shown
    return (
        one_line(dossier.team),
        one_line(short(shown.commit)) if shown.commit else "none",
        f"{shown.days_late} d" if shown.days_late else "-",
        shown.evidence.level.value if shown.evidence.level else "-",
        str(sum(flag.kind == "flag" for flag in dossier.flags)),
        badge(shown).words,
    )
