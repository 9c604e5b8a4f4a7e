"""A state folder or an exported folder in, what of its evidence holds and what that proves out.

Nothing is changed and no server is asked. Bundles are unpacked into a folder that vanishes again.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.audit.anchors import ROOTS, Anchor, posted, stamped
from grader.audit.chain import read_chain
from grader.audit.exported import check_files, left_out, odd_files, stated_decisions, unshown_decisions
from grader.audit.findings import Finding, broken, look
from grader.audit.kept_objects import KeptObjects, bundle_objects, mirror_objects
from grader.audit.push_records import check_push_records
from grader.audit.statements import does_not_prove, proves
from grader.audit.tips import Tip, tips_by_team
from grader.collect.anchoring import FOLDER as ANCHORS
from grader.collect.hardened_git import Git, GitFailedError
from grader.collect.ledger import NO_ROUND, Ledger
from grader.collect.noted import FOLDER, last_noted
from grader.collect.round_sums import page_name
from grader.course.counting import plural
from grader.errors import StoreError
from grader.records import Record

GIT_TIMEOUT_S = 600.0
"""Longest that the check of one repository may take."""

ODD_LIMIT = 20
"""Names that are told where what is there is no plain file."""


class Verification(Record):
    """What was checked, and what came of it."""

    place: str
    """'state folder' or 'exported folder'."""
    rounds: int
    head: str
    """Hash of the last round."""
    repositories: int
    """Mirrors or bundles that were checked."""
    tips: int
    """Commits that the ledger names for them."""
    anchors: tuple[Anchor, ...]
    findings: tuple[Finding, ...]
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]

    @property
    def is_broken(self) -> bool:
        """Whether evidence was changed or is gone."""
        return any(finding.kind == "broken" for finding in self.findings)

    def text(self) -> str:
        """For a terminal."""
        lines = [str(finding) for finding in self.findings]
        lines += [f"{plural(self.rounds, 'round')}, head {self.head}"]
        kept = plural(self.repositories, "repository", "repositories")
        lines += [f"{plural(self.tips, 'commit')} that the ledger names, kept in {kept}"]
        lines += [anchor.text for anchor in self.anchors]
        lines += ["", "This proves:", *(f"  * {text}" for text in self.proves or ("nothing",))]
        lines += ["It does not prove:", *(f"  * {text}" for text in self.does_not_prove)]
        return "\n".join(lines)


def verify(
    folder: Path, *, heads: Sequence[str] = (), roots: Path | None = None, push_records: Path | None = None
) -> Verification:
    """Check everything that is there.

    Args:
        folder: a state folder (`ledger`, `mirrors`) or one that was exported (`ledger`, `bundles`).
        heads: hashes that were posted somewhere when they were the last.
        roots: certificates of the time stamp authority; by default those of an exported folder.
        push_records: folder of the push records; by default that of an exported folder.

    Raises:
        StoreError: there is no ledger in the folder.
    """
    folder = folder.resolve()  # git runs in other folders
    if not (folder / "ledger").is_dir():
        raise StoreError(f"{folder}: holds no folder 'ledger'; give a state folder or an exported one")
    is_export = (folder / "bundles").is_dir()
    odd = odd_files(folder) if is_export else odd_files(folder / "ledger", flat=True)
    if odd:
        return _refused(odd, is_export=is_export)
    files = _ledger_files(folder / "ledger")
    chain = read_chain(files)
    pages = {number: files[page_name(number)] for number in chain.hashes}
    tips = tips_by_team(pages)
    checked, findings = _bundles(folder, tips) if is_export else _mirrors(folder / "mirrors", tips)
    records = push_records or (folder / FOLDER if is_export else None)
    record_findings, unnoted = check_push_records(records, last_noted(pages), checked if is_export else None)
    known_roots = roots or _found(folder / ANCHORS / ROOTS)
    stamps, stamp_findings = stamped(folder / ANCHORS, chain.hashes, known_roots)
    posts, post_findings = posted(tuple(heads), chain.hashes)
    anchors = tuple(sorted([*stamps, *posts], key=lambda anchor: anchor.round))
    chain_findings = chain.findings or _unreadable(folder / "ledger")
    found = (*chain_findings, *post_findings, *stamp_findings, *record_findings, *findings)
    sound_until = _sound_until(len(chain.hashes), found)
    return Verification(
        place=_place(is_export=is_export),
        rounds=len(chain.hashes),
        head=chain.head,
        repositories=len(checked),
        tips=sum(len({tip.commit for tip in tips.get(team, ())}) for team in checked),
        anchors=anchors,
        findings=found,
        proves=proves(sound_until, anchors, noted=chain.noted, complete=not found),
        does_not_prove=does_not_prove(
            len(chain.hashes), anchors, others=len(tips.keys() - set(checked)), unnoted=unnoted
        ),
    )


def _place(*, is_export: bool) -> str:
    return "exported folder" if is_export else "state folder"


def _refused(odd: Sequence[str], *, is_export: bool) -> Verification:
    """Nothing is read where a link or a pipe stands for a file."""
    text = "expected a plain file, found a link, a pipe or a folder; nothing was checked"
    return Verification(
        place=_place(is_export=is_export),
        rounds=0,
        head=NO_ROUND,
        repositories=0,
        tips=0,
        anchors=(),
        findings=tuple(broken(f"{name!a}: {text}") for name in odd[:ODD_LIMIT]),
        proves=(),
        does_not_prove=does_not_prove(0, (), others=0, unnoted=0),
    )


def _ledger_files(ledger: Path) -> dict[str, bytes]:
    """Everything in the ledger's folder, read again where a round was added meanwhile."""
    while True:
        before = _listing(ledger)
        files = {name: (ledger / name).read_bytes() for name, *_ in before}
        if _listing(ledger) == before:
            return files


