import base64
import io
from decimal import Decimal

import numpy as np
import pytest
from PIL import Image

from grader.records import Artifact, CellState, Decision, EvidenceLevel, Mark, Outcome, Status
from grader.report.checks import check_words
from grader.report.student import render_student

from .examples import (
    ARTIFACTS,
    ENVIRONMENT,
    MARKS,
    ONE_DAY,
    PASSED,
    REFERENCE_ARTIFACTS,
    assignment_view,
    cell,
    closed,
    evidence,
    examination,
    grade,
    marksheet,
    snapshot,
    student,
)
from .reading import Page, assert_accessible, assert_inert


def text_of(**changes):
    return " ".join(Page(render_student(student(**changes))).text.split())


def text_of_item(**changes):
    return text_of(items=(assignment_view(**changes),))


@pytest.mark.parametrize(
    "view",
    [
        student(),
        student(grade=grade(), final=True),
        student(items=()),
        student(items=(assignment_view(), assignment_view())),
        student(
            items=(
                assignment_view(
                    examination=None, reference=None, bands=None, artifacts={}, reference_artifacts={}
                ),
            )
        ),
    ],
    ids=["one item", "final", "empty", "two items", "bare"],
)
def test_every_page_is_accessible_and_inert(view):
    page = render_student(view)
    assert_accessible(page)
    assert_inert(page)


def test_same_view_same_bytes():
    assert render_student(student(grade=grade())) == render_student(student(grade=grade()))


def test_a_page_of_one_item_weighs_between_thirty_and_sixty_kib():
    assert 30 < len(render_student(student()).encode()) / 1024 < 60


def test_the_header_says_what_was_graded_and_how_sure_we_are():
    text = text_of()
    assert "9f2c41d07be5a6630f1c9d1f5f0b7a2e4c8d6b13" in text
    assert "confirmed: the commit was seen before the deadline" in text
    assert "B: a snapshot that we took ourselves" in text
    assert "on time; the deadline was 2025-07-18 23:59:59 America/Toronto" in text


@pytest.mark.parametrize("decision", Decision)
@pytest.mark.parametrize("level", [*EvidenceLevel, None])
def test_every_decision_has_words(decision, level):
    assert text_of_item(snapshot=snapshot(evidence=evidence(decision=decision, level=level)))


def test_a_late_submission_shows_the_rule_and_what_it_takes():
    text = text_of_item(
        snapshot=snapshot(days_late=1), marksheet=closed([10, 20, 25, 9, 26], lateness=ONE_DAY)
    )
    assert "1 started day late" in text
    assert "10 % of the 100 possible points per started day, at most 2 days" in text
    assert "Sum of the criteria 90 100" in text
    assert "Total 80 100" in text


def test_the_marks_table_has_points_value_interval_thresholds_and_reason():
    text = text_of()
    assert (
        "20.61 ± 0.36 nats n = 360 full at 19.2 none at 33 lower is better log scale between 24.5 30" in text
    )
    assert "measured 20.6 ± 0.4 nats; full points at 19.2, none at 33" in text


def test_an_open_total_is_open_and_not_a_number():
    text = text_of()
    assert "Total still open 100" in text
    assert "41 so far, 40 not yet marked" in text
    assert "Written task: derive the bound, 30 points: not yet marked" in text


def test_nothing_open_no_section_about_it():
    assert "Not yet marked" not in text_of_item(marksheet=closed([10, 20, 25, 9, 26]))


def test_failed_checks_come_first_then_ours_then_passed():
    text = text_of()
    assert (
        text.index("2 checks failed") < text.index("1 check could not be run") < text.index("7 checks passed")
    )


def test_a_failed_check_says_why_and_what_it_counts_for():
    text = text_of()
    assert "more samples must not make it worse" in text
    assert "cell 7, line 12, in elbo" in text
    assert "counts for ELBO agrees with its definition" in text


def test_what_could_not_be_checked_is_our_fault_and_costs_nothing():
    assert "1 check could not be run, and that is our fault" in text_of()
    assert "This costs no marks" in text_of()


