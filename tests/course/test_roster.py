import pytest

from grader.course.loading import read_record
from grader.course.model import Course
from grader.course.roster import load_roster
from grader.errors import ConfigurationError

from .trees import COURSE, write

HEADER = "student,team,repo_url,name,student_number,email,level,status\n"
GOOD = (
    HEADER
    + "lin,lin,https://git.example.org/lin.git,Lin Chen,001,lin@example.org,graduate,active\n"
    + "sam,duo,https://git.example.org/duo.git,,,,,\n"
    + "ada,duo,https://git.example.org/duo.git,Ada,,,undergraduate,\n"
    + "bob,duo,https://git.example.org/duo.git,,,,,dropped\n"
    + "eve,eve,https://git.example.org/eve.git,,,,,dropped\n"
)
EXTENSIONS = "team,assignment,deadline,approver,reason_code\n"


@pytest.fixture
def roster(tmp_path):
    """Reads a text as roster.csv, with another beside it as extensions.csv."""

    def read(text, extensions=None):
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if extensions is not None:
            write(tmp_path / "extensions.csv", extensions)
        course = read_record(write(tmp_path / "course.toml", COURSE), Course, file="course.toml").record()
        return load_roster(path, course=course, assignment_ids=("a1_toys", "a2_more"))

    return read


@pytest.fixture
def lines(roster, tmp_path):
    """The mistakes in a roster, without the folder of its file."""

    def read(text, extensions=None):
        with pytest.raises(ConfigurationError) as caught:
            roster(text, extensions)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return read


def test_students_keep_the_order_of_the_file_and_their_defaults(roster):
    students = roster(GOOD).students
    assert [student.student for student in students] == ["lin", "sam", "ada", "bob", "eve"]
    assert students[0].name == "Lin Chen"
    assert [student.level for student in students[:2]] == ["graduate", "undergraduate"]
    assert [student.status for student in students] == ["active"] * 3 + ["dropped"] * 2


def test_teams_hold_active_members_only(roster):
    assert [(team.id, team.members) for team in roster(GOOD).teams] == [
        ("lin", ("lin",)),
        ("duo", ("sam", "ada")),
    ]
    assert roster(GOOD).teams[1].repo_url == "https://git.example.org/duo.git"


def test_columns_may_come_in_any_order_and_optional_ones_may_be_absent(roster):
    (student,) = roster("repo_url,student,team\nhttps://x,lin,t1\n").students
    assert (student.student, student.team, student.repo_url) == ("lin", "t1", "https://x")


def test_a_spreadsheets_habits_are_forgiven(roster):
    text = b'\xef\xbb\xbf"student","team","repo_url","name"\r\n lin , lin,https://x,"Chen,\r\nLin"\r\n,,,\r\n\r\n'
    (student,) = roster(text).students
    assert student.student == "lin"
    assert student.name == "Chen, Lin"


def test_names_of_all_scripts_are_names(roster):
    (student,) = roster("student,team,repo_url,name\nmina,mina,https://x,مینا\u200cنوری\n").students
    assert student.name == "مینا\u200cنوری"


def test_unknown_and_missing_columns_are_named(lines):
    assert lines("student,team,repo,emial\na,a,x,y\n") == [
        "roster.csv: line 1: unknown column 'repo'; did you mean 'repo_url'?",
        "roster.csv: line 1: unknown column 'emial'; did you mean 'email'?",
        "roster.csv: line 1: column 'repo_url' is missing",
    ]
    assert lines("student,student,team,repo_url\na,a,a,x\n") == [
        "roster.csv: line 1: column 'student' is there twice"
    ]


def test_semicolons_are_explained(lines):
    assert lines("student;team;repo_url\na;a;x\n") == [
        "roster.csv: line 1: columns are separated by ';'; save it with commas"
    ]


@pytest.mark.parametrize("text", ["", "\n\n", ",,\n"])
def test_an_empty_file_says_which_columns_it_needs(lines, text):
    assert lines(text) == ["roster.csv: line 1: empty; expected the columns student, team, repo_url"]


def test_a_roster_without_students_is_refused(lines):
    assert lines(HEADER) == ["roster.csv: line 2: no students"]


def test_files_that_are_no_csv_say_so(roster, lines, tmp_path):
    assert lines(b"student\xff\n") == ["roster.csv: not UTF-8 text; in a spreadsheet, save it as 'CSV UTF-8'"]
    (line,) = lines('student,team,repo_url\n"a"b,c,d\n')
    assert line.startswith("roster.csv: not a CSV file: ")
    course = read_record(tmp_path / "course.toml", Course, file="course.toml").record()
    with pytest.raises(ConfigurationError, match="missing file"):
        load_roster(tmp_path / "nowhere.csv", course=course, assignment_ids=())
    with pytest.raises(ConfigurationError, match="cannot be read: is a directory"):
        load_roster(tmp_path, course=course, assignment_ids=())


def test_lines_with_too_few_or_too_many_cells_are_named_by_their_number(lines):
    text = 'student,team,repo_url,name\na,a,https://a,"two\nlines"\nb,b\nc,c,https://c,d,e\n'
    assert lines(text) == [
        "roster.csv: line 4: 2 cells where the header has 4",
        (
            "roster.csv: line 5: 5 cells where the header has 4; "
            "is a number written with a comma, or is a text with a comma not in quotes?"
        ),
    ]


