"""Audits made of records alone, to see what a page makes of them."""

from grader.audit.dossier import commands
from grader.audit.open_questions import open_questions
from grader.audit.records import Audit, CommitFacts, Dossier, Flag, Rewrite, Share, UncountedSignatures
from grader.records import Decision, Evidence, EvidenceLevel, Sighting, Snapshot
from tests.collect.lab import DAY, HOUR, MAIN, T

ZONE = "America/Toronto"


def oid(number):
    return f"{number:040x}"


def snapshot(commit=1, decision=Decision.CONFIRMED, level=EvidenceLevel.OWN_SNAPSHOT, **changed):
    """A snapshot for team t1, on time and proven."""
    evidence = Evidence(
        decision=decision,
        level=level,
        deadline=T,
        deadline_text=f"2024-10-01 23:59:59 {ZONE}",
        ref=MAIN,
        proven=oid(commit) if commit else None,
        claimed=(oid(commit),) if commit else (),
        explanation=changed.pop("explanation", "round 2 of our own ledger shows it"),
    )
    made = {"commit": oid(commit) if commit else None, "tree": oid(99)} | changed
    return Snapshot(team="t1", assignment="a1", evidence=evidence, **made)


def commit_facts(number, when, **changed):
    made = {
        "author": "Ada <ada@example.edu>",
        "subject": f"Step {number}",
        "authored": when,
        "committed": when,
    }
    seen = {"first_seen": when + HOUR, "first_seen_by": EvidenceLevel.OWN_SNAPSHOT}
    return CommitFacts(id=oid(number), **(made | seen | changed))


def sighting(number, when, level=EvidenceLevel.OWN_SNAPSHOT, ref=MAIN):
    return Sighting(time=when, ref=ref, commit=oid(number), level=level, source="round 2 of our own ledger")


def dossier(team="t1", *, graded=None, ruling=None, **changed):
    """A settled team with two commits and a look; what is open follows from the records."""
    made = {
        "assignment": "a1",
        "team": team,
        "members": (team,),
        "repo_url": "https://forge.example/t1.git",
        "timeline": (sighting(1, T - HOUR), sighting(1, T + HOUR)),
        "commits": (
            commit_facts(1, T - 2 * HOUR, roles=("ruled", "proven", "claimed")),
            commit_facts(2, T - DAY),
        ),
    }
    found = Dossier(graded=graded, ruling=ruling or snapshot(), **(made | changed))
    return found.model_copy(update={"decide": open_questions(found)})


def crowded(team="t1", text="long words for a committee "):
    """A team with more of everything than a page has room for."""
    long = text * 40
    parts = (("graded",), ("ruled",), ("proven",), ("claimed",))
    commits = [
        commit_facts(n, T - 40 * HOUR + n * HOUR, subject=long, author=long, roles=parts[n] if n < 4 else ())
        for n in range(60)
    ]
    levels = (EvidenceLevel.PUSH_RECORD, EvidenceLevel.OWN_SNAPSHOT)
    graded = snapshot(0x10, Decision.AMBIGUOUS, explanation=long)
    ruling = snapshot(None, Decision.AMBIGUOUS, explanation=long, problem=long, problem_is_ours=True)
    return dossier(
        team,
        graded=graded,
        ruling=ruling,
        members=tuple(f"member{n}" for n in range(30)),
        extension=long,
        timeline=tuple(sighting(n, T - 3 * DAY + n * HOUR, levels[n % 2]) for n in range(100)),
        seen_again=400,
        commits=tuple(reversed(commits)),
        commits_left_out=1000,
        flags=tuple(
            Flag(detector="d", kind="flag" if n % 2 else "context", text=long, base_rate=long)
            for n in range(14)
        ),
        signatures=tuple(
            UncountedSignatures(status="unknown-key", count=9, commits=(oid(n),), text=long, meaning=long)
            for n in range(6)
        ),
        rewritten=(long, long, long),
        rewrites=tuple(Rewrite(old=oid(n), new=None, matched_by="nothing", text=long) for n in range(20)),
        shares=tuple(
            Share(author=long, commits=n, co_authored=n, lines_added=10**6, lines_removed=10**6)
            for n in range(12)
        ),
        commands=commands(team, graded, ruling),
    )


def audit(*dossiers, **changed):
    made = {
        "course": "Generative models",
        "term": "2024",
        "assignment": "a1",
        "title": "Language models",
        "time_zone": ZONE,
        "deadline": T,
        "deadline_text": f"2024-10-01 23:59:59 {ZONE}",
        "written": T + 3 * DAY,
        "version": "0",
        "ledger_rounds": 3,
        "ledger_head": "ab" * 32,
        "dossiers": dossiers,
    }
    return Audit(**(made | changed))
