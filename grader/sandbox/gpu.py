"""A device name in, the bubblewrap arguments that let CUDA work out. Looks at /dev only.

Sources: the device list of Apptainer's nvliblist.conf and of NVIDIA's container toolkit. CUDA's start-up also
reads /sys; device nodes need `--dev-bind`, since a plain bind mounts them without device access.
"""

from collections.abc import Iterable
from pathlib import Path

from grader.errors import SandboxError

_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "dxg")
LIBRARIES = ("/usr/local/nvidia/lib", "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib")
"""Where containers and WSL put the driver's libraries, outside the loader's cache."""


def list_gpus(devices: Path = Path("/dev")) -> tuple[int, ...]:
    """Numbers of the NVIDIA GPUs that have a device node."""
    names = (path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*"))
    return tuple(sorted(int(name) for name in names if name.isdigit()))


def device_arguments(device: str, devices: Path = Path("/dev")) -> list[str]:
    """What a session on `device` additionally sees.

    Args:
        device: "cpu" (nothing), "cuda" (every GPU), or "cuda:1" (that one alone).
        devices: the folder of device nodes.

    Raises:
        SandboxError: there is no such GPU.
    """
    if device == "cpu":
        return []
    nodes = [*_chosen(device, devices), *(devices / name for name in _SHARED)]
    nodes += sorted((devices / "nvidia-caps").glob("nvidia-cap[0-9]*"))
    return [*_bind(nodes, devices), "--ro-bind", "/sys", "/sys"]


def driver_libraries(device: str, folders: Iterable[str] = LIBRARIES) -> tuple[str, ...]:
    """Folders for LD_LIBRARY_PATH where the driver's libraries are not in the loader's cache."""
    return () if device == "cpu" else tuple(folder for folder in folders if Path(folder).is_dir())


def _chosen(device: str, devices: Path) -> list[Path]:
    kind, _, number = device.partition(":")
    found = list_gpus(devices)
    has_gpu = bool(found) or (devices / "dxg").exists()
    if kind != "cuda" or not has_gpu or (number and number not in map(str, found)):
        listed = ", ".join(f"cuda:{index}" for index in found) or "none"
        raise SandboxError(f"no device {device!r} on this machine (GPUs found: {listed}); use device 'cpu'")
    return [devices / f"nvidia{index}" for index in found if not number or index == int(number)]


def _bind(nodes: Iterable[Path], devices: Path) -> list[str]:
    places = ((str(node), f"/dev/{node.relative_to(devices)}") for node in nodes)
    return [part for pair in places for part in ("--dev-bind-try", *pair)]
