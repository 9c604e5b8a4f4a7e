"""The warm fork: examinations forked from one process, held against fresh interpreters."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.examine.examiners import examiners
from grader.examine.executor import Job
from grader.examine.imports import of_checks, of_solutions
from grader.examine.request import new_request
from grader.examine.supervise import ColdExaminer, Place, examine_once
from grader.examine.warm_examiner import WarmExaminer, WarmFork, is_supported
from tests.machine import is_alive, wait_until

pytestmark = pytest.mark.skipif(not is_supported(), reason="the warm fork needs Linux")

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
HANGS = "import time\ndef test_hangs():\n    time.sleep(60)\n"


@pytest.fixture(scope="module")
def fork():
    """One for all tests: none of them may leave anything in it."""
    return WarmFork()


@pytest.fixture(scope="module")
def examiner(fork):
    examiner = WarmExaminer(fork)
    yield examiner
    examiner.close()


@pytest.fixture
def request_for(toy_work, toy_material):
    def make(source=RIGHT, **options):
        return new_request(toy_work(source), toy_material, sandbox="fake", seed=11, **options)

    return make


@pytest.fixture
def check(toy_tree):
    """Replace the hidden checks: `check("def test_it(exam): ...")`."""

    def write(text):
        hidden = toy_tree.checks_dir("t1_toy") / "hidden"
        (hidden / "test_mean.py").write_text(f"import pytest\npytestmark = pytest.mark.task('count')\n{text}")

    return write


def examined(examiner, request, **place):
    return examine_once(Job(request=request), examiner=examiner, place=Place(**place), report=lambda _: None)


def files_by(examiner, request):
    produced = examined(examiner, request)
    assert not produced.problem, produced.problem
    return produced.files


def said_by(examiner, request):
    """Check → what its assertion said."""
    outcomes = json.loads(files_by(examiner, request)["examination.json"])["outcomes"]
    return {outcome["check"].rpartition("::")[2]: outcome["message"] for outcome in outcomes}


def test_a_forked_examination_gives_the_bytes_of_a_fresh_interpreter(examiner, request_for):
    request = request_for()
    cold, warm = files_by(ColdExaminer(), request), files_by(examiner, request)
    assert warm.keys() == cold.keys()
    kept = {name for name in cold if name not in ("usage.json", "log.txt")}
    assert len(kept) == 2
    for name in kept:
        assert warm[name] == cold[name], name


def test_nothing_that_a_check_changes_is_there_for_the_next_examination(examiner, request_for, check):
    check(
        "import builtins, os, sys, random, warnings\nimport numpy as np\n"
        "def test_is_fresh():\n"
        "    seen = [hasattr(np, 'broken'), 'LEAK' in os.environ, 'leak' in sys.modules,"
        " os.getcwd() == '/', hasattr(builtins, 'leak'), np.pi != 3.141592653589793]\n"
        "    np.broken = 1; np.pi = 3; os.environ['LEAK'] = '1'; sys.modules['leak'] = os\n"
        "    builtins.leak = 1; os.chdir('/')\n"
        "    assert False, str(seen)\n"
    )
    for _ in range(3):
        assert said_by(examiner, request_for())["test_is_fresh"] == str([False] * 6)


def test_random_numbers_are_as_fresh_as_those_of_a_fresh_interpreter(examiner, request_for, check):
    check(
        "import random\nimport numpy as np\nimport torch\n"
        "def test_draws():\n    drawn = np.random.rand(), random.random(), torch.initial_seed(), torch.rand(())\n"
        "    assert False, ' '.join(map(str, map(float, drawn)))\n"
    )
    request = request_for(groups=("hidden",))  # the fake sandbox seeds the process that it runs in
    first, second = (said_by(examiner, request)["test_draws"].split() for _ in range(2))
    assert len(first) == 4
    assert not set(first) & set(second)


def test_an_examination_has_its_own_session_and_one_thread_and_the_variables_of_a_fresh_interpreter(
    examiner, request_for, check
):
    check(
        "import gc, os, sys\n"
        "def test_tells():\n"
        "    names = ('OMP_NUM_THREADS', 'PYTHONHASHSEED')\n"
        "    threads = os.listdir('/proc/self/task') == [str(os.getpid())]\n"
        "    variables = [os.environ[name] for name in names]\n"
        "    told = [os.getsid(0) == os.getpid(), threads, hash('a'), variables, sys.argv[0], gc.isenabled()]\n"
        "    assert False, str([*told, sorted(os.listdir('/proc/self/fd'))])\n"
    )
    request = request_for(groups=("hidden",))
    told = said_by(examiner, request)["test_tells"]
    assert told == said_by(ColdExaminer(), request)["test_tells"]
    assert told.startswith("[True, True, ")


def test_what_is_handed_on_is_inherited_under_the_same_number(fork, examiner, request_for, check, tmp_path):
    check(
        "import os\ndef test_reads():\n    number = int(os.environ['HANDED'])\n"
        "    assert False, os.read(number, 9).decode()\n"
    )
    read, write = os.pipe()
    os.write(write, b"from slot")
    running = fork.start(request_for(), [str(tmp_path)], inherited=[read], environment={"HANDED": str(read)})
    assert running.wait(60.0) == 0
    assert "from slot" in (tmp_path / "examination.json").read_text()
    for descriptor in (read, write):
        os.close(descriptor)
    running.close()


def test_examinations_side_by_side_do_not_hold_each_other_up(examiner, request_for, check, tmp_path):
    (tmp_path / "meeting").mkdir()
    check(
        "import os, pathlib, time\n"
        "def test_meets_the_others():\n"
        f"    meeting = pathlib.Path({str(tmp_path / 'meeting')!r})\n"
        "    (meeting / str(os.getpid())).touch()\n"
        "    ends = time.monotonic() + 50\n"
        "    while len(list(meeting.iterdir())) < 3 and time.monotonic() < ends:\n"
        "        time.sleep(0.02)\n"
        "    assert False, str(len(list(meeting.iterdir())))\n"
    )
    request = request_for(groups=("hidden",))
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: said_by(examiner, request)["test_meets_the_others"], range(3)))
    assert said == ["3"] * 3


def test_an_examination_that_takes_too_long_is_ended_and_the_next_goes_on(examiner, request_for, check):
    check(HANGS)
    request = request_for()
    limits = request.material.assignment.limits.model_copy(update={"examination_wall_s": 1})
    assignment = request.material.assignment.model_copy(update={"limits": limits})
    short = request.model_copy(
        update={"material": request.material.model_copy(update={"assignment": assignment})}
    )
    produced = examined(examiner, short, grace_s=0.5)
    assert "it took too long" in produced.problem
    check("def test_nothing():\n    pass\n")
    files_by(examiner, request_for())


def test_a_crash_of_an_examination_is_its_own(examiner, request_for, check):
    check("import os\ndef test_crashes():\n    os.kill(os.getpid(), 9)\n")
    produced = examined(examiner, request_for())
    assert produced.problem.splitlines()[0] == "the examining process ended with code -9"
    check("def test_nothing():\n    pass\n")
    files_by(examiner, request_for())


def test_a_check_that_does_not_import_is_told_as_by_a_fresh_interpreter(examiner, request_for, check):
    check("import torch_that_is_not_there\nfrom torch import nothing_of_the_kind\n")
    warm, cold = examined(examiner, request_for()), examined(ColdExaminer(), request_for())
    assert "could not be run" in warm.problem
    assert warm.problem.splitlines()[-1] == cold.problem.splitlines()[-1]


def test_a_fork_that_was_killed_is_started_again(fork, examiner, request_for):
    files_by(examiner, request_for())
    before = fork.pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not is_alive(before))
    files_by(examiner, request_for())
    assert fork.pid != before


def test_a_fork_that_does_not_answer_is_replaced_for_the_next_examination(request_for):
    fork = WarmFork(start_s=120)
    examiner = WarmExaminer(fork)
    files_by(examiner, request_for())
    stopped = fork.pid
    fork._start_s = 0.5
    os.kill(stopped, signal.SIGSTOP)
    assert "no examination was forked within 0.5 s" in examined(examiner, request_for()).problem
    assert not is_alive(stopped)
    fork._start_s = 120
    files_by(examiner, request_for())
    examiner.close()


def test_an_examination_dies_with_the_process_that_forked_it(fork, examiner, request_for, check, tmp_path):
    check(HANGS)
    started = examiner.start(request_for(), out=tmp_path, references=None)
    os.kill(fork.pid, signal.SIGKILL)
    assert started.wait(60.0) == -signal.SIGKILL
    wait_until(lambda: not is_alive(started.pid))
    started.close()


def test_the_last_examiner_that_is_closed_ends_the_fork(request_for):
    fork = WarmFork()
    first, second = WarmExaminer(fork), WarmExaminer(fork)
    files_by(first, request_for())
    pid = fork.pid
    first.close()
    first.close()
    assert is_alive(pid)
    files_by(second, request_for())
    second.close()
    assert not is_alive(pid)


def test_everything_dies_when_the_scheduler_is_killed(tmp_path, request_for, check):
    """The examination is started by a thread that has ended, which must not end it either."""
    check(HANGS)
    (tmp_path / "request.json").write_text(request_for().model_dump_json())
    program = (
        "import sys, threading, time\nfrom pathlib import Path\n"
        "from grader.examine.request import ExamRequest\n"
        "from grader.examine.warm_examiner import WarmExaminer, WarmFork\n"
        "request = ExamRequest.model_validate_json(Path(sys.argv[1], 'request.json').read_text())\n"
        "fork = WarmFork()\nexaminer = WarmExaminer(fork)\n"
        "def start():\n"
        "    running = examiner.start(request, out=Path(sys.argv[1]), references=None)\n"
        "    print(running.pid, fork.pid, flush=True)\n"
        "thread = threading.Thread(target=start)\nthread.start()\nthread.join()\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as scheduler:
        examination, fork = map(int, scheduler.stdout.readline().split())
        time.sleep(0.5)
        assert is_alive(examination)
        scheduler.kill()
    wait_until(lambda: not is_alive(examination) and not is_alive(fork))


def test_ctrl_c_reaches_the_scheduler_alone(fork, examiner, request_for, check):
    check("import os\ndef test_group():\n    assert False, str(os.getpgid(0) == os.getpid())\n")
    assert said_by(examiner, request_for())["test_group"] == "True"
    assert os.getpgid(fork.pid) == fork.pid


def test_only_packages_that_are_known_are_imported_before_the_fork(tmp_path):
    (tmp_path / "test_one.py").write_text("import torch.nn as nn, os\nfrom grader.families import vae\n")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "test_two.py").write_text("import course_code\nfrom . import numpy\n")
    (tmp_path / "test_broken.py").write_text("import (\n")
    assert of_checks(tmp_path) == ("grader.families", "grader.families.vae", "torch.nn")


def test_sessions_have_ready_what_our_solution_imports(tmp_path):
    assert of_solutions(tmp_path) == ()
    (tmp_path / "one.py").write_text("import numpy as np\nimport matplotlib\n")
    assert of_solutions(tmp_path) == ("numpy",)
    (tmp_path / "two.py").write_text("import torch\ntorch.optim.Adam([])\n")
    assert of_solutions(tmp_path) == ("numpy", "torch", "torch._dynamo")


def test_cold_can_be_asked_for():
    assert isinstance(examiners("cold")(0), ColdExaminer)
    warm = examiners()(0)
    assert isinstance(warm, WarmExaminer)
    warm.close()
