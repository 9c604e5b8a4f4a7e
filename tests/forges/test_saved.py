"""Files of push records: made by hand, written by us, or what a forge answered."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grader.collect.push_records import Push, push_records
from grader.errors import ConfigurationError
from grader.forges.fake_formats import FakePush, Question
from grader.forges.records import NOTHING, UNKNOWN, PushRecord
from grader.forges.saved import parse_saved, saved_text
from tests.collect.lab import MAIN

A, B, C = "a" * 40, "b" * 40, "c" * 40
PUSHES = [FakePush(NOTHING, A, 1000), FakePush(A, B, 2000), FakePush(B, C, 2000)]
MOVES = (Push(MAIN, NOTHING, A, 1000), Push(MAIN, A, B, 2000), Push(MAIN, B, C, 2000))


def read(tmp_path, content):
    (tmp_path / "team01.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return push_records(tmp_path, "team01")


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_what_a_forge_answered_is_read_as_it_was_saved(tmp_path, kind):
    assert read(tmp_path, Question(kind, "o/r").entries(PUSHES)) == MOVES


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_pushes_of_one_second_are_read_in_their_order(tmp_path, kind):
    at_once = [FakePush(A, B, 2000), FakePush(B, C, 2000)]
    assert read(tmp_path, Question(kind, "o/r").entries(at_once)) == MOVES[1:]


def test_pages_that_were_joined_as_a_list_of_lists_are_one_list(tmp_path):
    entries = Question("github", "o/r").entries(PUSHES)
    assert read(tmp_path, [entries[:2], entries[2:]]) == MOVES


def test_a_file_by_hand_needs_four_fields(tmp_path):
    item = {"ref": MAIN, "before": NOTHING, "after": A, "timestamp": "1970-01-01T00:16:40Z"}
    assert read(tmp_path, [item]) == MOVES[:1]


def test_a_push_from_an_unknown_commit_is_one(tmp_path):
    item = {"ref": MAIN, "before": None, "after": A, "timestamp": 1000}
    assert read(tmp_path, [item]) == (Push(MAIN, UNKNOWN, A, 1000),)


def test_events_about_other_things_and_tags_are_left_out(tmp_path):
    events = Question("gitlab", "o/r").entries([*PUSHES, FakePush(NOTHING, A, 2500, kind="tag", branch="v1")])
    opened = {"action_name": "opened", "target_type": "Issue", "created_at": "2024-10-01T10:00:00Z"}
    assert read(tmp_path, [opened, *events]) == MOVES


def test_a_gap_is_kept_in_the_file_and_moves_nothing(tmp_path):
    events = Question("gitlab", "o/r").entries([*PUSHES, FakePush(A, B, 3000, kind="bulk")])
    records = parse_saved(json.dumps(events).encode(), where="x")
    assert [one.is_gap for one in records].count(True) == 1
    assert read(tmp_path, saved_text(records)) == MOVES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "team01.json: not readable as JSON"),
        ("[" * 100_000, "team01.json: not readable as JSON"),
        ('{"message": "Not Found"}', "expected a list of pushes, got dict (a forge's refusal: 'Not Found')"),
        ("[7]", "team01.json: item 1: expected an object, got 7"),
        ('[{"ref": "main"}]', "item 1: timestamp: expected ISO 8601"),
        ('[{"ref": "main", "timestamp": 5}]', "item 1: ref: expected a full name such as 'refs/heads/main'"),
        ('[{"ref": "refs/heads/m", "timestamp": 5}]', "item 1: before: expected 40 hexadecimal digits"),
    ],
)
def test_what_is_wrong_names_file_item_and_field(tmp_path, content, said):
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, content)
    assert said in str(raised.value)


ids = st.sampled_from([NOTHING, A, B, C])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
some_records = st.builds(
    PushRecord,
    ref=texts.map(lambda name: f"refs/heads/{name}"),
    before=st.one_of(ids, st.just(UNKNOWN)),
    after=ids,
    timestamp=st.integers(1, 10**10),
    type=texts,
    actor=texts,
    source=texts,
    harvested_at=st.integers(1, 10**10),
)
REMOVED, MADE_AGAIN = (
    PushRecord("refs/heads/main", before, after, 1, harvested_at=2)
    for before, after in ((A, NOTHING), (UNKNOWN, A))
)


@given(st.lists(some_records, max_size=6))
@example([REMOVED, MADE_AGAIN])
def test_what_a_harvest_writes_is_what_is_read_back(records):
    ordered = sorted(records, key=lambda one: one.timestamp)
    assert parse_saved(saved_text(ordered).encode(), where="x") == ordered
