"""A grader's command in, the same in a throw-away sandbox out: an attack that works harms a folder.

Inside there are /usr, the peer's own environment, and the scratch folder with its course; no network, no
other process, no privileges. Control groups and the time limit come from `measuring`.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.course.model import Limits
from peers.measuring import Measured, measure

NOBODY = 65534
MARK = "left" + " behind"
"""What an attack's background process has in its command line."""
SETTLE_S = 1.0
LIMITS = Limits(memory_mib=4096, processes=256)

_INSIDE = """
import json, pathlib, subprocess, sys, time
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
time.sleep({settle_s})
left = 0
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        left += "left" + " behind" in path.read_text().replace(chr(0), " ")
    except OSError:
        continue
print(json.dumps({{"code": code, "left": left}}))
"""


@dataclass(frozen=True)
class Caged:
    """How a grader's command ended inside."""

    measured: Measured
    code: int | None
    """Exit code; None where it was ended at the time limit."""
    survivors: int
    """Processes of the submission that were there when the grader had gone."""


def run_caged(
    command: Sequence[str], *, folder: Path, python: Path, environment: dict[str, str], within_s: float
) -> Caged:
    """Run a grader on hostile work.

    Args:
        command: what an instructor would type, as arguments.
        folder: the scratch folder, the only place that can be written; its owner becomes nobody.
        python: the interpreter of the peer's environment.
        environment: all variables.
        within_s: when the command counts as hanging.
    """
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    hand_over(folder)
    inside = [str(python), "-c", _INSIDE.format(settle_s=SETTLE_S), *command]
    measured = measure(
        [*cage(folder, python, environment), *inside],
        folder=folder,
        environment={"PATH": os.defpath},
        within_s=within_s,
        limits=LIMITS,
    )
    if measured.timed_out or not measured.printed.strip():
        return Caged(measured, None if measured.timed_out else measured.code, 0)
    told = json.loads(measured.printed.splitlines()[-1])
    return Caged(measured, told["code"], told["left"])


def cage(folder: Path, python: Path, environment: dict[str, str]) -> list[str]:
    """The sandbox's own command line.

    As root the namespaces are made by root, who can mount what lies in a home folder, and the grader runs as
    nobody behind them; as anybody else a user namespace does both.
    """
    is_root = os.geteuid() == 0
    readable = [Path("/usr"), Path("/etc/ld.so.cache"), python.parent.parent, Path(sys.base_prefix)]
    arguments = [_tool("bwrap"), "--die-with-parent", "--new-session", "--clearenv"]
    arguments += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    arguments += [] if is_root else ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    for name in ("bin", "lib", "lib64", "sbin"):
        arguments += ["--symlink", f"usr/{name}", f"/{name}"]
    parents = (parent for path in (*readable, folder) for parent in reversed(path.parents[:-1]))
    for parent in dict.fromkeys(parents):  # otherwise bubblewrap makes them for its own user alone
        arguments += ["--perms", "0755", "--dir", str(parent)]
    for path in dict.fromkeys(readable):
        arguments += ["--ro-bind", str(path), str(path)]
    arguments += ["--ro-bind", str(folder / "hosts"), "/etc/hosts"]
    arguments += ["--bind", str(folder), str(folder), "--chdir", str(folder)]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--", *(_drop() if is_root else [])]


def _drop() -> list[str]:
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [_tool("setpriv"), *ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]


def hand_over(folder: Path) -> None:
    """Let nobody write in the scratch folder."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; the attacks run only inside a sandbox")
    return found
