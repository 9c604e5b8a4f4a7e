"""Push records are fixed by the ledger's chain from the round on that has their hash."""

import json
import shutil

import pytest

from grader.collect.ledger import Ledger
from grader.collect.noted import note
from tests.audit.evidence import copied, grader, verified
from tests.audit.test_bundle import edit, forgive, run_script
from tests.collect.lab import DAY, T

NOW = T + 2 * DAY
LINEAR = "push_records/linear.json"


@pytest.fixture
def root(evidence, tmp_path):
    """A course with push records of two teams, noted in round 7."""
    course = copied(evidence.root, tmp_path / "course")
    (course / "push_records").mkdir()
    for team in ("linear", "amended"):
        pushes = evidence.server.pushes(team)
        (course / "push_records" / f"{team}.json").write_text(json.dumps(pushes))
    assert noted(course).number == 7
    return course


@pytest.fixture
def case(root, tmp_path):
    done = grader("audit", "export", "t1", tmp_path / "case", "--course", root)
    assert done.exit_code == 0, done.output
    return tmp_path / "case"


def noted(course):
    return note(Ledger(course / ".grader" / "ledger"), course / "push_records", now=NOW)


def findings(folder, *options):
    return [one["text"] for one in verified(folder, *options)[1]["findings"]]


def test_what_is_noted_already_adds_no_round_and_what_changed_does(root):
    assert noted(root) is None
    (root / LINEAR).write_text("[]")
    again = noted(root)
    assert (again.number, [line.name for line in again.lines]) == (8, [LINEAR])


def test_a_course_without_push_records_adds_no_round(evidence, tmp_path):
    assert note(Ledger(tmp_path / "ledger"), tmp_path / "push_records", now=NOW) is None
    assert not (tmp_path / "ledger").exists()


def test_a_round_that_looks_at_nobody_changes_no_decision(root, evidence):
    shutil.rmtree(root / "push_records")
    before, after = (grader("audit", "t1", "--csv", "--course", one).stdout for one in (evidence.root, root))
    assert before == after


def test_anchor_notes_the_push_records_before_it_prints_the_head(root):
    (root / LINEAR).write_text("[]")
    told = json.loads(grader("audit", "anchor", "--json", "--course", root).stdout)
    assert told["round"] == 8
    assert grader("audit", "anchor", "--json", "--course", root).stdout == json.dumps(told) + "\n"


def test_the_script_and_the_grader_find_nothing_wrong_with_push_records_as_noted(root, case):
    assert findings(case) == []
    assert run_script(case)[0] == 0
    done = grader("audit", "verify", "--course", root)
    assert done.exit_code == 0, done.output


def test_script_and_grader_name_a_push_record_that_was_changed_since_it_was_noted(root, case):
    edit(case / LINEAR, b"refs/heads/main", b"refs/heads/mine")
    forgive(case)
    code, said = run_script(case)
    assert (code, f"BROKEN {LINEAR}: is not the file that the ledger noted" in said) == (3, True)
    assert findings(case) == [f"{LINEAR} is not the file whose hash round 7 noted: it was changed since"]
    assert verified(case)[1]["proves"][0].startswith("rounds 1 to 7 follow one another")
    edit(root / LINEAR, b"refs/heads/main", b"refs/heads/mine")
    assert grader("audit", "verify", "--course", root).exit_code == 3


def test_script_and_grader_name_a_push_record_that_was_noted_and_is_gone(root, case):
    (case / LINEAR).unlink()
    forgive(case)
    code, said = run_script(case)
    assert (code, f"BROKEN {LINEAR}: is missing, though the ledger noted it" in said) == (3, True)
    assert findings(case) == [f"{LINEAR} is missing, though round 7 noted its hash"]


def test_a_push_record_that_no_round_noted_is_said_not_to_be_fixed(root, case):
    (case / "push_records" / "a.large.json").write_text("[]")
    forgive(case)
    assert (findings(case), run_script(case)[0]) == ([], 0)
    open_to_doubt = verified(case)[1]["does_not_prove"]
    assert any("1 file of push records" in said and "no round has its hash" in said for said in open_to_doubt)


def test_the_records_of_a_team_that_is_not_in_the_folder_are_not_missed(root, tmp_path):
    only = ("audit", "export", "t1", tmp_path / "one", "--team", "linear", "--course", root)
    assert grader(*only).exit_code == 0
    assert (findings(tmp_path / "one"), run_script(tmp_path / "one")[0]) == ([], 0)


def test_a_harvest_notes_what_it_kept_and_says_the_head_also_where_the_ledger_is_damaged(evidence, tmp_path):
    course = copied(evidence.root, tmp_path / "course")
    page = course / "course.toml"
    page.write_text(page.read_text().replace("[collect]\n", '[collect]\nforges = { file = "reflog" }\n'))
    server = evidence.server.repositories["linear"]
    log = server.folder / "logs" / "refs" / "heads"
    log.mkdir(parents=True, exist_ok=True)
    (log / "main").write_text(f"{'0' * 40} {server.commits['c1']} a <a@x> {T - DAY} +0000\tpush\n")
    ledger = course / ".grader" / "ledger"
    try:
        done = grader("harvest", "--course", course)
        assert f"ledger head {Ledger(ledger).verify()}, with the hashes of all" in done.output
        assert (ledger / "000007.txt").read_text().count("@noted") == 1
        edit(ledger / "000003.txt", b"linear", b"lineal")
        (course / LINEAR).unlink()
        assert "does not follow the round before it" in grader("harvest", "--course", course).output
        assert (course / LINEAR).is_file()  # what a forge may forget tomorrow is kept all the same
    finally:
        shutil.rmtree(server.folder / "logs")
