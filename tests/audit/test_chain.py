"""Every byte of a small ledger is changed, taken away and doubled; whoever did it is always found."""

import pytest

from grader.audit.chain import read_chain
from grader.collect.ledger import Ledger, Line
from grader.collect.round_sums import SUMS_FILE, page_name

ROUNDS = 6
COMMIT = "a" * 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    for number in range(1, ROUNDS + 1):
        lines = [Line("t1", "HEAD", "refs/heads/main", number), Line("t1", "refs/heads/main", COMMIT, number)]
        Ledger(folder).append(lines, time=100 * number, version="0.4.0")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def edits(content):
    """Every file that differs from this one by one byte: changed, taken away or put in."""
    for place in range(len(content)):
        before, after = content[:place], content[place + 1 :]
        yield before + bytes([content[place] ^ 1]) + after
        yield before + bytes([content[place] ^ 0x80]) + after
        yield before + after
        yield before + b"\n" + content[place:]
        yield before + b"0" + content[place:]
    yield content + b"\n"
    yield content + b"x"


def broken(files):
    return {finding.round for finding in read_chain(files).findings if finding.kind == "broken"}


def test_a_ledger_that_nobody_touched_has_nothing_wrong_with_it(files):
    chain = read_chain(files)
    assert (chain.findings, sorted(chain.hashes), chain.noted) == ((), [1, 2, 3, 4, 5, 6], True)


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_an_edit_of_any_byte_names_the_round_and_no_other(files, number):
    name = page_name(number)
    different = [edit for edit in edits(files[name]) if edit != files[name]]
    assert len(different) > 4 * len(files[name])
    assert {frozenset(broken(files | {name: edit})) for edit in different} == {frozenset({number})}


def test_an_edit_of_any_byte_of_the_noted_hashes_is_found(files):
    assert all(
        broken(files | {SUMS_FILE: edit}) for edit in edits(files[SUMS_FILE]) if edit != files[SUMS_FILE]
    )


@pytest.mark.parametrize("number", range(1, ROUNDS - 1))
def test_without_noted_hashes_the_chain_still_names_the_round(files, number):
    old = {name: content for name, content in files.items() if name != SUMS_FILE}
    name = page_name(number)
    assert {frozenset(broken(old | {name: edit})) for edit in edits(files[name]) if edit != files[name]} == {
        frozenset({number})
    }


def test_without_noted_hashes_an_edit_before_the_last_round_is_of_one_of_the_two(files):
    old = {name: content for name, content in files.items() if name != SUMS_FILE}
    edited = files[page_name(5)].replace(COMMIT.encode(), b"b" * 40)
    (finding,) = read_chain(old | {page_name(5): edited}).findings
    assert finding.text == "000005.txt was changed after it was written, or the second line of 000006.txt was"


def test_without_noted_hashes_nothing_in_the_ledger_speaks_for_the_last_round(files):
    old = {name: content for name, content in files.items() if name != SUMS_FILE}
    edited = files[page_name(6)].replace(COMMIT.encode(), b"b" * 40)
    chain = read_chain(old | {page_name(6): edited})
    assert (chain.findings, chain.noted) == ((), False)
    assert chain.head != read_chain(old).head


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_round_that_was_removed_is_named(files, number):
    rest = {name: content for name, content in files.items() if name != page_name(number)}
    assert number in broken(rest)


def test_rounds_that_were_cut_off_at_the_end_are_named_by_the_noted_hashes(files):
    rest = {name: content for name, content in files.items() if name not in {page_name(5), page_name(6)}}
    assert broken(rest) == {5, 6}


def test_rounds_that_were_swapped_are_both_named(files):
    swapped = files | {page_name(2): files[page_name(4)], page_name(4): files[page_name(2)]}
    assert broken(swapped) == {2, 4}


def test_a_round_that_was_put_in_is_named(files):
    later = {page_name(number + 1): files[page_name(number)] for number in range(3, ROUNDS + 1)}
    assert 3 in broken(files | later | {page_name(3): files[page_name(2)]})


@pytest.mark.parametrize("name", ["000003a.txt", "3.txt", "0000003.txt", "copy of 000003.txt", "000003.TXT"])
def test_a_round_under_another_name_is_named(files, name):
    rest = {old: content for old, content in files.items() if old != page_name(3)}
    assert broken(files | {name: files[page_name(3)]}) == {3}
    assert 3 in broken(rest | {name: files[page_name(3)]})


def test_a_double_of_a_round_at_the_end_is_named(files):
    assert broken(files | {page_name(7): files[page_name(6)]}) == {7}


def test_a_file_that_is_no_round_is_found(files):
    (finding,) = read_chain(files | {"\x1b[2Jnotes": b"hello"}).findings
    assert (
        str(finding) == "BROKEN '\\x1b[2Jnotes' in the ledger's folder is no round: it was added or renamed"
    )


def test_whoever_edits_a_round_and_its_noted_hash_is_found_by_the_next_round(files):
    edited = files[page_name(3)].replace(COMMIT.encode(), b"b" * 40)
    old, new = (read_chain({page_name(1): content}).hashes[1] for content in (files[page_name(3)], edited))
    sums = files[SUMS_FILE].replace(old.encode(), new.encode())
    assert broken(files | {page_name(3): edited, SUMS_FILE: sums}) == {3}


def test_noted_hashes_that_end_early_are_for_a_person_to_look_at(files):
    short = b"".join(files[SUMS_FILE].splitlines(keepends=True)[:5])
    (finding,) = read_chain(files | {SUMS_FILE: short}).findings
    assert (finding.kind, finding.round) == ("look", 6)


def test_an_empty_ledger_is_whole():
    assert read_chain({}).findings == ()
