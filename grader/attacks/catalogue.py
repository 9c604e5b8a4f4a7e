"""All attacks against the system, in the order in which they are tried and shown."""

from grader.attacks.attack import Attack
from grader.attacks.exhaustion import EXHAUSTION
from grader.attacks.network import NETWORK
from grader.attacks.outliving import HANDING_BACK, OUTLIVING, POISON
from grader.attacks.privileges import KERNEL, PRIVILEGES, SIGNALS
from grader.attacks.reading import READING, WRITING

ATTACKS: tuple[Attack, ...] = (
    *READING,
    *WRITING,
    *NETWORK,
    *PRIVILEGES,
    *SIGNALS,
    *KERNEL,
    *OUTLIVING,
    *POISON,
    *HANDING_BACK,
    *EXHAUSTION,
)