def test_control_characters_are_refused(lines):
    assert lines("student,team,repo_url,name\na,a,https://a,x\x07\n") == [
        "roster.csv: line 2: holds a control character; type the line again"
    ]


@pytest.mark.parametrize("handle", ["../lin", "a b", ".hidden", "x" * 65, "naïve", "a/b", "é"])
def test_a_handle_that_could_be_no_file_name_is_refused(lines, handle):
    (line,) = lines(f"student,team,repo_url\n{handle},t1,https://x\n")
    assert line.startswith(f"roster.csv: line 2, student: {handle!r} is not a handle; use up to 64 letters")


def test_empty_cells_that_have_to_be_filled_are_named(lines):
    assert lines("student,team,repo_url\n,t1,https://x\nb,,https://y\nc,c,\n") == [
        "roster.csv: line 2, student: empty",
        "roster.csv: line 3, team: empty",
        "roster.csv: line 4, repo_url: empty; a team needs a repository to collect from",
    ]


def test_a_student_is_there_once_whatever_the_case(lines):
    text = "student,team,repo_url\nlin,t1,https://x\nsam,t1,https://x\nLin,t1,https://x\n"
    assert lines(text) == ["roster.csv: line 4, student: 'Lin' is already in line 2"]


def test_a_team_has_one_repository_and_one_spelling(lines):
    text = "student,team,repo_url\na,t1,https://x\nb,t1,https://y\nc,T1,https://x\n"
    assert lines(text) == [
        "roster.csv: line 3, repo_url: team 't1' has another repository in line 2",
        "roster.csv: line 4, team: 'T1' is spelt 't1' in line 2",
    ]


def test_two_teams_do_not_hand_in_the_same_repository(lines):
    text = "student,team,repo_url\na,t1,https://x\nb,t2,https://x\n"
    assert lines(text) == ["roster.csv: line 3, repo_url: is already the repository of team 't1' (line 2)"]


def test_unknown_levels_and_statuses_come_with_the_nearest(lines):
    text = "student,team,repo_url,level,status\na,t1,https://x,gradaute,droped\n"
    assert lines(text) == [
        "roster.csv: line 2, level: unknown level 'gradaute'; did you mean 'graduate'?",
        "roster.csv: line 2, status: unknown status 'droped'; did you mean 'dropped'?",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_cell_that_a_spreadsheet_would_run_is_refused(lines, start):
    assert lines(f"student,team,repo_url,name\na,t1,https://x,{start}cmd\n") == [
        f"roster.csv: line 2, name: begins with '{start}', which spreadsheets run as a formula; reword it"
    ]


def test_extensions_reach_the_team_under_the_full_id(roster):
    extensions = EXTENSIONS + "duo,a1,2031-03-05 12:00,ta,M1\nduo,a2_more,2031-04-05 12:00,ta,M2\n"
    lin, duo = roster(GOOD, extensions).teams
    assert lin.extensions == ()
    assert [e.assignment for e in duo.extensions] == ["a1_toys", "a2_more"]
    assert duo.extensions[0].deadline == "2031-03-05 12:00"
    assert duo.extensions[0].approver == "ta"
    assert duo.extensions[0].reason_code == "M1"


def test_every_mistake_in_the_extensions_is_listed_with_its_line(lines):
    extensions = EXTENSIONS + (
        "dou,a1,2031-03-05 12:00,ta,M1\n"
        "duo,a9,2031-03-05 12:00,ta,M1\n"
        "duo,a2,tomorrow,,\n"
        "lin,a1,2031-03-05 12:00,ta,M1\n"
        "lin,a1_toys,2031-03-06 12:00,ta,=M1\n"
    )
    assert lines(GOOD, extensions) == [
        "extensions.csv: line 6, reason_code: begins with '=', which spreadsheets run as a formula; reword it",
        "extensions.csv: line 2, team: unknown team 'dou'; did you mean 'duo'?",
        "extensions.csv: line 3: unknown assignment 'a9'; expected one of a1_toys, a2_more",
        "extensions.csv: line 4, approver: empty; an extension says who gave it and why, without medical detail",
        "extensions.csv: line 4, reason_code: empty; an extension says who gave it and why, without medical detail",
        "extensions.csv: line 4: deadline 'tomorrow': expected 'YYYY-MM-DD HH:MM' or 'YYYY-MM-DD HH:MM:SS'",
        "extensions.csv: line 6, assignment: team 'lin' already has an extension for it",
    ]


def test_in_a_large_class_an_unknown_name_does_not_list_everybody(lines):
    text = "student,team,repo_url\n" + "".join(f"s{n},team{n},https://x/{n}\n" for n in range(30))
    assert lines(text, EXTENSIONS + "zzz,a1,2031-03-05 12:00,ta,M1\n") == [
        "extensions.csv: line 2, team: unknown team 'zzz'; it is none of the 30 that are known"
    ]


def test_the_team_of_the_project_is_the_team_unless_the_roster_says_otherwise(roster):
    found = roster("student,team,repo_url,project_team\nlin,lin,x,p1\nsam,sam,y,p1\nada,ada,z,\n")
    assert [student.group for student in found.students] == ["p1", "p1", "ada"]
    assert [team.id for team in found.teams] == ["lin", "sam", "ada"]


def test_a_team_of_the_project_has_one_spelling(lines):
    found = lines("student,team,repo_url,project_team\nlin,lin,x,p1\nsam,sam,y,P1\n")
    assert found == ["roster.csv: line 3, project_team: 'P1' is spelt 'p1' in line 2"]
