"""Evidence in, a verdict out. Pure. What was seen from outside outweighs whatever the program says.

`judge` is the way in: it looks for harm first, and asks the attack's own function only where there is none.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from grader.attacks.attack import Attack, Evidence, Judge, Result, Verdict
from grader.records import Limit

UNKNOWN = "?"
"""What a program answers for a system call whose number it does not know on this machine."""


def judge(attack: Attack, evidence: Evidence) -> Verdict:
    """What came of an attack."""
    harm = list(_harm(evidence))
    if harm:
        return Verdict(Result.ESCAPED, "; ".join(harm))
    if evidence.problem:
        return _not_tried(evidence.problem)
    if not evidence.processes_seen:
        return _not_tried("none of its processes was seen from outside, so nothing says that they are gone")
    return attack.judge(evidence)


def _harm(evidence: Evidence) -> Iterable[str]:
    """What went wrong, as seen from outside."""
    found = {
        "it got hold of": evidence.leaked,
        "changed on the host": evidence.changed,
        "reached": evidence.heard,
        "gained": evidence.gained,
        "alive after its end": evidence.survivors,
        "left behind": evidence.left,
    }
    yield from (f"{what} {', '.join(names)}" for what, names in found.items() if names)
    if not evidence.neighbour_answers:
        yield "the session beside it no longer answers"
    if not evidence.next_answers and not evidence.problem:
        yield "the next session does not answer"


def nothing_got(evidence: Evidence) -> Verdict:
    """For `{"works": …, "got": …, "refused": …}`: it got nothing, by a program that is known to work."""
    answer = evidence.answer
    if not _is_report(answer, "works", "got"):
        return _no_answer(evidence)
    if answer["got"]:
        return Verdict(Result.ESCAPED, f"it says that it got {_shortened(answer['got'])}")
    if not answer["works"]:
        return _not_tried("its control inside the session failed, so getting nothing proves nothing")
    return Verdict(Result.CONTAINED, _told(answer.get("refused", {})) or "nothing found")


def all_refused(*errors: str) -> Judge:
    """For `{"refused": {what: error}}`: everything was refused, with one of these errors."""

    def verdict(evidence: Evidence) -> Verdict:
        answer = evidence.answer
        if not _is_report(answer, "refused") or not answer["refused"]:
            return _no_answer(evidence)
        refused = answer["refused"]
        if succeeded := [what for what, error in refused.items() if error == ""]:
            return Verdict(Result.ESCAPED, f"not refused: {', '.join(succeeded)}")
        if unknown := [what for what, error in refused.items() if error == UNKNOWN]:
            return _not_tried(f"not known on this machine: {', '.join(unknown)}")
        if answer.get("works") is False:
            return _not_tried("its control inside the session failed, so a refusal proves nothing")
        if odd := {what: error for what, error in refused.items() if error not in errors}:
            return _not_tried(f"failed for another reason: {_told(odd)}")
        return Verdict(Result.CONTAINED, _told(refused))

    return verdict


def only_its_own_died(evidence: Evidence) -> Verdict:
    """For `{"works": …}`: its signals kill. Whom else they hit is seen from outside, by the neighbour."""
    answer = evidence.answer
    if not _is_report(answer, "works"):
        return _no_answer(evidence)
    if not answer["works"]:
        return _not_tried("it could not kill its own child, so a neighbour that lives proves nothing")
    return Verdict(Result.CONTAINED, "it killed its own child; the session beside it answers")


def either(first: Judge, second: Judge) -> Judge:
    """Contained in one way or the other."""

    def verdict(evidence: Evidence) -> Verdict:
        found = first(evidence)
        return found if found.result is Result.CONTAINED else second(evidence)

    return verdict


def ended_at(*limits: Limit) -> Judge:
    """It was ended from outside at one of these limits."""

    def verdict(evidence: Evidence) -> Verdict:
        ending = evidence.ending
        if ending.limit in limits and ending.used is not None and ending.used >= (ending.allowed or 0):
            return Verdict(
                Result.CONTAINED,
                f"limit of {ending.limit}: {ending.used:.5g} of {ending.allowed:g} {ending.unit}",
            )
        expected = " or ".join(limits)
        how = f"by {ending.limit}" if ending.limit else f"with exit code {ending.exit_code}"
        said = "" if evidence.answer is None else f"; {_shortened(evidence.answer)}"
        return Verdict(Result.ESCAPED, f"ended {how}, not at the limit of {expected}{said}")

    return verdict


def killed_by(number: int) -> Judge:
    """The kernel ended it with this signal."""

    def verdict(evidence: Evidence) -> Verdict:
        if evidence.ending.exit_code == -number:
            return Verdict(Result.CONTAINED, f"ended by signal {number}")
        if evidence.answer == UNKNOWN:
            return _not_tried("not known on this machine")
        return Verdict(
            Result.ESCAPED, f"not ended by signal {number}: {_shortened(evidence.answer or evidence.failure)}"
        )

    return verdict


def gone_afterwards(evidence: Evidence) -> Verdict:
    """For `{"works": …}` and, from the session that follows, `{"got": …}`: what it left is not there."""
    if not _is_report(evidence.answer, "works") or not evidence.answer["works"]:
        return _not_tried(f"it could leave nothing: {_shortened(evidence.answer or evidence.failure)}")
    if not _is_report(evidence.afterwards, "got"):
        return _not_tried("the session that looks for it gave no answer")
    if evidence.afterwards["got"]:
        return Verdict(Result.ESCAPED, f"the next session finds {_shortened(evidence.afterwards['got'])}")
    return Verdict(Result.CONTAINED, "the next session finds nothing of it")


def gone_at_the_end(evidence: Evidence) -> Verdict:
    """For `{"works": …}`: what it started is gone, which `judge` has looked for already."""
    if not _is_report(evidence.answer, "works") or not evidence.answer["works"]:
        return _not_tried(f"it could start nothing: {_shortened(evidence.answer or evidence.failure)}")
    return Verdict(Result.CONTAINED, f"{evidence.processes_seen} processes before its end, none after")


def gone_with_the_worker(evidence: Evidence) -> Verdict:
    """The worker ended by itself; what it had started is gone, which `judge` has looked for already."""
    if evidence.ending.exit_code != 0:
        return _not_tried(f"the worker did not end by itself: {_shortened(evidence.failure)}")
    return Verdict(Result.CONTAINED, "gone with the worker")


def only_its_own(evidence: Evidence) -> Verdict:
    """For `{"pids": […]}`: it sees no more processes than we see of its session."""
    if not _is_report(evidence.answer, "pids") or not evidence.answer["pids"]:
        return _no_answer(evidence)
    count = len(evidence.answer["pids"])
    told = f"sees {count} processes; its session has {evidence.processes_seen}"
    return Verdict(Result.CONTAINED if count <= evidence.processes_seen else Result.ESCAPED, told)


def harmless_text(evidence: Evidence) -> Verdict:
    """What it printed and raised has no character that steers a terminal."""
    said = evidence.ending.output + evidence.failure
    if "\\x1b" not in said:
        return _not_tried("nothing of what it printed has come")
    steering = [character for character in said if not (character.isprintable() or character in "\n\t")]
    if steering:
        return Verdict(Result.ESCAPED, f"control characters in what is shown: {steering[:5]}")
    return Verdict(Result.CONTAINED, "shown as escapes")


def only_data(evidence: Evidence) -> Verdict:
    """For `{"works": …, "handed": …}`: what it hands back has arrived as text or as nothing we follow."""
    if not _is_report(evidence.answer, "works", "handed") or not evidence.answer["works"]:
        return _no_answer(evidence)
    return Verdict(Result.CONTAINED, "arrived as names, which nobody opens")


def no_descriptor_kept(evidence: Evidence) -> Verdict:
    """What it sent over the channel besides bytes has not arrived."""
    if evidence.descriptors_kept:
        return Verdict(Result.ESCAPED, f"we hold more descriptors: {', '.join(evidence.descriptors_kept)}")
    if not evidence.failure and not _is_report(evidence.answer, "works"):
        return _no_answer(evidence)
    return Verdict(Result.CONTAINED, evidence.failure or "dropped by the kernel; the answer came")


def _is_report(answer: Any, *fields: str) -> bool:
    return isinstance(answer, dict) and all(name in answer for name in fields)


def _no_answer(evidence: Evidence) -> Verdict:
    found = evidence.failure or f"it answered {_shortened(evidence.answer)}"
    return _not_tried(f"no report came back: {found}")


def _not_tried(why: str) -> Verdict:
    return Verdict(Result.NOT_TRIED, why)


def _told(refused: Mapping[str, str]) -> str:
    """`EPERM: mount, chroot; ENOENT: …`, or only the error where it is one for all."""
    by_error: dict[str, list[str]] = {}
    for what, error in refused.items():
        by_error.setdefault(str(error), []).append(str(what))
    if len(by_error) == 1:
        return f"all refused: {next(iter(by_error))}"
    return "; ".join(f"{error}: {', '.join(names)}" for error, names in by_error.items())


def _shortened(value: object, limit: int = 160) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