def test_passed_checks_are_folded_away_only_below_failed_ones():
    alone = examination(outcomes=PASSED, status=Status.PASSED)
    folded, unfolded = (
        render_student(student()),
        render_student(student(items=(assignment_view(examination=alone),))),
    )
    assert "open" not in Page(folded).all("details")[0]
    assert "open" in Page(unfolded).all("details")[0]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("public/test_vae.py::test_kl_is_closed_form", "kl is closed form"),
        ("hidden/test_vae.py::test_odd_batch[7-cpu]", "odd batch [7-cpu]"),
        ("hidden/test_vae.py::TestVae::test_it", "it"),
        ("odd", "odd"),
        ("hidden/test_vae.py::test_", "hidden/test_vae.py::test_"),
    ],
)
def test_a_check_is_told_in_words(check, words):
    assert check_words(check) == words


def test_samples_stand_beside_the_reference_with_words_for_those_who_do_not_see_them():
    images = Page(render_student(student())).all("img")
    assert [image["alt"] for image in images] == [
        "Samples from the prior, this submission: 25 images of 8 by 8 pixels",
        "Samples from the prior, reference solution: 25 images of 8 by 8 pixels",
    ]
    text = text_of()
    assert "and and and the the" in text
    assert "they rowed home" in text


def test_a_submission_without_samples_stands_beside_the_reference_all_the_same():
    found = examination(artifacts=())
    text = text_of_item(examination=found, artifacts={})
    assert "This submission nothing to show" in text
    assert "could not be read back" not in text


def test_a_missing_evidence_file_is_our_fault_and_said():
    left = {name: value for name, value in ARTIFACTS.items() if not name.startswith("images/")}
    assert "the evidence file for Samples from the prior could not be read back" in text_of_item(
        artifacts=left
    )


def test_curves_are_labelled_as_the_submissions_own_word():
    text = text_of()
    assert "As reported by the submission; not used for marks." in text
    assert "this submission 600" in text


def test_a_long_sample_is_cut():
    long = {**ARTIFACTS, "text/Continuation of a prompt": "x" * 5000}
    assert "(3000 more characters)" in text_of_item(artifacts=long)


def test_notes_of_the_preparation_are_shown():
    assert "cells 9 to 14 train at top level and were left out" in text_of()


def test_the_page_ends_with_what_reproduces_it():
    text = text_of()
    assert "grader grade a3_variational_and_diffusion_models --only otter" in text
    for value in (
        ENVIRONMENT.sandbox,
        ENVIRONMENT.engine,
        ENVIRONMENT.torch,
        "b7d1f09c2ad64f51",
    ):
        assert value in text


def test_the_command_is_safe_to_paste():
    text = text_of_item(marksheet=marksheet(team="a; rm -rf ~"))
    assert "--only 'a; rm -rf ~'" in text


def test_a_problem_of_the_students_is_told():
    nothing = snapshot(commit=None, tree=None, problem="the folder a3 is not in the repository")
    text = text_of_item(snapshot=nothing, examination=None, marksheet=closed([0, 0, 0, 0, 0]))
    assert "Nothing could be examined. the folder a3 is not in the repository" in text
    assert "nothing handed in" in text
    assert "our fault" not in text


def test_a_problem_of_ours_costs_nothing():
    broken = snapshot(commit=None, tree=None, problem="the server did not answer", problem_is_ours=True)
    text = text_of_item(snapshot=broken, examination=None)
    assert "Nothing could be examined, and that is our fault." in text
    assert "This costs no marks." in text


def test_what_was_not_examined_yet_says_so():
    assert "This submission has not been examined yet." in text_of_item(examination=None)


def test_flags_stay_with_the_staff():
    sheet = marksheet(flags=("resembles the submission of another team",))
    taken = snapshot(evidence=evidence(flags=("history within one hour",)))
    text = text_of_item(marksheet=sheet, snapshot=taken)
    assert "A person will look at this submission" in text
    assert "resembles" not in text
    assert "history within" not in text


def test_draft_and_final_pages_say_which_they_are():
    assert "Draft Marks can still change" in text_of()
    assert "Final These marks are final." in text_of(final=True)


def test_the_final_mark_shows_its_working():
    text = text_of(grade=grade())
    assert (
        "assignments Variational and diffusion models after the late rule marked 71.5 100 45 % 32.175" in text
    )
    assert "project project marked 50 60 30 % 25" in text
    assert "graduate scale: B+ 78" in text


@pytest.mark.parametrize("state", CellState)
def test_every_state_of_a_cell_has_words(state):
    assert text_of(grade=grade(cells=(cell("exam", "exam", state),), total=None, letter=None))


def test_an_open_final_mark_is_open():
    assert "still open" in text_of(
        grade=grade(cells=(cell("exam", "exam", CellState.NOT_YET_MARKED),), total=None, letter=None)
    )


