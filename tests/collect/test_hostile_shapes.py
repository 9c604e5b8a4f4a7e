"""Repositories of a size or a shape that nobody has by accident: collected in bounded time, or refused in words."""

import hashlib
import os
import subprocess
import time
import tracemalloc
import zlib
from contextlib import contextmanager

import pytest

from grader.records import Decision
from tests.collect.lab import DAY, HOUR, MAIN, Desk, Repository, T, course, team

SECONDS = 60
"""Far more than any of these takes; a bomb that goes off takes hours."""
MIB = 1024 * 1024
FILE_LIMIT = 300


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "server.git")
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    return repository


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, course(file_limit=FILE_LIMIT))


@contextmanager
def bounded(memory_mib):
    tracemalloc.start()
    began = time.monotonic()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - began < SECONDS
    assert peak < memory_mib * MIB


def collected(repository, desk):
    problems = desk.observe(team(repository.url))
    return desk.collect(team(repository.url)), problems.get("team01")


def hand_in(repository, tree):
    repository.commit("theirs", T - 60, ["c1"], tree=repository.raw_tree([("40000", b"a1", tree)]))
    repository.point("main", "theirs")


def loose(repository, raw):
    """A tree object made without a process; its id."""
    whole = b"tree %d\0" % len(raw) + raw
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = repository.folder / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole, 1))
    return name


def entry(mode, name, object_id):
    return f"{mode} {name}\0".encode() + bytes.fromhex(object_id)


def test_a_tree_bomb_of_a_thousand_million_files_is_collected_in_bounded_time_and_memory(repository, desk):
    tree = repository.tree({f"f{number}": "boom" for number in range(10)})
    for _ in range(8):
        tree = loose(repository, b"".join(entry("40000", f"d{number}", tree) for number in range(10)))
    work = repository.blob("x = 1\n")
    hand_in(repository, repository.raw_tree([("40000", b"bomb", tree), ("100644", b"work.py", work)]))
    with bounded(memory_mib=64):
        found, problem = collected(repository, desk)
    assert problem is None
    assert desk.text(found, "work.py") == b"x = 1\n"
    assert "limits of the course are reached" in found.prepared.notes[0]
    assert sum(len(files) for _, _, files in os.walk(desk.state / found.files)) <= FILE_LIMIT


def test_many_folders_of_very_many_files_are_read_within_a_budget(repository, desk, monkeypatch):
    monkeypatch.setattr("grader.collect.tree.LEVEL_LIMIT_BYTES", MIB // 2)
    blob = repository.blob("x")
    many = b"".join(entry("100644", f"f{number:06d}", blob) for number in range(10_000))
    folders = [
        entry("40000", f"d{number:02d}", loose(repository, entry("100644", f"a{number}", blob) + many))
        for number in range(10)
    ]
    hand_in(repository, loose(repository, b"".join(folders) + entry("100644", "work.py", blob)))
    with bounded(memory_mib=16):  # 100,000 entries at once would be twice as much
        found, problem = collected(repository, desk)
    assert problem is None
    assert desk.text(found, "work.py") == b"x"
    assert "limits of the course are reached" in found.prepared.notes[0]


def test_work_beside_twenty_thousand_pictures_is_taken(repository, desk):
    blob, work = repository.blob("0"), repository.blob("x = 1\n")
    many = b"".join(entry("100644", f"sample_{number:06d}.png", blob) for number in range(20_000))
    hand_in(repository, loose(repository, many + entry("100644", "work.py", work)))
    found, problem = collected(repository, desk)
    assert problem is None
    assert desk.text(found, "work.py") == b"x = 1\n"
    assert "limits of the course are reached" in found.prepared.notes[0]


def test_a_thousand_folders_in_each_other_end_as_a_note(repository, desk):
    tree = repository.tree({"f": "x"})
    for _ in range(1000):
        tree = loose(repository, entry("40000", "d", tree))
    work = repository.blob("x = 1\n")
    hand_in(repository, repository.raw_tree([("40000", b"deep", tree), ("100644", b"work.py", work)]))
    found, problem = collected(repository, desk)
    assert problem is None
    assert desk.text(found, "work.py") == b"x = 1\n"
    assert "limits of the course are reached" in found.prepared.notes[0]


def test_ten_thousand_branches_do_not_fill_the_ledger(repository, desk):
    names = "".join(f"{repository.commits['c1']} refs/heads/b{number:05d}\n" for number in range(10_000))
    (repository.folder / "packed-refs").write_text(names)
    found, problem = collected(repository, desk)
    assert problem is None
    assert found.snapshot.commit == repository.commits["c1"]
    page = (desk.state / "ledger" / "000001.txt").read_text()
    assert f"{MAIN} {repository.commits['c1']}" in page
    assert len(page.splitlines()) < 600


@pytest.mark.parametrize("parents", [50_000, 2_000])
def test_a_commit_with_very_many_parents_is_a_commit(repository, desk, parents):
    """50,000 times the same parent, or 2,000 different ones."""
    ids = [repository.commits["c1"]] * parents if parents > 2_000 else siblings(repository, parents)
    tree = repository.git("rev-parse", "main^{tree}")
    person = f"s <s@x> {T - 60} -0400"
    headers = [f"tree {tree}", *(f"parent {one}" for one in ids), f"author {person}", f"committer {person}"]
    raw = "\n".join([*headers, "", "octopus\n"])
    octopus = repository.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=raw)
    repository.commits["octopus"] = octopus
    repository.point("main", "octopus")
    with bounded(memory_mib=200):
        found, problem = collected(repository, desk)
    assert problem is None
    assert found.snapshot.commit == octopus


