"""Hostile and odd servers: what reaches the mirror, and what does not."""

import os

import pytest

from grader.collect.hardened_git import GitFailedError, Remote
from grader.collect.mirror import SEEN, Mirror, parse_heads
from grader.errors import CollectError
from tests.collect.lab import DAY, HOUR, Desk, Repository, T, assignment, course, team


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "server.git")
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    return repository


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, course())


def mirror_of(desk, name="team01"):
    return Mirror(desk.state / "mirrors", name, timeout_s=20)


def kept_in(mirror):
    """Every tip that was ever fetched."""
    listed = mirror.git.read("for-each-ref", "--format=%(refname)", SEEN).decode("ascii")
    return {name.removeprefix(SEEN) for name in listed.split()}


def remote_of(repository, **options):
    return Remote(url=repository.url, protocols=("file",), **options)


def test_every_tip_that_was_ever_seen_is_kept(repository, desk):
    who = team(repository.url)
    desk.observe(who)
    repository.commit("c2", T - 60)
    repository.point("main", "c2")
    desk.observe(who)
    assert kept_in(mirror_of(desk)) == set(repository.commits.values())


def test_nothing_is_downloaded_when_nothing_moved(repository, desk):
    who = team(repository.url)
    desk.observe(who)
    packs = sorted((desk.state / "mirrors" / "team01.git" / "objects").rglob("*"))
    desk.observe(who)
    assert sorted((desk.state / "mirrors" / "team01.git" / "objects").rglob("*")) == packs


def test_what_a_broken_disk_has_lost_is_fetched_again(repository, desk):
    who = team(repository.url)
    desk.observe(who)
    for file in (mirror_of(desk).git.repository / "objects").rglob("*"):
        if file.is_file():
            file.unlink()
    assert not mirror_of(desk).commits_among(repository.commits.values())
    assert desk.observe(who) == {}
    assert mirror_of(desk).commits_among(repository.commits.values()) == [repository.commits["c1"]]


def test_what_the_mirror_has_is_not_asked_for_again(repository, desk, tmp_path):
    desk.observe(team(repository.url))
    gone = Remote(url=(tmp_path / "gone.git").as_uri(), protocols=("file",))
    mirror_of(desk).fetch(gone, [repository.commits["c1"]])
    with pytest.raises(GitFailedError):
        mirror_of(desk).fetch(gone, ["f" * 40])


def test_replacements_notes_and_tags_of_a_server_stay_there(repository, desk):
    repository.commit("forged", T - DAY)
    repository.git("replace", "-f", repository.commits["c1"], repository.commits["forged"])
    repository.point("refs/tags/main", "forged")
    desk.observe(team(repository.url))
    refs = mirror_of(desk).git.read("for-each-ref", "--format=%(refname)").decode().split()
    assert refs == [f"refs/seen/{repository.commits['c1']}"]


def test_a_tag_called_like_the_branch_does_not_count(repository, desk):
    repository.commit("tagged", T - 2 * HOUR)
    repository.point("refs/tags/main", "tagged")
    repository.point("refs/tags/HEAD", "tagged")
    who = team(repository.url)
    desk.observe(who)
    assert desk.collect(who).snapshot.commit == repository.commits["c1"]


@pytest.mark.parametrize(
    "name", ["HEAD", "--upload-pack=touch", "--output=pwned", "-", "main;reboot", "é\u202e"]
)
def test_hostile_branch_names_are_only_text(repository, desk, tmp_path, name):
    repository.commit("c2", T - 60, ["c1"])
    ref = repository.folder / "refs" / "heads" / name
    ref.write_text(repository.commits["c2"] + "\n")
    who = team(repository.url)
    assert desk.observe(who) == {}
    snapshot = desk.collect(who).snapshot
    assert snapshot.commit == repository.commits["c1"]
    assert len(snapshot.evidence.flags) == 1
    assert "\u202e" not in snapshot.evidence.flags[0]
    assert not (tmp_path / "pwned").exists()


def test_lines_that_no_honest_server_sends_are_dropped():
    commit = "a" * 40
    listing = (
        f"ref: refs/heads/main\tHEAD\n{commit}\tHEAD\n{commit}\trefs/heads/main\n{commit}\trefs/heads/a b\n"
        f"{commit}\trefs/heads/../x\n{'b' * 39}\trefs/heads/short\n{commit}\trefs/tags/t\n{commit}\tHEAD\tx\nrubbish\n"
        f"ref: --output=x\tHEAD\n{commit}\trefs/heads/x\x1b[0m\n"
    ).encode() + b"\xff\xfe\trefs/heads/y\n"
    heads = parse_heads(listing)
    assert dict(heads.commits) == {"refs/heads/main": commit}
    assert heads.default == "refs/heads/main"


