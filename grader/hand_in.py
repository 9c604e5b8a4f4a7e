"""A student's folder and the deadline in; which commit would count now, and how sure that is, out in words.

What is said rests on what this computer knows; what counts in the end is what the server had at the deadline.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from grader.checkout import (
    Arrival,
    Changes,
    Checkout,
    CheckoutError,
    Dated,
    HandIn,
    arrival,
    ask_server,
    read_checkout,
)
from grader.collect.late import grace_s, started_days, window_end
from grader.course.counting import plural
from grader.course.instants import deadline_text, instant_text, wall_clock_to_epoch
from grader.course.model import Assignment, Course, LatePolicy
from grader.records import Record

SHORT = 10
"""Digits of a commit that people read."""
NAMED_FILES = 3
CLOCK_SKEW_S = 120

_PROOF = "your proof is that the server had it before the deadline, whatever dates the commits carry"
_LOOK = "Look at the page of your repository, or run `grader check --ask-server`"
_NOT_HANDED_IN = "what is not in that branch of the server at the deadline is not handed in: push before it"


class LateRules(Record):
    """What a student's copy of an assignment knows of the course: where its clock is, and the late rule."""

    time_zone: str
    late: LatePolicy = LatePolicy()
    branch: str = ""
    """That is collected; empty for the default branch of each repository."""

    @classmethod
    def of(cls, course: Course) -> "LateRules":
        """What a copy for students is given."""
        return cls(time_zone=course.time_zone, late=course.late, branch=course.collect.branch)


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

    def lateness(self, when: int, *, beside: Dated | None = None) -> str:
        """How late something of this instant is, and what that costs.

        Args:
            when: seconds since the epoch.
            beside: what counts already.
        """
        late = self.rules.late
        days = started_days(when, self.first_late, zone=self.rules.time_zone)
        if not days:
            return "on time"
        said = f"late by {plural(days, 'started day')}"
        if not late.enabled or days > late.max_days:
            return f"{said}, so it does not count"
        if beside is not None and late.takes == "on_time" and beside.date < self.first_late:
            return f"{said}, and does not count: this folder was on time"
        cost = f"{(late.rate * days * Decimal(100)).normalize():f} %"
        return f"{said}, which costs {cost} of the points {late.base}"


def hand_in_facts(
    folder: Path, due: Due | None, *, collected: str | None = None, ask: bool = False, now: int | None = None
) -> list[str]:
    """What a student should know about the state of their repository.

    Args:
        folder: the assignment's folder in the student's repository.
        due: None where the copy of the assignment does not say what the clock of the course is.
        collected: the folder that the course collects, from the top of the repository; None when not known.
        ask: whether to ask the server, with the student's own git.
        now: seconds since the epoch; by default this moment.
    """
    moment = int(time.time()) if now is None else now
    try:
        checkout = read_checkout(folder, branch=due.rules.branch if due else "")
    except CheckoutError as error:
        return [f"{error}; so nothing can be said about what would be collected"]
    if checkout.head is None:
        return ["there is no commit yet, so nothing would be collected; commit, and push"]
    return [
        f"the last commit here is {_named(checkout.head, due)}{_ahead_of_clock(checkout.head, moment)}",
        *_wrong_folder(checkout, collected),
        *_uncommitted(checkout.changes),
        *_pushed(checkout, due, moment),
        *_how_sure(folder, checkout.hand_in, due),
        *(_server(folder, checkout.hand_in, due, moment) if ask and checkout.hand_in else []),
    ]


def _ahead_of_clock(commit: Dated, now: int) -> str:
    if commit.date <= now + CLOCK_SKEW_S:
        return ""
    return ", which is in the future: set the clock of the computer that made it"


def _wrong_folder(checkout: Checkout, collected: str | None) -> list[str]:
    if collected is None or checkout.folder.casefold() == collected.strip("/").casefold():
        return []
    here, there = (f"the folder '{name}'" if name else "the top" for name in (checkout.folder, collected))
    return [f"this is {here} of the repository, but what is collected is {there}; move your work there"]


def _uncommitted(changes: Changes) -> list[str]:
    found = [
        f"{plural(len(paths), f'{kind} file')} ({_some(paths)})"
        for paths, kind in ((changes.changed, "changed"), (changes.new, "new"))
        if paths
    ]
    verb = "is" if len(changes.changed + changes.new) == 1 else "are"
    return [
        *([f"{' and '.join(found)} {verb} not committed and would not count"] if found else []),
        *(
            [f"a merge is not finished: {_some(changes.conflicts)} has conflicts; settle them and commit"]
            if changes.conflicts
            else []
        ),
        *(
            [f"{_some(changes.ignored)}: never committed, because .gitignore names it; `git add -f` takes it"]
            if changes.ignored
            else []
        ),
        *(["everything in this folder is committed"] if not found and not changes.conflicts else []),
    ]


