"""Repositories that attack whoever collects them, taken through the whole collector; each is harmless.

An attack that would leave something behind names a file, the canary, that must not be there afterwards.
"""

import shutil
import stat
import subprocess

import pytest

from grader.collect.hardened_git import Git, GitFailedError, Remote
from grader.collect.objects import read_history
from grader.records import Decision
from tests.collect.lab import DAY, HOUR, Desk, Repository, T, course, team

LINK, MODULE = "120000", "160000"
HONEST = {"work.py": "x = 1\n"}
PROGRAMS = (
    "core.alternateRefsCommand",
    "core.fsmonitor",
    "core.gitProxy",
    "core.pager",
    "core.sshCommand",
    "credential.helper",
    "diff.external",
    "remote.origin.uploadpack",
    "uploadpack.packObjectsHook",
)
"""Settings that name a program."""


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "server.git")
    repository.commit("c1", T - HOUR, files={"a1": HONEST})
    repository.point("main", "c1")
    return repository


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, course())


@pytest.fixture
def canary(tmp_path):
    """A file that only an attack would make."""
    return tmp_path / "canary"


@pytest.fixture
def trap(tmp_path, canary):
    """A program that makes the canary and then does what it was called for."""
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\ntouch {canary}\nexec "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture
def taken(repository, desk):
    """Commits these files as the submission and collects them: what is written out, and the notes."""

    def take(files):
        tree = files if isinstance(files, str) else repository.tree(files)
        repository.commit("theirs", T - 60, tree=repository.raw_tree([("40000", b"a1", tree)]))
        repository.point("main", "theirs")
        assert desk.observe(team(repository.url)) == {}
        collected = desk.collect(team(repository.url))
        folder = desk.state / collected.files
        written = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        return written, collected.prepared.notes

    return take


def arm(folder, trap):
    """Name the trap wherever a repository can name a program."""
    for key in PROGRAMS:
        subprocess.run(["git", "config", "--file", folder / "config", key, trap], check=True)
    (folder / "hooks").mkdir(exist_ok=True)
    for hook in ("reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc", "update"):
        shutil.copy(trap, folder / "hooks" / hook)


# Addresses and names


@pytest.mark.parametrize(
    "address", ["--upload-pack={trap}", "ext::{trap}", "-oProxyCommand={trap}", "--upload-pack={trap} x"]
)
def test_an_option_or_a_program_as_the_address_of_a_team_is_never_run(desk, trap, canary, address):
    who = team(address.format(trap=trap))
    assert "repository URL" in desk.observe(who)["team01"]
    snapshot = desk.collect(who).snapshot
    assert (snapshot.evidence.decision, snapshot.problem_is_ours) == (Decision.UNREACHABLE, True)
    assert not canary.exists()


@pytest.mark.parametrize("command", [["ls-remote", "submission"], ["fetch", "submission", "HEAD"]])
@pytest.mark.parametrize("address", ["--upload-pack={trap}", "ext::{trap}", "fd::17"])
def test_git_itself_takes_no_option_or_program_for_an_address(tmp_path, trap, canary, command, address):
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    remote = Remote(url=address.format(trap=trap), protocols=("https", "file"))
    with pytest.raises(GitFailedError):
        own.talk(remote, *command, file_limit_mib=1)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["--output={canary}", "--upload-pack={trap}", "--exec={trap}", "-c"])
def test_an_option_as_the_name_of_the_default_branch_is_only_a_name(repository, desk, trap, canary, name):
    ref = f"refs/heads/{name.format(trap=trap, canary=canary)}"
    path = repository.folder / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(repository.commits["c1"] + "\n")
    (repository.folder / "HEAD").write_text(f"ref: {ref}\n")
    desk.observe(team(repository.url))
    snapshot = desk.collect(team(repository.url)).snapshot
    assert snapshot.commit == repository.commits["c1"]
    assert not canary.exists()


def test_a_default_branch_that_leads_out_of_the_repository_is_none(repository, desk, tmp_path):
    (tmp_path / "elsewhere").write_text(repository.commits["c1"] + "\n")
    (repository.folder / "HEAD").write_text("ref: refs/heads/../../../elsewhere\n")
    repository.commit("c2", T - 60, ["c1"])
    repository.point("other", "c2")
    desk.observe(team(repository.url))
    assert desk.collect(team(repository.url)).snapshot.evidence.ref is None


