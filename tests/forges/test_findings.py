"""`grader validate` reads push_records/: what is broken, foreign or of nobody is one line each."""

import json
import os

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.forges.fake_formats import FakePush, Question
from grader.forges.findings import validate_push_records
from grader.forges.records import NOTHING

A = "a" * 40
GOOD = {"ref": "refs/heads/main", "before": NOTHING, "after": A, "timestamp": 1000, "source": "forge.example"}


@pytest.fixture
def tree(toy_tree):
    lines = ("student,team,repo_url", "ada,team01,https://forge.example/o/ada.git")
    (toy_tree.root / "roster.csv").write_text("\n".join(lines) + "\n")
    course = toy_tree.root / "course.toml"
    course.write_text(course.read_text().replace('["file"]', '["file", "https"]'))
    return toy_tree


def save(tree, name, content):
    folder = tree.root / "push_records"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def said(tree):
    return [str(finding) for finding in validate_push_records(tree)]


def test_a_course_without_push_records_and_one_with_sound_ones_give_nothing(tree):
    assert said(tree) == []
    save(tree, "team01.json", [GOOD])
    save(tree, ".lock", "")
    save(tree, "README.md", "who saved these, and when")
    (tree.root / "push_records" / "originals").mkdir()
    assert said(tree) == []


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_an_answer_of_a_forge_that_was_saved_as_it_is_gives_nothing(tree, kind):
    save(tree, "team01.json", Question(kind, "o/ada").entries([FakePush(NOTHING, A, 1000)]))
    assert said(tree) == []


def test_a_broken_entry_is_one_line_with_file_item_field_what_was_found_and_what_to_do(tree):
    save(tree, "team01.json", [GOOD, GOOD | {"timestamp": "yesterday"}])
    (line,) = said(tree)
    assert line.startswith("error: push_records/team01.json: item 2: timestamp: expected ISO 8601")
    assert "'yesterday'" in line
    assert "save the forge's answer again" in line


def test_a_file_that_is_no_json_and_a_refusal_that_was_saved_are_errors(tree):
    save(tree, "team01.json", "{")
    (line,) = said(tree)
    assert line.startswith("error: push_records/team01.json: not readable as JSON")
    save(tree, "team01.json", {"message": "Not Found"})
    (line,) = said(tree)
    assert "Not Found" in line


def test_records_of_a_team_that_the_roster_lacks_are_a_warning_with_the_nearest_name(tree):
    save(tree, "team1.json", [GOOD])
    (line,) = said(tree)
    assert line.startswith("warning: push_records/team1.json: ")
    assert "did you mean 'team01'?" in line


def test_a_name_that_nobody_reads_is_a_warning(tree):
    save(tree, "team01.txt", [GOOD])
    (line,) = said(tree)
    assert line.startswith("warning: push_records/team01.txt: nothing reads")


def test_what_is_no_plain_file_is_an_error_and_is_not_waited_for(tree):
    (tree.root / "push_records").mkdir()
    os.mkfifo(tree.root / "push_records" / "team01.json")
    (line,) = said(tree)
    assert line.startswith("error: push_records/team01.json: expected a plain file")


def test_records_of_another_forge_than_the_team_s_are_a_warning(tree):
    save(tree, "team01.json", [GOOD, GOOD | {"source": "other.example"}])
    (line,) = said(tree)
    assert line.startswith("warning: push_records/team01.json: source: ")
    assert "'other.example'" in line
    assert "forge.example" in line


def test_nothing_in_a_file_s_name_is_obeyed_by_a_terminal(tree):
    save(tree, "\x1b[31m.json", [GOOD])
    assert "\x1b" not in "".join(said(tree))


def test_the_command_says_it_and_fails(tree):
    save(tree, "team01.json", [GOOD | {"after": "HEAD"}])
    done = CliRunner().invoke(main, ["validate", "--course", str(tree.root)])
    assert done.exit_code == 3, done.output
    assert "error: push_records/team01.json: item 1: after: expected 40 hexadecimal digits" in done.output
