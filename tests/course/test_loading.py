import pytest

from grader.course.loading import read_record
from grader.course.model import Assignment, Bands, Course, LatePolicy, Rubric
from grader.errors import ConfigurationError
from grader.records import Record

from .trees import ASSIGNMENT, BANDS, COURSE, RUBRIC, write


@pytest.fixture
def lines(tmp_path):
    """The mistakes in a text that is read as a record, line by line."""

    def found(text, record_type, name="file.toml"):
        path = write(tmp_path / name, text)
        return [str(mistake) for mistake in read_record(path, record_type, file=name).mistakes]

    return found


def test_a_file_without_mistakes_becomes_a_frozen_record_with_exact_decimals(tmp_path):
    path = write(tmp_path / "late.toml", "rate = 0.10\nmax_days = 3\n")
    late = read_record(path, LatePolicy, file="late.toml").record()
    assert str(late.rate) == "0.1"
    assert late.max_days == 3


def test_lists_become_tuples_and_tables_keep_the_types_of_their_values(tmp_path):
    path = write(tmp_path / "assignment.toml", ASSIGNMENT)
    task = read_record(path, Assignment, file="assignment.toml").record().tasks[0]
    assert task.names == ("Toy", "train")
    assert task.config == {"width": 8, "rate": 0.5, "wide": True, "name": "x"}
    assert [type(value) for value in task.config.values()] == [int, float, bool, str]


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "late.toml"
    path.write_bytes(b"\xef\xbb\xbfmax_days = 1\r\nrate = 0.2\r\n")
    assert read_record(path, LatePolicy, file="late.toml").record().max_days == 1


def test_an_unknown_field_comes_with_the_nearest_name(lines):
    text = ASSIGNMENT.replace("session_wall_s", "sesion_wall_s")
    assert lines(text, Assignment) == [
        "file.toml: limits.sesion_wall_s: unknown field; did you mean 'session_wall_s'?"
    ]


def test_an_unknown_field_like_no_other_comes_with_all_names(lines):
    assert lines("weather = 1", LatePolicy) == [
        "file.toml: weather: unknown field; expected one of base, enabled, grace_minutes, max_days, rate, takes"
    ]


def test_a_value_of_the_wrong_kind_says_what_is_expected_and_what_was_found(lines):
    text = ASSIGNMENT.replace("= 60", '= "60 minutes"')
    assert lines(text, Assignment) == [
        "file.toml: limits.session_wall_s: expected a whole number above 0, got '60 minutes'"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('enabled = "yes"', "enabled: expected true or false, got 'yes'"),
        ("max_days = true", "max_days: expected a whole number, 0 or more, got true"),
        ("max_days = 1.5", "max_days: expected a whole number, 0 or more, got 1.5"),
        ("rate = 2", "rate: expected a number from 0 to 1, got 2"),
        ("rate = []", "rate: expected a number from 0 to 1, got a list"),
        ('base = "posible"', "base: expected 'earned' or 'possible', got 'posible'"),
        ("takes = {}", "takes: expected 'on_time' or 'latest', got a table"),
        ("rate = nan", "rate: expected a number, got nan"),
        ("rate = inf", "rate: expected a number, got inf"),
    ],
)
def test_every_kind_of_field_has_its_words(lines, text, expected):
    assert lines(text, LatePolicy) == [f"file.toml: {expected}"]


def test_a_long_value_is_cut(lines):
    (line,) = lines(f'base = "{"x" * 500}"', LatePolicy)
    assert line.endswith("xxx...")
    assert len(line) < 200


def test_a_value_of_a_table_with_several_allowed_types_is_reported_once(lines):
    text = ASSIGNMENT.replace("width = 8", "width = [8]")
    assert lines(text, Assignment) == [
        "file.toml: tasks[toy].config.width: expected a whole number or a number or a text or true or false, got a list"
    ]


def test_a_list_where_a_text_belongs_names_the_entry_of_the_list(lines):
    text = ASSIGNMENT.replace('"train"', "3")
    assert lines(text, Assignment) == ["file.toml: tasks[toy].names[1]: expected a text, got 3"]
    text = ASSIGNMENT.replace('["Toy", "train"]', '"Toy"')
    assert lines(text, Assignment) == ["file.toml: tasks[toy].names: expected a list, each a text, got 'Toy'"]


def test_a_missing_field_says_what_belongs_there(lines):
    text = (
        ASSIGNMENT.replace('module = "toy"\n', "")
        .replace('id = "toy"\n', "")
        .replace("seed = 3141592653589793\n", "")
    )
    assert lines(text, Assignment) == [
        "file.toml: seed: missing; expected a whole number",
        "file.toml: tasks[0].id: missing; expected a text",
        "file.toml: tasks[0].module: missing; expected a text",
    ]


