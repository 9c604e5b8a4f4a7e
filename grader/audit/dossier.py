"""A study of one team and what was collected of it in, its dossier out."""

import shlex

from grader.audit.background import NOTHING_BESIDE, Background
from grader.audit.commit_facts import commits_around, roles
from grader.audit.open_questions import open_questions
from grader.audit.records import Dossier
from grader.audit.sightings import telling
from grader.collect.deadline import Deadline
from grader.collect.looks import failed_looks
from grader.collect.study import Study, snapshot_of, without_commit
from grader.course.model import Assignment
from grader.records import Decision, Snapshot, Team
from grader.report.words import evidence_said

FORMAT = "%H%n%an <%ae>%n%cI%n%s"
"""What `git show` prints of a commit: id, author, committer date, subject."""
VERIFY = "sh verify.sh    # add the hash that was made known at the deadline, if one was"


def dossier(
    study: Study, graded: Snapshot | None, beside: Background = NOTHING_BESIDE, *, now: int = 0
) -> Dossier:
    """Everything about one team and one assignment.

    Args:
        study: what is known and what the rule says of it now.
        graded: what the stored marks rest on; None when nothing was collected for marking yet.
        beside: flags, rewrites and shares.
        now: seconds since the epoch.
    """
    first_late = study.deadline.first_late
    told = telling(study.sightings, first_late)
    facts, left_out = (
        commits_around(study.history, first_late, roles(graded, study.snapshot))
        if study.history is not None
        else ((), 0)
    )
    return _with_questions(
        Dossier(
            assignment=study.assignment.id,
            team=study.team.id,
            members=study.team.members,
            repo_url=study.team.repo_url,
            extension=extension_text(study.team, study.assignment),
            graded=graded,
            ruling=study.snapshot,
            unread_since=_unread_since(study, now),
            timeline=told,
            seen_again=len(study.sightings) - len(told),
            unanswered=failed_looks(study.looks),
            commits=facts,
            commits_left_out=left_out,
            flags=beside.flags,
            signatures=beside.signatures,
            rewritten=beside.rewritten,
            rewrites=beside.rewrites,
            shares=beside.shares,
            commands=commands(study.team.id, graded, study.snapshot) if _has_bundle(study) else (VERIFY,),
        )
    )


def _unread_since(study: Study, now: int) -> bool:
    """Whether a look is missing after the deadline, though what was seen before was ruled on."""
    first_late = study.deadline.first_late
    read = any(look.reached and look.time >= first_late for look in study.looks)
    unreachable = study.snapshot.evidence.decision is Decision.UNREACHABLE
    return now >= first_late and not read and not unreachable


def without_study(
    team: Team, assignment: Assignment, graded: Snapshot | None, *, deadline: Deadline, problem: str
) -> Dossier:
    """What stands for a team that could not be studied: the reason, and what was graded."""
    said = "the evidence of this team could not be read; a person looks into it"
    evidence = without_commit(deadline, Decision.UNREACHABLE, said)
    return _with_questions(
        Dossier(
            assignment=assignment.id,
            team=team.id,
            members=team.members,
            repo_url=team.repo_url,
            extension=extension_text(team, assignment),
            graded=graded,
            ruling=snapshot_of(team, assignment, evidence),
            problem=problem,
        )
    )


def extension_text(team: Team, assignment: Assignment) -> str:
    """The team's own deadline, who gave it and why; of several the latest, and empty when it has none."""
    given = [one for one in team.extensions if one.assignment == assignment.id]
    if not given:
        return ""
    last = max(given, key=lambda one: one.deadline.replace("T", " "))
    return f"until {last.deadline}, approved by {last.approver}, reason {last.reason_code}"


def commands(team: str, graded: Snapshot | None, ruling: Snapshot) -> tuple[str, ...]:
    """Shell lines for the folder that `grader audit export` writes."""
    bundle, clone = f'"$PWD"/bundles/{shlex.quote(f"{team}.bundle")}', shlex.quote(f"../{team}.git")
    named = (graded.commit if graded else None, ruling.commit, ruling.evidence.proven)
    return (
        VERIFY,
        f"git init -q --bare {clone}",
        f"git -C {clone} bundle verify {bundle}",
        f"git -C {clone} bundle unbundle {bundle}",
        *(
            f"git -C {clone} show --no-patch --format='{FORMAT}' {commit}"
            for commit in dict.fromkeys(named)
            if commit is not None
        ),
    )


def _has_bundle(study: Study) -> bool:
    """Whether `grader audit export` has anything to write of the team's repository."""
    return study.history is not None and bool(study.history.commits)


def _with_questions(found: Dossier) -> Dossier:
    said = evidence_said(found.shown.evidence)
    return found.model_copy(update={"decide": open_questions(found), "evidence_text": said})
