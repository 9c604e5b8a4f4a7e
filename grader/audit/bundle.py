"""A run and an assignment in, a folder out with everything that its decisions rest on, for a committee.

The folder can be checked without the grader, by `verify.sh` in it. It holds no token and no address of ours.
"""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import grader
from grader.audit.anchors import ROOTS
from grader.audit.audit import audit_of
from grader.audit.exported import DECISIONS, MISSING, SUMS, file_sha256
from grader.audit.packing import Packed, pack
from grader.audit.publish import publish
from grader.audit.records import Audit
from grader.audit.tips import tips_by_team
from grader.collect.anchoring import FOLDER as ANCHORS
from grader.collect.anchoring import SUFFIX
from grader.collect.ledger import NO_ROUND, Ledger, Round
from grader.collect.mirror import Mirror
from grader.collect.round_sums import page_name, write_sums
from grader.course.counting import plural
from grader.course.instants import utc_text
from grader.course.model import Assignment
from grader.errors import ConfigurationError
from grader.records import Team
from grader.run import Run

ZIP = ".zip"
_A_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive, so that the same evidence gives the same bytes."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    place: Path
    rounds: int
    head: str
    packed: tuple[Packed, ...]
    without: tuple[str, ...]
    """Teams of which nothing was ever seen, so there is no bundle."""


def export(run: Run, assignment: Assignment, teams: Sequence[Team], destination: Path) -> Exported:
    """Write the evidence of these teams; all of it or nothing.

    Args:
        run: with the state folder and the course.
        assignment: whose decisions are exported.
        teams: whose commits, push records and decisions are included; the ledger is always whole.
        destination: a folder that is empty or not there yet, or a `.zip` that is not.

    Raises:
        ConfigurationError: the destination is taken, or a key file holds a private key.
        StoreError: the ledger is damaged; `grader audit verify` says where.
        CollectError: a mirror is damaged.
    """
    _refuse_taken(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".export-") as scratch:
        draft = Path(scratch, destination.stem if destination.suffix == ZIP else destination.name)
        draft.mkdir()
        exported = _written(run, assignment, teams, draft)
        if destination.suffix == ZIP:
            archive = Path(scratch, destination.name)
            _zip(draft, archive)
            archive.replace(destination)
        else:
            draft.replace(destination)
    return Exported(destination, exported.rounds, exported.head, exported.packed, exported.without)


def _refuse_taken(destination: Path) -> None:
    is_empty = destination.is_dir() and destination.suffix != ZIP and not any(destination.iterdir())
    if destination.exists() and not is_empty:
        raise ConfigurationError(f"{destination}: is there already; name a folder or a .zip that is not")


def _written(run: Run, assignment: Assignment, teams: Sequence[Team], draft: Path) -> Exported:
    rounds = Ledger(run.store.path("ledger")).rounds()
    _copy_ledger(run.store.path("ledger"), rounds, draft / "ledger")
    audit = audit_of(run, assignment, teams)
    publish(audit, out=draft)
    packed, without = _bundles(run, teams, draft)
    _write(draft / DECISIONS, _decisions(run, audit))
    _copy_push_records(run.tree.root / "push_records", teams, draft / "push_records")
    _copy_keys(run.tree.root / "forge_keys", draft / "forge_keys")
    _copy_anchors(run, len(rounds), draft / ANCHORS)
    head = rounds[-1].sha256 if rounds else NO_ROUND
    _write(draft / "README.txt", _readme(run, assignment, teams, rounds, head))
    _write(draft / "verify.sh", _template("verify.sh"))
    (draft / "verify.sh").chmod(0o755)
    _write_checksums(draft)
    return Exported(draft, len(rounds), head, tuple(packed), tuple(without))


def _copy_ledger(ledger: Path, rounds: Sequence[Round], into: Path) -> None:
    """The rounds that were read; one that is added meanwhile belongs to the next export."""
    into.mkdir()
    for one in rounds:
        _copy(ledger / page_name(one.number), into / page_name(one.number))
    write_sums(into, [one.sha256 for one in rounds])


