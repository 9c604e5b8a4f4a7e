"""Implicit samplers, right and wrong, with models of ours: the map, the law, the steps, and the mixture."""

import textwrap
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.ddim import ImplicitRun, run_sampler, share_of_centres
from grader.metrics.diffusion_oracle import CHANCE, GaussianData, MixtureData
from grader.metrics.diffusion_process import linear_schedule
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

DATA = GaussianData(mean=0.1, deviation=0.2)
LONG = linear_schedule(50)

RIGHT = """
    import torch

    class Model:
        def __init__(self, alphas_bar):
            self.alphas_bar, self.notes = alphas_bar.double(), []

        def predict_noise(self, x, t):
            self.notes.append(int(t[0]))
            signal = self.alphas_bar[t[0]]
            guess = (1 - signal).sqrt() * (x.double() - signal.sqrt() * 0.1) / (signal * 0.04 + 1 - signal)
            return guess.float()

        def asked(self):
            notes, self.notes = self.notes, []
            return torch.tensor(notes, dtype=torch.int64)

    def ddim_sample(model, x_T, alphas_bar, steps, eta, generator):
        visited = torch.linspace(len(alphas_bar) - 1, 0, steps).round().long()
        signals = torch.cat([alphas_bar[visited], torch.ones(1)])
        x = x_T
        for t, now, after in zip(visited, signals, signals[1:]):
            noise = model.predict_noise(x, t.expand(len(x)))
            image = (x - (1 - now).sqrt() * noise) / now.sqrt()
            sigma = eta * ((1 - after) / (1 - now) * (1 - now / after)).sqrt()
            z = torch.randn(x.shape, generator=generator)
            x = after.sqrt() * image + (1 - after - sigma**2).sqrt() * noise + sigma * z
        return x
"""


@pytest.fixture
def run():
    """Runs a sampler with one piece of it replaced; all workers are closed at the end."""
    opened = []

    def call(
        *, replace: str = "", by: str = "", steps: int = 10, eta: float = 0.0, count: int = 20
    ) -> ImplicitRun:
        assert replace in RIGHT
        source = textwrap.dedent(RIGHT.replace(replace, by) if replace else RIGHT)
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        prepared = Prepared(modules={"ddim": (Chunk(label="ddim.py", source=source),)})
        candidate = Candidate(FakeSandbox(), spec, prepared, module="ddim", seed=1)
        opened.append(candidate)
        x_T = torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(2))
        model = candidate.Model(LONG.alpha_bar.float())
        return run_sampler(candidate, model, x_T, LONG, steps=steps, eta=eta, seed=3)

    yield call
    for candidate in opened:
        candidate.close()


Run = Callable[..., ImplicitRun]


@pytest.mark.parametrize("steps", [1, 3, 10, 50])
def test_a_right_sampler_is_on_the_map(run: Run, steps: int):
    found = run(steps=steps)
    assert found.fault_of_steps() == ""
    assert found.off_the_map(DATA)[1] < 1e-4


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_a_right_sampler_has_the_law(run: Run, eta: float):
    assert run(eta=eta, count=1500).off_the_law(DATA)[1] < 4.5


def test_a_sampler_may_end_after_step_zero(run: Run):
    law, gap = run(replace="torch.ones(1)", by="alphas_bar[:1]").off_the_map(DATA)
    assert law.name == "ends after step 0"
    assert gap < 1e-4


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("(1 - now).sqrt() * noise", "(1 - now) * noise"),
        ("(1 - after - sigma**2)", "(1 - now)"),
        ("noise) / now.sqrt()", "noise) / now"),
    ],
    ids=["variance for deviation", "old level", "image divided by its variance"],
)
def test_a_wrong_sampler_is_off_the_map(run: Run, replace: str, by: str):
    assert run(replace=replace, by=by).off_the_map(DATA)[1] > 0.01


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        (
            "eta * ((1 - after) / (1 - now) * (1 - now / after)).sqrt()",
            "(eta * (1 - after) / (1 - now) * (1 - now / after)).sqrt()",
        ),
        ("- sigma**2", ""),
        ("torch.randn(x.shape,", "torch.randn(x[:1].shape,"),
    ],
    ids=["eta under the root", "noise not reduced", "same noise for all images"],
)
def test_a_wrong_sampler_is_off_the_law(run: Run, replace: str, by: str):
    assert run(replace=replace, by=by, eta=0.5, count=1500).off_the_law(DATA)[1] > 2 * CHANCE