def test_a_large_file_is_left_on_the_server_and_never_fetched_later(repository, tmp_path):
    repository.commit(
        "c1", T - HOUR, files={"a1": {"work.py": "x = 1\n", "model.pt": os.urandom(2 * 1024 * 1024)}}
    )
    repository.point("main", "c1")
    desk = Desk(tmp_path, course(blob_limit_mib=1))
    who = team(repository.url)
    assert desk.observe(who) == {}
    taken = desk.collect(who)
    assert taken.prepared.notes[0] == "model.pt was left out: it is larger than 1 MiB"
    assert desk.text(taken, "work.py") == b"x = 1\n"
    config = mirror_of(desk).git.read("config", "--local", "--list").decode()
    assert "promisor" not in config
    assert repository.url not in config


def test_a_download_beyond_the_limit_is_refused(repository, desk, monkeypatch):
    repository.commit("c1", T - HOUR, files={"a1": {"big": os.urandom(3 * 1024 * 1024)}})
    repository.point("main", "c1")
    monkeypatch.setattr("grader.collect.mirror.PACK_LIMIT_MIB", 1)
    assert "more data than the limit allows" in desk.observe(team(repository.url))["team01"]


def test_a_broken_side_branch_does_not_cost_the_main_one(repository, desk):
    evil = repository.raw_tree([("100644", b".git", repository.blob("x"))])
    repository.commit("evil", T - 60, tree=repository.tree({"a1": ("40000", evil)}))
    repository.point("evil", "evil")
    who = team(repository.url)
    assert desk.observe(who) == {}
    assert desk.collect(who).snapshot.commit == repository.commits["c1"]
    assert repository.commits["evil"] not in kept_in(mirror_of(desk))


def test_a_malformed_tree_on_the_main_branch_is_refused_by_fsck_and_nobody_loses_marks(repository, desk):
    evil = repository.raw_tree(
        [("100644", b"b", repository.blob("x")), ("100644", b"a", repository.blob("y"))]
    )
    repository.commit("evil", T - 60, tree=evil)
    repository.point("main", "evil")
    who = team(repository.url)
    assert "team01" in desk.observe(who)
    assert desk.collect(who).snapshot.problem_is_ours


def test_malformed_dates_pass_fsck_and_are_judged_by_us(repository, desk):
    repository.raw_commit("odd", "committer s <s@x> xyz", ["c1"])
    repository.point("main", "odd")
    who = team(repository.url)
    assert desk.observe(who) == {}
    snapshot = desk.collect(who).snapshot
    assert snapshot.commit == repository.commits["c1"]


def test_a_head_that_is_no_commit_is_no_submission(repository, desk):
    (repository.folder / "refs" / "heads" / "main").write_text(repository.blob("not a commit") + "\n")
    who = team(repository.url)
    desk.observe(who)
    snapshot = desk.collect(who).snapshot
    assert snapshot.tree is None


def test_rescuing_a_commit_that_is_not_there_is_no_error(repository, desk):
    mirror = mirror_of(desk)
    mirror.list_heads(remote_of(repository))
    mirror.rescue(remote_of(repository), ["f" * 40])
    assert kept_in(mirror) == set()


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".git", "a b", "a\n", "-x"])
def test_a_team_id_that_cannot_name_a_folder_is_refused(desk, name):
    with pytest.raises(CollectError, match="cannot name a folder"):
        mirror_of(desk, name)


def test_a_refused_address_never_reaches_git(desk, tmp_path):
    who = team(f"--upload-pack=touch {tmp_path}/ran")
    assert "repository URL" in desk.observe(who)["team01"]
    assert desk.collect(who, assignment()).snapshot.problem_is_ours
    assert not (tmp_path / "ran").exists()
    assert not (desk.state / "mirrors").exists()


def test_a_server_that_is_no_repository_is_said(desk, tmp_path):
    (tmp_path / "plain").mkdir()
    mirror = mirror_of(desk)
    with pytest.raises(GitFailedError, match="ls-remote"):
        mirror.list_heads(Remote(url=(tmp_path / "plain").as_uri(), protocols=("file",)))