# What runs on our side while a repository is served to us


def test_no_program_that_a_served_repository_names_is_run(repository, desk, trap, canary):
    arm(repository.folder, trap)
    assert desk.observe(team(repository.url)) == {}
    assert desk.collect(team(repository.url)).snapshot.commit == repository.commits["c1"]
    assert not canary.exists()


def test_a_folder_with_a_git_folder_that_the_student_made_runs_nothing(
    repository, desk, tmp_path, trap, canary
):
    mine = tmp_path / "mine"
    repository.git("clone", "--quiet", "--no-local", str(repository.folder), str(mine))
    arm(mine / ".git", trap)
    (mine / ".gitattributes").write_text("* filter=evil\n")
    for key in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process"):
        subprocess.run(["git", "config", "--file", mine / ".git" / "config", key, trap], check=True)
    assert desk.observe(team(mine.as_uri())) == {}
    assert desk.collect(team(mine.as_uri())).snapshot.commit == repository.commits["c1"]
    assert not canary.exists()


def test_a_served_repository_that_lacks_an_object_downloads_it_from_nowhere(repository, desk, trap, canary):
    blob = repository.git("rev-parse", "main:a1/work.py")
    (repository.folder / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "remote.origin.url": str(repository.folder),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(trap),
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
    }.items():
        repository.git("config", key, value)
    assert "git fetch" in desk.observe(team(repository.url))["team01"]
    assert desk.collect(team(repository.url)).snapshot.problem_is_ours
    assert not canary.exists()


