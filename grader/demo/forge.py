"""A student's work and its history in; a bare repository and the forge's push record out.

Every push goes to a real bare repository, as to a forge; the record of pushes is what a forge would tell
(see docs/deadlines.md, evidence A).
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import git

from grader.course.instants import wall_clock_to_epoch

RECORDED_BY = "the demo's forge"
BRANCH = "main"
MEMBER = "student@example.edu"
EMPTY_ID = "0" * 40


@dataclass
class Forge:
    """A folder of bare repositories. `zone` is where the class lives."""

    folder: Path
    zone: str
    pushes: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def url(self, handle: str) -> str:
        """Where the student's repository is, or would be."""
        return (self.folder / f"{handle}.git").resolve().as_uri()

    def create(self, handle: str) -> "Checkout":
        """A new, empty repository and the student's own checkout of it."""
        bare = self.folder / f"{handle}.git"
        git.Repo.init(bare, bare=True, initial_branch=BRANCH).close()
        work = self.folder / "checkouts" / handle
        repository = git.Repo.init(work, initial_branch=BRANCH)
        repository.create_remote("origin", str(bare.resolve()))
        return Checkout(self, handle, repository, work)

    def write_push_records(self, folder: Path) -> None:
        """Export what the forge recorded, one JSON file per repository."""
        folder.mkdir(parents=True, exist_ok=True)
        for handle, pushes in self.pushes.items():
            (folder / f"{handle}.json").write_text(json.dumps(pushes, indent=2) + "\n", encoding="utf-8")


@dataclass
class Checkout:
    """A student's working copy. Times are wall clock, 'YYYY-MM-DD HH:MM', in the forge's zone."""

    forge: Forge
    handle: str
    repository: git.Repo
    folder: Path

    def commit(self, message: str, when: str, files: Mapping[str, str], *, amend: bool = False) -> None:
        """Write files and commit them at `when`; with `amend` in the place of the last commit."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        self.repository.index.add(sorted(files))
        who, date = git.Actor(self.handle, MEMBER), f"{self._epoch(when)} +0000"
        parents = list(self.repository.head.commit.parents) if amend else None
        self.repository.index.commit(
            message, parents, author=who, committer=who, author_date=date, commit_date=date
        )

    def push(self, when: str, *, force: bool = False, recorded: bool = True) -> None:
        """Push the branch; the forge writes down when."""
        before = self.forge.pushes.get(self.handle, [{"after": EMPTY_ID}])[-1]["after"]
        self.repository.remote("origin").push(f"{BRANCH}:{BRANCH}", force=force).raise_if_error()
        if recorded:
            self.forge.pushes.setdefault(self.handle, []).append(
                {
                    "ref": f"refs/heads/{BRANCH}",
                    "before": before,
                    "after": self.repository.head.commit.hexsha,
                    "timestamp": self._epoch(when),
                    "source": RECORDED_BY,
                }
            )

    def close(self) -> None:
        """Release git's handles and remove the working copy: the forge keeps everything."""
        self.repository.close()
        shutil.rmtree(self.folder)

    def _epoch(self, when: str) -> int:
        return wall_clock_to_epoch(f"{when}:00", self.forge.zone) - 1
