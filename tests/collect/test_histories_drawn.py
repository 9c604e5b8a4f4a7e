"""What holds for every history that a student could make, whatever its dates: drawn at random, without git."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.collect.deadline import Deadline, short
from grader.collect.history import History
from grader.collect.looks import sightings
from grader.collect.objects import Commit, parse_commit
from grader.collect.push_records import NOTHING, Push
from grader.collect.ruling import rule
from grader.records import EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, T

TIMES = st.one_of(st.integers(T - 3, T + 3), st.integers(T - 2 * DAY, T + 2 * DAY))
"""Around the deadline, often at its very second."""
DATES = st.one_of(st.none(), st.integers(1, 2 * T), TIMES)


@dataclass(frozen=True)
class Drawn:
    """Commits with any dates, and when the branch of the server came to point at which; None: it was removed."""

    commits: dict[str, Commit]
    moves: tuple[tuple[int, str | None], ...]

    def held(self, time):
        """What the branch held at a time."""
        return next((commit for moved, commit in reversed(self.moves) if moved <= time), None)

    @property
    def pushes(self):
        states = [(0, None), *self.moves]
        return [
            Push(MAIN, before or NOTHING, after or NOTHING, time)
            for (_, before), (time, after) in pairwise(states)
        ]

    def history(self, *, records=False, looks=()):
        own = [
            Sighting(time=time, ref=MAIN, commit=commit, level=EvidenceLevel.OWN_SNAPSHOT, source="us")
            for time in looks
            if (commit := self.held(time)) is not None
        ]
        pushes = self.pushes if records else []
        seen = sorted([*sightings([], pushes), *own], key=lambda one: one.time)
        return History(self.commits, seen, pushes, {}, looks)

    def ruled(self, *, first_late=T, **evidence):
        return rule(
            self.history(**evidence),
            ref=MAIN,
            tip=self.moves[-1][1],
            deadline=Deadline(first_late=first_late, text=""),
        )


def commit_of(name, parents, date):
    person = f"s <s@x> {'never' if date is None else date} +0000"
    lines = [f"tree {'0' * 40}", *(f"parent {parent}" for parent in parents)]
    return parse_commit(
        name, "\n".join([*lines, f"author {person}", f"committer {person}", "", "m"]).encode()
    )


@st.composite
def histories(draw):
    names = [f"{number:040x}" for number in range(1, draw(st.integers(1, 7)) + 1)]
    commits = {}
    for place, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from(names[:place]), max_size=2, unique=True)) if place else []
        date = draw(DATES)
        commits[name] = commit_of(name, parents, date)
    times = sorted(draw(st.lists(TIMES, min_size=1, max_size=5, unique=True)))
    moves = [(time, draw(st.sampled_from([*names, None]))) for time in times]
    return Drawn(commits, tuple(moves))


looks = st.lists(TIMES, max_size=4, unique=True).map(sorted)
drawn = settings(deadline=None, max_examples=80)


@drawn
@given(histories())
def test_with_every_push_recorded_what_the_branch_held_counts_whatever_any_date_says(history):
    held, ruling = history.held(T - 1), history.ruled(records=True)
    assert ruling.commit == held


@drawn
@given(histories())
def test_what_we_saw_in_the_last_second_counts_whatever_happened_later(history):
    held, ruling = history.held(T - 1), history.ruled(looks=(T - 1, T + 3 * DAY))
    assert ruling.commit == held or (held is None and ruling.for_a_person)


@drawn
@given(histories(), looks, st.booleans())
def test_nothing_counts_that_is_late_by_its_dates_and_that_nobody_saw_in_time(history, times, records):
    ruling = history.ruled(records=records, looks=tuple(times))
    known = history.history(records=records, looks=tuple(times))
    for commit in [ruling.commit, *ruling.candidates, *ruling.evidence.claimed]:
        if commit is not None:
            assert known.effective[commit] < T or known.seen[commit].time < T


@drawn
@given(histories(), looks, st.booleans())
def test_a_ruling_names_what_counts_or_says_what_a_person_chooses_from(history, times, records):
    ruling = history.ruled(records=records, looks=tuple(times))
    said = ruling.evidence.explanation
    if ruling.commit is not None:
        assert short(ruling.commit) in said
        assert not ruling.for_a_person
    assert ruling.for_a_person == ("a person decides" in said)


@drawn
@given(histories(), looks, st.integers(0, 3 * DAY))
def test_a_later_deadline_never_makes_late_what_was_on_time(history, times, longer):
    known = history.history(looks=tuple(times))
    for tip in known.commits:
        assert known.on_time(tip, T) <= known.on_time(tip, T + longer)


@drawn
@given(histories(), looks, st.booleans(), st.integers(0, DAY))
def test_work_after_the_deadline_changes_nothing_that_was_decided_before_it_came(
    history, times, records, after
):
    end = max([history.moves[-1][0], T, *times])
    tip = history.moves[-1][1]
    late = commit_of("f" * 40, [tip] if tip else [], end + after)
    longer = Drawn({**history.commits, late.id: late}, (*history.moves, (end + after + HOUR, late.id)))
    before = history.ruled(records=records, looks=(*times, end + after + 1))
    later = longer.ruled(records=records, looks=(*times, end + after + 1, end + after + 2 * HOUR))
    assert (later.commit, later.evidence.decision) == (before.commit, before.evidence.decision)
