from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from grader.course.model import Limits
from grader.errors import CandidateTimeout
from grader.examine.exam import STARTING_S, Exam
from grader.examine.fixtures import with_interval
from grader.examine.request import new_request
from grader.sandbox.choose import choose

RIGHT = "def add(a, b):\n    return a + b\n"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def exam(toy_work, toy_material, tmp_path, clock):
    request = new_request(toy_work(RIGHT), toy_material, sandbox="fake", seed=11)
    exam = Exam(request, choose("fake"), artifacts_folder=tmp_path / "artifacts", clock=clock)
    yield exam
    exam.close()


@pytest.fixture
def long_exam(toy_work, toy_material, tmp_path, clock):
    limits = Limits(session_wall_s=100, examination_wall_s=120)
    assignment = toy_material.assignment.model_copy(update={"limits": limits})
    material = toy_material.model_copy(update={"assignment": assignment})
    request = new_request(toy_work(RIGHT), material, sandbox="fake", seed=11)
    exam = Exam(request, choose("fake"), artifacts_folder=tmp_path / "artifacts", clock=clock)
    yield exam
    exam.close()


def test_seeds_differ_by_name_and_not_by_submission(exam, toy_work, toy_material, tmp_path):
    other_request = new_request(toy_work(RIGHT + "#", "team2"), toy_material, sandbox="fake", seed=11)
    other = Exam(other_request, choose("fake"), artifacts_folder=tmp_path)
    other.close()
    assert exam.seed_for("noise") == other.seed_for("noise")
    assert exam.seed_for("noise") != exam.seed_for("prompts")
    assert 0 <= exam.seed_for("noise") < 2**48


def test_a_fresh_worker_remembers_nothing_of_another(toy_material, toy_work, tmp_path):
    source = "seen = []\ndef add(a, b):\n    seen.append(a)\n    return len(seen)\n"
    exam = Exam(
        new_request(toy_work(source), toy_material, sandbox="process", seed=1),
        choose("process"),
        artifacts_folder=tmp_path,
    )
    shared = exam.shared("count")
    assert [shared.add(1, 1), exam.shared("count").add(1, 1)] == [1, 2]
    assert exam.fresh("count").add(1, 1) == 1
    exam.close()
    assert exam.usage().sessions == 2


def test_a_folder_that_is_named_like_a_python_file_spares_nobody_the_checks(exam, toy_work):
    folder = Path(toy_work(RIGHT).folder)
    (folder / "notes.py").mkdir()
    (folder / "notes.py" / "more.py").write_text("seen = 1\n")
    assert exam.shared("count").add(1, 2) == 3


def test_no_question_is_asked_once_the_time_for_the_examination_is_used_up(exam, clock):
    assert exam.shared("count").add(1, 2) == 3
    clock.now = 61.0
    with pytest.raises(CandidateTimeout, match="used up the 60 s for the whole examination"):
        exam.shared("count")


def test_an_unknown_task_is_our_mistake_and_not_the_students(exam):
    with pytest.raises(LookupError, match="no task 'sort' in t1_toy"):
        exam.fresh("sort")


def test_config_and_budget_are_namespaces(exam):
    assert exam.config("count") == SimpleNamespace()
    assert exam.budget("count") == SimpleNamespace()


def test_a_note_is_kept_once(exam):
    exam.note("uses tuples")
    exam.note("uses tuples")
    assert exam.notes == ["uses tuples"]


def test_the_folders_of_the_assignment_are_known_to_checks(exam):
    assert exam.hidden_dir.name == "hidden"
    assert exam.data_dir.name == "data"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("images", np.zeros((2, 8, 8))), ("curve", [3.0, 2.0, 1.0]), ("text", "call me \x1b[31m")],
)
def test_the_same_evidence_has_the_same_name_and_bytes(exam, kind, value):
    exam.artifact(kind, "it", value)
    exam.artifact(kind, "it", value)
    first, second = exam.artifacts
    assert first == second
    assert first.name == f"{kind}/it"


def test_an_unknown_kind_of_evidence_is_refused(exam):
    with pytest.raises(ValueError, match="artifact kind 'sound'"):
        exam.artifact("sound", "it", [1.0])


def test_an_interval_is_two_standard_errors_to_each_side():
    figure = with_interval("bits", 2.0, standard_error=0.25, unit="bits", n=9)
    assert (figure.low, figure.high) == (1.5, 2.5)


def test_what_could_not_be_measured_has_no_number():
    figure = with_interval("bits", None, unit="bits", n=0)
    assert figure.value is None
    assert figure.low is None


def test_a_worker_may_live_no_longer_than_the_examination(long_exam, clock):
    clock.now = 45.5
    with pytest.raises(CandidateTimeout), long_exam.fresh("count") as late:
        assert late.limits.session_wall_s == 74
        clock.now = 120.5
        long_exam.check_time()


def test_whoever_uses_up_the_time_cannot_make_the_next_worker_fail_to_start(long_exam, clock):
    clock.now = 119.9
    with long_exam.fresh("count") as late:
        assert late.limits.session_wall_s == STARTING_S
        assert late.add(1, 2) == 3


def test_a_submission_sees_its_code_and_none_of_its_other_files(toy_work, toy_material, tmp_path):
    source = "import os\ndef add(a, b):\n    return sorted(os.listdir('/submission'))\n"
    work = toy_work(source)
    (Path(work.folder) / "weights.npz").write_bytes(b"trained at home")
    (Path(work.folder) / "part").mkdir()
    (Path(work.folder) / "part" / "__init__.py").write_text("")
    for allowed, seen in ((False, ["counting.py", "part"]), (True, ["counting.py", "part", "weights.npz"])):
        assignment = toy_material.assignment.model_copy(update={"own_files": allowed})
        material = toy_material.model_copy(update={"assignment": assignment})
        request = new_request(work, material, sandbox="bubblewrap", seed=1)
        exam = Exam(request, choose("bubblewrap"), artifacts_folder=tmp_path)
        assert exam.shared("count").add(1, 1) == seen
        exam.close()


def test_a_long_curve_is_thinned_before_it_is_kept(exam, tmp_path):
    exam.artifact("curve", "loss", np.linspace(9, 1, 100_000))
    (file,) = (tmp_path / "artifacts").iterdir()
    assert file.stat().st_size < 20_000
