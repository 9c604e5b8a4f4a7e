"""Histories with dates, branches and tags that nobody makes by accident, from the server to the snapshot."""

import pytest

from grader.records import Decision, EvidenceLevel
from tests.collect.lab import DAY, HOUR, Desk, Repository, T, assignment, course, extension, team
from tests.collect.openpgp_lab import HandMade, armored, packet, signed_commit, time_at

TORONTO_FALLS_BACK = "2024-11-03 01:30"
"""Happens twice: at 05:30 and at 06:30 UTC."""


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "server.git")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, course())


def snapshot_of(desk, repository, what=None, **options):
    who = team(repository.url, **options)
    assert desk.observe(who) == {}
    return desk.collect(who, what).snapshot


UNREADABLE = {
    "no number": "committer s <s@x> xyz +0000",
    "empty": "committer s <s@x>",
    "zero": "committer s <s@x> 0 +0000",
    "negative": f"committer s <s@x> -{T} +0000",
    "before 1970": "committer s <s@x> -1 +0000",
    "twenty digits": "committer s <s@x> 10000000000000000000 +0000",
    "a fraction": f"committer s <s@x> {T - HOUR}.5 +0000",
    "another script": "committer s <s@x> ١٧٢٧٨٣٨٠٠٠ +0000",
}


@pytest.mark.parametrize("committer", UNREADABLE.values(), ids=UNREADABLE)
def test_work_with_an_unreadable_date_is_never_on_time_by_it(repository, desk, committer):
    repository.commit("c1", T - DAY)
    repository.raw_commit("odd", committer, ["c1"])
    repository.point("main", "odd")
    snapshot = snapshot_of(desk, repository)
    assert snapshot.commit == repository.commits["c1"]
    assert snapshot.evidence.decision is Decision.CLAIMED_ONLY


def test_a_commit_without_a_committer_is_not_taken_and_costs_no_marks(repository, desk):
    repository.raw_commit("odd", "committer")
    repository.point("main", "odd")
    who = team(repository.url)
    assert "missingCommitter" in desk.observe(who)["team01"]
    snapshot = desk.collect(who).snapshot
    assert (snapshot.evidence.decision, snapshot.problem_is_ours) == (Decision.UNREACHABLE, True)


def test_a_date_in_the_far_future_is_late_and_breaks_nothing(repository, desk):
    repository.commit("c1", T - DAY)
    repository.raw_commit("odd", "committer s <s@x> 999999999999 +0000", ["c1"])
    repository.point("main", "odd")
    assert snapshot_of(desk, repository).commit == repository.commits["c1"]


@pytest.mark.parametrize("committer", ["committer s <s@x> xyz", "committer s <s@x> 999999999999 +0000"])
def test_work_that_we_saw_on_time_counts_whatever_its_date(repository, desk, committer):
    repository.raw_commit("odd", committer)
    repository.point("main", "odd")
    desk.observe(team(repository.url), at=T - 5)
    snapshot = snapshot_of(desk, repository)
    assert (snapshot.commit, snapshot.evidence.level) == (
        repository.commits["odd"],
        EvidenceLevel.OWN_SNAPSHOT,
    )


def test_a_replacement_on_the_server_changes_neither_date_nor_parents(repository, desk):
    repository.commit("c1", T - DAY)
    repository.commit("late", T + HOUR, ["c1"])
    repository.commit("forged", T - HOUR)
    repository.git("replace", repository.commits["late"], repository.commits["forged"])
    repository.point("main", "late")
    assert snapshot_of(desk, repository).commit == repository.commits["c1"]


@pytest.mark.parametrize("kind", ["lightweight", "annotated"])
def test_a_tag_called_as_the_branch_is_not_the_branch(repository, desk, kind):
    repository.commit("c1", T - DAY)
    repository.commit("tagged", T - HOUR, ["c1"])
    options = ["-a", "-m", "m"] if kind == "annotated" else []
    repository.point("main", "c1")
    for name in ("main", "heads/main", "HEAD"):
        repository.git("tag", *options, name, repository.commits["tagged"])
    assert snapshot_of(desk, repository).commit == repository.commits["c1"]


