"""A course of one team that was looked at once: nothing is said of '1 teams'."""

import re
import subprocess

import pytest

from grader.audit.anchors import Anchor
from grader.audit.statements import proves
from tests.audit.built_class import BuiltClass, Server
from tests.audit.evidence import grader
from tests.audit.histories import HISTORIES
from tests.collect.lab import DAY, T

SLIP = re.compile(r"\b1 (?:(?:more|other|started) )?[a-z]{3,}s\b(?<!\bwas)(?<!\bhas)(?<!\bdoes)[^\n]{0,30}")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    server = Server(folder / "server")
    server.add(next(history for history in HISTORIES if history.name == "linear"), team="only")
    built = BuiltClass(folder, server)
    built.look(T + DAY)
    return built


def test_no_command_about_evidence_makes_one_thing_several(one, tmp_path):
    case = tmp_path / "case"
    done = [
        grader("audit", "t1", "--course", one.root),
        grader("audit", "verify", "--course", one.root),
        grader("audit", "anchor", "--course", one.root),
        grader("audit", "export", "t1", case, "--course", one.root),
        grader("audit", "verify", case),
        grader("harvest", "--course", one.root),
        grader("validate", "--course", one.root),
    ]
    said = [command.output for command in done]
    said.append(
        subprocess.run(["sh", case / "verify.sh"], check=False, capture_output=True, text=True).stdout
    )
    said += [one.page, (case / "README.txt").read_text()]
    assert [found for text in said for found in SLIP.findall(text)] == []
    assert any("1 round, " in text for text in said)
    assert any("1 bundle" in text for text in said)


def test_what_one_round_proves_is_said_of_one_round():
    anchor = Anchor(round=1, sha256="ab" * 32, time=None, text="posted")
    first, second, *_ = proves(1, [anchor], noted=True, complete=True)
    assert first.startswith("round 1 is as it was written")
    assert second.startswith("round 1 was not written anew")