def siblings(repository, count):
    """Commits that have one parent in common."""
    ids = repository.folder / "ids"
    lines = [
        f"reset refs/heads/x\nfrom {repository.commits['c1']}\n\ncommit refs/heads/x\nmark :{number + 1}\n"
        f"committer s <s@x> {T - DAY - number} +0000\ndata 1\nx\nfrom {repository.commits['c1']}\n\n"
        for number in range(count)
    ]
    repository.git("fast-import", "--quiet", "--force", f"--export-marks={ids}", stdin="".join(lines))
    repository.git("update-ref", "-d", "refs/heads/x")
    return [line.split()[1] for line in ids.read_text().splitlines()]


@pytest.mark.parametrize("wrong", ["a blob as a folder", "a blob as the tree of a commit"])
def test_an_object_of_the_wrong_type_costs_no_marks(repository, desk, wrong):
    blob = repository.blob("x")
    if wrong == "a blob as a folder":
        hand_in(repository, repository.raw_tree([("40000", b"d", blob)]))
    else:
        lines = f"tree {blob}\nauthor s <s@x> {T} -0400\ncommitter s <s@x> {T} -0400\n\nx\n"
        repository.commits["theirs"] = repository.git(
            "hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=lines
        )
        repository.point("main", "theirs")
    found, problem = collected(repository, desk)
    assert "git fetch" in problem
    assert found.snapshot.problem_is_ours


def test_a_folder_that_says_it_is_a_file_is_left_out(repository, desk):
    blob, folder = repository.blob("x"), repository.tree({"a": "b"})
    hand_in(repository, repository.raw_tree([("100644", b"odd", folder), ("100644", b"work.py", blob)]))
    found, _ = collected(repository, desk)
    assert found.snapshot.problem_is_ours or "odd was left out: it is not a file" in found.prepared.notes


# Servers in an odd state


def test_an_empty_repository_is_no_submission(repository, desk):
    repository.point("main", None)
    found, problem = collected(repository, desk)
    assert problem is None
    assert found.snapshot.evidence.decision is Decision.NO_COMMIT


@pytest.mark.parametrize(
    "head", ["ref: refs/heads/gone", "ref: refs/tags/v1", "ref: refs/heads/a b", "rubbish"]
)
def test_a_default_branch_that_is_not_there_leaves_the_only_branch(repository, desk, head):
    (repository.folder / "HEAD").write_text(head + "\n")
    found, problem = collected(repository, desk)
    if head == "rubbish":  # git itself takes this for no repository
        assert found.snapshot.problem_is_ours
    else:
        assert problem is None
        assert found.snapshot.commit == repository.commits["c1"]


def test_a_repository_that_borrows_objects_of_another_is_read_and_the_other_is_not_kept(
    repository, desk, tmp_path
):
    other = Repository(tmp_path / "other.git")
    other.commit("secret", T - HOUR, files={"a1": {"work.py": "x = 'not theirs'\n"}})
    other.point("main", "secret")
    (repository.folder / "objects" / "info").mkdir(exist_ok=True)
    (repository.folder / "objects" / "info" / "alternates").write_text(f"{other.folder}/objects\n")
    found, problem = collected(repository, desk)
    assert problem is None
    assert found.snapshot.commit == repository.commits["c1"]
    listed = desk_objects(desk)
    assert other.commits["secret"] not in listed
    assert not list((desk.state / "mirrors").rglob("alternates"))


def desk_objects(desk):
    mirror = desk.state / "mirrors" / "team01.git"
    command = ["git", f"--git-dir={mirror}", "cat-file", "--batch-all-objects", "--batch-check"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_a_shallow_server_is_said_and_is_collected_once_it_is_whole(repository, desk):
    repository.commit("c2", T - 60, ["c1"])
    repository.point("main", "c2")
    (repository.folder / "shallow").write_text(repository.commits["c2"] + "\n")
    found, problem = collected(repository, desk)
    assert "the copy on the server is shallow or damaged" in problem
    assert found.snapshot.problem_is_ours
    (repository.folder / "shallow").unlink()
    found, problem = collected(repository, desk)
    assert problem is None
    assert found.snapshot.commit == repository.commits["c2"]


def test_a_repository_with_longer_object_names_is_not_taken_for_an_empty_one(tmp_path, desk):
    folder = tmp_path / "long.git"
    subprocess.run(
        ["git", "init", "-q", "--bare", "-b", "main", "--object-format=sha256", folder], check=True
    )
    lines = f"commit refs/heads/main\ncommitter s <s@x> {T - HOUR} +0000\ndata 1\nx\n"
    command = ["git", f"--git-dir={folder}", "fast-import", "--quiet"]
    subprocess.run(command, input=lines.encode(), check=True)
    problem = desk.observe(team(folder.as_uri()))["team01"]
    assert "names its objects by SHA-256" in problem
    assert desk.collect(team(folder.as_uri())).snapshot.problem_is_ours


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_that_belongs_to_somebody_else_is_refused_with_what_to_do(repository, desk):
    for path in [repository.folder, *repository.folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    found, problem = collected(repository, desk)
    assert "belongs to another user" in problem
    assert "https" in problem
    assert found.snapshot.problem_is_ours
