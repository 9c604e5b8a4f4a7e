"""Trees that students hand in, friendly and hostile, and the plain files that come out."""

import os
import stat

import pytest

from grader.collect.hardened_git import Git
from grader.collect.objects import parse_commit, parse_tree
from grader.collect.tree import find_folders, plan_tree, write_files
from grader.course.model import CollectPolicy
from grader.store import Store
from tests.collect.lab import Repository

BLOB, TREE, LINK, MODULE = "100644", "40000", "120000", "160000"


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "server.git")


@pytest.fixture
def written(repository, tmp_path):
    def write(tree, **limits):
        git = Git(repository.folder)
        plan = plan_tree(git, tree, CollectPolicy(**limits))
        store = Store(tmp_path / "state")
        write_files(git, plan, store, f"submissions/{plan.digest}")
        folder = store.path(f"submissions/{plan.digest}")
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        return files, plan.notes

    return write


def test_files_come_out_byte_for_byte(repository, written):
    content = {"a.txt": b"\r\nline\r\n\x00\xff", "é.py": "ü", "sub": {"deep": {"b": ""}}}
    files, notes = written(repository.tree(content))
    assert files == {"a.txt": b"\r\nline\r\n\x00\xff", "é.py": "ü".encode(), "sub/deep/b": b""}
    assert notes == ()


def test_attributes_hide_nothing_and_change_nothing(repository, written):
    attributes = (
        "secret.py export-ignore\n*.txt text eol=crlf ident filter=evil working-tree-encoding=UTF-16\n"
    )
    content = {".gitattributes": attributes, "secret.py": "x = 1\n", "a.txt": "$Id$\n"}
    files, _ = written(repository.tree(content))
    assert files["secret.py"] == b"x = 1\n"
    assert files["a.txt"] == b"$Id$\n"


def test_links_and_submodules_are_never_written(repository, written):
    tree = repository.tree(
        {
            "passwd": (LINK, repository.blob("/etc/passwd")),
            "lib": (MODULE, "a" * 40),
            "x.py": "x",
            "odd": (BLOB, repository.blob("y")),
        }
    )
    files, notes = written(tree)
    assert sorted(files) == ["odd", "x.py"]
    assert set(notes) == {
        "passwd was left out: symbolic links are not followed",
        "lib was left out: submodules are not fetched",
    }


def test_a_link_cannot_carry_another_file_outside(repository, written, tmp_path):
    tree = repository.raw_tree(
        [(LINK, b"d", repository.blob(str(tmp_path))), (TREE, b"d", repository.tree({"pwned": "x"}))]
    )
    files, _ = written(tree)
    assert not (tmp_path / "pwned").exists()
    assert files == {"d/pwned": b"x"}


@pytest.mark.parametrize(
    "name",
    [
        *(
            b"..",
            b".",
            b"",
            b"../x",
            b"/etc/x",
            b"a/b",
            b"a\\b",
            b".git",
            b".GIT",
            b".Git ",
            b".git.",
            b"GIT~1",
        ),
        *(".g\u200cit".encode(), b".git::$INDEX", "\uff0egit".encode(), b"\xff\xfe", b"a\nb", b"\x1b[31m"),
        *("\u202egpj.py".encode(), b"x" * 256),
    ],
)
def test_hostile_names_are_left_out_with_a_printable_note(repository, written, name):
    blob = repository.blob("x")
    tree = repository.raw_tree([(BLOB, name, blob), (BLOB, b"work.py", blob)])
    files, notes = written(tree)
    assert sorted(files) == ["work.py"]
    assert len(notes) == 1
    assert notes[0].isprintable()


def test_a_git_folder_is_not_written_whatever_is_in_it(repository, written):
    inner = repository.tree({"config": "[core]\n\tfsmonitor = touch x\n"})
    tree = repository.raw_tree([(TREE, b".git", inner), (BLOB, b"work.py", repository.blob("x"))])
    files, notes = written(tree)
    assert sorted(files) == ["work.py"]
    assert notes == (".git was left out: it is a git folder",)


def test_an_embedded_bare_repository_is_only_files_and_no_repository(repository, written):
    bare = {
        "HEAD": "ref: refs/heads/main\n",
        "config": "[core]\n\tbare = true\n",
        "objects": {"x": ""},
        "refs": {"y": ""},
    }
    files, _ = written(repository.tree({"work.py": "x", "inner": bare}))
    assert sorted(files) == ["inner/config", "inner/objects/x", "inner/refs/y", "work.py"]


def test_permissions_of_the_student_do_not_matter(repository, written, tmp_path):
    blob = repository.blob("#!/bin/sh\n")
    written(repository.raw_tree([("100755", b"run.sh", blob), ("100600", b"private", blob)]))
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
        if path.name in {"run.sh", "private"}
    }
    assert len(set(modes.values())) == 1
    assert not modes["run.sh"] & stat.S_IXUSR


