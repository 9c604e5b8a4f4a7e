import shutil

import pytest

from grader.course.validate import validate

from .trees import HIDDEN_CHECKS, PUBLIC_CHECKS, TOY, replace, write

SETTINGS = "assignments/a1_toys/assignment.toml"
RUBRIC = "rubrics/a1_toys.toml"
CHECKS = "assignments/a1_toys/checks/hidden/test_toy.py"
BANDS = "reference_solutions/a1_toys/bands.json"


def lines(tree):
    return [str(finding) for finding in validate(tree)]


def test_a_good_course_has_no_findings(tree):
    assert lines(tree) == []


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("README.md", "README.md: missing file; it is the handout"),
        ("starter", "starter: missing or empty; it is what students begin with"),
        ("checks/public", "checks/public: no public checks; write a test_*.py"),
        ("checks/hidden", "checks/hidden: no hidden checks; write a test_*.py"),
        ("assignment.toml", "assignment.toml: missing file"),
    ],
)
def test_every_missing_part_of_an_assignment_is_named(tree, gone, expected):
    path = tree.assignment_dir("a1_toys") / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"error: assignments/a1_toys/{expected}" in lines(tree)


@pytest.mark.parametrize("seed", ["20250606", "42", "0"])
def test_a_seed_that_can_be_guessed_is_a_warning(tree, seed):
    replace(tree.root / SETTINGS, "seed = 3141592653589793", f"seed = {seed}")
    (line,) = lines(tree)
    assert line.startswith(
        f"warning: {SETTINGS}: seed: {seed} can be guessed, and whoever knows it knows every"
    )
    assert "secrets.randbits(62)" in line


def test_a_missing_reference_is_named(tree):
    shutil.rmtree(tree.reference_dir("a1_toys"))
    found = lines(tree)
    assert "error: reference_solutions/a1_toys: missing or empty; it must earn full marks" in found
    assert (
        "error: reference_solutions/a1_toys/toy.py: missing file; a task of assignment.toml names it" in found
    )


def test_a_criterion_of_a_task_that_is_none_is_named(tree):
    replace(tree.root / RUBRIC, 'kind = "check"', 'kind = "check"\ntask = "vea"')
    assert any("criteria[" in line and "no task 'vea' in assignment.toml" in line for line in lines(tree))


def test_a_missing_rubric_is_named(tree):
    tree.rubric_path("a1_toys").unlink()
    assert lines(tree) == ["error: rubrics/a1_toys.toml: missing file"]


def test_an_empty_folder_of_an_assignment_lists_all_that_it_lacks(tree):
    (tree.root / "assignments" / "a2_new").mkdir()
    (tree.root / "assignments" / "__pycache__").mkdir()
    (tree.root / "assignments" / ".cache").mkdir()
    assert [line.split(": ")[1] for line in lines(tree)] == [
        "assignments/a2_new/assignment.toml",
        "assignments/a2_new/README.md",
        "assignments/a2_new/starter",
        "assignments/a2_new/checks/public",
        "assignments/a2_new/checks/hidden",
        "reference_solutions/a2_new",
        "rubrics/a2_new.toml",
    ]


def test_mistakes_of_every_file_are_found_in_one_go(tree):
    replace(tree.root / "course.toml", "weight = 45", "weight = 46")
    replace(tree.root / SETTINGS, "seed", "sead")
    replace(tree.root / RUBRIC, "points = 40", "points = -1")
    replace(tree.root / BANDS, "1.5", '"x"')
    found = lines(tree)
    assert "error: course.toml: components: weights sum to 101, expected 100" in found
    assert f"error: {SETTINGS}: sead: unknown field; did you mean 'seed'?" in found
    assert f"error: {RUBRIC}: criteria[shape].points: expected a number, 0 or more, got -1" in found
    assert len(found) == 4


def test_a_mistake_in_the_bands_is_found(tree):
    replace(tree.root / BANDS, "1.5", '"x"')
    assert lines(tree) == [f"error: {BANDS}: bands.toy_loss.full_at: expected a number, got 'x'"]


def test_a_deadline_that_is_no_time_is_found(tree):
    replace(tree.root / SETTINGS, "2031-03-01 23:59", "2031-02-30 23:59")
    (line,) = lines(tree)
    assert line.startswith(f"error: {SETTINGS}: deadline: '2031-02-30 23:59': ")


def test_an_item_without_a_folder_comes_with_the_nearest(tree):
    replace(tree.root / "course.toml", "a1_toys", "a1_toyz")
    assert lines(tree) == [
        "error: course.toml: components.assignments.items: no folder assignments/a1_toyz; did you mean 'a1_toys'?"
    ]


def test_a_rubric_without_an_assignment_is_found(tree):
    write(tree.root / "rubrics" / "a9_gone.toml", "")
    assert lines(tree) == [
        "error: rubrics/a9_gone.toml: no folder assignments/a9_gone; expected one of a1_toys"
    ]


def test_points_that_do_not_sum_to_a_hundred_are_a_warning(tree):
    replace(tree.root / RUBRIC, "points = 40", "points = 39.5")
    assert lines(tree) == [f"warning: {RUBRIC}: criteria: points sum to 99.5, usually 100"]


def test_a_check_that_does_not_exist_comes_with_the_nearest(tree):
    replace(tree.root / RUBRIC, "::test_sum", "::test_summ")
    found = lines(tree)
    assert (
        f"error: {RUBRIC}: criteria[shape]: no check 'hidden/test_toy.py::test_summ'; "
        "did you mean 'hidden/test_toy.py::test_sum'?" in found
    )


