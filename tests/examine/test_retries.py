"""What is tried again and what is not, from what an attempt produced."""

import pytest

from grader.examine.executor import Produced
from grader.examine.retries import Retry, next_try
from grader.records import Environment, Examination, Outcome, Status

OUT_OF_MEMORY = "the code raised OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
ALONE = Retry("it ran out of memory on a GPU that it shared", alone=True)


def examined(status, message="", log=""):
    examination = Examination(
        key="k",
        team="ada",
        assignment="t1",
        outcomes=(Outcome(check="c", status=status, message=message),),
        status=status,
        environment=Environment(engine="e", python="3", torch="2", device="cuda", sandbox="fake", seed=1),
    )
    return Produced(
        files={"examination.json": examination.model_dump_json().encode(), "log.txt": log.encode()}
    )


@pytest.mark.parametrize(
    "produced",
    [
        examined(Status.PASSED),
        examined(Status.FAILED, "add(1, 2) is 4; it must be 3"),
        examined(Status.FAILED, OUT_OF_MEMORY),
        examined(Status.FAILED, "SandboxError", log="SandboxError"),
        examined(Status.COULD_NOT_CHECK, log="ZeroDivisionError in our check"),
    ],
)
def test_what_a_submission_did_by_itself_is_never_tried_again(produced):
    assert next_try(produced, shared=False, before=()) is None


def test_our_own_trouble_is_tried_once_more():
    produced = Produced(problem="the examining process ended with code -9\nmore")
    again = next_try(produced, shared=False, before=())
    assert again == Retry("the examining process ended with code -9")
    assert next_try(produced, shared=False, before=(again,)) is None


def test_a_sandbox_that_broke_within_an_examination_is_tried_once_more():
    produced = examined(Status.COULD_NOT_CHECK, log="grader.errors.SandboxError: no more processes")
    again = next_try(produced, shared=False, before=())
    assert again is not None
    assert not again.alone
    assert next_try(produced, shared=False, before=(again,)) is None


@pytest.mark.parametrize(
    "produced",
    [
        examined(Status.FAILED, OUT_OF_MEMORY),
        examined(Status.COULD_NOT_CHECK, log="torch.OutOfMemoryError: CUDA out of memory"),
        Produced(problem="the examining process ended with code 1\ntorch.OutOfMemoryError"),
    ],
)
def test_out_of_memory_beside_a_neighbour_is_tried_once_alone(produced):
    assert next_try(produced, shared=True, before=()) == ALONE
    assert next_try(produced, shared=False, before=(ALONE,)) != ALONE


def test_a_submission_that_runs_out_of_memory_alone_as_well_has_failed():
    assert next_try(examined(Status.FAILED, OUT_OF_MEMORY), shared=False, before=(ALONE,)) is None


def test_words_about_memory_buy_one_run_and_never_a_second():
    printed = examined(Status.FAILED, "ValueError: out of memory, says the submission itself")
    first = next_try(printed, shared=True, before=())
    assert first == ALONE
    assert next_try(printed, shared=True, before=(first,)) is None


def test_our_trouble_after_a_try_alone_is_still_tried_once():
    produced = Produced(problem="the examining process was ended: it took too long")
    again = next_try(produced, shared=False, before=(ALONE,))
    assert again == Retry(produced.problem)
    assert next_try(produced, shared=False, before=(ALONE, again)) is None


def test_who_passed_beside_a_neighbour_is_not_tried_again_whatever_the_log_says():
    assert next_try(examined(Status.PASSED, log="CUDA out of memory"), shared=True, before=()) is None
