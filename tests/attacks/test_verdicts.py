"""What an attack's own word is worth: nothing, where it can be looked at from outside."""

from dataclasses import replace

import pytest

from grader.attacks import verdicts
from grader.attacks.attack import Attack, Evidence, Line, Result
from grader.records import Limit
from grader.sandbox.seam import Ending

QUIET = Evidence(processes_seen=2, answer={"works": True, "got": [], "refused": {"open": "ENOENT"}})
BOMB = Evidence(
    processes_seen=2, failure="it died", ending=Ending(limit=Limit.MEMORY, allowed=192, used=193, unit="MiB")
)


def attack(judge):
    return Attack("reading/x", Line.READ, "x", "return {}", judge, "a wall")


def verdict(judge, evidence):
    return verdicts.judge(attack(judge), evidence)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"leaked": ("reference",)}, "it got hold of reference"),
        ({"changed": ("results.json",)}, "changed on the host results.json"),
        ({"heard": ("TCP on the loopback",)}, "reached TCP on the loopback"),
        ({"gained": ("runs as root",)}, "gained runs as root"),
        ({"survivors": ("17 python",)}, "alive after its end 17 python"),
        ({"left": ("/sys/fs/cgroup/x",)}, "left behind /sys/fs/cgroup/x"),
        ({"neighbour_answers": False}, "the session beside it no longer answers"),
        ({"next_answers": False}, "the next session does not answer"),
    ],
)
def test_harm_that_is_seen_from_outside_outweighs_a_harmless_answer(seen, said):
    assert verdict(verdicts.nothing_got, QUIET).result is Result.CONTAINED
    found = verdict(verdicts.nothing_got, replace(QUIET, **seen))
    assert (found.result, found.what_happened) == (Result.ESCAPED, said)


def test_signals_to_everybody_count_by_the_neighbour_and_only_where_they_kill():
    by = verdicts.only_its_own_died
    killed = replace(QUIET, answer={"works": True})
    assert verdict(by, killed).result is Result.CONTAINED
    assert verdict(by, replace(killed, neighbour_answers=False)).result is Result.ESCAPED
    assert verdict(by, replace(killed, answer={"works": False})).result is Result.NOT_TRIED
    assert verdict(by, replace(killed, answer="contained")).result is Result.NOT_TRIED


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"works": True, "got": []}, Result.CONTAINED),
        ({"works": True, "got": ["x"]}, Result.ESCAPED),
        ({"works": False, "got": []}, Result.NOT_TRIED),
        ({"works": False, "got": ["x"]}, Result.ESCAPED),
        (None, Result.NOT_TRIED),
        ("contained", Result.NOT_TRIED),
    ],
)
def test_getting_nothing_counts_only_where_the_program_is_known_to_work(answer, result):
    assert verdict(verdicts.nothing_got, replace(QUIET, answer=answer)).result is result


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"refused": {"mount": "EPERM", "chroot": "EACCES"}}, Result.CONTAINED),
        ({"refused": {"mount": "EPERM", "chroot": ""}}, Result.ESCAPED),
        ({"refused": {"mount": "EPERM", "chroot": "?"}}, Result.NOT_TRIED),
        ({"refused": {"mount": "EPERM", "chroot": "ENOSYS"}}, Result.NOT_TRIED),
        ({"refused": {"mount": "EPERM"}, "works": False}, Result.NOT_TRIED),
        ({"refused": {}}, Result.NOT_TRIED),
        (None, Result.NOT_TRIED),
    ],
)
def test_everything_must_be_refused_and_for_the_right_reason(answer, result):
    judge = verdicts.all_refused("EPERM", "EACCES")
    assert verdict(judge, replace(QUIET, answer=answer)).result is result


