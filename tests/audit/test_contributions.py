"""Shares of a group: as the commits carry them, as context, whatever the repository says of itself."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from grader.audit.contributions import IDENTITIES, SHARES_NOTE, TRAILERS, co_authors, shares
from grader.audit.records import Share
from grader.collect.hardened_git import Git
from grader.collect.stamps import Person
from grader.records import Team
from tests.collect.lab import DAY, Content, Repository, T

GROUP = Team(id="group1", members=("s1", "s2"), repo_url="https://git.example.org/group1.git")


@pytest.fixture(name="repository")
def empty_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "group.git")


def commit(
    repository: Repository,
    name: str,
    who: str,
    files: dict[str, Content],
    parents: Sequence[str] = (),
    *,
    message: str = "",
) -> None:
    options = [option for parent in parents for option in ("-p", repository.commits[parent])]
    date = f"{T - DAY + len(repository.commits)} -0400"
    repository.commits[name] = repository.git(
        *("commit-tree", repository.tree(files), *options),
        stdin=message or name,
        GIT_AUTHOR_NAME=who.title(),
        GIT_AUTHOR_EMAIL=f"{who}@x.org",
        GIT_AUTHOR_DATE=date,
        GIT_COMMITTER_DATE=date,
    )


def by_author(repository: Repository, tip: str, **options: dict[str, str]) -> dict[str, Share]:
    found = shares(Git(repository.folder), repository.history(), repository.commits[tip], GROUP, **options)
    return {share.author: share for share in found}


def test_commits_and_lines_are_counted_for_each_address(repository: Repository) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\nb\nc\n"})
    commit(repository, "c2", "ben", {"work.py": "a\nB\nc\nd\n"}, ["c1"])
    commit(repository, "c3", "ann", {"work.py": "a\nd\n"}, ["c2"])
    found = by_author(repository, "c3")
    ann, ben = found["Ann <ann@x.org>"], found["Ben <ben@x.org>"]
    assert (ann.commits, ann.lines_added, ann.lines_removed) == (2, 3, 2)
    assert (ben.commits, ben.lines_added, ben.lines_removed) == (1, 2, 1)
    assert list(found) == ["Ann <ann@x.org>", "Ben <ben@x.org>"]


def test_only_the_history_of_the_commit_that_counts_is_counted(repository: Repository) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\n"})
    commit(repository, "c2", "ben", {"work.py": "b\n"}, ["c1"])
    assert list(by_author(repository, "c1")) == ["Ann <ann@x.org>"]
    assert shares(Git(repository.folder), repository.history(), None, GROUP) == ()


def test_a_merge_is_nobodys_work(repository: Repository) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\n"})
    commit(repository, "left", "ann", {"work.py": "a\n", "left.py": "l\n"}, ["c1"])
    commit(repository, "right", "ann", {"work.py": "a\n", "right.py": "r\n"}, ["c1"])
    commit(
        repository, "merge", "ben", {"work.py": "a\n", "left.py": "l\n", "right.py": "r\n"}, ["left", "right"]
    )
    assert list(by_author(repository, "merge")) == ["Ann <ann@x.org>"]


def test_a_mailmap_in_the_repository_moves_nothing(repository: Repository) -> None:
    mailmap = "Ann <ann@x.org> Ben <ben@x.org>\n"
    commit(repository, "c1", "ben", {".mailmap": mailmap, "work.py": "a\n"})
    repository.point("main", "c1")
    assert list(by_author(repository, "c1")) == ["Ben <ben@x.org>"]


def test_attributes_in_the_repository_hide_no_lines(repository: Repository) -> None:
    commit(repository, "c1", "ann", {".gitattributes": "*.py binary -diff\n", "work.py": "a\nb\n"})
    repository.point("main", "c1")
    assert by_author(repository, "c1")["Ann <ann@x.org>"].lines_added == 3


def test_co_authors_are_counted_beside_the_author(repository: Repository) -> None:
    message = "pairing\n\nwhy\n\nCo-authored-by: Ben <ben@x.org>\nCO-AUTHORED-BY: Ann <ann@x.org>\n"
    commit(repository, "c1", "ann", {"work.py": "a\n"}, message=message)
    found = by_author(repository, "c1")
    assert (found["Ben <ben@x.org>"].commits, found["Ben <ben@x.org>"].co_authored) == (0, 1)
    assert (found["Ann <ann@x.org>"].commits, found["Ann <ann@x.org>"].co_authored) == (1, 0)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (b"x\n\nCo-authored-by: Ben <ben@x>", [Person("Ben", "ben@x")]),
        (b"x\r\n\r\nCo-authored-by: Ben <ben@x>\r\n", [Person("Ben", "ben@x")]),
        (b"x\n\nCo-authored-by: \xff\x1b <ben@x>\n\n\n", [Person("\ufffd\x1b", "ben@x")]),
        (b"x\n\nco-authored-by:<ben@x>\nSigned-off-by: Eve <e@x>", [Person("", "ben@x")]),
        (b"x\n\nCo-authored-by: Ben <ben@x>\n\nnot the last paragraph", []),
        (b"x\n\nCo-authored-by: Ben ben@x\n", []),
        (b"x\n\n> Co-authored-by: Ben <ben@x>\n", []),
        (b"", []),
    ],
)
def test_only_trailers_of_the_last_paragraph_name_a_co_author(message: bytes, named: list[Person]) -> None:
    assert list(co_authors(b"tree x\nauthor y\n\n" + message)) == named


def test_a_thousand_trailers_name_twenty() -> None:
    trailers = b"".join(b"Co-authored-by: n <%d@x>\n" % number for number in range(100_000))
    assert len(list(co_authors(b"tree x\n\nsubject\n\n" + trailers))) == TRAILERS


def test_binary_files_count_nothing_and_notebooks_are_told_apart(repository: Repository) -> None:
    notebook = '{\n "cells": [],\n "nbformat": 4\n}\n'
    files: dict[str, Content] = {"a.png": b"\0\1\2\n" * 50, "work.IPYNB": notebook, "work.py": "a\n"}
    commit(repository, "c1", "ann", files)
    ann = by_author(repository, "c1")["Ann <ann@x.org>"]
    assert (ann.lines_added, ann.notebook_lines) == (5, 4)


def test_strange_file_names_are_counted_like_others(repository: Repository) -> None:
    names = ("new\nline.py", "tab\tname.py", "5\t5\tx.py", "a" * 40, '"quoted".py', "--output=x")
    commit(repository, "c1", "ann", {name: f"{number}\n" for number, name in enumerate(names)})
    assert by_author(repository, "c1")["Ann <ann@x.org>"].lines_added == len(names)


def test_a_commit_of_which_a_file_was_left_on_the_server_is_said_and_spoils_no_other(
    repository: Repository,
) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\n"})
    missing = repository.raw_tree([("100644", b"model.pt", "12" * 20)])
    repository.commit("c2", T, ["c1"], tree=missing)
    repository.commit("c3", T + 1, ["c2"], files={"work.py": "a\nb\n"})
    commit(repository, "c4", "ben", {"work.py": "a\nb\nc\n"}, ["c3"])
    found = by_author(repository, "c4")
    assert [share.uncounted for share in found.values()] == [2, 0, 0]
    assert found["Ben <ben@x.org>"].lines_added == 1


def test_a_member_is_named_where_the_roster_has_the_address(repository: Repository) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\n"})
    commit(repository, "c2", "ben", {"work.py": "b\n"}, ["c1"])
    commit(repository, "c3", "eve", {"work.py": "c\n"}, ["c2"])
    addresses = {"Ann@X.org": "s1", "eve@x.org": "somebody else", "": "s2"}
    found = by_author(repository, "c3", addresses=addresses)
    assert [share.member for share in found.values()] == ["s1", None, None]


def test_addresses_are_told_apart_exactly_as_written(repository: Repository) -> None:
    commit(repository, "c1", "ann", {"work.py": "a\n"})
    commit(repository, "c2", "Ann", {"work.py": "b\n"}, ["c1"])
    assert len(by_author(repository, "c2")) == 2


def test_a_hundred_invented_addresses_are_added_up(repository: Repository) -> None:
    trailers = "".join(f"Co-authored-by: n <{number}@x>\n" for number in range(TRAILERS))
    commit(repository, "c0", "ann", {"work.py": "0\n"})
    for place in range(1, 5):
        message = f"x\n\n{trailers.replace('@x', f'@x{place}')}"
        commit(repository, f"c{place}", "ann", {"work.py": f"{place}\n"}, [f"c{place - 1}"], message=message)
    found = list(by_author(repository, "c4").values())
    assert len(found) == IDENTITIES + 1
    assert (found[-1].author, found[-1].co_authored) == ("31 more addresses", 31)


def test_the_note_says_that_shares_are_no_mark() -> None:
    assert "never a mark" in SHARES_NOTE
