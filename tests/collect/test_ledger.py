import subprocess
import threading

import pytest

from grader.collect.ledger import NO_ROUND, Ledger, Line
from grader.errors import StoreError

COMMIT = "a" * 40

VERIFY = """
p=0000000000000000000000000000000000000000000000000000000000000000
for f in ./*.txt; do
  [ "$(sed -n 2p "$f")" = "prev $p" ] || { echo "BROKEN $f"; exit 1; }
  p=$(sha256sum < "$f" | cut -d' ' -f1)
done; echo "$p"
"""
"""The five lines of docs/deadlines.md."""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger"


@pytest.fixture
def ledger(folder):
    ledger = Ledger(folder)
    for number in (1, 2, 3):
        lines = [
            Line("team01", "HEAD", "refs/heads/main", 100 * number + 1),
            Line("team01", "refs/heads/main", COMMIT, 100 * number + 1),
            Line("team02", "!unreachable", "-", 100 * number + 2),
        ]
        ledger.append(lines, time=100 * number, version="0.1.0")
    return ledger


def edit(folder, number, old, new):
    page = folder / f"{number:06d}.txt"
    page.chmod(0o644)
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new))


def test_rounds_are_read_back_as_they_were_written(ledger):
    first, *_ = ledger.rounds()
    assert (first.number, first.time) == (1, 100)
    assert first.of("team02") == (Line("team02", "!unreachable", "-", 102),)
    assert len(ledger.rounds()) == 3


def test_a_page_is_readable_by_people(ledger, folder):
    assert (folder / "000001.txt").read_text() == (
        "round 1 time 100 1970-01-01T00:01:40Z grader 0.1.0\n"
        f"prev {NO_ROUND}\n"
        "team01 HEAD refs/heads/main 101\n"
        f"team01 refs/heads/main {COMMIT} 101\n"
        "team02 !unreachable - 102\n"
    )


def test_anybody_can_verify_the_chain_with_a_few_lines_of_shell(ledger, folder):
    done = subprocess.run(["/bin/sh", "-c", VERIFY], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ledger.verify()


def test_an_empty_ledger_is_whole(tmp_path):
    assert Ledger(tmp_path / "none").verify() == NO_ROUND


def test_an_edited_page_is_found_by_the_next_one(ledger, folder):
    edit(folder, 2, COMMIT, "b" * 40)
    with pytest.raises(StoreError, match=r"000003\.txt: does not follow the round before it"):
        ledger.verify()


def test_a_removed_page_is_found(ledger, folder):
    (folder / "000002.txt").unlink()
    with pytest.raises(StoreError, match=r"000003\.txt: expected round 2"):
        ledger.verify()


def test_a_renamed_page_is_found(ledger, folder):
    (folder / "000003.txt").rename(folder / "000004.txt")
    with pytest.raises(StoreError, match=r"000004\.txt: expected round 3"):
        ledger.verify()


def test_swapped_pages_are_found(ledger, folder):
    first, second = folder / "000001.txt", folder / "000002.txt"
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    with pytest.raises(StoreError, match=r"000001\.txt: expected round 1"):
        ledger.verify()


def test_an_edit_of_the_last_page_changes_the_head_that_was_posted(ledger, folder):
    posted = ledger.verify()
    edit(folder, 3, COMMIT, "b" * 40)
    (folder / "rounds.sha256").unlink()
    assert ledger.verify() != posted


def test_an_edit_of_the_last_page_is_found_by_the_hash_that_was_noted_beside_it(ledger, folder):
    edit(folder, 3, COMMIT, "b" * 40)
    for reading in (ledger.verify, ledger.rounds):
        with pytest.raises(StoreError, match=r"000003\.txt: is not what rounds\.sha256 says was written"):
            reading()


def test_a_page_that_was_cut_off_at_the_end_is_found_by_the_hash_that_was_noted(ledger, folder):
    (folder / "000003.txt").unlink()
    with pytest.raises(StoreError, match=r"000003\.txt: missing, though rounds\.sha256 names it"):
        ledger.verify()


@pytest.mark.parametrize(
    "damage", [lambda noted: noted[:-1], lambda noted: noted + b"x", lambda noted: b"\n" + noted]
)
def test_damage_to_the_noted_hashes_is_said(ledger, folder, damage):
    sums = folder / "rounds.sha256"
    sums.write_bytes(damage(sums.read_bytes()))
    with pytest.raises(StoreError, match=r"rounds\.sha256: line \d: expected the sha256 and the name of"):
        ledger.verify()


def test_the_noted_hashes_are_read_by_sha256sum(ledger, folder):
    done = subprocess.run(
        ["sha256sum", "-c", "rounds.sha256"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "000001.txt: OK\n000002.txt: OK\n000003.txt: OK\n"


def test_a_ledger_of_before_hashes_were_noted_goes_on_and_then_has_them_all(ledger, folder):
    (folder / "rounds.sha256").unlink()
    ledger.verify()
    ledger.append([Line("t", "HEAD", "-", 1)], time=1, version="0.1.0")
    assert len((folder / "rounds.sha256").read_text().splitlines()) == 4


def test_a_run_that_was_stopped_before_it_noted_the_hash_costs_nothing(ledger, folder):
    sums = folder / "rounds.sha256"
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:2]))
    assert len(ledger.rounds()) == 3
    ledger.append([Line("t", "HEAD", "-", 1)], time=1, version="0.1.0")
    assert len(sums.read_text().splitlines()) == 4


