"""Nodes that would measure something else, or unguarded, get no work: real workers that differ from us."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import grader
from grader.cluster.executor import ClusterExecutor
from grader.cluster.fitness import Demands, demands_of, shortcomings
from grader.cluster.start import connection
from grader.cluster.target import target_of
from grader.cluster.watch import Watch
from grader.course.cluster_settings import ClusterSettings
from grader.course.tree import CourseTree
from grader.errors import ClusterError
from grader.pipeline import material_of
from tests.cluster.daemons import Site, site_in, wait_until

pytestmark = pytest.mark.sandbox

PACKAGE = Path(grader.__file__).parent


def elsewhere(course: Path) -> tuple[str, ...]:
    """Where no namespaces can be made, as in a container, and the course is not there."""
    return (
        "bwrap",
        "--unshare-user",
        "--disable-userns",
        "--dev-bind",
        "/",
        "/",
        "--tmpfs",
        str(course),
        "--",
    )


def other_grader(folder: Path, file: str, old: str, new: str) -> str:
    """A copy of the package that differs in one place; returns what PYTHONPATH is to be."""
    copy = shutil.copytree(PACKAGE, folder / "grader", ignore=shutil.ignore_patterns("__pycache__", "demo"))
    path = copy / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return str(folder)


@dataclass
class Mixed:
    """A site with workers of all kinds, and what they said of themselves."""

    site: Site
    demands: Demands
    refused: list[str]
    joined: list[str]

    def about(self, name):
        """What was refused about one worker."""
        address = next(a for a, worker in self.workers.items() if worker["name"] == name)
        return [line for text in self.refused for line in text.splitlines() if address in line]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    course = shutil.copytree(Path(__file__).parents[1] / "toy_course", folder / "course")
    tree = CourseTree.open(course)
    demands = demands_of([material_of(tree, tree.assignment("t1"))], sandbox="auto")
    with site_in(folder) as site:
        site.worker("elsewhere", before=elsewhere(course))
        site.worker(
            "older", PYTHONPATH=other_grader(folder / "1", "__init__.py", grader.__version__, "0.1.0")
        )
        site.worker(
            "changed", PYTHONPATH=other_grader(folder / "2", "examine/exam.py", "import", " import"[1:] + " ")
        )
        site.worker(
            "empty",
            PYTHONPATH=other_grader(folder / "3", "cluster/node.py", "async def look", "async def see"),
        )
        site.worker("fit")
        with connection(target_of(site.address, insecure=True), ClusterSettings(), home=folder)() as client:
            wait_until(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == 5)
            change = Watch(client, demands).look()
            found = Mixed(site, demands, list(change.refused), [node.address for node in change.joined])
            found.workers = client.scheduler_info(n_workers=-1)["workers"]
        yield found


def test_a_node_that_is_as_it_should_be_joins(mixed):
    assert [mixed.workers[address]["name"] for address in mixed.joined] == ["fit"]
    assert mixed.about("fit") == []


def test_a_node_that_does_not_isolate_gets_no_work(mixed):
    (line,) = [line for line in mixed.about("elsewhere") if "isolated" in line]
    assert "gets no work: submissions cannot be isolated there: " in line


def test_a_node_without_the_course_gets_no_work(mixed):
    missing = [line for line in mixed.about("elsewhere") if "is not there" in line]
    assert len(missing) == 2, "the checks, and our own solution"
    assert missing[0].endswith("is not there; every node needs the course at the same path")


def test_a_node_with_another_version_gets_no_work(mixed):
    (line,) = mixed.about("older")
    assert line.endswith(f"it has grader 0.1.0 and the coordinator {grader.__version__}; install the same")


def test_a_node_that_measures_with_changed_code_gets_no_work(mixed):
    (line,) = mixed.about("changed")
    assert (
        f"and the coordinator with {mixed.demands.engine}; install the same and restart the workers" in line
    )


def test_a_node_that_does_not_know_what_is_asked_gets_no_work(mixed):
    (line,) = mixed.about("empty")
    assert "gets no work: it cannot load this grader" in line
    assert "AttributeError" in line


def test_a_run_does_not_begin_while_a_node_is_unfit(mixed, tmp_path):
    connect = connection(target_of(mixed.site.address, insecure=True), ClusterSettings(), home=tmp_path)
    executor = ClusterExecutor(connect, mixed.demands, patience_s=30, say=pytest.fail)
    with pytest.raises(ClusterError, match="gets no work"), executor:
        pytest.fail("it began")


def test_a_changed_file_of_the_course_and_another_package_are_named(toy_material, tmp_path):
    demands = demands_of([toy_material], sandbox="fake")
    assert shortcomings(demands) == ()
    other = demands.model_copy(update={"environment": demands.environment.replace("pytest=", "pytest=0")})
    (Path(toy_material.folder) / "checks" / "hidden" / "test_mean.py").write_text("")
    package, course = shortcomings(other)
    assert package.startswith("it has pytest ")
    assert course == f"{toy_material.folder} holds other files than on the coordinator; copy the course again"