def _bundles(run: Run, teams: Sequence[Team], draft: Path) -> tuple[list[Packed], list[str]]:
    folder, policy = draft / "bundles", run.tree.course.collect
    folder.mkdir()
    pages = sorted((draft / "ledger").glob("[0-9]*.txt"))
    named = tips_by_team({number: page.read_bytes() for number, page in enumerate(pages, start=1)})
    packed: list[Packed] = []
    without: list[str] = []
    for team in teams:
        mirror = Mirror(run.store.path("mirrors"), team.id, timeout_s=policy.timeout_s)
        tips = named.get(team.id, ())
        done = pack(mirror, team.id, tips, folder, blob_limit_mib=policy.blob_limit_mib)
        if done is None:
            without.append(team.id)
        else:
            packed.append(done)
    return packed, without


def _decisions(run: Run, audit: Audit) -> str:
    lines = ["# team commit date decision evidence"]
    for dossier in audit.dossiers:
        shown = dossier.shown
        mirror = Mirror(run.store.path("mirrors"), dossier.team, timeout_s=run.tree.course.collect.timeout_s)
        is_kept = shown.commit is not None and mirror.exists and mirror.commits_among([shown.commit])
        date = "-" if shown.committer_date is None else str(shown.committer_date)
        level = shown.evidence.level.value if shown.evidence.level else "none"
        commit = shown.commit or "-"
        said = date if is_kept or not shown.commit else MISSING
        lines.append(f"{dossier.team} {commit} {said} {shown.evidence.decision.value} {level}")
    return "\n".join(lines) + "\n"


def _copy_push_records(folder: Path, teams: Iterable[Team], into: Path) -> None:
    into.mkdir()
    for team in teams:
        if (folder / f"{team.id}.json").is_file():
            _copy(folder / f"{team.id}.json", into / f"{team.id}.json")


def _copy_keys(folder: Path, into: Path) -> None:
    into.mkdir()
    for path in sorted(folder.glob("[!.]*")):
        if path.is_file():
            _copy_public(path, into / path.name)


def _copy_anchors(run: Run, rounds: int, into: Path) -> None:
    into.mkdir()
    for number in range(1, rounds + 1):
        token = run.store.path(ANCHORS) / f"{number:06d}{SUFFIX}"
        if token.is_file():
            _copy(token, into / token.name)
    roots = run.tree.course.collect.timestamp_ca
    if roots and (run.tree.root / roots).is_file():
        _copy_public(run.tree.root / roots, into / ROOTS)


def _copy_public(path: Path, target: Path) -> None:
    """A key or certificate that anybody may have.

    Raises:
        ConfigurationError: it holds a private key.
    """
    if b"PRIVATE KEY" in path.read_bytes():
        raise ConfigurationError(
            f"{path}: holds a private key, which must not leave; keep the public part here"
        )
    _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)


def _readme(
    run: Run, assignment: Assignment, teams: Sequence[Team], rounds: Sequence[Round], head: str
) -> str:
    course = run.tree.course
    title = f"{course.title}, {course.term}: evidence for assignment {assignment.id}"
    return Template(_template("README.txt")).substitute(
        title=course.title,
        term=course.term,
        assignment=assignment.id,
        line="=" * len(title),
        teams=f"team {teams[0].id}" if len(teams) == 1 else plural(len(teams), "team"),
        version=grader.__version__,
        written=utc_text(run.clock()),
        rounds=plural(len(rounds), "round"),
        head=head,
    )


def _template(name: str) -> str:
    return files("grader.audit").joinpath("templates", name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_checksums(draft: Path) -> None:
    names = sorted(str(path.relative_to(draft)) for path in draft.rglob("*") if path.is_file())
    _write(draft / SUMS, "".join(f"{file_sha256(draft / name)}  {name}\n" for name in names))


def _zip(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(str(Path(folder.name, path.relative_to(folder))), _A_DATE)
                entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, written.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)
