"""A small class with evidence of six looks, built once; tests spoil copies of it."""

import json
import shutil
import stat
from pathlib import Path

from click.testing import CliRunner

from grader.cli import main
from tests.audit.built_class import BuiltClass, Server
from tests.audit.histories import HISTORIES, Move
from tests.collect.lab import HOUR, T

LARGE = b"\0" * (1024 * 1024 + 1)
"""Above the limit of this class, so that it is left out of a mirror."""
LOOKS = (T - 5 * HOUR, T - 3 * HOUR, T - HOUR, T - 1, T + HOUR, T + 24 * HOUR)


def class_of_three(folder: Path) -> BuiltClass:
    """Teams `amended`, `linear` and `a.large`, whose repository holds a file above the limit."""
    server = Server(folder / "server")
    for history in HISTORIES:
        if history.name in {"amended", "linear"}:
            server.add(history)
    server.add(next(one for one in HISTORIES if one.name == "linear"), team="a.large")
    large = server.repositories["a.large"]
    large.commit("big", T - HOUR, ["c2"], files={"t1": {"counting.py": "x = 1\n"}, "model.pt": LARGE})
    server.moves["a.large"] = [Move(T - 2 * HOUR, "c2"), Move(T - HOUR, "big")]
    built = BuiltClass(folder, server)
    course = built.root / "course.toml"
    text = course.read_text()
    assert "[collect]\n" in text
    course.write_text(text.replace("[collect]\n", "[collect]\nblob_limit_mib = 1\n"))
    built.look(*LOOKS)
    return built


def copied(place: Path, to: Path) -> Path:
    """A copy in which every file may be written."""
    shutil.copytree(place, to)
    for path in to.rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    return to


def grader(*words):
    """A finished command."""
    return CliRunner().invoke(main, [str(word) for word in words])


def verified(folder: Path, *options):
    """What `grader audit verify --json` says of a folder, with its exit code."""
    done = grader("audit", "verify", folder, "--json", *options)
    return done.exit_code, json.loads(done.stdout)


def broken_rounds(found):
    """The rounds that something is wrong with."""
    return {finding["round"] for finding in found["findings"] if finding["kind"] == "broken"}
