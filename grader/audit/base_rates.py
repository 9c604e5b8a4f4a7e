"""How often honest work shows what a detector looks for: counted once on public repositories. Pure.

Figures are percentages of the samples below, as counted; a range is what a whole row of detectors spans.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Repositories in which the detectors were counted."""

    name: str
    repositories: int
    commits: int

    def __str__(self) -> str:
        return f"{self.repositories} {self.name} repositories ({self.commits:,} commits)"


STUDENTS = Sample("student", 78, 4_426)
"""Public, of presumed-honest students."""
ORDINARY = Sample("open-source", 102, 429_460)
"""Well-known projects, rebased and imported at will."""

SOURCE = f"counted in {STUDENTS} and {ORDINARY}"


RANGE_NOTE = " (the range of six rows that were counted together)"


@dataclass(frozen=True)
class Share:
    """A percentage, or the range in which it lies."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} %" if self.low == self.high else f"{self.low:g}-{self.high:g} %"


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often; None where nobody counted."""

    student_commits: Share | None = None
    student_repositories: Share | None = None
    ordinary_repositories: Share | None = None

    def __str__(self) -> str:
        """In words, with the size of each sample."""
        counted = [
            f"{share} of {number:,} {thing}"
            for share, number, thing in (
                (self.student_commits, STUDENTS.commits, "student commits"),
                (self.student_repositories, STUDENTS.repositories, "student repositories"),
                (self.ordinary_repositories, ORDINARY.repositories, "open-source repositories"),
            )
            if share is not None
        ]
        ranged = self.student_commits is not None and self.student_commits.low != self.student_commits.high
        return (", ".join(counted) or "not counted") + (RANGE_NOTE if ranged else "")


def percent(low: float, high: float | None = None) -> Share:
    """One percentage, or a range."""
    return Share(low, low if high is None else high)


def none_of_the_students(ordinary: float) -> Rates:
    """No student's commit shows it; of open-source repositories this percentage does."""
    return Rates(
        student_commits=percent(0), student_repositories=percent(0), ordinary_repositories=percent(ordinary)
    )


NOT_COUNTED = Rates()
RANGE_OF_SIX = Rates(student_commits=percent(0.3, 4.6), student_repositories=percent(3, 50))
"""Six rows were published together, as a range."""
