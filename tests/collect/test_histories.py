"""The table of histories: each is built with real git and ruled on with every kind of evidence.

A history is what was committed and what the server's branches held from when on. Push records and looks of our
own follow from that, so all kinds of evidence are about the same truth. An outcome reads
`<commit> <decision> <level>`, with `-` where there is no commit or no level.
"""

import json
from dataclasses import dataclass

import pytest

from grader.collect.deadline import Deadline
from grader.collect.ruling import rule
from grader.records import Decision, EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, Desk, Repository, T, course, team

MINUTE = 60
YEAR_2000 = 946_684_800 - T
"""As all times in this table: seconds after the first late instant."""
BEFORE_AND_AFTER = (-DAY, -1, DAY)
"""When we look: a day before, in the last second, and a day later."""
ALSO_AT_THE_DEADLINE = (-DAY, -1, 0, DAY)
DEV = "refs/heads/dev"


@dataclass(frozen=True)
class History:
    """What was committed (name, date, parents), where branches went (time, commit), and what must come out."""

    name: str
    commits: tuple[tuple[str, int, str], ...]
    moves: tuple[tuple[int, str | None] | tuple[int, str | None, str], ...]
    pushes: str
    """Outcome with a push record of every move."""
    looks: str
    """Outcome with looks of our own before and after the deadline."""
    dates: str
    """Outcome with nothing but the repository as it is in the end."""
    at: str = ""
    """Outcome where we also looked right at the deadline; empty: as with `looks`."""
    signed: tuple[tuple[str, int], ...] = ()
    """Commits that the forge signed, and when."""


