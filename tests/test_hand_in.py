import git
import pytest

from grader.course.instants import wall_clock_to_epoch
from grader.course.model import Assignment, LatePolicy, Task
from grader.hand_in import Due, LateRules, hand_in_facts

ZONE = "America/Toronto"
ASSIGNMENT = Assignment(
    id="t1_toy",
    title="Toys",
    deadline="2025-07-18 23:59",
    folder="t1",
    seed=1,
    tasks=(Task(id="toy", title="A toy", module="toy", names=("toy",)),),
)
WHO = git.Actor("s", "s@example.edu")


def due(**late):
    return Due.of(ASSIGNMENT, LateRules(time_zone=ZONE, late=LatePolicy(**late)))


def at(wall_clock):
    return wall_clock_to_epoch(f"{wall_clock}:00", ZONE) - 1


class Work:
    """A student's checkout with a forge to push to."""

    def __init__(self, folder):
        self.folder = folder / "mine" / "t1"
        self.folder.mkdir(parents=True)
        self.bare = git.Repo.init(folder / "bare.git", bare=True)
        self.repository = git.Repo.init(folder / "mine", initial_branch="main")
        self.repository.create_remote("origin", str(folder / "bare.git"))

    def commit(self, when, *, name="t1/toy.py", push=True):
        path = self.folder.parent / name
        path.write_text(f"made = '{when} {name}'\n")
        self.repository.index.add([name])
        date = f"{at(when)} +0000"
        self.repository.index.commit(when, author=WHO, committer=WHO, author_date=date, commit_date=date)
        if push:
            self.repository.remote("origin").push("main", set_upstream=True).raise_if_error()

    def facts(self, now="2025-07-18 12:00", **late):
        return hand_in_facts(self.folder, due(**late), now=at(now))


@pytest.fixture
def work(tmp_path):
    made = Work(tmp_path)
    yield made
    made.repository.close()
    made.bare.close()


def test_the_deadline_is_named_with_its_zone():
    assert due().text() == "2025-07-18 23:59:59 America/Toronto"
    assert (
        due(grace_minutes=15).text() == "2025-07-19 00:14:59 America/Toronto (15 minutes of grace are in it)"
    )


def test_work_on_time_says_so_and_when_it_was_committed_by_the_clock_of_the_course(work):
    work.commit("2025-07-18 21:40")
    *_, last = work.facts()
    commit = work.repository.head.commit.hexsha[:10]
    assert last == (
        f"commit {commit} of 2025-07-18 21:40:00 America/Toronto is what would be collected of this folder: on time"
    )


@pytest.mark.parametrize(
    ("when", "late", "said"),
    [
        ("2025-07-19 00:01", {}, "late by 1 started day, which costs 10 % of the points possible"),
        (
            "2025-07-20 12:00",
            {"base": "earned"},
            "late by 2 started days, which costs 20 % of the points earned",
        ),
    ],
)
def test_late_work_says_how_late_it_is_and_what_that_costs(work, when, late, said):
    work.commit(when)
    assert work.facts(now=when, **late)[-1].endswith(f"collected of this folder: {said}")


@pytest.mark.parametrize("late", [{}, {"enabled": False}])
def test_work_after_the_late_period_does_not_count(work, late):
    work.commit("2025-07-22 12:00")
    assert work.facts(**late)[-1] == (
        "the pushed work of this folder is late by 4 started days, so it does not count"
    )


def test_late_work_does_not_stand_in_the_place_of_work_on_time(work):
    work.commit("2025-07-18 21:40")
    work.commit("2025-07-19 09:00")
    assert work.facts()[-1].endswith(": on time; 1 newer commit to it would not count")
    assert work.facts(takes="latest")[-1].endswith(
        "late by 1 started day, which costs 10 % of the points possible"
    )


def test_a_late_commit_about_something_else_is_not_late(work):
    work.commit("2025-07-18 21:40")
    work.commit("2025-08-01 12:00", name="notes.txt")
    assert work.facts()[-1].endswith(": on time")


def test_a_push_without_this_folder_collects_nothing(work):
    work.commit("2025-07-18 21:40", name="notes.txt")
    assert work.facts()[-1] == "no pushed commit has anything in this folder, so nothing would be collected"


def test_what_is_not_pushed_says_what_pushing_it_now_would_be(work):
    work.commit("2025-07-18 20:00")
    work.commit("2025-07-18 21:00", push=False)
    before = "1 commit is not pushed and would not count; origin/main is what would"
    assert work.facts()[2] == before
    after = "What is pushed now is late by 1 started day, which costs 10 % of the points possible"
    assert work.facts(now="2025-07-19 08:00")[2] == f"{before}. {after}"
    work.commit("2025-07-18 22:00", push=False)
    assert work.facts()[2].startswith("2 commits are not pushed")


def test_what_is_not_committed_is_counted_in_words(work):
    work.commit("2025-07-18 20:00")
    assert work.facts()[1] == "everything is committed"
    (work.folder / "toy.py").write_text("changed")
    assert work.facts()[1] == "1 changed file is not committed and would not count"
    for name in ("a.py", "b.py"):
        (work.folder / name).write_text("new")
    assert work.facts()[1] == "1 changed file and 2 new files are not committed and would not count"


def test_a_copy_without_the_rules_of_the_course_says_what_git_says(work):
    work.commit("2025-07-18 20:00")
    facts = hand_in_facts(work.folder, None)
    assert facts[-1] == "everything is pushed to origin/main"
    assert "of 2025-07-19 00:00:00 +0000" in facts[0]
