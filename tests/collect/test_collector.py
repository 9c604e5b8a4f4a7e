"""The collect stage from a server's repository to a Snapshot, its files and its modules."""

import json

import pytest

from grader.collect.collector import Collected
from grader.errors import ConfigurationError, StoreError
from grader.records import Decision, EvidenceLevel
from tests.collect.lab import (
    DAY,
    DEADLINE,
    HOUR,
    MAIN,
    NOTHING,
    Desk,
    Repository,
    T,
    assignment,
    course,
    extension,
    team,
)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "server.git")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, course())


def late_desk(tmp_path, **rule):
    return Desk(tmp_path, course(late={"enabled": True, "max_days": 2} | rule))


def record_pushes(desk, *pushes, who="team01"):
    desk.records.mkdir(exist_ok=True)
    items = [
        {"ref": MAIN, "before": before or NOTHING, "after": after or NOTHING, "timestamp": time}
        for before, after, time in pushes
    ]
    (desk.records / f"{who}.json").write_text(json.dumps(items))


def collected(desk, repository, what=None, **options):
    who = team(repository.url, **options)
    assert desk.observe(who) == {}
    return desk.collect(who, what)


def test_the_commit_on_time_is_taken_with_its_files_and_modules(repository, desk):
    repository.commit(
        "c1", T - HOUR, files={"a1": {"work.py": "x = 'on time'\n", "data": {"d.txt": "d"}}, "README": "r"}
    )
    repository.commit("c2", T + HOUR, ["c1"])
    repository.point("main", "c2")
    taken = collected(desk, repository)
    snapshot = taken.snapshot
    assert (snapshot.team, snapshot.assignment) == ("team01", "a1_language_models")
    assert snapshot.commit == repository.commits["c1"]
    assert snapshot.tree == repository.git("rev-parse", f"{snapshot.commit}:a1")
    assert snapshot.committer_date == T - HOUR
    assert snapshot.evidence.decision is Decision.CLAIMED_ONLY
    assert snapshot.evidence.deadline == T
    assert snapshot.evidence.deadline_text == "2024-10-01 23:59:59 America/Toronto"
    assert (snapshot.problem, snapshot.days_late) == (None, 0)
    assert desk.text(taken, "work.py") == b"x = 'on time'\n"
    assert desk.text(taken, "data/d.txt") == b"d"
    assert list(taken.prepared.modules) == ["work"]


def test_a_collected_record_can_be_saved_and_read_back(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    taken = collected(desk, repository)
    assert Collected.model_validate_json(taken.model_dump_json()) == taken


def test_the_root_of_the_repository_can_be_the_submission(repository, desk):
    repository.commit("c1", T - HOUR, files={"work.py": "x = 1\n"})
    repository.point("main", "c1")
    taken = collected(desk, repository, assignment(folder=""))
    assert desk.text(taken, "work.py") == b"x = 1\n"
    assert taken.snapshot.tree == repository.git("rev-parse", f"{taken.snapshot.commit}^{{tree}}")


def test_a_folder_name_in_other_case_is_accepted(repository, desk):
    repository.commit("c1", T - HOUR, files={"A1": {"work.py": "x = 1\n"}})
    repository.point("main", "c1")
    assert desk.text(collected(desk, repository), "work.py") == b"x = 1\n"


def test_push_records_confirm_and_reveal_a_backdated_commit(repository, desk):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("c2", T - HOUR, ["c1"])
    repository.point("main", "c2")
    c1, c2 = repository.commits["c1"], repository.commits["c2"]
    record_pushes(desk, (None, c1, T - 4 * HOUR), (c1, c2, T + HOUR))
    snapshot = collected(desk, repository).snapshot
    assert snapshot.commit == c1
    assert (snapshot.evidence.decision, snapshot.evidence.level) == (Decision.GAP, EvidenceLevel.PUSH_RECORD)


def test_what_a_forge_answers_can_be_used_as_it_is(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    desk.records.mkdir()
    answer = [
        {
            "id": 1,
            "activity_type": "push",
            "ref": MAIN,
            "before": NOTHING,
            "after": repository.commits["c1"],
            "timestamp": "2024-10-02T03:30:00Z",
            "actor": {"login": "s"},
        }
    ]
    (desk.records / "team01.json").write_text(json.dumps(answer))
    evidence = collected(desk, repository).snapshot.evidence
    assert evidence.decision is Decision.CONFIRMED
    assert [sighting.time for sighting in evidence.sightings] == [T - 1800]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not readable as JSON"),
        ("{}", "expected a list of pushes, got dict"),
        ("[3]", "item 1: expected an object"),
        ('[{"timestamp": 1, "ref": "main"}]', "item 1: ref: expected a full name"),
        ('[{"timestamp": 1, "ref": "refs/heads/main", "before": "x"}]', "item 1: before: expected 40 hexa"),
        (
            json.dumps([{"ref": MAIN, "before": NOTHING, "after": NOTHING, "timestamp": "2024-10-01 23:00"}]),
            "item 1: timestamp: expected ISO 8601 with an offset",
        ),
        (
            json.dumps([{"ref": MAIN, "before": NOTHING, "after": NOTHING, "timestamp": 1_727_841_600_000}]),
            "item 1: timestamp",
        ),
        (
            json.dumps([{"ref": MAIN, "before": NOTHING, "after": NOTHING, "timestamp": True}]),
            "item 1: timestamp",
        ),
    ],
)
def test_a_wrong_push_record_file_is_named_with_item_and_field(repository, desk, content, complaint):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    desk.records.mkdir()
    (desk.records / "team01.json").write_text(content)
    who = team(repository.url)
    assert complaint in desk.observe(who)["team01"]
    with pytest.raises(ConfigurationError, match=r"team01\.json") as raised:
        desk.collect(who)
    assert complaint in str(raised.value)


