"""The command line: parse, call the pipeline, choose the exit code. Never imports torch.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 done but a person must look,
2 wrong use, 3 wrong configuration or data, 4 our own failure, 130 interrupted.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click

from grader import __version__
from grader.commands.audit import audit
from grader.commands.clusters import cluster_options, on_cluster
from grader.commands.collecting import collect
from grader.commands.data import data
from grader.commands.doctor import doctor
from grader.commands.harvest import harvest
from grader.commands.opening import class_options, opened_run
from grader.commands.options import (
    ANY_PATH,
    BAD_DATA,
    EXISTING,
    OK,
    OUR_FAILURE,
    PERSON_NEEDED,
    course_option,
    importing,
    reported,
    sandbox_option,
    scale_option,
)
from grader.commands.stability import stability

HELP = """Grade a course on generative models: sandboxed runs, trusted measurements, marks with evidence.

\b
Start here:
  grader demo        grade a small class that is built on the spot
  grader validate    check a course tree
  grader grade a3    grade assignment a3 for everybody on roster.csv
  grader check       (students) run the public checks on my folder
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """The root of all commands; `HELP` is what it says."""


main.add_command(audit)
main.add_command(collect)
main.add_command(data)
main.add_command(doctor)
main.add_command(harvest)
main.add_command(stability)


