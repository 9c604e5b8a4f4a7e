"""What a round of a class costs: processes, downloads, and the bounds on both."""

import os
import shutil
import threading
import time

import pytest

from tests.collect.lab import HOUR, Desk, Repository, T, course, team

MIB = 1024 * 1024
TEAMS = 4


@pytest.fixture
def servers(tmp_path):
    made = [Repository(tmp_path / f"server{number}.git") for number in range(TEAMS)]
    for number, repository in enumerate(made):
        repository.commit("c1", T - HOUR, files={"a1": {"work.py": f"x = {number}\n"}})
        repository.point("main", "c1")
    return made


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The git commands that were run since the last call, one a line."""
    log = tmp_path / "commands"
    log.touch()
    counting = tmp_path / "counting" / "git"
    counting.parent.mkdir()
    counting.write_text(f'#!/bin/sh\necho "$2 $*" >> {log}\nexec {shutil.which("git")} "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{counting.parent}:{os.environ['PATH']}")

    def since():
        lines = log.read_text().splitlines()
        log.write_text("")
        return [line for line in lines if line.split()[1].startswith("--git-dir=") and "mirrors" in line]

    return since


def fetches(lines):
    return [line for line in lines if line.startswith("fetch ")]


def test_a_round_over_repositories_that_did_not_move_fetches_nothing(servers, tmp_path, commands):
    desk = Desk(tmp_path, course())
    class_list = [team(server.url, f"team{number}") for number, server in enumerate(servers)]
    assert desk.observe(*class_list) == {}
    assert len(fetches(commands())) == TEAMS
    assert desk.observe(*class_list) == {}
    lines = commands()
    assert fetches(lines) == []
    assert len([line for line in lines if line.startswith("ls-remote ")]) == TEAMS
    assert len(lines) <= 2 * TEAMS  # each is asked, and its mirror is


def test_only_what_moved_is_fetched(servers, tmp_path, commands):
    desk = Desk(tmp_path, course())
    class_list = [team(server.url, f"team{number}") for number, server in enumerate(servers)]
    desk.observe(*class_list)
    servers[2].commit("c2", T - 60, ["c1"])
    servers[2].point("main", "c2")
    commands()
    desk.observe(*class_list)
    (fetch,) = fetches(commands())
    assert "team2.git" in fetch


def test_a_large_checkpoint_stays_on_the_server(servers, tmp_path):
    checkpoint = servers[0].folder.parent / "model.pt"
    with checkpoint.open("wb") as file:
        file.truncate(60 * MIB)  # zeros: the server has it in a few kilobytes
    large = servers[0].git("hash-object", "-w", str(checkpoint))
    servers[0].commit(
        "c2", T - 60, ["c1"], files={"a1": {"work.py": "x = 1\n", "model.pt": ("100644", large)}}
    )
    servers[0].point("main", "c2")
    desk, who = Desk(tmp_path, course()), team(servers[0].url)
    began = time.monotonic()
    assert desk.observe(who) == {}
    taken = desk.collect(who)
    assert time.monotonic() - began < 60
    assert taken.prepared.notes == ("model.pt was left out: it is larger than 25 MiB",)
    kept = sum(path.stat().st_size for path in desk.state.rglob("*") if path.is_file())
    assert kept < MIB


def test_a_server_without_filters_is_bounded_by_the_size_of_what_it_sends(servers, tmp_path, monkeypatch):
    servers[0].git("config", "uploadpack.allowFilter", "false")
    servers[0].commit("c2", T - 60, ["c1"], files={"a1": {"big": os.urandom(3 * MIB)}})
    servers[0].point("main", "c2")
    monkeypatch.setattr("grader.collect.mirror.PACK_LIMIT_MIB", 1)
    desk = Desk(tmp_path, course(blob_limit_mib=1))
    class_list = [team(server.url, f"team{number}") for number, server in enumerate(servers)]
    problems = desk.observe(*class_list)
    assert list(problems) == ["team0"]
    assert "more data than the limit allows" in problems["team0"]
    kept = sum(path.stat().st_size for path in desk.state.rglob("*") if path.is_file())
    assert kept < MIB  # nothing of a refused download stays behind, round after round


def test_a_repository_that_is_rewritten_again_and_again_does_not_fill_the_disk(
    servers, tmp_path, monkeypatch
):
    monkeypatch.setattr("grader.collect.mirror.MIRROR_LIMIT_MIB", 1)
    desk, who, problems = Desk(tmp_path, course()), team(servers[0].url), []
    for number in range(2):
        servers[0].commit(f"r{number}", T - 60, files={"a1": {"big": os.urandom(2 * MIB)}})
        servers[0].point("main", f"r{number}")
        problems.append(desk.observe(who).get("team01"))
    assert problems == [None, "git fetch: what was fetched before takes more than 1 MiB"]


def test_a_lock_of_a_git_that_was_killed_stops_nobody(servers, tmp_path):
    desk, who = Desk(tmp_path, course()), team(servers[0].url)
    desk.observe(who)
    commit = servers[0].commit("c2", T - 60, ["c1"])
    servers[0].point("main", "c2")
    mirror = desk.state / "mirrors" / f"{who.id}.git"
    for name in ("packed-refs.lock", "shallow.lock", f"refs/seen/{commit}.lock"):
        (mirror / name).write_text("")
    assert desk.observe(who) == {}


def test_no_more_repositories_are_read_at_once_than_the_course_says(servers, tmp_path, monkeypatch):
    """Each git that asks waits at a gate; the most that wait there together is what ran side by side."""
    gate = tmp_path / "gate"
    gate.mkdir()
    slow = tmp_path / "slow" / "git"
    slow.parent.mkdir()
    waits = f'case "$*" in *ls-remote*) touch {gate}/$$; sleep 0.3; rm {gate}/$$;; esac'
    slow.write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    most, done = 0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.02):
            most = max(most, len(list(gate.iterdir())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    desk = Desk(tmp_path, course(workers=2))
    assert desk.observe(*[team(server.url, f"team{number}") for number, server in enumerate(servers)]) == {}
    done.set()
    watcher.join()
    assert most == 2
