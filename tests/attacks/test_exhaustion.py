"""A submission uses up what the machine has. Each limit is enforced from outside and reported by name."""

import time

import pytest

from grader.records import Limit

pytestmark = pytest.mark.sandbox


def assert_ended_at(outcome, limit: Limit, *, allowed: float) -> None:
    ending = outcome.ending
    assert (ending.limit, ending.allowed) == (limit, allowed), ending
    assert ending.used >= ending.allowed
    assert ending.exit_code == -9
    assert outcome.survivors == []


def test_a_flood_of_output_is_ended_and_its_end_is_kept(attack):
    outcome = attack("while True: os.write(1, b'flood ' * 10_000)")
    assert_ended_at(outcome, Limit.OUTPUT, allowed=256)
    assert outcome.ending.output in "flood " * 12_000
    assert len(outcome.ending.output) == 64 * 1024


def test_what_it_prints_cannot_steer_a_terminal(attack):
    outcome = attack(r"os.write(2, b'\x1b[2J\x07\rred\xff \xe2\x80\xae' + b'\n\tend\n')")
    assert outcome.ending.output == "\\x1b[2J\\x07\\rred\\xff \\u202e\n\tend\n"


def test_closing_the_channel_and_working_on_is_ended_with_the_session(attacker):
    session = attacker.start("_channel.close(); os.closerange(0, 1024)\nwhile True: pass")
    assert session.channel.recv(1) == b""
    started = time.monotonic()
    ending = session.close()
    assert (ending.limit, ending.exit_code) == (None, None)
    assert time.monotonic() - started < 30, "it was not waited for until a limit ended it"
