"""The repository itself: what is promised about its layout, its dependencies and its documents."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

TOP_LEVEL = {
    "grader", "assignments", "reference_solutions", "rubrics", "reports", "tests", "docs", "benchmarks", "course.toml",
    "constraints.txt", "constraints-cuda.txt", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
    "pyproject.toml", ".ci", ".gitignore",
}  # fmt: skip


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listed.splitlines()


def test_the_top_level_holds_what_it_should_and_nothing_else():
    assert {name.partition("/")[0] for name in tracked()} == TOP_LEVEL


def dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [re.match(r"[A-Za-z0-9-]+", line)[0] for line in lines]


def test_every_dependency_says_why_it_is_here():
    said = (ROOT / "docs" / "dependencies.md").read_text()
    assert len(dependencies()) > 25
    for name in dependencies():
        assert re.search(rf"[| ]{re.escape(name)}[ ,|]", said), name


def test_every_dependency_is_pinned():
    pins = (ROOT / "constraints.txt").read_text().lower()
    for name in dependencies():
        assert f"\n{name.lower()}==" in pins, name
    assert "\ntorch==2.13.0\n" in pins


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    assert len(links) > 8
    for page, link in links:
        assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_module_says_in_its_first_line_what_it_is():
    for path in (ROOT / "grader").rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path


def test_no_module_is_a_bag_of_things():
    for path in (ROOT / "grader").rglob("*.py"):
        assert path.stem not in {"utils", "helpers", "misc", "common"}, path
        if path.name not in {"worker.py", "zygote.py"}:  # each goes into the sandbox as one file
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, path
