"""What a submission computes must not depend on which worker of an examination it runs in."""

import numpy as np
import pytest

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.records import Chunk, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.questions import Generator
from grader.sandbox.seam import SessionSpec
from grader.sandbox.warm import WarmSandbox

TRAINING = """
import random
import numpy as np
import torch

def unseeded():
    return [random.random(), np.random.rand()]

def first_torch_seed():
    return torch.initial_seed()

@torch.enable_grad()
def train(generator):
    x = torch.randn(64, 8, generator=generator)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (model(x).square().mean() + x.std()).backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()] + [torch.get_num_threads()]
"""
SOURCE = "def vocabulary(text):\n    return list(set(text))\n"


@pytest.mark.sandbox
@pytest.mark.parametrize("backend", ["bubblewrap", "warm", "landlock+degraded", "process"])
def test_a_vocabulary_made_from_a_set_has_the_same_order_in_every_worker(backend):
    prepared = Prepared(modules={"words": (Chunk(label="words.py", source=SOURCE),)})
    spec = SessionSpec(submission=None, limits=Limits())
    orders, sandbox = [], WarmSandbox(imports=()) if backend == "warm" else choose(backend)
    for _ in range(3):
        with Candidate(sandbox, spec, prepared, module="words", seed=1) as candidate:
            orders.append(candidate.vocabulary("call me ishmael"))
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.sandbox
@pytest.mark.slow
def test_training_gives_the_same_weights_in_every_kind_of_worker():
    prepared = Prepared(modules={"training": (Chunk(label="training.py", source=TRAINING),)})
    spec = SessionSpec(submission=None, limits=Limits())
    weights, draws = [], []
    for backend, times in (("bubblewrap", 1), ("warm", 2), ("landlock+degraded", 1)):
        sandbox = choose(backend)
        for _ in range(times):
            with Candidate(sandbox, spec, prepared, module="training", seed=1) as candidate:
                weights.append(candidate.train(Generator(3)))
                draws.append((candidate.unseeded(), candidate.first_torch_seed()))
    for others in weights[1:]:
        assert all(np.array_equal(one, other) for one, other in zip(weights[0], others, strict=True))
    assert all(draw == draws[0] for draw in draws), "every session starts from its seed"
