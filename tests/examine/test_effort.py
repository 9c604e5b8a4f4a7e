import pytest

from grader.examine.effort import sharpened, sharpest
from grader.examine.exam import Exam
from grader.examine.request import new_request, with_effort, with_noise
from grader.records import Environment, Examination, Measurement, Outcome, Status
from grader.sandbox.choose import choose

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"


def figure(name, value, n, *, sampled=True):
    half = 10 / n**0.5
    ends = {} if value is None else {"low": value - half, "high": value + half}
    return Measurement(name=name, value=value, unit="", n=n, sampled=sampled, **ends)


def examination(effort=1, failed=(), figures=(), checks=("one", "two")):
    made = tuple(
        Outcome(check=c, status=Status.FAILED if c in failed else Status.PASSED, message="why")
        for c in checks
    )
    environment = Environment(
        engine="e", python="3", torch="2", device="cpu", sandbox="fake", seed=1, effort=effort
    )
    return Examination(
        key="k", team="t", assignment="a", outcomes=made, measurements=tuple(figures),
        status=Status.FAILED if failed else Status.PASSED, environment=environment,
    )  # fmt: skip


FIRST = examination(figures=[figure("distance", 1.0, 100), figure("bound", 5.0, 50, sampled=False)])
AGAIN = examination(
    4, checks=("one",), figures=[figure("distance", 1.1, 400), figure("bound", 5.5, 50, sampled=False)]
)
OURS = examination(4, checks=("one",))


def test_figures_of_more_samples_take_the_place_of_the_first_and_others_stay():
    found = sharpened(FIRST, AGAIN, OURS)
    assert (found.measurement("distance").value, found.measurement("distance").n) == (1.1, 400)
    assert found.measurement("bound").value == 5.0
    assert found.outcomes == FIRST.outcomes
    assert found.notes == (
        "Noise left points open, so distance was measured again with 4 times the samples.",
    )


def test_the_highest_effort_counts():
    sixteen = examination(16, checks=("one",), figures=[figure("distance", 1.05, 1600)])
    found = sharpest(FIRST, [(AGAIN, OURS), (sixteen, examination(16, checks=("one",)))])
    assert found.measurement("distance").n == 1600
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("again", "reference"),
    [
        (AGAIN.model_copy(update={"outcomes": examination(failed=["one"], checks=("one",)).outcomes}), OURS),
        (AGAIN, examination(4, failed=["one"], checks=("one",))),
        (AGAIN, examination(4, checks=("the examination itself",), failed=["the examination itself"])),
        (AGAIN.model_copy(update={"outcomes": ()}), OURS),
    ],
    ids=["theirs fails", "ours fails", "ours could not be examined", "nothing was checked"],
)
def test_where_a_check_that_passed_does_not_pass_again_the_first_figures_count_and_nothing_is_lost(
    again, reference
):
    found = sharpened(FIRST, again, reference)
    assert found.measurements == FIRST.measurements
    assert found.outcomes == FIRST.outcomes
    assert "not every check passed that had passed before; that costs nothing" in found.notes[0]


def test_a_check_that_failed_at_first_stays_failed_and_does_not_matter():
    first = FIRST.model_copy(update={"outcomes": examination(failed=["one"]).outcomes})
    found = sharpened(first, AGAIN, examination(4, failed=["one"], checks=("one",)))
    assert found.outcome("one").status is Status.FAILED
    assert found.measurement("distance").n == 400


def test_a_figure_that_was_not_measured_again_is_no_figure():
    again = AGAIN.model_copy(update={"measurements": (figure("distance", None, 400),)})
    assert sharpened(FIRST, again, OURS) == FIRST


@pytest.fixture
def usual(toy_work, toy_material):
    return new_request(toy_work(RIGHT), toy_material, sandbox="fake", seed=11)


def test_effort_and_noise_are_part_of_the_key_and_the_usual_ones_leave_it_alone(
    usual, toy_work, toy_material
):
    four = with_effort(usual, task="count", effort=4)
    assert (four.tasks, four.effort) == (("count",), 4)
    assert usual.effort == 1
    others = [four, with_effort(usual, task="count", effort=16), with_noise(usual, 1), with_noise(usual, 2)]
    assert len({usual.key, *(request.key for request in others)}) == 5
    assert with_effort(usual, task="count", effort=4).key == four.key


@pytest.fixture
def exam_of(tmp_path):
    made = []

    def make(request):
        made.append(Exam(request, choose("fake"), artifacts_folder=tmp_path / "artifacts"))
        return made[-1]

    yield make
    for exam in made:
        exam.close()


def test_more_effort_adds_portions_to_the_usual_samples_and_changes_none(exam_of, usual):
    once, four = exam_of(usual), exam_of(with_effort(usual, task="count", effort=4))
    assert (once.samples(100), four.samples(100)) == (100, 400)
    assert once.portions("z") == ("z",)
    assert four.portions("z") == ("z", "z, portion 2", "z, portion 3", "z, portion 4")
    assert once.seed_for("z") == four.seed_for("z")
    assert len({four.seed_for(name) for name in four.portions("z")}) == 4


def test_fresh_noise_leaves_the_seeds_of_training_as_they_were(exam_of, usual):
    before, after = exam_of(usual), exam_of(with_noise(usual, 3))
    assert before.training_seed("training") == after.training_seed("training") == before.seed_for("training")
    assert before.seed_for("z") != after.seed_for("z")
