import json
import shutil
import subprocess
import sys
from pathlib import Path

import git
import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.demo.forge import Forge
from grader.starter_notebook import write_notebook

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"


@pytest.fixture
def grader():
    """Run a command in this process: `grader('validate', '--course', …)`."""

    def run(*arguments, **options):
        return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)

    return run


@pytest.fixture
def class_of_two(toy_tree, tmp_path):
    forge = Forge(tmp_path / "forge", toy_tree.course.time_zone)
    forge.folder.mkdir()
    for handle, source in (("ada", RIGHT), ("bob", RIGHT.replace("a + b", "a - b"))):
        checkout = forge.create(handle)
        checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": source})
        checkout.push("2025-06-05 12:00")
        checkout.close()
    rows = [f"{h},{h},{forge.url(h)}" for h in ("ada", "bob")]
    (toy_tree.root / "roster.csv").write_text("\n".join(["student,team,repo_url", *rows]) + "\n")
    return toy_tree.root


def test_help_imports_neither_torch_nor_the_pipeline():
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom grader.cli import main\n"
        "result = CliRunner().invoke(main, ['--help'])\nassert result.exit_code == 0\n"
        "print([m for m in ('torch', 'numpy', 'pandas', 'git', 'grader.pipeline') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_and_its_command_line_run_as_modules_too():
    for module in ("grader", "grader.cli"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(f"Usage: python -m {module} [OPTIONS] COMMAND"), module


def test_every_command_has_help_that_says_what_it_does(grader):
    for name, command in main.commands.items():
        result = grader(name, "--help")
        assert result.exit_code == 0
        assert command.help, name


def test_grade_prints_marks_with_reasons_as_json(grader, class_of_two):
    result = grader(
        "grade", "t1", "--course", class_of_two, "--only", "ada", "--json", "--sandbox", "fake", "-q"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (sheet,) = found["marksheets"]
    marks = {mark["criterion"]: mark for mark in sheet["marks"]}
    assert marks["add"]["points"] == "40"
    assert marks["add"]["reason"]
    assert marks["essay"]["points"] is None


def test_grade_tells_people_where_to_look(grader, class_of_two):
    result = grader("grade", "t1", "--course", class_of_two, "--sandbox", "fake")
    assert "ada" in result.stdout
    assert "bob" in result.stdout
    assert str(class_of_two / "reports" / "index.html") in result.stdout.replace("\n", "")
    assert "collected" in result.stderr


def test_collect_keeps_what_it_sees_and_names_what_it_cannot_reach(grader, class_of_two):
    assert grader("collect", "--course", class_of_two).exit_code == 0
    assert list((class_of_two / ".grader" / "ledger").rglob("*.txt"))
    shutil.rmtree(class_of_two.parent / "forge" / "bob.git")
    result = grader("collect", "--course", class_of_two)
    assert result.exit_code == 1
    assert result.stdout.startswith("bob: ")


def test_an_unknown_assignment_is_named_with_the_nearest(grader, class_of_two):
    result = grader("grade", "t7", "--course", class_of_two)
    assert result.exit_code == 3
    assert "unknown assignment 't7'" in result.stderr


def test_an_unknown_team_is_refused_before_anything_runs(grader, class_of_two):
    result = grader("grade", "t1", "--course", class_of_two, "--only", "adda")
    assert result.exit_code == 3
    assert "did you mean 'ada'" in result.stderr
    assert not (class_of_two / ".grader").exists()


def test_a_sandbox_that_cannot_be_used_is_refused_before_anything_runs(grader, class_of_two):
    result = grader("grade", "t1", "--course", class_of_two, "--sandbox", "landlock")
    assert result.exit_code == 4
    assert "add --allow-degraded" in result.stderr
    assert not (class_of_two / ".grader" / "events.jsonl").exists()


def test_a_missing_roster_is_an_error_that_names_it(grader, toy_tree):
    result = grader("grade", "t1", "--course", toy_tree.root)
    assert result.exit_code == 3
    assert "roster.csv" in result.stderr


def test_report_marks_again_without_running_anything(grader, class_of_two):
    grader("grade", "t1", "--course", class_of_two, "--sandbox", "fake", "-q")
    (class_of_two / "marks").mkdir()
    (class_of_two / "marks" / "t1_toy.csv").write_text(
        "team,criterion,points,reason\nada,essay,20,fine\nbob,essay,10,fair\n"
    )
    result = grader("report", "--course", class_of_two, "--sandbox", "fake")
    assert result.exit_code == 1, "no exam marks yet"
    assert "2 of 2 students have no total yet" in result.stderr
    assert "100" in (class_of_two / "reports" / "grades.csv").read_text()


def test_validate_finds_nothing_wrong_with_the_toy_course(grader, toy_tree):
    result = grader("validate", "--course", toy_tree.root)
    assert result.exit_code == 0, result.output
    assert "roster.csv: not here yet" in result.output


def test_validate_names_file_field_and_the_nearest_name(grader, toy_tree):
    settings = toy_tree.assignment_dir("t1_toy") / "assignment.toml"
    settings.write_text(settings.read_text().replace("question_s", "questions_s"))
    result = grader("validate", "--course", toy_tree.root)
    assert result.exit_code == 3
    assert "assignments/t1_toy/assignment.toml: limits.questions_s" in result.output
    assert "question_s" in result.output


def test_doctor_says_what_isolates_here(grader):
    result = grader("doctor", "--json")
    assert json.loads(result.stdout)["isolates"] is (result.exit_code == 0)


@pytest.fixture
def student_folder(grader, toy_tree, tmp_path):
    folder = tmp_path / "mine" / "t1"
    assert grader("starter", "t1", folder, "--course", toy_tree.root).exit_code == 0
    return folder


def test_the_starter_holds_nothing_hidden(student_folder):
    names = {p.relative_to(student_folder).as_posix() for p in student_folder.rglob("*") if p.is_file()}
    assert {"counting.py", "grading.toml", "assignment/checks/public/test_add.py"} <= names
    assert not any("hidden" in name or "reference" in name for name in names)
    assert "seed = 11" not in (student_folder / "assignment" / "assignment.toml").read_text()


def test_the_starter_is_not_written_over_work(grader, toy_tree, student_folder):
    result = grader("starter", "t1", student_folder, "--course", toy_tree.root)
    assert result.exit_code == 3
    assert "not empty" in result.stderr


def test_check_says_that_an_unfilled_starter_is_not_implemented(grader, student_folder):
    result = grader("check", student_folder)
    assert result.exit_code == 1
    assert "todo test_add_adds: `add` is not implemented yet" in result.stdout
    assert "0 of 1 public checks passed" in result.stdout


def test_check_runs_the_same_public_checks_as_grading(grader, student_folder):
    (student_folder / "counting.py").write_text(RIGHT)
    result = grader("check", student_folder, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["outcomes"][0]["check"] == "public/test_add.py::test_add_adds"


def test_check_runs_the_checks_of_one_task(grader, student_folder):
    said = grader("check", student_folder, "--task", "count").stdout
    assert "0 of 1 public checks passed (task count of t1_toy)" in said


def test_check_refuses_a_task_that_is_none(grader, student_folder):
    result = grader("check", student_folder, "--task", "cuonting")
    assert result.exit_code == 3
    assert "unknown task 'cuonting'; did you mean 'count'?" in result.stderr


def test_check_says_what_would_not_be_collected(grader, student_folder, tmp_path):
    assert "not in a Git repository" in grader("check", student_folder).stdout
    repository = git.Repo.init(tmp_path / "mine", initial_branch="main")
    assert "no commit yet" in grader("check", student_folder).stdout
    who = git.Actor("s", "s@example.edu")
    repository.index.add(["t1/counting.py"])
    repository.index.commit("start", author=who, committer=who)
    said = grader("check", student_folder).stdout
    assert "are not committed and would not count" in said
    assert "the deadline is 2025-06-06 23:59:59 America/Toronto, unless you were given another" in said
    assert "nothing was ever pushed" in said
    bare = git.Repo.init(tmp_path / "bare.git", bare=True)
    repository.create_remote("origin", str(tmp_path / "bare.git")).push("main", set_upstream=True)
    assert "is in origin/main, as far as this computer knows" in grader("check", student_folder).stdout
    (student_folder / "counting.py").write_text(RIGHT)
    repository.index.add(["t1/counting.py"])
    repository.index.commit("more", author=who, committer=who)
    assert "1 commit here is not in origin/main" in grader("check", student_folder).stdout
    repository.close()
    bare.close()


def test_check_refuses_settings_of_another_assignment(grader, student_folder):
    (student_folder / "grading.toml").write_text('assignment = "t2"\n')
    result = grader("check", student_folder)
    assert result.exit_code == 3
    assert "found 't2', but the folder 'assignment' here is of 't1_toy'" in result.stderr


def test_check_in_a_folder_without_settings_says_what_to_do(grader, tmp_path):
    result = grader("check", tmp_path)
    assert result.exit_code == 3
    assert "no grading.toml here" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"), [("assignmet = 't1'", "did you mean 'assignment'"), ("x = ", "not valid TOML")]
)
def test_check_names_the_mistake_in_the_settings(grader, tmp_path, text, said):
    (tmp_path / "grading.toml").write_text(text)
    result = grader("check", tmp_path)
    assert result.exit_code == 3
    assert said in result.stderr


def test_check_finds_the_assignment_in_a_course_tree_above(grader, toy_tree):
    folder = toy_tree.root / "work"
    shutil.copytree(toy_tree.assignment_dir("t1_toy") / "starter", folder)
    assert "0 of 1 public checks passed" in grader("check", folder).stdout


def test_calibrate_writes_the_band_of_the_reference(grader, toy_tree):
    toy_tree.bands_path("t1_toy").unlink()
    result = grader("calibrate", "t1", "--seeds", 3, "--course", toy_tree.root, "--sandbox", "fake")
    assert result.exit_code == 0, result.output
    band = json.loads(toy_tree.bands_path("t1_toy").read_text())["bands"]["mean_error"]
    assert band["n"] == 3
    assert band["none_at"] == 100


def test_calibrating_one_task_leaves_the_bands_of_the_others(grader, toy_tree):
    path = toy_tree.bands_path("t1_toy")
    rubric = toy_tree.rubric_path("t1_toy")
    rubric.write_text(
        f'{rubric.read_text()}\n[[criteria]]\nid = "other"\ntitle = "Other"\npoints = 5\nkind = "metric"\n'
        'task = "another"\nmetric = "other_error"\n'
    )
    before = json.loads(path.read_text())
    other = {"mean": 1.0, "standard_deviation": 0.1, "n": 3, "full_at": 2.0, "none_at": 9.0, "unit": ""}
    before["bands"] |= {"other_error": other, "no_longer_in_the_rubric": other}
    path.write_text(json.dumps(before))
    command = ["--seeds", 3, "--task", "count", "--course", toy_tree.root, "--sandbox", "fake"]
    assert grader("calibrate", "t1", *command).exit_code == 0
    after = json.loads(path.read_text())["bands"]
    assert after["other_error"] == other
    assert sorted(after) == ["mean_error", "other_error"]


def test_calibrate_refuses_a_reference_that_fails(grader, toy_tree):
    reference = toy_tree.reference_dir("t1_toy") / "counting.py"
    reference.write_text(reference.read_text().replace("a + b", "a"))
    result = grader("calibrate", "t1", "--seeds", 3, "--course", toy_tree.root, "--sandbox", "fake")
    assert result.exit_code == 4
    assert "the reference does not pass public/test_add.py::test_add_adds" in result.stderr


def test_the_version_is_that_of_the_package(grader):
    assert "0.5.0" in grader("--version").stdout


def test_the_readme_names_every_command():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for name in main.commands:
        assert f"grader {name}" in readme, name


def test_another_scale_gets_bands_of_its_own(grader, toy_tree):
    settings = toy_tree.assignment_dir("t1_toy") / "assignment.toml"
    settings.write_text(settings.read_text() + "\n[scales.large]\ntrain_images = 9\n")
    before = toy_tree.bands_path("t1_toy").read_bytes()
    command = ("--seeds", 3, "--course", toy_tree.root, "--sandbox", "fake", "--scale")
    result = grader("calibrate", "t1", *command, "large")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip().endswith("bands_large.json")
    assert toy_tree.bands_path("t1_toy").read_bytes() == before
    refused = grader("calibrate", "t1", *command, "huge")
    assert refused.exit_code == 3
    assert "t1_toy has no scale 'huge'" in refused.stderr


def test_a_starter_may_be_one_notebook(grader, toy_tree, tmp_path):
    write_notebook(toy_tree, "t1")
    chosen = ("starter", "t1", tmp_path / "t1", "--form", "notebook", "--course", toy_tree.root)
    assert grader(*chosen).exit_code == 0
    assert [path.suffix for path in (tmp_path / "t1").glob("*.*")].count(".ipynb") == 1
    checked = grader("check", tmp_path / "t1")
    assert "is not implemented yet" in checked.stdout
