"""Started days late and the late rule in, what the rule takes away out. Pure, exact, never below zero."""

from decimal import Decimal

from grader.course.model import LatePolicy
from grader.records import Lateness


def lateness(policy: LatePolicy, *, days_late: int, earned: Decimal | None, out_of: Decimal) -> Lateness:
    """What being late costs.

    Args:
        policy: the late rule of course.toml.
        days_late: started days after the team's own deadline, as the collector counted them (grace minutes
            and extensions are already in it).
        earned: points before the rule; None while something is not marked, when the most that the rule could
            take is given.
        out_of: points that were possible.
    """
    if days_late == 0:
        return Lateness(days_late=0, deducted=Decimal(0), rule="on time")
    most = out_of if earned is None else max(earned, Decimal(0))
    if not policy.enabled or days_late > policy.max_days:
        last = f"nothing counts after {policy.max_days}" if policy.enabled else "late work does not count"
        return Lateness(days_late=days_late, deducted=most, rule=f"{_days(days_late)} late; {last}")
    base = out_of if policy.base == "possible" else most
    share = policy.rate * days_late
    rule = f"{_days(days_late)} late; {_percent(policy.rate)} of the points {policy.base} for each"
    return Lateness(days_late=days_late, deducted=min(share * base, most), rule=rule)


def _days(count: int) -> str:
    return f"{count} started day{'' if count == 1 else 's'}"


def _percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f} %"