TABLE = (
    History(
        "linear",
        commits=(("c1", -5 * HOUR, ""), ("c2", -2 * HOUR, "c1"), ("c3", 2 * HOUR, "c2")),
        moves=((-5 * HOUR, "c1"), (-2 * HOUR, "c2"), (2 * HOUR, "c3")),
        pushes="c2 CONFIRMED A",
        looks="c2 CONFIRMED B",
        dates="c2 CLAIMED-ONLY C",
    ),
    History(
        "pushed at 22:00, amended and forced at 03:00",
        commits=(("c1", -5 * HOUR, ""), ("c2", -2 * HOUR, "c1"), ("amended", 3 * HOUR, "c1")),
        moves=((-5 * HOUR, "c1"), (-2 * HOUR, "c2"), (3 * HOUR, "amended")),
        pushes="c2 REWRITTEN A",
        looks="c2 REWRITTEN B",
        at="c2 CONFIRMED B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "everything rebased after the deadline",
        commits=(
            ("c1", -50 * HOUR, ""),
            ("c2", -20 * HOUR, "c1"),
            ("c3", -2 * HOUR, "c2"),
            ("c2r", 3 * HOUR, "c1"),
            ("c3r", 3 * HOUR + 1, "c2r"),
        ),
        moves=((-20 * HOUR, "c2"), (-2 * HOUR, "c3"), (3 * HOUR, "c3r")),
        pushes="c3 REWRITTEN A",
        looks="c3 REWRITTEN B",
        at="c3 CONFIRMED B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "made at 01:00, dated 23:54, forced over what was there",
        commits=(("c1", -5 * HOUR, ""), ("c2", -2 * HOUR, "c1"), ("forged", -6 * MINUTE, "c1")),
        moves=((-5 * HOUR, "c1"), (-2 * HOUR, "c2"), (HOUR, "forged")),
        pushes="c2 REWRITTEN A",
        looks="c2 REWRITTEN B",
        at="c2 CONFIRMED B",
        dates="forged CLAIMED-ONLY C",
    ),
    History(
        "made at 01:00, dated 23:54, on top of what was there",
        commits=(("c1", -5 * HOUR, ""), ("c2", -2 * HOUR, "c1"), ("forged", -6 * MINUTE, "c2")),
        moves=((-5 * HOUR, "c1"), (-2 * HOUR, "c2"), (HOUR, "forged")),
        pushes="c2 GAP A",
        looks="c2 GAP B",
        at="c2 CONFIRMED B",
        dates="forged CLAIMED-ONLY C",
    ),
    History(
        "a forged date on top of an honest late commit",
        commits=(
            ("c1", -5 * HOUR, ""),
            ("c2", -2 * HOUR, "c1"),
            ("c3", 2 * HOUR, "c2"),
            ("forged", -6 * MINUTE, "c3"),
        ),
        moves=((-2 * HOUR, "c2"), (3 * HOUR, "forged")),
        pushes="c2 CONFIRMED A",
        looks="c2 CONFIRMED B",
        dates="c2 CLAIMED-ONLY C",
    ),
    History(
        "a feature of 23:00 merged at 02:00",
        commits=(
            ("c1", -50 * HOUR, ""),
            ("alice", -3 * HOUR, "c1"),
            ("feature", -HOUR, "c1"),
            ("merge", 2 * HOUR, "alice feature"),
        ),
        moves=((-3 * HOUR, "alice"), (-HOUR, "feature", DEV), (2 * HOUR, "merge")),
        pushes="alice CONFIRMED+OTHER-HEADS A",
        looks="alice CONFIRMED+OTHER-HEADS B",
        at="alice CONFIRMED B",
        dates="- AMBIGUOUS C",
    ),
    History(
        "a pull after the deadline whose first parent was never pushed",
        commits=(
            ("c1", -50 * HOUR, ""),
            ("alice", -3 * HOUR, "c1"),
            ("unpushed", -HOUR, "c1"),
            ("pull", HOUR, "unpushed alice"),
        ),
        moves=((-50 * HOUR, "c1"), (-3 * HOUR, "alice"), (HOUR, "pull")),
        pushes="alice CONFIRMED+OTHER-HEADS A",
        looks="alice CONFIRMED+OTHER-HEADS B",
        at="alice CONFIRMED B",
        dates="- AMBIGUOUS C",
    ),
    History(
        "the clock of a lab computer at the year 2000",
        commits=(
            ("c1", -30 * DAY, ""),
            ("c2", -20 * DAY, "c1"),
            ("c3", YEAR_2000, "c2"),
            ("c4", YEAR_2000 + 100, "c3"),
        ),
        moves=((-20 * DAY, "c2"), (-HOUR, "c4")),
        pushes="c4 CONFIRMED A",
        looks="c4 CONFIRMED B",
        dates="c4 CLAIMED-ONLY C",
    ),
    History(
        "a clock 48 hours ahead, then a commit in the web page at 22:59",
        commits=(("c1", -50 * HOUR, ""), ("c2", 44 * HOUR, "c1"), ("c3", -61 * MINUTE, "c2")),
        moves=((-50 * HOUR, "c1"), (-4 * HOUR, "c2"), (-61 * MINUTE, "c3")),
        signed=(("c3", -61 * MINUTE),),
        pushes="c3 CONFIRMED A",
        looks="c3 CONFIRMED B",
        dates="c3 CONFIRMED A'",
    ),
    History(
        "a clock 48 hours ahead, and no signature",
        commits=(("c1", -50 * HOUR, ""), ("c2", 44 * HOUR, "c1"), ("c3", -61 * MINUTE, "c2")),
        moves=((-50 * HOUR, "c1"), (-4 * HOUR, "c2"), (-61 * MINUTE, "c3")),
        pushes="c3 CONFIRMED A",
        looks="c3 CONFIRMED B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "a date before the forge's signature on its parent",
        commits=(("c1", -5 * HOUR, ""), ("web", -2 * HOUR, "c1"), ("forged", -HOUR, "web")),
        moves=((-5 * HOUR, "c1"), (HOUR, "web"), (2 * HOUR, "forged")),
        signed=(("web", HOUR),),
        pushes="c1 CONFIRMED A",
        looks="c1 CONFIRMED B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "work on another branch only",
        commits=(("c1", -50 * HOUR, ""), ("dev", -2 * HOUR, "c1")),
        moves=((-50 * HOUR, "c1"), (-2 * HOUR, "dev", DEV)),
        pushes="c1 CONFIRMED A",
        looks="c1 CONFIRMED B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "work of another branch brought over after the deadline",
        commits=(("c1", -50 * HOUR, ""), ("dev", -2 * HOUR, "c1")),
        moves=((-50 * HOUR, "c1"), (-2 * HOUR, "dev", DEV), (HOUR, "dev")),
        pushes="c1 GAP A",
        looks="c1 GAP B",
        at="c1 CONFIRMED B",
        dates="dev CLAIMED-ONLY C",
    ),
    History(
        "a fresh root forced over everything after the deadline",
        commits=(("c1", -5 * HOUR, ""), ("old", -3 * HOUR, "c1"), ("new", 3 * HOUR, "")),
        moves=((-3 * HOUR, "old"), (3 * HOUR, "new")),
        pushes="old REWRITTEN A",
        looks="old REWRITTEN B",
        at="old CONFIRMED B",
        dates="- NO-COMMIT -",
    ),
    History(
        "the branch removed after the deadline",
        commits=(("c1", -3 * HOUR, ""),),
        moves=((-3 * HOUR, "c1"), (3 * HOUR, None)),
        pushes="c1 REWRITTEN A",
        looks="c1 REWRITTEN B",
        at="c1 CONFIRMED B",
        dates="- NO-COMMIT -",
    ),
    History(
        "the branch removed before the deadline and made anew after it",
        commits=(("c1", -9 * DAY, ""), ("c2", -HOUR, "c1")),
        moves=((-9 * DAY, "c1"), (-3 * HOUR, None), (HOUR, "c2")),
        pushes="- AMBIGUOUS A",
        looks="- AMBIGUOUS B",
        dates="c2 CLAIMED-ONLY C",
    ),
    History(
        "three commits in one second",
        commits=(("c1", -HOUR, ""), ("c2", -HOUR, "c1"), ("c3", -HOUR, "c2")),
        moves=((-HOUR, "c3"),),
        pushes="c3 CONFIRMED A",
        looks="c3 CONFIRMED B",
        dates="c3 CLAIMED-ONLY C",
    ),
    History(
        "commits at 23:59:59 and 00:00:00",
        commits=(("c1", -HOUR, ""), ("c2", -1, "c1"), ("c3", 0, "c2")),
        moves=((-HOUR, "c1"), (-1, "c2"), (0, "c3")),
        pushes="c2 CONFIRMED A",
        looks="c2 CONFIRMED B",
        dates="c2 CLAIMED-ONLY C",
    ),
    History(
        "dated on time and pushed five minutes late",
        commits=(("c1", -5 * HOUR, ""), ("c2", -10 * MINUTE, "c1")),
        moves=((-5 * HOUR, "c1"), (5 * MINUTE, "c2")),
        pushes="c1 GAP A",
        looks="c1 GAP B",
        at="c1 CONFIRMED B",
        dates="c2 CLAIMED-ONLY C",
    ),
    History(
        "dated on time, and nothing pushed before the deadline",
        commits=(("c1", -5 * HOUR, ""),),
        moves=((HOUR, "c1"),),
        pushes="- NO-COMMIT A",
        looks="- NO-COMMIT B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "a branch made after the deadline from one that was there",
        commits=(("c1", -5 * HOUR, ""),),
        moves=((-5 * HOUR, "c1", DEV), (HOUR, "c1")),
        pushes="- AMBIGUOUS A",
        looks="- AMBIGUOUS B",
        dates="c1 CLAIMED-ONLY C",
    ),
    History(
        "nothing made before the deadline",
        commits=(("c1", HOUR, ""),),
        moves=((HOUR, "c1"),),
        pushes="- NO-COMMIT -",
        looks="- NO-COMMIT -",
        dates="- NO-COMMIT -",
    ),
)