def test_a_tree_bomb_ends_as_a_note(repository, written):
    tree = repository.tree({f"f{number}": "boom" for number in range(10)})
    for _ in range(9):
        tree = repository.raw_tree([(TREE, f"d{number}".encode(), tree) for number in range(10)])
    top = repository.raw_tree([(TREE, b"bomb", tree), (BLOB, b"work.py", repository.blob("x = 1"))])
    files, notes = written(top, file_limit=500)
    assert files == {"work.py": b"x = 1"}
    assert notes == ("deeper folders or further files were left out: the limits of the course are reached",)


def test_a_tower_of_folders_ends_as_a_note(repository, written):
    tree = repository.tree({"f": "x"})
    for _ in range(60):
        tree = repository.raw_tree([(TREE, b"d", tree)])
    files, notes = written(tree)
    assert files == {}
    assert len(notes) == 1


def test_files_near_the_top_are_kept_when_there_are_too_many(repository, written):
    many = {f"f{number:03d}": str(number) for number in range(60)}
    files, notes = written(repository.tree({"venv": many, "work.py": "x"}), file_limit=20)
    assert "work.py" in files
    assert len(files) <= 20
    assert len(notes) == 1


def test_a_large_file_and_too_much_together_are_left_out(repository, written):
    big, half = os.urandom(1024 * 1024 + 1), os.urandom(700 * 1024)
    content = {"a_big": big, "b_half": half, "c_other": half[::-1], "d_small": "x"}
    files, notes = written(repository.tree(content), blob_limit_mib=1, tree_limit_mib=1)
    assert sorted(files) == ["b_half", "d_small"]
    assert notes == (
        "a_big was left out: it is larger than 1 MiB",
        "c_other was left out: all files together are larger than 1 MiB",
    )


def test_names_that_differ_in_case_only_are_both_kept_where_the_file_system_can(repository, written):
    files, _ = written(repository.tree({"VAE.py": "1", "vae.py": "2"}))
    assert files["vae.py"] == b"2"


def test_a_name_that_comes_twice_is_written_once(repository, written):
    first, second = repository.blob("1"), repository.blob("2")
    inner = repository.tree({"x": "3"})
    files, _ = written(repository.raw_tree([(BLOB, b"a", first), (BLOB, b"a", second), (TREE, b"a", inner)]))
    assert files == {"a": b"1"}


def test_notes_about_thousands_of_files_are_counted(repository, written):
    link = repository.blob("/x")
    tree = repository.tree({f"l{number:03d}": (LINK, link) for number in range(100)})
    _, notes = written(tree)
    assert len(notes) == 41
    assert notes[-1] == "and 60 more files were left out"


def test_the_same_files_are_the_same_folder_and_are_not_written_again(repository, written, tmp_path):
    tree = repository.tree({"work.py": "x"})
    written(tree)
    path = next((tmp_path / "state").rglob("work.py"))
    before = path.stat().st_mtime_ns
    written(tree)
    assert path.stat().st_mtime_ns == before


def test_a_folder_is_found_by_its_exact_name_before_one_in_other_case(repository):
    exact, other = repository.tree({"a": "1"}), repository.tree({"b": "2"})
    git = Git(repository.folder)
    both = repository.tree({"A1": (TREE, other), "a1": (TREE, exact)})
    assert find_folders(git, [both], "a1") == {both: exact}
    two = repository.tree({"A1": (TREE, other), "a1": "a file"})
    assert find_folders(git, [two], "a1") == {two: other}
    unclear = repository.tree({"Work": {"A1": (TREE, other)}, "WORK": {"a1": (TREE, exact)}})
    assert find_folders(git, [unclear], "work/a1") == {}
    nested = repository.tree({"work": {"A1": (TREE, other)}})
    assert find_folders(git, [nested], "work/a1") == {nested: other}


def test_a_cut_off_tree_object_is_read_as_far_as_it_goes():
    whole = b"100644 a\0" + bytes(20)
    assert [entry.name for entry in parse_tree(whole + b"100644 b\0" + bytes(19))] == [b"a"]
    assert list(parse_tree(b"100644")) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"committer a <b> 1700000000 -0400", 1_700_000_000),
        (b"committer a > <b> 1700000000 rubbish", 1_700_000_000),
        (b"committer a <b> 1700000000", 1_700_000_000),
        (b"committer a <b> -5 +0000", None),
        (b"committer a <b> 0 +0000", None),
        (b"committer a <b> 1e9 +0000", None),
        (b"committer a <b> 99999999999999999999 +0000", None),
        (b"committer a <b> \xd9\xa1 +0000", None),
        (b"committer", None),
        (b"", None),
    ],
)
def test_committer_dates_are_read_strictly(line, expected):
    raw = b"tree " + b"a" * 40 + b"\nauthor a <b> 5 +0000\n" + line + b"\n\ncommitter x <y> 7 +0000\n"
    commit = parse_commit("c", raw)
    assert (commit.committed, commit.authored) == (expected, 5)


def test_a_header_inside_a_signature_or_message_is_not_taken_for_one():
    raw = b"tree t\ngpgsig x\n committer a <b> 1 +0000\n parent p\ncommitter a <b> 2 +0000\n\nparent q\n"
    commit = parse_commit("c", raw)
    assert (commit.committed, commit.parents) == (2, ())
