import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_server

import pytest

from grader.collect.clock import CLOCK, KERNEL, Skew, clock_lines, is_synchronised, skews
from grader.collect.ledger import Ledger, Line, Round

NOON = 1_750_478_400


@contextmanager
def server_at(server_time, **headers):
    """A real server on loopback whose clock says `server_time`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response_only(404)
            if server_time is not None:
                self.send_header("Date", formatdate(server_time, usegmt=True))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/o/r.git"
        finally:
            server.shutdown()
            thread.join()


def measured(url, now=NOON):
    lines = [line for line in clock_lines([url], clock=lambda: now) if line.name != KERNEL]
    return skews([Round(7, now, tuple(lines), "")])


@pytest.mark.parametrize(
    ("offset", "said"), [(0, False), (1, False), (-1, False), (4, True), (-4, True), (3600, True)]
)
def test_our_clock_is_held_against_the_servers(offset, said):
    with server_at(NOON - offset) as url:
        (skew,) = measured(url)
    assert (skew.ahead_s, skew.within_s, skew.measured, skew.round) == (offset, 1.0, NOON, 7)
    assert skew.host == url.split("/")[2]
    assert skew.is_large is said


def test_a_kept_answer_is_as_old_as_it_says():
    with server_at(NOON - 3600, Age="3600") as url:
        assert measured(url)[0].ahead_s == 0


def test_a_slow_answer_makes_the_comparison_less_sure():
    times = iter([NOON, NOON + 6, NOON + 6])
    with server_at(NOON + 1) as url:
        lines = clock_lines([url], clock=lambda: next(times))
    (skew,) = skews([Round(1, NOON, lines, "")])
    assert (skew.ahead_s, skew.within_s, skew.is_large) == (2.0, 4.0, False)


@pytest.mark.parametrize("url", ["file:///srv/r.git", "http://127.0.0.1:1/o/r.git"])
def test_without_a_server_that_answers_there_is_no_comparison(url):
    assert measured(url) == ()


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_without_a_readable_date_is_no_clock(headers):
    with server_at(None, **headers) as url:
        assert measured(url) == ()


def test_a_server_that_never_answers_holds_nobody_up():
    with create_server(("127.0.0.1", 0)) as silent, server_at(NOON) as url:
        began = time.monotonic()
        urls = [f"http://127.0.0.1:{silent.getsockname()[1]}/r.git", url]
        lines = clock_lines(urls, clock=lambda: NOON, timeout_s=1.5)
        assert time.monotonic() - began < 30
    assert [line.name for line in lines if line.name != KERNEL] == [url.split("/")[2]]


def test_each_host_is_asked_once():
    with server_at(NOON) as url:
        lines = clock_lines([url, url.replace("/r.git", "/s.git")], clock=lambda: NOON)
    assert len([line for line in lines if line.name != KERNEL]) == 1


def test_what_the_kernel_says_of_its_clock_is_recorded_and_is_no_comparison():
    lines = clock_lines([], clock=lambda: NOON)
    words = {True: ["synchronised"], False: ["unsynchronised"], None: []}
    assert [line.value for line in lines] == words[is_synchronised()]
    assert skews([Round(1, NOON, lines, "")]) == ()


def test_comparisons_survive_the_ledger(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append([Line(CLOCK, "github.com", "-12.5+-1.5", NOON)], time=NOON, version="0.1.0")
    (skew,) = skews(ledger.rounds())
    assert skew == Skew("github.com", -12.5, 1.5, NOON, 1)
    assert skew.text("America/Toronto") == (
        "our clock was 12.5 s (within 1.5 s) behind that of github.com in round 1, "
        "2025-06-21 00:00:00 America/Toronto"
    )
