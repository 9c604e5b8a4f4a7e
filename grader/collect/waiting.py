"""A clock and an instant in, the wait for it out; it is left early where the clock is set meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass

NAP_S = 10
"""Longest sleep at a stretch: a machine that was suspended notices after that."""
JUMP_S = 5
"""A clock that moves by so much against the elapsed time was set, or the machine slept."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The passing of time."""

    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    elapsed: Callable[[], float] = time.monotonic
    """Seconds that passed, whatever was done to the clock."""
    sleep: Callable[[float], None] = time.sleep


def wait(pace: Pace, until: float, *, enough_s: float) -> float:
    """Sleep until an instant, or until the clock is set, or until it is enough, unless the instant is near.

    Args:
        pace: of time.
        until: seconds since the epoch.
        enough_s: elapsed time after which somebody has other things to do.

    Returns:
        By how much the clock was set against the elapsed time, in seconds; 0 where it was not.
    """
    began = pace.elapsed()
    while (left_s := until - pace.now()) > 0:
        if pace.elapsed() - began >= enough_s and left_s > NAP_S:
            return 0.0
        before = pace.now() - pace.elapsed()
        pace.sleep(min(left_s, NAP_S))
        jump_s = pace.now() - pace.elapsed() - before
        if abs(jump_s) > JUMP_S:
            return jump_s
    return 0.0