@pytest.mark.parametrize("damage", ["team01 HEAD\n", "no newline at the end", "a b c d e\n", "a b c x\n"])
def test_a_line_that_says_nothing_is_damage(ledger, folder, damage):
    edit(folder, 3, "team02 !unreachable - 302\n", damage)
    with pytest.raises(StoreError, match=r"000003\.txt: a line is not 'team name value time'"):
        ledger.verify()


def test_nothing_is_added_to_a_broken_chain(ledger, folder):
    edit(folder, 1, COMMIT, "b" * 40)
    with pytest.raises(StoreError):
        ledger.append([Line("t", "HEAD", "-", 1)], time=1, version="0.1.0")
    assert not (folder / "000004.txt").exists()


def test_a_folder_in_the_place_of_a_round_is_damage_and_no_crash(ledger, folder):
    (folder / "000004.txt").mkdir()
    with pytest.raises(StoreError, match=r"000004\.txt: .*plain file"):
        ledger.verify()


def test_a_round_that_somebody_else_has_just_written_is_not_overwritten(ledger, folder, monkeypatch):
    stale = ledger._hashes()
    ledger.append([Line("theirs", "HEAD", "-", 1)], time=1, version="0.1.0")
    monkeypatch.setattr(Ledger, "_hashes", lambda _: stale)
    with pytest.raises(StoreError, match="another run has just written this round"):
        ledger.append([Line("ours", "HEAD", "-", 1)], time=1, version="0.1.0")
    assert "theirs" in (folder / "000004.txt").read_text()
    assert len(list(folder.iterdir())) == 5


def test_branch_names_with_odd_characters_keep_their_lines_apart(folder):
    odd = Line("team01", "refs/heads/\u2028é\u00a0x", COMMIT, 1)
    ledger = Ledger(folder)
    ledger.append([odd], time=1, version="0.1.0")
    assert ledger.rounds()[0].lines == (odd,)


def test_those_who_look_at_once_wait_for_each_other(ledger, folder):
    began, ended = threading.Event(), []

    def second():
        began.set()
        with Ledger(folder).in_turn():
            ended.append("second")

    with ledger.in_turn():
        waiting = threading.Thread(target=second)
        waiting.start()
        began.wait(5)
        waiting.join(0.1)
        ended.append("first")
    waiting.join(5)
    assert ended == ["first", "second"]


def test_the_lines_about_our_clock_belong_to_no_team_and_break_no_chain(ledger, folder):
    ledger.append([Line("@clock", "github.com", "+0.5+-1.0", 400)], time=400, version="0.1.0")
    done = subprocess.run(["/bin/sh", "-c", VERIFY], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ledger.verify()
    assert ledger.rounds()[-1].of("team01") == ()
