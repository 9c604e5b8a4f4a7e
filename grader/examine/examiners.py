"""The name of a kind of examiner in, what opens one for each slot of a machine out."""

from collections.abc import Callable
from typing import Literal

from grader.examine.supervise import ColdExaminer, Examiner
from grader.examine.warm_examiner import WarmExaminer, WarmFork, is_supported
from grader.examine.zygotes import SlotZygotes

Kind = Literal["warm", "cold"]
"""warm: forked from one process that has imported everything; cold: a fresh interpreter each. Same bytes."""

OpenExaminer = Callable[[int], Examiner]
"""Makes what starts the processes of a slot, given its number; called in the slot's own thread."""


def examiners(kind: Kind = "warm") -> OpenExaminer:
    """What opens examiners of a kind; slots share what is kept warm. Cold where the system cannot fork so."""
    if kind == "cold" or not is_supported():
        return cold_examiner
    fork = WarmFork()
    return lambda slot: WarmExaminer(fork, zygotes=SlotZygotes(slot))


def cold_examiner(slot: int) -> Examiner:
    """A fresh interpreter for every examination, whatever the slot."""
    del slot
    return ColdExaminer()
