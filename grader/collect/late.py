"""When work arrived and the late rule in, started days out. Pure."""

from grader.collect.history import History
from grader.course.instants import days_after, wall_clock_to_epoch
from grader.course.model import Assignment, Course, LatePolicy
from grader.records import Team

MINUTE_S = 60


def first_late_of(team: Team, assignment: Assignment, course: Course) -> int:
    """When late begins for a team, in seconds since the epoch: of several extensions the latest counts.

    Raises:
        ConfigurationError: the deadline or an extension is no time that exists.
    """
    extended = [one.deadline for one in team.extensions if one.assignment == assignment.id]
    ends = [wall_clock_to_epoch(one, course.time_zone) for one in extended or [assignment.deadline]]
    return max(ends) + grace_s(course.late)


def grace_s(policy: LatePolicy) -> int:
    """Seconds after the deadline that cost nothing."""
    return policy.grace_minutes * MINUTE_S if policy.enabled else 0


def window_end(first_late: int, policy: LatePolicy, *, zone: str) -> int:
    """The first instant that is too late even for the late rule; `first_late` where there is no such rule."""
    return days_after(first_late, policy.max_days, zone=zone) if policy.enabled else first_late


def started_days(arrived: int, first_late: int, *, zone: str) -> int:
    """Days begun since the deadline, by the wall clock; 0 when it arrived before `first_late`."""
    days = 0
    while arrived >= days_after(first_late, days, zone=zone):
        days += 1
    return days


def arrival(history: History, commit: str, *, first_late: int) -> int:
    """When late work was handed in, in seconds since the epoch.

    A push record decides where one brought the commit. Otherwise it is the date that the commit carries, or
    the first time anybody saw it if that is earlier; never before `first_late`, because this work was found
    to be late.
    """
    pushed = history.pushed.get(commit)
    claimed = min(history.effective[commit], history.seen[commit].time)
    known = pushed if pushed is not None else claimed
    return max(first_late, int(known))
