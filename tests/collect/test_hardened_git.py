import os
import stat
import time
from pathlib import Path

import pytest

from grader.collect.hardened_git import Git, GitFailedError, Remote, environment
from tests.collect.lab import HOUR, Repository, T


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "server.git")
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    return repository


def remote(url, **options):
    return Remote(url=url, protocols=("file",), **options)


def listing(git, url):
    return git.talk(remote(url), "ls-remote", "submission", file_limit_mib=1)


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def ends(pid, within_s=20):
    """True when the process ends; one that nobody has waited for yet is a zombie."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_nothing_of_the_callers_environment_or_configuration_reaches_git(repository, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text("[grader]\n\tsecret = yes\n")
    for name, value in {
        "HOME": str(tmp_path / "home"),
        "GIT_CONFIG_PARAMETERS": "'grader.secret=yes'",
        "GIT_DIR": "/nonexistent",
        "SECRET_TOKEN": "s3cret",
    }.items():
        monkeypatch.setenv(name, value)
    shown = Git(repository.folder).read("config", "--list").decode()
    assert "secret" not in shown
    assert "s3cret" not in str(dict(environment()))
    assert environment()["HOME"] == "/nonexistent"


def test_a_command_that_only_reads_may_use_no_protocol(repository, tmp_path):
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    with pytest.raises(GitFailedError, match="not allowed"):
        own.read("ls-remote", repository.url)
    assert repository.commits["c1"] in listing(own, repository.url).decode()


def test_a_protocol_that_the_course_does_not_allow_is_not_used(tmp_path):
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    with pytest.raises(GitFailedError, match="not allowed"):
        listing(own, f"ext::{program(tmp_path / 'helper', f'touch {tmp_path}/ran')}")
    assert not (tmp_path / "ran").exists()


def test_an_address_that_looks_like_an_option_is_not_one(tmp_path):
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    with pytest.raises(GitFailedError):
        listing(own, f"--upload-pack={program(tmp_path / 'helper', f'touch {tmp_path}/ran')}")
    assert not (tmp_path / "ran").exists()


def test_hooks_and_file_system_monitors_of_a_repository_are_not_run(repository, tmp_path):
    helper = program(tmp_path / "helper", f"touch {tmp_path}/ran")
    hooks = repository.folder / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-index-change", "update"):
        program(hooks / name, f"touch {tmp_path}/ran")
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.external",
        "core.alternateRefsCommand",
    ):
        repository.git("config", key, str(helper))
    git = Git(repository.folder)
    git.read("update-ref", "refs/heads/other", repository.commits["c1"])
    git.read("log", "-1", "refs/heads/main")
    assert not (tmp_path / "ran").exists()


def test_a_replaced_object_is_not_believed(repository):
    repository.commit("forged", T + HOUR)
    honest = repository.git("cat-file", "commit", repository.commits["c1"])
    repository.git("replace", "-f", repository.commits["c1"], repository.commits["forged"])
    assert repository.git("cat-file", "commit", repository.commits["c1"]) != honest
    shown = Git(repository.folder).read("cat-file", "commit", repository.commits["c1"])
    assert shown.decode().strip() == honest


def test_a_mailmap_does_not_move_commits_to_somebody_else(repository):
    repository.commit("mapped", T, files={".mailmap": "Somebody Else <else@x> <s@x>\n"})
    repository.point("main", "mapped")
    shown = Git(repository.folder).read("log", "-1", "--format=%aN", "refs/heads/main")
    assert shown.decode().strip() == "s"


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    slow = program(tmp_path / "slow", f"echo $$ > {tmp_path}/pid; sleep 60")
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    own.read("config", "alias.wait", f"!{slow}")
    with pytest.raises(GitFailedError, match=r"git wait: no end after 0\.5 s"):
        Git(own.repository, timeout_s=0.5).read("wait")
    pid = int((tmp_path / "pid").read_text())
    assert ends(pid)


def test_output_beyond_the_limit_is_refused(repository):
    blob = repository.blob(os.urandom(2 * 1024 * 1024))
    git = Git(repository.folder)
    assert len(git.read("cat-file", "blob", blob)) == 2 * 1024 * 1024
    with pytest.raises(GitFailedError, match="more data than the limit allows"):
        git.read("cat-file", "blob", blob, output_limit_mib=1)


def test_a_token_is_configuration_of_one_command_and_shown_nowhere():
    secret = remote("https://github.com/o/r", authorization="Basic c2VjcmV0")
    assert "c2VjcmV0" not in repr(secret)
    variables = environment(secret)
    keys = {value: name for name, value in variables.items()}
    name = keys["http.https://github.com/o/r.extraHeader"]
    assert variables[name.replace("KEY", "VALUE")] == "Authorization: Basic c2VjcmV0"


def test_what_git_complains_about_is_safe_to_print(tmp_path):
    own = Git(tmp_path / "own.git")
    own.read("init", "--quiet", "--bare")
    with pytest.raises(GitFailedError) as raised:
        own.read("rev-parse", "--verify", "refs/heads/\x1b[31mred")
    assert "\x1b" not in str(raised.value)
