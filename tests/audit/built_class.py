"""A server's repositories and a class on disk: a course, a roster, our ledger and mirrors, and push records.

Histories are played second by second: whatever the server's branches held at the time of a look is what the
look saw.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from grader.collect.collector import Collector
from grader.course.tree import CourseTree
from tests.audit.histories import HISTORIES, History, Move
from tests.collect.lab import DAY, NOTHING, Clock, Repository, T

TOY = Path(__file__).parent.parent / "toy_course"
WATCHED = (T - 1, T + 3 * DAY)
"""A look within the last second before the deadline, and one long after it."""
LOOKED_ONCE = (T + 3 * DAY,)


class Server:
    """Where the repositories are. Time only moves on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories: dict[str, Repository] = {}
        self.moves: dict[str, list[Move]] = {}
        self.members: dict[str, Sequence[str]] = {}
        self._now = 0

    def add(self, history: History, *, team: str = "", members: Sequence[str] = ()) -> Repository:
        """A team with this history, of which nothing is on a branch yet."""
        name = team or history.name
        repository = self.repositories[name] = Repository(self.folder / f"{name}.git")
        self.moves[name] = history.build(repository)
        self.members[name] = members or (name,)
        return repository

    def advance(self, time: int) -> None:
        """Everything that was pushed until then is there."""
        for name, moves in self.moves.items():
            last = {move.branch: move for move in moves if self._now < move.time <= time}
            for branch, move in last.items():
                self.repositories[name].point(branch, move.commit)
        self._now = time

    def remove(self, team: str) -> None:
        """The repository is gone for good."""
        shutil.rmtree(self.repositories[team].folder)
        self.moves[team] = []

    def pushes(self, team: str) -> list[dict[str, object]]:
        """What a forge would have recorded."""
        commits, before, found = self.repositories[team].commits, {}, []
        for move in sorted(self.moves[team], key=lambda one: one.time):
            after = commits[move.commit] if move.commit else NOTHING
            ref = f"refs/heads/{move.branch}"
            old = before.get(ref, NOTHING)
            found.append({"ref": ref, "before": old, "after": after, "timestamp": move.time})
            before[ref] = after
        return found


class BuiltClass:
    """One course whose teams have their repositories on a server."""

    def __init__(self, folder: Path, server: Server, *, late: bool = False) -> None:
        self.root, self.server = folder / "course", server
        shutil.copytree(TOY, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        path = self.root / "assignments" / "t1_toy" / "assignment.toml"
        path.write_text(path.read_text().replace("2025-06-06 23:59", "2024-10-01 23:59"))
        course = self.root / "course.toml"
        course.write_text(f"{course.read_text()}\n[late]\nenabled = {str(late).lower()}\n")
        self.enrol()

    @property
    def state(self) -> Path:
        return self.root / ".grader"

    @property
    def page(self) -> str:
        return (self.pages / "t1_toy.html").read_text(encoding="utf-8")

    @property
    def pages(self) -> Path:
        return self.root / "reports" / "audit"

    def enrol(self) -> None:
        """The roster names everybody who is on the server now."""
        rows = [
            f"{member},{team},{self.server.repositories[team].url},{member}@example.edu"
            for team, members in self.server.members.items()
            for member in members
        ]
        (self.root / "roster.csv").write_text("\n".join(["student,team,repo_url,email", *rows]) + "\n")

    def extend(self, team: str, deadline: str) -> None:
        """A later deadline for one team."""
        rows = ["team,assignment,deadline,approver,reason_code", f"{team},t1_toy,{deadline},prof. x,R1"]
        (self.root / "extensions.csv").write_text("\n".join(rows) + "\n")

    def record_pushes(self, *teams: str) -> None:
        """Save what the forge recorded of these teams, of all without any named."""
        for team in teams or self.server.moves:
            self.record(self.server.pushes(team), team=team)

    def record(self, pushes: Sequence[Mapping[str, object]], *, team: str) -> None:
        """Save these as what the forge recorded of one team."""
        folder = self.root / "push_records"
        folder.mkdir(exist_ok=True)
        (folder / f"{team}.json").write_text(json.dumps(pushes))

    def look(self, *times: int) -> None:
        """Look at everybody at these times, as the server is then."""
        tree = CourseTree.open(self.root)
        roster, clock = tree.roster(self.root / "roster.csv"), Clock(0)
        collector = Collector(
            tree.course, state=self.state, push_records=self.root / "push_records", clock=clock
        )
        for time in times:
            self.server.advance(time)
            clock.now = time
            collector.observe(roster.teams)


def table_server(folder: Path, histories: Iterable[History] = HISTORIES) -> Server:
    """A server with a team for every history of the table."""
    server = Server(folder)
    for history in histories:
        server.add(history)
    return server
