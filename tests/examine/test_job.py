import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.errors import GraderError
from grader.examine.job import examine
from grader.examine.request import new_request
from grader.records import Examination, Status

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
ADD = "public/test_add.py::test_add_adds"
EQUAL = "hidden/test_mean.py::test_mean_of_equals_the_reference"
CLOSE = "hidden/test_mean.py::test_mean_is_close_on_many_numbers"


@pytest.fixture
def run(toy_work, toy_material, tmp_path):
    def examined(source, *, sandbox="fake", **options) -> Examination:
        request = new_request(toy_work(source), toy_material, sandbox=sandbox, seed=11, **options)
        return examine(request, tmp_path)[0]

    return examined


@pytest.fixture
def run_apart(toy_work, toy_material, tmp_path):
    """The same in a process of its own, as the scheduler does it."""

    def examined(source) -> tuple[Examination, str]:
        request = new_request(toy_work(source), toy_material, sandbox="fake", seed=11)
        out = tmp_path / "out"
        out.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "grader.examine.job", str(out)],
            input=request.model_dump_json(),
            capture_output=True,
            text=True,
            check=True,
        )
        return Examination.model_validate_json((out / "examination.json").read_text()), done.stderr

    return examined


def add_check(toy_tree, text):
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_more.py").write_text(
        f"import pytest\npytestmark = pytest.mark.task('count')\n{text}"
    )


def test_right_work_passes_every_check(run):
    examination = run(RIGHT)
    assert {o.check: o.status for o in examination.outcomes} == dict.fromkeys(
        (ADD, EQUAL, CLOSE), Status.PASSED
    )
    assert examination.status is Status.PASSED


def test_a_wrong_answer_fails_with_the_words_of_the_check(run):
    outcome = run(RIGHT.replace("a + b", "a - b")).outcome(ADD)
    assert outcome.status is Status.FAILED
    assert outcome.message == "2 + 3 gives -1; it should be 5"


def test_only_the_checks_of_the_tasks_that_were_asked_for_are_run(run, toy_tree):
    text = "import pytest\npytestmark = pytest.mark.task('other')\ndef test_nothing():\n    pass\n"
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_other.py").write_text(text)
    everything, counting = run(RIGHT), run(RIGHT, tasks=("count",))
    assert len(everything.outcomes) == 4
    assert {o.check for o in counting.outcomes} == {EQUAL, CLOSE, ADD}
    assert counting.key != everything.key


def test_a_prop_is_handed_to_the_worker_and_counts_in_the_key(run, toy_tree):
    add_check(
        toy_tree,
        "def test_prop(candidate):\n    total = candidate.mean_of(candidate.prop('lists').pair(2, 4))\n"
        "    assert total == 3, f'got {total}'\n",
    )
    before = run(RIGHT)
    props = toy_tree.checks_dir("t1_toy") / "props"
    props.mkdir()
    (props / "lists.py").write_text("def pair(a, b):\n    return [a, b]\n")
    after = run(RIGHT)
    assert before.outcome("hidden/test_more.py::test_prop").status is Status.COULD_NOT_CHECK
    assert after.outcome("hidden/test_more.py::test_prop").status is Status.PASSED
    assert before.key != after.key


def test_the_log_says_where_a_check_ended_and_leaves_the_runner_out(run, toy_tree, tmp_path):
    add_check(
        toy_tree,
        "def divided(number):\n    return number / 0\n"
        "def test_breaks(candidate):\n    divided(candidate.add(1, 2))\n",
    )
    run(RIGHT)
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    frames = [line.strip() for line in log.splitlines() if line.startswith("  File ")]
    assert [line.rpartition(" ")[2] for line in frames] == ["test_breaks", "divided"], log
    assert "ZeroDivisionError: division by zero" in log


def test_a_fixture_that_breaks_is_in_the_log_as_well(run, toy_tree, tmp_path):
    add_check(
        toy_tree,
        "@pytest.fixture\ndef numbers():\n    raise LookupError('none there')\n"
        "def test_breaks(numbers):\n    pass\n",
    )
    run(RIGHT)
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "in numbers" in log
    assert "LookupError: none there" in log
    assert "pluggy" not in log


def test_an_unfilled_hole_is_called_not_implemented(run):
    outcome = run(RIGHT.replace("return a + b", "raise NotImplementedError")).outcome(ADD)
    assert outcome.message == "`add` is not implemented yet"


def test_an_exception_of_the_submission_fails_only_the_checks_that_meet_it(run):
    examination = run(RIGHT.replace("return a + b", "return a / 0"))
    assert examination.outcome(ADD).status is Status.FAILED
    assert "ZeroDivisionError" in examination.outcome(ADD).message
    assert examination.outcome(EQUAL).status is Status.PASSED


def test_a_crash_at_import_fails_every_check_with_the_line(run):
    examination = run("import nowhere_to_be_found\n" + RIGHT)
    assert {o.status for o in examination.outcomes} == {Status.FAILED}
    assert "counting.py, line 1" in examination.outcome(ADD).message


