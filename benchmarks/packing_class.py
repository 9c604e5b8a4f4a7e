"""A number of teams in, a course of VAE and DDPM trainings with a Git repository for each team out.

The course is cut from the shipped one: its VAE and its DDPM, as one assignment, at the scale `gpu` on
generated images of 28 x 28. Half of the teams hand in one, half the other: our solutions with a
learning rate of their own, and every second one narrower, so that no training stands for another.
"""

import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w
import torch
from torch.nn import functional

from grader.course.tree import CourseTree
from grader.data.digits import load_digits
from grader.demo.cut import cut_course

ROOT = Path(__file__).parents[1]
ASSIGNMENT = "a3_variational_and_diffusion_models"
TASKS = ("vae", "ddpm")
SETTINGS = f"assignments/{ASSIGNMENT}/assignment.toml"
RUBRIC = f"rubrics/{ASSIGNMENT}.toml"
IMAGES = "generated"
SIDE, TESTED = 28, 297
HANDED_IN = "1752200000 +0200"
"""A week before the deadline."""

RATES = {"vae": ("4e-3", 4e-3), "ddpm": ("6e-3", 6e-3)}
"""How our solution writes its learning rate, and what that is."""
NARROWER = {
    "vae": ("config.data_dim, config.hidden_dim, 2", "config.data_dim, 3 * config.hidden_dim // 4, 2"),
    "ddpm": ("features=32", "features=16"),
}
SMALL = {
    "vae": {"latent_dim": 8, "hidden_dim": 64},
    "ddpm": {"width": 64, "blocks": 2, "steps": 30},
}
"""Sizes of models for a machine without a GPU; those of the images stay."""
COMMIT = """commit refs/heads/main
committer {team} <{team}@example.org> {when}
data 4
work
M 100644 inline {task}.py
data {size}
{source}
"""

Toml = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is to train, and on what."""

    teams: int
    steps: int
    """Of each training."""
    device: Literal["cpu", "cuda"]
    budget_mib: int
    """GPU memory of one submission."""


def build_class(folder: Path, size: Size) -> Path:
    """Write a course below `folder`, with its images, its roster and everybody's repository.

    Returns:
        The folder with course.toml.
    """
    source, (first, other) = CourseTree.open(ROOT), (folder / "course", folder / "other")
    for task, part in zip(TASKS, (first, other), strict=True):
        cut_course(source, part, {ASSIGNMENT: task})
    checks = Path("assignments") / ASSIGNMENT / "checks"
    shutil.copytree(other / checks, first / checks, dirs_exist_ok=True)
    for name, key in ((SETTINGS, "tasks"), (RUBRIC, "criteria")):
        joined = _read(first / name)
        joined[key] += _read(other / name)[key]
        _write(first / name, _sized(joined, size) if name == SETTINGS else _coarse(joined))
    shutil.rmtree(other)
    _write_images(first / "data" / IMAGES)
    _write_roster(first, folder / "forge", size.teams)
    return first


def one_at_a_time(course: Path) -> None:
    """Give each submission a GPU to itself; nothing else changes."""
    settings = _read(course / SETTINGS)
    settings["limits"]["gpu_exclusive"] = True
    _write(course / SETTINGS, settings)


def team_name(number: int) -> str:
    """Says which of the two tasks the team hands in: vae00, ddpm01, vae02, …"""
    return f"{TASKS[number % len(TASKS)]}{number:02d}"


def variant(task: str, source: str, number: int, *, teams: int) -> str:
    """Our solution as one of several teams hands it in.

    Raises:
        ValueError: our solution is not written as it was when this was.
    """
    text, rate = RATES[task]
    changes = [(text, f"{rate * (1 - 0.6 * number / teams):.3e}")]
    changes += [NARROWER[task]] if number % 2 else []
    for old, new in changes:
        if old not in source:
            raise ValueError(f"reference_solutions/{ASSIGNMENT}/{task}.py: expected {old!r} in it")
        source = source.replace(old, new)
    return source


def _sized(settings: Toml, size: Size) -> Toml:
    """The scale of a GPU, with as much training as is asked for."""
    settings |= {"scale": "gpu", "folder": ""}
    settings["scales"]["gpu"] |= {"images": IMAGES, "device": size.device}
    settings["limits"] |= {"gpu_memory_mib": size.budget_mib}
    for task in settings["tasks"]:
        scale = task["scales"]["gpu"]
        scale["budget"] |= {"steps": size.steps}
        if size.device == "cpu":
            scale["config"] |= SMALL[task["id"]]
            scale["budget"] |= {"batch": 64}
    return settings


def _coarse(rubric: Toml) -> Toml:
    """In steps of half a criterion's points: noise then leaves nothing open, and nobody is examined again."""
    kept = [criterion for criterion in rubric["criteria"] if criterion["kind"] != "manual"]
    for criterion in kept:
        if criterion["kind"] == "metric":
            criterion["step"] = Decimal(criterion["points"]) / 2
    return rubric | {"criteria": kept}


def _write_images(folder: Path) -> None:
    """The 8 x 8 digits that the grader has, drawn larger."""
    folder.mkdir(parents=True)
    digits = load_digits()
    small = digits.intensity.reshape(-1, 1, 8, 8)
    large = functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear")[:, 0]
    grey = (large * 255).round().to(torch.uint8).numpy()
    labels = digits.label.numpy().astype(np.uint8)
    for part, rows in (("train", slice(TESTED, None)), ("test", slice(TESTED))):
        np.save(folder / f"{part}_images.npy", grey[rows])
        np.save(folder / f"{part}_labels.npy", labels[rows])


def _write_roster(course: Path, forge: Path, teams: int) -> None:
    template = forge / "template.git"
    _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(template))
    lines = ["student,team,repo_url"]
    for number in range(teams):
        task, name = TASKS[number % len(TASKS)], team_name(number)
        reference = course / "reference_solutions" / ASSIGNMENT / f"{task}.py"
        ours = reference.read_text(encoding="utf-8")
        source = variant(task, ours, number // len(TASKS), teams=teams)
        _hand_in(template, forge / f"{name}.git", name, task, source)
        lines.append(f"{name},{name},{(forge / f'{name}.git').resolve().as_uri()}")
    (course / "roster.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _hand_in(template: Path, repository: Path, team: str, task: str, source: str) -> None:
    shutil.copytree(template, repository)
    length = len(source.encode())
    commit = COMMIT.format(team=team, when=HANDED_IN, task=task, size=length, source=source)
    _git("-C", str(repository), "fast-import", "--quiet", text=commit)


def _git(*arguments: str, text: str = "") -> None:
    subprocess.run(["git", *arguments], input=text, text=True, check=True)


def _read(path: Path) -> Toml:
    """Numbers stay as they are written."""
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _write(path: Path, content: Toml) -> None:
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
