"""What a tree of processes uses, where no control group counts it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader.sandbox.tree import _look, _Process, _proportional, pids_below

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_process_that_ends_between_two_looks_is_not_counted_with_all_that_it_shared():
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as child:
        child.stdout.read()  # comes to its end when the child ends, which is then a zombie until waited for
        for _ in range(1000):
            if "State:\tZ" in _status(child.pid):
                break
        seen_before = _Process(pid=child.pid, cpu_s=0.0, threads=1, private_mib=220.0, shared_mib=5.0)
        assert _proportional(seen_before) == (0.0, 0.0)


@pytest.mark.parametrize("name", [b"a kB", b"9 kB", b"\xff\xfe", b") Z 1 1 1", b"\nRssAnon: 1 kB"])
def test_no_name_that_a_process_gives_itself_disturbs_its_measurement(name):
    program = f"import ctypes; ctypes.CDLL(None).prctl(15, {name!r}, 0, 0, 0); print(flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        seen = _look(child.pid)
        child.kill()
    assert (seen.threads, seen.private_mib > 1) == (1, True)


THREADS_COME_AND_GO = """
import os, threading, time
if not (child := os.fork()):
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
def again_and_again():
    while True:
        threads = [threading.Thread(target=int) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
for _ in range(4):
    threading.Thread(target=again_and_again).start()
"""


def test_no_child_is_hidden_by_threads_that_come_and_go():
    command = [sys.executable, "-c", THREADS_COME_AND_GO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        child = int(parent.stdout.readline())
        missed = sum(child not in set(pids_below(parent.pid)) for _ in range(1000))
        os.killpg(parent.pid, signal.SIGKILL)
    assert missed == 0


def _status(pid):
    return Path(f"/proc/{pid}/status").read_text()
