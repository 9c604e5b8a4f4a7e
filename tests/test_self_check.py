from grader.records import Outcome, Status
from grader.self_check import SelfCheck

HOLE = "`train` is not implemented yet"


def outcome(check, status=Status.FAILED, message=""):
    return Outcome(check=check, status=status, message=message)


def text(*outcomes, task=""):
    found = SelfCheck(
        assignment="t1_toy", task=task, outcomes=outcomes, notes=("a note",), repository=("all is pushed",)
    )
    return found.text().splitlines()


def test_the_same_message_is_said_once_for_all_its_checks():
    assert text(
        outcome("public/test_a.py::test_one", Status.PASSED),
        outcome("public/test_a.py::test_two", message=HOLE),
        outcome("public/test_a.py::test_three", Status.PASSED),
        outcome("public/test_a.py::test_four", message=HOLE),
    ) == [
        "public/test_a.py",
        "ok   test_one",
        f"todo test_two, test_four: {HOLE}",
        "ok   test_three",
        "",
        "2 of 4 public checks passed (t1_toy)",
        "note: a note",
        "git: all is pushed",
    ]


def test_checks_are_listed_file_by_file():
    lines = text(
        outcome("public/test_a.py::test_one", message="1 is 2"),
        outcome("public/test_b.py::test_one", message="1 is 2"),
        outcome("public/test_b.py::test_two", Status.COULD_NOT_CHECK, "our fault"),
    )
    assert lines[:6] == [
        "public/test_a.py",
        "FAIL test_one: 1 is 2",
        "",
        "public/test_b.py",
        "FAIL test_one: 1 is 2",
        "??   test_two: our fault",
    ]


def test_the_summary_names_the_one_task():
    line = text(outcome("public/test_a.py::test_one", Status.PASSED), task="count")[3]
    assert line == "1 of 1 public checks passed (task count of t1_toy)"
