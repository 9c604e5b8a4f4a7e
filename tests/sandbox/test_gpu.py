"""Device names in, bubblewrap arguments out; on a folder that looks like /dev of a machine with two GPUs."""

from pathlib import Path

import pytest

from grader.errors import SandboxError
from grader.sandbox.gpu import LIBRARIES, device_arguments, driver_libraries, list_gpus


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "null", "sda"):
        (tmp_path / name).touch()
    (tmp_path / "nvidia-caps").mkdir()
    (tmp_path / "nvidia-caps" / "nvidia-cap21").touch()
    return tmp_path


def shown(arguments: list[str]) -> list[str]:
    return [arguments[i + 2] for i, word in enumerate(arguments) if word == "--dev-bind-try"]


def test_a_session_on_the_cpu_sees_no_device(devices):
    assert device_arguments("cpu", devices) == []


def test_every_gpu_is_shown_when_none_is_named(devices):
    assert {"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl"} <= set(shown(device_arguments("cuda", devices)))


def test_the_named_gpu_alone_is_shown(devices):
    nodes = shown(device_arguments("cuda:1", devices))
    assert "/dev/nvidia1" in nodes
    assert "/dev/nvidia0" not in nodes


def test_the_nodes_of_a_part_of_a_gpu_are_where_the_driver_looks_for_them(devices):
    assert "/dev/nvidia-caps/nvidia-cap21" in shown(device_arguments("cuda:0", devices))


def test_devices_are_bound_with_access_and_sys_is_read_only(devices):
    arguments = device_arguments("cuda", devices)
    assert arguments[-3:] == ["--ro-bind", "/sys", "/sys"]
    assert "--bind" not in arguments


@pytest.mark.parametrize("device", ["cuda:2", "mps", "cuda:x"])
def test_a_device_that_is_not_there_is_an_error_that_lists_what_is(devices, device):
    with pytest.raises(SandboxError, match=rf"no device '{device}'.*cuda:0, cuda:1"):
        device_arguments(device, devices)


def test_without_any_gpu_the_message_says_so(tmp_path):
    with pytest.raises(SandboxError, match=r"GPUs found: none\); use device 'cpu'"):
        device_arguments("cuda", tmp_path)


def test_gpus_are_listed_by_number(devices):
    (devices / "nvidia10").touch()
    assert list_gpus(devices) == (0, 1, 10)


def test_the_drivers_libraries_are_looked_for_where_containers_put_them(tmp_path):
    """NVIDIA's images search both; some hosts mount only one of them."""
    assert {"/usr/local/nvidia/lib", "/usr/local/nvidia/lib64"} <= set(LIBRARIES)
    there, absent = tmp_path / "lib", tmp_path / "lib64"
    there.mkdir()
    assert driver_libraries("cuda:0", (str(absent), str(there))) == (str(there),)


def test_the_cpu_needs_no_driver():
    assert driver_libraries("cpu") == ()
