"""Which sightings a timeline keeps."""

from hypothesis import given
from hypothesis import strategies as st

from grader.audit.sightings import nearest, telling
from grader.records import EvidenceLevel
from tests.audit.examples import sighting
from tests.collect.lab import DAY, HOUR, MAIN, T

PUSH = EvidenceLevel.PUSH_RECORD
LOOKS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-5 * DAY, 5 * DAY),
        st.sampled_from(EvidenceLevel),
        st.sampled_from((MAIN, "refs/heads/dev")),
    ),
    max_size=30,
)


def seen(*found):
    """Sightings from (commit, seconds from the deadline, level), oldest first."""
    return tuple(sorted((sighting(c, T + s, *rest) for c, s, *rest in found), key=lambda one: one.time))


def test_of_many_looks_that_found_the_same_the_ends_and_both_sides_of_the_deadline_are_kept():
    looks = seen(*((1, hour * HOUR) for hour in range(-50, 50)))
    assert [one.time - T for one in telling(looks, T)] == [-50 * HOUR, -HOUR, 0, 49 * HOUR]


def test_a_look_that_found_another_commit_is_kept_with_the_one_before_it():
    looks = seen((1, -9), (1, -8), (2, -7), (2, -6), (2, -5))
    assert [one.time - T for one in telling(looks, T)] == [-9, -8, -7, -5]


def test_every_push_is_kept():
    pushes = seen(*((1, second, PUSH) for second in range(-30, 30)))
    assert telling(pushes, T) == pushes


@given(LOOKS)
def test_what_is_kept_is_in_order_and_no_commit_of_a_branch_is_lost(found):
    looks = seen(*found)
    kept = telling(looks, T)
    assert [one for one in looks if one in kept] == list(dict.fromkeys(kept)) or len(set(looks)) < len(looks)
    assert {(one.ref, one.commit) for one in kept} == {(one.ref, one.commit) for one in looks}


@given(LOOKS, st.integers(0, 10))
def test_the_nearest_are_nearer_than_all_others(found, count):
    looks = seen(*found)
    near = nearest(looks, T, count)
    assert len(near) == min(count, len(looks))
    assert [one.time for one in near] == sorted(one.time for one in near)
    if near and count < len(looks):
        others = sorted(abs(one.time - T) for one in looks)[count:]
        assert max(abs(one.time - T) for one in near) <= min(others)
