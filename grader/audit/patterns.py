"""A context in, habits that honest histories have too out: context for a person. Pure."""

from collections import Counter

from grader.audit.context import Context, Finding
from grader.audit.dated import listed, worst
from grader.audit.moments import distance
from grader.collect.objects import Commit
from grader.collect.oddities import CLOCK_SKEW_S
from grader.course.counting import plural

DAY_S = 24 * 3600
SHORT_HISTORY_S = 3600
NEARLY_ALL = 0.9


def author_older(context: Context) -> Finding | None:
    """Written more than a minute before they were committed: amended, rebased or picked."""
    return worst(
        context.commits, lambda one: _older_s(one, CLOCK_SKEW_S), "was written before it was committed"
    )


def author_a_day_older(context: Context) -> Finding | None:
    """Written more than a day before they were committed."""
    return worst(
        context.commits,
        lambda one: _older_s(one, DAY_S),
        "was written more than a day before it was committed",
    )


def same_second(context: Context) -> Finding | None:
    """Committed in the same second as a parent: by a program."""
    known = context.history.commits
    found = [
        one
        for one in context.commits
        if one.committed is not None
        and any(known[parent].committed == one.committed for parent in one.parents if parent in known)
    ]
    return listed(found, "has the same second as a parent")


def full_minutes(context: Context) -> Finding | None:
    """Committed at a full minute: typed by hand, or chance (1 in 60)."""
    found = [one for one in context.commits if one.committed is not None and one.committed % 60 == 0]
    return listed(found, f"is dated at a full minute (of {len(context.commits)}; chance alone makes 1 in 60)")


def zone_changes(context: Context) -> Finding | None:
    """Committed in another time zone than the first parent; summer time is no change."""
    known = context.history.commits
    found = [
        one
        for one in context.commits
        if one.parents and one.parents[0] in known and _moved(context, known[one.parents[0]], one)
    ]
    return listed(found, "has another time zone than its first parent")


def several_roots(context: Context) -> Finding | None:
    """Several first commits: histories were joined."""
    roots = [one for one in context.commits if not one.parents]
    return listed(roots, "starts a history of its own") if len(roots) > 1 else None


def within_an_hour(context: Context) -> Finding | None:
    """The whole history, of two commits or more, is dated within an hour."""
    dates = [one.committed for one in context.commits if one.committed is not None]
    if len(dates) < 2 or max(dates) - min(dates) > SHORT_HISTORY_S:
        return None
    span = distance(max(dates) - min(dates))
    return Finding((), f"the whole history ({plural(len(context.commits), 'commit')}) is dated within {span}")


def one_address(context: Context) -> Finding | None:
    """One e-mail address made nearly all commits of a group, merges left out."""
    own = [one for one in context.commits if len(one.parents) < 2]
    if not context.group or not own:
        return None
    _, most = Counter(one.author.email for one in own).most_common(1)[0]
    if most < NEARLY_ALL * len(own):
        return None
    return Finding(
        (), f"one e-mail address made {most} of the group's {plural(len(own), 'commit')}, merges left out"
    )


def _older_s(commit: Commit, bound_s: int) -> float:
    if commit.authored is None or commit.committed is None:
        return 0
    older = commit.committed - commit.authored
    return older if older > bound_s else 0


def _moved(context: Context, parent: Commit, child: Commit) -> bool:
    before, after = parent.committed_offset_minutes, child.committed_offset_minutes
    if before is None or after is None or before == after:
        return False
    return not (context.keeps_course_time(parent) and context.keeps_course_time(child))
