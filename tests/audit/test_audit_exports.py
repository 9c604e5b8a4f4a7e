"""What spreadsheets and programs get of an audit."""

import csv
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.audit.exports import audits_csv, audits_json
from grader.audit.records import Audits
from grader.audit.summary import summary
from tests.audit.examples import audit, crowded, dossier, oid, snapshot
from tests.report.poison import HOSTILE, poisoned

COLUMNS = (
    "assignment,team,members,person_must_decide,decision,evidence,commit,days_late,deadline,deadline_utc,"
    "extension,branch,proven,claimed,graded_commit,rule_today_commit,rule_today_decision,agrees,flags,context,"
    "rewrites,open_questions,explanation,evidence_text,signatures_not_counted"
)


def rows(*dossiers):
    return list(csv.DictReader(audits_csv([audit(*dossiers)]).splitlines()))


def test_the_columns_are_stable():
    assert audits_csv([audit()]) == f"{COLUMNS}\n"


def test_a_row_says_what_counts_and_on_what_evidence():
    row = rows(dossier("t1", graded=snapshot(7), members=("ada", "bob")))[0]
    expected = {
        "assignment": "a1",
        "team": "t1",
        "members": "ada; bob",
        "person_must_decide": "yes",
        "decision": "CONFIRMED",
        "evidence": "B",
        "commit": oid(7),
        "graded_commit": oid(7),
        "rule_today_commit": oid(1),
        "agrees": "no",
        "deadline_utc": "2024-10-02T03:59:59Z",
        "branch": "refs/heads/main",
    }
    assert {column: row[column] for column in expected} == expected


def test_nothing_in_the_csv_starts_a_formula_or_breaks_a_line():
    for row in rows(
        poisoned(dossier()), poisoned(dossier(), "=cmd|'/C calc'!A0"), poisoned(dossier(), "@SUM(A1)")
    ):
        assert list(row) == COLUMNS.split(",")
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_a_record_comes_back_from_json_as_it_was():
    said = [audit(crowded(), dossier("t2")), audit(poisoned(dossier("t3")))]
    assert Audits.model_validate_json(audits_json(said)) == Audits(audits=tuple(said))
    assert json.loads(audits_json(said))["schema_version"] == 1


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_no_export_carries_a_control_character(text):
    poisonous = audit(poisoned(dossier(), text))
    for export in (audits_csv([poisonous]), audits_json([poisonous]), summary([poisonous])):
        assert not [c for c in export if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0]


def test_the_summary_names_who_needs_a_person_first():
    said = summary([audit(dossier("fine"), dossier("open", graded=snapshot(7)))]).splitlines()
    assert said[0] == "a1: 2 teams, deadline 2024-10-01 23:59:59 America/Toronto"
    assert said[2].split() == ["open", oid(7)[:10], "-", "B", "0", "confirmed"]
    assert said[3].startswith("fine")
    assert said[4:] == [
        "a person must decide about 1 team:",
        (
            f"open: graded was commit {oid(7)[:10]}; on the evidence of today the rule takes commit {oid(1)[:10]}: "
            "decide which of them stands"
        ),
    ]


def test_a_hostile_summary_obeys_nobody():
    assert "\x1b" not in summary([audit(poisoned(dossier(), HOSTILE))])
