"""Which commits of a long history a dossier lists."""

from grader.audit.commit_facts import MOST, commits_around, roles
from grader.collect.history import History
from grader.collect.objects import Commit
from grader.collect.stamps import Person
from grader.records import EvidenceLevel
from tests.audit.examples import oid, sighting, snapshot
from tests.collect.lab import HOUR, T

ADA = Person("Ada", "ada@example.edu")


def made(number, when, parents=()):
    return Commit(
        id=oid(number),
        tree=oid(0),
        parents=tuple(map(oid, parents)),
        committed=when,
        authored=when,
        author=ADA,
        committer=ADA,
        authored_offset_minutes=-240,
        committed_offset_minutes=-240,
        subject=f"Step {number}",
        has_signature=False,
    )


def line(length):
    """A commit an hour, the last one three hours late; a look just before the deadline, another at the end."""
    commits = [made(n, T - (length - n - 3) * HOUR, [n - 1] if n else []) for n in range(length)]
    seen = (sighting(length - 5, T - 1), sighting(length - 1, T + 9 * HOUR))
    return History({one.id: one for one in commits}, seen)


def test_a_commit_that_plays_a_part_is_listed_however_far_from_the_deadline():
    history = line(MOST + 50)
    facts, left_out = commits_around(history, T, {oid(0): ("graded",)})
    assert (len(facts), left_out) == (MOST, 50)
    assert facts[-1].roles == ("graded",)
    assert [one.committed for one in facts] == sorted((one.committed for one in facts), reverse=True)
    assert facts[-2].id == oid(51)


def test_a_commit_says_who_first_saw_it_and_how_strong_that_is():
    facts, _ = commits_around(line(10), T, {})
    by_id = {one.id: one for one in facts}
    assert (by_id[oid(5)].first_seen, by_id[oid(5)].first_seen_by) == (T - 1, EvidenceLevel.OWN_SNAPSHOT)
    assert by_id[oid(9)].first_seen == T + 9 * HOUR
    assert by_id[oid(9)].author == "Ada <ada@example.edu>"


def test_one_commit_can_play_several_parts():
    assert roles(snapshot(1), snapshot(1)) == {oid(1): ("graded", "ruled", "proven", "claimed")}
    assert roles(snapshot(2), snapshot(1)) == {oid(2): ("graded",), oid(1): ("ruled", "proven", "claimed")}
    assert roles(None, snapshot(None)) == {}
