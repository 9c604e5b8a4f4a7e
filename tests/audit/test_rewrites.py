"""A branch is rewritten in every usual way; what was lost is found again by its content, and said in words."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from grader.audit.rewrites import Rewriting, rewrites, rewritings
from grader.collect.deadline import Deadline
from grader.collect.hardened_git import Git
from grader.collect.push_records import Push
from grader.records import EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, Repository, T

DEADLINE = Deadline(first_late=T, text="2024-10-01 23:59")
LATER = T + 2 * HOUR + 14 * 60


@pytest.fixture(name="repository")
def empty_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "student.git")


def source(*changes: int) -> str:
    """A file of sixty lines, some of them changed: changes far apart make patches that apply anywhere."""
    return "".join(f"line {line} {'changed' if line in changes else ''}\n" for line in range(60))


def work(repository: Repository, *, commits: int = 6) -> None:
    """c0 to c5, each a change to one file."""
    for place in range(commits):
        repository.commit(
            f"c{place}",
            T - DAY + place * HOUR,
            [f"c{place - 1}"] if place else [],
            files={"work.py": source(*range(0, 10 * place, 10))},
        )


def looked(repository: Repository, commit: str, time: int) -> Sighting:
    return Sighting(
        time=time,
        ref=MAIN,
        commit=repository.commits[commit],
        level=EvidenceLevel.OWN_SNAPSHOT,
        source="round 1",
    )


def seen(repository: Repository, before: str, after: str) -> Rewriting:
    """The one rewriting between a look before the deadline and one after it."""
    looks = [looked(repository, before, T - 60), looked(repository, after, LATER)]
    history = repository.history(seen=looks)
    (only,) = rewritings(Git(repository.folder), history, ref=MAIN, sightings=looks, deadline=DEADLINE)
    return only


def pairs(repository: Repository, rewriting: Rewriting) -> Mapping[str, tuple[str | None, str]]:
    return {
        repository.name_of(one.old) or "": (repository.name_of(one.new), one.matched_by)
        for one in rewriting.rewrites
    }


def test_other_dates_are_recognised_by_the_same_files(repository: Repository) -> None:
    work(repository)
    for place in range(6):
        parents = [f"d{place - 1}"] if place else []
        repository.commit(
            f"d{place}", T + place, parents, files={"work.py": source(*range(0, 10 * place, 10))}
        )
    found = seen(repository, "c5", "d5")
    assert pairs(repository, found) == {f"c{place}": (f"d{place}", "tree") for place in range(6)}
    assert found.rewrites[0].text.endswith("the same files; new author date, new commit date, new message")
    assert found.summary.startswith(
        "the branch had been rewritten when it was seen 2 h 14 min after the deadline"
    )
    assert found.summary.endswith("6 of 6 lost commits have the same content with new dates")


def test_another_author_is_recognised_by_the_same_files(repository: Repository) -> None:
    work(repository, commits=1)
    tree = repository.tree({"work.py": source()})
    dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{T - DAY} -0400")
    repository.commits["d0"] = repository.git(
        "commit-tree", tree, "-m", "c0", **dates, GIT_AUTHOR_EMAIL="eve@x"
    )
    found = seen(repository, "c0", "d0")
    assert found.rewrites[0].text.endswith("the same files; new author")
    assert found.summary.endswith("1 of 1 lost commits has the same content")


def test_a_squash_has_the_files_of_the_old_tip(repository: Repository) -> None:
    work(repository)
    repository.commit("squashed", T + HOUR, ["c0"], files={"work.py": source(0, 10, 20, 30, 40)})
    found = seen(repository, "c5", "squashed")
    alone = {f"c{place}": (None, "nothing") for place in range(1, 5)}
    assert pairs(repository, found) == alone | {"c5": ("squashed", "tree")}
    assert "squashed, with the same files" in found.rewrites[0].text
    assert all("it is within" in one.text for one in found.rewrites[1:])
    assert found.summary.endswith(
        "1 of 5 lost commits has the same content with new dates; 4 of 5 were squashed into another"
    )


def test_an_amended_commit_says_how_many_files_differ(repository: Repository) -> None:
    work(repository, commits=2)
    files = {"work.py": source(0, 50), "more.py": "new\n"}
    repository.commit("amended", LATER, ["c0"], authored=T - DAY + HOUR, files=files)
    found = seen(repository, "c1", "amended")
    assert pairs(repository, found) == {"c1": ("amended", "author")}
    assert "amended, 2 files differ; new commit date, new message" in found.rewrites[0].text
    assert found.summary.endswith("1 of 1 was amended")


def test_a_rebase_is_the_same_change_on_other_files(repository: Repository) -> None:
    work(repository, commits=4)
    repository.commit("upstream", T, ["c0"], files={"work.py": source(55)})
    for place in range(1, 4):
        before = f"r{place - 1}" if place > 1 else "upstream"
        files = {"work.py": source(*range(0, 10 * place, 10), 55)}
        repository.commit(f"r{place}", T + place, [before], authored=T - DAY + place * HOUR, files=files)
    found = seen(repository, "c3", "r3")
    assert pairs(repository, found) == {f"c{place}": (f"r{place}", "patch") for place in range(1, 4)}
    assert "the same change on top of other files; new commit date" in found.rewrites[0].text


def test_a_fresh_root_with_other_work_has_no_counterpart(repository: Repository) -> None:
    work(repository, commits=2)
    repository.commit("fresh", LATER, files={"other.py": "nothing of it\n"})
    found = seen(repository, "c1", "fresh")
    assert set(pairs(repository, found).values()) == {(None, "nothing")}
    assert found.summary.endswith("2 of 2 have no counterpart")


def test_an_ordinary_push_rewrites_nothing(repository: Repository) -> None:
    work(repository)
    looks = [looked(repository, f"c{place}", T - DAY + place * HOUR) for place in range(6)]
    history = repository.history(seen=looks)
    assert rewrites(Git(repository.folder), history, ref=MAIN, sightings=looks, deadline=DEADLINE) == ()


def test_two_clocks_that_differ_by_seconds_make_no_rewriting_of_a_push(repository: Repository) -> None:
    work(repository, commits=2)
    pushes = [repository.push(None, "c0", T - 900), repository.push("c0", "c1", T - 300)]
    looks = [looked(repository, "c1", T - 305), looked(repository, "c0", T - 295)]
    history = repository.history(pushes=pushes, seen=looks)
    found = rewrites(
        Git(repository.folder), history, ref=MAIN, sightings=history.sightings, deadline=DEADLINE
    )
    assert found == ()


def test_a_push_record_tells_what_was_lost_where_nobody_looked(repository: Repository) -> None:
    work(repository, commits=2)
    repository.commit("forced", T + HOUR, ["c0"], files={"work.py": source(0)})
    pushes = [Push(MAIN, repository.commits["c1"], repository.commits["forced"], T + HOUR)]
    history = repository.history(pushes=pushes)
    (found,) = rewritings(
        Git(repository.folder), history, ref=MAIN, sightings=history.sightings, deadline=DEADLINE
    )
    assert pairs(repository, found) == {"c1": ("forced", "tree")}
    assert found.summary.startswith("the branch was rewritten 1 h after the deadline")


def replayed(repository: Repository, prefix: str, **extra: str) -> None:
    """Twenty commits over ten files, each with whatever is extra at the root, as a rebase would make them."""
    files = {f"f{number}.py": source() for number in range(10)}
    for place in range(20):
        files[f"f{place % 10}.py"] = source(*range(0, 3 * place + 1, 3))
        parents = [f"{prefix}{place - 1}"] if place else []
        start = T - DAY if prefix == "c" else T
        repository.commit(f"{prefix}{place}", start + place * 60, parents, files=files | extra)


def test_all_but_the_root_are_found_when_a_file_was_added_to_every_commit(repository: Repository) -> None:
    """No tree is the same then; the first commit, whose change now has the file too, is the only one lost."""
    replayed(repository, "c")
    replayed(repository, "d", LICENSE="free\n")
    found = pairs(repository, seen(repository, "c19", "d19"))
    assert found == {f"c{place}": (f"d{place}", "patch") for place in range(1, 20)} | {
        "c0": (None, "nothing")
    }


def test_a_commit_too_large_to_compare_spoils_no_other(repository: Repository) -> None:
    """Its tree, ten levels of ten times the same folder, is ten thousand million files."""
    bomb = repository.tree({"f": "x"})
    for _ in range(9):
        bomb = repository.raw_tree([("40000", f"d{number}".encode(), bomb) for number in range(10)])
    work(repository, commits=3)
    repository.commit("c3", T - HOUR, ["c2"], tree=bomb)
    repository.commit("upstream", T, ["c0"], files={"work.py": source(55)})
    for place in (1, 2):
        files = {"work.py": source(*range(0, 10 * place, 10), 55)}
        repository.commit(f"r{place}", T + place, ["upstream" if place == 1 else "r1"], files=files)
    found = pairs(repository, seen(repository, "c3", "r2"))
    assert found == {"c1": ("r1", "patch"), "c2": ("r2", "patch"), "c3": (None, "nothing")}
