"""Watching deadlines with time that passes as the test says, and, at the end, with real time and processes."""

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from grader.collect.clock import skews
from grader.collect.ledger import TURN, Ledger
from grader.collect.waiting import Pace
from grader.collecting import collector_of
from grader.course.tree import CourseTree
from grader.errors import StateInUse
from grader.records import Decision, EvidenceLevel
from grader.run import Run
from grader.store import Store
from grader.watching import Watch
from tests.collect.https_lab import Forge, authority
from tests.collect.lab import TORONTO, Repository

DEADLINE = "2025-06-10 23:59"
"""Of the toy assignment, when a test says so."""
T = int(datetime(2025, 6, 11, tzinfo=ZoneInfo(TORONTO)).timestamp())
FEW_LOOKS = {"hourly_hours": 0, "frequent_minutes": 0, "dense_minutes": 2, "after_hours": 0}


@dataclass(frozen=True)
class Jump:
    """The clock is set, or the machine was suspended."""

    to: int


class SimulatedTime:
    """A clock that only moves while somebody sleeps, or when a test says so; and what happens then."""

    def __init__(self, now):
        self.now_s, self.elapsed_s = float(now), 0.0
        self.events = []

    def at(self, moment, action):
        self.events.append((moment, action))
        self.events.sort(key=lambda event: event[0])

    def sleep(self, wanted_s):
        until = self.now_s + wanted_s
        self.elapsed_s += wanted_s
        while self.events and self.events[0][0] <= until:
            self.now_s, action = self.events.pop(0)
            if isinstance(action, Jump):
                until = action.to
            else:
                action()
        self.now_s = float(until)

    def clock(self):
        return int(self.now_s)

    @property
    def pace(self):
        return Pace(now=lambda: self.now_s, elapsed=lambda: self.elapsed_s, sleep=self.sleep)


class Desk:
    """A toy course in a folder, with teams that have repositories, and a watch over it."""

    def __init__(self, toy_tree, folder, now):
        self.root, self.folder = toy_tree.root, folder
        self.time = SimulatedTime(now)
        self.said = []
        self.repositories = {}
        self.configure()
        self.deadline(DEADLINE)

    def configure(self, **watch):
        lines = (f"{name} = {value}" for name, value in (FEW_LOOKS | watch).items())
        plain = (Path(__file__).parent / "toy_course/course.toml").read_text()
        (self.root / "course.toml").write_text(
            "\n".join([plain, "[late]", "enabled = false", "[collect.watch]", *lines])
        )

    def only_over_https(self, url):
        page = self.root / "course.toml"
        page.write_text(page.read_text().replace('protocols = ["file"]', 'protocols = ["https"]'))
        self.write("roster.csv", ["student", "name", "team", "repo_url"], ["ada", "ada", "ada", url])

    def deadline(self, text):
        page = self.root / "assignments/t1_toy/assignment.toml"
        lines = page.read_text().splitlines()
        page.write_text(
            "\n".join(f'deadline = "{text}"' if line.startswith("deadline") else line for line in lines)
        )

    def team(self, name):
        self.repositories[name] = Repository(self.folder / name)
        self.write("roster.csv", ["student", "name", "team", "repo_url"],
                   *([n, n, n, repository.url] for n, repository in self.repositories.items()))  # fmt: skip
        return self.repositories[name]

    def push(self, team, commit, date):
        repository = self.repositories[team]
        parents = list(repository.commits)[-1:]
        repository.commit(commit, date, parents, files={"t1": {"counting.py": f"x = {commit!r}\n"}})
        repository.point("main", commit)

    def extend(self, team, deadline):
        fields = {
            "team": team,
            "assignment": "t1_toy",
            "deadline": deadline,
            "approver": "prof",
            "reason_code": "R1",
        }
        self.write("extensions.csv", list(fields), list(fields.values()))

    def write(self, name, *rows):
        with (self.root / name).open("w", newline="") as page:
            csv.writer(page).writerows(rows)

    def open_run(self):
        tree = CourseTree.open(self.root)
        roster = tree.roster(self.root / "roster.csv")
        return Run(
            tree=tree,
            roster=roster,
            store=Store(self.folder / "state"),
            out=self.folder,
            clock=self.time.clock,
        )

    def watch(self, *, once=False, **given):
        watch = Watch(open_run=self.open_run, say=self.said.append, pace=self.time.pace, **given)
        return watch.watch(once=once)

    @property
    def rounds(self):
        return Ledger(self.folder / "state/ledger").rounds()

    @property
    def text(self):
        return "\n".join(self.said)

    def ruling(self, team):
        run = self.open_run()
        (who,) = (one for one in run.roster.teams if one.id == team)
        return collector_of(run).study(who, run.tree.assignment("t1")).snapshot


