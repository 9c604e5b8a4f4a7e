"""How trouble that no stage foresaw reaches the person at the terminal."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from grader.commands.options import OUR_FAILURE, reported


def command_that(does):
    return click.command()(reported(does))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_exit_code_4():
    ended = CliRunner().invoke(command_that(lambda: Path("/dev/full").write_text("x")))
    assert ended.exit_code == OUR_FAILURE
    assert "No space left on device: what was stored stays" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_may_be_a_mistake_of_ours_keeps_its_traceback(tmp_path):
    ended = CliRunner().invoke(command_that((tmp_path / "no" / "such").read_text))
    assert isinstance(ended.exception, FileNotFoundError)
