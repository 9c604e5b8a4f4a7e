"""The rows of the table of histories: real commits, when each was pushed, and what the rule must say.

A history is a function that makes commits in a `Repository` and returns its moves: when a branch of the server
came to point at which commit. Everything else (looks, push records) follows from the moves.
"""

from collections.abc import Callable
from dataclasses import dataclass

from grader.records import Decision
from tests.collect.lab import DAY, HOUR, Repository, T

MINUTE = 60
FOLDER = "t1"


@dataclass(frozen=True)
class Move:
    """The server's branch points at a commit (by nickname) from this second on; None: it is gone."""

    time: int
    commit: str | None
    branch: str = "main"


@dataclass(frozen=True)
class History:
    """One row. Each outcome is (nickname of the commit that counts, decision)."""

    name: str
    build: Callable[[Repository], list[Move]]
    witnessed: tuple[str | None, Decision]
    """With push records, and with looks of ours right at the deadline."""
    dated: tuple[str | None, Decision]
    """With the dates inside the commits alone."""


def commit(repository, name, date, parents=(), text="", **options):
    """A commit whose submission differs from every other's, unless `text` says what is in it."""
    source = f"# {text or name}\ndef add(a, b):\n    return a + b\n"
    return repository.commit(name, date, parents, files={FOLDER: {"counting.py": source}}, **options)


def linear(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "c2", T - 2 * HOUR, ["c1"])
    commit(repository, "c3", T + 2 * HOUR, ["c2"])
    return [Move(T - 5 * HOUR, "c1"), Move(T - 2 * HOUR, "c2"), Move(T + 2 * HOUR, "c3")]


def amended(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "c2", T - 2 * HOUR, ["c1"])
    commit(repository, "c2a", T + 3 * HOUR, ["c1"], authored=T - 2 * HOUR, text="c2 and a correction")
    return [Move(T - 5 * HOUR, "c1"), Move(T - 2 * HOUR, "c2"), Move(T + 3 * HOUR, "c2a")]


def rebased(repository):
    for place, (old, new) in enumerate((("c1", "r1"), ("c2", "r2"), ("c3", "r3"))):
        when = T - (5 - place) * HOUR
        parent = [f"c{place}"] if place else []
        commit(repository, old, when, parent)
        rebased_on = [f"r{place}"] if place else ["base"]
        if not place:
            commit(repository, "base", T - 9 * DAY)
        commit(repository, new, when if not place else T + HOUR, rebased_on, authored=when, text=old)
    return [Move(T - 3 * HOUR, "c3"), Move(T + HOUR, "r3")]


def forged(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "c2", T - 2 * HOUR, ["c1"])
    commit(repository, "f", T - 6 * MINUTE, ["c1"])
    return [Move(T - 5 * HOUR, "c1"), Move(T - 2 * HOUR, "c2"), Move(T + HOUR, "f")]


def forged_on_late(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "c2", T - 2 * HOUR, ["c1"])
    commit(repository, "c3", T + HOUR, ["c2"])
    commit(repository, "f", T - 6 * MINUTE, ["c3"])
    return [Move(T - 2 * HOUR, "c2"), Move(T + 2 * HOUR, "f")]


def merged_feature(repository):
    commit(repository, "base", T - 9 * HOUR)
    commit(repository, "alice", T - 3 * HOUR, ["base"])
    commit(repository, "feature", T - HOUR, ["base"])
    commit(repository, "merge", T + 2 * HOUR, ["alice", "feature"])
    return [
        Move(T - 3 * HOUR, "alice"),
        Move(T - HOUR, "feature", "feature"),
        Move(T + 2 * HOUR, "merge"),
    ]


def pulled(repository):
    commit(repository, "base", T - 9 * HOUR)
    commit(repository, "alice", T - 3 * HOUR, ["base"])
    commit(repository, "unpushed", T - HOUR, ["base"])
    commit(repository, "merge", T + 2 * HOUR, ["unpushed", "alice"])
    return [Move(T - 3 * HOUR, "alice"), Move(T + 2 * HOUR, "merge")]


