import os
import subprocess
from pathlib import Path

import pytest

from grader.course.instants import wall_clock_to_epoch
from grader.course.model import Assignment, LatePolicy, Task
from grader.hand_in import Due, LateRules, hand_in_facts

ZONE = "America/Toronto"
ASSIGNMENT = Assignment(
    id="t1_toy",
    title="Toys",
    deadline="2025-07-18 23:59",
    folder="t1",
    seed=1,
    tasks=(Task(id="toy", title="A toy", module="toy", names=("toy",)),),
)


def due(*, branch="", **late):
    return Due.of(ASSIGNMENT, LateRules(time_zone=ZONE, late=LatePolicy(**late), branch=branch))


def at(wall_clock):
    return wall_clock_to_epoch(f"{wall_clock}:00", ZONE) - 1


class Work:
    """A student's clone of a repository on a forge."""

    def __init__(self, folder):
        self.top = folder / "mine"
        self.folder = self.top / "t1"
        self.server = folder / "server.git"
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", str(self.server))
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", str(self.server))

    def git(self, *arguments, at="2025-07-18 12:00", cwd=None):
        date = f"{wall_clock(at)} +0000"
        variables = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_NOSYSTEM": "1"}
        who = ["-c", "user.name=s", "-c", "user.email=s@example.edu"]
        return subprocess.run(
            ["git", *who, *arguments],
            cwd=cwd or self.top,
            env=os.environ | variables,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()

    def commit(self, when, *, name="t1/toy.py", push=True, pushed_at=None):
        (self.top / name).write_text(f"made = '{when} {name}'\n")
        self.git("add", "--", name)
        self.git("commit", "-q", "-m", when, at=when)
        if push:
            self.git("push", "-q", "-u", "origin", "HEAD", at=pushed_at or when)

    def facts(self, now="2025-07-18 12:00", *, ask=False, collected=None, branch="", **late):
        rules = due(branch=branch, **late)
        return hand_in_facts(self.folder, rules, now=wall_clock(now), ask=ask, collected=collected)

    def said(self, words, **options):
        """The one fact with these words."""
        (fact,) = [fact for fact in self.facts(**options) if words in fact]
        return fact


def wall_clock(text):
    return wall_clock_to_epoch(f"{text}:00", ZONE) - 1


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "home" / ".gitconfig"))
    return Work(tmp_path)


WOULD = "is what would be collected of this folder"


def test_the_deadline_is_named_with_its_zone():
    assert due().text() == "2025-07-18 23:59:59 America/Toronto"
    assert (
        due(grace_minutes=15).text() == "2025-07-19 00:14:59 America/Toronto (15 minutes of grace are in it)"
    )


def test_work_that_is_pushed_on_time_is_told_in_five_lines(work):
    work.commit("2025-07-18 11:40")
    commit = work.git("rev-parse", "HEAD")[:10]
    when = "2025-07-18 11:40:00 America/Toronto"
    assert work.facts() == [
        f"the last commit here is {commit} of {when}",
        "everything in this folder is committed",
        "everything that is committed is in origin/main, as far as this computer knows",
        f"commit {commit} of {when} is what would be collected of this folder: on time",
        (
            "how sure: your proof is that the server had it before the deadline, whatever dates the commits carry "
            f"(pushed from here at {when}). Look at the page of your repository, or run `grader check --ask-server`"
        ),
    ]


@pytest.mark.parametrize(
    ("when", "late", "said"),
    [
        ("2025-07-19 00:01", {}, "late by 1 started day, which costs 10 % of the points possible"),
        (
            "2025-07-20 12:00",
            {"base": "earned"},
            "late by 2 started days, which costs 20 % of the points earned",
        ),
    ],
)
def test_late_work_says_how_late_it_is_and_what_that_costs(work, when, late, said):
    work.commit(when)
    assert work.said(WOULD, now=when, **late).endswith(f"collected of this folder: {said}")


@pytest.mark.parametrize("late", [{}, {"enabled": False}])
def test_work_after_the_late_period_does_not_count(work, late):
    work.commit("2025-07-22 12:00")
    assert work.said("the pushed work", **late) == (
        "the pushed work of this folder is late by 4 started days, so it does not count"
    )


def test_late_work_does_not_stand_in_the_place_of_work_on_time(work):
    work.commit("2025-07-18 21:40")
    work.commit("2025-07-19 09:00")
    assert work.said(WOULD).endswith(": on time; 1 newer commit to it would not count")
    assert work.said(WOULD, takes="latest").endswith(
        "late by 1 started day, which costs 10 % of the points possible"
    )


def test_a_late_commit_about_something_else_is_not_late(work):
    work.commit("2025-07-18 21:40")
    work.commit("2025-08-01 12:00", name="notes.txt")
    assert work.said(WOULD).endswith(": on time")


def test_a_push_without_this_folder_collects_nothing(work):
    work.commit("2025-07-18 21:40", name="notes.txt")
    assert work.said("no pushed commit has anything in this folder, so nothing would be collected")


# What is not there yet


