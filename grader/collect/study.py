"""What is known of a team's repository in, the snapshot that the rule makes of it out. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from grader.collect.choice import Choice
from grader.collect.deadline import Deadline, branch
from grader.collect.history import History
from grader.collect.looks import Look, heads_at
from grader.collect.push_records import Push
from grader.course.model import Assignment
from grader.records import Decision, Evidence, Sighting, Snapshot, Team

NAMED_BRANCHES = 10
"""Branches that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """One team and one assignment: everything that is known, and what the rule says of it now."""

    team: Team
    assignment: Assignment
    deadline: Deadline
    looks: tuple[Look, ...]
    """Every observation round of the team, oldest first."""
    pushes: tuple[Push, ...]
    """Every recorded push, oldest first."""
    sightings: tuple[Sighting, ...]
    """Everything that was seen of any branch, oldest first."""
    ref: str | None
    """Full name of the branch that counts; None when nothing says which."""
    history: History | None
    """Every commit that the mirror has of those seen; None when the repository was never read."""
    choice: Choice | None
    """The commit that counts with its files; None when the rule could not be applied."""
    snapshot: Snapshot


def snapshot_of(team: Team, assignment: Assignment, found: Choice | Evidence) -> Snapshot:
    """What was found as a record; evidence alone is the reason why there is nothing to choose from."""
    if isinstance(found, Evidence):
        return _empty_snapshot(team, assignment, found)
    commit = found.case.history.commits.get(found.commit or "")
    return Snapshot(
        team=team.id,
        assignment=assignment.id,
        commit=found.commit,
        tree=found.tree,
        committer_date=commit.committed if commit else None,
        days_late=found.days_late,
        evidence=found.evidence,
        problem=found.problem,
        problem_is_ours=found.problem_is_ours,
    )


def unreachable(deadline: Deadline) -> Evidence:
    """The repository was not read since the deadline."""
    said = (
        "the repository could not be read since the deadline; nobody loses marks for that, and a person "
        "looks into it"
    )
    return without_commit(deadline, Decision.UNREACHABLE, said)


def no_branch(deadline: Deadline, looks: Sequence[Look], ref: str | None) -> Evidence:
    """Nothing was ever seen on the branch that counts, or nothing says which branch that is."""
    heads = sorted(heads_at(looks, deadline.first_late))
    names = ", ".join(f"`{branch(name)}`" for name in heads[:NAMED_BRANCHES])
    if not heads:
        return without_commit(deadline, Decision.NO_COMMIT, "the repository is empty")
    if ref is None:
        said = f"the repository names no default branch and has several ({names}); a person decides"
        return without_commit(deadline, Decision.AMBIGUOUS, said)
    said = f"the repository has no branch `{branch(ref)}`; it has {names}"
    return without_commit(deadline, Decision.NO_COMMIT, said)


def without_commit(deadline: Deadline, decision: Decision, explanation: str) -> Evidence:
    """Evidence that names no commit."""
    return Evidence(
        decision=decision,
        level=None,
        deadline=deadline.first_late,
        deadline_text=deadline.text,
        explanation=explanation,
    )


def _empty_snapshot(team: Team, assignment: Assignment, evidence: Evidence) -> Snapshot:
    ours = evidence.decision in {Decision.UNREACHABLE, Decision.AMBIGUOUS}
    return Snapshot(
        team=team.id,
        assignment=assignment.id,
        commit=None,
        tree=None,
        evidence=evidence,
        problem=evidence.explanation if ours else f"no submission: {evidence.explanation}",
        problem_is_ours=ours,
    )