def test_work_that_was_forced_away_is_still_ours_when_we_had_seen_it(repository, desk):
    repository.commit("old", T - 3 * HOUR, files={"a1": {"work.py": "x = 'old'\n"}})
    repository.point("main", "old")
    who = team(repository.url)
    desk.observe(who, at=T - HOUR)
    repository.commit("new", T + HOUR)
    repository.point("main", "new")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "-q", "--prune=now")
    desk.observe(who, at=T + DAY)
    taken = desk.collect(who)
    assert taken.snapshot.commit == repository.commits["old"]
    assert taken.snapshot.evidence.decision is Decision.REWRITTEN
    assert taken.snapshot.evidence.sightings[0].source == "round 1 of our own ledger"
    assert desk.text(taken, "work.py") == b"x = 'old'\n"


def forced_away_before_we_looked(repository, desk):
    old = repository.commit("old", T - 3 * HOUR)
    new = repository.commit("new", T + HOUR, files={"a1": {"work.py": "x = 'new'\n"}})
    repository.point("main", "new")
    record_pushes(desk, (None, old, T - 2 * HOUR), (old, new, T + HOUR))
    return old


def test_a_recorded_commit_that_no_branch_has_is_fetched_by_its_id(repository, desk):
    old = forced_away_before_we_looked(repository, desk)
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.commit, snapshot.evidence.decision) == (old, Decision.REWRITTEN)
    assert snapshot.tree is not None


def test_a_recorded_commit_that_the_server_has_lost_is_for_a_person(repository, desk):
    old = forced_away_before_we_looked(repository, desk)
    repository.git("gc", "-q", "--prune=now")
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.commit, snapshot.tree) == (old, None)
    assert snapshot.problem_is_ours
    assert "can no longer be had" in snapshot.problem


def test_an_empty_repository_is_no_submission(repository, desk):
    snapshot = collected(desk, repository).snapshot
    assert snapshot.evidence.decision is Decision.NO_COMMIT
    assert snapshot.problem == "no submission: the repository is empty"
    assert (snapshot.commit, snapshot.problem_is_ours) == (None, False)


def test_a_commit_without_the_assignments_folder_is_no_submission_and_says_where_it_looked(repository, desk):
    commit = repository.commit("c1", T - HOUR, files={"a2": {"work.py": "x = 1\n"}})
    repository.point("main", "c1")
    snapshot = collected(desk, repository).snapshot
    assert snapshot.commit == commit
    assert snapshot.problem == (
        f"no submission: the folder `a1` holds no file in commit {commit[:10]} of `main`, the last one on time"
    )
    assert not snapshot.problem_is_ours


