"""Audits in, CSV with one row a team and JSON with everything out, for spreadsheets and programs. Pure.

Nothing in the CSV runs in a spreadsheet; the JSON is plain ASCII, so a terminal that shows it obeys nobody.
"""

import csv
import io
import json
from collections.abc import Iterable

from grader.audit.records import Audit, Audits, Dossier
from grader.course.instants import utc_text
from grader.report.exports import spreadsheet_text
from grader.report.words import evidence_said

COLUMNS = (
    "assignment",
    "team",
    "members",
    "person_must_decide",
    "decision",
    "evidence",
    "commit",
    "days_late",
    "deadline",
    "deadline_utc",
    "extension",
    "branch",
    "proven",
    "claimed",
    "graded_commit",
    "rule_today_commit",
    "rule_today_decision",
    "agrees",
    "flags",
    "context",
    "rewrites",
    "open_questions",
    "explanation",
    "evidence_text",
    "signatures_not_counted",
)
"""Stable: a column is added at the end, and none changes its meaning."""


def audits_csv(audits: Iterable[Audit]) -> str:
    """One row a team, RFC 4180 with a header, lines ending in LF; columns as `COLUMNS`."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(COLUMNS)
    for audit in audits:
        table.writerows(map(_row, audit.dossiers))
    return written.getvalue()


def audits_json(audits: Iterable[Audit]) -> str:
    """An `Audits` record; `Audits.model_validate_json` reads it back."""
    record = Audits(audits=tuple(audits))
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=True, indent=1) + "\n"


def _row(dossier: Dossier) -> list[str]:
    shown, today = dossier.shown, dossier.ruling
    evidence = shown.evidence
    kinds = [flag.kind for flag in dossier.flags]
    cells = {
        "assignment": dossier.assignment,
        "team": dossier.team,
        "members": "; ".join(dossier.members),
        "person_must_decide": _yes(bool(dossier.decide)),
        "decision": evidence.decision.value,
        "evidence": evidence.level.value if evidence.level else "none",
        "commit": shown.commit or "",
        "days_late": str(shown.days_late),
        "deadline": today.evidence.deadline_text,
        "deadline_utc": utc_text(today.evidence.deadline - 1),
        "extension": dossier.extension,
        "branch": evidence.ref or "",
        "proven": evidence.proven or "",
        "claimed": "; ".join(evidence.claimed),
        "graded_commit": (dossier.graded.commit or "") if dossier.graded else "",
        "rule_today_commit": today.commit or "",
        "rule_today_decision": today.evidence.decision.value,
        "agrees": _yes(dossier.agrees),
        "flags": str(kinds.count("flag")),
        "context": str(kinds.count("context")),
        "rewrites": str(len(dossier.rewrites)),
        "open_questions": "; ".join(dossier.decide),
        "explanation": evidence.explanation,
        "evidence_text": evidence_said(evidence),
        "signatures_not_counted": str(sum(one.count for one in dossier.signatures)),
    }
    return [spreadsheet_text(cells[column]) for column in COLUMNS]


def _yes(value: bool) -> str:  # noqa: FBT001 - a word for a truth
    return "yes" if value else "no"
