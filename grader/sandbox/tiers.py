"""What can be used on this machine in, what tiers A, B and C mean on it out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

ALLOW = "--allow-degraded"


@dataclass(frozen=True)
class Facts:
    """One way of running a submission on this machine."""

    name: str
    is_usable: bool
    isolates: bool
    detail: str
    """What it is, or why it cannot be used and what to do."""
    is_degraded: bool = False
    """See `Sandbox`."""


def tiers(sandboxes: Iterable[Facts]) -> dict[str, str]:
    """Each tier and which of them "auto" uses, in words.

    Args:
        sandboxes: all that were tried; those that are missing count as not usable.
    """
    facts = {each.name: each for each in sandboxes}
    isolating, degraded = facts.get("bubblewrap"), facts.get("landlock")
    has_b = isolating is not None and isolating.is_usable
    has_a = isolating is not None and has_b and "(tier A)" in isolating.detail
    has_c = degraded is not None and degraded.is_usable
    return {
        "tier A": f"{_here(is_there=has_a)}: fit for hostile code; the kernel bounds memory and processes",
        "tier B": f"{_here(is_there=has_b)}: isolates; memory is watched and not bounded",
        "tier C": f"{_here(is_there=has_c)}: degraded, only with {ALLOW}; no namespaces, memory and disk are "
        "watched and not bounded, what files hold is hidden but not their names and sizes",
        "'auto' uses": _used(has_a=has_a, has_b=has_b, has_c=has_c),
    }


def _here(*, is_there: bool) -> str:
    return "can be used" if is_there else "cannot be used here"


def _used(*, has_a: bool, has_b: bool, has_c: bool) -> str:
    if has_a or has_b:
        return "tier A" if has_a else "tier B"
    return f"none, or tier C with {ALLOW}" if has_c else "none"