def test_a_folder_with_nothing_but_a_symbolic_link_holds_no_file(repository, desk):
    link = repository.blob("/etc/passwd")
    repository.commit("c1", T - HOUR, files={"a1": {"work.py": ("120000", link)}})
    repository.point("main", "c1")
    assert collected(desk, repository).snapshot.tree is None


def test_an_unreachable_repository_is_our_problem_and_nobody_elses(repository, desk, tmp_path):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    here, gone = team(repository.url), team((tmp_path / "gone.git").as_uri(), "team02")
    problems = desk.observe(gone, here)
    assert list(problems) == ["team02"]
    assert "git ls-remote: fatal" in problems["team02"]
    snapshot = desk.collect(gone).snapshot
    assert (snapshot.evidence.decision, snapshot.problem_is_ours) == (Decision.UNREACHABLE, True)
    assert snapshot.commit is None
    assert desk.collect(here).snapshot.tree is not None


def test_a_team_that_was_never_looked_at_is_unreachable(repository, desk):
    assert desk.collect(team(repository.url)).snapshot.evidence.decision is Decision.UNREACHABLE


def test_a_repository_that_vanishes_before_the_deadline_is_not_judged_by_an_old_look(repository, desk):
    repository.commit("c1", T - 3 * DAY)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who, at=T - 2 * DAY)
    repository.folder.rename(repository.folder.with_name("moved"))
    desk.observe(who, at=T + HOUR)
    assert desk.collect(who).snapshot.evidence.decision is Decision.UNREACHABLE


def test_a_repository_that_vanishes_after_we_saw_the_deadline_pass_is_judged_by_what_we_have(
    repository, desk
):
    repository.commit("c1", T - 3 * DAY)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who, at=T)
    repository.folder.rename(repository.folder.with_name("moved"))
    desk.observe(who, at=T + DAY)
    assert desk.collect(who).snapshot.commit == repository.commits["c1"]


@pytest.mark.parametrize(("asked", "counts"), [((T - 300, T - 1, T, T + 60), None), ((T - 2 * HOUR,), "c2")])
def test_work_that_appears_after_a_repository_was_shut_over_the_deadline_is_for_a_person(
    repository, desk, tmp_path, asked, counts
):
    repository.commit("c1", T - DAY)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who, at=T - 3 * HOUR)
    home = repository.folder.rename(tmp_path / "shut")
    for time in asked:
        desk.observe(who, at=time)
    home.rename(repository.folder)
    repository.commit("c2", T - HOUR, ["c1"])
    repository.point("main", "c2")
    desk.observe(who, at=T + 3 * HOUR)
    taken = desk.collect(who).snapshot
    assert repository.name_of(taken.commit) == counts
    assert taken.evidence.decision is Decision.GAP
    assert taken.problem_is_ours is (counts is None)


def test_an_extension_moves_the_deadline_of_one_team(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.commit("c2", T + HOUR, ["c1"])
    repository.point("main", "c2")
    extended = team(repository.url, extensions=(extension("2024-10-02 12:00"),))
    desk.observe(extended)
    assert desk.collect(extended).snapshot.commit == repository.commits["c2"]
    assert desk.collect(team(repository.url)).snapshot.commit == repository.commits["c1"]


def test_the_branch_of_the_course_counts_and_newer_work_elsewhere_is_flagged(repository, tmp_path):
    repository.commit("c1", T - 5 * HOUR)
    repository.commit("dev", T - 2 * HOUR, ["c1"])
    repository.point("main", "c1")
    repository.point("dev", "dev")
    snapshot = collected(Desk(tmp_path, course()), repository).snapshot
    assert snapshot.commit == repository.commits["c1"]
    assert any(flag.startswith("branch `dev` has newer work") for flag in snapshot.evidence.flags)
    other = Desk(tmp_path / "other", course(branch="dev"))
    assert collected(other, repository).snapshot.commit == repository.commits["dev"]


def test_a_missing_branch_of_the_course_is_said_with_those_there_are(repository, tmp_path):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    snapshot = collected(Desk(tmp_path, course(branch="submission")), repository).snapshot
    assert snapshot.problem == "no submission: the repository has no branch `submission`; it has `main`"


def test_the_default_branch_of_the_deadline_counts_when_it_is_changed_later(repository, desk):
    repository.commit("c1", T - 2 * HOUR)
    repository.commit("c2", T - HOUR)
    repository.point("main", "c1")
    repository.point("other", "c2")
    who = team(repository.url)
    desk.observe(who, at=T - 60)
    repository.git("symbolic-ref", "HEAD", "refs/heads/other")
    desk.observe(who, at=T + DAY)
    assert desk.collect(who).snapshot.commit == repository.commits["c1"]


@pytest.mark.parametrize("keeps_old", [True, False])
def test_a_branch_renamed_since_an_early_look_costs_nobody_marks(repository, desk, keeps_old):
    repository.commit("c1", T - 30 * DAY, files={"a0": {"old.py": "x = 0\n"}})
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who, at=T - 20 * DAY)
    repository.commit("c2", T - 3 * DAY, ["c1"])
    repository.point("trunk", "c2")
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    if not keeps_old:
        repository.point("main", None)
    desk.observe(who, at=T + HOUR)
    taken = desk.collect(who).snapshot
    assert (taken.commit, taken.problem_is_ours) == (None, True)
    assert taken.evidence.decision is Decision.AMBIGUOUS
    assert "`trunk` at the next look" in taken.evidence.explanation


