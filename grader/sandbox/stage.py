"""A submission in, a copy of it under a neutral path out, with mount points for the interpreter.

A bind mount shows its source in /proc/self/mountinfo, and a submission's path names its author; so a session
is given a copy whose path says nothing.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.sandbox.traces import left_behind, name_start

_ROOTS_STAGE = Path("/tmp")  # noqa: S108 - the slot's user must reach it; mkdtemp makes a folder only it can enter


@contextmanager
def staged(submission: Path | None, *, user: int | None) -> Iterator[Path]:
    """A folder with the copy in `submission/`, for as long as the session runs.

    Args:
        submission: what to copy; None makes an empty folder.
        user: who must be able to read it, apart from root; None: the one that runs the grader.
    """
    parent = Path(tempfile.gettempdir()) if user is None else _ROOTS_STAGE
    _sweep(parent)
    stage = Path(tempfile.mkdtemp(prefix=name_start(), dir=parent))
    try:
        (stage / "submission").mkdir()
        if submission is not None:
            copy_tree(submission, stage / "submission")
        if user is not None:
            _give(stage, user)
        yield stage
    finally:
        remove_tree(stage)


@contextmanager
def shelved(submission: Path, shelf: Path, *, user: int | None) -> Iterator[str]:
    """The name of a copy in `shelf`, for as long as the session runs.

    Args:
        submission: what to copy.
        shelf: the folder in which a zygote finds the submissions of its sessions.
        user: see `staged`.
    """
    _sweep(shelf)
    copy = Path(tempfile.mkdtemp(prefix=name_start(), dir=shelf))
    try:
        copy_tree(submission, copy)
        copy.chmod(0o755)
        if user is not None:
            _give(copy, user)
        yield copy.name
    finally:
        shutil.rmtree(copy)


def _sweep(parent: Path) -> None:
    """Remove what a killed grader left behind; what belongs to other users stays."""
    for folder in left_behind(parent):
        with contextlib.suppress(OSError):
            remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder in which hostile code may have written: nested without end, closed to its owner.

    Raises:
        OSError: it is still there.
    """
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
        return
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(folder)], capture_output=True, check=False)
    if folder.exists():
        raise OSError(f"{folder} of a session cannot be removed; remove it by hand")


def copy_tree(source: Path, target: Path) -> None:
    """Copy folders, regular files and symbolic links as such; leave out everything else.

    Args:
        source: a folder; links in it are never followed.
        target: an existing folder.
    """
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        copy = target / entry.name
        if entry.is_symlink():
            copy.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            copy.mkdir()
            copy_tree(Path(entry.path), copy)
        elif entry.is_file():
            shutil.copyfile(entry.path, copy)


def mount_points(stage: Path, roots: tuple[Path, ...]) -> dict[Path, Path]:
    """An empty folder in `stage` for each root."""
    points = {root: stage / str(number) for number, root in enumerate(roots)}
    for point in points.values():
        point.mkdir(mode=0o755)
    return points


def _give(folder: Path, user: int) -> None:
    os.chown(folder, user, user)
    for path in folder.rglob("*"):
        os.chown(path, user, user, follow_symlinks=False)