def test_what_is_not_pushed_says_what_pushing_it_now_would_be(work):
    work.commit("2025-07-18 11:00")
    work.commit("2025-07-18 11:30", push=False)
    before = "1 commit here is not in origin/main and would not count"
    assert work.said("here is not in") == before
    assert work.said("is not handed in").endswith("push before it")
    late = "What is pushed now is late by 1 started day"
    said = f"{before}. {late}, and does not count: this folder was on time"
    assert work.said("here is not in", now="2025-07-19 08:00") == said
    said = f"{before}. {late}, which costs 10 % of the points possible"
    assert work.said("here is not in", now="2025-07-19 08:00", takes="latest") == said
    work.commit("2025-07-18 11:50", push=False)
    assert work.said("here are not in").startswith("2 commits here are not in origin/main")


def test_what_is_not_committed_is_named(work):
    work.commit("2025-07-18 11:00")
    (work.folder / "toy.py").write_text("changed")
    assert work.facts()[1] == "1 changed file (t1/toy.py) is not committed and would not count"
    for name in ("a b.py", "é.py", "c.py", "d.py"):
        (work.folder / name).write_text("new")
    assert work.facts()[1] == (
        "1 changed file (t1/toy.py) and 4 new files (t1/a b.py, t1/c.py, t1/d.py and 1 more) are not committed "
        "and would not count"
    )


def test_what_lies_elsewhere_in_the_repository_is_not_mixed_in(work):
    work.commit("2025-07-18 11:00")
    (work.top / "other.py").write_text("new")
    assert work.facts()[1] == "everything in this folder is committed"


def test_a_renamed_file_does_not_hide_the_next_one(work):
    work.commit("2025-07-18 11:00")
    work.git("mv", "t1/toy.py", "t1/renamed.py")
    (work.folder / "z.py").write_text("new")
    assert work.facts()[1].startswith("1 changed file (t1/renamed.py) and 1 new file (t1/z.py)")


def test_work_that_an_ignore_rule_keeps_out_is_said(work):
    work.commit("2025-07-18 11:00")
    (work.top / ".gitignore").write_text("*.ipynb\nvenv/\n")
    (work.folder / "work.ipynb").write_text("{}")
    (work.folder / "data").mkdir()
    (work.folder / "data" / "notes.txt").write_text("new")
    (work.folder / "venv").mkdir()
    (work.folder / "venv" / "x.py").write_text("")
    assert work.facts()[1:3] == [
        "1 new file (t1/data/notes.txt) is not committed and would not count",
        "t1/work.ipynb: never committed, because .gitignore names it; `git add -f` takes it",
    ]


def test_a_merge_that_is_not_finished_is_said(work):
    work.commit("2025-07-18 11:00")
    work.git("switch", "-q", "-c", "other")
    work.commit("2025-07-18 11:10", push=False)
    work.git("switch", "-q", "main")
    work.commit("2025-07-18 11:20", push=False)
    with pytest.raises(subprocess.CalledProcessError):
        work.git("merge", "-q", "other")
    assert work.said("a merge is not finished") == (
        "a merge is not finished: t1/toy.py has conflicts; settle them and commit"
    )


def test_a_commit_dated_in_the_future_is_pointed_out(work):
    work.commit("2025-07-19 11:00")
    assert "which is in the future" in work.facts(now="2025-07-18 11:00")[0]


# Which branch, and what the others pushed


def test_a_repository_that_was_never_pushed_says_so(work):
    work.commit("2025-07-18 11:00", push=False)
    assert work.facts()[-1].startswith("nothing was ever pushed from here as far as this computer knows")


def test_work_on_another_branch_than_the_one_that_is_handed_in_is_said(work):
    work.commit("2025-07-18 11:00")
    work.git("remote", "set-head", "origin", "main")
    work.git("switch", "-q", "-c", "feature")
    work.commit("2025-07-18 11:30")
    assert work.said("you work on") == (
        "you work on the branch 'feature', but what is handed in is 'main' on the server"
    )
    assert work.said("here is not in") == "1 commit here is not in origin/main and would not count"
    assert " of 2025-07-18 11:00:00 " in work.said(WOULD)


def test_the_branch_that_the_course_collects_is_the_one_that_is_looked_at(work):
    work.commit("2025-07-18 11:00")
    work.git("push", "-q", "origin", "HEAD:submit")
    work.commit("2025-07-18 11:30")
    assert "not in origin/submit" in work.said("here is not in", branch="submit")


def test_without_a_branch_checked_out_it_is_said_what_is_handed_in(work):
    work.commit("2025-07-18 11:00")
    work.git("remote", "set-head", "origin", "main")
    work.git("switch", "-q", "--detach")
    work.commit("2025-07-18 11:30", push=False)
    assert work.said("no branch is checked out") == (
        "no branch is checked out; what is handed in is the branch 'main' (`git switch main`)"
    )


