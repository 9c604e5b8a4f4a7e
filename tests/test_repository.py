"""The repository itself: what is promised about its layout, its dependencies and its documents."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

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


def test_nothing_is_missing_for_a_user_whose_path_has_no_system_folders(tmp_path):
    """Debian gives ordinary users no /usr/sbin, and ldconfig is there."""
    for name in ("bwrap", "git", "grep", "sh", "id"):
        (tmp_path / name).symlink_to(shutil.which(name))
    refuses = tmp_path / "apt-get"  # so that what counts as missing is never installed from here
    refuses.write_text("#!/bin/sh\nexit 1\n")
    refuses.chmod(0o755)
    command = [shutil.which("make"), "--no-print-directory", "system", f"PYTHON={sys.executable}"]
    asked = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, asked.stdout) == (0, ""), asked.stdout + asked.stderr


def test_no_pin_asks_for_a_newer_python_than_the_one_that_is_promised():
    """Debian 12 has 3.11.2, and pip refuses a whole set of pins for one that asks for 3.11.5."""
    pins = set((ROOT / "constraints.txt").read_text().lower().splitlines())
    installed = [each for each in distributions() if f"{each.name}=={each.version}".lower() in pins]
    assert len(installed) > 50
    for each in installed:
        assert SpecifierSet(each.metadata.get("Requires-Python") or "").contains("3.11.0"), each.name


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
