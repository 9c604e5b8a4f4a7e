import json

import pytest

from grader.collect.push_records import FORGE, push_records
from grader.forges.records import OWN_SERVER
from tests.collect.lab import MAIN, NOTHING

A, B, C = "a" * 40, "b" * 40, "c" * 40


def item(before, after, timestamp):
    return {"ref": MAIN, "before": before, "after": after, "timestamp": timestamp}


def read(tmp_path, items):
    (tmp_path / "team01.json").write_text(json.dumps(items))
    return push_records(tmp_path, "team01")


def test_pushes_come_oldest_first(tmp_path):
    pushes = read(tmp_path, [item(NOTHING, A, 10), item(B, C, 30), item(A, B, 20)])
    assert [push.after for push in pushes] == [A, B, C]


def test_a_list_with_the_newest_first_keeps_its_order_within_one_second(tmp_path):
    pushes = read(tmp_path, [item(B, C, 20), item(A, B, 20), item(NOTHING, A, 10)])
    assert [push.after for push in pushes] == [A, B, C]


def test_times_with_an_offset_are_instants(tmp_path):
    pushes = read(
        tmp_path, [item(NOTHING, A, "2024-10-01T23:59:59.9-04:00"), item(A, B, "2024-10-02T04:00:00Z")]
    )
    assert [push.time for push in pushes] == [1_727_841_599, 1_727_841_600]


def test_a_team_without_a_file_has_no_records(tmp_path):
    assert push_records(tmp_path, "team02") == ()
    assert push_records(tmp_path / "none", "team02") == ()
    assert push_records(None, "team02") == ()


@pytest.mark.parametrize(
    ("source", "repo_url", "told_by"),
    [
        ("github.com", "https://github.com/o/r.git", FORGE),
        ("", "https://github.com/o/r.git", FORGE),
        ("", "file:///srv/git/r.git", OWN_SERVER),
        ("a forge beside us", "file:///srv/git/r.git", FORGE),
        (OWN_SERVER, "file:///srv/git/r.git", OWN_SERVER),
        (OWN_SERVER, "https://github.com/o/r.git", OWN_SERVER),
    ],
)
def test_a_record_that_no_forge_made_says_so(tmp_path, source, repo_url, told_by):
    item = {"ref": MAIN, "before": NOTHING, "after": "a" * 40, "timestamp": 1000, "source": source}
    (tmp_path / "team01.json").write_text(json.dumps([item]))
    (push,) = push_records(tmp_path, "team01", repo_url=repo_url)
    assert push.told_by == told_by
