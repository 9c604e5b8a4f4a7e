"""`grader audit verify` on state folders and exported folders that somebody was at."""

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from grader.audit.verify import verify
from grader.collect.ledger import Ledger, Line
from tests.audit.evidence import broken_rounds, copied, grader, verified
from tests.collect.lab import MAIN


@pytest.fixture
def state(evidence, tmp_path):
    """A copy of the state folder, to be spoilt."""
    return copied(evidence.state, tmp_path / "state")


def texts(found):
    return [finding["text"] for finding in found["findings"]]


def edit(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def tip(evidence, team, name):
    return evidence.server.repositories[team].commits[name]


def test_a_state_folder_that_nobody_touched_holds(evidence):
    code, found = verified(evidence.state)
    assert (code, found["findings"], found["rounds"], found["repositories"]) == (0, [], 6, 3)
    assert found["head"] == Ledger(evidence.state / "ledger").verify()
    assert found["tips"] == 3 + 3 + 1


def test_the_course_s_own_state_folder_is_verified_without_naming_it(evidence):
    done = grader("audit", "verify", "--course", evidence.root)
    assert (done.exit_code, "6 rounds, head " in done.stdout) == (0, True)


def test_a_state_folder_is_verified_by_its_relative_name_too(state, monkeypatch):
    monkeypatch.chdir(state.parent)
    code, found = verified("state")
    assert (code, found["findings"]) == (0, [])


def test_an_archive_is_to_be_unpacked_first(tmp_path):
    archive = tmp_path / "case.zip"
    archive.write_bytes(b"PK")
    done = grader("audit", "verify", archive)
    assert (done.exit_code, "unpack it" in done.stderr) == (2, True)


def test_what_is_proven_and_what_is_not_is_said_in_words(evidence):
    done = grader("audit", "verify", evidence.state)
    proven, _, open_ = done.stdout.partition("It does not prove:")
    assert "rounds 1 to 6 follow one another" in proven
    assert "every commit that was seen is still here" in proven
    assert "no rounds were cut off at the end or all written anew" in open_
    assert "when a commit was made" in open_


def test_without_noted_hashes_an_old_ledger_holds_and_less_is_proven(evidence, state):
    (state / "ledger" / "rounds.sha256").unlink()
    code, found = verified(state)
    assert (code, found["findings"]) == (0, [])
    assert found["proves"][0].startswith("rounds 1 to 5 follow one another")


@pytest.mark.parametrize("number", [1, 4, 6])
def test_an_edited_round_ends_with_exit_code_3_and_its_number(evidence, state, number):
    edit(state / "ledger" / f"{number:06d}.txt", b"linear refs/heads/main ", b"linear refs/heads/mine ")
    code, found = verified(state)
    assert (code, broken_rounds(found)) == (3, {number})
    assert f"BROKEN round {number}: 00000{number}.txt was changed" in grader("audit", "verify", state).stdout


def test_a_damaged_ledger_proves_only_what_stands_before_the_damage(evidence, state):
    edit(state / "ledger" / "000004.txt", b"linear", b"lineal")
    _, found = verified(state)
    assert [text[:15] for text in found["proves"]] == ["rounds 1 to 3 f"]


def test_rounds_whose_lines_say_nothing_are_found_where_no_hash_was_noted(evidence, state):
    (state / "ledger" / "rounds.sha256").unlink()
    edit(state / "ledger" / "000006.txt", b"linear HEAD ", b"linear  HEAD ")
    code, found = verified(state)
    assert (code, broken_rounds(found)) == (3, {6})


def test_a_posted_hash_says_at_which_round_it_was_the_head(evidence):
    posted = Ledger(evidence.state / "ledger").rounds()[3].sha256
    done = grader("audit", "verify", evidence.state, "--head", posted.upper())
    assert done.exit_code == 0
    assert f"the posted hash {posted} was the head when round 4 was the last" in done.stdout
    assert "rounds 1 to 4 were not written anew either" in done.stdout
    assert "no rounds after round 4 were cut off" in done.stdout


def test_a_posted_hash_that_no_round_has_is_a_failure(evidence):
    done = grader("audit", "verify", evidence.state, "--head", "ab" * 32)
    assert (done.exit_code, "BROKEN no round has the hash that was posted" in done.stdout) == (3, True)


def test_a_ledger_that_was_written_anew_is_found_only_by_the_posted_hash(evidence, state):
    rounds = Ledger(evidence.state / "ledger").rounds()
    shutil.rmtree(state / "ledger")
    for one in rounds:
        lines = [line for line in one.lines if line.team != "amended"]
        Ledger(state / "ledger").append(lines, time=one.time, version="0.4.0")
    assert verified(state)[0] == 0
    assert verified(state, "--head", rounds[3].sha256)[0] == 3


def test_what_is_no_hash_is_wrong_use(evidence):
    assert grader("audit", "verify", evidence.state, "--head", "abc").exit_code == 2


def test_a_folder_without_a_ledger_is_said(tmp_path):
    done = grader("audit", "verify", tmp_path)
    assert (done.exit_code, "holds no folder 'ledger'" in done.output) == (4, True)


def test_a_mirror_that_is_gone_is_found(evidence, state):
    shutil.rmtree(state / "mirrors" / "linear.git")
    code, found = verified(state)
    assert (code, texts(found)) == (3, ["its mirror is gone, though the ledger names commits of it"])


def git(repository, *words):
    subprocess.run(["git", f"--git-dir={repository}", *words], check=True, capture_output=True)


def test_a_tip_that_nothing_keeps_any_more_is_for_a_person_to_look_at(evidence, state):
    lost = tip(evidence, "amended", "c2")
    git(state / "mirrors" / "amended.git", "update-ref", "-d", f"refs/seen/{lost}")
    code, found = verified(state)
    assert (code, texts(found)) == (1, [f"commit {lost} is there, but nothing keeps it any more"])


def test_a_tip_of_the_default_branch_that_is_gone_names_its_round(evidence, state):
    mirror, lost = state / "mirrors" / "amended.git", tip(evidence, "amended", "c2")
    git(mirror, "update-ref", "-d", f"refs/seen/{lost}")
    for mark in (mirror / "objects" / "pack").glob("*.promisor"):
        mark.unlink()  # git drops nothing from a pack that it could not fetch again
    git(mirror, "repack", "-adq")
    git(mirror, "prune", "--expire=now")
    code, found = verified(state)
    assert (code, broken_rounds(found)) == (3, {3})
    assert texts(found) == [f"commit {lost}, the tip of the default branch in this round, is gone"]


def test_a_reference_that_was_moved_is_found(evidence, state):
    first, second = (tip(evidence, "amended", name) for name in ("c1", "c2"))
    git(state / "mirrors" / "amended.git", "update-ref", f"refs/seen/{second}", first)
    code, found = verified(state)
    assert (code, f"'refs/seen/{second}' points to another commit" in texts(found)) == (3, True)


def test_an_object_that_was_altered_on_disk_is_found(evidence, state):
    mirror = state / "mirrors" / "linear.git"
    for pack in list((mirror / "objects" / "pack").glob("*.pack")):
        moved = shutil.move(pack, state / pack.name)
        for rest in (mirror / "objects" / "pack").glob(f"{pack.stem}.*"):
            rest.unlink()
        with Path(moved).open("rb") as content:
            subprocess.run(["git", f"--git-dir={mirror}", "unpack-objects", "-q"], stdin=content, check=True)
    commit = tip(evidence, "linear", "c2")
    loose = mirror / "objects" / commit[:2] / commit[2:]
    raw = zlib.decompress(loose.read_bytes())
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(raw.replace(b"s <s@x>", b"t <s@x>")))
    code, found = verified(state)
    assert (code, {finding["team"] for finding in found["findings"]}) == (3, {"linear"})
    assert any("what was kept is damaged" in text for text in texts(found))