def test_a_file_that_was_left_on_the_server_is_not_fetched_when_it_is_read(repository, tmp_path):
    large = repository.blob(b"0" * (2 * 1024 * 1024))
    repository.commit("c1", T - HOUR, files={"a1": {**HONEST, "model.pt": ("100644", large)}})
    repository.point("main", "c1")
    desk = Desk(tmp_path, course(blob_limit_mib=1))
    desk.observe(team(repository.url))
    mirror = Git(desk.state / "mirrors" / "team01.git")
    for key, value in {"url": repository.url, "promisor": "true"}.items():
        mirror.read("config", f"remote.lazy.{key}", value)  # as an ordinary partial clone would have it
    with pytest.raises(GitFailedError):
        mirror.read("cat-file", "blob", large)
    here = mirror.read("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode().split()
    assert repository.commits["c1"] in here
    assert large not in here


# What is in the tree


def test_an_embedded_bare_repository_comes_out_as_no_repository(taken, canary, trap):
    config = f"[core]\n\tbare = true\n\tfsmonitor = {trap}\n\thooksPath = hooks\n"
    bare = {
        "HEAD": "ref: refs/heads/main\n",
        "config": config,
        "objects": {"x": ""},
        "refs": {"heads": {"y": ""}},
    }
    linked = {"head": "ref: refs/heads/main\n", "commondir": "../inner\n"}
    files, notes = taken({**HONEST, "inner": bare, "linked": linked})
    assert sorted(files) == [
        "inner/config",
        "inner/objects/x",
        "inner/refs/heads/y",
        "linked/commondir",
        "work.py",
    ]
    assert "inner/HEAD was left out: with it git would take its folder for a repository" in notes
    assert not canary.exists()


def test_a_git_folder_in_a_tree_is_refused_and_costs_no_marks(repository, desk, trap, canary):
    inner = repository.tree({"config": f"[core]\n\tfsmonitor = {trap}\n", "HEAD": "ref: refs/heads/main\n"})
    tree = repository.raw_tree([("40000", b".git", inner), ("100644", b"work.py", repository.blob("x"))])
    repository.commit("evil", T - 60, tree=repository.raw_tree([("40000", b"a1", tree)]))
    repository.point("main", "evil")
    assert "hasDotgit" in desk.observe(team(repository.url))["team01"]
    assert desk.collect(team(repository.url)).snapshot.problem_is_ours
    assert not canary.exists()
    assert not list(desk.state.rglob("submissions"))


def test_a_link_to_a_file_of_ours_is_not_followed(repository, taken):
    link = (LINK, repository.blob("/etc/passwd"))
    files, notes = taken({"work.py": link, "data": {"passwd": link}, "other.py": "y = 2\n"})
    assert files == {"other.py": b"y = 2\n"}
    assert "work.py was left out: symbolic links are not followed" in notes


def test_attributes_hide_no_file_and_change_no_byte(taken, canary, trap):
    attributes = (
        "secret.py export-ignore\nversion.py export-subst\n*.txt text eol=crlf ident\n"
        "*.md filter=evil working-tree-encoding=UTF-16\n"
    )
    theirs = {
        ".gitattributes": attributes,
        "secret.py": "x = 1\n",
        "version.py": "commit = '$Format:%H$'\n",
        "a.txt": "$Id$\r\n\n",
        "b.md": "é\n",
    }
    files, _ = taken(theirs)
    assert files == {name: content.encode() for name, content in theirs.items()}


def test_a_mailmap_gives_nobody_the_work_of_another(repository, desk):
    mailmap = "Other Person <other@x> <s@x>\n"
    repository.commit("c2", T - 60, ["c1"], files={".mailmap": mailmap, "a1": HONEST})
    repository.point("main", "c2")
    desk.observe(team(repository.url))
    mirror = Git(desk.state / "mirrors" / "team01.git")
    tip = repository.commits["c2"]
    shown = mirror.read("log", "--format=%aN <%aE> %cN <%cE>", tip).decode().splitlines()
    assert set(shown) == {"s <s@x> s <s@x>"}
    assert "Other" not in mirror.read("shortlog", "--summary", "--email", tip).decode()
    assert {commit.author.email for commit in read_history(mirror, [tip]).values()} == {"s@x"}


def test_replacements_on_the_server_change_neither_date_nor_tree(repository, desk):
    repository.commit("late", T + HOUR, files={"a1": {"work.py": "x = 'late'\n"}})
    repository.commit("forged", T - DAY, files={"a1": {"work.py": "x = 'forged'\n"}})
    repository.git("replace", "-f", repository.commits["c1"], repository.commits["late"])
    work = [
        repository.git("--no-replace-objects", "rev-parse", f"{repository.commits[c]}:a1/work.py")
        for c in ("c1", "forged")
    ]
    repository.git("replace", "-f", *work)
    desk.observe(team(repository.url))
    collected = desk.collect(team(repository.url))
    assert collected.snapshot.commit == repository.commits["c1"]
    assert collected.snapshot.committer_date == T - HOUR
    assert desk.text(collected, "work.py") == b"x = 1\n"


@pytest.mark.parametrize(
    "url", ["--upload-pack={trap}", "ext::{trap}", "../../../../etc", "https://x/\nhost=y"]
)
def test_a_submodule_is_never_fetched(repository, desk, trap, canary, url):
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = "{url.format(trap=trap)}"\n\tupdate = !{trap}\n'
    tree = {"a1": {**HONEST, "lib": (MODULE, "a" * 40)}, ".gitmodules": modules, "lib": (MODULE, "a" * 40)}
    repository.commit("modules", T - 60, files=tree)
    repository.point("main", "modules")
    desk.observe(team(repository.url))
    snapshot = desk.collect(team(repository.url)).snapshot
    assert snapshot.commit == repository.commits["modules"] or snapshot.problem_is_ours
    assert not canary.exists()


def test_a_harmless_submodule_is_left_out_with_a_note(taken):
    files, notes = taken({**HONEST, "lib": (MODULE, "a" * 40)})
    assert sorted(files) == ["work.py"]
    assert "lib was left out: submodules are not fetched" in notes


def test_a_file_that_lies_in_large_file_storage_is_said(taken):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    files, notes = taken({**HONEST, "weights.pt": pointer})
    assert files["weights.pt"] == pointer.encode()
    said = "weights.pt holds only a Git LFS pointer: files in large file storage are not fetched"
    assert said in notes


def test_every_odd_name_is_left_out_with_a_note_that_is_safe_to_print(repository, taken):
    odd = [
        b"a\nb.py",
        b"a\\b.py",
        b"\x1b[31m.py",
        b"\xff\xfe.py",
        "\u202eyp.py".encode(),
        b"n" * 4096,
        b"GIT~2:x\x7f",
    ]
    blob = repository.blob("x = 1\n")
    entries = sorted((name, ("100644", name, blob)) for name in [*odd, b"trailing. ", b"work.py", b"WORK.py"])
    files, notes = taken(repository.raw_tree([entry for _, entry in entries]))
    assert sorted(files) == ["WORK.py", "trailing. ", "work.py"]
    assert len([note for note in notes if "was left out" in note]) == len(odd)
    assert all(note.isprintable() for note in notes)