NAMES = (
    "HEAD",
    "--output=x",
    "--upload-pack=touch",
    "-",
    "refs/heads/main",
    "heads/main",
    "!unreachable",
    "été",
    "main\u202e",
    "\u00a0",
    "<script>alert(1)</script>",
    "%s",
    '"',
    "a$(touch${IFS}pwned)",
    "0000000000000000000000000000000000000000",
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_default_branch_of_any_name_is_the_branch_that_counts(repository, desk, tmp_path, name):
    ref = f"refs/heads/{name}"
    repository.commit("other", T - DAY)
    repository.commit("c1", T - HOUR)
    raw(repository, {"refs/heads/main": "other", ref: "c1"})
    (repository.folder / "HEAD").write_text(f"ref: {ref}\n")
    snapshot = snapshot_of(desk, repository)
    assert (snapshot.commit, snapshot.evidence.ref) == (repository.commits["c1"], ref)
    assert "\u202e" not in snapshot.evidence.explanation
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_branch_of_any_name_that_the_course_names_is_the_branch_that_counts(repository, tmp_path, name):
    repository.commit("other", T - DAY)
    repository.commit("c1", T - HOUR)
    raw(repository, {"refs/heads/main": "other", f"refs/heads/{name}": "c1"})
    snapshot = snapshot_of(Desk(tmp_path, course(branch=name)), repository)
    assert snapshot.commit == repository.commits["c1"]


IMPOSSIBLE = (
    "refs/heads/a b",
    "refs/heads/--upload-pack=touch x",
    "refs/heads/\x1b[31m",
)


@pytest.mark.parametrize("ref", IMPOSSIBLE, ids=ascii)
def test_a_branch_with_a_name_that_git_does_not_allow_hides_no_other(repository, desk, tmp_path, ref):
    repository.commit("c1", T - DAY)
    repository.commit("c2", T - HOUR, ["c1"])
    raw(repository, {"refs/heads/main": "c1", ref: "c2"})
    snapshot = snapshot_of(desk, repository)
    assert (snapshot.commit, snapshot.evidence.flags) == (repository.commits["c1"], ())
    assert not list(tmp_path.rglob("x"))


def raw(repository, branches):
    """Branches as they stand in the server's own file, which no check of a name goes before."""
    lines = sorted(f"{repository.commits[commit]} {ref}\n" for ref, commit in branches.items())
    header = "# pack-refs with: peeled fully-peeled \n"
    (repository.folder / "packed-refs").write_text(header + "".join(lines))


def test_an_hour_that_happens_twice_ends_with_the_second_one_and_both_ways_of_saying_it_are_kept(
    repository, desk
):
    second = 1_730_615_460
    repository.commit("first", second - HOUR - 1)
    repository.commit("between", second - 1, ["first"])
    repository.commit("late", second, ["between"])
    repository.point("main", "late")
    desk.clock.now = second + DAY
    snapshot = snapshot_of(desk, repository, assignment(deadline=TORONTO_FALLS_BACK))
    assert repository.name_of(snapshot.commit) == "between"
    assert snapshot.evidence.deadline == second
    assert snapshot.evidence.deadline_text == "2024-11-03 01:30:59 (UTC-0500) America/Toronto"


def test_an_extension_by_two_days_of_the_wall_clock_is_an_hour_longer_when_clocks_go_back(repository, desk):
    who = team(repository.url, extensions=(extension("2024-11-03 23:59"),))
    study = desk.collector.study(who, assignment(deadline="2024-11-01 23:59"))
    usual = desk.collector.study(team(repository.url), assignment(deadline="2024-11-01 23:59"))
    assert study.deadline.first_late - usual.deadline.first_late == 49 * HOUR


def test_the_forges_signature_on_a_commit_counts_once_its_key_is_installed(repository, desk):
    repository.commit("c1", T - 5 * DAY)
    repository.commit("ahead", T + 2 * DAY, ["c1"])
    key = HandMade()
    sign(repository, "web", T - HOUR, ["ahead"], key)
    repository.point("main", "web")
    assert repository.name_of(snapshot_of(desk, repository).commit) == "c1"
    desk.keys.mkdir()
    (desk.keys / "forge.asc").write_bytes(armored(key.certificate(), "PUBLIC KEY BLOCK"))
    snapshot = snapshot_of(desk, repository)
    assert repository.name_of(snapshot.commit) == "web"
    assert (snapshot.evidence.decision, snapshot.evidence.level) == (
        Decision.CONFIRMED,
        EvidenceLevel.FORGE_SIGNATURE,
    )
    assert "the forge's signature shows commit" in snapshot.evidence.explanation


def sign(repository, name, time, parents, key):
    """A commit with a readable date that a forge signed at a time of its own."""
    repository.commit(name, time, parents)
    raw_commit = repository.git("cat-file", "commit", repository.commits[name]).encode() + b"\n"
    signature = packet(2, key.signature(raw_commit, [time_at(time), key.issuer]))
    repository.commits[name] = repository.git(
        "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed_commit(raw_commit, armored(signature))
    )