def test_a_branch_renamed_since_an_early_look_needs_nobody_where_both_hold_the_same(repository, desk):
    repository.commit("c1", T - 30 * DAY)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who, at=T - 20 * DAY)
    repository.point("trunk", "c1")
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    desk.observe(who, at=T + HOUR)
    assert desk.collect(who).snapshot.commit == repository.commits["c1"]


def test_without_a_default_branch_the_only_branch_counts_and_of_several_a_person_chooses(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("master", "c1")
    assert collected(desk, repository).snapshot.commit == repository.commits["c1"]
    repository.point("work", "c1")
    who = team(repository.url, "team02")
    desk.observe(who)
    snapshot = desk.collect(who).snapshot
    assert (snapshot.evidence.decision, snapshot.problem_is_ours) == (Decision.AMBIGUOUS, True)
    assert "`master`, `work`" in snapshot.problem


def merged_lines(repository, *, alice, bob):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("alice", T - 3 * HOUR, ["c1"], files=alice)
    repository.commit("bob", T - HOUR, ["c1"], files=bob)
    repository.commit("merge", T + HOUR, ["alice", "bob"])
    repository.point("main", "merge")


def test_two_lines_of_work_that_differ_are_for_a_person(repository, desk):
    merged_lines(repository, alice={"a1": {"work.py": "x = 1"}}, bob={"a1": {"work.py": "x = 2"}})
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.commit, snapshot.evidence.decision) == (None, Decision.AMBIGUOUS)
    assert snapshot.problem_is_ours
    assert snapshot.problem == snapshot.evidence.explanation


def test_two_lines_of_work_that_agree_about_the_assignment_need_nobody(repository, desk):
    same = {"work.py": "x = 1"}
    merged_lines(repository, alice={"a1": same, "a3": {"q": "1"}}, bob={"a1": same})
    taken = collected(desk, repository)
    assert taken.snapshot.evidence.decision is Decision.AMBIGUOUS
    assert (taken.snapshot.problem, taken.snapshot.problem_is_ours) == (None, False)
    assert desk.text(taken, "work.py") == b"x = 1"


def test_the_same_mirror_gives_the_same_bytes_and_a_fresh_one_does_too(repository, tmp_path):
    repository.commit("c1", T - HOUR)
    repository.commit("c2", T + HOUR, ["c1"])
    repository.point("main", "c2")
    first, second = Desk(tmp_path / "1", course()), Desk(tmp_path / "2", course(), now=T + 90 * DAY)
    taken = collected(first, repository)
    first.observe(team(repository.url), at=T + 60 * DAY)
    again = first.collect(team(repository.url))
    assert taken.model_dump_json() == again.model_dump_json()
    assert taken.model_dump_json() == collected(second, repository).model_dump_json()


