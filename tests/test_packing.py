"""The benchmark of packing: what it hands in, what it samples, and how two phases are compared."""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grader.course.tree import CourseTree
from grader.examine.event_log import Line
from grader.examine.events import About, Finished, Started
from grader.records import Usage
from tests.driver import build_driver

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import one of the scripts, which import each other by name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def tables(script):
    return script("packing_table")


# The class


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        made = importlib.import_module("packing_class")
        size = made.Size(teams=6, steps=70, device="cuda", budget_mib=3000)
        return made.build_class(tmp_path_factory.mktemp("class"), size)


def test_the_class_is_a_course_at_the_scale_of_a_gpu_with_as_much_training_as_was_asked_for(course, script):
    assignment = CourseTree.open(course).assignment(script("packing_class").ASSIGNMENT)
    assert (assignment.device, assignment.images, assignment.folder) == ("cuda", "generated", "")
    assert [(task.id, task.budget["steps"]) for task in assignment.tasks] == [("vae", 70), ("ddpm", 70)]
    assert assignment.tasks[0].config["data_dim"] == 28 * 28
    assert (assignment.limits.gpu_memory_mib, assignment.limits.gpu_exclusive) == (3000, False)


def test_the_rubric_asks_for_both_tasks_and_for_nothing_by_hand(course, script):
    rubric = CourseTree.open(course).rubric(script("packing_class").ASSIGNMENT)
    assert {criterion.task for criterion in rubric.criteria} == {"vae", "ddpm"}
    figures = [criterion for criterion in rubric.criteria if criterion.kind == "metric"]
    assert len(figures) == 5
    assert all(criterion.step == criterion.points / 2 for criterion in figures)


def test_half_hand_in_one_task_and_half_the_other_and_no_two_are_the_same(course):
    handed_in = {}
    for repository in sorted((course.parent / "forge").glob("*[0-9].git")):
        listed = git(repository, "ls-tree", "--name-only", "main").split()
        handed_in[repository.stem] = (listed, git(repository, "show", f"main:{listed[0]}"))
    assert [files for files, _ in handed_in.values()] == [["ddpm.py"]] * 3 + [["vae.py"]] * 3
    assert sorted(handed_in) == ["ddpm01", "ddpm03", "ddpm05", "vae00", "vae02", "vae04"]
    assert len({text for _, text in handed_in.values()}) == 6
    for _, text in handed_in.values():
        compile(text, "handed in", "exec")


def git(repository, *arguments):
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_one_at_a_time_changes_nothing_but_that(course, script, tmp_path):
    made = script("packing_class")
    before = CourseTree.open(course).assignment(made.ASSIGNMENT)
    path = course / made.SETTINGS
    kept = path.read_bytes()
    try:
        made.one_at_a_time(course)
        after = CourseTree.open(course).assignment(made.ASSIGNMENT)
    finally:
        path.write_bytes(kept)
    limits = before.limits.model_copy(update={"gpu_exclusive": True})
    assert after == before.model_copy(update={"limits": limits})


def test_a_solution_that_is_written_otherwise_now_is_said_and_not_handed_in_unchanged(script):
    with pytest.raises(ValueError, match=r"vae\.py: expected '4e-3' in it"):
        script("packing_class").variant("vae", "lr = 0.004", 0, teams=2)


# What is sampled


def test_the_side_process_writes_what_the_driver_says_and_ends_with_its_parent(tmp_path):
    """Through the real binding, over a library that answers as the driver's does."""
    out = tmp_path / "samples.jsonl"
    command = [sys.executable, str(FOLDER / "gpu_watch.py"), "--out", str(out), "--every-s", "0.05"]
    parent = f"import subprocess, sys, time; p = subprocess.Popen({command!r}); print(p.pid, flush=True); time.sleep(60)"
    environment = os.environ | build_driver(tmp_path)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, env=environment) as started:
        watch = int(started.stdout.readline())
        wait_until(lambda: out.exists() and out.read_text().count("\n") >= 2)
        started.kill()
    wait_until(lambda: not Path(f"/proc/{watch}").exists() or "Z" in Path(f"/proc/{watch}/stat").read_text())
    first, second = [json.loads(line) for line in out.read_text().splitlines()[:2]]
    assert (first["gpu"], first["busy"], first["memory_mib"]) == (0, 0.37, 1000)
    assert (second["gpu"], second["busy"]) == (1, None)