@pytest.mark.parametrize(
    ("by", "fault"),
    [
        ("torch.linspace(len(alphas_bar) - 1, 0, steps + 1)", "the model is asked 11 times where steps = 10"),
        ("torch.linspace(25, 0, steps)", "t goes from 25 to 0; it has to begin near 49 and end near 0"),
        ("torch.linspace(49, 20, steps)", "t goes from 49 to 20; it has to begin near 49 and end near 0"),
        (
            "torch.full((steps,), 49.0)",
            "the model is asked at t = 49, 49, 49, 49, 49, 49, ...; from one step to the next t has to fall",
        ),
    ],
)
def test_steps_that_make_no_sense_are_named(run: Run, by: str, fault: str):
    assert run(replace="torch.linspace(len(alphas_bar) - 1, 0, steps)", by=by).fault_of_steps() == fault


def test_notes_that_were_tampered_with_do_not_help(run: Run):
    """All steps are taken, few are noted: the images do not fit."""
    tampered = run(
        replace="torch.linspace(len(alphas_bar) - 1, 0, steps).round().long()",
        by="torch.arange(49, -1, -1); model.asked = lambda: torch.linspace(49, 0, 10).round().long()",
    )
    assert tampered.fault_of_steps() == ""
    assert tampered.off_the_map(DATA)[1] > 0.01


@pytest.mark.parametrize("asked", [(), (49,), (99, 50, 9, -1)], ids=["never", "once", "beyond the schedule"])
def test_for_steps_that_were_not_asked_for_nothing_is_right(asked: tuple[int, ...]):
    """To return the noise is the right map of no step at all, and one step has a map of its own."""
    start = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    mixture = MixtureData(torch.zeros(2, 16, dtype=torch.float64), 0.1)
    run = ImplicitRun(start, start.double(), asked, LONG, 4, 0.0)
    for judged in (run.off_the_map, run.off_the_law):
        with pytest.raises(WrongAnswer, match="with steps = 4, the model is asked"):
            judged(DATA)
    with pytest.raises(WrongAnswer, match="with steps = 4, the model is asked"):
        run.share_off_the_mixture(mixture)


def test_a_step_too_few_has_no_map_and_still_a_law(run: Run):
    found = run(replace="steps).round()", by="steps - 1).round()", eta=1.0, count=1500)
    assert found.off_the_law(DATA)[1] < CHANCE
    with pytest.raises(WrongAnswer, match="asked 9 times where steps = 10"):
        found.off_the_map(DATA)


def test_notes_that_are_none_are_the_students_fault(run: Run):
    with pytest.raises(WrongAnswer, match="`asked` returned"):
        run(replace="x = x_T\n", by="x = x_T; model.asked = lambda: 'ninety-nine'\n")


def of_mixture(points: Tensor, start: Tensor, steps: tuple[int, ...]) -> ImplicitRun:
    return ImplicitRun(start, points, steps, LONG, len(steps), 0.0)


def test_points_of_the_mixture_follow_their_own_steps():
    data = MixtureData(torch.tensor([[-0.5, 0.0], [0.5, 0.0]], dtype=torch.float64), 0.1)
    start = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    one_step = (
        start - LONG.noise_variance[-1].sqrt() * data.guess(start, float(LONG.alpha_bar[-1]))
    ) / LONG.alpha_bar[-1].sqrt()
    assert of_mixture(one_step, start, (49,)).share_off_the_mixture(data) == 0
    assert of_mixture(one_step + 0.1, start, (49,)).share_off_the_mixture(data) > 0.9


def test_shares_of_centres():
    data = MixtureData(torch.tensor([[-0.5, 0.0], [0.5, 0.0]], dtype=torch.float64), 0.1)
    points = torch.tensor([[-0.5, 0.1], [0.6, 0.0], [0.5, 0.1], [0.0, 3.0]], dtype=torch.float64)
    near, shares = share_of_centres(points, data, within=2)
    assert near == 0.75
    assert shares.tolist() in ([0.5, 0.5], [0.25, 0.75])
