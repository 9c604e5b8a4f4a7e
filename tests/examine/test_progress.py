"""What a run tells the person who waits, from its events alone."""

import io

import pytest

from grader.display import Display
from grader.examine.events import (
    About,
    CheckBegun,
    CouldNotCheck,
    Finished,
    Retried,
    Started,
    Stored,
    Waiting,
)
from grader.examine.progress import Progress, in_words
from grader.records import Usage


def about(team):
    return About(assignment="t1", team=team, key=team)


def waiting(team, expected_s=10.0):
    return Waiting(about=about(team), priority=0, expected_s=expected_s)


def started(team, slot, gpu=None):
    return Started(about=about(team), slot=slot, gpu=gpu, pid=1, machine="here", attempt=1)


def finished(team, wall_s):
    return Finished(about=about(team), wall_s=wall_s, attempts=1, usage=Usage())


def told(*events, now=0.0):
    progress = Progress()
    for event in events:
        progress.take(event, now)
    return progress


def test_every_examination_is_waiting_in_a_slot_or_done():
    progress = told(waiting("ada"), waiting("bob"), waiting("cy"), started("ada", 1), started("bob", 0))
    assert [(busy.slot, busy.about.team) for busy in progress.slots()] == [(0, "bob"), (1, "ada")]
    progress.take(finished("ada", 3.0), 3.0)
    progress.take(CouldNotCheck(about=about("bob"), reason="x"), 4.0)
    progress.take(Stored(about=about("di")), 4.0)
    assert (len(progress.waiting), list(progress.slots())) == (1, [])
    assert (progress.done, progress.total, progress.not_checked) == (3, 4, 1)


def test_what_is_tried_again_waits_again():
    progress = told(waiting("ada"), started("ada", 0), Retried(about=about("ada"), reason="x", alone=False))
    assert (progress.waiting, list(progress.slots())) == ({"ada": 10.0}, [])


def test_a_slot_says_which_check_it_is_at():
    progress = told(waiting("ada"), started("ada", 0), CheckBegun(about=about("ada"), check="test_add"))
    (busy,) = progress.slots()
    assert busy.doing == "test_add"


def test_what_is_left_is_the_longest_first_on_as_many_slots_at_the_pace_of_this_run():
    teams = ["ada", "bob", "cy", "di"]
    progress = told(*(waiting(team, 100.0) for team in teams), started("ada", 0), started("bob", 1))
    assert progress.left_s(0.0) is None
    progress.take(finished("ada", 10.0), 10.0)  # a tenth of what was allowed
    progress.take(started("cy", 0), 10.0)
    # bob has run for 10 of 10 s, cy will take 10 s more, and di goes where bob is
    assert progress.left_s(10.0) == pytest.approx(10.0)
    for team, end in (("bob", 12.0), ("cy", 20.0)):
        progress.take(finished(team, 10.0), end)
    progress.take(started("di", 0), 20.0)
    assert progress.left_s(24.0) == pytest.approx(6.0)
    progress.take(finished("di", 10.0), 30.0)
    assert progress.left_s(30.0) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "5 s"), (42, "40 s"), (61, "1 min"), (3590, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_a_time_is_as_exact_as_it_deserves(seconds, words):
    assert in_words(seconds) == words


def shown(*events, every_s=1.0):
    """What is printed where there is no terminal."""
    now = [0.0]
    stream = io.StringIO()
    with Display(stream=stream, clock=lambda: now[0]) as display:
        for event in events:
            now[0] += every_s
            display.observe(event)
    return stream.getvalue().splitlines()


def test_without_a_terminal_every_end_is_a_line_with_the_state_of_the_run():
    lines = shown(waiting("ada"), waiting("bob"), started("ada", 0), finished("ada", 2.0))
    assert lines == ["t1 ada: done in 2 s  [1 of 2 examined, 1 waiting, about 5 s left]"]


def test_without_a_terminal_a_long_silence_is_broken_by_what_each_slot_does():
    check = CheckBegun(about=about("ada"), check="hidden/test_x.py::test_train")
    lines = shown(started("ada", 3), check, every_s=7.0)
    assert lines == ["0 of 1 examined; slot 3: t1 ada hidden/test_x.py::test_train (7 s)"]


def test_quiet_prints_nothing():
    stream = io.StringIO()
    with Display(stream=stream, quiet=True) as display:
        display.observe(waiting("ada"))
        display.observe(finished("ada", 2.0))
    assert stream.getvalue() == ""