def _some(paths: Sequence[str]) -> str:
    shown = ["".join(mark if mark.isprintable() else "�" for mark in path) for path in paths[:NAMED_FILES]]
    more = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _pushed(checkout: Checkout, due: Due | None, now: int) -> list[str]:
    """What the branch that is handed in has, and what only this computer has."""
    there = checkout.hand_in
    if there is None:
        said = (
            "nothing was ever pushed from here as far as this computer knows, so nothing would be collected"
        )
        return [f"{said}; push (`git push -u origin HEAD`)"]
    waiting = there.missing and (due is None or now < due.first_late)
    return [
        *_branch(checkout, there),
        _missing(there, due, now),
        *([_newer(there)] if there.newer else []),
        *([_collected(checkout, there, due)] if due else []),
        *([_NOT_HANDED_IN] if waiting else []),
    ]


def _branch(checkout: Checkout, there: HandIn) -> list[str]:
    branch = there.name.partition("/")[2]
    if not checkout.branch:
        return [
            f"no branch is checked out; what is handed in is the branch '{branch}' (`git switch {branch}`)"
        ]
    if checkout.branch != branch and there.is_certain:
        return [
            f"you work on the branch '{checkout.branch}', but what is handed in is '{branch}' on the server"
        ]
    return []


def _missing(there: HandIn, due: Due | None, now: int) -> str:
    if not there.missing:
        return f"everything that is committed is in {there.name}, as far as this computer knows"
    verb = "is" if there.missing == 1 else "are"
    count = plural(there.missing, "commit")
    said = f"{count} here {verb} not in {there.name} and would not count"
    if due is None or now < due.first_late:
        return said
    return f"{said}. What is pushed now is {due.lateness(now, beside=_counting(there, due))}"


def _newer(there: HandIn) -> str:
    """Somebody else pushed, or another computer did."""
    count = plural(there.newer, "commit")
    return f"{there.name} has {count} that you have not here; what counts is what is there (`git pull`)"


def _how_sure(folder: Path, there: HandIn | None, due: Due | None) -> list[str]:
    if there is None:
        return []
    counts = _counting(there, due)
    arrived = arrival(folder, there.name, counts.id) if counts else None
    return [_evidence(counts, arrived, due)]


def _counting(there: HandIn | None, due: Due | None) -> Dated | None:
    """The commit that would be collected, by the dates."""
    if there is None or due is None:
        return None
    chosen = due.chosen([commit.date for commit in there.commits])
    return None if chosen is None else there.commits[chosen]


def _collected(checkout: Checkout, there: HandIn, due: Due) -> str:
    """The commit that brought the folder into the state that would be collected, and how late it is."""
    if not there.commits:
        return "no pushed commit has anything in this folder, so nothing would be collected"
    counts = _counting(there, due)
    if counts is None:
        return f"the pushed work of this folder is {due.lateness(there.commits[-1].date)}"
    newer = there.commits.index(counts)
    said = (
        f"commit {_named(counts, due)} is what would be collected of this folder: {due.lateness(counts.date)}"
    )
    if newer:
        said += f"; {plural(newer, 'newer commit')} to it would not count"
    if checkout.is_shallow:
        said += "; this clone is shallow, so it may be an older commit that did that"
    return said


def _evidence(counts: Dated | None, arrived: Arrival | None, due: Due | None) -> str:
    """How sure all of that is, and what would make it surer."""
    if counts is None or due is None:
        return f"how sure: {_PROOF}. {_LOOK}"
    if arrived is None:
        return f"how sure: {_PROOF}, which this computer cannot tell. {_LOOK}"
    when = instant_text(arrived.time, zone=due.rules.time_zone)
    if arrived.by_push and counts.date < due.first_late <= arrived.time:
        return (
            f"not sure: that commit is dated on time, but it was pushed from here at {when}, after the "
            "deadline; what was not on the server by then is late, whatever dates the commits carry"
        )
    how = "pushed from here" if arrived.by_push else "first seen there"
    return f"how sure: {_PROOF} ({how} at {when}). {_LOOK}"


def _server(folder: Path, there: HandIn, due: Due | None, now: int) -> list[str]:
    try:
        tip = ask_server(folder, there.name)
    except CheckoutError as error:
        return [f"the server could not be asked: {error}"]
    when = f" at {instant_text(now, zone=due.rules.time_zone)}" if due else ""
    if tip is None:
        return [f"the server says that it has no branch '{there.name.partition('/')[2]}'{when}; push it"]
    said = f"the server has {tip[:SHORT]} in {there.name}{when}"
    if tip == there.tip:
        return [f"{said}: what this computer believes is true"]
    believed = f"this computer believes {there.tip[:SHORT]}: somebody pushed since"
    return [f"{said}, and {believed}; `git fetch`, and check again"]


def _named(commit: Dated, due: Due | None) -> str:
    zone = due.rules.time_zone if due else "UTC"
    return f"{commit.id[:SHORT]} of {instant_text(commit.date, zone=zone)}"
