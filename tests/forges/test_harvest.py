"""All teams' push records, kept in files that the collector reads; one team's trouble stops nobody."""

import json
from threading import Thread

import pytest

from grader.collect.push_records import push_records
from grader.forges.fake import Fault
from grader.forges.fake_formats import FakePush
from grader.forges.harvest import Harvester
from grader.forges.http import PAGES_LIMIT
from grader.forges.records import NOTHING
from tests.collect.lab import HOUR, MAIN, Clock, Repository, T, course, team
from tests.forges.conftest import QUICK, TOKEN

A, B, C = "a" * 40, "b" * 40, "c" * 40
LOCAL = "127.0.0.1"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "push_records"


@pytest.fixture
def harvester(folder):
    def make(kind="github", *, tokens=None, **policy):
        settings = course(**({"protocols": ("https",), "forges": {LOCAL: kind}, "workers": 4} | policy))
        return Harvester(
            course=settings, folder=folder, tokens=tokens or {}, clock=Clock(T + HOUR), patience=QUICK
        )

    return make


def of(forge, name="o/r", who="team01"):
    return team(f"{forge.address}/{name}", who)


def afters(folder, who="team01"):
    return [push.after for push in push_records(folder, who)]


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_what_a_forge_has_is_what_the_collector_reads(harvester, forge, folder, kind):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    (done,) = harvester(kind).harvest([of(forge)])
    assert (done.problem, done.added, done.host) == (None, 1, forge.host)
    (push,) = push_records(folder, "team01")
    assert (push.ref, push.before, push.after, push.time) == (MAIN, NOTHING, A, T - 100)


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_what_a_forge_forgets_is_still_ours(harvester, forge, folder, kind):
    for before, after, time in ((NOTHING, A, T - 300), (A, B, T - 200)):
        forge.push("o/r", FakePush(before, after, time))
    harvester(kind).harvest([of(forge)])
    forge.push("o/r", FakePush(B, C, T + 100))
    forge.forget("o/r", keep=1)
    (done,) = harvester(kind).harvest([of(forge)])
    assert (done.problem, done.added) == (None, 1)
    assert afters(folder) == [A, B, C]


def test_a_record_says_when_it_was_harvested_and_by_whom_it_was_told(harvester, forge, folder):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    harvester().harvest([of(forge)])
    (entry,) = json.loads((folder / "team01.json").read_text())
    assert entry == {
        "ref": MAIN,
        "before": NOTHING,
        "after": A,
        "timestamp": T - 100,
        "type": "branch_creation",
        "actor": "student",
        "source": forge.host,
        "harvested_at": T + HOUR,
    }


def test_harvesting_again_writes_the_same_bytes(harvester, forge, folder):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    harvester().harvest([of(forge)])
    first = (folder / "team01.json").read_bytes()
    harvester().harvest([of(forge)])
    assert (folder / "team01.json").read_bytes() == first


def test_one_teams_trouble_stops_nobody(harvester, forge, folder):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    teams = [
        of(forge, "o/gone", "gone"),
        team("https://elsewhere.example/o/r", "elsewhere"),
        team("ssh://git@github.com/o/r", "ssh"),
        of(forge),
    ]
    problems = {one.team: one.problem for one in harvester().harvest(teams)}
    assert "no such repository" in problems["gone"]
    assert "name its kind in [collect.forges]" in problems["elsewhere"]
    assert "collect.protocols" in problems["ssh"]
    assert problems["team01"] is None
    assert afters(folder) == [A]


def test_a_host_that_the_course_does_not_allow_is_not_asked(harvester, forge):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    (done,) = harvester(allowed_hosts=("github.com",)).harvest([of(forge)])
    assert "collect.allowed_hosts" in done.problem
    assert forge.asked == []


def test_an_answer_that_breaks_off_on_its_second_page_changes_nothing(harvester, forge, folder):
    forge.page_size = 1
    for before, after, time in ((NOTHING, A, T - 300), (A, B, T - 200)):
        forge.push("o/r", FakePush(before, after, time))
    forge.fail(Fault(), *[Fault(status=502)] * 9)
    (done,) = harvester().harvest([of(forge)])
    assert "status 502" in done.problem
    assert not (folder / "team01.json").exists()


