"""Hosts and our clock in, how far the two are apart out, as lines of a ledger round; and back again.

Every time in the ledger is by our own clock, so each round also says how that clock compares:

    @clock github.com +0.5+-1.0 1750478403
    @clock kernel synchronised 1750478403

The first: we were half a second ahead of the server's `Date`, give or take a second (it counts whole seconds,
and the answer takes its time). The second is what this machine's kernel says of its own clock. Lines are
missing where nobody answered in time; a repository behind `file:` has no other clock.
"""

import ctypes
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from grader.collect.ledger import Line, Round
from grader.course.instants import instant_text

CLOCK = "@clock"
"""In the place of a team: no team can be called so."""
KERNEL = "kernel"
"""In the place of a host: what this machine says of itself."""
LARGE_S = 2.0
"""A clock that is certainly further off than this is said to people."""
ANSWER_S = 5.0
"""Longest wait for a server's `Date`."""
HOSTS_LIMIT = 8
"""Hosts that are asked in a round, those with the most repositories first."""

_SKEW = re.compile(r"([+-][0-9]+\.[0-9])\+-([0-9]+\.[0-9])")
_TIME_ERROR = 5
"""What adjtimex(2) answers while no time server has set the clock."""


@dataclass(frozen=True)
class Skew:
    """How far our clock was ahead of a server's, in seconds; behind where negative."""

    host: str
    ahead_s: float
    within_s: float
    """The truth is at most this far from `ahead_s`."""
    measured: int
    """By our clock, seconds since the epoch."""
    round: int
    """Number of the ledger round that recorded it."""

    @property
    def is_large(self) -> bool:
        """Whether the clocks were certainly more than two seconds apart."""
        return abs(self.ahead_s) - self.within_s > LARGE_S

    def text(self, zone: str) -> str:
        """One sentence for people; times are by the wall clock of `zone`."""
        way = "ahead of" if self.ahead_s > 0 else "behind"
        return (
            f"our clock was {abs(self.ahead_s):.1f} s (within {self.within_s:.1f} s) {way} "
            f"that of {self.host} in round {self.round}, {instant_text(self.measured, zone=zone)}"
        )


def skews(rounds: Iterable[Round]) -> tuple[Skew, ...]:
    """Every comparison with a server that the rounds hold, oldest round first."""
    return tuple(
        Skew(line.name, float(match[1]), float(match[2]), line.time, one.number)
        for one in rounds
        for line in one.of(CLOCK)
        if (match := _SKEW.fullmatch(line.value))
    )


def clock_lines(
    urls: Iterable[str], *, clock: Callable[[], int], timeout_s: float = ANSWER_S
) -> tuple[Line, ...]:
    """Ask each host once, side by side, what time it has.

    Args:
        urls: of repositories that may be asked; those that are not http(s) have no host.
        clock: ours, in seconds since the epoch.
        timeout_s: longest that all of it takes, whatever the servers do.

    Returns:
        A line for each host that answered, and one for the kernel where it can tell.
    """
    found: dict[str, Line] = {}
    ends = time.monotonic() + timeout_s
    threads = [
        threading.Thread(target=_ask, args=(address, clock, timeout_s, found), daemon=True)
        for address in _addresses(urls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    answered = dict(found)  # whoever answers later than this is not waited for
    return (*(answered[host] for host in sorted(answered)), *_kernel_lines(clock()))


def is_synchronised() -> bool | None:
    """Whether a time server sets this machine's clock, by its kernel; None where that cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state: int = adjtimex(ctypes.create_string_buffer(512))  # a zeroed `struct timex` only asks
    return None if state < 0 else state != _TIME_ERROR


def _kernel_lines(now: int) -> tuple[Line, ...]:
    answer = is_synchronised()
    if answer is None:
        return ()
    return (Line(CLOCK, KERNEL, "synchronised" if answer else "unsynchronised", now),)


def _addresses(urls: Iterable[str]) -> list[SplitResult]:
    """The hosts behind the URLs, those with the most repositories first; one URL of each."""
    parts = [part for part in map(urlsplit, urls) if part.scheme in {"http", "https"} and part.hostname]
    one_of_each = {part.netloc.lower(): part for part in parts}
    counted = Counter(part.netloc.lower() for part in parts)
    return [one_of_each[netloc] for netloc, _ in counted.most_common(HOSTS_LIMIT)]


def _ask(address: SplitResult, clock: Callable[[], int], timeout_s: float, found: dict[str, Line]) -> None:
    connecting = HTTPSConnection if address.scheme == "https" else HTTPConnection
    try:
        with closing(connecting(address.hostname or "", address.port, timeout=timeout_s)) as connection:
            asked = clock()
            connection.request("HEAD", "/", headers={"User-Agent": "grader", "Cache-Control": "no-cache"})
            response = connection.getresponse()
            answered = clock()
            server = _server_time(response)
    except (OSError, HTTPException, ValueError, OverflowError):
        return  # no comparison, so no line; whether the repositories can be read is another matter
    ahead = (asked + answered) / 2 - server
    within = (answered - asked) / 2 + 1
    found[address.netloc.lower()] = Line(
        CLOCK, address.netloc.lower(), f"{ahead:+.1f}+-{within:.1f}", answered
    )


def _server_time(response: HTTPResponse) -> float:
    """By the server's `Date`, and by `Age` where somebody in between kept the answer.

    Raises:
        ValueError: there is no readable date.
    """
    age = response.getheader("Age", "")
    sent = parsedate_to_datetime(response.getheader("Date", "")).timestamp()
    return sent + (int(age) if age.isdecimal() else 0)