def handed_in(repository, *dates, folder="a1"):
    """A first commit without the assignment, on time, and one with new work for each date."""
    repository.commit("start", T - DAY, files={"README": "r"})
    last = "start"
    for number, date in enumerate(dates):
        repository.commit(
            f"w{number}", date, [last], files={folder: {"work.py": f"x = {number}"}, "README": "r"}
        )
        last = f"w{number}"
    repository.point("main", last)


@pytest.mark.parametrize(
    ("after", "days"), [(0, 1), (1, 1), (DAY - 1, 1), (DAY, 2), (2 * DAY - 1, 2), (2 * DAY, None)]
)
def test_late_work_counts_with_its_started_days(repository, tmp_path, after, days):
    handed_in(repository, T + after)
    snapshot = collected(late_desk(tmp_path), repository).snapshot
    if days is None:
        assert snapshot.tree is None
        assert snapshot.problem.startswith("no submission")
    else:
        assert (snapshot.commit, snapshot.days_late) == (repository.commits["w0"], days)
        assert snapshot.evidence.deadline == T
        assert snapshot.evidence.explanation.startswith(f"handed in late by {days} started day")


def test_without_a_late_rule_late_work_is_no_submission(repository, desk):
    handed_in(repository, T + HOUR)
    assert collected(desk, repository).snapshot.tree is None


def test_late_days_are_counted_by_the_wall_clock_when_the_clocks_change(repository, tmp_path):
    what = assignment(deadline="2024-11-02 23:59")
    first_late = 1_730_606_400
    handed_in(repository, first_late + 24 * HOUR + 1800)
    desk = late_desk(tmp_path)
    desk.clock.now = first_late + 30 * DAY
    snapshot = collected(desk, repository, what).snapshot
    assert (snapshot.evidence.deadline, snapshot.days_late) == (first_late, 1)


@pytest.mark.parametrize(("after_s", "days"), [(599, 0), (600, 1), (DAY + 599, 1), (DAY + 600, 2)])
def test_grace_minutes_cost_nothing(repository, tmp_path, after_s, days):
    handed_in(repository, T + after_s)
    snapshot = collected(late_desk(tmp_path, grace_minutes=10), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["w0"], days)
    assert snapshot.evidence.deadline_text == (
        "2024-10-02 00:09:59 America/Toronto (with 10 minutes of grace)"
    )


def test_work_on_time_is_not_replaced_by_late_work(repository, tmp_path):
    handed_in(repository, T - HOUR, T + HOUR)
    snapshot = collected(late_desk(tmp_path), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["w0"], 0)


def test_the_latest_work_replaces_it_where_the_course_says_so(repository, tmp_path):
    handed_in(repository, T - HOUR, T + HOUR, T + 30 * HOUR, T + 3 * DAY)
    snapshot = collected(late_desk(tmp_path, takes="latest"), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["w2"], 2)
    assert "the course takes the latest work" in snapshot.evidence.explanation


def test_late_commits_about_another_assignment_do_not_make_this_one_late(repository, tmp_path):
    work = {"work.py": "x = 1"}
    repository.commit("c1", T - HOUR, files={"a1": work})
    repository.commit("c2", T + HOUR, ["c1"], files={"a1": work, "a3": {"w.py": "y"}})
    repository.point("main", "c2")
    snapshot = collected(late_desk(tmp_path, takes="latest"), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["c1"], 0)


def test_late_days_end_where_the_assignments_own_folder_was_finished(repository, tmp_path):
    work = {"work.py": "x = 1"}
    repository.commit("start", T - DAY, files={"README": "r"})
    repository.commit("c1", T + HOUR, ["start"], files={"a1": work})
    repository.commit("c2", T + 30 * HOUR, ["c1"], files={"a1": work, "a3": {"w.py": "y"}})
    repository.point("main", "c2")
    snapshot = collected(late_desk(tmp_path), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["c1"], 1)


def test_a_push_record_decides_how_late_backdated_work_is(repository, tmp_path):
    desk = late_desk(tmp_path)
    handed_in(repository, T - HOUR)
    start, work = repository.commits["start"], repository.commits["w0"]
    record_pushes(desk, (None, start, T - DAY), (start, work, T + 25 * HOUR))
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (work, 2)


