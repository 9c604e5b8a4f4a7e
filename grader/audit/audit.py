"""A run and an assignment in, the audit of every team out. Reads the state folder and changes nothing in it.

No server is asked and no lock is taken, so an audit can be made while another run grades.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grader
from grader.audit.background import background
from grader.audit.dossier import dossier, without_study
from grader.audit.outside import outside
from grader.audit.records import Audit, Dossier
from grader.collect.anchoring import FOLDER as ANCHORS
from grader.collect.clock import skews
from grader.collect.collector import Collector
from grader.collect.deadline import Deadline
from grader.collect.late import first_late_of
from grader.collect.ledger import NO_ROUND, Ledger, Round
from grader.collect.mirror import Mirror
from grader.collecting import collector_of
from grader.course.counting import plural
from grader.course.instants import deadline_text, wall_clock_to_epoch
from grader.course.model import Assignment, Roster
from grader.errors import GraderError
from grader.kept import read_collected
from grader.records import Snapshot, Team
from grader.run import Run


def audit_of(run: Run, assignment: Assignment, teams: Sequence[Team], *, heads: Sequence[str] = ()) -> Audit:
    """What is known about which commit counts, team by team, in the order given.

    Args:
        run: with the state folder and the course.
        assignment: whose deadline.
        teams: to be audited.
        heads: hashes of the ledger as they were posted somewhere.

    Raises:
        ConfigurationError: course.toml or the deadline is wrong.
        StoreError: the ledger is damaged.
    """
    ledger, course = Ledger(run.store.path("ledger")), run.tree.course
    ledger.verify()
    dossiers = _dossiers(run, assignment, teams)
    rounds = ledger.rounds()  # read last, so that the hash covers all that the dossiers rest on
    first_late = wall_clock_to_epoch(assignment.deadline, course.time_zone)
    fixed, problems = outside(
        rounds,
        run.store.path(ANCHORS),
        _roots(run),
        heads,
        deadline=first_late,
        zone=course.time_zone,
    )
    return Audit(
        course=course.title,
        term=course.term,
        assignment=assignment.id,
        title=assignment.title,
        time_zone=course.time_zone,
        deadline=first_late,
        deadline_text=deadline_text(first_late, zone=course.time_zone),
        written=run.clock(),
        version=grader.__version__,
        ledger_rounds=len(rounds),
        clock=clock_text(rounds, zone=course.time_zone),
        ledger_head=rounds[-1].sha256 if rounds else NO_ROUND,
        outside=fixed,
        outside_problems=problems,
        dossiers=dossiers,
    )


def _roots(run: Run) -> Path | None:
    """The certificate of the course's authority, where it names one that is there."""
    path = run.tree.root / run.tree.course.collect.timestamp_ca
    return path if path.is_file() else None


def _dossiers(run: Run, assignment: Assignment, teams: Sequence[Team]) -> tuple[Dossier, ...]:
    """Several teams at a time, because most of the time git is waited for; the order of the teams is kept."""
    collector, addresses = collector_of(run), _addresses(run.roster)
    with ThreadPoolExecutor(max_workers=run.tree.course.collect.workers) as pool:
        return tuple(
            pool.map(
                lambda team: _dossier(run, collector, team, assignment, addresses.get(team.id, {})), teams
            )
        )


def _addresses(roster: Roster) -> dict[str, dict[str, str]]:
    """Team → e-mail address → student; once for the class, and not once for every team."""
    found: dict[str, dict[str, str]] = {}
    for one in roster.students:
        if one.email:
            found.setdefault(one.team, {})[one.email] = one.student
    return found


def _dossier(
    run: Run, collector: Collector, team: Team, assignment: Assignment, addresses: Mapping[str, str]
) -> Dossier:
    """One team; its trouble (a damaged mirror, a file that nobody foresaw) stops nobody."""
    graded = _graded(run, team, assignment)
    try:
        study = collector.study(team, assignment)
        beside = background(
            study,
            _mirror(run, team).git,
            collector.keys(),
            zone=run.tree.course.time_zone,
            now=run.clock(),
            addresses=addresses,
        )
        return dossier(study, graded, beside, now=run.clock())
    except (GraderError, ValueError, LookupError, OSError, RecursionError, MemoryError) as error:
        deadline = _deadline(run, team, assignment)
        return without_study(team, assignment, graded, deadline=deadline, problem=_problem(run, error))


def _problem(run: Run, error: Exception) -> str:
    """What went wrong, for a page that leaves this machine: files are named from the course's folder on."""
    said = str(error) if isinstance(error, GraderError) else f"{type(error).__name__}: {error}"
    return said.replace(f"{run.store.root}/", "").replace(f"{run.tree.root}/", "")


def _mirror(run: Run, team: Team) -> Mirror:
    return Mirror(run.store.path("mirrors"), team.id, timeout_s=run.tree.course.collect.timeout_s)


def _graded(run: Run, team: Team, assignment: Assignment) -> Snapshot | None:
    collected = read_collected(run.store, team, assignment)
    return collected.snapshot if collected else None


def _deadline(run: Run, team: Team, assignment: Assignment) -> Deadline:
    """The team's deadline as far as it can be told."""
    zone, first_late = run.tree.course.time_zone, first_late_of(team, assignment, run.tree.course)
    return Deadline(first_late=first_late, text=deadline_text(first_late, zone=zone))


def clock_text(rounds: Sequence[Round], *, zone: str) -> str:
    """The comparison of our clock with a server's in which the two were furthest apart; empty without any."""
    found = skews(rounds)
    if not found:
        return ""
    worst = max(found, key=lambda skew: abs(skew.ahead_s))
    return f"{worst.text(zone)}, the most in {plural(len(found), 'comparison')}"
