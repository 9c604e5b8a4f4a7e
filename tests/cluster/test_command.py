"""`grader grade --cluster`, as it is given on a command line."""

import json
import signal
import subprocess
import sys

import psutil
import pytest
from click.testing import CliRunner

from grader.cli import main
from tests.cluster.conftest import RIGHT
from tests.cluster.daemons import site_in, wait_until


def command(course, *arguments):
    return [
        sys.executable,
        "-m",
        "grader",
        "grade",
        "t1",
        "--course",
        str(course),
        "--sandbox",
        "fake",
        *arguments,
    ]


def run(course, *arguments):
    return subprocess.run(
        command(course, *arguments), capture_output=True, text=True, check=False, timeout=80
    )


def events_of(state):
    log = state / "events.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def test_worker_processes_give_the_marks_that_this_machine_gives(class_of, tmp_path):
    course = class_of(ada=RIGHT, bob=RIGHT.replace("a + b", "a - b"))
    here = run(course, "--json", "--state", str(tmp_path / "here"))
    there = run(course, "--json", "--state", str(tmp_path / "there"), "--cluster", "local:2")
    assert there.stdout == here.stdout, there.stderr
    assert (there.returncode, len(json.loads(there.stdout)["marksheets"])) == (here.returncode, 2)


def test_what_runs_ends_with_its_coordinator_and_the_same_command_goes_on(class_of, held, tmp_path):
    course = class_of(ada=held.source, bob=RIGHT)
    with site_in(tmp_path) as site:
        site.worker("node", "--nthreads", "2")
        arguments = (
            "--json",
            "--cluster",
            site.address,
            "--cluster-insecure",
            "--state",
            str(course / "state"),
        )

        def of(team, kind):
            return [
                e for e in events_of(course / "state") if (e["about"]["team"], e["event"]) == (team, kind)
            ]

        with subprocess.Popen(command(course, *arguments), stdout=subprocess.DEVNULL) as coordinator:
            wait_until(lambda: of("bob", "finished") and of("ada", "check"))
            (started,) = of("ada", "started")
            examiner = psutil.Process(started["pid"])
            coordinator.send_signal(signal.SIGKILL)
        psutil.wait_procs([examiner], timeout=60)
        assert not examiner.is_running(), "nobody waits for what it finds"
        held.let_go()
        again = run(course, *arguments)
        assert len(json.loads(again.stdout)["marksheets"]) == 2, again.stderr
        assert len(of("ada", "started")) == 2
        assert len(of("bob", "started")) == 1, "what was stored is not run again"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cluster", "nowhere"], "--cluster: expected local:4, tcp://host:8786, tls://host:8786 or slurm"),
        (["--cluster", "tcp://127.0.0.1:9"], "--cluster-insecure where you trust every machine"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_before_anything_runs(class_of, arguments, said):
    course = class_of(ada=RIGHT)
    refused = CliRunner().invoke(main, ["grade", "t1", "--course", str(course), *arguments])
    assert refused.exit_code == 3
    assert said in refused.stderr
    assert not (course / ".grader").exists()
