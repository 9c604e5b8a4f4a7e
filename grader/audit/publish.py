"""An audit in, its page, its JSON and its CSV on disk out."""

from collections.abc import Sequence
from pathlib import Path

from grader.audit.exports import audits_csv, audits_json
from grader.audit.page import audit_page
from grader.audit.records import Audit
from grader.audit.summary import summary
from grader.store import write_whole

LONGEST_STEM = 120
"""Letters of a file's name."""


def publish(audit: Audit, *, out: Path, only: Sequence[str] = ()) -> Path:
    """Write `audit/<assignment>.html`, `.json` and `.csv`, each whole or not at all; returns the page.

    Args:
        audit: of the assignment.
        out: folder of the reports.
        only: teams, where these are not all; their files do not take the place of the whole class's.
    """
    stem = "-".join((audit.assignment, *only))[:LONGEST_STEM]
    folder = out / "audit"
    write_whole(folder / f"{stem}.json", audits_json([audit]))
    write_whole(folder / f"{stem}.csv", audits_csv([audit]))
    write_whole(folder / f"{stem}.html", audit_page(audit, json_name=f"{stem}.json"))
    return folder / f"{stem}.html"


def printed(audits: Sequence[Audit], form: str | None) -> str:
    """What a command prints: 'json', 'csv', or by default a table for people."""
    if form == "json":
        return audits_json(audits)
    return audits_csv(audits) if form == "csv" else f"{summary(audits)}\n"
