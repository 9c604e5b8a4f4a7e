"""The comparison with other graders: its assignment is the same for all, and its tables say what was found."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grader.collect.notebook import prepare
from grader.course.tree import CourseTree
from grader.course.validate import validate

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def passes(question, body):
    from peers.questions import answer, cases

    results = []
    for case in cases(question):
        try:
            got = np.asarray(answer(question, body, case.arguments))
        except Exception:  # noqa: BLE001 - a body that crashes passes nothing
            return False
        results.append(got.shape == np.shape(case.expected) and np.allclose(got, case.expected, 1e-4, 1e-5))
    return all(results)


def test_right_answers_pass_both_cases_and_all_others_fail_one():
    from peers.questions import CRASHES, NOT_DONE, QUESTIONS

    for question in QUESTIONS:
        assert all(passes(question, body) for body in question.right), question.name
        others = (*question.wrong, CRASHES[question.name], NOT_DONE)
        assert not any(passes(question, body) for body in others), question.name
    assert len(QUESTIONS) == 5


def test_the_class_has_every_kind_of_work_and_is_the_same_every_time():
    from peers.submissions import COUNT, OUT_OF, honest

    submissions = honest()
    assert submissions == honest()
    assert len({each.student for each in submissions}) == COUNT
    assert {0, OUT_OF} < {each.fair for each in submissions}
    assert any(each.first for each in submissions)
    assert any(each.last for each in submissions)


def test_no_student_has_a_hidden_case_in_the_notebook():
    from peers.nbgrader_form import source_json
    from peers.questions import QUESTIONS, asserts, cases
    from peers.submissions import honest, notebook_json

    handed_in, ours = json.loads(notebook_json(honest(1)[0])), json.loads(source_json())
    theirs, source = ("".join(cell["source"] for cell in book["cells"]) for book in (handed_in, ours))
    for question in QUESTIONS:
        public, hidden = (asserts(question, case) for case in cases(question))
        assert public in theirs
        assert hidden not in theirs
        assert hidden in source


def test_otter_gets_the_same_two_cases_of_every_question():
    from peers.otter_form import checks_source
    from peers.questions import QUESTIONS, asserts, cases

    for question in QUESTIONS:
        source = checks_source(question)
        compile(source, question.name, "exec")
        for case in cases(question):
            assert all(line in source for line in asserts(question, case).splitlines())


def test_our_course_tree_is_ready_to_grade(tmp_path):
    from peers import our_form

    our_form.write_course(tmp_path)
    findings = validate(CourseTree.open(tmp_path))
    assert [str(each) for each in findings if each.severity == "error"] == []


def test_our_grader_finds_all_five_functions_in_every_notebook(tmp_path):
    from peers import our_form
    from peers.submissions import honest, notebook_json

    our_form.write_course(tmp_path)
    task = CourseTree.open(tmp_path).assignment("ps1").tasks
    for each in honest():
        folder = tmp_path / each.student
        folder.mkdir()
        (folder / "maths.ipynb").write_text(notebook_json(each))
        source = "".join(chunk.source for chunk in prepare(folder, task).modules["maths"])
        assert all(f"def {name}(" in source for name in task[0].names)


def test_exploits_have_five_wrong_answers_and_something_for_every_grader():
    from peers.exploits import EXPLOITS, GRADERS
    from peers.submissions import notebook_json

    for grader in GRADERS:
        aimed = [exploit.submission(grader) for exploit in EXPLOITS if grader in exploit.forms]
        assert len(aimed) >= 7
        for submission in aimed:
            assert submission.fair == 0
            assert len(submission.sources) == 5
            for source in (submission.first, *submission.sources):
                compile(source, submission.student, "exec")
            notebook_json(submission)
    assert all("ours" in exploit.forms for exploit in EXPLOITS)


@pytest.fixture
def cost():
    from peers.costs import Cost

    return Cost(
        name="nbgrader autograde",
        submissions=2,
        wall_s=12.0,
        cpu_s=10.0,
        peak_memory_mib=300.4,
        load=1.0,
        marks={"s00": 20.0, "s01": 12.0},
    )


def test_the_table_has_figures_for_one_submission_and_the_ratio_to_nbgrader(cost):
    from peers.table import cost_table

    ours = replace(cost, name="ours", cpu_s=1.0, sessions_cpu_s=0.4, marks={"s00": 20.0})
    *_, theirs_line, our_line = cost_table([cost, ours])
    assert theirs_line == "| nbgrader autograde | 6.00 | 5.00 | - | - | 300 | 1.0 | 2 of 2 | 1.0 |"
    assert our_line == "| ours | 6.00 | 0.50 | 0.20 | 0.30 | 300 | 10.0 | 1 of 2 | 1.0 |"


def test_a_mark_that_is_not_fair_or_missing_is_named(cost):
    from peers.costs import disagreements
    from peers.submissions import honest

    submissions = honest(2)
    assert disagreements(cost, submissions) == []
    wrong = replace(cost, marks={"s00": 19.0})
    assert disagreements(wrong, submissions) == [
        "nbgrader autograde: s00 should have 20 and has 19.0",
        "nbgrader autograde: s01 should have 12 and has none",
    ]


def test_what_a_grader_fell_for_is_bold_and_counted():
    from peers.falls import HONEST, Fall
    from peers.table import falls_table

    found = {
        "tamper": Fall(20.0),
        "loop": Fall(None, hung=True),
        "stay": Fall(0.0, survivors=1),
        "forge": Fall(None, code=1),
        "read": Fall(0.0),
        HONEST: Fall(20.0),
    }
    text = "\n".join(falls_table({"some grader": found}))
    for bold in ("**20/20**", "**no mark, hangs until killed**", "**0/20, its process survives**"):
        assert f"| {bold} |" in text
    for plain in ("0/20", "no mark, the grader ends with code 1", "nothing to aim at"):
        assert f"| {plain} |" in text
    assert "| **fell for** | 3 of 5 |" in text
    assert text.endswith("| honest work, all right (fair mark 20) | 20/20 |")


def test_a_sandbox_in_which_honest_work_gets_no_mark_is_not_proof_of_anything():
    from peers.falls import HONEST, Fall
    from peers.table import falls_table

    assert falls_table({"some grader": {HONEST: Fall(None, code=1)}})[-1].count("**no mark") == 1


@pytest.mark.sandbox
def test_a_command_is_measured_with_the_processes_that_it_starts(tmp_path):
    from peers.measuring import measure

    from grader.errors import SandboxError

    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    program = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}]).wait(); print('done')"
    )
    try:
        measured = measure([sys.executable, "-c", program], folder=tmp_path, environment={})
    except SandboxError as error:
        pytest.skip(f"no control group can be made here: {error}")
    assert measured.printed == "done\n"
    assert measured.code == 0
    assert 0.3 <= measured.cpu_s < 3


@pytest.mark.sandbox
def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path):
    from peers.measuring import measure

    from grader.errors import SandboxError

    program = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    try:
        measured = measure([sys.executable, "-c", program], folder=tmp_path, environment={}, within_s=0.5)
    except SandboxError as error:
        pytest.skip(f"no control group can be made here: {error}")
    assert measured.timed_out
    assert measured.wall_s < 40


def test_help_installs_and_runs_nothing():
    arguments = [sys.executable, FOLDER / "peers.py", "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: peers.py [-h]")
