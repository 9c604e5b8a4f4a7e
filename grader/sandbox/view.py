"""The grader's own interpreter and a session's limits in, what the session sees as bubblewrap arguments out.

A session sees the system's programs, the interpreter with its packages, one submission and three places to
write. It does not see the grader, nor data that submissions are examined with.
"""

import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grader
from grader.course.model import Limits
from grader.errors import SandboxError

HOME = "/home/student"
USER = 1000
"""Inside, whoever it is outside."""
SUBMISSION = "/submission"
PROGRAM = "/run/grader/worker.py"
WRITABLE = ("/dev/shm", "/tmp", HOME)  # noqa: S108 - places inside the sandbox
MASKS = ("grader", "sklearn/datasets/data")
"""Folders of every site-packages that appear empty: our source, and data that we examine with."""

_SYSTEM = Path("/usr")
SYSTEM_EXTRAS = ("/etc/ld.so.cache", "/etc/alternatives")
"""Shown where there are any."""
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs the worker: the one that runs the grader."""

    executable: Path
    roots: tuple[Path, ...]
    """Folders outside /usr that it needs, none inside another; shown at their own paths."""
    masks: tuple[Path, ...]
    """Folders below what is shown that must appear empty."""


def find_interpreter(hidden: Iterable[Path] = ()) -> Interpreter:
    """The running interpreter.

    Args:
        hidden: folders that no session may see, should they lie below what is shown: the course, its state.

    Raises:
        SandboxError: it is installed in the root folder.
    """
    hidden = tuple(path.resolve() for path in hidden)
    prefixes = [Path(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    links = [link.parent for link in follow_links(Path(sys.executable))]
    roots = outermost([*prefixes, *(prefix.resolve() for prefix in prefixes), *links], hidden=hidden)
    if Path("/") in roots:
        raise SandboxError(
            f"python at {sys.executable} would show the whole machine; use a virtual environment"
        )
    packages = {Path(sysconfig.get_paths()[name]) for name in ("purelib", "platlib")}
    masks = [folder / mask for folder in packages for mask in MASKS]
    masks += [Path(grader.__file__).resolve().parent, *hidden]
    shown = (*roots, _SYSTEM)
    below = {mask for mask in masks if mask.is_dir() and any(mask.is_relative_to(root) for root in shown)}
    return Interpreter(Path(sys.executable), roots, tuple(sorted(below)))


def follow_links(path: Path) -> list[Path]:
    """`path`, and what it links to, and so on; a sandbox has to show each of them."""
    found = [path]
    while found[-1].is_symlink():
        target = found[-1].parent / found[-1].readlink()
        found.append(Path(os.path.normpath(target)))
    return found


def outermost(folders: Iterable[Path], *, hidden: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Drop what /usr shows already and what lies inside another folder of the list."""
    hidden = tuple(hidden)
    wanted = sorted({folder for folder in folders if folder != _SYSTEM})
    result: list[Path] = []
    for folder in wanted:
        is_masked = any(folder.is_relative_to(path) for path in hidden)
        is_shown = any(folder.is_relative_to(root) for root in (*result, _SYSTEM))
        if not is_shown or is_masked:
            result.append(folder)
    return tuple(result)


def isolation(*, can_nest: bool = False) -> list[str]:
    """New namespaces, no privileges, no terminal, gone with the grader.

    Args:
        can_nest: whether a program inside may make namespaces of its own; no code of a submission may.
    """
    return [
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session"),
        *(() if can_nest else ("--disable-userns",)),
        *("--uid", str(USER), "--gid", str(USER), "--cap-drop", "ALL", "--hostname", "sandbox"),
    ]


def variables(executable: Path, *, threads: int, libraries: Iterable[str] = ()) -> dict[str, str]:
    """The few variables that a session has.

    Args:
        executable: the interpreter; its folder comes first in PATH.
        threads: how many threads the numerical libraries start.
        libraries: folders of shared libraries outside the usual ones.
    """
    count = str(threads)
    known = {
        "PATH": f"{executable.parent}:/usr/bin:/bin",
        "HOME": HOME,
        "TMPDIR": "/tmp",  # noqa: S108 - inside the sandbox
        "LANG": "C.UTF-8",
        "USER": "student",
        "LOGNAME": "student",
        "PYTHONHASHSEED": "0",  # the order of a set is the same in every worker of an examination
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    if folders := ":".join(libraries):
        known["LD_LIBRARY_PATH"] = folders
    return known


def environment(executable: Path, *, threads: int, libraries: Iterable[str] = ()) -> list[str]:
    """`variables` as arguments."""
    known = variables(executable, threads=threads, libraries=libraries)
    return ["--clearenv", *(part for item in known.items() for part in ("--setenv", *item))]


def system_links() -> dict[str, str]:
    """The links into /usr that this system has in its root folder."""
    paths = (Path("/", name) for name in _LINKS)
    return {str(path): str(path.readlink()) for path in paths if path.is_symlink()}


def system_folders() -> list[str]:
    """Where the system's programs and libraries are."""
    paths = (Path("/", name) for name in _LINKS)
    return [str(_SYSTEM), *(str(path) for path in paths if path.is_dir() and not path.is_symlink())]


def system_files() -> list[str]:
    """Programs and libraries of the system, read-only; /proc and /dev of the sandbox's own."""
    folders = [("--ro-bind", path, path) for path in system_folders()]
    links = [("--symlink", target, path) for path, target in system_links().items()]
    others = [("--ro-bind-try", path, path) for path in SYSTEM_EXTRAS]
    return [
        *(part for parts in (*folders, *links, *others) for part in parts),
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]


def writable_places(limits: Limits) -> list[str]:
    """Empty memory file systems of a fixed size; /tmp and home are gone with the session."""
    size_bytes = str(limits.disk_mib * _MIB)
    return [part for place in WRITABLE for part in ("--size", size_bytes, "--tmpfs", place)]


def interpreter_files(interpreter: Interpreter, sources: Mapping[Path, Path]) -> list[str]:
    """The interpreter at its own paths, read-only, with its masks.

    Args:
        interpreter: what to show.
        sources: where each root can be read from; by default at its own path.
    """
    above = [
        mask for mask in interpreter.masks if any(root.is_relative_to(mask) for root in interpreter.roots)
    ]
    below = [mask for mask in interpreter.masks if mask not in above]
    binds = [("--ro-bind", str(sources.get(root, root)), str(root)) for root in interpreter.roots]
    parts = [*map(_mask, above), *binds, *map(_mask, below)]
    closing = [("--remount-ro", str(mask)) for mask in interpreter.masks]
    return [argument for part in (*parts, *closing) for argument in part]


def _mask(folder: Path) -> tuple[str, ...]:
    return ("--size", "4096", "--tmpfs", str(folder))