def test_a_later_examination_in_the_same_process_reads_its_own_check_files(toy_tree, run):
    """Whatever became of the order in which modules were imported."""
    turned = (
        "import sys\nfor name in list(sys.modules)[::-1]:\n    sys.modules[name] = sys.modules.pop(name)\n"
    )
    add_check(toy_tree, "def test_first(candidate):\n    pass\n" + turned)
    assert run(RIGHT).outcome("hidden/test_more.py::test_first").status is Status.PASSED
    add_check(toy_tree, "def test_second(candidate):\n    pass\n")
    found = run(RIGHT)
    assert found.outcome("hidden/test_more.py::test_second").status is Status.PASSED
    assert found.outcome("hidden/test_more.py::test_first") is None


def test_a_mistake_in_our_own_check_costs_the_student_nothing(toy_tree, run):
    add_check(toy_tree, "def test_ours(candidate):\n    raise TypeError('we cannot count')\n")
    outcome = run(RIGHT).outcome("hidden/test_more.py::test_ours")
    assert outcome.status is Status.COULD_NOT_CHECK
    assert "costs no marks" in outcome.message
    assert "we cannot count" not in outcome.message


def test_a_check_that_does_not_import_stops_the_examination_as_our_failure(toy_tree, run):
    add_check(toy_tree, "import a_module_we_forgot\n")
    with pytest.raises(GraderError, match="could not be run"):
        run(RIGHT)


def test_a_skipped_check_is_not_passed(toy_tree, run):
    add_check(toy_tree, "def test_later(candidate):\n    pytest.skip('no time')\n")
    assert run(RIGHT).outcome("hidden/test_more.py::test_later").status is Status.COULD_NOT_CHECK


def test_a_check_without_a_task_is_our_mistake(toy_tree, run):
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_more.py").write_text("def test_it(candidate): pass\n")
    assert run(RIGHT).outcome("hidden/test_more.py::test_it").status is Status.COULD_NOT_CHECK


def test_a_failure_in_a_shared_fixture_fails_every_check_that_needs_it(toy_tree, run):
    add_check(
        toy_tree,
        "@pytest.fixture(scope='session')\ndef trained(exam):\n    return exam.fresh('count').train_nothing()\n"
        "def test_one(trained): pass\ndef test_two(trained): pass\n",
    )
    examination = run(RIGHT)
    for name in ("one", "two"):
        outcome = examination.outcome(f"hidden/test_more.py::test_{name}")
        assert outcome.status is Status.FAILED
        assert "`train_nothing` is not defined" in outcome.message


def test_pytest_shows_no_hidden_values_in_the_message(toy_tree, run_apart):
    add_check(
        toy_tree, "def test_bare(candidate):\n    secret = 41\n    assert candidate.add(1, 1) == secret\n"
    )
    examination, _ = run_apart(RIGHT)
    assert examination.outcome("hidden/test_more.py::test_bare").message == "the check failed"


def test_measurements_and_evidence_are_kept(run, tmp_path):
    examination = run(RIGHT)
    assert examination.measurement("mean_error").value == pytest.approx(0, abs=1e-9)
    assert examination.measurement("mean_error").n == 50
    (artifact,) = examination.artifacts
    assert artifact.name == "text/numbers"
    assert (tmp_path / "artifacts" / f"{artifact.sha256}.safetensors").exists()


def test_the_same_request_gives_the_same_result_to_the_byte(run):
    assert run(RIGHT).model_dump_json() == run(RIGHT).model_dump_json()


def test_self_check_runs_the_public_checks_only(run):
    assert [o.check for o in run(RIGHT, groups=("public",)).outcomes] == [ADD]


def test_one_more_death_of_the_shared_worker_is_not_waited_for_again(toy_tree, run):
    checks = "\n".join(f"def test_{i}(candidate): candidate.add({i}, 1)" for i in range(6))
    add_check(toy_tree, checks)
    starts = run("import os\n" + RIGHT.replace("return a + b", "os._exit(3)"), sandbox="process")
    failed = [o for o in starts.outcomes if "ended by itself (exit code 3)" in o.message]
    assert len(failed) == 7


def test_the_process_reads_a_request_and_leaves_its_results_in_a_folder(run_apart, tmp_path):
    examination, said = run_apart(RIGHT)
    out = tmp_path / "out"
    assert f"check: {ADD}" in said.splitlines()
    assert examination.status is Status.PASSED
    assert json.loads((out / "usage.json").read_text())["sessions"] == 2


def test_the_engine_knows_no_assignment_by_name():
    package = Path(sys.modules["grader"].__file__).parent
    engine = [p for p in package.rglob("*.py") if "demo" not in p.parts]
    assert len(engine) > 40
    for path in engine:
        assert "a1_language" not in path.read_text(encoding="utf-8"), path
        assert "a3_variational" not in path.read_text(encoding="utf-8"), path