def _listing(ledger: Path) -> list[tuple[str, int, int]]:
    """Name, time and size of everything but locks and drafts, whose names begin with a dot."""
    paths = [path for path in ledger.iterdir() if path.name[0] != "." and path.is_file()]
    return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)


def _unreadable(ledger: Path) -> tuple[Finding, ...]:
    """A round may be what was written and yet say nothing: only where no witness of its hash is left."""
    try:
        Ledger(ledger).rounds()
    except StoreError as error:
        name, _, text = str(error).removeprefix(f"{ledger}/").partition(": ")
        number = int(name[:6]) if name[:6].isdigit() else None
        return (broken(f"{name}: {text}", round_number=number),)
    return ()


def _found(path: Path) -> Path | None:
    return path if path.is_file() else None


def _sound_until(rounds: int, findings: Sequence[Finding]) -> int:
    """Last round before anything about the ledger is wrong."""
    wrong = [finding.round for finding in findings if finding.kind == "broken" and finding.round is not None]
    return min([rounds, *(number - 1 for number in wrong)])


def _mirrors(folder: Path, tips: Mapping[str, Sequence[Tip]]) -> tuple[list[str], list[Finding]]:
    findings: list[Finding] = []
    for team in sorted(tips):
        git = Git(folder / f"{team}.git", GIT_TIMEOUT_S)
        if not git.repository.is_dir():
            findings.append(broken("its mirror is gone, though the ledger names commits of it", team=team))
            continue
        try:
            kept, moved = mirror_objects(git)
        except GitFailedError as error:
            findings.append(broken(f"its mirror cannot be read: {error}", team=team))
            continue
        findings += [broken(f"{name!a} points to another commit", team=team) for name in moved]
        findings += kept.check(team, tips[team])
    return sorted(tips), findings


def _bundles(folder: Path, tips: Mapping[str, Sequence[Tip]]) -> tuple[list[str], list[Finding]]:
    findings = check_files(folder)
    teams = sorted(path.stem for path in (folder / "bundles").glob("*.bundle"))
    with tempfile.TemporaryDirectory() as scratch:
        for number, team in enumerate(teams):
            bundle = folder / "bundles" / f"{team}.bundle"
            findings += _bundle(bundle, Path(scratch, f"{number}.git"), tips.get(team, ()), folder)
    return teams, findings + unshown_decisions(folder, teams)


def _bundle(bundle: Path, into: Path, named: Sequence[Tip], folder: Path) -> list[Finding]:
    team = bundle.stem
    try:
        kept = bundle_objects(bundle, into, timeout_s=GIT_TIMEOUT_S)
        findings = kept.check(team, named)
        findings += _without_reason(kept, left_out(folder, team), team)
        return findings + stated_decisions(kept.git, folder, team)
    except (GitFailedError, StoreError) as error:
        return [broken(f"its bundle does not hold: {error}", team=team)]


def _without_reason(kept: KeptObjects, said: frozenset[str], team: str) -> list[Finding]:
    """Files that are missing without having been left out."""
    missing = len(kept.left_out() - said)
    files = plural(missing, "file is missing that is", "files are missing that are")
    text = f"{files} not in its list of large files that were never fetched"
    return [look(text, team=team)] if missing else []