def test_a_late_commit_dated_on_time_is_at_least_one_day_late(repository, tmp_path):
    desk = late_desk(tmp_path)
    handed_in(repository, T - HOUR)
    repository.point("main", "start")
    who = team(repository.url)
    desk.observe(who, at=T - 5)
    repository.point("main", "w0")
    desk.observe(who, at=T + 40 * HOUR)
    snapshot = desk.collect(who).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["w0"], 1)


def test_a_clock_set_back_makes_late_work_no_less_late(repository, tmp_path):
    handed_in(repository, T + 30 * HOUR, T + HOUR)
    snapshot = collected(late_desk(tmp_path), repository).snapshot
    assert (snapshot.commit, snapshot.days_late) == (repository.commits["w1"], 2)


def test_a_clock_set_ahead_makes_late_work_no_later_than_we_saw_it(repository, tmp_path):
    desk = late_desk(tmp_path)
    desk.clock.now = T + 2 * HOUR
    handed_in(repository, T + 40 * HOUR)
    assert collected(desk, repository).snapshot.days_late == 1


def test_odd_dates_are_flagged_and_ordinary_ones_are_not(repository, desk):
    repository.commit("c1", T - 2 * HOUR)
    repository.commit("c2", T - 3 * HOUR, ["c1"])
    repository.commit("c3", T - HOUR, ["c2"], authored=T - 10)
    repository.point("main", "c3")
    flags = collected(desk, repository).snapshot.evidence.flags
    c1, c2, c3 = (repository.commits[name][:10] for name in ("c1", "c2", "c3"))
    assert flags == (
        f"commit {c2} is dated before its parent {c1}",
        f"commit {c3} was written later than committed, by its own dates",
    )


def test_an_ordinary_history_has_no_flags(repository, desk):
    repository.commit("c1", T - 2 * HOUR)
    repository.commit("c2", T - HOUR, ["c1"], authored=T - 2 * HOUR)
    repository.point("main", "c2")
    assert collected(desk, repository).snapshot.evidence.flags == ()


def test_a_damaged_ledger_stops_everything(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who)
    page = desk.state / "ledger" / "000001.txt"
    page.chmod(0o644)
    page.write_text(page.read_text().replace("team01 refs/heads/main", "team01 refs/heads/mean ?"))
    with pytest.raises(StoreError, match=r"000001\.txt"):
        desk.observe(who)
    with pytest.raises(StoreError, match=r"000001\.txt"):
        desk.collect(who)


def test_notes_about_skipped_files_reach_the_student(repository, desk):
    link = repository.blob("/etc/passwd")
    repository.commit("c1", T - HOUR, files={"a1": {"work.py": "x = 1\n", "link": ("120000", link)}})
    repository.point("main", "c1")
    assert (
        collected(desk, repository).prepared.notes[0] == "link was left out: symbolic links are not followed"
    )


def test_many_teams_are_looked_at_side_by_side(tmp_path, desk):
    repositories = [Repository(tmp_path / f"server{number}.git") for number in range(5)]
    teams = []
    for number, repository in enumerate(repositories):
        repository.commit("c1", T - HOUR, files={"a1": {"work.py": f"x = {number}"}})
        repository.point("main", "c1")
        teams.append(team(repository.url, f"team{number:02d}"))
    assert desk.observe(*teams) == {}
    for number, who in enumerate(teams):
        assert desk.text(desk.collect(who), "work.py") == f"x = {number}".encode()


