"""An audit and its plan in, sentences for a teaching assistant out: what was asked and what differs."""

from grader.metrics.prefix_audit import Audit, Plan, worst_miss

SHARES = (0.003, 0.01, 0.02)
"""Of the places that leak: what a report gives the probability of missing for."""


def audit_words(found: Audit, plan: Plan, *, places: str = "predictions") -> str:
    """How much of the work was audited, and which cheat could have gone unseen how often.

    Args:
        found: from `difference_estimate`.
        plan: the one that it was made with.
        places: what was audited, in the plural.
    """
    asked = (
        f"{found.audited} of {found.population} {places} were drawn at random and asked for in a process "
        "that had not yet been shown what follows. "
    )
    return asked + (_differing(found, places) if found.differing else _agreeing(found, plan, places))


def _differing(found: Audit, places: str) -> str:
    return (
        f"{found.differing} of them differ from the answers to whole sequences by more than rounding, so the "
        f"code sees what it should predict, or remembers it. Without it the cost is {found.value:.4g} nats "
        f"(standard error {found.standard_error:.1g}) on average over {places}, and not {found.claimed:.4g}."
    )


def _agreeing(found: Audit, plan: Plan, places: str) -> str:
    none = "None differs from the answers to whole sequences by more than rounding. "
    if found.audited == found.population:
        return none + "All were asked for, so none can have been missed."
    chances = ", ".join(f"{share:.1%}: {_chance(worst_miss(plan, share))}" for share in SHARES)
    return none + (
        f"Code that peeks at a share of the {places} goes unseen with a probability of at most ({chances}). "
        f"With 95% confidence no more than {found.unseen_share:.2%} are peeked at. If these cost what the "
        f"dearest of those asked for costs, that is worth {found.gain_at_dearest:.2g} nats on average; "
        "it is worth more if they are dearer than any of those asked for."
    )


def _chance(probability: float) -> str:
    """A few digits; below one in a billion nobody needs them."""
    return "less than one in a billion" if probability < 1e-9 else f"{probability:.1g}"
