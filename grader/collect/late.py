"""When work arrived and the late rule in, started days out. Pure."""

from grader.collect.history import History
from grader.course.instants import days_after
from grader.course.model import LatePolicy

MINUTE_S = 60


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
