"""Whatever a student could have written stays text on the page."""

import html
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.records import Outcome, Status
from grader.report.exports import grades_csv, grades_json, marksheets_json
from grader.report.student import render_student

from .examples import assignment_view, class_of, examination, grade, marksheet, overview, student
from .poison import HOSTILE, poisoned
from .reading import Page, assert_accessible, assert_inert

PAGES = {
    "student": lambda text: render_student(poisoned(student(grade=grade()), text)),
    "overview": lambda text: overview(poisoned(class_of(12), text)),
}


@pytest.mark.parametrize("render", PAGES.values(), ids=PAGES)
def test_a_hostile_text_in_every_field_stays_inert(render):
    page = render(HOSTILE)
    assert_inert(page)
    assert "<script" not in page
    assert "evil.example" in html.unescape(page), "the poison did not reach the page"
    assert r"\x1b]0;title\x07\x1b[2J\u202e\u2066\u200b" in html.unescape(page)


@pytest.mark.parametrize("render", PAGES.values(), ids=PAGES)
def test_a_template_in_a_text_is_not_run(render):
    assert "{{ 7 * 7 }}{% raw %}" in html.unescape(render(HOSTILE))


@pytest.mark.parametrize("render", PAGES.values(), ids=PAGES)
def test_hostile_and_harmless_pages_differ_in_words_alone(render):
    assert Page(render(HOSTILE)).shape == Page(render("harmless")).shape


@pytest.mark.parametrize("render", PAGES.values(), ids=PAGES)
def test_a_hostile_page_is_still_accessible(render):
    assert_accessible(render(HOSTILE))


def with_message(text):
    outcome = Outcome(check="hidden/test_a.py::test_b", status=Status.FAILED, message=text)
    found = examination(outcomes=(outcome,), notes=(text,), artifacts=())
    view = assignment_view(
        examination=found, artifacts={"text/Story": text}, reference=None, reference_artifacts={}
    )
    return render_student(student(items=(view,)))


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_message_changes_the_shape_of_the_page(text):
    assert Page(with_message(text)).shape == Page(with_message("harmless")).shape


@given(st.text(st.characters(exclude_categories=())))
def test_exports_never_carry_a_control_character(text):
    row = poisoned(grade(), text)
    for export in (grades_csv([row]), *grades_json([row]), *marksheets_json([poisoned(marksheet(), text)])):
        assert not [c for c in export if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0]


def test_a_hostile_text_comes_back_from_json_as_it_was():
    assert json.loads("".join(grades_json([grade(flags=(HOSTILE,))])))["grades"][0]["flags"] == [HOSTILE]
