"""A number of teams in, a course with one toy assignment and a real Git repository for each team out.

The submissions need no torch and take no time, so what is measured with them is the grader itself. Each is
different, so no examination stands for another.
"""

import shutil
import subprocess
from pathlib import Path

TOY_COURSE = Path(__file__).parents[1] / "tests" / "toy_course"
ASSIGNMENT = "t1_toy"
HANDED_IN = "1749132000 +0200"
"""The day before the deadline."""

SOURCE = """# {team}
def add(a, b):
    return a + b


def mean_of(numbers):
    return sum(numbers) / len(numbers)
"""
COMMIT = """commit refs/heads/main
committer {team} <{team}@example.org> {when}
data 4
work
M 100644 inline t1/counting.py
data {size}
{source}
"""


def build_class(folder: Path, teams: int) -> Path:
    """Write a course below `folder`, with its roster and everybody's repository.

    Returns:
        The folder with course.toml.
    """
    course = folder / "course"
    shutil.copytree(TOY_COURSE, course, ignore=shutil.ignore_patterns("__pycache__"))
    template = folder / "template.git"
    _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(template))
    names = [f"team{number:05d}" for number in range(teams)]
    for name in names:
        _hand_in(template, folder / "forge" / f"{name}.git", name)
    lines = [f"{name},{name},{(folder / 'forge' / f'{name}.git').as_uri()}" for name in names]
    (course / "roster.csv").write_text("\n".join(["student,team,repo_url", *lines]) + "\n", encoding="utf-8")
    return course


def _hand_in(template: Path, repository: Path, team: str) -> None:
    shutil.copytree(template, repository)
    source = SOURCE.format(team=team)
    commit = COMMIT.format(team=team, when=HANDED_IN, size=len(source), source=source)
    _git("-C", str(repository), "fast-import", "--quiet", text=commit)


def _git(*arguments: str, text: str = "") -> None:
    subprocess.run(["git", *arguments], input=text, text=True, check=True)
