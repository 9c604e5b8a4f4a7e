"""Printed bytes in, the harmless end of them out."""

import os
from collections.abc import Iterator

import pytest

from grader.sandbox.output import Tail, make_visible


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_only_the_end_is_kept_but_everything_is_counted(pipe):
    tail = Tail(pipe[0], keep_bytes=5)
    for text in (b"123456", b"789"):
        os.write(pipe[1], text)
        assert tail.drain()
    assert (tail.text(), tail.total_bytes) == ("56789", 9)


def test_draining_an_empty_pipe_does_not_wait(pipe):
    assert not Tail(pipe[0]).drain()


def test_bytes_that_are_no_text_are_shown_as_escapes(pipe):
    os.write(pipe[1], b"caf\xe9 \xf0\x9f")
    tail = Tail(pipe[0])
    tail.drain()
    assert tail.text() == "caf\\xe9 \\xf0\\x9f"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("100%\r50%", "100%\\r50%"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("\ud800", "\\ud800"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_what_steers_a_terminal_or_hides_is_made_visible(hostile, shown):
    assert make_visible(hostile) == shown


def test_ordinary_text_stays_as_it_is():
    text = "Loß: 3.5 ± 0.1\n\tµ = 损失 🙂\n"
    assert make_visible(text) == text
