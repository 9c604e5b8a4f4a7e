"""A grader and honest submissions in, what grading them took and the marks given out; one at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.records import Usage
from grader.sandbox.cgroup import find_hierarchy
from peers import nbgrader_form, otter_form, our_form
from peers.measuring import Measured, measure
from peers.submissions import NOTEBOOK, Submission, notebook_json

_PLAIN = """
import json, sys
names = {}
for cell in json.load(open(sys.argv[1]))["cells"]:
    try:
        exec(cell["source"], names)
    except Exception:
        pass
"""
_NBCLIENT = """
import sys, nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], 4), allow_errors=True, kernel_name="python3").execute()
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a class took, as a whole."""

    name: str
    submissions: int
    wall_s: float
    cpu_s: float
    peak_memory_mib: float
    load: float
    """Average of the last minute when it began: how much else ran."""
    marks: dict[str, float] | None = None
    """By student; None for a control, which gives none."""
    sessions_cpu_s: float | None = None
    """Of the sandboxed sessions, our reference's too; None where nothing tells them apart."""


def nbgrader_cost(folder: Path, python: Path, submissions: Sequence[Submission]) -> Cost:
    """One `nbgrader autograde` for everybody; preparing and exporting are not counted."""
    nbgrader_form.write_course(folder, python)
    nbgrader_form.hand_in(folder, submissions)
    environment = nbgrader_form.environment(folder, python)
    spent = _Spent("nbgrader autograde", len(submissions))
    spent.add(measure(nbgrader_form.command(python), folder=folder, environment=environment))
    measure(nbgrader_form.export_command(python), folder=folder, environment=environment)
    return spent.cost(marks=nbgrader_form.marks(folder))


def otter_cost(folder: Path, python: Path, submissions: Sequence[Submission]) -> Cost:
    """One `otter run` for each."""
    otter_form.write_course(folder, python)
    otter_form.hand_in(folder, submissions)
    environment = nbgrader_form.environment(folder, python)
    spent = _Spent("otter run", len(submissions))
    for each in submissions:
        command = otter_form.command(python, each.student)
        spent.add(measure(command, folder=folder, environment=environment))
    return spent.cost(marks=otter_form.marks(folder))


def our_cost(folder: Path, sandbox: str, submissions: Sequence[Submission]) -> Cost:
    """One `grader grade` for everybody, with one slot, from their Git repositories to the reports."""
    our_form.write_course(folder)
    our_form.write_class(folder, submissions)
    spent = _Spent(f"grader grade, {sandbox}", len(submissions))
    command = our_form.command(folder, sandbox=sandbox)
    measured = measure(command, folder=folder, environment=os.environ)
    sessions = our_form.sessions(folder, sandbox)
    spent.add(_with_groups_elsewhere(measured, sessions))
    sessions_cpu_s = sum(usage.cpu_s for usage in sessions)
    return spent.cost(marks=our_form.marks(measured.printed), sessions_cpu_s=sessions_cpu_s)


def _with_groups_elsewhere(measured: Measured, sessions: Sequence[Usage]) -> Measured:
    """Sessions run in groups below the command's; only root under version 2 makes them at the top instead."""
    if find_hierarchy().version == 1 or os.geteuid() != 0:
        return measured
    return replace(
        measured,
        cpu_s=measured.cpu_s + sum(usage.cpu_s for usage in sessions),
        peak_memory_mib=measured.peak_memory_mib + max(usage.peak_memory_mib for usage in sessions),
    )


def control_costs(folder: Path, python: Path, submissions: Sequence[Submission]) -> list[Cost]:
    """The notebooks' own code in a fresh Python, and run by nbclient: neither marks anything."""
    folder.mkdir()
    environment = nbgrader_form.environment(folder, python)
    found = []
    for name, program in (("control: plain python", _PLAIN), ("control: nbclient", _NBCLIENT)):
        spent = _Spent(name, len(submissions))
        for each in submissions:
            path = folder / f"{NOTEBOOK}.ipynb"
            path.write_text(notebook_json(each))
            spent.add(measure([python, "-c", program, path], folder=folder, environment=environment))
        found.append(spent.cost())
    return found


def disagreements(cost: Cost, submissions: Sequence[Submission]) -> list[str]:
    """Where the marks are not the fair ones, a line for each; empty when all agree."""
    given = cost.marks or {}
    return [
        f"{cost.name}: {each.student} should have {each.fair} and has {given.get(each.student, 'none')}"
        for each in submissions
        if given.get(each.student) != each.fair
    ]


@dataclass
class _Spent:
    """Adds up the commands of one class."""

    name: str
    submissions: int
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    all: list[Measured] = field(default_factory=list)

    def add(self, measured: Measured) -> None:
        self.all.append(measured)

    def cost(self, *, marks: dict[str, float] | None = None, sessions_cpu_s: float | None = None) -> Cost:
        return Cost(
            name=self.name,
            submissions=self.submissions,
            wall_s=sum(each.wall_s for each in self.all),
            cpu_s=sum(each.cpu_s for each in self.all),
            peak_memory_mib=max(each.peak_memory_mib for each in self.all),
            load=self.load,
            marks=marks,
            sessions_cpu_s=sessions_cpu_s,
        )
