"""A hundred times `kill -9`: of coordinators, examining processes, what they are forked from, and sandboxes.

A class is graded by a command that is given again until it is done. What it publishes must be what an
undisturbed run publishes, byte for byte; what had finished must not have been run again. Not compared are
usage.json, attempts.json and log.txt of an examination: they tell what a run took, not what was found.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from grader import pipeline
from grader.course.tree import CourseTree
from grader.demo.forge import Forge
from grader.examine.scheduler import on_this_machine
from grader.leases.opening import FILE, open_leases
from grader.leases.seam import Ending
from grader.pipeline import Run
from grader.sandbox.choose import doctor
from grader.store import Store
from tests.machine import CONTROL_GROUPS, entries_of, folders_below

TEAMS = 6
KILLS_A_ROUND = 10
NOT_COMPARED = {"usage.json", "attempts.json", "log.txt"}

SOURCE = """import time

def add(a, b):
    time.sleep({pause})
    return a + b

def mean_of(numbers):
    time.sleep({pause} if len(numbers) > 3 else 0)
    return sum(numbers) / len(numbers)
"""

GRADE = """
import sys
from pathlib import Path
from grader import pipeline
from grader.course.tree import CourseTree
from grader.examine.scheduler import on_this_machine
from grader.pipeline import Run
from grader.records import Status
from grader.store import Store
course, state, out = map(Path, sys.argv[1:4])
tree = CourseTree.open(course)
run = Run(tree=tree, roster=tree.roster(course / "roster.csv"), store=Store(state), out=out, sandbox=sys.argv[4],
          executor=on_this_machine(2), clock=lambda: 1_760_000_000)
(result,) = pipeline.grade(run, ["t1_toy"]).results
found = [result.reference, *(team.examination for team in result.teams.values())]
sys.exit(3 if any(each.status is Status.COULD_NOT_CHECK for each in found) else 0)
"""


@dataclass
class Round:
    """One class, graded by a command that is killed again and again."""

    command: list[str]
    environment: dict[str, str]
    chance: random.Random
    most: int = KILLS_A_ROUND
    kills: dict[str, int] = field(default_factory=dict)
    seen: set[psutil.Process] = field(default_factory=set)

    def run(self):
        """Give the command until it is done, which it may be before there were all kills."""
        for _ in range(10 * KILLS_A_ROUND):
            code = self._run_once()
            if code == 0:
                return
            assert code in (3, -9), f"the command ended with {code}"
        raise AssertionError("the class was never graded")

    @property
    def kinds(self):
        """What there is to kill: only warm sessions have a zygote."""
        return [kind for kind in KINDS if kind != "zygote" or self.command[-1] == "warm"]

    @property
    def killed(self):
        return sum(self.kills.values())

    def _run_once(self):
        with subprocess.Popen(self.command, env=self.environment, start_new_session=True) as command:
            us = psutil.Process(command.pid)
            while self.killed < self.most:
                kind = self.chance.choices(self.kinds, [KINDS[kind][0] for kind in self.kinds])[0]
                delay_s = self.chance.uniform(0, 0.4)
                if not self._wait_for(us, kind, command):
                    break
                with suppress(subprocess.TimeoutExpired):
                    command.wait(delay_s)
                    break
                self._kill(us, kind)
            return command.wait()

    def _wait_for(self, us, kind, command):
        """Wait until there is something of a kind to kill; False when the command ends before."""
        while command.poll() is None:
            if KINDS[kind][1](Ours.below(us), self.chance):
                return True
            time.sleep(0.05)
        return False

    def _kill(self, us, kind):
        ours = Ours.below(us)
        self.seen |= {us, *ours.all}
        killed = False
        for process in KINDS[kind][1](ours, self.chance):
            with suppress(psutil.NoSuchProcess):
                process.kill()  # by its id and its start, so never somebody else's
                killed = True
        if killed:
            self.kills[kind] = self.kills.get(kind, 0) + 1


@dataclass(frozen=True)
class Ours:
    """The processes that a command has started, as they are now."""

    us: psutil.Process
    forkers: list[psutil.Process]
    examining: list[psutil.Process]
    zygotes: list[psutil.Process]
    all: list[psutil.Process]

    @classmethod
    def below(cls, us):
        everybody = _children(us, recursive=True)
        forkers = [child for child in _children(us) if "grader.examine.warm_process" in _words(child)]
        examining = [each for forker in forkers for each in _children(forker)]
        zygotes = [child for child in _children(us) if child not in forkers]
        return cls(us, forkers, examining, zygotes, everybody)

    def one_examining(self, chance):
        """One examining process, or none."""
        return chance.sample(self.examining, min(1, len(self.examining)))

    def one_zygote(self, chance):
        """Bubblewrap around a zygote, with which the zygote and its sessions die, while it is used."""
        return chance.sample(self.zygotes, 1) if self.examining and self.zygotes else []

    def with_sandboxes(self, chance):
        """An examining process, then what it started."""
        return [each for one in self.one_examining(chance) for each in (one, *_children(one, recursive=True))]


KINDS = {
    "coordinator at any moment": (1, lambda ours, _: [ours.us]),
    "coordinator": (3, lambda ours, _: [ours.us] if ours.examining else []),
    "forker": (1, lambda ours, _: ours.forkers if ours.examining else []),
    "examining process": (9, lambda ours, chance: ours.one_examining(chance)),
    "examining process with its sandboxes": (4, lambda ours, chance: ours.with_sandboxes(chance)),
    "everything": (1, lambda ours, _: [ours.us, *ours.all] if ours.examining else []),
    "zygote": (4, lambda ours, chance: ours.one_zygote(chance)),
}
"""What is killed together, the ones above before those below, with how often it is chosen."""


def _children(process, *, recursive=False):
    try:
        return process.children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []


def _words(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with a class in real repositories, that was collected and not examined yet."""
    folder = tmp_path_factory.mktemp("killed")
    toy = Path(__file__).parent.parent / "toy_course"
    shutil.copytree(toy, folder / "course", ignore=shutil.ignore_patterns("__pycache__"))
    tree = CourseTree.open(folder / "course")
    forge = Forge(folder / "forge", tree.course.time_zone)
    forge.folder.mkdir()
    for number in range(TEAMS):
        source = SOURCE.format(pause=0.1 * (1 + number % 3)) + f"# {number}\n"
        checkout = forge.create(f"student{number}")
        checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": source})
        checkout.push("2025-06-05 12:00")
    names = [f"student{number}" for number in range(TEAMS)]
    rows = ["student,name,team,repo_url", *(f"{name},N,{name},{forge.url(name)}" for name in names)]
    (folder / "course/roster.csv").write_text("\n".join(rows) + "\n")
    run = run_in(folder, Store(folder / "collected"), "fake")
    with run.store.locked():
        pipeline.collect(run, [tree.assignment("t1_toy")], run.roster.teams)
    return folder


