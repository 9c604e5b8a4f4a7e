"""Each forge's own format, read live from the fake forge and from what it answered."""

import json
import os
import subprocess

import pytest

from grader.errors import ConfigurationError
from grader.forges import gitea, github, gitlab, reflog
from grader.forges.fake_formats import FakePush, Question
from grader.forges.forge import Forge
from grader.forges.http import ForgeError
from grader.forges.records import NOTHING, UNKNOWN
from tests.collect.lab import MAIN, Repository, T

READERS = {"github": github, "gitlab": gitlab, "gitea": gitea}
PROJECT = "o/r"
A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)

TERM = [
    FakePush(NOTHING, A, T - 300),
    FakePush(A, B, T - 200),
    FakePush(NOTHING, B, T - 150, branch="feature/x"),
    FakePush(NOTHING, A, T - 120, kind="tag", branch="v1"),
    FakePush(B, C, T + 100, force=True),
    FakePush(B, NOTHING, T + 200, branch="feature/x"),
]
MOVES = [
    (MAIN, NOTHING, A, T - 300),
    (MAIN, A, B, T - 200),
    ("refs/heads/feature/x", NOTHING, B, T - 150),
    (MAIN, B, C, T + 100),
    ("refs/heads/feature/x", B, NOTHING, T + 200),
]


def moves(records):
    found = [(one.ref, one.before, one.after, one.timestamp) for one in records]
    return found if found == [] or found[0][3] < found[-1][3] else found[::-1]


@pytest.fixture
def reading(forge, client):
    def read(kind, pushes=TERM, project=PROJECT):
        forge.pushes[project] = list(pushes)
        return READERS[kind].read(client(), Forge(kind, forge.host, project)).records

    return read


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_every_move_of_every_branch_is_read(reading, kind):
    assert moves(reading(kind)) == MOVES


def test_gitea_does_not_say_what_a_removed_branch_was(reading):
    assert moves(reading("gitea")) == [*MOVES[:-1], ("refs/heads/feature/x", UNKNOWN, NOTHING, T + 200)]


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("page_size", [1, 2, 3, 50])
def test_all_pages_are_read(reading, forge, kind, page_size):
    forge.page_size = page_size
    assert [one[3] for one in moves(reading(kind))] == [one[3] for one in MOVES]


@pytest.mark.parametrize("kind", READERS)
def test_of_more_pages_than_are_read_the_newest_pushes_are_kept(client, forge, kind):
    forge.pushes[PROJECT], forge.page_size = list(TERM), 1
    found = READERS[kind].read(client(pages_limit=2), Forge(kind, forge.host, PROJECT))
    assert (found.is_cut, [one[3] for one in moves(found.records)]) == (True, [T + 100, T + 200])


@pytest.mark.parametrize("kind", READERS)
def test_a_repository_without_pushes_has_no_records(reading, kind):
    assert reading(kind, []) == []


@pytest.mark.parametrize("kind", READERS)
def test_a_repository_that_is_not_there_is_said(client, forge, kind):
    with pytest.raises(ForgeError, match="no such repository, or it is private"):
        READERS[kind].read(client(), Forge(kind, forge.host, "o/gone"))


@pytest.mark.parametrize("kind", READERS)
def test_a_record_says_who_pushed_and_who_says_so(reading, forge, kind):
    record = reading(kind)[0]
    assert (record.actor, record.source) == ("student", forge.host)


def test_a_gitlab_project_may_lie_in_groups_of_groups(reading, forge):
    reading("gitlab", project="course/term/team01")
    assert forge.asked[0].target.startswith("/api/v4/projects/course%2Fterm%2Fteam01/events?action=pushed")


def test_a_gitlab_push_of_many_branches_at_once_is_a_gap(reading):
    (record,) = reading("gitlab", [FakePush(A, B, T, kind="bulk")])
    assert record.is_gap
    assert record.timestamp == T


def test_an_account_that_is_gone_is_no_trouble(reading):
    assert reading("github", [FakePush(NOTHING, A, T, actor="")])[0].actor == ""


@pytest.mark.parametrize(
    ("compare", "before"),
    [
        (f"o/r/compare/{A}...{B}", A),
        (f"o/r/compare/{NOTHING}...{B}", NOTHING),
        ("", NOTHING),
        (f"o/r/compare/main...{B}", UNKNOWN),
    ],
)
def test_what_gitea_compares_with_is_where_the_branch_came_from(compare, before):
    content = {"Commits": [], "HeadCommit": {"Sha1": B}, "CompareURL": compare, "Len": 0}
    entry = {"id": 2, "op_type": "commit_repo", "ref_name": "main", "created": "2024-10-01T10:00:00-04:00"}
    records = gitea.parse([entry | {"content": json.dumps(content)}], where="x")
    assert [(one.ref, one.before, one.after) for one in records] == [(MAIN, before, B)]


