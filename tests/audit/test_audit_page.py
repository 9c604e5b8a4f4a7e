"""The audit's page: what it says, in which order, and that nothing on it can run."""

import csv
import html
import re
from importlib.resources import files

import pytest

from grader.audit.exports import audits_csv
from grader.audit.moments import DAY_S
from grader.audit.page import audit_page
from grader.audit.records import Flag, Rewrite, Share
from grader.audit.words import weight_of
from grader.forges.records import OWN_SERVER
from grader.records import Decision, EvidenceLevel
from grader.report.words import evidence_said
from tests.audit.examples import audit, commit_facts, crowded, dossier, oid, sighting, snapshot
from tests.collect.lab import HOUR, T
from tests.report.poison import HOSTILE, poisoned
from tests.report.reading import Page, assert_accessible, assert_inert

LARGEST_TEAM_KIB = 60
"""Of a page, for each team, however much there is to say of it."""


def page(*dossiers, **changed):
    return audit_page(audit(*dossiers, **changed), json_name="a1.json")


def words(source):
    """What people read, on one line."""
    return " ".join(Page(source).text.split())


def of_decision(decision, level=EvidenceLevel.OWN_SNAPSHOT, commit=1, **changed):
    return dossier(decision.value, ruling=snapshot(commit, decision, level, **changed))


@pytest.mark.parametrize(
    "source", [page(), page(dossier()), page(crowded(), dossier("t2"))], ids=("empty", "one", "two")
)
def test_a_page_is_inert_and_accessible(source):
    assert_inert(source)
    assert_accessible(source)


def test_an_empty_class_is_said():
    assert "There are no teams." in words(page())
    assert "Nothing is open" in words(page())


def test_the_head_names_course_deadline_in_both_zones_ledger_and_version():
    said = words(page(dossier(), clock="our clock was 0.2 s ahead"))
    for part in (
        "Generative models",
        "Deadline audit: Language models",
        "2024-10-01 23:59:59 -04:00 America/Toronto 2024-10-02 03:59:59 UTC",
        "grader 0",
        "3 rounds",
        "ab" * 32,
        "our clock was 0.2 s ahead",
        "A person must decide 0",
        "CONFIRMED 1",
        "B: a snapshot that we took ourselves 1",
    ):
        assert part in said


def test_teams_that_need_a_person_come_first_and_the_others_stay_in_order():
    teams = (
        dossier("settled"),
        of_decision(Decision.CLAIMED_ONLY, EvidenceLevel.DATES_ONLY),
        dossier("flagged", flags=(Flag(detector="d", kind="flag", text="x", base_rate="y"),)),
        dossier("settled-too"),
        of_decision(Decision.REWRITTEN),
        of_decision(Decision.UNREACHABLE, None, None, problem_is_ours=True, problem="not reached"),
        of_decision(Decision.NO_COMMIT, None, None, problem="no submission"),
    )
    source = page(*teams)
    ids = {one["id"]: None for one in Page(source).all("h2")}
    headings = [part.split("</h2>")[0].split(">")[-1] for part in source.split('<h2 id="team-')[1:]]
    assert headings == [
        f"Team {name}"
        for name in (
            "UNREACHABLE",
            "REWRITTEN",
            "flagged",
            "NO-COMMIT",
            "CLAIMED-ONLY",
            "settled",
            "settled-too",
        )
    ]
    assert [f"team-{n}" in ids for n in range(1, 8)] == [True] * 7


@pytest.mark.parametrize("decision", Decision)
def test_every_decision_is_said_in_words_with_an_icon(decision):
    nothing = decision in {Decision.NO_COMMIT, Decision.UNREACHABLE}
    source = page(of_decision(decision, commit=None if nothing else 1))
    assert '<p class="outcome"><span class="said"><svg' in source
    assert "count" in words(source).partition("Because")[0].rpartition("Team")[2] or nothing


@pytest.mark.parametrize("level", [*EvidenceLevel, None])
def test_every_level_says_what_it_proves_and_what_it_leaves_open(level):
    said = words(page(of_decision(Decision.CONFIRMED, level)))
    proves, _, rest = said.partition("What this evidence proves")[2].partition("What it leaves open")
    assert len(proves) > 20
    assert len(rest) > 10