def test_a_study_tells_everything_known_and_writes_nothing(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    who = team(repository.url)
    desk.observe(who)
    before = sorted(desk.state.rglob("*"))
    study = desk.collector.study(who, assignment())
    assert sorted(desk.state.rglob("*")) == before
    assert study.snapshot == desk.collect(who).snapshot
    assert (study.ref, study.deadline.first_late) == (MAIN, T)
    assert [sighting.commit for sighting in study.sightings] == [repository.commits["c1"]]
    assert list(study.history.commits) == [repository.commits["c1"]]
    assert study.choice.commit == study.snapshot.commit


def test_a_study_of_a_repository_that_was_never_read_has_no_history(repository, desk):
    study = desk.collector.study(team(repository.url), assignment())
    assert (study.ref, study.history, study.choice, study.looks) == (None, None, None, ())
    assert study.snapshot.evidence.decision is Decision.UNREACHABLE


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("newer", ["branch `new` has newer work"]),
        ("any", ["branch `new` has work", "branch `old` has work"]),
        ("none", []),
    ],
)
def test_the_course_says_which_other_branches_are_pointed_out_and_none_of_them_counts(
    repository, tmp_path, shown, expected
):
    repository.commit("c1", T - 50 * HOUR)
    repository.commit("old", T - 9 * HOUR, ["c1"])
    repository.commit("c2", T - 5 * HOUR, ["c1"])
    repository.commit("new", T - HOUR, ["c1"])
    for branch, name in [("main", "c2"), ("merged", "c1"), ("old", "old"), ("new", "new")]:
        repository.point(branch, name)
    snapshot = collected(Desk(tmp_path, course(other_branches=shown)), repository).snapshot
    assert snapshot.commit == repository.commits["c2"]
    assert [flag.partition(" (")[0] for flag in snapshot.evidence.flags] == expected


def test_of_several_extensions_the_latest_counts(repository, desk):
    given = [extension(f"2024-10-0{day} 12:00") for day in (3, 5, 4)]
    who = team(repository.url, extensions=tuple(given))
    assert desk.collector.study(who, assignment()).deadline.text == "2024-10-05 12:00:59 America/Toronto"


def test_assignments_in_folders_of_one_repository_each_have_their_own_deadline(repository, desk):
    one, two, three = ({"work.py": f"x = {number}"} for number in (1, 2, 3))
    repository.commit("first", T - HOUR, files={"a1": one})
    repository.commit("second", T + 6 * DAY, ["first"], files={"a1": two, "a2": two})
    repository.commit("third", T + 13 * DAY, ["second"], files={"a1": three, "a2": three, "a3": three})
    repository.point("main", "third")
    who = team(repository.url)
    desk.observe(who)
    dates = {"a1": DEADLINE, "a2": "2024-10-08 23:59", "a3": "2024-10-15 23:59"}
    taken = {folder: desk.collect(who, assignment(folder, date)) for folder, date in dates.items()}
    assert [repository.name_of(one.snapshot.commit) for one in taken.values()] == ["first", "second", "third"]
    assert [desk.text(one, "work.py") for one in taken.values()] == [b"x = 1", b"x = 2", b"x = 3"]


def test_what_is_for_a_person_elsewhere_is_settled_for_a_folder_that_all_agree_about(repository, tmp_path):
    desk = Desk(tmp_path, course(decisions={"gap": "person"}))
    work = {"work.py": "x = 1"}
    repository.commit("c1", T - 5 * HOUR, files={"a1": work, "a2": work})
    repository.commit("c2", T - HOUR, ["c1"], files={"a1": work, "a2": {"work.py": "x = 2"}})
    repository.point("main", "c2")
    c1, c2 = repository.commits["c1"], repository.commits["c2"]
    record_pushes(desk, (None, c1, T - 4 * HOUR), (c1, c2, T + HOUR))
    settled = collected(desk, repository).snapshot
    assert (settled.commit, settled.evidence.decision, settled.problem_is_ours) == (c1, Decision.GAP, False)
    assert settled.evidence.explanation.endswith("but the folder `a1` is the same in all of them")
    open_ = desk.collect(team(repository.url), assignment("a2")).snapshot
    assert (open_.commit, open_.evidence.decision, open_.problem_is_ours) == (None, Decision.GAP, True)
    assert open_.problem == open_.evidence.explanation


def test_dates_alone_are_for_a_person_where_the_course_says_so(repository, tmp_path):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    desk = Desk(tmp_path, course(decisions={"claimed_only": "person"}))
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.commit, snapshot.tree, snapshot.problem_is_ours) == (None, None, True)
    assert snapshot.evidence.claimed == (repository.commits["c1"],)


def test_a_record_that_only_shows_the_removal_of_the_branch_costs_no_marks(repository, desk):
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    record_pushes(
        desk, (repository.commits["c1"], None, T - HOUR), (None, repository.commits["c1"], T + HOUR)
    )
    snapshot = collected(desk, repository).snapshot
    assert (snapshot.evidence.decision, snapshot.problem_is_ours) == (Decision.AMBIGUOUS, True)
