"""Push record files and the hashes that the ledger has of them in, which were changed or are gone out."""

from collections.abc import Collection, Mapping
from pathlib import Path

from grader.audit.exported import file_sha256
from grader.audit.findings import Finding, broken
from grader.collect.noted import FOLDER, Noted


def check_push_records(
    folder: Path | None, noted: Mapping[str, Noted], teams: Collection[str] | None
) -> tuple[list[Finding], int]:
    """What is wrong, and how many files there are of which no round has the hash.

    Args:
        folder: with `<team>.json`; None where nobody said where they are.
        noted: `push_records/<team>.json` → the last hash that the ledger has of it.
        teams: those whose files must be there; None means all that were noted.
    """
    if folder is None:
        return [], 0
    files = {f"{FOLDER}/{path.name}": path for path in sorted(folder.glob("*.json")) if path.is_file()}
    wanted = {name for name in noted if teams is None or Path(name).stem in teams}
    findings = [
        broken(f"{name} is missing, though round {noted[name].round} noted its hash")
        for name in sorted(wanted - files.keys())
    ]
    findings += [
        broken(f"{name} is not the file whose hash round {noted[name].round} noted: it was changed since")
        for name, path in files.items()
        if name in noted and file_sha256(path) != noted[name].sha256
    ]
    return findings, len(files.keys() - noted.keys())
