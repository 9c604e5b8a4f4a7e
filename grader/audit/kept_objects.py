"""A team's mirror or bundle in, whether every tip that the ledger names is there and whole out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.audit.findings import Finding, broken, look
from grader.audit.tips import Tip
from grader.collect.hardened_git import TOLERATED_MALFORMATIONS, Git, GitFailedError
from grader.collect.mirror import PACK_LIMIT_MIB, SEEN
from grader.collect.objects import look_up

_LISTING_LIMIT_MIB = 512
_LEFT_OUT_IS_FINE = ("-c", "remote.seen.promisor=true", "-c", "remote.seen.url=file:///nonexistent")
"""Large files were left out on purpose; git is told so for one command, and can fetch from nowhere."""


@dataclass(frozen=True)
class KeptObjects:
    """A bare repository of ours with the tips that it was kept for."""

    git: Git
    tips: frozenset[str]

    def check(self, team: str, named: Sequence[Tip]) -> list[Finding]:
        """Compare with what the ledger names."""
        try:
            findings = _damage(self.git, sorted(self.tips), team)
            return findings + _absent(self.git, named, self.tips, team)
        except GitFailedError as error:
            return [broken(f"what was kept cannot be read: {error}", team=team)]

    def left_out(self) -> frozenset[str]:
        """Ids of the files that the tips have and this repository has not.

        Raises:
            GitFailedError: a commit or a folder is missing or damaged.
        """
        arguments = ("rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin")
        listed = self.git.read(*arguments, stdin=_lines(self.tips), output_limit_mib=_LISTING_LIMIT_MIB)
        return frozenset(line[1:] for line in listed.decode("ascii").split() if line.startswith("?"))


def mirror_objects(git: Git) -> tuple[KeptObjects, list[str]]:
    """What a mirror keeps, and those references that do not point where their name says.

    Raises:
        GitFailedError: it cannot be read.
    """
    listed = git.read("for-each-ref", "--format=%(refname) %(objectname)", SEEN).decode("ascii")
    tips = dict(line.split(" ") for line in listed.splitlines())
    moved = [name for name, target in tips.items() if name != f"{SEEN}{target}"]
    return KeptObjects(git, frozenset(tips.values())), moved


def bundle_objects(bundle: Path, into: Path, *, timeout_s: float) -> KeptObjects:
    """What a bundle holds, unpacked into a new repository; every object is hashed anew on the way.

    Raises:
        GitFailedError: it is no bundle, or damaged.
    """
    git = Git(into, timeout_s)
    git.read("init", "--quiet", "--bare", "--initial-branch=none")
    listed = git.read("bundle", "unbundle", str(bundle.resolve()), output_limit_mib=PACK_LIMIT_MIB)
    tips = [line.split(" ")[0] for line in listed.decode("utf-8", errors="replace").splitlines()]
    return KeptObjects(git, frozenset(tips))


def _damage(git: Git, tips: Sequence[str], team: str) -> list[Finding]:
    """Content that is not what its id says, and commits or folders that are missing below a tip."""
    ignored = [part for name in TOLERATED_MALFORMATIONS for part in ("-c", f"fsck.{name}=ignore")]
    findings: list[Finding] = []
    commands = [(*_LEFT_OUT_IS_FINE, *ignored, "fsck", "--full", "--no-dangling", "--no-progress")]
    if tips:
        commands.append(("rev-list", "--quiet", "--objects", "--filter=blob:none", "--stdin"))
    for command in commands:
        try:
            git.read(*command, stdin=_lines(tips), output_limit_mib=_LISTING_LIMIT_MIB)
        except GitFailedError as error:
            findings.append(broken(f"what was kept is damaged: {error.reason}", team=team))
    return findings


def _absent(git: Git, named: Sequence[Tip], tips: frozenset[str], team: str) -> list[Finding]:
    missing: dict[str, list[Tip]] = {}
    for tip in named:
        if tip.commit not in tips:
            missing.setdefault(tip.commit, []).append(tip)
    known = look_up(git, sorted(missing))
    worst = [min(same, key=lambda tip: (not tip.is_default, tip.round)) for same in missing.values()]
    return [_finding(tip, is_here=tip.commit in known, team=team) for tip in worst]


def _finding(tip: Tip, *, is_here: bool, team: str) -> Finding:
    if is_here:
        text = f"commit {tip.commit} is there, but nothing keeps it any more"
        return look(text, round_number=tip.round, team=team)
    if tip.is_default:
        text = f"commit {tip.commit}, the tip of the default branch in this round, is gone"
        return broken(text, round_number=tip.round, team=team)
    text = f"commit {tip.commit} of another branch in this round is not there: never fetched, or gone"
    return look(text, round_number=tip.round, team=team)


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in sorted(words)).encode()