def run_in(folder, store, sandbox):
    tree = CourseTree.open(folder / "course")
    return Run(
        tree=tree,
        roster=tree.roster(tree.root / "roster.csv"),
        store=store,
        out=store.root.with_name(f"{store.root.name}_out"),
        sandbox=sandbox,
        executor=on_this_machine(2),
        clock=lambda: 1_760_000_000,
    )


def undisturbed(folder, sandbox):
    """What is published when nothing is killed, by file."""
    store = Store(folder / f"quiet_{sandbox}")
    run = run_in(folder, store, sandbox)
    if not run.out.exists():
        pipeline.grade(run, ["t1_toy"])
    return published(store.root, run.out)


def published(state, out):
    found = {f"out/{name}": content for name, content in contents(out).items()}
    for part in ("examinations", "marks"):
        found |= {f"{part}/{name}": content for name, content in contents(state / part).items()}
    return found


def contents(folder):
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name not in NOT_COMPARED]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def rough(folder, sandbox, seed, tmp_path):
    """A round from what was collected; everything temporary goes into a folder that must be empty at the end."""
    state, temporary = tmp_path / f"state{seed}", tmp_path / f"tmp{seed}"
    shutil.copytree(folder / "collected", state)
    temporary.mkdir()
    out = tmp_path / f"state{seed}_out"
    command = [sys.executable, "-c", GRADE, *map(str, (folder / "course", state, out)), sandbox]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    return Round(command, environment, random.Random(seed)), state, out, temporary


def check_log(state):
    """What had finished was not run again, and every attempt has an end."""
    leases = open_leases(state)
    log = leases.attempts()
    leases.close()
    for key in {logged.key for logged in log}:
        ends = [logged.ending for logged in log if logged.key == key]
        assert ends.count(Ending.DONE) == 1, "finished once"
        assert ends[-1] is Ending.DONE, "and never tried again"
        assert set(ends) <= {Ending.DONE, Ending.LOST, Ending.FAILED, Ending.RELEASED}
    assert len({logged.key for logged in log}) == TEAMS + 1
    with closing(sqlite3.connect(state / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return log


def nothing_is_left(round_, state, temporary):
    ends_at = time.monotonic() + 60
    while (alive := [each for each in round_.seen if lives(each)]) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert alive == []
    assert list(temporary.iterdir()) == []
    assert list((state / ".scratch").glob("*")) == []
    assert traces_of({process.pid for process in round_.seen}) == []


def traces_of(pids):
    """Control groups and staged submissions, whose names say which process made them."""
    places = [Path("/tmp"), *folders_below(CONTROL_GROUPS)]
    found = [path for place in places for path in entries_of(place, "grader-")]
    ours = {str(pid) for pid in pids}
    return [path for path in found if ours.intersection(path.name.split("-")[2:3])]


def lives(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_again_and_again(course, sandbox, kills, tmp_path):
    """Round after round until there were enough kills; returns what was killed how often."""
    want, counted, seed = undisturbed(course, sandbox), Counter(), 0
    while counted.total() < kills:
        seed += 1
        print(f"round {seed} with {sandbox}")  # noqa: T201  seen when it fails
        round_, state, out, temporary = rough(course, sandbox, seed, tmp_path)
        round_.most = min(KILLS_A_ROUND, kills - counted.total())
        round_.run()
        counted.update(round_.kills)
        got = published(state, out)
        assert got.keys() == want.keys()
        assert [name for name in want if got[name] != want[name]] == []
        check_log(state)
        nothing_is_left(round_, state, temporary)
    print(dict(counted))  # noqa: T201
    return counted


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("sandbox", "kills"), [("fake", 45), ("process", 35)])
def test_a_class_that_is_killed_again_and_again_ends_with_the_same_bytes(course, sandbox, kills, tmp_path):
    counted = kill_again_and_again(course, sandbox, kills, tmp_path)
    assert counted.total() == kills
    assert len(counted) > 3, "of several kinds"


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("sandbox", "kills"), [("bubblewrap", 10), ("warm", 10)])
def test_a_class_in_isolation_that_is_killed_again_and_again_leaves_nothing(course, sandbox, kills, tmp_path):
    if not (facts := doctor()).isolates:
        pytest.skip(f"nothing isolates on this machine: {facts.text()}")
    assert kill_again_and_again(course, sandbox, kills, tmp_path).total() == kills
