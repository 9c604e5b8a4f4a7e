"""What a variant stands for and the marks that it got in, whether the marks hold out. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from grader.prove.variants import Kind, Variant
from grader.records import Examination, Mark, Status

NOT_IMPLEMENTED = "not implemented yet"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One variant, its points, and what is wrong with them."""

    variant: Variant
    points: Decimal
    out_of: Decimal
    problems: tuple[str, ...] = ()
    """Empty: the marks are what they should be."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def judge(
    variant: Variant, examination: Examination, marks: Sequence[Mark], *, stub: Mapping[str, Decimal]
) -> Verdict:
    """Hold the marks of a variant to what it is worth.

    Args:
        variant: what it is.
        examination: what was found out about it.
        marks: one for each criterion of its task.
        stub: what the unfilled starter earns, by criterion.
    """
    problems = [
        f"{outcome.check} could not be carried out"
        for outcome in examination.outcomes
        if outcome.status is Status.COULD_NOT_CHECK
    ]
    if not problems:
        problems = _RULES[variant.kind](variant, examination, marks, stub)
    return Verdict(
        variant=variant,
        points=sum((mark.points or Decimal(0) for mark in marks), Decimal(0)),
        out_of=sum((mark.out_of for mark in marks), Decimal(0)),
        problems=tuple(problems),
    )


def _earns_everything(_: Variant, __: Examination, marks: Sequence[Mark], ___: object) -> list[str]:
    return [f"loses {_points(mark)} ({mark.reason})" for mark in marks if mark.points != mark.out_of]


def _is_not_implemented(_: Variant, examination: Examination, marks: Sequence[Mark], __: object) -> list[str]:
    problems = [f"earns {mark.points} for {mark.criterion}" for mark in marks if mark.points]
    said = [o for o in examination.outcomes if NOT_IMPLEMENTED in o.message]
    return problems if said else [*problems, f"no message says '{NOT_IMPLEMENTED}'"]


def _loses_its_criteria(variant: Variant, _: Examination, marks: Sequence[Mark], __: object) -> list[str]:
    should = {name for name in variant.expectation.loses if name in {mark.criterion for mark in marks}}
    lost = {mark.criterion: mark for mark in marks if mark.points != mark.out_of}
    kept = [f"keeps {name}" for name in sorted(should - lost.keys())]
    return kept + [
        f"loses {_points(lost[name])} too ({lost[name].reason})" for name in lost if name not in should
    ]


def _gains_nothing(
    variant: Variant, _: Examination, marks: Sequence[Mark], stub: Mapping[str, Decimal]
) -> list[str]:
    """A cheat is contained when it earns no more than a stub; open points are not earned."""
    targets = [mark for mark in marks if mark.criterion in variant.expectation.targets]
    return [
        f"earns {mark.points} for {mark.criterion}"
        for mark in targets
        if (mark.points or 0) > stub.get(mark.criterion, 0)
    ]


def _points(mark: Mark) -> str:
    points = mark.points if mark.points is not None else Decimal(0)
    return f"{mark.out_of - points} of {mark.out_of} for {mark.criterion}"


Rule = Callable[[Variant, Examination, Sequence[Mark], Mapping[str, Decimal]], list[str]]

_RULES: Mapping[Kind, Rule] = MappingProxyType(
    {
        Kind.REFERENCE: _earns_everything,
        Kind.STARTER: _is_not_implemented,
        Kind.BROKEN: _loses_its_criteria,
        Kind.HARMLESS: _earns_everything,
        Kind.CHEAT: _gains_nothing,
    }
)