def test_a_whole_table_of_the_wrong_kind_is_one_mistake(lines):
    text = COURSE.replace('below = "F"\nletters = { A = 80, B = 50 }', 'letters = "A"')
    assert lines(text, Course) == [
        "file.toml: scales.undergraduate.letters: expected a table, each a whole number, got 'A'",
        "file.toml: scales.undergraduate.below: missing; expected a text",
    ]


def test_a_bare_date_is_refused_with_the_text_to_write(lines):
    text = ASSIGNMENT.replace('"2031-03-01 23:59"', "2031-03-01 23:59:00")
    assert lines(text, Assignment) == [
        'file.toml: deadline: a bare date; write it in quotes: "2031-03-01 23:59:00"'
    ]


def test_a_bare_time_inside_a_list_is_refused_too(lines):
    text = ASSIGNMENT.replace('"train"]', "07:30:00]")
    assert lines(text, Assignment) == [
        'file.toml: tasks[toy].names[1]: a bare date; write it in quotes: "07:30:00"'
    ]


def test_all_mistakes_of_a_file_come_at_once(tmp_path):
    path = write(tmp_path / "late.toml", 'rat = 1\nmax_days = -1\nbase = 3\nrate = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        read_record(path, LatePolicy, file="late.toml").record()
    assert len(str(caught.value).splitlines()) == 4


def test_contradictions_are_looked_for_once_every_value_is_welcome(lines):
    bands = BANDS.replace('"mean": 1', '"mean": NaN').replace('"full_at": 1.5', '"full_at": 4.0')
    found = lines(bands, Bands, name="bands.json")
    assert found == ["bands.json: bands.toy_loss.mean: expected a number, got nan"]
    assert lines(bands.replace("NaN", "2"), Bands, name="bands.json") == [
        "bands.json: bands.toy_loss: full_at and none_at are both 4.0; calibrate again"
    ]


def test_a_json_file_that_is_no_table_is_refused(lines):
    assert lines("[1, 2]", Bands, name="bands.json") == ["bands.json: expected a table, got a list"]
    assert lines("3", Bands, name="bands.json") == ["bands.json: expected a table, got 3"]


def test_broken_syntax_names_the_line(lines):
    assert lines("a = 1\nb = = 2", LatePolicy) == [
        "file.toml: not valid TOML: Invalid value (at line 2, column 5)"
    ]
    (line,) = lines('{"a": }', Bands, name="bands.json")
    assert line.startswith("bands.json: not valid JSON: Expecting value: line 1 column 7")


def test_unreadable_files_say_why(tmp_path, lines):
    def only(path):
        (mistake,) = read_record(path, LatePolicy, file="late.toml").mistakes
        return str(mistake)

    assert only(tmp_path / "nowhere.toml") == "late.toml: missing file"
    assert only(tmp_path) == "late.toml: cannot be read: is a directory"
    (tmp_path / "late.toml").write_bytes(b"a = '\xff'")
    assert only(tmp_path / "late.toml") == "late.toml: not UTF-8 text; save it again as UTF-8"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("weight = 45", "weight = 40", "components: weights sum to 95, expected 100"),
        ('items = ["a1_toys"]', "", "components.assignments.items: empty; name the assignments that share the weight"),
        ('["a1_toys"]', '["a1_toys", "a1_toys"]', "components.assignments.items: 'a1_toys' is named twice"),
        ("weight = 25", 'weight = 25\nitems = ["x"]', "components.exam.items: only the assignments have items; leave it out"),
        ("America/Toronto", "EST", "time_zone: 'EST': use an IANA name such as 'America/Toronto', or 'UTC'"),
        ("letters = { A = 80, B = 70 }", "letters = {}", "scales.graduate.letters: no letters; write such as A = 85"),
        ("letters = { A = 80, B = 70 }", "letters = { A = 80, B = 80 }", "scales.graduate.letters: two letters have the same lowest mark"),
    ],
)  # fmt: skip
def test_a_course_that_contradicts_itself_is_refused(lines, old, new, expected):
    assert old in COURSE
    assert lines(COURSE.replace(old, new), Course) == [f"file.toml: {expected}"]


def test_a_course_needs_a_letter_scale(lines):
    text = f"scales = {{}}\n{COURSE[: COURSE.index('[scales')]}"
    assert lines(text, Course) == [
        "file.toml: scales: at least one letter scale is needed, such as [scales.undergraduate]"
    ]


