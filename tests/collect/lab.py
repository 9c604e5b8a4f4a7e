"""Builds real repositories with git plumbing, in a clean environment, and the records to collect them with."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from grader.collect.collector import Collected, Collector
from grader.collect.hardened_git import Git
from grader.collect.history import History
from grader.collect.looks import sightings
from grader.collect.objects import read_history
from grader.collect.push_records import Push
from grader.course.model import (
    Assignment,
    CollectPolicy,
    Component,
    Components,
    Course,
    LatePolicy,
    LetterScale,
    Task,
)
from grader.records import Extension, Sighting, Team

HOUR = 3600
DAY = 24 * HOUR
TORONTO = "America/Toronto"
DEADLINE = "2024-10-01 23:59"
T = int(datetime(2024, 10, 2, tzinfo=ZoneInfo(TORONTO)).timestamp())
"""First late instant."""
NOTHING = "0" * 40
MAIN = "refs/heads/main"

_CLEAN = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C",
    "TZ": "UTC",
    "GIT_AUTHOR_NAME": "s",
    "GIT_AUTHOR_EMAIL": "s@x",
    "GIT_COMMITTER_NAME": "s",
    "GIT_COMMITTER_EMAIL": "s@x",
}

Content = str | bytes | tuple[str, str] | Mapping[str, Any]
"""A file's text or bytes, (mode, object id), or a folder of these by name."""


class Repository:
    """A student's repository on a server: commits by nickname, files of each at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", "--template=")
        self.git("config", "uploadpack.allowFilter", "true")
        self.commits: dict[str, str] = {}

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def git(self, *arguments: str, stdin: str | bytes = b"", **variables: str) -> str:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["git", f"--git-dir={self.folder}", *arguments],
            env=_CLEAN | variables,
            input=given,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def tree(self, files: Mapping[str, Content]) -> str:
        return self.git("mktree", "-z", stdin="".join(f"{self._entry(n, c)}\0" for n, c in files.items()))

    def raw_tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """A tree that mktree would refuse: (mode, name, object id) as they are."""
        content = b"".join(
            f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
        )
        return self.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=content)

    def blob(self, content: str | bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def commit(
        self,
        name: str,
        date: int,
        parents: Sequence[str] = (),
        *,
        authored: int | None = None,
        files: Mapping[str, Content] | None = None,
        tree: str | None = None,
    ) -> str:
        tree = tree or self.tree(files if files is not None else {"a1": {"work.py": f"x = {name!r}\n"}})
        parent_options = [option for parent in parents for option in ("-p", self.commits[parent])]
        dates = {
            "GIT_AUTHOR_DATE": f"{date if authored is None else authored} -0400",
            "GIT_COMMITTER_DATE": f"{date} -0400",
        }
        self.commits[name] = self.git("commit-tree", tree, "-m", name, *parent_options, **dates)
        return self.commits[name]

    def raw_commit(self, name: str, committer: str, parents: Sequence[str] = ()) -> str:
        """A commit whose committer line is taken as it is."""
        lines = [f"tree {self.tree({'a1': {'work.py': f'x = {name!r}'}})}"]
        lines += [f"parent {self.commits[parent]}" for parent in parents]
        lines += [f"author s <s@x> {T - HOUR} -0400", committer, "", name]
        self.commits[name] = self.git(
            "hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin="\n".join(lines)
        )
        return self.commits[name]

    def point(self, branch: str, commit: str | None) -> None:
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        if commit is None:
            self.git("update-ref", "-d", ref)
        else:
            self.git("update-ref", ref, self.commits[commit])

    def name_of(self, commit: str | None) -> str | None:
        return next((name for name, one in self.commits.items() if one == commit), commit)

    def push(self, before: str | None, after: str | None, time: int, ref: str = MAIN) -> Push:
        return Push(
            ref,
            self.commits[before] if before else NOTHING,
            self.commits[after] if after else NOTHING,
            time,
        )

    def history(
        self,
        *,
        pushes: Sequence[Push] = (),
        seen: Sequence[Sighting] = (),
        signed: Mapping[str, int] | None = None,
        looked: Sequence[int] = (),
    ) -> History:
        commits = read_history(Git(self.folder), sorted(self.commits.values()))
        signed_ids = {self.commits[name]: time for name, time in (signed or {}).items()}
        witnesses = sorted([*sightings([], pushes), *seen], key=lambda one: one.time)
        return History(commits, witnesses, pushes, signed_ids, looked)

    def _entry(self, name: str, content: Content) -> str:
        if isinstance(content, tuple):
            mode, oid = content
            kind = {"40000": "tree", "160000": "commit"}.get(mode, "blob")
            return f"{mode} {kind} {oid}\t{name}"
        if isinstance(content, Mapping):
            return f"040000 tree {self.tree(content)}\t{name}"
        return f"100644 blob {self.blob(content)}\t{name}"


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def course(*, late: Mapping[str, Any] | None = None, **collect: Any) -> Course:
    scale = LetterScale(letters={"A": 80}, below="F")
    share = Component(weight=Decimal(50))
    return Course(
        title="Generative models",
        term="2024",
        time_zone=TORONTO,
        components=Components(assignments=share, exam=share, project=Component(weight=Decimal(0))),
        late=LatePolicy(**(late or {"enabled": False})),
        collect=CollectPolicy(**({"protocols": ("file",), "timeout_s": 20} | collect)),
        scales={"undergraduate": scale},
    )


def assignment(folder: str = "a1", deadline: str = DEADLINE, **task: Any) -> Assignment:
    return Assignment(
        id="a1_language_models",
        title="Language models",
        deadline=deadline,
        folder=folder,
        seed=1,
        tasks=(Task(**({"id": "work", "title": "Work", "module": "work", "names": ("x",)} | task)),),
    )


def team(url: str, name: str = "team01", extensions: tuple[Extension, ...] = ()) -> Team:
    return Team(id=name, members=("s1",), repo_url=url, extensions=extensions)


def extension(deadline: str) -> Extension:
    return Extension(assignment="a1_language_models", deadline=deadline, approver="prof", reason_code="R1")


class Desk:
    """A grader's desk: a state folder, a clock, and collectors that can be made anew."""

    def __init__(self, folder: Path, course: Course, now: int = T + 30 * DAY) -> None:
        self.state = folder / "state"
        self.records = folder / "push_records"
        self.keys = folder / "forge_keys"
        self.course = course
        self.clock = Clock(now)

    @property
    def collector(self) -> Collector:
        return Collector(
            self.course,
            state=self.state,
            push_records=self.records,
            clock=self.clock,
            forge_keys=self.keys,
        )

    def observe(self, *teams: Team, at: int | None = None) -> dict[str, str]:
        self.clock.now = self.clock.now if at is None else at
        return self.collector.observe(teams)

    def collect(self, who: Team, what: Assignment | None = None) -> Collected:
        return self.collector.collect(who, what or assignment())

    def text(self, collected: Collected, path: str) -> bytes:
        assert collected.files is not None
        return (self.state / collected.files / path).read_bytes()
