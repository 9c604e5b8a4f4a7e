"""`grader audit export`, and what a committee finds with `verify.sh` alone: in good folders and in spoilt ones."""

import json
import os
import shutil
import subprocess
import zipfile

import pytest

from grader.collect.ledger import Ledger
from tests.audit.evidence import broken_rounds, copied, grader, verified
from tests.collect.lab import Repository, T

SHELLS = {"sh": ["/bin/sh"], "dash": ["dash"], "busybox": ["busybox", "sh"]}


@pytest.fixture
def case(exported, tmp_path):
    """A copy of the exported folder, to be spoilt."""
    return copied(exported, tmp_path / "case")


def run_script(folder, *words, shell="sh", path=os.environ["PATH"]):
    """Exit code and output of `verify.sh`, run from somewhere else, as a committee would."""
    done = subprocess.run(
        [*SHELLS[shell], str(folder / "verify.sh"), *words],
        cwd="/",
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def edit(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def forgive(folder):
    """What somebody does who changes files and is not stopped by a list of hashes beside them."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    listed = subprocess.run(
        ["sha256sum", *(name for name in names if name != "SHA256SUMS")],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    (folder / "SHA256SUMS").write_bytes(listed.stdout)


def test_everything_that_a_decision_rests_on_is_there(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        "README.txt",
        "SHA256SUMS",
        "anchors",
        "audit",
        "bundles",
        "decisions.txt",
        "forge_keys",
        "ledger",
        "push_records",
        "verify.sh",
    ]
    assert [path.name for path in sorted((exported / "bundles").iterdir())] == [
        "a.large.bundle",
        "a.large.left-out.txt",
        "amended.bundle",
        "linear.bundle",
    ]


def test_decisions_are_listed_with_the_commits_and_their_dates(exported, evidence):
    counted = evidence.server.repositories["linear"].commits["c2"]
    lines = (exported / "decisions.txt").read_text().splitlines()
    assert f"linear {counted} {T - 2 * 3600} CONFIRMED B" in lines
    assert len(lines) == 4


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_the_script_finds_nothing_wrong_with_a_good_folder(exported, shell):
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is not installed")
    head = Ledger(exported / "ledger").verify()
    code, said = run_script(exported, shell=shell)
    assert (code, said.splitlines()[-1]) == (0, "all of it holds")
    assert f"rounds: 6, head {head}; bundles: 3" in said


def test_the_grader_finds_nothing_wrong_with_a_good_folder(exported):
    code, found = verified(exported)
    assert (code, found["findings"], found["place"], found["repositories"]) == (0, [], "exported folder", 3)


def test_the_script_says_at_which_round_a_posted_hash_was_the_head(exported):
    posted = Ledger(exported / "ledger").rounds()[2].sha256
    code, said = run_script(exported, posted)
    assert (code, "the posted hash was the head at round 3" in said) == (0, True)


def test_the_script_fails_for_a_posted_hash_that_no_round_has(exported):
    code, said = run_script(exported, "ab" * 32)
    assert (code, f"BROKEN no round has the posted hash {'ab' * 32}" in said) == (3, True)


@pytest.mark.parametrize("number", [1, 3, 6])
def test_script_and_grader_name_an_edited_round(case, number):
    edit(case / "ledger" / f"00000{number}.txt", b"linear HEAD", b"lineal HEAD")
    forgive(case)
    code, said = run_script(case)
    assert (code, f"BROKEN round {number}: differs from rounds.sha256" in said) == (3, True)
    code, found = verified(case)
    assert (code, broken_rounds(found)) == (3, {number})


def test_script_and_grader_name_a_round_that_was_removed(case):
    (case / "ledger" / "000004.txt").unlink()
    forgive(case)
    code, said = run_script(case)
    assert (code, "BROKEN round 4: expected 000004.txt, found ledger/000005.txt" in said) == (3, True)
    assert 4 in broken_rounds(verified(case)[1])


def test_script_and_grader_see_rounds_cut_off_at_the_end(case):
    (case / "ledger" / "000006.txt").unlink()
    forgive(case)
    code, said = run_script(case)
    assert (code, "BROKEN round 6: missing; rounds were cut off at the end" in said) == (3, True)
    assert broken_rounds(verified(case)[1]) == {6}


def test_script_and_grader_name_the_file_that_is_not_the_one_exported(case):
    edit(case / "audit" / "t1_toy.json", b"linear", b"lineal")
    code, said = run_script(case)
    assert (code, "audit/t1_toy.json: FAILED" in said) == (3, True)
    code, found = verified(case)
    assert (code, [one["text"] for one in found["findings"]]) == (
        3,
        ["'audit/t1_toy.json' is not the file that was exported"],
    )


@pytest.mark.parametrize("team", ["a.large", "linear"])
def test_script_and_grader_name_a_bundle_of_which_one_byte_was_changed(case, team):
    path = case / "bundles" / f"{team}.bundle"
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(content)
    forgive(case)
    code, said = run_script(case)
    assert (code, f"BROKEN bundle of {team}: " in said) == (3, True)
    code, found = verified(case)
    assert (code, {one["team"] for one in found["findings"]}) == (3, {team})


def test_script_and_grader_name_a_commit_that_the_bundle_lacks(case, evidence, tmp_path):
    lost = evidence.server.repositories["linear"].commits["c2"]
    stranger = Repository(tmp_path / "stranger.git")
    stranger.commit("other", T)
    stranger.point("main", "other")
    stranger.git("bundle", "create", "--quiet", str(case / "bundles" / "linear.bundle"), "main")
    forgive(case)
    code, said = run_script(case)
    assert (code, f"linear: commit {lost}, seen in ledger/00000" in said) == (3, True)
    assert f"linear: CONFIRMED: {lost} is not in its bundle" in said
    code, found = verified(case)
    assert (code, {one["team"] for one in found["findings"]}) == (3, {"linear"})


def test_script_and_grader_name_a_commit_that_is_dated_otherwise_than_stated(case, evidence):
    commit = evidence.server.repositories["linear"].commits["c2"]
    edit(case / "decisions.txt", f"{commit} {T - 2 * 3600}".encode(), f"{commit} {T - 3 * 3600}".encode())
    forgive(case)
    code, said = run_script(case)
    assert (code, f"linear: {commit} is dated '{T - 2 * 3600}', not '{T - 3 * 3600}'" in said) == (3, True)
    assert verified(case)[0] == 3


@pytest.mark.parametrize("line", ["linear --output=/tmp/x 1 CONFIRMED B", "linear ../../etc/passwd 1 C B"])
def test_a_line_of_the_decisions_that_names_no_commit_is_refused(case, line):
    (case / "decisions.txt").write_text(f"{line}\n")
    forgive(case)
    code, said = run_script(case)
    assert (code, "BROKEN decisions.txt: linear: no commit" in said) == (3, True)
    assert verified(case)[0] == 3


@pytest.mark.parametrize("name", ["a'$(touch here)'", "linear\ne touch here", "a b", "*"])
def test_a_bundle_with_a_name_that_no_team_can_have_runs_nothing(case, name):
    shutil.copy(case / "bundles" / "linear.bundle", case / "bundles" / f"{name}.bundle")
    code, said = run_script(case)
    assert (code, "BROKEN bundles/: a name that no team can have" in said) == (3, True)
    assert not (case / "here").exists()
    assert verified(case)[0] == 3


@pytest.mark.parametrize(
    "name", ["decisions.txt", "SHA256SUMS", "bundles/linear.bundle", "ledger/000002.txt"]
)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_a_link_in_the_place_of_a_file_is_refused_and_not_read(case, tmp_path, name, kind):
    away = (case / name).rename(tmp_path / "away")
    os.mkfifo(case / name) if kind == "pipe" else (case / name).symlink_to(away)
    code, said = run_script(case)
    assert (code, f"BROKEN no plain files, so nothing was checked: ./{name}" in said) == (3, True)
    code, found = verified(case)
    assert (code, name in found["findings"][0]["text"], found["proves"]) == (3, True, [])


@pytest.mark.parametrize("name", ["0\x1b[31m.txt", "000000\\033[31m.txt"])
def test_no_name_in_a_folder_reaches_the_terminal_as_a_command(case, name):
    (case / "ledger" / name).write_text("x")
    forgive(case)
    for code, said in (run_script(case), (verified(case)[0], grader("audit", "verify", case).output)):
        assert (code, "\x1b" in said) == (3, False)


def test_a_decision_about_a_commit_that_no_bundle_shows_is_found(case):
    (case / "bundles" / "linear.bundle").unlink()
    forgive(case)
    code, said = run_script(case)
    assert (code, "no bundle of linear" in said) == (3, True)
    code, found = verified(case)
    assert (code, [one["team"] for one in found["findings"]]) == (3, ["linear"])


def test_a_commit_that_is_said_to_be_lost_is_told_and_one_that_is_there_is_not_lost(case, evidence):
    there = evidence.server.repositories["linear"].commits["c2"]
    edit(
        case / "decisions.txt",
        f"linear {there} {T - 2 * 3600}".encode(),
        b"linear " + b"a" * 40 + b" missing",
    )
    forgive(case)
    assert "LOOK linear: decisions.txt names commit aaaa" in run_script(case)[1]
    assert verified(case)[0] == 1
    edit(case / "decisions.txt", b"a" * 40, there.encode())
    forgive(case)
    assert run_script(case)[0] == 3
    assert verified(case)[0] == 3


def test_the_script_works_where_temporary_files_lie_in_a_folder_with_a_space(exported, tmp_path):
    scratch = tmp_path / "a b"
    scratch.mkdir()
    done = subprocess.run(
        ["sh", str(exported / "verify.sh")],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all of it holds")


def test_a_file_that_is_missing_without_having_been_left_out_is_found(case):
    (case / "bundles" / "a.large.left-out.txt").unlink()
    forgive(case)
    code, said = run_script(case)
    assert (code, "BROKEN bundle of a.large: objects are missing" in said) == (3, True)
    assert verified(case)[0] == 1


def test_the_script_needs_nothing_but_common_tools_and_git(exported, tmp_path):
    tools = "sh sha256sum git cut sed sort comm grep head wc printf dirname basename mktemp rm cat tr find"
    for tool in tools.split():
        (tmp_path / tool).symlink_to(shutil.which(tool))
    assert run_script(exported, path=str(tmp_path))[0] == 0


def test_the_files_of_a_large_team_can_be_unpacked_and_read(exported, evidence, tmp_path):
    big = evidence.server.repositories["a.large"].commits["big"]
    look = ["git", f"--git-dir={tmp_path / 'look.git'}"]
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "look.git")], check=True)
    bundle = str(exported / "bundles" / "a.large.bundle")
    subprocess.run([*look, "bundle", "unbundle", bundle], check=True, capture_output=True)
    shown = subprocess.run([*look, "show", f"{big}:t1/counting.py"], check=True, capture_output=True)
    assert shown.stdout == b"x = 1\n"


def test_a_bundle_of_a_team_without_large_files_is_as_git_makes_them(exported):
    bundle = str(exported / "bundles" / "linear.bundle")
    done = subprocess.run(["git", "bundle", "list-heads", bundle], check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 3
    assert (exported / "bundles" / "linear.bundle").read_bytes().startswith(b"# v2 git bundle\n")


def test_the_same_evidence_gives_the_same_bundles(exported, evidence, tmp_path):
    again = tmp_path / "again"
    done = grader("audit", "export", "t1", again, "--course", evidence.root)
    assert done.exit_code == 0, done.output
    for name in ("ledger/rounds.sha256", "decisions.txt", "bundles/a.large.bundle", "bundles/linear.bundle"):
        assert (again / name).read_bytes() == (exported / name).read_bytes()


def test_a_committee_about_one_team_gets_the_commits_of_that_team_only(evidence, tmp_path):
    place = tmp_path / "one"
    done = grader("audit", "export", "t1", place, "--team", "linear", "--course", evidence.root)
    assert done.exit_code == 0
    assert [path.name for path in (place / "bundles").iterdir()] == ["linear.bundle"]
    assert [line.split(" ")[0] for line in (place / "decisions.txt").read_text().splitlines()] == [
        "#",
        "linear",
    ]
    audit = json.loads((place / "audit" / "t1_toy.json").read_text())
    assert [one["team"] for one in audit["audits"][0]["dossiers"]] == ["linear"]
    assert run_script(place)[0] == 0
    code, found = verified(place)
    assert (code, found["does_not_prove"][-1]) == (
        0,
        "anything about the commits of 2 other teams: they are not in this folder",
    )


def test_a_zip_holds_the_same_and_its_script_can_be_run(exported, evidence, tmp_path):
    archive = tmp_path / "case.zip"
    assert grader("audit", "export", "t1", archive, "--course", evidence.root).exit_code == 0
    with zipfile.ZipFile(archive) as opened:
        names = {entry.filename for entry in opened.infolist()}
        opened.extractall(tmp_path)
        assert opened.getinfo("case/verify.sh").external_attr >> 16 == 0o755
    files = {f"case/{path.relative_to(exported)}" for path in exported.rglob("*") if path.is_file()}
    assert names == files
    assert run_script(tmp_path / "case")[0] == 0


def test_push_records_and_public_keys_go_along_and_private_ones_never(evidence, tmp_path):
    course = copied(evidence.root, tmp_path / "course")
    for folder in ("push_records", "forge_keys"):
        (course / folder).mkdir()
    (course / "push_records" / "linear.json").write_text("[]")
    (course / "push_records" / "stranger.json").write_text("[]")
    key = course / "forge_keys" / "forge.asc"
    key.write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n")
    done = grader("audit", "export", "t1", tmp_path / "case", "--course", course)
    assert (done.exit_code, (tmp_path / "case").exists()) == (3, False)
    assert "forge.asc: holds a private key" in done.output
    key.unlink()
    assert grader("audit", "export", "t1", tmp_path / "case", "--course", course).exit_code == 0
    assert [path.name for path in (tmp_path / "case" / "push_records").iterdir()] == ["linear.json"]


def test_no_path_of_ours_leaves(evidence, exported):
    places = [str(evidence.root).encode(), str(exported).encode()]
    for path in exported.rglob("*"):
        assert path.is_dir() or not any(place in path.read_bytes() for place in places), path


def test_what_is_there_already_is_not_written_over(evidence, exported):
    done = grader("audit", "export", "t1", exported, "--course", evidence.root)
    assert (done.exit_code, "is there already; name a folder or a .zip that is not" in done.output) == (
        3,
        True,
    )


def test_a_damaged_mirror_is_said_with_its_team_and_nothing_is_written(evidence, tmp_path):
    course = copied(evidence.root, tmp_path / "course")
    for pack in (course / ".grader" / "mirrors" / "linear.git" / "objects" / "pack").iterdir():
        pack.unlink()
    done = grader("audit", "export", "t1", tmp_path / "case", "--course", course)
    assert (done.exit_code, (tmp_path / "case").exists()) == (4, False)
    assert "team linear: its mirror is damaged" in done.output


def test_the_words_for_a_committee_say_what_is_proven(exported):
    text = (exported / "README.txt").read_text()
    assert Ledger(exported / "ledger").verify() in text
    assert "is found only against a hash that was kept elsewhere" in text
    assert "$" not in text
