"""`grader collect --push-records`, and what a watch does with it."""

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.collect.push_records import push_records
from grader.forges.fake_formats import FakePush
from grader.forges.records import NOTHING
from grader.watching import HARVEST_ROOM_S
from tests.collect.lab import Repository
from tests.test_watching import Desk, T


@pytest.fixture
def desk(toy_tree, tmp_path):
    desk = Desk(toy_tree, tmp_path, T - 2 * HARVEST_ROOM_S)
    desk.team("ada")
    desk.push("ada", "c1", T - 3600)
    return desk


def test_a_watch_asks_the_forges_only_where_the_next_look_is_far(desk):
    asked = []

    def harvest(run):
        asked.append(run.clock() - T)
        return {"ada": "no push records: nobody to ask"}

    desk.watch(harvest=harvest)
    looks = sorted(one.time - T for one in desk.rounds)
    assert asked
    assert [at for at in asked if any(0 < look - at <= HARVEST_ROOM_S for look in looks)] == []
    assert "ada: no push records: nobody to ask" in desk.text


def test_a_watch_outlives_a_disk_on_which_no_hash_can_be_noted(desk):
    def harvest(run):
        raise OSError(28, "No space left on device")

    desk.watch(harvest=harvest)
    assert "could not be noted: [Errno 28] No space left" in desk.text
    assert any(one.time == T for one in desk.rounds)


def test_a_watch_that_is_given_no_harvest_asks_nobody(desk):
    desk.watch()
    assert "push records" not in desk.text


def test_collect_asks_the_forges_after_the_look_where_that_is_wanted(toy_tree, forge, tmp_path):
    repository = Repository(tmp_path / "r.git")
    commit = repository.commit("c1", T - 3600)
    repository.point("main", "c1")
    repository.git("config", "core.logAllRefUpdates", "true")
    root = toy_tree.root
    forge.push("o/r", FakePush(NOTHING, commit, T - 60))
    rows = ["student,team,repo_url", f"ada,ada,{repository.url}", f"bob,bob,{forge.address}/o/r"]
    (root / "roster.csv").write_text("\n".join(rows) + "\n")
    settings = (root / "course.toml").read_text()
    changed = 'protocols = ["file", "https"]\nforges = { "127.0.0.1" = "gitea" }'
    (root / "course.toml").write_text(settings.replace('protocols = ["file"]', changed))
    said = CliRunner().invoke(main, ["collect", "--push-records", "--course", str(root)])
    assert "ada: no push records: logs of repositories on this machine" in said.output
    assert "1 of 2 teams harvested" in said.output
    assert [push.after for push in push_records(root / "push_records", "bob")] == [commit]
    assert said.exit_code == 1