def test_a_course_without_assignments_may_have_no_items(tmp_path):
    text = COURSE.replace('weight = 45\nitems = ["a1_toys"]', "weight = 0").replace("= 25", "= 70")
    course = read_record(write(tmp_path / "course.toml", text), Course, file="course.toml").record()
    assert course.components.assignments.items == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"a1_toys"', '"A1 toys"', "id: 'A1 toys' is not an id; use lower-case letters, digits and '_'"),
        ("seed = 3141592653589793", 'seed = 3141592653589793\nfolder = "../a1"', "folder: '../a1' leaves the repository; write a folder inside it"),
        ("seed = 3141592653589793", 'seed = 3141592653589793\nfolder = "/a1"', "folder: '/a1' leaves the repository; write a folder inside it"),
        ('"toy"\nnames', '"toy.py"\nnames', "tasks[toy].module: 'toy.py' cannot be imported; leave out '.py'"),
        ('"toy"\nnames', '"my toy"\nnames', "tasks[toy].module: 'my toy' cannot be imported; write the name of a Python module"),
        ('"train"', '"train me"', "tasks[toy].names: 'train me' is not the name of a function or class"),
        ('"train"', '"class"', "tasks[toy].names: 'class' is not the name of a function or class"),
    ],
)  # fmt: skip
def test_an_assignment_that_contradicts_itself_is_refused(lines, old, new, expected):
    assert old in ASSIGNMENT
    assert lines(ASSIGNMENT.replace(old, new), Assignment) == [f"file.toml: {expected}"]


def test_two_tasks_differ_in_id_and_module(lines):
    tasks = ASSIGNMENT[ASSIGNMENT.index("[[tasks]]") :]
    found = lines(f"{ASSIGNMENT}\n{tasks}", Assignment)
    assert found == [
        "file.toml: tasks: two tasks have the id 'toy'",
        "file.toml: tasks: two tasks have the module 'toy'",
    ]
    other = tasks.replace('id = "toy"', 'id = "other"')
    found = lines(f"{ASSIGNMENT}\n{other}", Assignment)
    assert found == ["file.toml: tasks: two tasks have the module 'toy'"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('id = "essay"', 'id = "shape"', "criteria: two criteria have the id 'shape'"),
        ('id = "essay"', 'id = "The Essay"', "criteria[The Essay].id: 'The Essay' is not an id; use lower-case letters, digits and '_'"),
        ('checks = ["public", "hidden/test_toy.py::test_sum"]', "", "criteria[shape].checks: empty; a criterion of kind 'check' names the checks that earn its points"),
        ('metric = "toy_loss"', "", "criteria[loss].metric: empty; a criterion of kind 'metric' names the measurement that earns its points"),
        ('kind = "manual"', 'kind = "manual"\nmetric = "x"', "criteria[essay].metric: a criterion of kind 'manual' has no metric"),
        ('kind = "manual"', 'kind = "manual"\nchecks = ["public"]', "criteria[essay].checks: a criterion of kind 'manual' is marked by a person and has no checks"),
        ('kind = "manual"', 'kind = "penalty"\nrequires = ["public"]', "criteria[essay].requires: a criterion of kind 'penalty' takes points and requires nothing"),
    ],
)  # fmt: skip
def test_a_rubric_that_contradicts_itself_is_refused(lines, old, new, expected):
    assert old in RUBRIC
    assert lines(RUBRIC.replace(old, new), Rubric) == [f"file.toml: {expected}"]


def test_a_rubric_needs_criteria(lines):
    text = 'assignment = "a1"\ntitle = "none"\ncriteria = []'
    assert lines(text, Rubric) == ["file.toml: criteria: no criteria; write at least one [[criteria]]"]


def test_a_record_that_pydantic_alone_can_judge_has_no_contradictions(tmp_path):
    class Plain(Record):
        path: bytes | None = None

    reading = read_record(write(tmp_path / "plain.toml", ""), Plain, file="plain.toml")
    assert reading.record() == Plain()
    (mistake,) = read_record(write(tmp_path / "plain.toml", "path = 1"), Plain, file="plain.toml").mistakes
    assert mistake.message == "expected a value, got 1"


def test_an_unknown_choice_for_a_decision_says_which_there_are(lines):
    text = COURSE + "\n[collect.decisions]\ngap = 'newest'\nrewriten = 'person'\nclaimed_only = 3\n"
    assert lines(text, Course) == [
        "file.toml: collect.decisions.gap: expected 'rule' or 'proven' or 'claimed' or 'person', got 'newest'",
        "file.toml: collect.decisions.claimed_only: expected 'claimed' or 'person', got 3",
        "file.toml: collect.decisions.rewriten: unknown field; did you mean 'rewritten'?",
    ]


def test_a_full_name_where_the_name_of_a_branch_belongs_is_refused(lines):
    assert lines(COURSE + "\n[collect]\nbranch = 'refs/heads/main'\n", Course) == [
        "file.toml: collect.branch: expected the name alone, such as 'main', got a full name; write 'main'"
    ]