def lab_clock(repository):
    year_2000 = 946_684_800
    commit(repository, "c1", T - 8 * HOUR)
    commit(repository, "c2", T - 6 * HOUR, ["c1"])
    commit(repository, "c3", year_2000 + HOUR, ["c2"])
    commit(repository, "c4", year_2000 + 2 * HOUR, ["c3"])
    commit(repository, "c5", T + 2 * HOUR, ["c4"])
    return [Move(T - HOUR, "c4"), Move(T + 2 * HOUR, "c5")]


def fast_clock(repository):
    commit(repository, "c1", T - 9 * HOUR)
    commit(repository, "c2", T + 2 * DAY - 4 * HOUR, ["c1"])
    commit(repository, "c3", T - HOUR, ["c2"])
    commit(repository, "c4", T + HOUR, ["c3"])
    return [Move(T - 4 * HOUR, "c2"), Move(T - HOUR, "c3"), Move(T + HOUR, "c4")]


def other_branch(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "work", T - HOUR, ["c1"])
    return [Move(T - 5 * HOUR, "c1"), Move(T - HOUR, "work", "dev")]


def fresh_root(repository):
    commit(repository, "old1", T - 5 * HOUR)
    commit(repository, "old", T - 2 * HOUR, ["old1"])
    commit(repository, "new", T + 2 * HOUR)
    return [Move(T - 2 * HOUR, "old"), Move(T + 2 * HOUR, "new")]


def same_second(repository):
    commit(repository, "c1", T - HOUR)
    commit(repository, "c2", T - HOUR, ["c1"])
    commit(repository, "c3", T - HOUR, ["c2"])
    commit(repository, "c4", T + HOUR, ["c3"])
    return [Move(T - HOUR + 1, "c3"), Move(T + HOUR, "c4")]


def last_second(repository):
    commit(repository, "c1", T - HOUR)
    commit(repository, "last", T - 1, ["c1"])
    commit(repository, "late", T, ["last"])
    return [Move(T - HOUR, "c1"), Move(T - 1, "last"), Move(T, "late")]


def unpushed(repository):
    commit(repository, "c1", T - 5 * HOUR)
    commit(repository, "c2", T - HOUR, ["c1"])
    return [Move(T - 5 * HOUR, "c1"), Move(T + HOUR, "c2")]


def only_late(repository):
    commit(repository, "late", T + HOUR)
    return [Move(T + HOUR, "late")]


_CONFIRMED, _OTHERS = Decision.CONFIRMED, Decision.CONFIRMED_OTHER_HEADS
_REWRITTEN, _CLAIMED = Decision.REWRITTEN, Decision.CLAIMED_ONLY

HISTORIES = (
    History("linear", linear, ("c2", _CONFIRMED), ("c2", _CLAIMED)),
    History("amended", amended, ("c2", _REWRITTEN), ("c1", _CLAIMED)),
    History("rebased", rebased, ("c3", _REWRITTEN), ("r1", _CLAIMED)),
    History("forged", forged, ("c2", _REWRITTEN), ("f", _CLAIMED)),
    History("forged-on-late", forged_on_late, ("c2", _CONFIRMED), ("c2", _CLAIMED)),
    History("merged-feature", merged_feature, ("alice", _OTHERS), (None, Decision.AMBIGUOUS)),
    History("pulled", pulled, ("alice", _OTHERS), (None, Decision.AMBIGUOUS)),
    History("lab-clock", lab_clock, ("c4", _CONFIRMED), ("c4", _CLAIMED)),
    History("fast-clock", fast_clock, ("c3", _CONFIRMED), ("c1", _CLAIMED)),
    History("other-branch", other_branch, ("c1", _CONFIRMED), ("c1", _CLAIMED)),
    History("fresh-root", fresh_root, ("old", _REWRITTEN), (None, Decision.NO_COMMIT)),
    History("same-second", same_second, ("c3", _CONFIRMED), ("c3", _CLAIMED)),
    History("last-second", last_second, ("last", _CONFIRMED), ("last", _CLAIMED)),
    History("unpushed", unpushed, ("c1", Decision.GAP), ("c2", _CLAIMED)),
    History("only-late", only_late, (None, Decision.NO_COMMIT), (None, Decision.NO_COMMIT)),
)
