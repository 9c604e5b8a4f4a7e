"""Nothing in; secrets, files and listeners that no attack must reach, and whether one did, out.

The files may be read by everybody, so that it is never their mode that keeps a session out. Everything is
gone at the end. Listeners listen on this machine's loopback alone.
"""

import hashlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

FILES = {
    "hidden_check": "course/assignments/a1/checks/hidden/test_hidden.py",
    "reference": "course/reference_solutions/a1/model.py",
    "results": "course/.grader/results.json",
    "other_submission": "submissions/other/model.py",
    "git_credentials": "home/.git-credentials",
    "netrc": "home/.netrc",
    "ssh_key": "home/.ssh/id_ed25519",
}
"""Planted files, each with a secret of its own."""
VARIABLE = "GRADER_FORGE_TOKEN"
PLACES = ("/", "/usr", "/etc", "/dev", "/root", "/run", "/var", "/opt", "/srv", sys.prefix)
"""Folders of the host in which attacks try to make a file."""


@dataclass(frozen=True)
class Bait:
    """What is planted."""

    folder: Path
    submission: Path
    """The files that the attacking submission has."""
    secrets: dict[str, str]
    """Secret by name."""
    new_name: str
    """Name of the files that attacks try to make where they must not."""
    listeners: dict[str, socket.socket]
    contents: dict[str, str]
    """Digest of every planted file."""

    def known(self) -> dict[str, object]:
        """What an attacker could have found out: paths, ports and numbers, never a secret."""
        return {
            "paths": {name: str(self.folder / path) for name, path in FILES.items()},
            "tcp_port": self.listeners["TCP on the loopback"].getsockname()[1],
            "udp_port": self.listeners["UDP on the loopback"].getsockname()[1],
            "abstract_name": self.listeners["abstract Unix socket"].getsockname()[1:].decode(),
            "socket_path": self.listeners["Unix socket in a folder"].getsockname(),
            "addresses": _own_addresses(),
            "grader_pid": os.getpid(),
            "new_name": self.new_name,
            "devices": _block_devices(),
        }

    def leaked(self, said: str) -> tuple[str, ...]:
        """Secrets, by name, that are in what came out of a session."""
        return tuple(name for name, secret in self.secrets.items() if secret in said)

    def changed(self) -> tuple[str, ...]:
        """Planted files that are not as they were, and files that appeared where none must."""
        now = _contents(self.folder)
        names = sorted(
            name for name in now.keys() | self.contents.keys() if now.get(name) != self.contents.get(name)
        )
        return (*names, *made_in(PLACES, self.new_name))

    def heard(self) -> tuple[str, ...]:
        """Listeners that were reached since they were last asked."""
        return tuple(name for name, listener in self.listeners.items() if _was_reached(listener))


def made_in(places: Sequence[str], name: str) -> tuple[str, ...]:
    """Files of that name in these folders; those that we may not look into hold nothing of ours."""
    paths = [os.path.join(place, name) for place in places]  # noqa: PTH118
    return tuple(path for path in paths if os.path.exists(path))  # noqa: PTH110 - Path.exists raises there


@contextmanager
def planted() -> Iterator[Bait]:
    """Plant everything, and take it away at the end.

    A secret also lies in our environment, in our memory, and in a file that we hold open by a descriptor
    that children inherit.
    """
    with ExitStack() as keep:
        home = "/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix="grader-bait-", dir=home))
        keep.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        known = _plant_files(folder)
        author = f"team-of-{secrets.token_hex(8)}"
        submission = _plant_submission(folder / author)
        token, held = _mark("environment"), _mark("descriptor")
        keep.enter_context(_environment(VARIABLE, token))
        keep.enter_context(_held_open(folder / "held", held))
        listeners = {name: keep.enter_context(listener) for name, listener in _listeners(folder).items()}
        yield Bait(
            folder=folder,
            submission=submission,
            secrets={**known, "environment": token, "descriptor": held, "author": author},
            new_name=f"grader-attack-{secrets.token_hex(4)}",
            listeners=listeners,
            contents=_contents(folder),
        )


def _mark(name: str) -> str:
    """A secret that `inside.MARK` finds."""
    return f"CANARY-{name}-{secrets.token_hex(8)}"


def _plant_files(folder: Path) -> dict[str, str]:
    planted = {}
    for name, place in FILES.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        planted[name] = _mark(name)
        path.write_text(f"# {planted[name]}\n", encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return planted


def _plant_submission(folder: Path) -> Path:
    """Files that the session may see, and links out of it."""
    folder.mkdir(mode=0o755)
    (folder / "own.txt").write_text(_mark("own"), encoding="utf-8")
    (folder / "link_to_own").symlink_to("own.txt")
    (folder / "link_to_check").symlink_to(folder.parent / FILES["hidden_check"])
    (folder / "link_to_course").symlink_to(folder.parent / "course")
    (folder / "link_upwards").symlink_to("../course")
    return folder


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def _held_open(path: Path, content: str) -> Iterator[None]:
    path.write_text(content, encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)
        yield


def _listeners(folder: Path) -> dict[str, socket.socket]:
    """Listening sockets, each shown to hear."""
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    abstract, path = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0grader-bait-{secrets.token_hex(8)}")
    path.bind(str(folder / "socket"))
    (folder / "socket").chmod(0o777)
    for listener in (abstract, path):
        listener.listen()
    listeners = {
        "TCP on the loopback": tcp,
        "UDP on the loopback": udp,
        "abstract Unix socket": abstract,
        "Unix socket in a folder": path,
    }
    for listener in listeners.values():
        listener.setblocking(False)
        _reach(listener)
        if not _was_reached(listener):
            raise OSError(f"a listener of ours hears nothing: {listener}")
    return listeners


def _reach(listener: socket.socket) -> None:
    with socket.socket(listener.family, listener.type) as caller:
        caller.connect(listener.getsockname())
        caller.send(b"x")


def _was_reached(listener: socket.socket) -> bool:
    """Take what waits there."""
    found = False
    while True:
        try:
            if listener.type == socket.SOCK_DGRAM:
                listener.recv(1024)
            else:
                listener.accept()[0].close()
        except BlockingIOError:
            return found
        found = True


def _contents(folder: Path) -> dict[str, str]:
    """Kind, mode and digest of everything below a folder."""
    found = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(folder))] = f"{state.st_mode:o} {hashlib.sha256(content).hexdigest()}"
    return found


def _own_addresses() -> list[str]:
    """Of this machine, apart from the loopback."""
    families = (socket.AF_INET, socket.AF_INET6)
    found = [
        a.address.split("%")[0]
        for each in psutil.net_if_addrs().values()
        for a in each
        if a.family in families
    ]
    return [address for address in found if not address.startswith(("127.", "::1", "fe80"))]


def _block_devices() -> list[list[int]]:
    """Major and minor numbers of this machine's disks."""
    try:
        rows = [line.split() for line in Path("/proc/partitions").read_text(encoding="ascii").splitlines()]
    except OSError:
        return []
    return [[int(row[0]), int(row[1])] for row in rows if len(row) == 4 and row[0].isdigit()][:4]