@pytest.fixture
def desk(toy_tree, tmp_path):
    desk = Desk(toy_tree, tmp_path, T - 150)
    desk.team("ada")
    desk.push("ada", "c1", T - 3600)
    return desk


def looked_at(desk):
    return [one.time - T for one in desk.rounds]


def test_looks_come_when_the_schedule_says_and_exactly_at_the_deadline(desk):
    (known,) = desk.watch()
    # At once, a minute later, and so that it ends before the deadline, for which looks of no length need 7 s.
    assert looked_at(desk) == [-150, -120, -60, -7, 0]
    assert known.is_complete
    assert (
        "t1_toy (2025-06-10 23:59:59 America/Toronto): 1 of 1 team seen in the ten minutes" in desk.said[-1]
    )


def test_what_is_pushed_before_the_deadline_counts_and_what_comes_after_it_does_not(desk):
    desk.time.at(T - 30, lambda: desk.push("ada", "c2", T - 30))
    desk.configure(after_hours=1)
    desk.time.at(T + 30, lambda: desk.push("ada", "late, with a forged date", T - 20))
    desk.watch()
    ruling = desk.ruling("ada")
    assert desk.repositories["ada"].name_of(ruling.commit) == "c2"
    assert (ruling.evidence.decision, ruling.evidence.level) == (
        Decision.CONFIRMED,
        EvidenceLevel.OWN_SNAPSHOT,
    )
    assert [line.split("  ")[1].split(";")[0] for line in desk.said if " 1 moved" in line] == [
        "round 4: 1 of 1 team seen, 1 moved, 0 unreachable",
        "round 6: 1 of 1 team seen, 1 moved, 0 unreachable",
    ]


def test_each_round_says_the_head_of_the_ledger_and_that_of_the_deadline_is_to_be_posted(desk):
    desk.watch()
    for one in desk.rounds:
        assert (
            f"round {one.number}: 1 of 1 team seen, 0 moved, 0 unreachable; ledger head {one.sha256}"
            in desk.text
        )
    assert desk.text.count("t1_toy: time is up; post this head") == 1


