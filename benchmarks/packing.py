"""A class of VAE and DDPM trainings in; what packing them on a GPU gives, against one at a time, out.

    python benchmarks/packing.py --out docs/evidence/packing.md              # on a machine with a GPU
    python benchmarks/packing.py --device cpu --teams 4 --steps 300          # to try the harness

The command is the one that a TA gives, `grader grade`, twice from a fresh state: every submission with a GPU
to itself, then as many as memory budget and slots allow. Each phase is kept in `--work`; the same command
goes on after a kill, and the page is written anew after every phase. `--phase` stops after one.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import machine_lines
from packing_class import ASSIGNMENT, TASKS, Size, build_class, one_at_a_time, team_name
from packing_phase import read_phase
from packing_table import Setting, report

from grader.examine.inventory import find_gpus

PHASES = ("bands", "alone", "packed")
CALIBRATED = "Marks come from bands of our own solutions at this size."
BY_CHECKS = "Where there are no bands only checks give marks; figures are compared by themselves."
NAMES = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
WATCH = Path(__file__).with_name("gpu_watch.py")
SEEDS = 5
"""Of our solutions, for bands: with three, the bound of tolerance lies ten standard deviations away."""


def main() -> None:
    """Run the phases that are not done yet, and write the page after each."""
    asked = _parser().parse_args()
    # A clean exit, so that what we started is ended as well.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if asked.device == "cuda" and not find_gpus():
        raise SystemExit("there is no GPU on this machine; `--device cpu` tries the harness without one")
    _prepare(asked)
    for phase in PHASES if asked.phase == "all" else [asked.phase]:
        done = asked.work / phase / "done.json"
        if not done.exists():
            print(f"{phase}: begun {time.strftime('%H:%M:%S')}", file=sys.stderr, flush=True)
            facts = _calibrate(asked) if phase == "bands" else _grade(asked, phase)
            done.write_text(json.dumps(facts), encoding="utf-8")
        _write_page(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=24)
    parser.add_argument("--alone", type=int, help="teams that are graded one at a time; by default all")
    parser.add_argument("--steps", type=int, default=2000, help="of each training")
    parser.add_argument("--slots", type=int, default=os.cpu_count(), help="side by side, when packed")
    parser.add_argument("--budget-mib", type=int, default=4000, help="GPU memory of one submission")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--phase", choices=["all", *PHASES], default="all")
    parser.add_argument("--no-bands", action="store_true", help="do not calibrate: checks alone give marks")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "grader-packing")
    parser.add_argument("--out", type=Path, help="where the page goes; by default it is printed")
    return parser


def _prepare(asked: argparse.Namespace) -> None:
    """The class, once; what was asked for must be the same when a run goes on."""
    kept = asked.work / "asked.json"
    size = Size(teams=asked.teams, steps=asked.steps, device=asked.device, budget_mib=asked.budget_mib)
    text = json.dumps(vars(size), sort_keys=True)
    if kept.exists():
        if kept.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{asked.work} holds a run of another size; remove it or give another --work")
        return
    shutil.rmtree(asked.work, ignore_errors=True)
    asked.work.mkdir(parents=True)
    build_class(asked.work, size)
    kept.write_text(text, encoding="utf-8")


def _calibrate(asked: argparse.Namespace) -> dict[str, Any]:
    """Bands of our own solutions at this size; where they do not pass at it, marks come from checks alone."""
    folder = asked.work / "bands"
    folder.mkdir(exist_ok=True)
    if asked.no_bands:
        return {"bands": BY_CHECKS}
    missing = [said for task in TASKS if (said := _calibrate_task(asked, task))]
    return {"bands": " ".join([BY_CHECKS, *missing]) if missing else CALIBRATED}


def _calibrate_task(asked: argparse.Namespace, task: str) -> str:
    """Bands of one task; what to say where there are none."""
    command = [*_grader("calibrate"), "--course", asked.work / "course", "--task", task]
    command += ["--seeds", str(SEEDS), "--slots", str(asked.slots), "--sandbox", asked.sandbox]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if not done.returncode:
        return ""
    reason = done.stderr.strip().splitlines()[-1].removeprefix("grader: ")
    return f"(No bands for {task} at this size: {reason}.)"


def _grade(asked: argparse.Namespace, phase: str) -> dict[str, Any]:
    """Grade the class under one setting, watched from outside; a run that was stopped goes on."""
    folder = asked.work / phase
    if not (folder / "course").exists():
        draft = folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(asked.work / "course", draft, ignore=shutil.ignore_patterns(".grader"))
        if phase == "alone":
            one_at_a_time(draft)
        draft.rename(folder / "course")  # whole, or not there
    slots = asked.slots if phase == "packed" else max(1, len(find_gpus()))
    command = [*_grader("grade"), "--course", folder / "course", "--state", folder / "state"]
    command += ["--out", folder / "reports", "--slots", str(slots), "--sandbox", asked.sandbox, "--json"]
    if phase == "alone" and asked.alone:
        command += [word for number in range(asked.alone) for word in ("--only", team_name(number))]
    began = time.monotonic()
    with _watched(folder / "samples.jsonl", asked.device), (folder / "progress.txt").open("a") as said:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit((folder / "progress.txt").read_text(encoding="utf-8")[-3000:])
    (folder / "marksheets.json").write_text(done.stdout, encoding="utf-8")
    return {"wall_s": time.monotonic() - began, "slots": slots}


def _grader(command: str) -> list[Any]:
    """Ends with us, however we end: another command may then go on."""
    return ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "grader", command, ASSIGNMENT]


@contextmanager
def _watched(out: Path, device: str) -> Iterator[None]:
    """A process of its own that samples until it is ended."""
    watch = subprocess.Popen([sys.executable, WATCH, "--out", out, "--device", device])
    try:
        yield
    finally:
        watch.terminate()
        watch.wait()


def _write_page(asked: argparse.Namespace) -> None:
    done = {name: asked.work / name / "done.json" for name in PHASES}
    facts = {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in done.items() if path.exists()
    }
    setting = Setting(
        machine=machine_lines(shlex.join(["python", "benchmarks/packing.py", *sys.argv[1:]])),
        gpus=_gpu_names() if asked.device == "cuda" else "",
        is_gpu=asked.device == "cuda",
        teams=asked.teams,
        steps=asked.steps,
        budget_mib=asked.budget_mib,
        bands=facts.get("bands", {"bands": BY_CHECKS})["bands"],
        phases=tuple(
            read_phase(asked.work / name, name, wall_s=facts[name]["wall_s"], slots=facts[name]["slots"])
            for name in PHASES[1:]
            if name in facts
        ),
    )
    if asked.out:
        asked.out.write_text(report(setting), encoding="utf-8")
    else:
        print(report(setting))


def _gpu_names() -> str:
    try:
        answer = subprocess.run(NAMES, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return "its name is not told"
    return "; ".join(answer.strip().splitlines())


if __name__ == "__main__":
    main()