def wait_until(is_so, within_s=30):
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_binding_the_program_is_asked_and_what_is_no_number_is_not_told(script):
    watch = script("gpu_watch")
    assert watch.listed("0, 37, 1000\n1, [N/A], 12\nNo devices were found\n") == [
        watch.Look(0, 0.37, 1000),
        watch.Look(1, None, 12),
    ]


# What is read back


def test_an_examination_counts_from_the_start_of_its_last_attempt(script):
    about = About(assignment="a3", team="vae00", key="k")
    usage = Usage(cpu_s=3, examiner_cpu_s=2)
    events = [
        Started(about=about, slot=0, gpu=0, pid=1, machine="m", attempt=1),
        Started(about=about, slot=0, gpu=0, pid=2, machine="m", attempt=2),
        Finished(about=about, wall_s=7, attempts=2, usage=usage),
    ]
    log = [(Line(run="r", sequence=n, time=10.0 * n), event) for n, event in enumerate(events, 1)]
    (found,) = script("packing_phase").examined(log)
    assert (found.started_s, found.ended_s, found.wall_s, found.cpu_s, found.attempts) == (20, 30, 7, 5, 2)


def test_a_slot_that_is_at_its_next_examination_has_ended_the_one_before(script):
    def started(key):
        return Started(
            about=About(assignment="a3", team=key, key=key), slot=0, gpu=0, pid=1, machine="m", attempt=1
        )

    def finished(key):
        about = About(assignment="a3", team=key, key=key)
        return Finished(about=about, wall_s=9, attempts=1, usage=Usage())

    events = [started("a"), started("b"), finished("a"), finished("b")]
    log = [(Line(run="r", sequence=n, time=10.0 * n), event) for n, event in enumerate(events, 1)]
    found = script("packing_phase").examined(log)
    assert [(e.team, e.started_s, e.ended_s) for e in found] == [("a", 10, 20), ("b", 20, 40)]


@pytest.fixture
def graded(script, tmp_path):
    """The folder of a phase, after a real command over a class that needs no GPU."""
    toy = script("toy_class")
    course = toy.build_class(tmp_path, 2)
    command = [sys.executable, "-m", "grader", "grade", toy.ASSIGNMENT, "--course", str(course), "--json"]
    command += ["--state", str(tmp_path / "state"), "--out", str(tmp_path / "reports"), "--slots", "1"]
    done = subprocess.run([*command, "--sandbox", "fake", "--quiet"], stdout=subprocess.PIPE, check=False)
    assert done.returncode in {0, 1}
    (tmp_path / "marksheets.json").write_bytes(done.stdout)
    looks = ['{"time": 1.5, "gpu": 0, "busy": 0.5, "memory_mib": 9}', '{"time": 2.5, "gp']
    (tmp_path / "samples.jsonl").write_text("\n".join(looks), encoding="utf-8")
    return tmp_path


def test_what_a_real_command_leaves_behind_is_read_back(script, graded):
    phase = script("packing_phase").read_phase(graded, "alone", wall_s=9, slots=1)
    assert sorted(e.team for e in phase.examined) == ["reference", "team00000", "team00001"]
    assert (phase.most_at_once, phase.runs, phase.failed) == (1, 1, 0)
    assert phase.sandboxes == ("fake (same process)",)
    assert phase.samples == (script("packing_table").Busy(1.5, 0, 0.5, 9),)
    sheet = phase.sheets["team00001"]
    assert sheet == phase.sheets["team00000"]
    assert set(sheet.points.values()) > {"open"}
    assert all(figure.value is not None for figure in sheet.figures.values())


# What is compared


@pytest.fixture
def alone(tables):
    """Four examinations of 10 s, one after another, on a GPU that is a quarter busy; and a look after the end."""
    teams = ("reference", "vae00", "ddpm01", "vae02")
    done = tuple(
        tables.Examined(team, 100 + 10 * n, 110 + 10 * n, wall_s=10.0, cpu_s=4.0, attempts=1)
        for n, team in enumerate(teams)
    )
    looks = [tables.Busy(100.0 + n, 0, 0.25, 900.0 + n) for n in range(40)]
    sheet = tables.Sheet({"kl": "2"}, {"vae_elbo": tables.Figure(-80.0, 0.5)})
    return tables.Phase(
        name="alone",
        wall_s=60,
        slots=1,
        examined=done,
        samples=(*looks, tables.Busy(500, 0, 1.0, 99_999)),
        sheets={"vae00": sheet, "ddpm01": tables.Sheet({"kl": "open"}, {})},
        sandboxes=("warm (tier A)",),
    )