def test_what_was_graded_and_what_the_rule_says_today_are_told_apart_loudly():
    said = words(page(dossier(graded=snapshot(7))))
    assert "The rule says something else today." in said
    assert f"graded was commit {oid(7)[:10]}; on the evidence of today the rule takes commit" in said
    assert "not in our mirror" in said
    assert "says something else" not in words(page(dossier(graded=snapshot(1))))


def test_lateness_of_the_same_commit_is_a_difference_too():
    assert dossier(graded=snapshot(1, days_late=1)).decide
    assert not dossier(graded=snapshot(1)).decide


def test_a_team_that_could_not_be_examined_says_why_and_has_no_timeline():
    source = page(
        dossier(
            ruling=snapshot(None, Decision.UNREACHABLE),
            problem="the mirror is damaged",
            timeline=(),
            commits=(),
        )
    )
    assert "this team could not be examined: the mirror is damaged" in words(source)
    assert "<desc" not in source


def sheet_of(source, team="t1"):
    """What the section of one team says."""
    return words(source).partition(f"Team {team} ")[2]


def unreachable(**changed):
    said = "the repository could not be read since the deadline; nobody loses marks for that"
    found = snapshot(None, Decision.UNREACHABLE, None, explanation=said, problem=said, problem_is_ours=True)
    return dossier(ruling=found, commits=(), **changed)


def test_why_nothing_could_be_read_is_told_once_on_the_page_of_the_team():
    source = page(unreachable())
    assert (
        sheet_of(source).count("read since the deadline") == 2
    )  # the decision in four words, and the reason
    assert sheet_of(source).count("nobody loses marks") == 1
    assert "Because" not in sheet_of(source)
    assert "`grader collect` looks again once the repository can be read" in sheet_of(source)


def test_looks_that_had_no_answer_are_told_with_their_distance_from_the_deadline():
    assert (
        "3 looks of ours had no answer: the first 1 h before, the last 3 d after the deadline."
        in sheet_of(page(unreachable(unanswered=(T - HOUR, T, T + 3 * DAY_S))))
    )
    once = sheet_of(page(dossier(unanswered=(T + 60,))))
    assert "1 look of ours had no answer: 1 min after the deadline." in once
    assert "had no answer" not in page(dossier())


def test_a_commit_that_counts_and_is_lost_is_not_said_to_be_kept_nor_never_seen():
    lost = snapshot(7, Decision.REWRITTEN, problem="it can no longer be had", problem_is_ours=True)
    said = sheet_of(page(dossier(ruling=lost, commits=(), timeline=(sighting(7, T - HOUR),))))
    assert "Nothing is decided yet: the commit that would count can no longer be had." in said
    assert "we still have it" not in said
    assert "never by anybody independent" not in said


def test_evidence_is_counted_from_the_strongest_and_none_at_all_comes_last():
    levels = (None, EvidenceLevel.DATES_ONLY, EvidenceLevel.OWN_SNAPSHOT, EvidenceLevel.PUSH_RECORD)
    head = words(page(*(of_decision(Decision.CONFIRMED, level) for level in levels))).partition("A person")[2]
    places = [head.index(word) for word in ("A: the forge", "B: a snapshot", "C: the dates", "evidence none")]
    assert places == sorted(places)


def test_every_flag_stands_with_how_often_honest_work_shows_it():
    flag = Flag(detector="d", kind="flag", text="dated before its parent", base_rate="0 of 4,426 commits")
    said = words(page(dossier(flags=(flag,))))
    assert "dated before its parent flag; in honest work: 0 of 4,426 commits" in said
    assert "context for a person, never a verdict" in said


def test_shares_are_context_and_rewrites_are_told():
    share = Share(author="Ada <a@x>", commits=3, co_authored=1, lines_added=10, lines_removed=2, member="ada")
    lost = Rewrite(old=oid(5), new=oid(6), matched_by="tree", text="commit 5 became commit 6")
    said = words(page(dossier(shares=(share,), rewritten=("rewritten after",), rewrites=(lost,))))
    assert "Who contributed: context, never a mark" in said
    assert "Ada <a@x> ada 3 1 10 2" in said
    assert "What the branch no longer has rewritten after commit 5 became commit 6" in said


