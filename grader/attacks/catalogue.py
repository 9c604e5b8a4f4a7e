"""All attacks against the system, in the order in which they are tried and shown."""

from grader.attacks.attack import Attack
from grader.attacks.exhaustion import EXHAUSTION
from grader.attacks.network import NETWORK
from grader.attacks.outliving import HANDING_BACK, OUTLIVING, POISON
from grader.attacks.privileges import KERNEL, PRIVILEGES, SIGNALS
from grader.attacks.reading import READING
from grader.attacks.writing import WRITING
from grader.errors import ConfigurationError

FAMILIES: dict[str, tuple[Attack, ...]] = {
    "reading": READING,
    "writing": WRITING,
    "network": NETWORK,
    "privileges": PRIVILEGES,
    "signals": SIGNALS,
    "kernel": KERNEL,
    "outliving": OUTLIVING,
    "poison": POISON,
    "handing-back": HANDING_BACK,
    "exhaustion": EXHAUSTION,
}
"""By the first part of their names."""

ATTACKS: tuple[Attack, ...] = tuple(attack for family in FAMILIES.values() for attack in family)


def named(prefix: str) -> tuple[Attack, ...]:
    """The attacks whose names begin like this; all for an empty prefix.

    Raises:
        ConfigurationError: there are none.
    """
    found = tuple(attack for attack in ATTACKS if attack.id.startswith(prefix))
    if not found:
        raise ConfigurationError(f"no attack is named {prefix}…; names begin with {', '.join(FAMILIES)}")
    return found