@pytest.fixture
def packed(alone):
    """The same at once, in 8 s."""
    examined = tuple(replace(e, started_s=100.0, ended_s=108.0, wall_s=8.0) for e in alone.examined)
    return replace(alone, name="packed", wall_s=20, slots=4, examined=examined)


@pytest.fixture
def setting(tables, alone, packed):
    return tables.Setting(
        machine=["on a machine"],
        gpus="NVIDIA H200",
        is_gpu=True,
        teams=3,
        steps=100,
        budget_mib=4000,
        bands="",
        phases=(alone, packed),
    )


def test_throughput_is_from_the_first_start_to_the_last_end(alone, packed):
    assert (alone.per_hour, packed.per_hour) == (360, 1800)
    assert (alone.most_at_once, packed.most_at_once) == (1, 4)


def test_the_time_between_a_kill_and_the_command_that_goes_on_is_not_counted(alone):
    later = tuple(
        replace(e, started_s=e.started_s + 1000, ended_s=e.ended_s + 1000, run="second")
        for e in alone.examined
    )
    stopped = replace(alone, examined=(*alone.examined, *later))
    assert stopped.windows == [(100, 140), (1100, 1140)]
    assert (stopped.per_hour, len(stopped.within())) == (alone.per_hour, len(alone.within()))


def test_the_aim_is_judged_by_the_throughput(tables, setting, packed):
    assert "**5.00 times the throughput**; the aim of 4 times is reached." in tables.report(setting)
    slower = tuple(replace(e, ended_s=113.0) for e in packed.examined)
    page = tables.report(replace(setting, phases=(setting.phases[0], replace(packed, examined=slower))))
    assert "**3.08 times the throughput**; the aim of 4 times is not reached." in page


def test_a_ratio_of_a_phase_that_was_stopped_says_so(tables, setting):
    alone, packed = setting.phases
    page = tables.report(replace(setting, phases=(alone, replace(packed, runs=2))))
    assert "is reached. Stopped in between, which loses what is under way: packed." in page


def test_only_what_was_sampled_while_anything_ran_counts(tables, alone):
    row = tables.speed_table([alone])[-1]
    assert row == "| alone | 1 | 4 | 1 | 60 | 360 | 25% | 939 | 4.0 | 0 | 0 | warm (tier A) | 1 |"


def test_a_gpu_that_does_not_tell_is_no_idle_one(tables, alone):
    silent = replace(alone, samples=tuple(replace(sample, busy=None) for sample in alone.samples))
    assert "| not told |" in tables.speed_table([silent])[-1]


def test_each_task_has_its_own_times_and_our_solution_none(tables, alone, packed):
    assert tables.wall_table(alone, packed)[2:] == [
        "| vae | 10.0 | 10.0 | 8.0 | 8.0 | 0.80 times |",
        "| ddpm | 10.0 | 10.0 | 8.0 | 8.0 | 0.80 times |",
    ]


def test_the_same_marks_and_figures_are_said_to_be(tables, alone, packed):
    (line,) = tables.marks_lines(alone, packed)
    assert line == (
        "Marks identical: **yes**, 2 sheets compared, of whose marks 1 are open. "
        "1 of 1 figures are the same to the bit."
    )


def test_every_difference_is_listed_a_figure_with_its_noise(tables, alone, packed):
    other = tables.Sheet({"kl": "1"}, {"vae_elbo": tables.Figure(-80.25, 0.5)})
    lines = tables.marks_lines(alone, replace(packed, sheets={**packed.sheets, "vae00": other}))
    assert lines[0].startswith("Marks identical: **no**")
    assert "0 of 1 figures are the same" in lines[0]
    assert "| vae00 | kl | 2 | 1 |" in lines
    assert "| vae00 | vae_elbo | -80 | -80.25 | -0.500 |" in lines


def test_a_page_without_a_gpu_says_so_in_its_first_line_and_judges_no_aim(tables, setting):
    page = tables.report(replace(setting, is_gpu=False, gpus=""))
    assert page.splitlines()[0] == f"{tables.NOT_A_GPU}"
    assert "No GPU was measured" in tables.NOT_A_GPU
    assert "reached" not in page


def test_a_page_is_written_before_all_phases_are_done(tables, setting):
    page = tables.report(replace(setting, phases=setting.phases[:1]))
    assert "Not complete: measured so far are ['alone']." in page


def test_without_a_gpu_the_command_says_how_to_try_it(tmp_path):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, FOLDER / "packing.py", "--work", tmp_path / "work"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "there is no GPU on this machine; `--device cpu` tries the harness without one" in done.stderr