def test_dates_beyond_every_calendar_are_shown_as_seconds():
    source = page(dossier(commits=(commit_facts(1, 999_999_999_999, roles=("ruled",)),)))
    assert "999999999999 s after 1970" in words(source)


def test_what_is_cut_is_said_with_where_it_is():
    source = page(crowded())
    said = words(source)
    assert "80 more sightings: all are in the JSON." in said
    assert "1036 more commits: all are in the JSON." in said
    assert "a1.json" in said
    assert source.count('<li class="off-paper">') > 10


def test_a_timeline_is_told_in_words_and_has_its_table():
    said = words(page(dossier(timeline=(sighting(1, T - HOUR), sighting(1, T + 3 * DAY_S)))))
    assert "B: seen by us: 1 mark before the deadline, the last 1 h before it; 1 mark after it" in said
    assert "2024-10-01 23:00:00 -04:00 2024-10-02 03:00:00 UTC 1 h before main" in said


def test_what_was_seen_is_told_in_the_order_of_time_whatever_paper_has_room_for():
    hours = range(-10, 10)
    source = page(crowded().model_copy(update={"timeline": tuple(sighting(1, T + h * HOUR) for h in hours)}))
    table = source.partition("What was seen")[2].partition("</table>")[0]
    told = re.findall(r'class="keep">(2024-10-0[^<]*) UTC</td>', table)
    assert (len(told), told) == (len(hours), sorted(told))
    assert 'class="off-paper"' in table


def test_a_hostile_text_in_every_field_stays_inert():
    source = page(poisoned(crowded()), **dict.fromkeys(("course", "term", "title", "clock"), HOSTILE))
    assert_inert(source)
    assert_accessible(source)
    assert "<script" not in source
    assert "\\u202e" in html.unescape(source)
    assert "{{ 7 * 7 }}" in html.unescape(source)


def test_hostile_and_harmless_pages_differ_in_words_alone():
    hostile, harmless = (page(poisoned(crowded(), text)) for text in (HOSTILE, "harmless"))
    assert [tag for tag, _ in Page(hostile).tags] == [tag for tag, _ in Page(harmless).tags]


def test_twenty_crowded_teams_make_a_page_of_bounded_size():
    source = page(*(crowded(f"t{n}") for n in range(20)))
    assert len(source.encode()) < 20 * LARGEST_TEAM_KIB * 1024
    assert source.count("To verify, in the exported folder") == 20


def test_every_colour_of_its_style_sheet_is_one_of_the_scheme():
    style = (files("grader.report") / "templates" / "audit.css").read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", style)
    assert {"none", "none-soft", "accent", "card"} <= set(re.findall(r"var\(--([a-z-]+)\)", style))


def test_the_log_of_a_repository_on_our_own_server_is_not_called_a_record_of_a_forge():
    pushed = snapshot(level=EvidenceLevel.PUSH_RECORD)
    assert "No student" in weight_of(dossier(ruling=pushed)).proves
    ours = logged_by_our_own_server()
    assert "No student" not in weight_of(ours).proves
    assert "their own computer gave the time" in weight_of(ours).leaves_open
    said = "A, weaker: the log of our own server, no forge's record"
    assert said in evidence_said(ours.shown.evidence)
    assert words(page(ours)).count(said) == 3  # the head, the class and the team
    assert "own record of pushes" not in page(ours)
    assert "own record of pushes" in page(dossier(ruling=pushed))
    row = next(csv.DictReader(audits_csv([audit(ours)]).splitlines()))
    assert (row["evidence"], row["evidence_text"]) == ("A", said)


def logged_by_our_own_server():
    pushed = snapshot(level=EvidenceLevel.PUSH_RECORD)
    logged = sighting(1, T - HOUR, EvidenceLevel.PUSH_RECORD).model_copy(update={"source": OWN_SERVER})
    evidence = pushed.evidence.model_copy(update={"sightings": (logged,)})
    return dossier(ruling=pushed.model_copy(update={"evidence": evidence}))