def test_a_file_that_cannot_be_read_is_left_as_it_is(harvester, forge, folder):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    folder.mkdir()
    (folder / "team01.json").write_text('[{"ref": "main"}]')
    (done,) = harvester().harvest([of(forge)])
    assert "team01.json: item 1: timestamp" in done.problem
    assert (folder / "team01.json").read_text() == '[{"ref": "main"}]'


def test_what_somebody_saved_is_kept_as_it_was(harvester, forge, folder):
    forge.push("o/r", FakePush(A, B, T - 100))
    folder.mkdir()
    saved = json.dumps([{"ref": MAIN, "before": NOTHING, "after": A, "timestamp": T - 200, "why": "TA"}])
    (folder / "team01.json").write_text(saved)
    harvester().harvest([of(forge)])
    assert afters(folder) == [A, B]
    (original,) = (folder / "originals").iterdir()
    assert original.read_text() == saved


def test_records_that_contradict_each_other_are_kept_and_said(harvester, forge, folder):
    forge.push("o/r", FakePush(A, B, T + 100))
    folder.mkdir()
    by_hand = {"ref": MAIN, "before": A, "after": B, "timestamp": T - 100}
    (folder / "team01.json").write_text(json.dumps([by_hand]))
    (done,) = harvester().harvest([of(forge)])
    assert "contradict each other, both are kept" in done.problem
    assert afters(folder) == [B, B]


def test_of_more_pushes_than_are_read_the_newest_are_added_to_what_was_kept_and_that_is_said(
    harvester, forge, folder
):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    harvester().harvest([of(forge)])
    forge.page_size = 1
    for place in range(PAGES_LIMIT + 1):
        forge.push("o/r", FakePush(A, f"{place:040x}", T + place))
    (done,) = harvester().harvest([of(forge)])
    assert "the forge has more pushes than are read at once" in done.problem
    kept = push_records(folder, "team01")
    assert (kept[0].after, kept[-1].time, len(kept)) == (A, T + PAGES_LIMIT, 1 + PAGES_LIMIT)


def test_a_push_of_which_the_forge_says_nothing_is_told_once(harvester, forge):
    forge.push("o/r", FakePush(A, B, T, kind="bulk"))
    assert "1 push of several branches" in harvester("gitlab").harvest([of(forge)])[0].problem
    assert harvester("gitlab").harvest([of(forge)])[0].problem is None


def test_a_private_repository_needs_the_token_of_its_host(harvester, private_forge, folder):
    private_forge.push("o/r", FakePush(NOTHING, A, T - 100))
    (without,) = harvester().harvest([of(private_forge)])
    assert "there is no token for it" in without.problem
    (wrong,) = harvester(tokens={LOCAL: "wr0ng"}).harvest([of(private_forge)])
    assert "the token is wrong or has expired" in wrong.problem
    (right,) = harvester(tokens={"github.com": "0ther", LOCAL: TOKEN}).harvest([of(private_forge)])
    assert right.problem is None
    assert {one.authorization for one in private_forge.asked} == {"", "Bearer wr0ng", f"Bearer {TOKEN}"}
    assert TOKEN not in (folder / "team01.json").read_text()


def test_two_who_harvest_at_once_lose_nothing(harvester, forge, folder):
    for number in range(8):
        forge.push(f"o/{number}", FakePush(NOTHING, f"{number:040x}", T - number))
        forge.push(f"o/{number}", FakePush(f"{number:040x}", A, T + number))
    threads = [Thread(target=harvester().harvest, args=([of(forge, f"o/{number}")],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(push_records(folder, "team01")) == 16


def test_our_own_server_is_read_where_the_course_trusts_it(harvester, tmp_path, folder):
    repository = Repository(tmp_path / "r.git")
    repository.git("config", "core.logAllRefUpdates", "true")
    first = repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    who = team(repository.url)
    trusting = {"protocols": ("file",), "forges": {"file": "reflog"}}
    assert harvester(**trusting).harvest([who])[0].problem is None
    assert afters(folder) == [first]
    assert "[collect.forges]" in harvester(protocols=("file",), forges={}).harvest([who])[0].problem


def test_how_far_our_clock_is_ahead_is_told(harvester, forge):
    forge.push("o/r", FakePush(NOTHING, A, T - 100))
    (done,) = harvester().harvest([of(forge)])
    assert done.ahead_s < 0
