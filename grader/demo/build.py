"""A course tree and the demo students in; a class on disk, as an instructor would have it, out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from grader.course.component_rubrics import COMPONENTS
from grader.course.tree import CourseTree
from grader.demo.cut import cut_course
from grader.demo.forge import Checkout, Forge
from grader.demo.marks import write_csv, write_marks
from grader.demo.roster import DemoClass, DemoStudent, History
from grader.demo.work import FIRST_FILES, task_files
from grader.errors import ConfigurationError

TASKS = (("a1_language_models", "transformer"), ("a3_variational_and_diffusion_models", "vae"))
"""The two assignments of the demo, with the one task and module of each that the class hands in."""


@dataclass(frozen=True)
class DemoOnDisk:
    """The class before the deadline of the last assignment has passed for everybody."""

    tree: CourseTree
    forge: Forge
    amending: tuple[tuple[Checkout, str], ...]
    """Those who will rewrite their history once the class has been looked at, and the file they touch."""

    def after_the_deadline(self) -> None:
        """What happens on the forge after somebody has looked: histories are amended and force-pushed."""
        for checkout, name in self.amending:
            late = _moment(self.tree, 1, hours=3)
            content = (checkout.folder / name).read_text(encoding="utf-8")
            checkout.commit("assignment 3", late, {name: content + "\n# tuned a little more\n"}, amend=True)
            checkout.push(late, force=True)
            checkout.close()
        self.forge.write_push_records(self.tree.root / "push_records")


def build(source: CourseTree, demo: DemoClass, out: Path) -> DemoOnDisk:
    """Write course tree, roster, marks and repositories below `out`.

    Raises:
        ConfigurationError: the course tree has not what the demo is about.
    """
    _refuse_another_course(source)
    tree = cut_course(source, out / "course", dict(TASKS))
    forge = Forge(out / "forge", tree.course.time_zone)
    forge.folder.mkdir(parents=True)
    checkouts = [
        _history(tree, forge, student, hours_early=2 + 3 * number)
        for number, student in enumerate(demo.students)
    ]
    _write_roster(tree.root, forge, demo)
    write_marks(tree, demo, [name for name, _ in TASKS])
    return DemoOnDisk(tree, forge, tuple(left for left in checkouts if left is not None))


def _refuse_another_course(source: CourseTree) -> None:
    """The students hand in two tasks of this course; another course has none of these."""
    for name, task in TASKS:
        if name not in source.assignment_ids():
            raise ConfigurationError(f"the demo needs the assignment {name} in the course tree {source.root}")
        if task not in [known.id for known in source.assignment(name).tasks]:
            raise ConfigurationError(f"the demo needs the task {task} in {name}")
    for name in COMPONENTS:
        if source.component_rubric(name) is None:
            raise ConfigurationError(f"the demo needs {source.name_of(source.rubric_path(name))}")


def _history(
    tree: CourseTree, forge: Forge, student: DemoStudent, *, hours_early: int
) -> tuple[Checkout, str] | None:
    """Give a student a repository; returns the checkout of one who will amend it later."""
    if student.history is History.UNREACHABLE:
        return None
    checkout = forge.create(student.handle)
    if student.history is History.EMPTY:
        checkout.close()
        return None
    recorded = student.history is not History.NO_RECORD
    start = _moment(tree, 0, hours=-200 - hours_early)
    checkout.commit("start", start, FIRST_FILES)
    checkout.push(start, recorded=recorded)
    for number in range(len(TASKS)):
        late = student.history is History.LATE_ONLY and number == len(TASKS) - 1
        when = _moment(tree, number, hours=20 if late else -hours_early)
        checkout.commit(f"assignment {2 * number + 1}", when, _files(tree, student, number))
        checkout.push(when, recorded=recorded)
    return _afterwards(tree, student, checkout)


def _afterwards(tree: CourseTree, student: DemoStudent, checkout: Checkout) -> tuple[Checkout, str] | None:
    """What a student does after the last deadline."""
    touched = max(_files(tree, student, 1))
    if student.history is History.AMENDED:
        return checkout, touched
    if student.history is History.LATE_ON_TOP:
        late = _moment(tree, 1, hours=5)
        content = (checkout.folder / touched).read_text(encoding="utf-8")
        checkout.commit("one more idea", late, {touched: content + "\n# rewritten at night\n"})
        checkout.push(late)
    checkout.close()
    return None


def _files(tree: CourseTree, student: DemoStudent, number: int) -> dict[str, str]:
    name, module = TASKS[number]
    folder = tree.assignment(name).folder
    return task_files(student, module=module, folder=folder, starter=tree.assignment_dir(name) / "starter")


def _moment(tree: CourseTree, number: int, *, hours: int) -> str:
    """Wall clock some hours after (or before) the deadline of an assignment."""
    deadline = datetime.fromisoformat(tree.assignment(TASKS[number][0]).deadline)
    return (deadline + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M")


def _write_roster(folder: Path, forge: Forge, demo: DemoClass) -> None:
    header = ["student", "name", "level", "team", "project_team", "repo_url"]
    rows = [[s.handle, s.name, s.level, s.handle, s.project, forge.url(s.handle)] for s in demo.students]
    write_csv(folder / "roster.csv", header, rows)