@main.command()
@click.argument("assignments", nargs=-1, required=True)
@class_options
@click.option("--only", multiple=True, metavar="TEAM", help="Grade this team only; can be given again.")
@click.option("--out", type=ANY_PATH, help="Where reports are written; by default reports/ of the course.")
@click.option("--slots", type=click.IntRange(1), help="Examinations side by side; by default one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the marksheets as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@cluster_options
@sandbox_option
@reported
def grade(assignments: tuple[str, ...], only: tuple[str, ...], **options: Any) -> None:
    """Grade ASSIGNMENTS from the teams' repositories to the reports.

    Stopped at any moment, the same command goes on where it was. While a class is graded, the same command
    with --only has that run grade these teams before everything else. Example: grader grade a3 --only t7
    """
    with importing():
        from grader.commands.grading import graded
        from grader.display import Display, marksheets_text
        from grader.report.exports import marksheets_json
        from grader.sandbox.choose import choose

    run = opened_run(**options)
    ids = [run.tree.assignment(name).id for name in assignments]
    teams = _teams(only, run)
    if options["cluster"]:
        run = replace(run, executor=on_cluster(run, ids, **options))
    else:
        # What is missing is said once and before anything runs, and not for every submission.
        choose(run.sandbox, zygotes=())
    with Display(log=run.store.path("events.jsonl"), quiet=options["quiet"]) as display:
        printed = graded(replace(run, observe=display.observe), ids, teams)
    if options["as_json"]:
        for piece in marksheets_json(printed.marksheets):
            click.echo(piece, nl=False)
        click.echo()
    else:
        click.echo(marksheets_text(printed.marksheets, printed.cases, printed.index))
    sys.exit(PERSON_NEEDED if printed.cases else OK)


@main.command()
@class_options
@click.option("--out", type=ANY_PATH, help="Where reports are written; by default reports/ of the course.")
@sandbox_option
@reported
def report(**options: Any) -> None:
    """Mark and report again from what is stored: after a change of a rubric, a band or a marks CSV."""
    from grader import pipeline
    from grader.course.counting import plural

    run = opened_run(**options)
    with run.store.locked(), run.store.in_turn():
        grades = pipeline.close_books(run)
    click.echo(str(grades.published.index))
    without = sum(row.total is None for row in grades.rows.values())
    if without:
        students = plural(len(grades.rows), "student has", "students have")
        click.echo(f"{without} of {students} no total yet; the page says why", err=True)
    sys.exit(PERSON_NEEDED if without else OK)


@main.command()
@course_option
@reported
def validate(course: Path | None) -> None:
    """Check a whole course tree; every finding names file, field and what to do."""
    from grader.course.counting import plural
    from grader.course.people import validate_people
    from grader.course.tree import CourseTree
    from grader.course.validate import validate as find
    from grader.forges.findings import validate_push_records

    tree = CourseTree.open(course)
    findings = find(tree)
    if not any(finding.severity == "error" for finding in findings):
        findings += (*validate_people(tree), *validate_push_records(tree))
    for finding in findings:
        click.echo(str(finding))
    errors = sum(finding.severity == "error" for finding in findings)
    click.echo(f"{plural(errors, 'error')}, {plural(len(findings) - errors, 'warning')}", err=True)
    sys.exit(BAD_DATA if errors else OK)


@main.command()
@click.argument("folder", type=EXISTING, default=".")
@course_option
@click.option("--task", default="", help="Only the checks of this task; by default those of all tasks.")
@click.option(
    "--ask-server", is_flag=True, help="Ask the server of the repository, with your git, what it has."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@reported
def check(folder: Path, course: Path | None, task: str, *, ask_server: bool, as_json: bool) -> None:
    """(Students) Run the public checks on FOLDER, and say which commit would count now and how sure that is.

    Runs your code without isolation, on your own machine, as pytest would. Example: grader check --task vae
    """
    from grader.self_check import self_check

    found = self_check(folder, course=course, task=task, ask_server=ask_server)
    click.echo(found.model_dump_json(indent=2) if as_json else found.text())
    sys.exit(OK if found.all_passed else PERSON_NEEDED)


@main.command()
@click.argument("assignment")
@click.argument("destination", type=ANY_PATH)
@click.option(
    "--form",
    default="modules",
    show_default=True,
    type=click.Choice(["modules", "notebook"]),
    help="One module for each task, or one notebook for all.",
)
@course_option
@reported
def starter(
    assignment: str, destination: Path, form: Literal["modules", "notebook"], course: Path | None
) -> None:
    """Write what students get for ASSIGNMENT (starter, handout, data, public checks) to DESTINATION."""
    from grader.course.tree import CourseTree
    from grader.starter import write_starter

    write_starter(CourseTree.open(course), assignment, destination, form=form)
    click.echo(f"{destination}: now fill the holes and run `grader check` there")


@main.command()
@click.argument("assignment")
@click.option("--seeds", type=click.IntRange(3), default=5, show_default=True, help="Runs of the reference.")
@click.option("--task", "tasks", multiple=True, help="Only this task; the bands of the others stay.")
@click.option("--slots", type=click.IntRange(1), default=os.cpu_count() or 1)
@course_option
@scale_option
@sandbox_option
@reported
def calibrate(
    assignment: str,
    seeds: int,
    tasks: tuple[str, ...],
    slots: int,
    course: Path | None,
    scale: str,
    sandbox: str,
) -> None:
    """Run the reference over several seeds and write its band to bands.json (bands_gpu.json at scale gpu)."""
    from grader.calibrate import calibrate as run
    from grader.course.tree import CourseTree
    from grader.display import Display
    from grader.examine.scheduler import on_this_machine

    with Display() as display:
        path = run(
            CourseTree.open(course, scale=scale),
            assignment,
            seeds=seeds,
            executor=on_this_machine(slots),
            sandbox=sandbox,
            observe=display.observe,
            tasks=tasks,
        )
    click.echo(str(path))


@main.command()
@click.argument("assignments", nargs=-1, required=True)
@click.option("--task", "tasks", multiple=True, help="Only variants of this task.")
@click.option("--kind", "kinds", multiple=True, help="Only reference, starter, broken, harmless or cheats.")
@click.option("--slots", type=click.IntRange(1), default=os.cpu_count() or 1)
@click.option("--json", "form", flag_value="json")
@click.option("--markdown", "form", flag_value="markdown", help="As it stands in the documentation.")
@course_option
@scale_option
@sandbox_option
@reported
def prove(
    assignments: tuple[str, ...],
    tasks: tuple[str, ...],
    kinds: tuple[str, ...],
    slots: int,
    form: str | None,
    course: Path | None,
    scale: str,
    sandbox: str,
) -> None:
    """Hold the marks to work of known worth: references, mistakes, quirks and cheats.

    Every reference must earn everything, every starter nothing, every broken variant must lose the criteria
    that it names and no other, every harmless one nothing, and no cheat may gain more than a starter.
    """
    from grader.course.tree import CourseTree
    from grader.display import Display
    from grader.examine.scheduler import on_this_machine
    from grader.prove.run import prove as run
    from grader.prove.table import all_hold, shown

    with Display() as display:
        tree = CourseTree.open(course, scale=scale)
        proved = run(
            tree,
            assignments,
            tasks=tasks,
            kinds=kinds,
            executor=on_this_machine(slots),
            sandbox=sandbox,
            observe=display.observe,
        )
    click.echo(shown(proved, form))
    sys.exit(OK if all_hold(proved) else PERSON_NEEDED)


@main.command()
@click.option("--out", type=ANY_PATH, default=Path("reports/demo"), show_default=True)
@click.option("--slots", type=click.IntRange(1), help="Examinations side by side; by default one per core.")
@click.option("--keep", is_flag=True, help="Go on with the class that is there instead of building it anew.")
@course_option
@reported
def demo(out: Path, slots: int | None, course: Path | None, *, keep: bool) -> None:
    """Build a small class as real Git repositories, grade it by the real pipeline, and say where to look."""
    from grader.demo.show import show
    from grader.display import Display

    with Display(log=out / "course" / ".grader" / "events.jsonl") as display:
        said = show(
            out, course=course, slots=slots or os.cpu_count() or 1, keep=keep, observe=display.observe
        )
    click.echo(said.text)
    sys.exit(OK if said.as_expected else OUR_FAILURE)


def _teams(only: tuple[str, ...], run: Any) -> tuple[str, ...]:
    from grader.course.mistakes import resolved

    known = [team.id for team in run.roster.teams]
    return tuple(resolved(name, known, noun="team") for name in only)


if __name__ == "__main__":
    main()