every_history = pytest.mark.parametrize("history", TABLE, ids=[history.name for history in TABLE])


def moves(history):
    """Time, commit and branch, oldest first."""
    return [(T + move[0], move[1], move[2] if len(move) > 2 else MAIN) for move in history.moves]


def heads(history, time):
    """What each branch of the server holds at a time."""
    held = {ref: commit for moved, commit, ref in moves(history) if moved <= time}
    return {ref: commit for ref, commit in held.items() if commit is not None}


@pytest.fixture
def build(tmp_path):
    def built(history):
        repository = Repository(tmp_path / "server.git")
        for name, date, parents in history.commits:
            repository.commit(name, T + date, parents.split())
        return repository

    return built


def recorded(repository, history):
    """A push record of every move."""
    held: dict[str, str | None] = {}
    pushes = []
    for time, commit, ref in moves(history):
        pushes.append(repository.push(held.get(ref), commit, time, ref))
        held[ref] = commit
    return pushes


def seen(repository, history, looks):
    """What looks of our own saw."""
    return [
        Sighting(
            time=T + look,
            ref=ref,
            commit=repository.commits[commit],
            level=EvidenceLevel.OWN_SNAPSHOT,
            source=f"round {number} of our own ledger",
        )
        for number, look in enumerate(looks, start=1)
        for ref, commit in heads(history, T + look).items()
    ]


