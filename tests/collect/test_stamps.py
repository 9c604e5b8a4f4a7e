"""Raw commit objects in, who and when out; nothing that a student writes is too strange to be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.collect.objects import parse_commit
from grader.collect.stamps import TEXT_LIMIT, Person, parse_stamp

TREE = b"tree " + b"a" * 40
ANN = b"Ann <ann@x.org> 1727800000 -0400"
BEN = b"Ben <ben@x.org> 1727800060 +0200"


def raw(*headers: bytes, message: bytes = b"first line\n\nbody\n") -> bytes:
    return b"\n".join([TREE, *headers]) + b"\n\n" + message


def test_a_commit_says_who_wrote_and_who_committed_it_when_and_in_which_zone() -> None:
    commit = parse_commit("c", raw(b"author " + ANN, b"committer " + BEN))
    assert (commit.author, commit.authored) == (Person("Ann", "ann@x.org"), 1727800000)
    assert (commit.committer, commit.committed) == (Person("Ben", "ben@x.org"), 1727800060)
    assert (commit.authored_offset_minutes, commit.committed_offset_minutes) == (-240, 120)
    assert (commit.subject, commit.has_signature) == ("first line", False)


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        (b"-0400", -240),
        (b"+1400", 840),
        (b"+0545", 345),
        (b"-0000", 0),
        (b"+9999", None),
        (b"+1500", None),
        (b"+0260", None),
        (b"0400", None),
        (b"EST", None),
        ("+٠٤٠٠".encode(), None),
    ],
)
def test_an_offset_that_no_zone_has_is_none(written: bytes, minutes: int | None) -> None:
    assert parse_stamp(b"s <s@x> 1727800000 " + written).offset_minutes == minutes


@pytest.mark.parametrize(
    "value", [b"", b"s", b"s <s@x>", b"s <s@x> ", b"<>", b"s <s@x> now -0400", b"s <s@x> 0"]
)
def test_a_line_without_a_readable_date_has_none(value: bytes) -> None:
    assert parse_stamp(value).time is None


def test_a_name_full_of_brackets_cannot_move_the_date() -> None:
    stamp = parse_stamp(b"a <x> 1111111111 +0000 <b> 1727800000 -0400")
    assert (stamp.person, stamp.time, stamp.offset_minutes) == (Person("a", "x"), 1727800000, -240)


def test_a_name_or_subject_of_a_megabyte_is_cut() -> None:
    long = b"n" * 1_000_000
    commit = parse_commit("c", raw(b"author " + long + b" <" + long + b"> 5 +0000", message=long))
    for text in (commit.author.name, commit.author.email, commit.subject):
        assert len(text) == TEXT_LIMIT
        assert text.endswith("…")
    assert commit.authored == 5


def test_bytes_that_are_no_text_become_question_marks_and_never_an_error() -> None:
    commit = parse_commit("c", raw(b"author \xff\x00\xfe <\xff> 5 +0000", message=b"\xff\x1b[31m\n"))
    assert commit.author.name == "\ufffd\0\ufffd"
    assert commit.subject == "\ufffd\x1b[31m"


def test_a_declared_encoding_is_used_and_a_hostile_one_is_not() -> None:
    line = b"author J\xfcrgen <j@x> 5 +0000"
    assert parse_commit("c", raw(line, b"encoding ISO-8859-1")).author.name == "Jürgen"
    for encoding in (b"unicode_escape", b"punycode", b"zip", b"no such", b"\xff", b"x" * 1_000_000):
        assert parse_commit("c", raw(line, b"encoding " + encoding)).author.name == "J\ufffdrgen"


def test_of_repeated_headers_the_first_counts() -> None:
    commit = parse_commit(
        "c", raw(b"author " + ANN, b"author " + BEN, b"committer " + BEN, b"committer " + ANN)
    )
    assert (commit.author.name, commit.committer.name) == ("Ann", "Ben")


def test_a_signature_of_many_lines_hides_no_header_and_adds_none() -> None:
    signature = b"gpgsig -----BEGIN\n \n author Eve <e@x> 1 +0000\n committer Eve <e@x> 1 +0000\n -----END"
    commit = parse_commit("c", raw(signature, b"author " + ANN, b"committer " + BEN))
    assert commit.has_signature
    assert (commit.author.name, commit.committer.name, commit.subject) == ("Ann", "Ben", "first line")


def test_headers_in_the_message_are_no_headers() -> None:
    commit = parse_commit("c", raw(message=b"\nauthor " + ANN + b"\ngpgsig x\n"))
    assert (commit.author, commit.authored, commit.has_signature) == (Person("", ""), None, False)
    assert commit.subject == f"author {ANN.decode()}"


def test_an_object_with_nothing_in_it_is_a_commit_without_anything() -> None:
    commit = parse_commit("c", b"")
    assert (commit.tree, commit.parents, commit.author, commit.subject) == ("", (), Person("", ""), "")


def test_a_person_met_before_is_kept_once() -> None:
    people: dict[Person, Person] = {}
    both = [parse_commit(name, raw(b"author " + ANN, b"committer " + ANN), people) for name in "ab"]
    assert len({id(person) for commit in both for person in (commit.author, commit.committer)}) == 1


@given(
    st.binary(max_size=400),
    st.lists(st.sampled_from([b"author ", b"committer ", b"<", b">", b"\n", b" 5", b" +1"])),
)
def test_no_bytes_at_all_are_an_error(noise: bytes, pieces: list[bytes]) -> None:
    commit = parse_commit("c", noise + b"".join(pieces) + noise)
    assert max(len(commit.author.name), len(commit.committer.email), len(commit.subject)) <= TEXT_LIMIT