def test_what_a_partner_pushed_counts_and_is_said(work, tmp_path):
    work.commit("2025-07-18 11:00")
    work.git("clone", "-q", str(work.server), str(tmp_path / "partner"))
    (tmp_path / "partner" / "t1" / "toy.py").write_text("theirs")
    work.git("commit", "-q", "-a", "-m", "theirs", cwd=tmp_path / "partner", at="2025-07-18 11:30")
    work.git("push", "-q", cwd=tmp_path / "partner")
    assert not [fact for fact in work.facts() if "that you have not here" in fact]
    assert work.facts(ask=True)[-1].endswith("somebody pushed since; `git fetch`, and check again")
    work.git("fetch", "-q")
    assert work.said("that you have not here").startswith("origin/main has 1 commit")
    assert " of 2025-07-18 11:30:00 " in work.said(WOULD)
    assert work.facts(ask=True)[-1].endswith("what this computer believes is true")


def test_a_commit_dated_on_time_and_pushed_late_is_told_that_this_is_not_sure(work):
    work.commit("2025-07-18 23:50", pushed_at="2025-07-19 00:20")
    assert work.facts(now="2025-07-19 00:21")[-1] == (
        "not sure: that commit is dated on time, but it was pushed from here at 2025-07-19 00:20:00 "
        "America/Toronto, after the deadline; what was not on the server by then is late, whatever dates the "
        "commits carry"
    )


def test_a_later_push_about_something_else_takes_nothing_from_the_proof(work):
    work.commit("2025-07-18 23:50")
    work.commit("2025-07-25 12:00", name="notes.txt")
    assert "(pushed from here at 2025-07-18 23:50:00" in work.facts(now="2025-07-25 12:01")[-1]


def test_a_folder_that_is_not_the_one_that_is_collected_is_said(work):
    work.commit("2025-07-18 11:00")
    assert work.said("move your work there", collected="a3") == (
        "this is the folder 't1' of the repository, but what is collected is the folder 'a3'; move your work there"
    )
    assert not [fact for fact in work.facts(collected="T1") if "move" in fact]


# The server is asked only when the student says so


def test_no_server_is_asked_unless_the_student_says_so(work):
    work.commit("2025-07-18 11:00")
    work.server.rename(work.server.parent / "moved.git")
    assert work.facts()[-1].startswith("how sure")
    assert work.facts(ask=True)[-1].startswith("the server could not be asked: git says: fatal:")


def test_a_branch_that_the_server_lost_is_said(work):
    work.commit("2025-07-18 11:00")
    work.git("update-ref", "-d", "refs/heads/main", cwd=work.server)
    assert work.facts(ask=True)[-1].startswith(
        "the server says that it has no branch 'main' at 2025-07-18 12:00"
    )


# Odd computers


def test_a_copy_without_the_rules_of_the_course_says_what_git_says(work):
    work.commit("2025-07-18 20:00")
    facts = hand_in_facts(work.folder, None, now=wall_clock("2025-07-18 21:00"))
    assert "everything that is committed is in origin/main, as far as this computer knows" in facts
    assert facts[0].endswith(" of 2025-07-19 00:00:00 UTC")


def test_a_folder_outside_of_any_repository_is_said(tmp_path):
    assert hand_in_facts(tmp_path, due()) == [
        "this folder is not in a Git repository; so nothing can be said about what would be collected"
    ]


def test_a_repository_without_a_commit_is_said(work):
    assert work.facts() == ["there is no commit yet, so nothing would be collected; commit, and push"]


def test_a_computer_without_git_is_told_so(work, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (fact,) = work.facts()
    assert fact.startswith("git is not installed")


def test_a_shallow_clone_says_that_the_commit_may_be_an_older_one(work, tmp_path):
    work.commit("2025-07-18 10:00")
    work.commit("2025-07-18 11:00", name="notes.txt")
    work.git("clone", "-q", "--depth=1", work.server.as_uri(), str(tmp_path / "cut"))
    work.top, work.folder = tmp_path / "cut", tmp_path / "cut" / "t1"
    assert work.said(WOULD).endswith("this clone is shallow, so it may be an older commit that did that")
    assert "which this computer cannot tell" in work.facts()[-1]


def test_odd_settings_of_the_students_git_change_nothing(work, tmp_path):
    work.commit("2025-07-18 11:00")
    (work.folder / "new.py").write_text("new")
    plain = work.facts()
    settings = {
        "color.ui": "always",
        "log.showSignature": "true",
        "status.short": "true",
        "status.relativePaths": "true",
        "log.decorate": "full",
        "log.date": "relative",
        "core.quotePath": "true",
        "core.pager": "false",
        "status.showUntrackedFiles": "no",
        "format.pretty": "fuller",
        "alias.log": "!false",
    }
    for key, value in settings.items():
        work.git("config", "--global", key, value)
    assert work.facts() == plain


def test_variables_of_another_repository_are_not_heeded(work, monkeypatch, tmp_path):
    work.commit("2025-07-18 11:00")
    plain = work.facts()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert work.facts() == plain


def test_names_of_files_cannot_write_on_the_terminal(work):
    work.commit("2025-07-18 11:00")
    Path(work.folder, "\x1b[31mred\n.py").write_text("new")
    assert all(fact.isprintable() for fact in work.facts())
