"""Teams and their forges in, `push_records/<team>.json` out, so that what a forge forgets is still ours.

Each team's file is merged and written whole or not at all. One team's trouble stops nobody.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from grader.course.counting import plural
from grader.course.model import Course
from grader.errors import ConfigurationError, GraderError
from grader.forges import gitea, github, gitlab, reflog
from grader.forges.forge import FILE, Forge, forge_of
from grader.forges.http import PATIENT, ForgeClient, Patience, Reading
from grader.forges.merging import Merged, merge
from grader.forges.records import OWN_SERVER, PushRecord
from grader.forges.saved import oldest_first, parse_saved, saved_text
from grader.records import Team
from grader.store import write_whole

ORIGINALS = "originals"
"""Folder beside the files that keeps what somebody saved by hand, as it was before it was merged."""

LOCK = ".lock"

_READERS: Mapping[str, Callable[[ForgeClient, Forge], Reading]] = {
    "github": github.read,
    "gitlab": gitlab.read,
    "gitea": gitea.read,
}


@dataclass(frozen=True)
class Harvested:
    """What one attempt for one team gave."""

    team: str
    added: int = 0
    problem: str | None = None
    host: str = ""
    ahead_s: float | None = None
    """How far our clock was ahead of the forge's, in whole seconds."""


@dataclass(frozen=True, kw_only=True)
class Harvester:
    """Reads what forges have of pushes, and keeps it."""

    course: Course
    folder: Path
    """Holds `<team>.json`."""
    tokens: Mapping[str, str]
    """Host → access token."""
    clock: Callable[[], int]
    patience: Patience = PATIENT

    def harvest(self, teams: Sequence[Team]) -> list[Harvested]:
        """One attempt for each team, several at a time; the order of the teams is kept."""
        clients = self._clients(teams)
        with ThreadPoolExecutor(max_workers=self.course.collect.workers) as pool:
            return list(pool.map(lambda team: self._one(team, clients), teams))

    def _clients(self, teams: Sequence[Team]) -> dict[str, ForgeClient]:
        """One client for each host that has an API, so that connections are used again."""
        forges = [forge for team in teams if (forge := self._forge_or_none(team))]
        return {
            forge.host: ForgeClient(
                host=forge.api_host,
                token=self.tokens.get(forge.hostname, ""),
                clock=self.clock,
                patience=self.patience,
            )
            for forge in {forge.host: forge for forge in forges if forge.kind in _READERS}.values()
        }

    def _forge_or_none(self, team: Team) -> Forge | None:
        try:
            return forge_of(team.repo_url, self.course.collect)
        except ConfigurationError:
            return None  # said when the team's turn comes

    def _one(self, team: Team, clients: Mapping[str, ForgeClient]) -> Harvested:
        try:
            forge = forge_of(team.repo_url, self.course.collect)
            if forge.kind == "none":
                return Harvested(team.id, problem=_nobody_to_ask(forge), host=forge.host)
            reading = _read(forge, clients)
            merged = self._keep(team, reading.records)
        except (GraderError, OSError, RecursionError) as error:
            return Harvested(team.id, problem=str(error))
        return Harvested(
            team.id, merged.added, _oddities(merged, is_cut=reading.is_cut), forge.host, reading.ahead_s
        )

    def _keep(self, team: Team, records: Sequence[PushRecord]) -> Merged:
        now = self.clock()
        found = [replace(record, harvested_at=now) for record in oldest_first(records)]
        path = self.folder / f"{team.id}.json"
        with _in_turn(self.folder):
            content = path.read_bytes() if path.is_file() else None
            kept = parse_saved(content, where=str(path)) if content is not None else []
            merged = merge(kept, found)
            text = saved_text(merged.records)
            if content is None or text.encode() != content:
                self._keep_original(team, content, kept)
                write_whole(path, text)
        return merged

    def _keep_original(self, team: Team, content: bytes | None, kept: Sequence[PushRecord]) -> None:
        """A file that is not in our own form is evidence as it is."""
        if content is None or content == saved_text(kept).encode():
            return
        digest = hashlib.sha256(content).hexdigest()[:12]
        path = self.folder / ORIGINALS / f"{team.id}.{digest}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(path)


def harvest(
    course: Course,
    teams: Sequence[Team],
    folder: Path,
    tokens: Mapping[str, str],
    clock: Callable[[], int],
    *,
    patience: Patience = PATIENT,
) -> dict[str, str]:
    """Read and keep the push records of all teams; returns team id → problem.

    Args:
        course: says which hosts are allowed, and which forge each is.
        teams: whose repositories.
        folder: with `<team>.json`.
        tokens: host → access token.
        clock: seconds since the epoch.
        patience: how long a forge is waited for.
    """
    harvester = Harvester(course=course, folder=folder, tokens=tokens, clock=clock, patience=patience)
    return {one.team: one.problem for one in harvester.harvest(teams) if one.problem is not None}


@contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Of those who write to the folder, one at a time: a watch and a command may harvest side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(forge: Forge, clients: Mapping[str, ForgeClient]) -> Reading:
    if forge.kind == "reflog" and forge.host == FILE:
        return Reading(reflog.read(forge.folder, source=OWN_SERVER))
    reader = _READERS.get(forge.kind)
    if reader is None or forge.host not in clients:
        raise ConfigurationError(
            f"collect.forges of course.toml: {forge.hostname} is {forge.kind!r}, but only `file` has a reflog"
        )
    return reader(clients[forge.host], forge)


def _nobody_to_ask(forge: Forge) -> str:
    if forge.host == FILE:
        return (
            "no push records: logs of repositories on this machine are read only where [collect.forges] of "
            'course.toml has file = "reflog", which trusts whoever can push to them'
        )
    return (
        f"no push records: {forge.hostname!a} is no known forge; name its kind in [collect.forges] of "
        "course.toml, or save its activity log by hand"
    )


def _oddities(merged: Merged, *, is_cut: bool) -> str | None:
    said = list(merged.conflicts)
    if merged.gaps:
        said.append(
            f"{plural(merged.gaps, 'push', 'pushes')} of several branches at once: the forge does not say "
            "what moved"
        )
    if is_cut:
        said.append(
            "the forge has more pushes than are read at once; the newest are kept, and what was kept before"
        )
    return "; ".join(said) or None
