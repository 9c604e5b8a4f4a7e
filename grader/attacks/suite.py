"""Sandboxes in, the findings of all attacks against each out. Starts sessions, and nothing outside of one."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from grader.attacks.attack import Attack, Finding, Result
from grader.attacks.attempt import Range, attempt, opened
from grader.attacks.bait import planted
from grader.attacks.catalogue import ATTACKS
from grader.attacks.verdicts import judge
from grader.errors import ConfigurationError, SandboxError
from grader.sandbox.choose import available, choose
from grader.sandbox.preference import allowing_degraded
from grader.sandbox.seam import Sandbox
from grader.sandbox.tiers import Facts

FIRST_SLOT = 1000
"""Sessions of attacks run as users that no examination has."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What came of all attacks against one sandbox."""

    sandbox: str
    findings: tuple[Finding, ...]
    is_degraded: bool = False
    """Tier C: without the namespaces that most attacks are stopped by elsewhere."""


def isolating() -> tuple[str, ...]:
    """Names of the sandboxes that isolate and work here."""
    return tuple(facts.name for facts in available() if facts.isolates and facts.is_usable)


def sandboxes_to_attack(preference: str) -> tuple[str, ...]:
    """The sandboxes that a preference stands for.

    Args:
        preference: "auto" for all that isolate here, or the name of one.

    Raises:
        ConfigurationError: it does not isolate, so the attacks would hit this machine.
        SandboxError: none that isolates works here.
    """
    by_name = {facts.name: facts for facts in available()}
    facts = by_name.get(preference)
    if facts is not None and not facts.isolates and not facts.is_degraded:
        raise ConfigurationError(
            f"the sandbox {preference!r} does not isolate ({facts.detail}): the attacks would hit this very "
            "machine, so they are not run in it; choose one that isolates"
        )
    chosen = isolating() if preference == "auto" else (preference,)
    if not chosen:
        raise SandboxError(f"no sandbox that isolates works here: {_reasons(tuple(by_name.values()))}")
    return chosen


def run(name: str, *, attacks: Sequence[Attack] = ATTACKS, tell: Tell = lambda _: None) -> Report:
    """Try attacks against the sandbox of this name, as `choose` knows it.

    Raises:
        ConfigurationError: it does not isolate.
        SandboxError: no session can be started in it.
    """
    (name,) = sandboxes_to_attack(name)
    sandbox = choose(allowing_degraded(name))
    findings = tuple(run_against(sandbox, attacks=attacks, tell=tell))
    return Report(sandbox.name, findings, is_degraded=sandbox.is_degraded)


def run_against(
    sandbox: Sandbox, *, attacks: Sequence[Attack] = ATTACKS, tell: Tell = lambda _: None
) -> Iterator[Finding]:
    """Try attacks one after the other; findings come in the order of the attacks.

    Args:
        sandbox: where they are tried.
        attacks: which.
        tell: called with the name of each attack before it is tried.

    Raises:
        SandboxError: the sandbox does not isolate, or no session can be started in it.
    """
    if not sandbox.isolates and not sandbox.is_degraded:
        raise SandboxError(f"{sandbox.name} does not isolate; attacks are never run in it")
    slot = FIRST_SLOT + secrets.randbelow(1000)
    with planted() as bait, opened(sandbox, bait, slot=slot) as where:
        yield from try_all(where, attacks, tell=tell)


def try_all(where: Range, attacks: Sequence[Attack], *, tell: Tell = lambda _: None) -> Iterator[Finding]:
    """Try attacks where everything is prepared for them."""
    for group in _sessions(attacks):
        tell(f"{where.sandbox.name}: {group[0].id}")
        yield from _findings(where, group)


def _findings(where: Range, group: Sequence[Attack]) -> Iterator[Finding]:
    """What one session tells; what could not be tried in a shared session is tried in one of its own."""
    for attack, evidence in zip(group, attempt(where, group), strict=True):
        verdict = judge(attack, evidence)
        if verdict.result is Result.NOT_TRIED and len(group) > 1:
            (evidence,) = attempt(where, [attack])  # noqa: PLW2901 - in its place
            verdict = judge(attack, evidence)
        yield Finding(attack, where.sandbox.name, verdict, evidence.wall_s)


def _sessions(attacks: Sequence[Attack]) -> Iterator[list[Attack]]:
    """Neighbours in the list that do not disturb each other share a session."""
    shared: list[Attack] = []
    for attack in attacks:
        if not attack.is_alone:
            shared.append(attack)
            continue
        if shared:
            yield shared
            shared = []
        yield [attack]
    if shared:
        yield shared


def _reasons(facts: Sequence[Facts]) -> str:
    return "; ".join(f"{each.name}: {each.detail}" for each in facts if each.isolates)
