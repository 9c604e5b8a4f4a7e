"""Everything known about a team's repository and an assignment in, the commit and the folder that count out.

The rule of `ruling.py` is applied at the deadline and, where nothing was handed in by then (or where the
course prefers the latest work), once more at the end of the late period.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from grader.collect.deadline import Deadline, branch, short
from grader.collect.flags import date_flags, other_branch_flags
from grader.collect.hardened_git import Git
from grader.collect.history import History
from grader.collect.late import arrival, started_days, window_end
from grader.collect.ruling import Ruling, rule
from grader.collect.tree import Plan, find_folders, plan_tree
from grader.course.counting import plural
from grader.course.model import Course
from grader.records import Decision, Evidence


@dataclass(frozen=True, kw_only=True)
class Case:
    """One team, one assignment, and what the mirror and the witnesses say."""

    course: Course
    folder: str
    """Folder of the assignment in the repository; empty is the root."""
    deadline: Deadline
    git: Git
    history: History
    ref: str
    tip: str | None
    heads: Mapping[str, str]
    """Every branch as it was when the deadline had passed."""
    _plans: dict[str, tuple[str, Plan] | None] = field(default_factory=dict, init=False, compare=False)

    def work(self, commit: str) -> tuple[str, Plan] | None:
        """Object id of the assignment's folder in a commit and what is written of it; None: it holds no file.

        Each is planned once: a plan is several git commands, and a commit never changes.
        """
        if commit not in self._plans:
            tree = self.trees([commit]).get(commit)
            plan = plan_tree(self.git, tree, self.course.collect) if tree is not None else None
            self._plans[commit] = (
                (tree, plan) if tree is not None and plan is not None and plan.files else None
            )
        return self._plans[commit]

    def trees(self, commits: Iterable[str]) -> dict[str, str]:
        """Commit → object id of the assignment's folder, for those commits that have it."""
        known = self.history.commits
        roots = {commit: known[commit].tree for commit in commits if commit in known}
        folders = find_folders(self.git, set(roots.values()), self.folder)
        return {commit: folders[root] for commit, root in roots.items() if root in folders}

    @property
    def folder_text(self) -> str:
        """The folder for people."""
        return f"folder `{self.folder}`" if self.folder else "repository"


@dataclass(frozen=True)
class Choice:
    """What counts. `problem` is set when nothing can be examined."""

    case: Case
    evidence: Evidence
    commit: str | None
    days_late: int = 0
    for_a_person: bool = False
    """True when the evidence leaves a choice that only a person may make."""

    @property
    def missing(self) -> bool:
        """True when a commit counts that the mirror does not have."""
        return self.commit is not None and self.commit not in self.case.history.commits

    @property
    def tree(self) -> str | None:
        """Object id of the assignment's folder, if it is there and holds a file."""
        return self._found[0] if self._found else None

    @property
    def plan(self) -> Plan | None:
        """The files to be written out."""
        return self._found[1] if self._found else None

    @property
    def problem(self) -> str | None:
        """Why there is nothing to examine, in words for the student."""
        if self.tree is not None:
            return None
        if self.missing:
            return f"{self.evidence.explanation}; that commit can no longer be had, so a person looks into it"
        if self.problem_is_ours:
            return self.evidence.explanation
        if self.commit is None:
            return f"no submission: {self.evidence.explanation}"
        where = f"commit {short(self.commit)} of `{branch(self.case.ref)}`"
        return f"no submission: the {self.case.folder_text} holds no file in {where}, the last one on time"

    @property
    def problem_is_ours(self) -> bool:
        """True when a person must look before anybody loses marks."""
        return self.for_a_person or self.missing

    @property
    def _found(self) -> tuple[str, Plan] | None:
        return self.case.work(self.commit) if self.commit is not None else None


def choose(case: Case) -> Choice:
    """The commit that counts.

    Raises:
        GitFailedError: the mirror cannot be read.
    """
    on_time = _settled(case, rule(case.history, ref=case.ref, tip=case.tip, deadline=case.deadline))
    late = case.course.late
    done = on_time.tree is not None and late.takes == "on_time"
    if done or on_time.problem_is_ours or not late.enabled:
        return _with_flags(on_time)
    return _with_flags(_late(case, on_time) or on_time)


