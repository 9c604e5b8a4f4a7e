"""Control groups: where they are found, what is written, what is read; and really, where this machine lets us."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox.cgroup import find_hierarchy, own_directories
from grader.sandbox.cgroup_leaf import Leaf, _members, remove
from grader.sandbox.cgroup_v2 import SUPERVISOR, Leaf2, Version2
from grader.sandbox.limits import Reading
from tests.machine import meanwhile

LIMITS = Limits(memory_mib=64, processes=20)

VERSION_1 = """\
25 30 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 25 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
32 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct
33 25 0:29 /docker/ab /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def test_the_own_groups_of_version_1_are_found_by_controller():
    membership = "4:memory:/user/ann\n3:cpu,cpuacct:/\n2:pids:/docker/ab/x\n0::/init.scope\n"
    assert own_directories(VERSION_1, membership) == {
        "memory": Path("/sys/fs/cgroup/memory/user/ann"),
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "pids": Path("/sys/fs/cgroup/pids/x"),
        "": Path("/sys/fs/cgroup/unified/init.scope"),
    }


def test_a_group_outside_what_is_mounted_is_not_ours():
    assert "pids" not in own_directories(VERSION_1, "2:pids:/elsewhere\n")


def test_without_controllers_the_message_says_how_to_get_them():
    with pytest.raises(
        SandboxError, match=r"no memory, pids and cpu controllers.*systemd-run --user --scope"
    ):
        find_hierarchy(mounts="", membership="0::/\n")


def test_a_group_that_cannot_be_written_is_named(tmp_path):
    mounts = f"30 25 0:30 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "cgroup.procs").touch()
    with pytest.raises(SandboxError, match=r"No such file or directory: .*cgroup\.subtree_control"):
        find_hierarchy(mounts=mounts, membership="0::/\n")


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A folder with the files of a group of version 2 that is ready for children."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu io memory pids\n")
    (tmp_path / "cgroup.procs").write_text("1\n")
    return tmp_path


def test_version_2_writes_every_limit(parent):
    leaf = Version2(parent).create(LIMITS, threads=3)
    written = {path.name: path.read_text() for path in leaf.directory.iterdir()}
    assert written == {
        "memory.max": str(64 << 20),
        "memory.oom.group": "1",
        "pids.max": "22",
        "cpu.max": "300000 100000",
    }


def test_version_2_forbids_swap_where_the_kernel_counts_it(tmp_path):
    (tmp_path / "memory.swap.max").write_text("max")
    Leaf2(tmp_path).bound(LIMITS, threads=1)
    assert (tmp_path / "memory.swap.max").read_text() == "0"


def test_version_2_reads_what_was_used(tmp_path):
    files = {
        "memory.current": "1048576\n",
        "memory.peak": "2097152\n",
        "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        "memory.events": "low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 1\n",
        "pids.events": "max 2\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert Leaf2(tmp_path).read() == Reading(
        cpu_s=2.5, memory_mib=1, peak_memory_mib=2, out_of_memory=True, processes_refused=True
    )


def test_version_2_ends_all_members_by_one_switch(tmp_path):
    (tmp_path / "cgroup.kill").write_text("")
    Leaf2(tmp_path).kill()
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_a_grader_in_its_supervisor_group_makes_leaves_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    mounts = f"30 25 0:30 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    own = tmp_path / "scope" / SUPERVISOR
    own.mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"scope/cgroup.subtree_control"):
        find_hierarchy(mounts=mounts, membership=f"0::/scope/{SUPERVISOR}\n")


@pytest.fixture
def hierarchy():
    try:
        return find_hierarchy()
    except SandboxError as error:
        pytest.skip(str(error))


def join(leaf, command: str) -> subprocess.Popen[bytes]:
    script = "".join(f"echo 0 >{directory}/cgroup.procs && " for directory in leaf.directories)
    return subprocess.Popen(["/bin/sh", "-c", f"{script} {command}"], start_new_session=True)


def test_a_leaf_counts_the_cpu_time_of_its_members(hierarchy):
    leaf = hierarchy.create(LIMITS, threads=1)
    with join(leaf, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"):
        pass
    reading = leaf.read()
    remove(leaf)
    assert reading.cpu_s > 0.01
    assert reading.peak_memory_mib > 0
    assert not reading.out_of_memory


def test_removing_a_leaf_ends_its_members_even_when_they_ignore_signals(hierarchy):
    leaf = hierarchy.create(LIMITS, threads=1)
    with join(leaf, "trap '' TERM INT HUP; sleep 100; sleep 100") as process:
        while process.poll() is None and not (leaf.directories[-1] / "cgroup.procs").read_text():
            time.sleep(0.005)
        remove(leaf)
    assert process.returncode == -9
    assert not any(directory.exists() for directory in leaf.directories)


def test_removing_a_leaf_twice_is_harmless(hierarchy):
    leaf = hierarchy.create(LIMITS, threads=1)
    remove(leaf)
    remove(leaf)


def test_a_leaf_refuses_more_processes_than_its_bound(hierarchy):
    leaf = hierarchy.create(LIMITS.model_copy(update={"processes": 2}), threads=1)
    with join(leaf, "{ sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait; } 2>/dev/null"):
        pass
    reading = leaf.read()
    remove(leaf)
    assert reading.processes_refused


def test_a_group_that_another_grader_removes_meanwhile_has_no_members(hierarchy):
    """Several graders sweep what a killed one left, at the same time."""
    leaf = hierarchy.create(LIMITS, threads=1)
    directory = leaf.directories[0]

    def come_and_go():
        directory.rmdir()
        directory.mkdir()

    with meanwhile(come_and_go):
        found = [_members(directory) for _ in range(3000)]
    remove(leaf)
    assert found == [[]] * 3000


@dataclass(frozen=True)
class Stubborn:
    """A leaf whose members cannot be ended."""

    leaf: Leaf

    @property
    def directories(self) -> tuple[Path, ...]:
        return self.leaf.directories

    def read(self) -> Reading:
        return self.leaf.read()

    def kill(self) -> None:
        """Nothing works."""


def test_what_cannot_be_ended_is_an_error_of_ours(hierarchy):
    leaf = hierarchy.create(LIMITS, threads=1)
    with join(leaf, "sleep 100"):
        while not (leaf.directories[-1] / "cgroup.procs").read_text():
            time.sleep(0.005)
        with pytest.raises(SandboxError, match=r"survive in .*grader-"):
            remove(Stubborn(leaf), within_s=0.05)
        remove(leaf)
