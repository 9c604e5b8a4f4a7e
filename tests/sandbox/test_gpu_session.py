"""Real sessions on a real GPU, through every sandbox; skipped where there is none."""

import threading
from contextlib import closing

import numpy as np
import pytest

from grader.candidate import Candidate, Generator
from grader.course.model import Limits
from grader.errors import CandidateDied
from grader.examine.inventory import find_gpus
from grader.records import Chunk, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.foundation import Foundation
from grader.sandbox.gpu_memory import find_listing
from grader.sandbox.seam import SessionSpec
from grader.sandbox.zygote_process import Zygote

pytestmark = pytest.mark.sandbox

GPUS = [f"cuda:{gpu.index}" for gpu in find_gpus()]
NEEDS_GPU = pytest.mark.skipif(not GPUS, reason="there is no GPU on this machine")
ON_GPU = GPUS or [pytest.param("cuda", marks=NEEDS_GPU)]
SANDBOXES = ["warm", "bubblewrap", "landlock+degraded", "process"]
SOURCE = """
import torch
from torch import nn

kept = []

def where(x):
    return [str(x.device.type), torch.cuda.device_count()]

def train(generator):
    torch.manual_seed(1)
    device = generator.device
    model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 64)).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(100):
        x = torch.randn(128, 64, generator=generator, device=device)
        loss = (model(x) - x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model[0].weight

def hold(mib):
    kept.append(torch.zeros(mib, 1 << 18, device="cuda"))
    import time
    time.sleep(5)
"""


@pytest.fixture
def asked():
    """Opens a candidate in a session on a device."""

    def of(device, *, sandbox="auto", slot=0, gpu_memory_mib=0):
        limits = Limits(session_wall_s=120, question_s=60, memory_mib=8192, gpu_memory_mib=gpu_memory_mib)
        prepared = Prepared(modules={"work": (Chunk(label="work.py", source=SOURCE),)})
        spec = SessionSpec(None, limits, device=device, slot=3200 + slot)
        chosen = choose(sandbox)
        return closing(Candidate(chosen, spec, prepared, module="work", seed=7))

    return of


def test_a_session_on_the_processor_sees_no_gpu(asked):
    with asked("cpu", sandbox="process") as candidate:
        assert candidate.where(np.zeros(3, np.float32)) == ["cpu", 0]


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("device", ON_GPU)
def test_a_session_computes_on_its_own_gpu_and_sees_no_other(asked, device, sandbox):
    with asked(device, sandbox=sandbox) as candidate:
        kind, count = candidate.where(np.zeros(3, np.float32))
    assert kind == "cuda"
    assert count == 1 or sandbox == "process"


@pytest.mark.parametrize("device", ON_GPU)
def test_the_same_training_is_the_same_to_the_bit_alone_and_beside_others(asked, device):
    def trained(slot):
        with asked(device, slot=slot) as candidate:
            return candidate.call("train", Generator(3), grad=True)

    alone, beside = trained(0), {}
    threads = [threading.Thread(target=lambda n=n: beside.update({n: trained(n)})) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(beside) == [1, 2]
    for other in beside.values():
        np.testing.assert_array_equal(other, alone)


@NEEDS_GPU
@pytest.mark.skipif(find_listing() is None, reason="the driver cannot be asked: pip install 'grader[gpu]'")
def test_a_session_that_takes_more_of_a_gpu_than_it_may_is_ended(asked):
    told = pytest.raises(CandidateDied, match="used more than 2000 MiB of GPU memory")
    with asked(GPUS[0], gpu_memory_mib=2000) as candidate, told:
        candidate.hold(4000)


@NEEDS_GPU
def test_a_warm_python_for_a_gpu_has_opened_none_before_it_forks():
    """`Zygote` refuses to start where an import opens a GPU, and then every session would start cold."""
    zygote = Zygote(Foundation.find(), slot=3290, device=GPUS[0])
    zygote.stop()
