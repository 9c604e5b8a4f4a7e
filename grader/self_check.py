"""A student's folder in; the outcome of the public checks and the commit that would count now, out.

The same check files, the same code and the same messages as in grading, in the `process` sandbox: on the
student's own machine there is nobody to be protected from.
"""

import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path

import git

from grader.collect.notebook import prepare
from grader.course.loading import read_record
from grader.course.mistakes import nearest
from grader.course.model import Assignment
from grader.course.scale import CPU, at_scale
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.examine.job import examine
from grader.examine.request import Material, Work, new_request
from grader.records import Outcome, Prepared, Record, Status
from grader.starter import KIT, SETTINGS

SIGNS = {Status.PASSED: "ok  ", Status.FAILED: "FAIL", Status.COULD_NOT_CHECK: "??  "}
"""What stands before a check in the text that a student reads."""


class SelfCheck(Record):
    """What a student learns before the deadline."""

    assignment: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    repository: tuple[str, ...]
    """What git says: the commit that would count, and what is not in it."""

    @property
    def all_passed(self) -> bool:
        """Whether every public check passed."""
        return all(outcome.status is Status.PASSED for outcome in self.outcomes)

    def text(self) -> str:
        """The same for people."""
        checks = [
            f"{SIGNS[outcome.status]} {outcome.check.partition('::')[2]}" + _because(outcome)
            for outcome in self.outcomes
        ]
        passed = sum(outcome.status is Status.PASSED for outcome in self.outcomes)
        summary = f"{passed} of {len(self.outcomes)} public checks passed ({self.assignment})"
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*checks, "", summary, *notes, *(f"git: {line}" for line in self.repository)])


def self_check(folder: Path, *, course: Path | None) -> SelfCheck:
    """Run the public checks on a folder.

    Args:
        folder: the student's folder, with grading.toml in it.
        course: a course tree; None uses the copy in the folder, or the tree that the folder is in.

    Raises:
        ConfigurationError: the folder does not say which assignment it is, or the assignment is not found.
    """
    folder = folder.resolve()
    home, assignment = _assignment_of(folder, course)
    work = Work(team="you", folder=str(folder), prepared=prepare(folder, assignment.tasks))
    nobody = Work(team="reference", folder=str(folder), prepared=Prepared(modules={}))
    request = new_request(
        work,
        Material(assignment=assignment, folder=str(home), data_folder=str(home / "data"), reference=nobody),
        sandbox="process",
        seed=assignment.seed,
        groups=("public",),
    )
    with tempfile.TemporaryDirectory() as scratch:
        examination, _ = examine(request, Path(scratch))
    return SelfCheck(
        assignment=assignment.id,
        outcomes=examination.outcomes,
        notes=examination.notes,
        repository=(
            f"the deadline is {assignment.deadline} by the clock of the course",
            *repository_facts(folder),
        ),
    )


def repository_facts(folder: Path) -> list[str]:
    """What a student should know about the state of their repository."""
    try:
        repository = git.Repo(folder, search_parent_directories=True)
        head = repository.head.commit
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        return ["this folder is not in a Git repository, so nothing would be collected"]
    except ValueError:
        return ["there is no commit yet, so nothing would be collected"]
    with repository:
        when = head.committed_datetime.strftime("%Y-%m-%d %H:%M:%S %z")
        return [
            f"the last commit here is {head.hexsha[:10]} of {when}",
            *_uncommitted(repository),
            *_unpushed(repository),
        ]


def _uncommitted(repository: git.Repo) -> list[str]:
    changed = len(repository.index.diff(None)) + len(repository.index.diff("HEAD"))
    new = len(repository.untracked_files)
    if not changed and not new:
        return ["everything is committed"]
    return [f"{changed} changed and {new} new files are not committed and would not count"]


def _unpushed(repository: git.Repo) -> list[str]:
    if repository.head.is_detached:
        return ["no branch is checked out; commit on the branch that you hand in"]
    upstream = repository.active_branch.tracking_branch()
    if upstream is None or not upstream.is_valid():
        return ["this branch was never pushed, so nothing of it would be collected; push it"]
    ahead = sum(1 for _ in repository.iter_commits(f"{upstream.commit.hexsha}..HEAD"))
    if ahead:
        return [f"{ahead} commits are not pushed and would not count; {upstream.name} is what would"]
    return [f"everything is pushed to {upstream.name}"]


def _assignment_of(folder: Path, course: Path | None) -> tuple[Path, Assignment]:
    """The folder with checks/ and data/, and the settings at the scale of a student's own machine."""
    name = _named_in(folder / SETTINGS)
    kit = folder / KIT
    if course is None and (kit / "assignment.toml").exists():
        settings = f"{KIT}/assignment.toml"
        found = read_record(folder / settings, Assignment, file=settings).record()
        if not found.id.startswith(name):
            raise ConfigurationError(
                f"{SETTINGS}: assignment: found '{name}', but the folder '{KIT}' here is of '{found.id}'"
            )
        return kit, at_scale(found, CPU)
    tree = CourseTree.open(course) if course else _tree_around(folder)
    assignment = replace(tree, scale=CPU).assignment(name)
    return tree.assignment_dir(assignment.id), assignment


def _tree_around(folder: Path) -> CourseTree:
    for parent in (folder, *folder.parents):
        if (parent / "course.toml").exists():
            return CourseTree.open(parent)
    raise ConfigurationError(
        f"{folder.name}: no folder '{KIT}' here and no course.toml above; "
        "start from `grader starter`, or give --course"
    )


def _named_in(settings: Path) -> str:
    try:
        found = tomllib.loads(settings.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{settings.parent.name}: no {SETTINGS} here; run this in the folder that you hand in"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{SETTINGS}: not valid TOML: {error}") from error
    name = found.get("assignment")
    if not isinstance(name, str):
        unknown = next(iter(found), "")
        hint = f"found '{unknown}'{nearest(unknown, ['assignment'])}" if unknown else "the file is empty"
        raise ConfigurationError(f'{SETTINGS}: assignment: expected assignment = "<id>"; {hint}')
    return name


def _because(outcome: Outcome) -> str:
    return f": {outcome.message}" if outcome.message else ""