def test_a_watch_that_is_started_again_goes_on_where_it_was(desk):
    desk.time.at(T - 90, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        desk.watch()
    assert looked_at(desk) == [-150, -120]
    desk.watch()
    assert looked_at(desk) == [-150, -120, -60, -7, 0]


def test_what_was_missed_while_the_machine_slept_is_made_up_for_at_once_and_said(desk):
    desk.time.at(T - 90, Jump(T + 1000))
    (known,) = desk.watch()
    assert looked_at(desk) == [-150, -120, 1000]
    assert "the clock was set 1090 s on, or this machine slept" in desk.text
    assert "missed 3 looks since 2025-06-10 23:59:00 America/Toronto; looking now" in desk.text
    assert known.delays_s == {"ada": 1000}


def test_a_clock_that_is_set_back_is_said_and_no_look_is_left_out(desk):
    desk.time.at(T - 90, Jump(T - 600))
    desk.watch()
    assert "the clock was set 510 s back" in desk.text
    assert looked_at(desk)[-4:] == [-120, -60, -7, 0]


def test_an_extension_that_is_given_while_a_watch_runs_is_watched(desk):
    desk.time.at(T - 100, lambda: desk.extend("ada", "2025-06-11 00:04"))
    desk.watch()
    assert looked_at(desk)[-1] == 300, desk.text


def test_a_roster_that_cannot_be_read_for_a_while_stops_nothing(desk):
    desk.time.at(T - 140, lambda: (desk.root / "roster.csv").write_text("nonsense\n"))
    desk.configure(dense_minutes=0)
    desk.time.now_s = float(T - 400)
    desk.watch()
    assert desk.text.count("the watch goes on with the course as it was: ") == 1
    assert looked_at(desk)[-1] == 0


def test_a_team_that_cannot_be_reached_stops_nobody_and_is_named(desk):
    desk.team("bob").folder.rename(desk.folder / "gone")
    (known,) = desk.watch()
    assert "1 of 2 teams seen, 0 moved, 1 unreachable" in desk.text
    assert desk.text.count("bob: git ls-remote: ") == 1
    assert (known.is_complete, known.missing) == (False, ("bob",))
    assert "not seen on both sides: bob" in desk.said[-1]


def test_a_round_that_runs_over_the_deadline_leaves_nobody_unseen_on_either_side(desk, monkeypatch):
    """Each answer takes two seconds of the ledger's clock, so the round that begins at T - 5 ends after T."""
    desk.team("bob"), desk.team("cid")
    desk.configure(dense_minutes=0)
    desk.time.now_s = float(T - 5)
    (desk.root / "course.toml").write_text((desk.root / "course.toml").read_text().replace(
        'protocols = ["file"]', 'protocols = ["file"]\nworkers = 1'))  # fmt: skip

    def ticking():
        desk.time.now_s += 1
        return int(desk.time.now_s)

    monkeypatch.setattr(desk.time, "clock", ticking)
    (known,) = desk.watch()
    assert (
        "this round ran over t1_toy (2025-06-10 23:59:59 America/Toronto); whoever was seen before is looked at again"
        in desk.text
    )
    first, second = desk.rounds
    early = {line.team for line in first.lines if line.time < T and line.team != "@clock"}
    assert early == {"ada"}
    assert {line.team for line in second.lines if line.team != "@clock"} == early
    assert known.watched == early
    assert known.delays_s.keys() == {"ada", "bob", "cid"}


def test_a_second_watch_on_the_same_state_says_so_and_ends(desk):
    with pytest.raises(StateInUse, match="another watch is running on this state folder"):
        desk.time.at(T - 90, desk.watch)
        desk.watch()
    assert looked_at(desk) == [-150, -120]


def test_watching_goes_on_while_a_run_holds_the_state_folder(desk):
    store = desk.open_run().store
    with store.locked(), store.in_turn():
        desk.watch()
    assert looked_at(desk)[-1] == 0


def test_a_run_can_look_while_a_watch_waits(desk):
    def grade():
        run = desk.open_run()
        with run.store.locked():
            collector_of(run).observe(run.roster.teams)

    desk.time.at(T - 90, grade)
    desk.watch()
    assert looked_at(desk) == [-150, -120, -90, -60, -7, 0]


def test_a_round_that_cannot_be_written_is_tried_again(desk):
    in_the_way = desk.folder / "state/ledger" / TURN

    def obstruct():
        in_the_way.unlink()
        in_the_way.mkdir()

    desk.time.at(T - 130, obstruct)
    desk.time.at(T - 80, in_the_way.rmdir)
    desk.watch()
    assert "the round could not be written" in desk.text
    assert looked_at(desk) == [-150, -60, -7, 0]


def test_once_does_what_is_due_within_a_minute_and_ends(desk):
    desk.time.now_s = float(T - 200)
    desk.configure(dense_minutes=0)
    assert desk.watch(once=True) == ()
    assert desk.watch(once=True) == ()
    assert looked_at(desk) == [-200]
    assert "next look at 1 team: 2025-06-10 23:59:53" in desk.said[-1]
    desk.time.now_s = float(T - 50)
    desk.watch(once=True)
    assert looked_at(desk) == [-200, -7, 0]


def test_only_the_assignments_that_are_named_are_watched(desk):
    assert [one.moment.what for one in desk.watch(assignments=["t1"])] == ["t1_toy"]


def test_a_clock_that_is_off_by_more_than_two_seconds_is_said_and_recorded(desk, tmp_path, monkeypatch):
    """The simulated clock is of 2025; the server has the true one."""
    certificate = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    forge = Forge(tmp_path, certificate, spying=False)
    desk.repositories["ada"].git("update-server-info")
    desk.configure(dense_minutes=0)
    desk.time.now_s = float(T - 500)
    desk.only_over_https(forge.url("ada"))
    try:
        desk.watch(once=True)
    finally:
        forge.close()
    (skew,) = skews(desk.rounds)
    assert abs(skew.ahead_s - (T - 500 - time.time())) < 60
    assert f"s (within 1.0 s) behind that of {skew.host} in round 1" in desk.text


# With real time.


def start(desk, *options):
    command = [sys.executable, "-m", "grader", "collect", "--watch", "--course", desk.root, *options]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def deadline_in(desk, seconds):
    """The assignment is due so soon; returns the first instant that is late."""
    late = int(time.time()) + seconds
    last = datetime.fromtimestamp(late, ZoneInfo(TORONTO)) - timedelta(seconds=1)
    desk.deadline(f"{last:%Y-%m-%d %H:%M:%S}")
    return late


def wait_for(condition, seconds=60):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def pages(desk):
    return sorted((desk.root / ".grader/ledger").glob("[0-9]*.txt"))


def test_a_watch_that_is_killed_in_the_middle_of_a_round_leaves_none_and_the_next_one_goes_on(desk):
    late = deadline_in(desk, 3600)
    desk.team("bob")
    desk.push("bob", "c1", late - 3600)
    packed = desk.repositories["bob"].folder / "packed-refs"
    os.mkfifo(packed)  # whoever reads it waits, so the round hangs at bob
    first = start(desk)
    try:
        wait_for((desk.root / ".grader/mirrors/bob.git/HEAD").exists)
    finally:
        first.kill()
        first.communicate()
        os.close(os.open(packed, os.O_RDWR))  # the git that waits goes on
        packed.unlink()
    assert pages(desk) == []
    second = start(desk, "--once")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    ledger = Ledger(desk.root / ".grader/ledger")
    (whole,) = ledger.rounds()
    assert [line.team for line in whole.lines if line.name == "refs/heads/main"] == ["ada", "bob"]
    assert f"round 1: 2 of 2 teams seen, 0 moved, 0 unreachable; ledger head {ledger.verify()}" in said


def test_by_the_real_clock_the_look_at_a_deadline_begins_with_its_first_second(desk):
    """On a machine that does much else a look may begin late, and never early."""
    late = deadline_in(desk, 5)
    pushing = threading.Timer(late - 2 - time.time(), desk.push, ["ada", "in time", late - 2])
    pushing.start()
    watch = Watch(
        open_run=lambda: replace(desk.open_run(), clock=lambda: int(time.time())), say=desk.said.append
    )
    (known,) = watch.watch()
    assert known.is_complete
    first, *_, at_it = desk.rounds
    assert first.time < late <= at_it.time <= late + 10
    pushing.join()
    assert at_it.of("ada")[1].value == desk.repositories["ada"].commits["in time"]


def test_ctrl_c_ends_a_watch_cleanly(desk):
    deadline_in(desk, 3600)
    watching = start(desk)
    try:
        wait_for(lambda: pages(desk))
        time.sleep(0.3)
        watching.send_signal(signal.SIGINT)
        said, _ = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert watching.returncode == 130, said
    assert "the same command goes on where this one was" in said
    assert "Traceback" not in said
