"""A class on disk: a course, a roster, a server's repositories, our ledger and mirrors, and push records.

Histories are played second by second: whatever the server's branches held at the time of a look is what the
look saw.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from grader.collect.collector import Collector
from grader.course.tree import CourseTree
from tests.audit.histories import HISTORIES, MINUTE, History, Move
from tests.collect.lab import DAY, HOUR, NOTHING, Clock, Repository, T

TOY = Path(__file__).parent.parent / "toy_course"
WATCHED = (T - 6 * HOUR, T - 5 * MINUTE, T - 1, T + 5 * MINUTE, T + 3 * DAY)
"""Looks around the deadline, the last but one before it within its last second."""
LOOKED_ONCE = (T + 3 * DAY,)


class BuiltClass:
    """One course with a team for every history."""

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        self.root = folder / "course"
        self.server = folder / "server"
        shutil.copytree(TOY, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        path = self.root / "assignments" / "t1_toy" / "assignment.toml"
        path.write_text(path.read_text().replace("2025-06-06 23:59", "2024-10-01 23:59"))
        course = self.root / "course.toml"
        course.write_text(course.read_text().replace("[collect]\n", f"[collect]\n{settings}\n"))
        self.repositories: dict[str, Repository] = {}
        self.moves: dict[str, list[Move]] = {}
        self._roster = ["student,team,repo_url,email"]

    @property
    def state(self) -> Path:
        return self.root / ".grader"

    @property
    def page(self) -> str:
        return (self.root / "reports" / "audit" / "t1_toy.html").read_text(encoding="utf-8")

    def add(self, history: History, *, team: str = "", members: Sequence[str] = ()) -> Repository:
        """A team with this history, not yet on the server."""
        name = team or history.name
        repository = self.repositories[name] = Repository(self.server / f"{name}.git")
        self.moves[name] = history.build(repository)
        for member in members or [name]:
            self._roster.append(f"{member},{name},{repository.url},{member}@example.edu")
        (self.root / "roster.csv").write_text("\n".join(self._roster) + "\n")
        return repository

    def play(self, looks: Iterable[int]) -> None:
        """Move the server's branches through time, and look at all of them at these times, as an observer does."""
        tree = CourseTree.open(self.root)
        clock = Clock(0)
        collector = Collector(tree.course, state=self.state, push_records=self.records, clock=clock)
        roster = tree.roster(self.root / "roster.csv")
        began = 0
        for time in sorted(looks):
            for name, moves in self.moves.items():
                for move in moves:
                    if began <= move.time <= time:
                        self.repositories[name].point(move.branch, move.commit)
            began, clock.now = time + 1, time
            collector.observe(roster.teams)

    @property
    def records(self) -> Path:
        return self.root / "push_records"

    def record_pushes(self, *teams: str) -> None:
        """What the forge recorded of these teams, of all without any named."""
        self.records.mkdir(exist_ok=True)
        for name in teams or self.moves:
            (self.records / f"{name}.json").write_text(json.dumps(self._pushes(name)))

    def _pushes(self, name: str) -> list[dict[str, object]]:
        commits, before, pushes = self.repositories[name].commits, {}, []
        for move in sorted(self.moves[name], key=lambda one: one.time):
            after = commits[move.commit] if move.commit else NOTHING
            ref = f"refs/heads/{move.branch}"
            pushes.append(
                {"ref": ref, "before": before.get(ref, NOTHING), "after": after, "timestamp": move.time}
            )
            before[ref] = after
        return pushes


def table_class(folder: Path, *, looks: Iterable[int], pushes: bool) -> BuiltClass:
    """Every history of the table, seen by these looks and, if wanted, by the forge."""
    built = BuiltClass(folder)
    for history in HISTORIES:
        built.add(history)
    if pushes:
        built.record_pushes()
    built.play(looks)
    return built
