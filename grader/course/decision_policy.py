"""What an instructor writes in the table `[collect.decisions]` of course.toml, as a frozen record. No I/O."""

from typing import Literal

from grader.records import Record


class DecisionPolicy(Record):
    """What counts where the evidence leaves a choice; docs/deadlines.md has the decisions."""

    gap: Literal["rule", "proven", "claimed", "person"] = "rule"
    """Work dated on time but first seen on the branch beyond `gap_tolerance_minutes`. 'rule': it counts
    unless something shows that the branch did not hold it at the deadline."""
    rewritten: Literal["rule", "proven", "claimed", "person"] = "rule"
    """The branch was rewritten or removed later. 'rule': the proven commit counts, but a person decides where
    nobody looked right before the deadline and other work dated on time took its place."""
    confirmed_other_heads: Literal["proven", "person"] = "proven"
    """Other work, dated on time, was joined to the proven commit later."""
    claimed_only: Literal["claimed", "person"] = "claimed"
    """Only the dates that the commits carry themselves say that they were on time."""
    ambiguous: Literal["person", "newest"] = "person"
    """Several lines of work, none proven. 'newest': the one with the latest date."""