def test_a_pack_of_which_one_byte_was_changed_is_found(evidence, state):
    pack = next((state / "mirrors" / "linear.git" / "objects" / "pack").glob("*.pack"))
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)
    assert verified(state)[0] == 3


def test_commits_of_side_branches_that_were_never_fetched_are_for_a_person_to_look_at(evidence, state):
    ledger, unknown = Ledger(state / "ledger"), "ab" * 20
    lines = [*ledger.rounds()[-1].lines]
    main = next(line for line in lines if (line.team, line.name) == ("linear", MAIN))
    side = type(main)("linear", "refs/heads/side", unknown, main.time)
    ledger.append([*lines, side], time=main.time, version="0.4.0")
    code, found = verified(state)
    assert (code, found["findings"][0]["round"]) == (1, 7)
    assert "never fetched, or gone" in texts(found)[0]


def test_lines_that_name_a_team_like_a_path_lead_nowhere(evidence, state):
    ledger = Ledger(state / "ledger")
    line = type(ledger.rounds()[0].lines[0])("../../x", MAIN, "ab" * 20, 1)
    ledger.append([line], time=1, version="0.4.0")
    assert verified(state)[0] == 0


def test_whichever_byte_of_a_round_is_changed_on_disk_its_number_is_named(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    for number in range(1, 7):
        ledger.append([Line("t1", "HEAD", "-", number)], time=number, version="0.4.0")
    tried = 0
    for page in sorted((tmp_path / "ledger").glob("0*.txt")):
        page.chmod(0o644)
        content = page.read_bytes()
        for place in range(len(content)):
            page.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            named = {finding.round for finding in verify(tmp_path).findings if finding.kind == "broken"}
            assert named == {int(page.stem)}, (page.name, place)
            tried += 1
        page.write_bytes(content)
    assert (tried > 700, verify(tmp_path).findings) == (True, ())