def ruled(repository, history, *, records=False, looks=()):
    tip = heads(history, T + 365 * DAY).get(MAIN)
    return rule(
        repository.history(
            pushes=recorded(repository, history) if records else (),
            seen=seen(repository, history, looks),
            signed={name: T + time for name, time in history.signed},
            looked=[T + look for look in looks],
        ),
        ref=MAIN,
        tip=repository.commits[tip] if tip else None,
        deadline=Deadline(first_late=T, text="the first of October"),
    )


def outcome(repository, ruling):
    evidence = ruling.evidence
    return f"{repository.name_of(ruling.commit) or '-'} {evidence.decision} {evidence.level or '-'}"


@every_history
def test_each_kind_of_evidence_decides_as_the_table_says(build, history):
    repository = build(history)
    rulings = {
        "pushes": ruled(repository, history, records=True),
        "looks": ruled(repository, history, looks=BEFORE_AND_AFTER),
        "at": ruled(repository, history, looks=ALSO_AT_THE_DEADLINE),
        "dates": ruled(repository, history),
    }
    expected = {
        "pushes": history.pushes,
        "looks": history.looks,
        "at": history.at or history.looks,
        "dates": history.dates,
    }
    assert {kind: outcome(repository, ruling) for kind, ruling in rulings.items()} == expected
    both = ruled(repository, history, records=True, looks=BEFORE_AND_AFTER)
    assert (both.commit, both.evidence.decision) == (
        rulings["pushes"].commit,
        rulings["pushes"].evidence.decision,
    ), "looks beside push records change neither commit nor decision"
    for kind in ("pushes", "looks", "at"):
        held = heads(history, T - 1).get(MAIN)
        assert repository.name_of(rulings[kind].commit) in {held, None}, "nothing but what the branch held"


REACHED_ALL_THE_WAY = (
    "linear",
    "pushed at 22:00, amended and forced at 03:00",
    "made at 01:00, dated 23:54, on top of what was there",
    "a feature of 23:00 merged at 02:00",
    "a clock 48 hours ahead, and no signature",
    "a fresh root forced over everything after the deadline",
    "the branch removed before the deadline and made anew after it",
    "dated on time, and nothing pushed before the deadline",
)


@pytest.mark.parametrize("kind", ["pushes", "looks", "dates"])
@pytest.mark.parametrize("name", REACHED_ALL_THE_WAY)
def test_a_collector_decides_as_the_table_says(build, tmp_path, name, kind):
    history = next(one for one in TABLE if one.name == name)
    repository, desk = build(history), Desk(tmp_path, course())
    if kind == "pushes":
        record(desk, recorded(repository, history))
    who = team(repository.url)
    for time in BEFORE_AND_AFTER if kind == "looks" else (30 * DAY,):
        serve(repository, heads(history, T + time))
        desk.observe(who, at=T + time)
    snapshot = desk.collect(who).snapshot
    decided = f"{repository.name_of(snapshot.commit) or '-'} {snapshot.evidence.decision}"
    assert f"{decided} {snapshot.evidence.level or '-'}" == getattr(history, kind)
    assert snapshot.problem_is_ours == (snapshot.evidence.decision is Decision.AMBIGUOUS)


def record(desk, pushes):
    desk.records.mkdir()
    items = [
        {"ref": push.ref, "before": push.before, "after": push.after, "timestamp": push.time}
        for push in pushes
    ]
    (desk.records / "team01.json").write_text(json.dumps(items))


def serve(repository, branches):
    """The server has these branches and no others."""
    for ref in repository.git("for-each-ref", "--format=%(refname)").split():
        repository.point(ref, branches.get(ref))
    for ref, commit in branches.items():
        repository.point(ref, commit)


def test_a_rewriting_after_the_look_at_the_deadline_is_flagged_though_nothing_hangs_on_it(build):
    history = next(one for one in TABLE if one.at == "c2 CONFIRMED B" and "amended" in one.name)
    ruling = ruled(build(history), history, looks=ALSO_AT_THE_DEADLINE)
    assert ruling.evidence.flags == ("the branch was rewritten or removed after the deadline",)
