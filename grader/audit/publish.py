"""An audit in, its page, its JSON and its CSV on disk out."""

from collections.abc import Sequence
from pathlib import Path

from grader.audit.exports import audits_csv, audits_json
from grader.audit.page import audit_page, file_name
from grader.audit.records import Audit
from grader.audit.summary import summary
from grader.store import write_whole


def publish(audit: Audit, *, out: Path) -> Path:
    """Write `audit/<assignment>.html`, `.json` and `.csv`, each whole or not at all; returns the page."""
    folder = out / "audit"
    write_whole(folder / file_name(audit, "json"), audits_json([audit]))
    write_whole(folder / file_name(audit, "csv"), audits_csv([audit]))
    page = folder / file_name(audit, "html")
    write_whole(page, audit_page(audit))
    return page


def printed(audits: Sequence[Audit], form: str | None) -> str:
    """What a command prints: 'json', 'csv', or by default a table for people."""
    if form == "json":
        return audits_json(audits)
    return audits_csv(audits) if form == "csv" else f"{summary(audits)}\n"
