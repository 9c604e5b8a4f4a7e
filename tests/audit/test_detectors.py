"""Every detector finds what it looks for in a built history, and nothing in an honest one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from grader.audit.base_rates import ORDINARY, STUDENTS
from grader.audit.detectors import DETECTORS, base_rate_table, detect
from grader.audit.records import Flag
from grader.collect.deadline import Deadline
from grader.collect.flags import date_flags
from grader.records import EvidenceLevel, Sighting
from tests.collect.lab import DAY, HOUR, MAIN, TORONTO, Repository, T

DEADLINE = Deadline(first_late=T, text="2024-10-01 23:59")
WINTER = T + 120 * DAY
"""End of January: Toronto is at -0500."""


@pytest.fixture(name="repository")
def empty_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "student.git")


def found(repository: Repository, commit: str, *, group: bool = False, **seen: object) -> dict[str, Flag]:
    """What the detectors say, by name; `now` is a year after the deadline."""
    zone, now = str(seen.pop("zone", TORONTO)), int(str(seen.pop("now", T + 365 * DAY)))
    history = repository.history(**seen)  # type: ignore[arg-type]
    flags = detect(
        history,
        commit=repository.commits[commit],
        ref=MAIN,
        deadline=DEADLINE,
        zone=zone,
        now=now,
        group=group,
    )
    return {flag.detector: flag for flag in flags}


def stamped(
    repository: Repository,
    name: str,
    date: int,
    parents: Sequence[str] = (),
    *,
    offset: str = "-0400",
    who: str = "s",
) -> None:
    """A commit with a zone and an author of its own."""
    tree = repository.tree({"work.py": name})
    options = [option for parent in parents for option in ("-p", repository.commits[parent])]
    stamp = f"{date} {offset}"
    repository.commits[name] = repository.git(
        *("commit-tree", tree, "-m", name, *options),
        GIT_AUTHOR_DATE=stamp,
        GIT_COMMITTER_DATE=stamp,
        GIT_AUTHOR_EMAIL=f"{who}@x",
    )


def looked(repository: Repository, commit: str, time: int) -> Sighting:
    return Sighting(
        time=time,
        ref=MAIN,
        commit=repository.commits[commit],
        level=EvidenceLevel.OWN_SNAPSHOT,
        source="round 1 of our own ledger",
    )


def honest(repository: Repository) -> None:
    """Two weeks of work by two people, pushed as they went."""
    for place in range(14):
        date = T - (14 - place) * DAY + 37 * place + 11
        stamped(
            repository, f"c{place}", date, [f"c{place - 1}"] if place else [], who=("ann", "ben")[place % 2]
        )


def test_an_honest_history_has_neither_flags_nor_context(repository: Repository) -> None:
    honest(repository)
    pushes = [repository.push(None, "c13", T - HOUR)]
    assert found(repository, "c13", group=True, pushes=pushes) == {}


def test_a_careful_forger_trips_nothing(repository: Repository) -> None:
    """Made a week after the deadline with dates of before it: the repository alone cannot show that."""
    honest(repository)
    stamped(repository, "forged", T - 6 * 60 - 17, ["c13"], who="ann")
    assert found(repository, "forged", group=True) == {}


def test_a_commit_dated_before_its_parent(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR + 1)
    repository.commit("c2", T - 5 * HOUR + 1, ["c1"])
    flag = found(repository, "c2")["dated-before-parent"]
    assert flag.text == f"commit {repository.commits['c2'][:10]} is dated before a parent, by 3 h"
    assert (flag.kind, flag.commits) == ("flag", (repository.commits["c2"],))


def test_clocks_that_differ_by_a_minute_are_no_flag(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR + 1)
    repository.commit("c2", T - 2 * HOUR - 59, ["c1"], authored=T - 2 * HOUR - 59)
    assert "dated-before-parent" not in found(repository, "c2")


def test_a_commit_written_later_than_committed(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR, authored=T - 2 * HOUR + 61)
    assert "by 1 min 1 s" in found(repository, "c1")["authored-after-committed"].text


def test_a_commit_dated_before_the_forge_signed_what_it_builds_on(repository: Repository) -> None:
    repository.commit("web", T - 3 * HOUR)
    repository.commit("c1", T - 2 * HOUR, ["web"])
    repository.commit("c2", T - HOUR, ["c1"])
    flag = found(repository, "c2", signed={"web": T + HOUR})["before-signed-ancestor"]
    assert flag.commits == (repository.commits["c1"], repository.commits["c2"])
    assert flag.text.startswith(
        "2 commits are dated before the forge signed a commit that it builds on, by up to 3 h:"
    )


def test_a_commit_dated_after_the_forge_signed_what_builds_on_it(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR)
    repository.commit("web", T - 2 * HOUR + 5, ["c1"])
    flags = found(repository, "web", signed={"web": T - 4 * HOUR})
    assert flags["after-signed-descendant"].commits == (repository.commits["c1"],)
    assert "in-the-future" not in flags
    assert not found(repository, "web", signed={"web": T - 2 * HOUR + 6}).keys() & {"after-signed-descendant"}


@pytest.mark.parametrize(
    ("date", "offset", "zone", "wrong"),
    [
        (T - DAY, "-0500", TORONTO, True),
        (T - DAY, "-0400", TORONTO, False),
        (WINTER, "-0400", TORONTO, True),
        (WINTER, "-0500", TORONTO, False),
        (T - DAY, "+0200", TORONTO, False),
        (T - DAY, "+0000", TORONTO, False),
        (WINTER, "+0200", "Europe/Berlin", True),
        (WINTER, "+0100", "Europe/Berlin", False),
        (WINTER, "+1000", "Australia/Sydney", True),
        (T - DAY, "+0530", "Asia/Kolkata", False),
        (T - DAY, "-0500", "Asia/Kolkata", False),
    ],
)
def test_an_offset_of_another_season_is_judged_and_that_of_another_place_is_not(
    repository: Repository, date: int, offset: str, zone: str, *, wrong: bool
) -> None:
    stamped(repository, "c1", date + 7, offset=offset)
    assert ("wrong-season" in found(repository, "c1", zone=zone)) is wrong


def test_the_offset_of_the_author_date_is_judged_too(repository: Repository) -> None:
    tree = repository.tree({"work.py": ""})
    dates = {"GIT_AUTHOR_DATE": f"{T - DAY} -0500", "GIT_COMMITTER_DATE": f"{T - DAY + 7} -0400"}
    repository.commits["c1"] = repository.git("commit-tree", tree, "-m", "c1", **dates)
    assert "wrong-season" in found(repository, "c1")


def test_dates_beyond_every_calendar_are_no_error(repository: Repository) -> None:
    repository.raw_commit("c1", f"committer s <s@x> {10**12 - 1} -0500")
    assert {"in-the-future"} <= found(repository, "c1").keys()


def test_a_commit_dated_after_it_was_seen_or_after_now(repository: Repository) -> None:
    repository.commit("c1", T - HOUR)
    assert "in-the-future" in found(repository, "c1", seen=[looked(repository, "c1", T - 2 * HOUR)])
    assert "in-the-future" in found(repository, "c1", now=T - 2 * HOUR)
    assert "in-the-future" not in found(repository, "c1", seen=[looked(repository, "c1", T)])


def test_a_commit_without_a_readable_date(repository: Repository) -> None:
    repository.raw_commit("c1", "committer s <s@x> yesterday -0400")
    assert "no-readable-date" in found(repository, "c1")


def test_a_commit_dated_on_time_and_seen_late_needs_a_witness(repository: Repository) -> None:
    repository.commit("c1", T - 3 * HOUR)
    repository.commit("c2", T - HOUR, ["c1"])
    seen = [looked(repository, "c1", T - 2 * HOUR), looked(repository, "c2", T + 2 * HOUR)]
    flag = found(repository, "c2", seen=seen)["on-time-seen-late"]
    assert flag.text.endswith("first seen on the branch after it, which was last seen 2 h before it")
    assert "on-time-seen-late" in found(repository, "c2", pushes=[repository.push(None, "c2", T + HOUR)])
    assert "on-time-seen-late" not in found(repository, "c2", seen=[looked(repository, "c2", T + HOUR)])
    assert "on-time-seen-late" not in found(repository, "c2", seen=[looked(repository, "c2", T - 5)])


def test_a_commit_dated_on_time_is_seen_late_whatever_a_look_right_at_the_deadline_found(
    repository: Repository,
) -> None:
    repository.commit("c1", T - 3 * HOUR)
    repository.commit("c2", T - 60, ["c1"])
    repository.commit("late", T + HOUR, ["c2"])
    before = [looked(repository, "c1", T - 5), looked(repository, "c1", T)]
    assert "on-time-seen-late" not in found(repository, "c1", seen=before)
    seen = [*before, looked(repository, "late", T + HOUR), looked(repository, "late", T + DAY)]
    assert found(repository, "c1", seen=seen)["on-time-seen-late"].commits == (repository.commits["c2"],)


def test_the_branch_was_last_seen_by_a_look_also_where_an_older_push_is_the_proof(
    repository: Repository,
) -> None:
    repository.commit("c1", T - 3 * HOUR)
    repository.commit("c2", T - 60, ["c1"])
    pushes = [repository.push(None, "c1", T - 2 * HOUR), repository.push("c1", "c2", T + 20)]
    flag = found(repository, "c1", seen=[looked(repository, "c1", T - 7)], pushes=pushes)["on-time-seen-late"]
    assert flag.text.endswith("which was last seen 7 s before it")


def test_a_forged_commit_forced_over_what_was_proven_is_seen_late(repository: Repository) -> None:
    repository.commit("c1", T - 3 * HOUR)
    repository.commit("c2", T - 2 * HOUR, ["c1"])
    repository.commit("forged", T - 300, ["c1"])
    seen = [looked(repository, "c2", T - HOUR), looked(repository, "forged", T + 2 * HOUR)]
    assert found(repository, "c2", seen=seen)["on-time-seen-late"].commits == (repository.commits["forged"],)


def test_an_author_date_long_before_the_committer_date_is_context(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR + 1, authored=T - 3 * HOUR)
    repository.commit("c2", T - HOUR + 1, ["c1"], authored=T - 3 * DAY)
    flags = found(repository, "c2")
    assert flags["author-older"].commits == (repository.commits["c1"], repository.commits["c2"])
    assert flags["author-a-day-older"].commits == (repository.commits["c2"],)
    assert {flags["author-older"].kind, flags["author-a-day-older"].kind} == {"context"}


def test_habits_of_programs_are_context(repository: Repository) -> None:
    repository.commit("c1", T - HOUR)
    repository.commit("c2", T - HOUR, ["c1"])
    flags = found(repository, "c2")
    assert set(flags) == {"same-second", "full-minute", "within-an-hour"}
    assert flags["same-second"].commits == (repository.commits["c2"],)
    assert "(of 2; chance alone makes 1 in 60)" in flags["full-minute"].text


def test_a_journey_is_a_zone_change_and_summer_time_is_not(repository: Repository) -> None:
    stamped(repository, "summer", T - DAY + 7)
    stamped(repository, "winter", WINTER + 7, ["summer"], offset="-0500")
    assert found(repository, "winter") == {}
    stamped(repository, "abroad", WINTER + DAY, ["winter"], offset="+0100")
    assert found(repository, "abroad")["zone-change"].commits == (repository.commits["abroad"],)


def test_joined_histories_have_several_roots(repository: Repository) -> None:
    repository.commit("starter", T - 9 * DAY)
    repository.commit("own", T - 5 * DAY)
    repository.commit("joined", T - DAY, ["own", "starter"])
    assert "several-roots" not in found(repository, "own")
    assert len(found(repository, "joined")["several-roots"].commits) == 2


def test_one_address_for_a_whole_group_is_context_and_for_a_single_student_nothing(
    repository: Repository,
) -> None:
    for place in range(10):
        who = "ben" if place == 0 else "ann"
        stamped(
            repository, f"c{place}", T - (20 - place) * DAY + 7, [f"c{place - 1}"] if place else [], who=who
        )
    assert "9 of the group's 10 commits" in found(repository, "c9", group=True)["one-address"].text
    assert "one-address" not in found(repository, "c9")
    assert "one-address" not in found(repository, "c8", group=True)


def test_many_commits_of_one_kind_are_counted_and_ten_are_named(repository: Repository) -> None:
    for place in range(25):
        date = T - DAY - place * HOUR + 7
        repository.commit(f"c{place}", date, [f"c{place - 1}"] if place else [], tree=repository.tree({}))
    flag = found(repository, "c24")["dated-before-parent"]
    assert flag.text.startswith("24 commits are dated before a parent, by up to 1 h: ")
    assert flag.text.endswith(" and 14 more")
    assert len(flag.commits) == 10


def test_without_a_commit_that_counts_nothing_is_found(repository: Repository) -> None:
    repository.commit("c1", T - HOUR)
    history = repository.history()
    assert detect(history, commit=None, ref=MAIN, deadline=DEADLINE, zone=TORONTO, now=T) == ()


def test_what_a_student_is_told_about_dates_is_what_the_detectors_find(repository: Repository) -> None:
    repository.commit("c1", T - 2 * HOUR + 1)
    repository.commit("c2", T - 5 * HOUR + 1, ["c1"], authored=T - HOUR)
    repository.commit("c3", T + DAY, ["c2"])
    seen = [looked(repository, "c3", T + HOUR)]
    told = date_flags(repository.history(seen=seen), repository.commits["c3"])
    assert len(told) == 3
    assert {"dated-before-parent", "authored-after-committed", "in-the-future"} <= found(
        repository, "c3", seen=seen
    ).keys()


RATES: Mapping[str, str] = {
    "dated-before-parent": "0 % / 0 % | 23 %",
    "authored-after-committed": "0 % / 0 % | 16 %",
    "before-signed-ancestor": "0 % / 0 % | 12 %",
    "after-signed-descendant": "0 % / 0 % | 7 %",
    "wrong-season": "0 % / 0 % | 45 %",
    "in-the-future": "0 % / 0 % | 0 %",
    "no-readable-date": "- | -",
    "on-time-seen-late": "- | -",
    "author-older": "1.4 % / 26 % | 66 %",
    "author-a-day-older": "0.11 % / 6 % | 58 %",
} | dict.fromkeys(
    ("same-second", "full-minute", "zone-change", "several-roots", "within-an-hour", "one-address"),
    "0.3-4.6 % / 3-50 % | -",
)


def test_the_rates_are_those_that_were_counted() -> None:
    """Typed again from the count, so that a slip of the hand in the code is found."""
    rows = {one.name: row for one, row in zip(DETECTORS, base_rate_table().splitlines()[4:], strict=True)}
    assert rows.keys() == RATES.keys()
    assert all(f"| {RATES[name]} |" in row for name, row in rows.items())
    assert (STUDENTS.repositories, STUDENTS.commits) == (78, 4_426)
    assert (ORDINARY.repositories, ORDINARY.commits) == (102, 429_460)


def test_every_flag_carries_its_rate_with_the_size_of_the_sample(repository: Repository) -> None:
    repository.commit("c1", T - HOUR, authored=T)
    rate = found(repository, "c1")["authored-after-committed"].base_rate
    assert rate.startswith(
        "0 % of 4,426 student commits, 0 % of 78 student repositories, 16 % of 102 open-source"
    )


def test_the_documentation_shows_the_table_of_the_code() -> None:
    documented = Path(__file__).parents[2].joinpath("docs/deadlines.md").read_text(encoding="utf-8")
    assert base_rate_table().strip() in documented