def test_a_penalty_reads_as_one():
    penalty = MARKS[0].model_copy(
        update={"criterion": "late_files", "points": Decimal(-5), "out_of": Decimal(0)}
    )
    view = assignment_view(marksheet=marksheet(marks=(*MARKS, penalty)))
    rule = view.rubric.criteria[0].model_copy(update={"id": "late_files", "kind": "penalty"})
    rubric = view.rubric.model_copy(update={"criteria": (*view.rubric.criteria, rule)})
    text = text_of_item(rubric=rubric, marksheet=view.marksheet)
    assert ": penalty" in text
    assert "\N{MINUS SIGN}5 0" in text


def test_a_mark_whose_criterion_left_the_rubric_is_still_shown():
    orphan = MARKS[2].model_copy(update={"criterion": "gone", "title": "An old criterion"})
    assert "An old criterion" in text_of_item(marksheet=marksheet(marks=(orphan, MARKS[4])))


def test_a_very_long_message_is_cut():
    endless = (Outcome(check="hidden/a.py::test_b", status=Status.FAILED, message="x" * 100_000),)
    page = render_student(student(items=(assignment_view(examination=examination(outcomes=endless)),)))
    assert "(96000 more characters)" in page


def test_a_decision_about_late_work_names_the_end_of_the_late_period():
    late = snapshot(days_late=1)
    text = text_of_item(snapshot=late, marksheet=closed([10, 20, 25, 9, 26], lateness=ONE_DAY))
    assert "confirmed: the commit was seen before the end of the late period" in text
    assert "seen before the deadline" not in text


def by_hand(points, *, out_of="10", criterion="q1", title="Q1 n-grams", reason="sign lost"):
    given = None if points is None else Decimal(points)
    return Mark(criterion=criterion, title=title, points=given, out_of=Decimal(out_of), reason=reason)


def test_the_exam_is_shown_criterion_by_criterion_with_reasons():
    marks = (by_hand("7.5"), by_hand("10", title="Q2 flows", reason="complete"))
    exam = cell("exam", "exam", points=Decimal("17.5"), out_of=Decimal(20), marks=marks)
    view = student(grade=grade(cells=(exam,)))
    assert_accessible(render_student(view))
    text = text_of(grade=grade(cells=(exam,)))
    assert "Exam Marked by hand, criterion by criterion." in text
    assert "Q1 n-grams: part of the points sign lost 7.5 10 Q2 flows: full points complete 10 10" in text
    assert "Total 17.5 20" in text


def test_an_open_criterion_of_the_project_is_open_and_not_zero():
    marks = (by_hand("8"), by_hand(None, title="Talk", reason="not marked yet"))
    project = cell("project", "project", CellState.NOT_YET_MARKED, marks=marks, out_of=Decimal(20))
    text = text_of(grade=grade(cells=(project,), total=None, letter=None))
    assert "Talk: not yet marked not marked yet \N{EN DASH} 10" in text
    assert "Sum so far; 10 points are still open 8 20" in text


def test_a_penalty_by_hand_reads_as_one():
    marks = (by_hand("0", out_of="0", title="Over time"), by_hand("-2", out_of="0", title="Too long"))
    text = text_of(grade=grade(cells=(cell("exam", "exam", marks=marks),)))
    assert "Over time: no penalty" in text
    assert "Too long: penalty" in text


def test_evidence_is_named_in_words_and_only_what_is_drawn_has_a_key():
    name = "curve/training_loss"
    reference = examination(team="reference", artifacts=(Artifact(name=name, sha256="0" * 64),))
    losses = REFERENCE_ARTIFACTS["curve/Negative ELBO"]
    view = assignment_view(
        examination=None, reference=reference, artifacts={}, reference_artifacts={name: losses}
    )
    page = Page(render_student(student(items=(view,))))
    assert "Training loss reference solution" in " ".join(page.text.split())
    assert [span["class"] for span in page.all("span") if "key" in span.get("class", "")] == ["key theirs"]


def test_a_picture_of_many_grey_levels_is_whole():
    noisy = np.random.default_rng(0).uniform(size=(64, 8, 8)).astype(np.float32)
    view = assignment_view(artifacts={**ARTIFACTS, "images/Samples from the prior": noisy})
    source = Page(render_student(student(items=(view,)))).all("img")[0]["src"]
    assert len(source) > 4000
    content = base64.b64decode(source.removeprefix("data:image/webp;base64,"), validate=True)
    Image.open(io.BytesIO(content)).load()
