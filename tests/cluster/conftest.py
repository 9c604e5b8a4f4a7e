"""Nodes on this machine: real schedulers and workers as processes on loopback, and the toy course for them."""

from functools import partial

import pytest

from grader.cluster.executor import ClusterExecutor
from grader.cluster.fitness import demands_of
from grader.cluster.start import connection
from grader.cluster.target import target_of
from grader.course.cluster_settings import ClusterSettings
from grader.demo.forge import Forge
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import new_request
from grader.examine.scheduler import Scheduler
from grader.store import Store

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"


class Events(list):
    """What a run reported, in order."""

    def __call__(self, event):
        self.append(event)

    def of(self, team):
        return [event for event in self if event.about.team == team]

    def kinds(self, team):
        return [type(event) for event in self.of(team)]


@pytest.fixture
def request_for(toy_work, toy_material):
    """An examination of the toy course: `request_for(source, team)`."""

    def make(source, team="team1", *, sandbox="fake", **options):
        return new_request(toy_work(source, team), toy_material, sandbox=sandbox, seed=11, **options)

    return make


@pytest.fixture
def on_cluster(toy_material, tmp_path):
    """An executor for the toy course: `on_cluster("local:2")`."""

    def make(text, *, sandbox="fake", patience_s=30, **settings):
        connect = connection(target_of(text, insecure=True), ClusterSettings(**settings), home=tmp_path)
        demands = demands_of([toy_material], sandbox=sandbox)
        return ClusterExecutor(connect, demands, patience_s=patience_s, say=pytest.fail)

    return make


@pytest.fixture
def examined(tmp_path):
    """Examine with an executor, and return the state folder: `examined(executor, requests, events)`."""

    def run(executor, requests, events, name="state"):
        store = Store(tmp_path / name)
        with Scheduler(executor, observe=events) as scheduler:
            scheduler.examine_all(requests, store)
        return store

    return run


@pytest.fixture
def examined_here(examined):
    """The same on this machine alone."""
    return partial(examined, LocalExecutor(slots=2), events=Events(), name="state-here")


class Held:
    """A submission that goes on only after it was let go: nothing depends on who is quick."""

    def __init__(self, flag):
        self._flag = flag
        flag.touch()
        wait = f"    while os.path.exists({str(flag)!r}):\n        time.sleep(0.05)\n"
        self.source = "import os\nimport time\n\n" + RIGHT.replace("    return", f"{wait}    return")

    def let_go(self):
        """What is examined from now on takes no time."""
        self._flag.unlink()


@pytest.fixture
def held(toy_tree, tmp_path):
    """One such submission, and limits that it does not hit while it is held."""
    path = toy_tree.assignment_dir("t1_toy") / "assignment.toml"
    text = path.read_text()
    for limit, allowed_s in {
        "session_wall_s = 20": 200,
        "question_s = 3": 200,
        "examination_wall_s = 60": 200,
    }.items():
        assert limit in text
        text = text.replace(limit, f"{limit.split()[0]} = {allowed_s}")
    path.write_text(text)
    held = Held(tmp_path / "held")
    yield held
    (tmp_path / "held").unlink(missing_ok=True)


@pytest.fixture
def class_of(toy_tree, tmp_path):
    """A class whose students handed these sources in; returns the folder of its course."""

    def make(**sources):
        forge = Forge(tmp_path / "forge", toy_tree.course.time_zone)
        forge.folder.mkdir()
        for handle, source in sources.items():
            checkout = forge.create(handle)
            checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": source})
            checkout.push("2025-06-05 12:00")
            checkout.close()
        rows = [f"{handle},{handle},{forge.url(handle)}" for handle in sources]
        (toy_tree.root / "roster.csv").write_text("\n".join(["student,team,repo_url", *rows]) + "\n")
        return toy_tree.root

    return make
