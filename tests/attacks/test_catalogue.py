"""The attacks of `grader doctor --attack` against every sandbox that isolates: each is tried and contained.

A finding rests on what is seen from outside: planted secrets, listeners, files, processes, control groups, a
neighbour that still answers, and a next session that works.
"""

import secrets

import pytest

from grader.attacks.attack import Line, Result
from grader.attacks.attempt import opened
from grader.attacks.bait import planted
from grader.attacks.catalogue import ATTACKS, FAMILIES, named
from grader.attacks.suite import run_against, sandboxes_to_attack, try_all
from grader.errors import ConfigurationError, SandboxError
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import try_bubblewrap, try_warm
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.process import ProcessSandbox
from grader.sandbox.warm import WarmSandbox

BACKENDS = {
    "bubblewrap": (BubblewrapSandbox, try_bubblewrap),
    "warm": (WarmSandbox, try_warm),
}
QUIET = tuple(attack for attack in ATTACKS if not attack.is_alone)
EXHAUSTION = {
    line.name.lower(): tuple(a for a in FAMILIES["exhaustion"] if a.is_alone and a.line is line)
    for line in (Line.PROCESSES, Line.MEMORY, Line.DISK, Line.OUTPUT, Line.TIME)
}


@pytest.fixture(scope="module", params=[f"{name}-{tier}" for name in BACKENDS for tier in "AB"])
def where(request):
    """A sandbox with bait around it and a neighbour beside."""
    name, tier = request.param.split("-")
    make, try_it = BACKENDS[name]
    facts = try_it()
    if not facts.is_usable:
        pytest.skip(f"{name} cannot be used here: {facts.detail}")
    if tier == "A" and "(tier A)" not in facts.detail:
        pytest.skip(facts.detail)
    sandbox = make(only_watch_memory=tier == "B")
    with planted() as bait, opened(sandbox, bait, slot=1000 + secrets.randbelow(1000)) as opened_range:
        yield opened_range


def assert_contained(where, attacks):
    findings = list(try_all(where, attacks))
    loose = [
        f"{finding.attack.id} in {finding.sandbox}: {finding.attack.tried}: "
        f"{finding.verdict.result}: {finding.verdict.what_happened}"
        for finding in findings
        if finding.verdict.result is not Result.CONTAINED
    ]
    assert [finding.attack.id for finding in findings] == [attack.id for attack in attacks]
    assert not loose, "\n".join(loose)


@pytest.mark.sandbox
def test_attacks_that_leave_their_session_alive_are_contained(where):
    assert_contained(where, QUIET)


@pytest.mark.sandbox
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "exhaustion"])
def test_attacks_that_take_their_session_along_are_contained(where, family):
    attacks = [attack for attack in FAMILIES[family] if attack.is_alone]
    if attacks:
        assert_contained(where, attacks)


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", list(EXHAUSTION))
def test_attacks_that_use_the_machine_up_are_ended_at_their_limit(where, kind):
    assert_contained(where, EXHAUSTION[kind])


def test_every_attack_has_a_name_of_its_own_and_is_in_one_of_the_tests_above():
    names = [attack.id for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 70
    alone = [a for f in FAMILIES if f != "exhaustion" for a in FAMILIES[f] if a.is_alone]
    bombs = [attack for kind in EXHAUSTION.values() for attack in kind]
    assert sorted(names) == sorted(attack.id for attack in (*QUIET, *alone, *bombs))
    assert all(
        attack.id.startswith(f"{family}/") for family, members in FAMILIES.items() for attack in members
    )


def test_every_line_of_the_list_has_an_attack():
    assert {attack.line for attack in ATTACKS} == set(Line)


def test_no_program_names_what_would_make_the_worker_import_torch():
    assert not [attack.id for attack in ATTACKS if "torch" in attack.program + attack.afterwards]


@pytest.mark.parametrize("sandbox", [ProcessSandbox(), FakeSandbox()], ids=lambda sandbox: sandbox.name)
def test_no_attack_is_tried_in_a_sandbox_that_does_not_isolate(sandbox):
    with pytest.raises(SandboxError, match="does not isolate; attacks are never run in it"):
        next(run_against(sandbox))


@pytest.mark.parametrize("name", ["process", "fake"])
def test_such_a_sandbox_is_refused_by_name_with_the_reason(name):
    with pytest.raises(
        ConfigurationError, match=r"does not isolate .*: the attacks would hit this very machine"
    ):
        sandboxes_to_attack(name)


def test_attacks_are_chosen_by_the_beginning_of_their_names():
    assert [attack.id for attack in named("network/ab")] == ["network/abstract-socket"]
    assert named("") == ATTACKS
    with pytest.raises(ConfigurationError, match=r"no attack is named nosuch…; names begin with reading, "):
        named("nosuch")
