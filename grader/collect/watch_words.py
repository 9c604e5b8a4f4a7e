"""What a watch waits for and what it has in, sentences for people out. Pure."""

from grader.collect.watch import Coverage, Instant, Moment
from grader.course.counting import plural
from grader.course.instants import deadline_text, instant_text

NAMED_TEAMS = 10
"""Teams that a line names."""


def next_text(instant: Instant, zone: str) -> str:
    """When the next look is, and at whom."""
    at = f", the deadline of {', '.join(instant.deadline_of)}" if instant.deadline_of else ""
    when = instant_text(instant.time, zone=zone)
    return f"next look at {plural(len(instant.teams), 'team')}: {when}{at}"


def coverage_text(known: Coverage, zone: str) -> str:
    """What the ledger holds about one deadline."""
    teams = plural(len(known.moment.teams), "team")
    said = (
        f"{deadline_name(known.moment, zone)}: {len(known.watched)} of {teams} seen in the ten minutes "
        f"before it, {len(known.delays_s)} after it"
    )
    if known.delays_s:
        said += f" (at the latest {max(known.delays_s.values())} s)"
    if known.missing:
        more = len(known.missing) - NAMED_TEAMS
        said += f"; not seen on both sides: {', '.join(known.missing[:NAMED_TEAMS])}"
        said += f" and {more} more" if more > 0 else ""
    return said


def deadline_name(moment: Moment, zone: str) -> str:
    """A deadline by its name and its last second."""
    return f"{moment.what} ({deadline_text(moment.time, zone=zone)})"
