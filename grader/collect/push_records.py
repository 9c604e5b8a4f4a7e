"""A team's push record file in, checked pushes out. Forges forget pushes early, so these files are kept.

`push_records/<team>.json` is what `grader.forges.harvest` writes, what somebody made by hand, or what a forge
answered; `grader.forges.saved` has the forms.
"""

from dataclasses import dataclass
from pathlib import Path

from grader.forges.records import NOTHING as NOTHING  # noqa: PLC0414 - also for those who only read pushes
from grader.forges.records import OWN_SERVER, PushRecord
from grader.forges.records import UNKNOWN as UNKNOWN  # noqa: PLC0414
from grader.forges.saved import parse_saved

FORGE = "the push record"


@dataclass(frozen=True)
class Push:
    """The forge saw `ref` move from `before` to `after` at `time` (seconds since the epoch)."""

    ref: str
    before: str
    """`NOTHING` for a new branch, `UNKNOWN` where the forge does not say."""
    after: str
    """`NOTHING` for a removed branch."""
    time: int
    told_by: str = FORGE
    """What sightings call it: `FORGE`, or `OWN_SERVER` where no forge made the record."""


def push_records(folder: Path | None, team: str, *, repo_url: str = "") -> tuple[Push, ...]:
    """All recorded pushes of one team, oldest first; none when there is no file.

    Args:
        folder: with `<team>.json`.
        team: its id.
        repo_url: of the team; no forge keeps what lies in a folder, unless the record names its source.

    Raises:
        ConfigurationError: the file is in none of the forms; the message names file, item and field.
    """
    path = folder / f"{team}.json" if folder is not None else None
    if path is None or not path.is_file():
        return ()
    records = parse_saved(path.read_bytes(), where=str(path))
    return tuple(
        Push(record.ref, record.before, record.after, record.timestamp, _told_by(record, repo_url))
        for record in records
        if not record.is_gap
    )


def _told_by(record: PushRecord, repo_url: str) -> str:
    in_a_folder = not record.source and repo_url.startswith("file:")
    return OWN_SERVER if record.source == OWN_SERVER or in_a_folder else FORGE
