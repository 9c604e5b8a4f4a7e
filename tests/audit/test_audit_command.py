"""`grader audit` from the command line, on classes of real repositories."""

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.audit.dossier import extension_text
from grader.audit.records import Audit, Audits
from grader.cli import main
from grader.collecting import collect
from grader.course.tree import CourseTree
from grader.records import Decision
from grader.run import Run
from grader.store import Store
from tests.audit.built_class import LOOKED_ONCE, WATCHED, BuiltClass, Server, table_server
from tests.audit.every_kind import DAMAGED, GONE, HOSTILE_SUBJECT, every_kind
from tests.audit.histories import HISTORIES
from tests.collect.lab import DAY, T, assignment, extension, team

OPEN = {DAMAGED, GONE, "forged"}
"""Teams of the mixed class that need a person; nobody looked at 'forged' near the deadline."""


def audit(built, *options, assignment="t1"):
    """The finished command."""
    return CliRunner().invoke(main, ["audit", assignment, "--course", str(built.root), *options])


def told(built, *options):
    """The record that `--json` prints, and the exit code."""
    done = audit(built, "--json", *options)
    return Audits.model_validate_json(done.stdout).audits[0], done.exit_code


@dataclass(frozen=True)
class Audited:
    """A class, and what `grader audit --json` said of it."""

    built: BuiltClass
    told: tuple[Audit, int]

    @property
    def decisions(self):
        """Team → nickname of the commit that counts and the decision."""
        return {
            dossier.team: (
                self.built.server.repositories[dossier.team].name_of(dossier.ruling.commit),
                dossier.ruling.evidence.decision,
            )
            for dossier in self.told[0].dossiers
        }


@dataclass(frozen=True)
class Mixed:
    """A class, its state folder before and after an audit, and what the audit said."""

    built: BuiltClass
    before: dict[Path, bytes]
    after: dict[Path, bytes]
    said: Result
    record: Audit

    def dossier(self, team):
        return next(one for one in self.record.dossiers if one.team == team)