def test_a_branch_that_gitea_says_is_new_came_from_nowhere_whatever_it_is_compared_with():
    content = {"Commits": [], "HeadCommit": {"Sha1": B}, "CompareURL": f"o/r/compare/{A}...{B}", "Len": 0}
    common = {"op_type": "commit_repo", "ref_name": MAIN, "created": "2024-10-01T10:00:00-04:00"}
    entries = [common | {"id": 2, "content": json.dumps(content)}, common | {"id": 1, "content": ""}]
    assert [one.before for one in gitea.parse(entries, where="x")] == [NOTHING]


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [
        ("github", {"before": "abc"}, "item 1: before: expected 40 hexadecimal digits, got 'abc'"),
        ("github", {"timestamp": "2024-10-01 10:00"}, "item 1: timestamp: expected ISO 8601"),
        ("github", {"ref": 7}, "item 1: ref: expected a text, got 7"),
        ("gitlab", {"created_at": None}, "item 1: created_at: expected ISO 8601"),
        ("gitlab", {"push_data": []}, "item 1: push_data: expected an object"),
        ("gitea", {"content": "{"}, "item 1: content: expected the JSON text"),
        ("gitea", {"content": "{}"}, "item 1: content: Commits[0]: expected an object"),
        ("gitea", {"ref_name": ""}, "item 1: ref_name: expected the name of a branch"),
    ],
)
def test_an_entry_of_another_form_is_named(kind, spoil, said):
    entry = Question(kind, PROJECT).entries([FakePush(A, B, T)])[0] | spoil
    with pytest.raises(ConfigurationError) as raised:
        READERS[kind].parse([entry], where="answer.json")
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", READERS)
def test_a_message_obeys_nobody(kind):
    with pytest.raises(ConfigurationError) as raised:
        READERS[kind].parse(["\x1b[2Jgone"], where="answer.json")
    assert "\x1b" not in str(raised.value)


@pytest.fixture
def server(tmp_path):
    """A bare repository that logs, and a student's clone that pushes to it."""
    bare = Repository(tmp_path / "served.git")
    bare.git("config", "core.logAllRefUpdates", "true")
    student = Repository(tmp_path / "student.git")
    return bare, student


def push(student, bare, refspec, time):
    command = ["git", f"--git-dir={student.folder}", "push", "-q", str(bare.folder), refspec]
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent"}
    who = {"GIT_COMMITTER_NAME": "s", "GIT_COMMITTER_EMAIL": "s@x", "GIT_COMMITTER_DATE": f"{time} -0400"}
    subprocess.run(command, env=clean | who, check=True)


def test_the_log_of_a_bare_server_has_every_push(server):
    bare, student = server
    first = student.commit("c1", T - 900)
    second = student.commit("c2", T - 500, ["c1"])
    third = student.commit("c3", T - 400, ["c1"])
    push(student, bare, f"{first}:{MAIN}", T - 300)
    push(student, bare, f"{second}:refs/heads/feature/x", T - 200)
    push(student, bare, f"{second}:{MAIN}", T - 100)
    push(student, bare, f"+{third}:{MAIN}", T + 100)
    assert moves(reflog.read(bare.folder, source="us")) == [
        (MAIN, NOTHING, first, T - 300),
        ("refs/heads/feature/x", NOTHING, second, T - 200),
        (MAIN, first, second, T - 100),
        (MAIN, second, third, T + 100),
    ]


def test_a_server_that_keeps_no_log_is_told_how(tmp_path):
    with pytest.raises(ForgeError, match=r"set core\.logAllRefUpdates to true"):
        reflog.read(Repository(tmp_path / "r.git").folder, source="us")


def test_a_server_s_repository_that_is_gone_is_said_to_be(tmp_path):
    with pytest.raises(ForgeError, match="no such folder"):
        reflog.read(tmp_path / "r.git", source="us")


@pytest.mark.parametrize("trap", ["link", "fifo", "text"])
def test_a_log_that_is_none_is_refused_and_not_shown(tmp_path, trap):
    heads = tmp_path / "r.git" / "logs" / "refs" / "heads"
    heads.mkdir(parents=True)
    (tmp_path / "secret").write_text(f"{NOTHING} {A} daemon <s@x> {T} -0400\n")
    if trap == "link":
        (heads / "main").symlink_to(tmp_path / "secret")
    elif trap == "fifo":
        os.mkfifo(heads / "main")
    else:
        (heads / "main").write_text("daemon:x:1:1\n")
    with pytest.raises((ForgeError, ConfigurationError)) as raised:
        reflog.read(tmp_path / "r.git", source="us")
    assert "main" in str(raised.value)
    assert "daemon" not in str(raised.value)
