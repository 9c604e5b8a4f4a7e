"""Real examining processes in real slots; small stand-ins take the place of Python with its imports."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pytest

from grader.errors import GraderError, SandboxError
from grader.examine.events import CheckBegun, LimitHit, Retried, Started
from grader.examine.executor import URGENT, Job, Resources
from grader.examine.gpus import Gpu
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import new_request
from grader.examine.retries import STOPPED
from grader.examine.supervise import ColdProcess, Place, examine_once
from grader.records import Environment, Examination, Outcome, Status
from tests.machine import is_alive, wait_until

ONE_GPU = (Gpu(0, 24_000),)
HALF = Resources(gpu_memory_mib=12_000)


@dataclass
class ScriptExaminer:
    """An examiner whose processes are shell scripts, by team: $OUT is where they write, $GPU what they got.

    A script is run again at every attempt; `$ATTEMPT` counts them.
    """

    scripts: dict[str, str]
    attempts: dict[str, int]
    closed: int = 0

    def start(self, request, *, out, references):
        team = request.work.team
        self.attempts[team] = self.attempts.get(team, 0) + 1
        variables = {"OUT": str(out), "GPU": str(request.gpu), "ATTEMPT": str(self.attempts[team])}
        process = subprocess.Popen(
            ["/bin/sh", "-c", self.scripts[team]],
            stderr=subprocess.PIPE, start_new_session=True, env=os.environ | variables,
        )  # fmt: skip
        return ColdProcess(process)

    def close(self):
        self.closed += 1


@pytest.fixture
def job(toy_work, toy_material):
    request = new_request(toy_work("pass\n"), toy_material, sandbox="fake", seed=1)

    def make(team, resources=Resources(), **options):  # noqa: B008
        work = request.work.model_copy(update={"team": team})
        named = request.model_copy(update={"key": team, "work": work})
        return Job(request=named, resources=resources, **options)

    return make


@pytest.fixture
def engine(tmp_path):
    """An executor over scripts, what it reported, and its examiner."""

    def make(scripts, *, slots=2, gpus=(), **options):
        examiner = ScriptExaminer(scripts, {})
        executor = LocalExecutor(
            slots=slots, gpus=gpus, open_examiner=lambda _: examiner, scratch=tmp_path / "scratch", **options
        )
        return executor, [], examiner

    return make


def until(path):
    """A line of shell that goes on when the file is there: nothing depends on who is quick."""
    return f"while [ ! -e {path} ]; do sleep 0.02; done"


def kinds(events):
    return [type(event) for event in events]


def test_what_a_process_wrote_comes_back_by_name_and_its_folder_is_gone(job, engine, tmp_path):
    executor, events, _ = engine({"ada": "mkdir $OUT/artifacts; echo a >$OUT/artifacts/x; echo b >$OUT/y"})
    with executor:
        produced = executor.submit(job("ada"), report=events.append).result(60)
    assert produced.files == {"artifacts/x": b"a\n", "y": b"b\n"}
    assert (produced.problem, len(produced.attempts)) == ("", 1)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_progress_is_reported_and_everything_else_is_kept_for_the_case_of_failure(job, engine):
    hit = '{"about":{"assignment":"t1","team":"ada"},"limit":"memory","allowed":5,"used":7,"unit":"MiB"}'
    script = f"echo 'check: test_a' >&2; echo 'limit: {hit}' >&2; echo 'limit: {{' >&2; echo oh >&2; exit 3"
    executor, events, _ = engine({"ada": script})
    with executor:
        produced = executor.submit(job("ada"), report=events.append).result(60)
    assert kinds(events) == [Started, CheckBegun, LimitHit, Retried, Started, CheckBegun, LimitHit]
    assert events[2].used == 7
    assert produced.problem == "the examining process ended with code 3\nlimit: {\noh"
    assert [attempt.problem for attempt in produced.attempts] == [
        "the examining process ended with code 3"
    ] * 2


def test_a_process_that_broke_once_is_tried_again_with_an_examiner_of_its_own(job, engine):
    executor, events, examiner = engine({"ada": "[ $ATTEMPT = 2 ] || kill -9 $$; echo fine >$OUT/log.txt"})
    with executor:
        produced = executor.submit(job("ada"), report=events.append).result(60)
        assert examiner.closed == 1
    assert produced.files == {"log.txt": b"fine\n"}
    assert [attempt.problem for attempt in produced.attempts] == [
        "the examining process ended with code -9",
        "",
    ]
    (retried,) = [event for event in events if isinstance(event, Retried)]
    assert retried.reason == "the examining process ended with code -9"


def test_an_examiner_that_cannot_be_closed_does_not_end_its_slot(job, engine):
    executor, said, examiner = engine({"team1": "exit 3", "team2": "exit 3"}, slots=1)

    def close():
        raise SandboxError("processes of a session survive")

    examiner.close = close
    with executor:
        futures = [executor.submit(job(team), report=said.append) for team in ("team1", "team2")]
        problems = [future.result(timeout=60).problem for future in futures]
    assert all("code 3" in each and each.endswith("processes of a session survive") for each in problems)


def test_the_longest_and_the_most_urgent_go_first_on_one_slot(job, engine, tmp_path):
    scripts = {"block": until(tmp_path / "all are here"), "short": "true", "long": "true", "urgent": "true"}
    executor, events, _ = engine(scripts, slots=1)
    with executor:
        executor.submit(job("block"), report=events.append)
        wait_until(lambda: events)
        for one in (job("short"), job("long", expected_s=9.0), job("urgent", priority=URGENT)):
            executor.submit(one, report=events.append)
        (tmp_path / "all are here").touch()
    assert [event.about.team for event in events] == ["block", "urgent", "long", "short"]


def test_a_gpu_is_shared_within_its_memory_and_each_process_is_told_which(job, engine, tmp_path):
    scripts = dict.fromkeys("abcd", f"{until(tmp_path / 'seen')}; echo $GPU >$OUT/gpu")
    executor, events, _ = engine(scripts, slots=4, gpus=ONE_GPU)
    with executor:
        futures = [executor.submit(job(name, HALF), report=events.append) for name in scripts]
        wait_until(lambda: len(events) >= 2)
        time.sleep(0.1)
        assert len(events) == 2
        (tmp_path / "seen").touch()
    assert {future.result().files["gpu"] for future in futures} == {b"0\n"}


OUT_OF_MEMORY = Examination(
    key="k",
    team="t",
    assignment="t1",
    outcomes=(
        Outcome(check="c", status=Status.FAILED, message="it raised OutOfMemoryError: CUDA out of memory"),
    ),
    status=Status.FAILED,
    environment=Environment(engine="e", python="3", torch="2", device="cuda", sandbox="fake", seed=1),
)


def test_out_of_memory_beside_a_neighbour_is_tried_again_with_the_gpu_to_itself(job, engine, tmp_path):
    over = tmp_path / "over"
    victim = (
        f"[ $ATTEMPT = 2 ] || {{ echo '{OUT_OF_MEMORY.model_dump_json()}' >$OUT/examination.json; touch {over}; exit; }}"
        "\necho alone >$OUT/log.txt"
    )
    executor, events, _ = engine({"victim": victim, "neighbour": until(over)}, slots=2, gpus=ONE_GPU)
    with executor:
        executor.submit(job("neighbour", HALF), report=events.append)
        produced = executor.submit(job("victim", HALF), report=events.append).result(60)
    assert produced.files == {"log.txt": b"alone\n"}
    assert [attempt.shared_gpu for attempt in produced.attempts] == [True, False]
    (retried,) = [event for event in events if isinstance(event, Retried)]
    assert retried.alone


def test_the_same_out_of_memory_alone_is_the_submissions_own_and_final(job, engine):
    script = f"echo '{OUT_OF_MEMORY.model_dump_json()}' >$OUT/examination.json"
    executor, events, _ = engine({"ada": script}, gpus=ONE_GPU)
    with executor:
        produced = executor.submit(job("ada", HALF), report=events.append).result(60)
    assert (produced.problem, len(produced.attempts), kinds(events)) == ("", 1, [Started])


def test_where_the_sandbox_broke_the_next_try_has_a_sandbox_of_its_own(job, engine):
    """What a slot keeps warm may be what is broken, though the examination came to its end."""
    unchecked = OUT_OF_MEMORY.model_copy(
        update={
            "status": Status.COULD_NOT_CHECK,
            "outcomes": (Outcome(check="c", status=Status.COULD_NOT_CHECK, message="a fault on our side"),),
        }
    )
    script = (
        f"[ $ATTEMPT = 2 ] || {{ echo '{unchecked.model_dump_json()}' >$OUT/examination.json;"
        " echo 'E grader.errors.SandboxError: no session' >$OUT/log.txt; exit; }\necho fine >$OUT/log.txt"
    )
    executor, events, examiner = engine({"ada": script})
    with executor:
        produced = executor.submit(job("ada"), report=events.append).result(60)
        assert examiner.closed == 1
    assert produced.files == {"log.txt": b"fine\n"}


def test_a_process_that_closes_its_mouth_and_lives_on_is_ended(job):
    examiner = ScriptExaminer({"ada": "exec 2>&-; exec sleep 60"}, {})
    started = time.monotonic()
    produced = examine_once(job("ada"), examiner=examiner, place=Place(end_s=0.2), report=lambda _: None)
    assert "ended with code -9" in produced.problem
    assert time.monotonic() - started < 50


def test_an_error_ends_what_runs_and_cancels_what_waits(job, engine):
    executor, events, _ = engine({"ada": "sleep 60", "bob": "sleep 60"}, slots=1)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), executor:
        running = executor.submit(job("ada"), report=events.append)
        waiting = executor.submit(job("bob"), report=events.append)
        wait_until(lambda: events)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 50
    assert running.result(0).headline == STOPPED
    assert waiting.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(events[0].pid, 0)


def test_a_mistake_of_whoever_listens_reaches_whoever_waits_and_ends_the_process(job, engine):
    executor, _, _ = engine({"ada": "sleep 60"})
    pids = []

    def stumble(event):
        pids.append(event.pid)
        raise LookupError("the listener")

    with executor, pytest.raises(LookupError, match="the listener"):
        executor.submit(job("ada"), report=stumble).result(60)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_an_examiner_that_cannot_be_opened_is_our_trouble_and_no_crash(job):
    def refuse(slot):
        raise GraderError(f"no examiner for slot {slot}")

    with LocalExecutor(slots=1, open_examiner=refuse) as executor:
        produced = executor.submit(job("ada"), report=lambda _: None).result(60)
    assert produced.problem == "no examiner for slot 0"


def test_a_slot_is_one_thread_for_the_whole_command(job, tmp_path):
    """bubblewrap's sandboxes die with the thread that started them."""
    threads = set()

    class Watching(ScriptExaminer):
        def start(self, request, *, out, references):
            threads.add(threading.get_ident())
            return super().start(request, out=out, references=references)

    scripts = {str(number): "true" for number in range(6)}
    with LocalExecutor(slots=1, open_examiner=lambda _: Watching(scripts, {})) as executor:
        for name in scripts:
            executor.submit(job(name), report=lambda _: None).result(60)
    assert len(threads) == 1


def test_after_the_end_nothing_is_taken_any_more(job, engine):
    executor, _, _ = engine({"ada": "true"})
    with executor:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(job("ada"), report=lambda _: None)


CTRL_C = """
import os, signal, sys, threading
from pathlib import Path
from grader.examine.executor import Job
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import ExamRequest
request = ExamRequest.model_validate_json(Path(sys.argv[1]).read_text())
def report(event):
    print(event.pid, flush=True)
with LocalExecutor(slots=1) as executor:
    executor.submit(Job(request=request), report=report).result()
"""


def test_control_c_ends_the_command_and_its_examining_process(job, toy_tree, tmp_path):
    (toy_tree.checks_dir("t1_toy") / "public" / "test_slow.py").write_text(
        "import time\ndef test_slow(): time.sleep(60)\n"
    )
    (tmp_path / "request.json").write_text(job("ada").request.model_dump_json())
    command = [sys.executable, "-c", CTRL_C, str(tmp_path / "request.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode != 0
    wait_until(lambda: not is_alive(pid))