def unless_renamed(old: Choice, new: Choice) -> Choice:
    """What counts where another branch became the default one after the last look before the deadline.

    That may have been before the deadline or after it. Nothing is open where the new one has nothing on time,
    or the same.

    Args:
        old: by the branch that was the default one at that look.
        new: by the one that was so at the first look after the deadline.
    """
    agree = not new.problem_is_ours and new.tree in {None, old.tree}
    if old.problem_is_ours or agree:
        return old
    names = f"`{branch(old.case.ref)}`", f"`{branch(new.case.ref)}`"
    found = [f"commit {short(one.commit)}" if one.commit else "no commit" for one in (old, new)]
    said = (
        f"the default branch was {names[0]} when we last looked before {old.case.deadline.name} and was "
        f"{names[1]} at the next look; of {names[0]} {found[0]} would count, of {names[1]} {found[1]}, and a "
        "person decides"
    )
    update = {"decision": Decision.AMBIGUOUS, "explanation": said}
    evidence = old.evidence.model_copy(update=update)
    return replace(old, evidence=evidence, commit=None, days_late=0, for_a_person=True)


def _settled(case: Case, ruling: Ruling) -> Choice:
    """The ruling as a choice. Candidates that agree about the assignment's folder need nobody to decide."""
    if not ruling.for_a_person:
        return Choice(case, ruling.evidence, ruling.commit)
    trees = case.trees(ruling.candidates)
    found = {trees.get(candidate) for candidate in ruling.candidates}
    if len(ruling.candidates) < 2 or len(found) != 1:
        return Choice(case, ruling.evidence, None, for_a_person=True)
    said = f"{ruling.evidence.explanation}, but the {case.folder_text} is the same in all of them"
    return Choice(case, ruling.evidence.model_copy(update={"explanation": said}), ruling.candidates[0])


def _late(case: Case, on_time: Choice) -> Choice | None:
    """The last work within the late period; None when there is none that is newer than what was on time."""
    zone = case.course.time_zone
    end = window_end(case.deadline.first_late, case.course.late, zone=zone)
    at_end = replace(case.deadline, first_late=end, name="the end of the late period")
    found = _settled(case, rule(case.history, ref=case.ref, tip=case.tip, deadline=at_end))
    if found.problem_is_ours:
        return found if on_time.tree is None else None
    if found.commit is None or found.tree is None or found.tree == on_time.tree:
        return None
    commit = _first_with_same_work(case, found.commit, found.tree)
    arrived = arrival(case.history, commit, first_late=case.deadline.first_late)
    days = started_days(arrived, case.deadline.first_late, zone=zone)
    return Choice(case, _late_evidence(case, found.evidence, on_time, days), commit, days)


def _first_with_same_work(case: Case, commit: str, tree: str) -> str:
    """The commit that brought the folder into its final state: later commits are about something else."""
    on_time = case.history.on_time(commit, case.deadline.first_late)
    candidates = case.history.reachable([commit]) - on_time
    same = {one for one, folder in case.trees(candidates).items() if folder == tree}
    while True:
        earlier = [parent for parent in case.history.commits[commit].parents if parent in same]
        if not earlier:
            return commit
        commit = earlier[0]


def _late_evidence(case: Case, found: Evidence, on_time: Choice, days: int) -> Evidence:
    if on_time.commit is None:
        why = on_time.evidence.explanation
    elif on_time.tree is None:
        why = "nothing for this assignment was there at the deadline"
    else:
        why = "the course takes the latest work"
    count = plural(days, "started day")
    return found.model_copy(
        update={
            "deadline": case.deadline.first_late,
            "deadline_text": case.deadline.text,
            "explanation": f"handed in late by {count}: {why}; {found.explanation}",
            "flags": (
                *on_time.evidence.flags,
                *(flag for flag in found.flags if flag not in on_time.evidence.flags),
            ),
        }
    )


def _with_flags(choice: Choice) -> Choice:
    case, evidence = choice.case, choice.evidence
    others = {name: head for name, head in case.heads.items() if name != case.ref}
    flags = list(evidence.flags)
    if choice.commit is not None:
        flags += date_flags(case.history, choice.commit)
    if (shown := case.course.collect.other_branches) != "none":
        flags += other_branch_flags(case.history, choice.commit, others, newer_only=shown == "newer")
    return replace(choice, evidence=evidence.model_copy(update={"flags": tuple(flags)}))
