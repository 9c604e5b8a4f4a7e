import pytest

from grader.course.counting import plural


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (plural(1, "check"), "1 check"),
        (plural(0, "check"), "0 checks"),
        (plural(2, "repository", "repositories"), "2 repositories"),
        (plural(1, "repository", "repositories"), "1 repository"),
        (plural("1", "point"), "1 point"),
        (plural("2.5", "point"), "2.5 points"),
    ],
)
def test_a_count_and_its_noun_agree(said, expected):
    assert said == expected
