"""Which job starts next, on which GPU: the queue alone, without threads and without a GPU."""

import random

import pytest

from grader.examine.executor import URGENT, USUAL, Job, Resources
from grader.examine.gpus import Gpu
from grader.examine.request import new_request
from grader.examine.waiting import WaitingRoom

SMALL, HALF, LARGE = 4_000, 12_000, 20_000
TWO_GPUS = (Gpu(0, 24_000), Gpu(1, 24_000))
ON_CPU = Resources()
ALONE = Resources(exclusive=True)


@pytest.fixture
def job(toy_work, toy_material):
    request = new_request(toy_work("pass\n"), toy_material, sandbox="fake", seed=1)

    def make(name, resources=ON_CPU, *, priority=USUAL, expected_s=1.0):
        named = request.model_copy(update={"key": name})
        return Job(request=named, resources=resources, priority=priority, expected_s=expected_s)

    return make


def on_gpu(memory_mib):
    return Resources(gpu_memory_mib=memory_mib)


def room_with(*jobs, slots=1, gpus=()):
    room = WaitingRoom(slots=slots, gpus=gpus)
    for job in jobs:
        room.enter(job, lambda _: None)
    return room


def names(entries):
    return [entry.job.request.key for entry in entries]


def taken(room):
    """Everything that may start now, until nothing more may."""
    entries = []
    while (entry := room.next()) is not None:
        entries.append(entry)
    return entries


def order_of(room):
    """All jobs one after the other."""
    found = []
    while (entry := room.next()) is not None:
        found.append(entry.job.request.key)
        room.leave(entry)
    return found


def test_priority_goes_before_length_and_length_before_arrival(job):
    room = room_with(
        job("first"),
        job("second"),
        job("long", expected_s=9.0),
        job("urgent", priority=URGENT, expected_s=0.1),
    )
    assert order_of(room) == ["urgent", "long", "first", "second"]


def test_a_job_that_is_asked_for_again_is_the_same_job_and_moves_forward(job):
    room = room_with(job("class", expected_s=9.0), job("student"))
    first = room.enter(job("student", priority=URGENT), lambda _: None)
    assert order_of(room) == ["student", "class"]
    assert first.future.running()


def test_a_job_that_runs_is_not_queued_again(job):
    room = room_with(job("ada"), slots=2)
    (running,) = taken(room)
    assert room.enter(job("ada", priority=URGENT), lambda _: None) is running
    assert room.next() is None


def test_no_more_run_than_there_are_slots(job):
    room = room_with(*(job(str(n)) for n in range(5)), slots=2)
    first, _ = taken(room)
    room.leave(first)
    assert len(taken(room)) == 1


def test_a_job_that_needs_all_slots_is_not_overtaken_by_small_ones(job):
    room = room_with(job("running"), slots=2)
    (running,) = taken(room)
    room.enter(job("wide", Resources(cpu=2), expected_s=5.0), lambda _: None)
    room.enter(job("small"), lambda _: None)
    assert room.next() is None
    room.leave(running)
    assert names(taken(room)) == ["wide"]


def test_several_jobs_share_a_gpu_as_far_as_its_memory_goes(job):
    room = room_with(*(job(str(n), on_gpu(HALF)) for n in range(5)), slots=8, gpus=TWO_GPUS)
    assert sorted(entry.gpu for entry in taken(room)) == [0, 0, 1, 1]


def test_small_jobs_are_put_together_so_that_a_large_one_finds_an_empty_gpu(job):
    room = room_with(*(job(f"small {n}", on_gpu(SMALL)) for n in range(2)), slots=8, gpus=TWO_GPUS)
    assert {entry.gpu for entry in taken(room)} == {0}
    room.enter(job("large", on_gpu(LARGE)), lambda _: None)
    assert [entry.gpu for entry in taken(room)] == [1]


def test_an_exclusive_job_waits_for_an_empty_gpu_and_nobody_joins_it(job):
    room = room_with(job("small", on_gpu(SMALL)), slots=8, gpus=(Gpu(0, 24_000),))
    (small,) = taken(room)
    room.enter(job("alone", ALONE), lambda _: None)
    assert room.next() is None
    room.leave(small)
    (alone,) = taken(room)
    room.enter(job("late", on_gpu(SMALL)), lambda _: None)
    assert room.next() is None
    assert room.leave(alone) is False


def test_an_exclusive_job_that_cannot_fit_is_refused_with_the_figures(job):
    room = WaitingRoom(slots=1, gpus=(Gpu(0, 24_000), Gpu(1, 16_000)))
    produced = room.enter(job("huge", on_gpu(30_000)), lambda _: None).future.result(timeout=0)
    assert produced.problem.startswith(
        "limits.gpu_memory_mib is 30000, and the largest GPU here has 24000 MiB"
    )
    assert room.is_done


