"""A whole run with a private repository: the token is on the wire and nowhere else."""

import base64
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.forges.fake import FakeForge
from grader.forges.fake_formats import FakePush
from grader.forges.records import NOTHING
from tests.collect.https_lab import Forge as GitServer
from tests.collect.lab import Repository
from tests.forges.conftest import TOKEN

SOLUTION = (
    "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
)
MADE = 1_749_000_000
"""Before the deadline of the toy course."""


class WholeForge(FakeForge):
    """An API and a git server behind one address."""

    def __init__(self, git_server, **options):
        self.git_server = git_server
        super().__init__(**options)

    def answer(self, handler):
        if ".git/" in handler.path:
            self.git_server.answer(handler)
        else:
            super().answer(handler)


@pytest.fixture
def private_class(toy_tree, tmp_path, trusted):
    repository = Repository(tmp_path / "served" / "o" / "r.git")
    commit = repository.commit("c1", MADE, files={"t1": {"counting.py": SOLUTION}})
    repository.point("main", "c1")
    git_server = GitServer(tmp_path / "served", trusted, token=TOKEN)
    with WholeForge(git_server, certificate=trusted, token=TOKEN) as forge:
        forge.push("o/r", FakePush(NOTHING, commit, MADE + 60))
        root = toy_tree.root
        (root / "roster.csv").write_text(f"student,team,repo_url\nada,ada,{forge.address}/o/r.git\n")
        settings = (root / "course.toml").read_text()
        changed = 'protocols = ["https"]\nforges = { "127.0.0.1" = "github" }'
        (root / "course.toml").write_text(settings.replace('protocols = ["file"]', changed))
        yield forge, root
    git_server.close()


def grader(root, *arguments, **variables):
    """Run a command in this process; its output, of both streams, as bytes."""
    done = CliRunner().invoke(main, [*arguments, "--course", str(root)], env=variables)
    return done.exit_code, done.stdout_bytes + done.stderr_bytes


def graded(root, **variables):
    """Grade in a process of its own, as people do."""
    command = [sys.executable, "-m", "grader", "grade", "t1", "--sandbox", "fake", "--course", str(root)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


def assert_nowhere(root, forge, said):
    """No file, argument or output has the token, and there was something to search."""
    assert f"Bearer {TOKEN}" in {one.authorization for one in forge.asked}
    assert any("fetch" in line for line in forge.git_server.command_lines)
    written = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert (root / "push_records" / "ada.json").read_bytes() in written
    assert list((root / ".grader" / "ledger").iterdir())
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    for secret in (TOKEN, basic):
        assert not [line for line in forge.git_server.command_lines if secret in line]
        for content in [*written, *(output for _, output in said)]:
            assert secret.encode() not in content


def test_a_token_of_the_environment_is_in_no_file_no_argument_and_no_output(private_class):
    forge, root = private_class
    given = {"GRADER_TOKEN_127_0_0_1": TOKEN}
    said = [grader(root, "harvest", **given), graded(root, **given)]
    assert b"t1_toy ada: collected: CONFIRMED" in said[1][1]
    assert "CONFIRMED" in (root / ".grader" / "events.jsonl").read_text()
    assert_nowhere(root, forge, said)


def test_a_token_of_a_file_is_in_no_other_file_no_argument_and_no_output(private_class, tmp_path):
    forge, root = private_class
    file = tmp_path / "tokens"
    file.write_text(f"127.0.0.1 {TOKEN}\n")
    file.chmod(0o600)
    given = {"GRADER_TOKENS_FILE": str(file)}
    said = [grader(root, "harvest", **given), grader(root, "collect", **given)]
    assert [code for code, _ in said] == [0, 0], said
    assert_nowhere(root, forge, said)


def test_without_the_token_the_refusal_is_plain(private_class):
    _, root = private_class
    code, output = grader(root, "harvest")
    assert code == 1
    assert output.startswith(b"ada: 127.0.0.1:")
    assert b"there is no token for it" in output
