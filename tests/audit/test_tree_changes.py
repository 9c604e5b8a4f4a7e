"""Differences of two trees, compared by us, are those of git; what is beyond a limit is left out, soon."""

import random
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from grader.audit.changes import Patience, changed_files, line_counts, patch_ids
from grader.audit.tree_changes import DIFFERENCES, FileChange, Trees, differences
from grader.collect.hardened_git import Git
from grader.collect.objects import Entry
from tests.collect.lab import Content, Repository, T


@pytest.fixture(name="repository")
def empty_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "student.git")


def some_files(dice: random.Random) -> dict[str, Content]:
    """A few files in a few folders; the same name is now a file, now a folder."""
    return {
        name: {below: f"{dice.randrange(3)}\n" for below in dice.sample("xyz", 2)} | {"deep": {"w": "same\n"}}
        if dice.random() < 0.5
        else f"{dice.randrange(3)}\n"
        for name in dice.sample("abcdef", 4)
    }


def test_they_are_those_that_git_finds(repository: Repository) -> None:
    dice = random.Random(7)
    trees = [repository.tree(some_files(dice)) for _ in range(12)]
    pairs = {f"{old} {new}": Trees(old, new) for old, new in pairwise(trees)}
    for name, files in differences(Git(repository.folder), pairs).items():
        listed = repository.git(
            "diff-tree", "-r", "--name-only", "--no-renames", *name.split(" ")
        ).splitlines()
        assert sorted(listed) == sorted({file.path.decode() for file in files})
    assert len(differences(Git(repository.folder), pairs)) == len(pairs) > 5


def test_against_nothing_every_file_is_new(repository: Repository) -> None:
    tree = repository.tree({"a": "1\n"})
    entry = Entry("100644", b"a", repository.blob("1\n"))
    assert differences(Git(repository.folder), {"root": Trees(None, tree)}) == {
        "root": (FileChange(b"a", None, entry),)
    }


def test_a_pair_that_differs_too_much_or_lacks_a_tree_is_left_out_alone(repository: Repository) -> None:
    blob = repository.blob("x")
    many = repository.raw_tree([("100644", f"{n:05}".encode(), blob) for n in range(DIFFERENCES + 1)])
    small = repository.tree({"a": "1\n"})
    holey = repository.raw_tree([("40000", b"gone", "34" * 20)])
    pairs = {"many": Trees(None, many), "holey": Trees(small, holey), "small": Trees(None, small)}
    assert list(differences(Git(repository.folder), pairs)) == ["small"]


def test_a_bomb_that_is_the_same_on_both_sides_is_no_difference(repository: Repository) -> None:
    bomb = repository.tree({"f": "x"})
    for _ in range(9):
        bomb = repository.raw_tree([("40000", f"d{number}".encode(), bomb) for number in range(10)])
    blob = repository.blob("x")
    sides = [repository.raw_tree([("40000", b"bomb", bomb), ("100644", name, blob)]) for name in (b"x", b"y")]
    found = differences(Git(repository.folder), {"pair": Trees(*sides)})
    assert sorted(file.path for file in found["pair"]) == [b"x", b"y"]


def changes_of(repository: Repository, tree: str) -> Mapping[str, tuple[FileChange, ...]]:
    commit = repository.commit("c", T, tree=tree)
    return {commit: differences(Git(repository.folder), {"c": Trees(None, tree)})["c"]}


def test_a_change_of_a_binary_file_has_no_patch_id(repository: Repository) -> None:
    git = Git(repository.folder)
    assert patch_ids(git, changes_of(repository, repository.tree({"a.bin": b"\0\1"})), Patience()) == {}
    assert len(patch_ids(git, changes_of(repository, repository.tree({"a.py": "x\n"})), Patience())) == 1


def test_lines_of_a_file_that_look_like_gits_own_are_lines(repository: Repository) -> None:
    text = f"{'a' * 40}\nBinary files a/x and b/x differ\ncommit {'b' * 40}\ndiff --git a/x b/x\n"
    changes = changes_of(repository, repository.tree({"x": text}))
    (commit,) = changes
    assert list(patch_ids(Git(repository.folder), changes, Patience())) == [commit]
    assert line_counts(Git(repository.folder), changes, Patience())[commit].added == 4


def test_a_commit_on_which_git_fails_spoils_no_other_until_patience_ends(repository: Repository) -> None:
    """Eight commits, each with a file more; the fourth file is cut off in the middle of its content."""
    dice = random.Random(7)
    files: dict[str, Content] = {}
    for place in range(8):
        files[f"f{place}.py"] = "".join(f"x = {dice.random()}\n" for _ in range(2000))
        repository.commit(f"c{place}", T + place, [f"c{place - 1}"] if place else [], files=files)
    cut_off(repository, repository.blob(str(files["f3.py"]).encode()))
    git, known = Git(repository.folder), repository.history().commits
    changes = changed_files(git, known.values(), known)
    patience = Patience()
    found = line_counts(git, changes, patience)
    assert known.keys() - found.keys() == {repository.commits["c3"]}
    assert patience.failures_left == 10 - 4  # of eight commits, four, two, and the one
    assert len(line_counts(git, changes, Patience(failures_left=1))) == 0


def cut_off(repository: Repository, blob: str) -> None:
    path = repository.folder / "objects" / blob[:2] / blob[2:]
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[: len(content) // 2])
