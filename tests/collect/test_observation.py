from types import MappingProxyType

import pytest

from grader.collect.observation import Observer
from tests.collect.lab import MAIN, Repository, T, course, team


def observer(tmp_path, clock, **policy):
    rules = course(**policy).collect
    return Observer(
        mirrors=tmp_path / "mirrors",
        push_records=tmp_path / "push_records",
        policy=rules,
        tokens=MappingProxyType({}),
        clock=clock,
    )


def class_of(tmp_path, *names):
    teams = []
    for name in names:
        repository = Repository(tmp_path / name)
        repository.commit("c1", T - 60)
        repository.point("main", "c1")
        teams.append(team(repository.url, name))
    return teams


class Ticking:
    """A clock by which every look at it takes a second."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        self.now += 1
        return self.now - 1


def test_a_server_that_is_asked_before_a_deadline_and_answers_after_it_is_asked_again(tmp_path):
    """What it had may be of before; a line of after it must not hide a push of the last second."""
    teams = class_of(tmp_path, "t1", "t2", "t3")
    observe = observer(tmp_path, Ticking(T - 3), workers=1)
    seen = observe.look_at(teams, boundaries=(T,))
    # t1 is asked at T - 3, t2 at T - 1 and, as the answer comes at T, once more at T + 1; t3 at T + 3.
    assert [observation.lines[0].time - T for observation in seen] == [-2, 2, 4]


def test_without_a_deadline_nobody_is_asked_twice(tmp_path):
    teams = class_of(tmp_path, "t1", "t2")
    seen = observer(tmp_path, Ticking(T - 1), workers=1).look_at(teams)
    assert [observation.lines[0].time - T for observation in seen] == [0, 2]


def test_everybody_is_asked_before_anything_is_downloaded(tmp_path):
    """The clock stands still once the first mirror holds anything; every answer was noted before."""
    teams = class_of(tmp_path, "t1", "t2")
    ticking = Ticking(T)

    def clock():
        downloaded = list((tmp_path / "mirrors").glob("*/refs/seen/*")) or list(
            (tmp_path / "mirrors").glob("*/packed-refs")
        )
        return T + 1000 if downloaded else ticking()

    seen = observer(tmp_path, clock, workers=1).look_at(teams)
    assert [line.time for observation in seen for line in observation.lines if line.name == MAIN] == [
        T + 1,
        T + 3,
    ]
    assert list((tmp_path / "mirrors").glob("*/refs/seen/*"))


def test_a_record_file_that_cannot_be_read_keeps_nobody_from_being_seen(tmp_path):
    teams = class_of(tmp_path, "t1", "t2")
    (tmp_path / "push_records").mkdir()
    (tmp_path / "push_records" / "t1.json").symlink_to("/proc/self/mem")
    seen = observer(tmp_path, Ticking(T)).look_at(teams)
    assert [[line.name for line in one.lines] for one in seen] == [["HEAD", MAIN]] * 2
    assert "Input/output error" in seen[0].problem


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none\n"])
def test_a_mirror_of_which_a_killed_run_made_half_is_made_whole(tmp_path, head):
    teams = class_of(tmp_path, "t1")
    half = tmp_path / "mirrors" / "t1.git"
    half.mkdir(parents=True)
    (half / "HEAD").write_text(head)
    assert observer(tmp_path, Ticking(T)).look_at(teams)[0].problem is None