def test_a_bomb_is_contained_when_it_was_ended_at_its_own_limit():
    assert verdict(verdicts.ended_at(Limit.MEMORY), BOMB).what_happened == "limit of memory: 193 of 192 MiB"
    assert verdict(verdicts.ended_at(Limit.DISK), BOMB).result is Result.ESCAPED
    for ending in (Ending(exit_code=0), Ending(limit=Limit.MEMORY, allowed=192, used=10, unit="MiB")):
        assert verdict(verdicts.ended_at(Limit.MEMORY), replace(BOMB, ending=ending)).result is Result.ESCAPED


def test_a_program_that_the_kernel_ends_is_told_from_one_that_lived():
    judge = verdicts.killed_by(31)
    assert verdict(judge, replace(BOMB, ending=Ending(exit_code=-31))).result is Result.CONTAINED
    assert verdict(judge, replace(QUIET, answer=4711)).result is Result.ESCAPED
    assert verdict(judge, replace(QUIET, answer="?")).result is Result.NOT_TRIED


def test_what_was_left_must_be_gone_in_the_session_that_follows():
    left = replace(QUIET, answer={"works": True}, afterwards={"got": []})
    assert verdict(verdicts.gone_afterwards, left).result is Result.CONTAINED
    assert (
        verdict(verdicts.gone_afterwards, replace(left, afterwards={"got": ["/tmp"]})).result
        is Result.ESCAPED
    )
    assert verdict(verdicts.gone_afterwards, replace(left, afterwards=None)).result is Result.NOT_TRIED
    assert (
        verdict(verdicts.gone_afterwards, replace(left, answer={"works": False})).result is Result.NOT_TRIED
    )


def test_more_processes_than_its_own_are_too_many():
    seen = replace(QUIET, answer={"pids": [1, 2]})
    assert verdict(verdicts.only_its_own, seen).result is Result.CONTAINED
    assert verdict(verdicts.only_its_own, replace(seen, answer={"pids": [1, 2, 3]})).result is Result.ESCAPED
    assert verdict(verdicts.only_its_own, replace(seen, answer={"pids": []})).result is Result.NOT_TRIED


def test_a_daemon_must_have_been_started_to_be_gone():
    assert verdict(verdicts.gone_at_the_end, QUIET).result is Result.CONTAINED
    assert (
        verdict(verdicts.gone_at_the_end, replace(QUIET, answer={"works": False})).result is Result.NOT_TRIED
    )
    ended = replace(BOMB, ending=Ending(exit_code=0))
    assert verdict(verdicts.gone_with_the_worker, ended).result is Result.CONTAINED
    assert verdict(verdicts.gone_with_the_worker, BOMB).result is Result.NOT_TRIED


@pytest.mark.parametrize(
    ("output", "result"),
    [("\\x1b[2J", Result.CONTAINED), ("\\x1b \x1b[2J", Result.ESCAPED), ("nothing", Result.NOT_TRIED)],
)
def test_what_steers_a_terminal_must_arrive_as_its_escape(output, result):
    assert verdict(verdicts.harmless_text, replace(QUIET, ending=Ending(output=output))).result is result


def test_descriptors_that_arrived_are_an_escape():
    assert verdict(verdicts.no_descriptor_kept, QUIET).result is Result.CONTAINED
    kept = replace(QUIET, descriptors_kept=("9 /tmp/f",))
    assert verdict(verdicts.no_descriptor_kept, kept).result is Result.ESCAPED
    assert verdict(verdicts.no_descriptor_kept, replace(QUIET, answer=None)).result is Result.NOT_TRIED


def test_what_is_handed_back_is_a_report_or_was_not_tried():
    handed = replace(QUIET, answer={"works": True, "handed": ["/tmp/link"]})
    assert verdict(verdicts.only_data, handed).result is Result.CONTAINED
    assert verdict(verdicts.only_data, replace(handed, answer=None)).result is Result.NOT_TRIED


def test_where_nothing_could_be_seen_nothing_is_claimed():
    assert verdict(verdicts.nothing_got, replace(QUIET, processes_seen=0)).result is Result.NOT_TRIED
    broken = replace(QUIET, problem="no session", next_answers=False)
    assert verdict(verdicts.nothing_got, broken) == verdicts.Verdict(Result.NOT_TRIED, "no session")
