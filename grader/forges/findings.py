"""A course tree in, what is wrong with its push records out: broken, of another forge, or of nobody.

A file that nobody reads, or that is broken, would be evidence that is missing when a decision needs it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from grader.course.mistakes import nearest
from grader.course.tree import CourseTree
from grader.course.validate import Finding
from grader.errors import ConfigurationError
from grader.forges.forge import forge_of
from grader.forges.harvest import ORIGINALS
from grader.forges.records import PushRecord
from grader.forges.saved import parse_saved
from grader.records import Team

_FIELD = re.compile(r"(item [0-9]+(?:: [a-z_.]+)?): (.*)", re.DOTALL)
_SAVE_AGAIN = "save the forge's answer again as it is, or move the file away"


def validate_push_records(tree: CourseTree) -> tuple[Finding, ...]:
    """One finding a file at most, in the order of their names; empty where there is nothing to mend."""
    teams = _teams(tree)
    paths = sorted((tree.root / "push_records").glob("[!.]*"))
    return tuple(found for path in paths if (found := _of_file(tree, path, teams)) is not None)


def _teams(tree: CourseTree) -> Mapping[str, Team] | None:
    """Those of the roster; None while it cannot be read, which is said elsewhere."""
    try:
        return {team.id: team for team in tree.roster(tree.root / "roster.csv").teams}
    except (ConfigurationError, OSError):
        return None


def _of_file(tree: CourseTree, path: Path, teams: Mapping[str, Team] | None) -> Finding | None:
    name = f"push_records/{ascii(path.name)[1:-1]}"
    if path.name == ORIGINALS or path.name.startswith("README"):
        return None
    if path.suffix != ".json":
        said = "nothing reads a file of this name; expected <team>.json, so rename it or move it away"
        return _finding("warning", name, said)
    if not path.is_file():
        said = "expected a plain file, found a folder, a pipe or a link that leads nowhere; move it away"
        return _finding("error", name, said)
    if teams is not None and path.stem not in teams:
        said = f"no team '{ascii(path.stem)[1:-1]}' in roster.csv{nearest(path.stem, teams)}; nobody reads it"
        return _finding("warning", name, said)
    try:
        records = parse_saved(path.read_bytes(), where=name)
    except (ConfigurationError, OSError) as error:
        return _broken(name, str(error).removeprefix(f"{name}: "))
    team = teams.get(path.stem) if teams is not None else None
    return _foreign(tree, name, records, team) if team is not None else None


def _broken(name: str, said: str) -> Finding:
    match = _FIELD.fullmatch(said)
    field, message = (match[1], match[2]) if match else ("", said)
    return _finding("error", name, f"{message}; {_SAVE_AGAIN}", field)


def _foreign(tree: CourseTree, name: str, records: list[PushRecord], team: Team) -> Finding | None:
    """Records that name another host than that of the team's repository; without a name nobody can tell."""
    try:
        host = forge_of(team.repo_url, tree.course.collect).host
    except ConfigurationError:
        return None  # said when the repository is looked at
    others = sorted({one.source for one in records if _is_host(one.source)} - {host})
    if not others:
        return None
    said = f"{others[0]!a}, but the repository of {team.id} is at {host}; is this the file of another team?"
    return _finding("warning", name, said, "source")


def _is_host(source: str) -> bool:
    return bool(source) and " " not in source


def _finding(severity: Literal["error", "warning"], file: str, message: str, field: str = "") -> Finding:
    return Finding(severity=severity, file=file, field=field, message=message)
