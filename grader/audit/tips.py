"""The bytes of a ledger's rounds in, every tip that they name out; other lines are passed over. Pure.

Reads what it can also of a ledger that is damaged, so that the commits of the other rounds are still checked.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grader.collect.ledger import DEFAULT_BRANCH

_LINE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]{0,99}) (HEAD|refs/heads/[^ ]+) ([^ ]+) [0-9]+")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Tip:
    """A branch was seen at a commit."""

    round: int
    commit: str
    is_default: bool
    """Whether it was the default branch at that time."""


def tips_by_team(rounds: Mapping[int, bytes]) -> dict[str, list[Tip]]:
    """Team → what the ledger names, oldest round first.

    Args:
        rounds: number → content of the file.
    """
    found: dict[str, list[Tip]] = {}
    for number in sorted(rounds):
        lines = rounds[number].decode("utf-8", errors="replace").split("\n")
        seen = [match.groups() for line in lines if (match := _LINE.fullmatch(line))]
        defaults = {team: value for team, name, value in seen if name == DEFAULT_BRANCH}
        for team, tip in _tips(number, seen, defaults):
            found.setdefault(team, []).append(tip)
    return found


def _tips(
    number: int, seen: Iterable[tuple[str, ...]], defaults: Mapping[str, str]
) -> Iterable[tuple[str, Tip]]:
    for team, name, value in seen:
        if _OBJECT_ID.fullmatch(value):
            yield team, Tip(number, value, is_default=defaults.get(team) == name)