def test_a_check_that_no_criterion_uses_is_a_warning(tree):
    replace(tree.root / CHECKS, "def test_loss", "def test_more(candidate):\n    pass\n\ndef test_loss")
    assert lines(tree) == [f"warning: {RUBRIC}: criteria: no criterion uses 'hidden/test_toy.py::test_more'"]


def test_a_check_file_that_does_not_parse_is_found(tree):
    write(tree.root / CHECKS, "def test_(:")
    assert any(line.startswith(f"error: {CHECKS}: not valid Python: ") for line in lines(tree))


def test_a_check_for_an_unknown_task_is_found(tree):
    replace(tree.root / CHECKS, 'task("toy")', 'task("toys")')
    assert lines(tree) == [f"error: {CHECKS}: no task 'toys' in assignment.toml; did you mean 'toy'?"]


def test_a_starter_defines_the_names_of_the_contract(tree):
    starter = tree.assignment_dir("a1_toys") / "starter" / "toy.py"
    write(starter, "from toys import Thing as Toy\nlimit = 3\nfor _ in (): pass\n")
    assert lines(tree) == ["error: assignments/a1_toys/starter/toy.py: does not define train"]
    write(starter, "import toys as Toy\ntrain = print\n")
    assert lines(tree) == []
    write(starter, "class Toy(:\n")
    assert lines(tree) == ["error: assignments/a1_toys/starter/toy.py: does not define Toy, train"]


def test_a_starter_may_be_a_notebook(tree):
    starter = tree.assignment_dir("a1_toys") / "starter" / "toy.py"
    starter.rename(starter.with_suffix(".ipynb"))
    assert lines(tree) == []
    starter.with_suffix(".ipynb").rename(starter.with_name("other.ipynb"))
    assert lines(tree) == [
        "error: assignments/a1_toys/starter/toy.py: missing file; a task of assignment.toml names it"
    ]


def test_a_metric_that_no_check_measures_is_found(tree):
    replace(tree.root / CHECKS, '"toy_loss"', '"toy_lose"')
    assert lines(tree) == [
        f"error: {RUBRIC}: criteria[loss].metric: no check measures 'toy_loss'; did you mean 'toy_lose'?"
    ]


def test_a_metric_with_a_computed_name_is_given_the_benefit_of_the_doubt(tree):
    replace(tree.root / CHECKS, 'measure("toy_loss"', 'measure("toy" + "_loss"')
    assert lines(tree) == []


def test_the_rubric_names_the_check_that_measures(tree):
    replace(tree.root / RUBRIC, 'requires = ["hidden/test_toy.py::test_loss"]', 'requires = ["public"]')
    assert lines(tree)[-1] == (
        f"error: {RUBRIC}: criteria[loss].metric: name hidden/test_toy.py::test_loss in requires or checks; "
        "its outcome explains a missing 'toy_loss'"
    )
    replace(tree.root / RUBRIC, 'requires = ["public"]', 'checks = ["hidden"]')
    assert lines(tree) == []


def test_a_metric_measured_by_a_fixture_needs_any_check_that_explains_it(tree):
    replace(tree.root / CHECKS, '    measure("toy_loss", 1.0, unit="nats", n=3)', "    pass")
    write(
        tree.checks_dir("a1_toys") / "conftest.py",
        "def measure_all(measure):\n    measure('toy_loss', 1)\n",
    )
    assert lines(tree) == []
    replace(tree.root / RUBRIC, 'requires = ["hidden/test_toy.py::test_loss"]', "")
    assert lines(tree)[-1].endswith(
        "name the check that measures it in requires or checks; its outcome explains a missing 'toy_loss'"
    )


def test_missing_bands_ask_for_a_calibration(tree):
    tree.bands_path("a1_toys").unlink()
    assert lines(tree) == [f"error: {BANDS}: missing file for toy_loss; give 'grader calibrate a1_toys'"]


def test_a_metric_without_its_band_is_found(tree):
    replace(tree.root / BANDS, "toy_loss", "toy_lose")
    assert lines(tree) == [
        f"error: {BANDS}: bands.toy_loss: missing; criterion 'loss' needs it; did you mean 'toy_lose'?"
    ]


def test_a_band_the_wrong_way_round_is_found(tree):
    replace(tree.root / RUBRIC, 'scale = "log"', 'direction = "higher"')
    assert lines(tree) == [
        (
            f"error: {BANDS}: bands.toy_loss: full_at is 1.5 and none_at is 4.0, "
            "but full points must lie above, where 'higher' is better"
        )
    ]


def test_a_log_scale_with_an_anchor_at_zero_is_found(tree):
    replace(tree.root / BANDS, '"full_at": 1.5', '"full_at": 0')
    assert lines(tree) == [
        f"error: {BANDS}: bands.toy_loss: full_at is 0.0 and none_at is 4.0, but a log scale needs both above 0"
    ]


def test_nothing_of_the_course_is_run(tree):
    bomb = 'raise SystemExit("ran")\n'
    write(tree.root / CHECKS, bomb + HIDDEN_CHECKS)
    write(tree.checks_dir("a1_toys") / "public" / "test_shape.py", bomb + PUBLIC_CHECKS)
    write(tree.reference_dir("a1_toys") / "toy.py", bomb + TOY)
    assert lines(tree) == []


def test_a_rubric_without_metrics_needs_no_bands(tree):
    text = (tree.root / RUBRIC).read_text(encoding="utf-8")
    metric = text[text.index('kind = "metric"') : text.index('[[criteria]]\nid = "essay"')]
    replace(tree.root / RUBRIC, metric, 'kind = "check"\nchecks = ["hidden/test_toy.py::test_loss"]\n')
    tree.bands_path("a1_toys").unlink()
    assert lines(tree) == []