def everything_in(folder):
    """Every file below a folder with its content."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The same repositories seen three ways: by looks at the deadline, by the forge, by nobody."""
    folder = tmp_path_factory.mktemp("classes")
    server = table_server(folder / "server")
    watched = BuiltClass(folder / "watched", server)
    watched.look(*WATCHED)
    recorded = BuiltClass(folder / "recorded", server)
    recorded.record_pushes()
    recorded.look(*LOOKED_ONCE)
    dated = BuiltClass(folder / "dated", server)
    dated.look(*LOOKED_ONCE)
    return {
        name: Audited(built, told(built))
        for name, built in (("watched", watched), ("recorded", recorded), ("dated", dated))
    }


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A class in which everything occurs, audited while another run holds the state folder."""
    built = every_kind(tmp_path_factory.mktemp("mixed"))
    with Store(built.state).locked():
        before = everything_in(built.state)
        said = audit(built)
        after = everything_in(built.state)
    record = Audits.model_validate_json((built.pages / "t1_toy.json").read_text()).audits[0]
    return Mixed(built, before, after, said, record)


def test_every_history_is_decided_as_the_table_says_where_we_looked_at_the_deadline(classes):
    assert classes["watched"].decisions == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_where_the_forge_recorded_pushes(classes):
    assert classes["recorded"].decisions == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_on_dates_alone(classes):
    assert classes["dated"].decisions == {history.name: history.dated for history in HISTORIES}


def test_every_decision_has_a_team_in_the_mixed_class_or_the_dated_one(classes, mixed):
    found = {one.ruling.evidence.decision for one in mixed.record.dossiers}
    found |= {decision for _, decision in classes["dated"].decisions.values()}
    assert found == set(Decision)


def test_an_audit_changes_nothing_in_the_state_folder_and_needs_no_lock(mixed):
    assert len(mixed.before) > 100
    assert mixed.after == mixed.before


def test_the_table_goes_to_stdout_and_where_the_page_is_to_stderr(mixed):
    said = mixed.said
    assert said.stderr == f"written: {mixed.built.pages}/t1_toy.html\n"
    assert said.stdout.startswith("t1_toy: 20 teams, deadline 2024-10-01 23:59:59 America/Toronto\n")
    assert "a person must decide about 3 teams:" in said.stdout
    assert "\x1b" not in said.stdout


def test_it_exits_with_0_where_nobody_has_to_decide_and_with_1_where_somebody_has(classes, mixed):
    assert classes["watched"].told[1] == 0
    assert classes["dated"].told[1] == 1
    assert mixed.said.exit_code == 1


def test_a_damaged_mirror_and_a_vanished_server_are_said_and_stop_nobody(mixed):
    open_cases = {one.team: one.decide for one in mixed.record.dossiers if one.decide}
    assert set(open_cases) == OPEN
    assert "could not be read since the deadline" in open_cases[GONE][0]
    assert len(mixed.record.dossiers) == 20


def test_one_team_alone_has_a_page_of_its_own(mixed):
    whole = mixed.built.page
    record, code = told(mixed.built, "--only", "linear")
    assert ([one.team for one in record.dossiers], code) == (["linear"], 0)
    assert mixed.built.page == whole
    assert "Team linear" in (mixed.built.pages / "t1_toy-linear.html").read_text()


def test_a_team_that_is_not_on_the_roster_is_said(mixed):
    done = audit(mixed.built, "--only", "nobody")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("unknown team 'nobody'; expected one of")


def test_the_dossier_says_what_was_seen_by_whom_and_what_counts(mixed):
    group = mixed.dossier("group")
    assert group.ruling.evidence.level == "A"
    assert group.evidence_text == "A, weaker: the log of our own server, no forge's record"
    assert [one.level.value for one in group.timeline] == ["A", "B", "A", "B"]
    assert group.commits[0].roles == ("ruled", "proven", "claimed")
    assert {one.member for one in group.shares} == {"ada", "bob", None}
    assert {one.matched_by for one in mixed.dossier("rebased").rewrites} == {"tree"}
    assert mixed.dossier("only-late").ruling.days_late == 1
    extended = mixed.dossier("extended")
    assert extended.extension == "until 2024-10-03 23:59, approved by prof. x, reason R1"
    assert any("branch `dev` has newer work" in flag.text for flag in mixed.dossier("other-branch").flags)


def test_of_several_extensions_the_one_that_holds_is_told():
    given = (extension("2024-10-05 23:59"), extension("2024-10-03 23:59"))
    assert extension_text(team("file:///r", extensions=given), assignment()).startswith("until 2024-10-05")


def test_an_audit_of_which_the_last_look_was_before_the_deadline_says_so(tmp_path):
    built = BuiltClass(tmp_path, table_server(tmp_path / "server", HISTORIES[:1]))
    built.look(T - DAY)
    done = audit(built)
    assert (done.exit_code, "nobody has read this repository since the deadline" in done.stdout) == (1, True)
    built.look(T + DAY)
    assert "nobody has read" not in audit(built).stdout


def test_a_commit_that_was_seen_late_is_flagged_once(mixed):
    flags = [flag.text for flag in mixed.dossier("unpushed").flags if flag.kind == "flag"]
    assert len([text for text in flags if "first seen on the branch after it" in text]) == 1


def test_every_flag_has_its_base_rate_beside_it(mixed):
    flags = [flag for one in mixed.record.dossiers for flag in one.flags]
    assert len(flags) > 20
    assert all(flag.base_rate for flag in flags)


def test_the_csv_has_a_row_for_every_team_and_no_formula(mixed):
    rows = list(csv.DictReader((mixed.built.pages / "t1_toy.csv").read_text().splitlines()))
    assert [row["team"] for row in rows] == [one.team for one in mixed.record.dossiers]
    assert {row["team"] for row in rows if row["person_must_decide"] == "yes"} == OPEN
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_hostile_names_and_subjects_are_whole_in_the_json_and_harmless_on_the_page(mixed):
    hostile = mixed.dossier("hostile")
    assert hostile.commits[0].subject.startswith(HOSTILE_SUBJECT[:20])
    assert "<script" not in mixed.built.page
    assert "x" * 100 not in mixed.built.page


def test_the_same_evidence_gives_the_same_record_but_for_the_time(classes):
    first, again = classes["watched"].told[0], told(classes["watched"].built)[0]
    assert again.model_copy(update={"written": first.written}) == first


def test_what_is_printed_is_what_is_written(classes):
    built = classes["recorded"].built
    done = audit(built, "--csv")
    assert done.stdout == (built.pages / "t1_toy.csv").read_text()


def test_the_commands_on_the_page_work_in_the_exported_folder(classes, tmp_path):
    built, folder = classes["watched"].built, tmp_path / "case"
    command = ["audit", "export", "t1", str(folder), "--course", str(built.root), "--team", "rebased"]
    assert CliRunner().invoke(main, command).exit_code == 0
    dossier = next(one for one in classes["watched"].told[0].dossiers if one.team == "rebased")
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(dossier.commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert dossier.ruling.commit in done.stdout
    assert "all of it holds" in done.stdout


def test_the_page_of_a_team_that_was_never_seen_names_no_bundle(tmp_path):
    built = BuiltClass(tmp_path, table_server(tmp_path / "server", HISTORIES[:1]))
    (dossier,) = told(built)[0].dossiers
    assert [line.split("#")[0].strip() for line in dossier.commands] == ["sh verify.sh"]


def test_before_anything_was_collected_nothing_is_decided_and_no_state_folder_is_made(tmp_path):
    server = Server(tmp_path / "server")
    server.add(HISTORIES[0])
    built = BuiltClass(tmp_path, server)
    record, code = told(built)
    assert (code, record.ledger_rounds, record.dossiers[0].ruling.evidence.decision) == (1, 0, "UNREACHABLE")
    assert not built.state.exists()


def test_a_damaged_ledger_is_named_and_nothing_is_written(tmp_path):
    server = Server(tmp_path / "server")
    server.add(HISTORIES[0])
    built = BuiltClass(tmp_path, server)
    built.look(*LOOKED_ONCE)
    page = next((built.state / "ledger").glob("*.txt"))
    page.chmod(0o644)
    page.write_text(page.read_text().replace("round 1", "round 2"))
    done = audit(built)
    assert (done.exit_code, done.stdout) == (4, "")
    assert "000001.txt" in done.stderr


def test_a_push_record_that_cannot_be_read_is_the_trouble_of_its_team_alone(tmp_path):
    server = Server(tmp_path / "server")
    for history in HISTORIES[:2]:
        server.add(history)
    built = BuiltClass(tmp_path, server)
    built.look(*WATCHED)
    built.record([{"ref": "main"}], team="linear")
    record, code = told(built)
    broken, whole = record.dossiers
    assert (code, broken.ruling.commit, whole.decide) == (1, None, ())
    assert "examined: push_records/linear.json: item 1: timestamp: expected ISO 8601" in broken.decide[0]
    assert broken.ruling.evidence.deadline == T
    assert "this team could not be examined" in built.page


def test_what_was_graded_and_what_the_rule_says_today_are_compared(tmp_path):
    """The forge's record arrives after grading: the push was late."""
    server = Server(tmp_path / "server")
    server.add(HISTORIES[0])
    built = BuiltClass(tmp_path, server)
    built.look(*LOOKED_ONCE)
    graded(built)
    assert told(built)[1] == 0
    late = [
        dict(one, timestamp=int(str(one["timestamp"])) + 4 * 3600) for one in server.pushes("linear")[1:2]
    ]
    built.record(late, team="linear")
    record, code = told(built)
    assert (code, record.dossiers[0].agrees) == (1, False)
    assert "decide which of them stands" in record.dossiers[0].decide[0]
    assert "The rule says something else today." in built.page


def graded(built):
    """Take the commit that counts, as `grader grade` does before it examines anything."""
    tree = CourseTree.open(built.root)
    roster = tree.roster(built.root / "roster.csv")
    run = Run(tree=tree, roster=roster, store=Store(built.state), out=built.root / "reports")
    collect(run, [tree.assignment("t1")], roster.teams)
