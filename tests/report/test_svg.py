import pytest

from grader.report.svg import coordinate, drawing, element, label, rectangle

from .reading import Page


def test_text_and_attributes_are_escaped():
    made = element("text", {"class": '"><script>'}, "<script>\x1b")
    assert str(made) == '<text class="&#34;&gt;&lt;script&gt;">&lt;script&gt;\\x1b</text>'


def test_children_that_are_markup_are_kept():
    assert str(element("g", {}, element("line", {"x1": 1.0}))) == '<g><line x1="1"/></g>'


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.04, "0"), (-0.04, "0"), (12.34, "12.3"), (-3.0, "-3")]
)
def test_coordinates_are_short_and_never_negative_zero(value, text):
    assert coordinate(value) == text


def test_a_drawing_is_told_to_those_who_do_not_see_it():
    made = drawing(identifier="a", width=10, height=5, title="Title & more", description="What is there")
    picture = Page(str(made))
    assert picture.all("svg")[0]["aria-labelledby"] == "a-t a-d"
    assert [tag for tag, _ in picture.tags] == ["svg", "title", "desc"]
    assert " ".join(picture.text.split()) == "Title & more What is there"


def test_a_rectangle_is_never_inside_out():
    assert 'width="0"' in rectangle((0, 0), (-3, 2), "zone")


def test_a_label_says_where_it_is_anchored():
    assert 'text-anchor="end"' in label((1, 2), "x", anchor="end")