def test_a_gpu_whose_memory_nobody_tells_takes_one_job_at_a_time_whatever_its_budget(job):
    jobs = [job("a", on_gpu(SMALL)), job("b", on_gpu(LARGE)), job("c", ALONE)]
    room = room_with(*jobs, slots=3, gpus=(Gpu(0, 0),))
    for name in ("a", "b", "c"):
        (entry,) = taken(room)
        assert entry.job.request.key == name
        room.leave(entry)


def test_without_a_gpu_a_job_for_one_is_refused_at_once(job):
    produced = WaitingRoom(slots=1).enter(job("x", ALONE), lambda _: None).future.result(timeout=0)
    assert produced.problem == "the assignment runs on a GPU and this machine has none; use device 'cpu'"


def test_jobs_on_the_processor_pass_those_that_wait_for_a_gpu(job):
    room = room_with(job("a", ALONE), job("b", ALONE, expected_s=9.0), slots=4, gpus=(Gpu(0, 24_000),))
    assert names(taken(room)) == ["b"]
    room.enter(job("on the processor"), lambda _: None)
    assert names(taken(room)) == ["on the processor"]


@pytest.mark.parametrize("gpus", [(Gpu(0, 24_000),), TWO_GPUS, (*TWO_GPUS, Gpu(2, 24_000))])
def test_a_large_job_starts_though_small_ones_never_stop_coming(job, gpus):
    """Each small job that ends is followed by another; without the rule the large one never finds room."""
    chance = random.Random(5)
    room = WaitingRoom(slots=64, gpus=gpus)
    for number in range(40):
        room.enter(job(f"small {number}", on_gpu(SMALL)), lambda _: None)
    running = taken(room)
    room.enter(job("large", on_gpu(LARGE), priority=1), lambda _: None)
    for number in range(40, 400):
        room.leave(running.pop(chance.randrange(len(running))))
        room.enter(job(f"small {number}", on_gpu(SMALL)), lambda _: None)
        running += taken(room)
        if "large" in names(running):
            break
    assert "large" in names(running)
    assert number < 40 + 20 * len(gpus)


def test_budgets_on_a_gpu_never_add_up_to_more_than_it_has(job):
    chance = random.Random(6)
    room = WaitingRoom(slots=12, gpus=TWO_GPUS)
    running, most = [], 0
    for number in range(600):
        wish = chance.choice([ON_CPU, ALONE, on_gpu(SMALL), on_gpu(HALF), on_gpu(LARGE)])
        room.enter(job(str(number), wish, priority=chance.choice([0, 0, 0, 9])), lambda _: None)
        running += taken(room)
        for gpu in TWO_GPUS:
            there = [entry.job.resources for entry in running if entry.gpu == gpu.index]
            assert sum(r.gpu_memory_mib for r in there) <= gpu.memory_mib
            assert len(there) == 1 or not any(r.exclusive for r in there)
            most = max(most, len(there))
        if len(running) > 6:
            room.leave(running.pop(chance.randrange(len(running))))
    assert most > 2


def test_a_job_knows_whether_it_had_company_on_its_gpu(job):
    room = room_with(job("a", on_gpu(SMALL)), slots=4, gpus=(Gpu(0, 24_000),))
    (first,) = taken(room)
    room.enter(job("b", on_gpu(SMALL)), lambda _: None)
    (second,) = taken(room)
    assert room.leave(second) is True
    room.enter(job("c", on_gpu(LARGE)), lambda _: None)
    (third,) = taken(room)
    assert room.leave(first) is True
    assert room.leave(third) is True
    room.enter(job("d", on_gpu(LARGE)), lambda _: None)
    (fourth,) = taken(room)
    assert room.leave(fourth) is False


def test_a_job_that_is_tried_alone_gets_an_empty_gpu(job):
    room = room_with(job("a", on_gpu(SMALL)), job("b", on_gpu(SMALL)), slots=4, gpus=(Gpu(0, 24_000),))
    first, second = taken(room)
    room.leave(first)
    room.enter_again(first, alone=True)
    assert room.next() is None
    room.leave(second)
    assert taken(room) == [first]


def test_ten_thousand_jobs_are_queued_and_taken_in_order_within_seconds(job):
    room = WaitingRoom(slots=1)
    lengths = random.Random(7).sample(range(10_000), 10_000)
    for length in lengths:
        room.enter(job(str(length), expected_s=float(length)), lambda _: None)
    assert order_of(room) == [str(length) for length in range(9_999, -1, -1)]
