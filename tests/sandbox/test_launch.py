"""The command line before bubblewrap."""

from pathlib import Path

import pytest

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox import launch

TOOLS = launch.Tools(
    bwrap="/b/bwrap",
    setpriv="/b/setpriv",
    prlimit="/b/prlimit",
    unshare="/b/unshare",
    mount="/b/mount",
    shell="/b/sh",
)


def test_a_missing_program_is_named_with_its_package(tmp_path):
    with pytest.raises(SandboxError, match="'bwrap' is not installed; `apt install bubblewrap`"):
        launch.find_tools(path=str(tmp_path))


def test_programs_are_absolute_since_a_session_starts_without_path():
    tools = launch.find_tools()
    assert all(Path(tool).is_absolute() for tool in vars(tools).values())


def test_root_gives_up_its_user_and_every_capability():
    command = launch.outer_command(TOOLS, user=61007, leaves=[], sources={})
    assert command[command.index("/b/setpriv") :] == [
        *("/b/setpriv", "--reuid=61007", "--regid=61007", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
    ]


def test_root_binds_the_interpreter_in_a_mount_namespace_of_the_session(tmp_path):
    command = launch.outer_command(TOOLS, user=61000, leaves=[], sources={Path("/root/env"): tmp_path})
    assert command[command.index("/b/unshare") :][:4] == ["/b/unshare", "--mount", "--propagation", "private"]
    assert command.index("/b/unshare") < command.index("/root/env") < command.index("/b/setpriv")


def test_an_ordinary_user_needs_no_mount_namespace():
    command = launch.outer_command(TOOLS, user=None, leaves=[], sources={})
    assert "/b/unshare" not in command
    assert command[-2:] == ["/b/setpriv", "--no-new-privs"]


def test_the_control_group_is_joined_before_anything_else(tmp_path):
    command = launch.outer_command(TOOLS, user=None, leaves=[tmp_path], sources={})
    assert command[:2] == ["/b/sh", "-c"]
    assert command.index(str(tmp_path)) < command.index("/b/setpriv")


def test_the_data_of_a_process_is_bounded_only_where_nothing_else_bounds_memory():
    limits = Limits(memory_mib=100, processes=10, disk_mib=5)
    assert not any(word.startswith("--data") for word in launch.bounds(TOOLS, limits, with_memory=False))
    assert f"--data={280 << 20}" in launch.bounds(TOOLS, limits, with_memory=True)
    assert f"--fsize={5 << 20}" in launch.bounds(TOOLS, limits, with_memory=True)


def test_processes_are_bounded_inside_the_sandbox():
    command = launch.inner_command(TOOLS, Limits(processes=10), ["python", "x.py"])
    assert command[-5:] == ["/b/prlimit", "--nproc=12", "--", "python", "x.py"]
