from grader.course.check_files import read_check_files

from .trees import write


def only_file(tmp_path, text, name="hidden/test_x.py"):
    write(tmp_path / name, text)
    (file,) = read_check_files(tmp_path)
    return file


def test_checks_are_functions_and_methods_that_begin_with_test(tmp_path):
    text = """
def test_one(): ...
def helper(): ...
class TestGroup:
    def test_two(self): ...
    def setup(self): ...
class Other:
    def test_never(self): ...
"""
    assert only_file(tmp_path, text).checks == (
        "hidden/test_x.py::test_one",
        "hidden/test_x.py::TestGroup::test_two",
    )


def test_helpers_and_files_outside_the_groups_hold_no_checks(tmp_path):
    assert only_file(tmp_path, "def test_x(): ...", "conftest.py").checks == ()
    (tmp_path / "conftest.py").unlink()
    assert only_file(tmp_path, "def test_x(): ...", "public/helpers.py").checks == ()
    (tmp_path / "public/helpers.py").unlink()
    assert only_file(tmp_path, "def test_x(): ...", "drafts/test_x.py").checks == ()


def test_compiled_files_are_passed_over(tmp_path):
    write(tmp_path / "public" / "__pycache__" / "test_x.py", "def test_x(): ...")
    assert read_check_files(tmp_path) == ()


def test_a_measurement_is_known_by_the_check_that_records_it(tmp_path):
    text = """
NAME = "by_constant"
COUNT = 3
def test_a(measure):
    measure("by_text", 1)
    measure(value=1, name="by_keyword")
def test_b(exam, measure):
    exam.measure(NAME, 1)
    measure("by_text", 2)
    print(measure)
def record(measure):
    measure("by_helper", 1)
"""
    file = only_file(tmp_path, text)
    a, b = "hidden/test_x.py::test_a", "hidden/test_x.py::test_b"
    assert file.measured == {
        "by_text": (a, b),
        "by_keyword": (a,),
        "by_constant": (b,),
        "by_helper": (),
    }
    assert not file.measures_computed_names


def test_a_computed_name_of_a_measurement_is_noticed(tmp_path):
    for call in ('measure(f"loss_{n}", 1)', "measure(name_of(n), 1)", "measure(UNKNOWN, 1)", "measure()"):
        assert only_file(tmp_path, f"def test_a(measure, n):\n    {call}\n").measures_computed_names


def test_tasks_are_read_from_the_marker(tmp_path):
    text = (
        'import pytest\npytestmark = pytest.mark.task("vae")\n@pytest.mark.task("gan")\ndef test_a(): ...\n'
    )
    assert set(only_file(tmp_path, text).tasks) == {"vae", "gan"}


def test_a_file_that_does_not_parse_says_so(tmp_path):
    assert only_file(tmp_path, "def test_(:").problem.startswith("not valid Python: ")
    assert only_file(tmp_path, "x = '\0'").problem.startswith("not valid Python: ")
