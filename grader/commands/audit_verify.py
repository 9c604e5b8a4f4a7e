"""`grader audit verify`, `anchor`, `export`: whether evidence holds, and what others need to see it."""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from grader.commands.opening import class_options, opened_run
from grader.commands.options import ANY_PATH, BAD_DATA, EXISTING, OK, PERSON_NEEDED, course_option, reported

state_option = click.option(
    "--state", type=ANY_PATH, help="Where results are kept; by default .grader beside course.toml."
)


def _posted_hash(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Hashes as an option gives them; refuses what is none."""
    heads = tuple(value.strip().lower() for value in values)
    for head in heads:
        if not re.fullmatch(r"[0-9a-f]{64}", head):
            raise click.BadParameter(f"expected 64 hexadecimal digits, got {head!a}")
    return heads


head_option = click.option(
    "--head",
    "heads",
    multiple=True,
    callback=_posted_hash,
    metavar="HASH",
    help="As posted; can be given again.",
)


@click.command()
@click.argument("folder", type=EXISTING, required=False)
@course_option
@state_option
@head_option
@click.option("--ca", type=EXISTING, help="Root certificate of the time stamp authority, PEM.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@reported
def verify(
    folder: Path | None,
    course: Path | None,
    state: Path | None,
    heads: tuple[str, ...],
    ca: Path | None,
    *,
    as_json: bool,
) -> None:
    """Check that no evidence was changed: the ledger, every commit that it names, and the time stamps.

    FOLDER is one that `grader audit export` wrote, or a state folder; by default the course's own. Exits with
    3 where something was changed or is gone, and names the round. Example: grader audit verify --head HASH
    """
    from grader.audit.verify import verify as check

    if folder is not None and not folder.is_dir():
        raise click.BadParameter(f"{folder} is no folder; unpack it, and name what was in it")
    records: Path | None = None
    if folder is None:
        folder, ca = _state_and_roots(course, state, ca)
        records = _push_records(course, state)
    found = check(folder, heads=heads, roots=ca, push_records=records)
    click.echo(json.dumps(found.model_dump(mode="json"), indent=2) if as_json else found.text())
    if found.is_broken:
        sys.exit(BAD_DATA)
    sys.exit(PERSON_NEEDED if found.findings else OK)


@click.command()
@course_option
@state_option
@click.option("--stamp", is_flag=True, help="Also ask the course's time stamp authority now.")
@click.option("--json", "as_json", is_flag=True, help="Print round and hash as JSON.")
@reported
def anchor(course: Path | None, state: Path | None, *, stamp: bool, as_json: bool) -> None:
    """Print the hash of the ledger's last round, to post where nobody can change it later.

    Posted in the LMS or by e-mail at a deadline, it fixes every round until then, and the push records as
    they are now: where the ledger lacks the hash of one, a round is added that has it. With --stamp, the
    authority of course.toml signs it. Example: grader audit anchor
    """
    from grader.collect.ledger import NO_ROUND, Ledger
    from grader.collect.noted import note
    from grader.course.instants import utc_text

    folder, _ = _state_and_roots(course, state, None)
    ledger = Ledger(folder / "ledger")
    if (records := _push_records(course, state)) is not None:
        note(ledger, records, now=int(time.time()))
    rounds = ledger.rounds()
    number, sha256 = (rounds[-1].number, rounds[-1].sha256) if rounds else (0, NO_ROUND)
    problem = "" if rounds else "nobody has looked yet, so there is no hash to post; `grader collect` looks"
    if stamp and rounds:
        problem = _stamp(course, folder)
    if as_json:
        click.echo(json.dumps({"round": number, "sha256": sha256, "problem": problem}))
    elif rounds:
        click.echo(f"round {number}, of {utc_text(rounds[-1].time)}: {sha256}")
    if problem:
        click.echo(problem, err=True)
    sys.exit(PERSON_NEEDED if problem else OK)


@click.command()
@click.argument("assignment")
@click.argument("destination", type=ANY_PATH)
@class_options
@click.option("--team", "only", multiple=True, metavar="TEAM", help="This team only; can be given again.")
@reported
def export(assignment: str, destination: Path, only: tuple[str, ...], **options: Any) -> None:
    """Write everything that the decisions for ASSIGNMENT rest on to DESTINATION, a folder or a .zip.

    For a committee: `sh verify.sh` in it needs only sha256sum and git. With --team it holds the commits of
    that team only; the ledger is whole and names all teams by id. Example: grader audit export a2 case.zip
    """
    from grader.audit.bundle import export as write
    from grader.course.counting import plural
    from grader.course.mistakes import resolved

    run = opened_run(**options)
    known = {team.id: team for team in run.roster.teams}
    teams = [known[resolved(name, known, noun="team")] for name in only] or list(known.values())
    done = write(run, run.tree.assignment(assignment), teams, destination)
    bundles, rounds = plural(len(done.packed), "bundle"), plural(done.rounds, "round")
    click.echo(f"{done.place}: {bundles}, {rounds}, head {done.head}")
    for packed in done.packed:
        if packed.left_out or packed.not_kept:
            large = plural(packed.left_out, "file too large to be fetched", "files too large to be fetched")
            click.echo(
                f"{packed.team}: without {large}, {plural(packed.not_kept, 'commit')} never fetched", err=True
            )
    if done.without:
        click.echo(f"nothing was ever seen of {', '.join(done.without)}", err=True)
    sys.exit(OK)


def _state_and_roots(course: Path | None, state: Path | None, ca: Path | None) -> tuple[Path, Path | None]:
    """The state folder, and the certificate that the course names; a course is not needed for the former."""
    if state is not None and course is None:
        return state, ca
    from grader.course.tree import CourseTree

    tree = CourseTree.open(course)
    named = tree.course.collect.timestamp_ca
    return state or tree.root / ".grader", ca or (tree.root / named if named else None)


def _push_records(course: Path | None, state: Path | None) -> Path | None:
    """The course's folder of push records; None where only a state folder is named."""
    if state is not None and course is None:
        return None
    from grader.collect.noted import FOLDER
    from grader.course.tree import CourseTree

    return CourseTree.open(course).root / FOLDER


def _stamp(course: Path | None, folder: Path) -> str:
    """Ask the authority; why there is no time stamp, or an empty text."""
    from grader.collect.anchoring import anchor_now, authority_of
    from grader.course.tree import CourseTree

    tree = CourseTree.open(course)
    authority = authority_of(tree.course.collect, tree.root)
    if authority is None:
        return "course.toml: collect.timestamp_authority: missing; name the address of an authority"
    return anchor_now(folder, authority).problem
