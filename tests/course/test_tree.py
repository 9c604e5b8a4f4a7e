import pytest

from grader.course.tree import CourseTree
from grader.errors import ConfigurationError

from .trees import ASSIGNMENT, replace, write


def refusal(call, *arguments):
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments)
    return str(caught.value)


def test_the_course_is_found_from_deep_inside_it(tree, monkeypatch):
    monkeypatch.chdir(tree.root / "assignments" / "a1_toys" / "checks" / "public")
    assert CourseTree.open().root == tree.root
    assert CourseTree.open(None).course.title == "Toy Models"


def test_the_course_is_named_by_its_folder_or_its_file(tree):
    assert CourseTree.open(tree.root).root == tree.root.resolve()
    assert CourseTree.open(tree.root / "course.toml").root == tree.root.resolve()


def test_outside_a_course_the_way_in_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no course.toml in" in refusal(CourseTree.open, None)
    assert "name it with --course" in refusal(CourseTree.open, None)
    assert "no course.toml there" in refusal(CourseTree.open, tmp_path / "elsewhere")
    assert "no course.toml there" in refusal(CourseTree.open, tmp_path / "course.toml")


def test_every_part_is_read_from_its_place(tree):
    assert [assignment.id for assignment in tree.assignments()] == ["a1_toys"]
    assert tree.rubric("a1_toys").out_of == 100
    assert tree.bands("a1_toys").bands["toy_loss"].full_at == 1.5
    assert (tree.checks_dir("a1_toys") / "hidden" / "test_toy.py").is_file()
    assert (tree.reference_dir("a1_toys") / "toy.py").is_file()


def test_before_the_first_calibration_there_are_no_bands(tree):
    tree.bands_path("a1_toys").unlink()
    assert tree.bands("a1_toys") is None


def test_an_assignment_answers_to_the_beginning_of_its_id(tree):
    for name in ("a1_toys", "a1_t", "a1", "a"):
        assert tree.assignment(name).id == "a1_toys"


def test_an_ambiguous_beginning_lists_what_it_could_be(tree):
    for name in ("a2_one", "a2_two", "a20_ten"):
        text = ASSIGNMENT.replace("a1_toys", name)
        write(tree.root / "assignments" / name / "assignment.toml", text)
    assert refusal(tree.assignment, "a2") == (
        "assignment 'a2' could be any of a2_one, a2_two; write more of it"
    )
    assert tree.assignment("a20").id == "a20_ten"
    assert tree.assignment("a1").id == "a1_toys"


def test_an_exact_id_is_never_ambiguous(tree):
    write(tree.root / "assignments" / "a1" / "assignment.toml", ASSIGNMENT.replace("a1_toys", "a1"))
    assert tree.assignment("a1").id == "a1"


def test_an_unknown_assignment_comes_with_the_nearest_id(tree):
    assert refusal(tree.assignment, "a1_tois") == "unknown assignment 'a1_tois'; did you mean 'a1_toys'?"
    assert refusal(tree.assignment, "zz") == "unknown assignment 'zz'; expected one of a1_toys"


def test_a_course_without_assignments_says_that_there_are_none(tmp_path):
    write(tmp_path / "course.toml", "")
    assert refusal(CourseTree.open(tmp_path).assignment, "a1") == "unknown assignment 'a1'; there are none"


def test_the_id_of_an_assignment_is_the_name_of_its_folder(tree):
    replace(tree.assignment_dir("a1_toys") / "assignment.toml", '"a1_toys"', '"a2_toys"')
    assert refusal(tree.assignment, "a1") == (
        "assignments/a1_toys/assignment.toml: id: 'a2_toys' is not the name of its folder, 'a1_toys'"
    )


def test_a_deadline_that_the_clocks_skip_is_refused(tree):
    path = tree.assignment_dir("a1_toys") / "assignment.toml"
    replace(path, "2031-03-01 23:59", "2031-03-09 02:30")
    assert "assignments/a1_toys/assignment.toml: deadline: " in refusal(tree.assignment, "a1")
    replace(path, "2031-03-09 02:30", "1 March")
    assert "deadline: '1 March': expected 'YYYY-MM-DD HH:MM'" in refusal(tree.assignment, "a1")


def test_a_mistake_in_the_course_leaves_the_assignments_readable(tree):
    replace(tree.root / "course.toml", "America/Toronto", "EST")
    assert tree.assignment("a1").id == "a1_toys"
    assert refusal(lambda: tree.course).startswith("course.toml: time_zone: 'EST'")


def test_mistakes_of_an_assignment_name_its_file(tree):
    replace(tree.assignment_dir("a1_toys") / "assignment.toml", "seed", "sead")
    assert refusal(tree.assignments).splitlines() == [
        "assignments/a1_toys/assignment.toml: seed: missing; expected a whole number",
        "assignments/a1_toys/assignment.toml: sead: unknown field; did you mean 'seed'?",
    ]


def test_a_rubric_belongs_to_the_assignment_it_is_named_after(tree):
    replace(tree.rubric_path("a1_toys"), 'assignment = "a1_toys"', 'assignment = "a2"')
    assert refusal(tree.rubric, "a1_toys") == (
        "rubrics/a1_toys.toml: assignment: 'a2' is not the name of the file, 'a1_toys'"
    )
    assert refusal(tree.rubric, "a9") == "rubrics/a9.toml: missing file"


def test_the_roster_of_the_course_knows_its_levels_and_assignments(tree, tmp_path):
    path = write(tmp_path / "roster.csv", "student,team,repo_url,level\nlin,lin,https://x/lin,graduate\n")
    write(
        tmp_path / "extensions.csv",
        "team,assignment,deadline,approver,reason_code\nlin,a1,2031-03-05 12:00,ta,M1\n",
    )
    (team,) = tree.roster(path).teams
    assert team.extensions[0].assignment == "a1_toys"
