"""A student's folder and the deadline in; which commit would be collected now and how late it is, out.

What is said rests on the dates that the commits carry; the grader has better evidence where there is some.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import git

from grader.collect.late import grace_s, started_days, window_end
from grader.course.instants import deadline_text, instant_text, wall_clock_to_epoch
from grader.course.model import Assignment, LatePolicy
from grader.records import Record

SHORT = 10
"""Digits of a commit that people read."""


class LateRules(Record):
    """What a student's copy of an assignment knows of the course: where its clock is, and the late rule."""

    time_zone: str
    late: LatePolicy = LatePolicy()


@dataclass(frozen=True)
class Due:
    """The deadline of an assignment with everything that decides what is late."""

    first_late: int
    """Exclusive, in seconds since the epoch; grace minutes are in it."""
    rules: LateRules

    @classmethod
    def of(cls, assignment: Assignment, rules: LateRules) -> "Due":
        """The deadline for everybody; an extension of one team is known to the course alone."""
        exact = wall_clock_to_epoch(assignment.deadline, rules.time_zone)
        return cls(exact + grace_s(rules.late), rules)

    def text(self) -> str:
        """The deadline for people, with its zone."""
        last = deadline_text(self.first_late, zone=self.rules.time_zone)
        minutes = self.rules.late.grace_minutes if self.rules.late.enabled else 0
        return f"{last} ({minutes} minutes of grace are in it)" if minutes else last

    def chosen(self, dates: Sequence[int]) -> int | None:
        """Which of some commits counts, by their dates, newest first; None where all came too late."""
        late = self.rules.late
        end = window_end(self.first_late, late, zone=self.rules.time_zone)
        if late.takes == "on_time" and any(date < self.first_late for date in dates):
            end = self.first_late
        return next((place for place, date in enumerate(dates) if date < end), None)

    def lateness(self, when: int) -> str:
        """How late something of this instant is, and what that costs."""
        late = self.rules.late
        days = started_days(when, self.first_late, zone=self.rules.time_zone)
        if not days:
            return "on time"
        said = f"late by {counted(days, 'started day')}"
        if not late.enabled or days > late.max_days:
            return f"{said}, so it does not count"
        cost = f"{(late.rate * days * Decimal(100)).normalize():f} %"
        return f"{said}, which costs {cost} of the points {late.base}"


def hand_in_facts(folder: Path, due: Due | None, *, now: int | None = None) -> list[str]:
    """What a student should know about the state of their repository.

    Args:
        folder: the assignment's folder in the student's repository.
        due: None where the copy of the assignment does not say what the clock of the course is.
        now: seconds since the epoch; by default this moment.
    """
    try:
        repository = git.Repo(folder, search_parent_directories=True)
        head = repository.head.commit
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        return ["this folder is not in a Git repository, so nothing would be collected"]
    except ValueError:
        return ["there is no commit yet, so nothing would be collected"]
    moment = int(time.time()) if now is None else now
    with repository:
        return [
            f"the last commit here is {_named(head, due)}",
            *_uncommitted(repository),
            *_pushed(repository, folder, due, moment),
        ]


def counted(count: int, noun: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _uncommitted(repository: git.Repo) -> list[str]:
    diffs = (*repository.index.diff(None), *repository.index.diff("HEAD"))
    changed = len({diff.a_path or diff.b_path for diff in diffs})
    new = len(repository.untracked_files)
    found = [counted(count, f"{kind} file") for count, kind in ((changed, "changed"), (new, "new")) if count]
    if not found:
        return ["everything is committed"]
    verb = "is" if changed + new == 1 else "are"
    return [f"{' and '.join(found)} {verb} not committed and would not count"]


def _pushed(repository: git.Repo, folder: Path, due: Due | None, now: int) -> list[str]:
    """What the branch that is handed in has, and what only this machine has."""
    if repository.head.is_detached:
        return ["no branch is checked out; commit on the branch that you hand in"]
    upstream = repository.active_branch.tracking_branch()
    if upstream is None or not upstream.is_valid():
        return ["this branch was never pushed, so nothing of it would be collected; push it"]
    ahead = sum(1 for _ in repository.iter_commits(f"{upstream.commit.hexsha}..HEAD"))
    return [
        _ahead(ahead, upstream.name, due, now),
        *(_collected(repository, folder, upstream.commit, due) if due else []),
    ]


def _ahead(ahead: int, upstream: str, due: Due | None, now: int) -> str:
    if not ahead:
        return f"everything is pushed to {upstream}"
    verb = "is" if ahead == 1 else "are"
    said = f"{counted(ahead, 'commit')} {verb} not pushed and would not count; {upstream} is what would"
    if due is None or now < due.first_late:
        return said
    return f"{said}. What is pushed now is {due.lateness(now)}"


def _collected(repository: git.Repo, folder: Path, tip: git.Commit, due: Due) -> list[str]:
    """The commit that brought the folder into the state that would be collected, and how late it is."""
    within = folder.relative_to(Path(repository.working_dir).resolve()).as_posix()
    commits = list(repository.iter_commits(tip, paths=within))
    if not commits:
        return ["no pushed commit has anything in this folder, so nothing would be collected"]
    chosen = due.chosen([commit.committed_date for commit in commits])
    if chosen is None:
        return [f"the pushed work of this folder is {due.lateness(commits[-1].committed_date)}"]
    counts = commits[chosen]
    said = f"commit {_named(counts, due)} is what would be collected of this folder: "
    newer = [f"; {counted(chosen, 'newer commit')} to it would not count"] if chosen else []
    return [said + due.lateness(counts.committed_date) + "".join(newer)]


def _named(commit: git.Commit, due: Due | None) -> str:
    if due is None:
        when = commit.committed_datetime.strftime("%Y-%m-%d %H:%M:%S %z")
    else:
        when = instant_text(commit.committed_date, zone=due.rules.time_zone)
    return f"{commit.hexsha[:SHORT]} of {when}"
