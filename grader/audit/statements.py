"""What was verified in, in words what that proves and what it does not out. Pure."""

from collections.abc import Sequence

from grader.audit.anchors import Anchor
from grader.course.counting import plural


def proves(sound_until: int, anchors: Sequence[Anchor], *, noted: bool, complete: bool) -> tuple[str, ...]:
    """What holds.

    Args:
        sound_until: last round before anything is wrong.
        anchors: what fixes rounds from outside.
        noted: whether the hash of each round was noted when it was written.
        complete: whether nothing at all was found wrong.
    """
    said: list[str] = []
    covered = sound_until if noted else max(0, sound_until - 1)  # nothing names the last one's hash
    if covered:
        follow = "is as it was" if covered == 1 else "follow one another as they were"
        said.append(
            f"{_until(covered)} {follow} written: none was edited, removed, swapped or put in later, unless "
            "somebody wrote all that follows anew"
        )
    fixed = max((anchor.round for anchor in anchors if anchor.round <= sound_until), default=0)
    if fixed:
        was, them = ("was", "it") if fixed == 1 else ("were", "them")
        said.append(f"{_until(fixed)} {was} not written anew either: a hash kept elsewhere fixes {them}")
    if complete:
        said.append("every commit that was seen is still here, with all its ancestors, as it was")
    return tuple(said)


def does_not_prove(rounds: int, anchors: Sequence[Anchor], *, others: int, unnoted: int) -> tuple[str, ...]:
    """What stays open however well everything holds.

    Args:
        rounds: number of rounds of the ledger.
        anchors: what fixes rounds from outside.
        others: teams whose commits are not in this folder.
        unnoted: files of push records of which the ledger has no hash.
    """
    fixed = max((anchor.round for anchor in anchors), default=0)
    said = ["when a commit was made: only that it was on the server when it was seen"]
    if fixed < rounds or not rounds:
        since = f"after round {fixed} " if fixed else ""
        said.append(
            f"that no rounds {since}were cut off at the end or all written anew: that takes a head hash that "
            "was posted elsewhere (--head) or a time stamp"
        )
    if unnoted:
        files = plural(unnoted, "file of push records is as it was", "files of push records are as they were")
        said.append(f"that {files} saved: no round has its hash (grader audit anchor notes it)")
    if others:
        whose = plural(others, "other team")
        said.append(f"anything about the commits of {whose}: they are not in this folder")
    return tuple(said)


def _until(number: int) -> str:
    return "round 1" if number == 1 else f"rounds 1 to {number}"
