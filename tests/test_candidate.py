"""The candidate as a check sees it: attributes become questions, failures become words for the student."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from grader.candidate import MESSAGE_CHARACTERS, Candidate, Generator, Remote, RemoteCallable
from grader.course.model import Limits
from grader.errors import (
    CandidateDied,
    CandidateError,
    CandidateMissing,
    CandidateNotImplemented,
    CandidateRaised,
    CandidateTimeout,
    ProtocolViolation,
    SandboxError,
    WrongAnswer,
)
from grader.records import Chunk, Limit, Prepared
from grader.sandbox.fake import FakeSandbox, Move
from grader.sandbox.frames import MAGIC, PREAMBLE
from grader.sandbox.questions import Packer
from grader.sandbox.seam import Ending, SessionSpec

VAE = """
import torch
from torch import nn

class VAE(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.layer = nn.Linear(config.data_dim, config.latent_dim)

    def encode(self, x):
        return self.layer(x), torch.zeros(len(x), 2)

    def forward(self, x, *, scale=1.0):
        return self.layer(x) * scale

    def decode(self, z):
        raise NotImplementedError

def kl_divergence(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)

def train_vae(model, data, *, budget, generator):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(budget.steps):
        batch = data[torch.randint(len(data), (4,), generator=generator)]
        loss = model(batch).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

def elbo(x):
    return x / 0

def iwae(x):
    return {object(): x}

def width():
    raise ValueError("\\x1b[2J" + "wide " * 1000)
"""
LIMITS = Limits()


def prepared(source, label="cell 7"):
    return Prepared(modules={"vae": (Chunk(label=label, source=source),)})


def open_candidate(source=VAE, sandbox=None, limits=LIMITS, **others):
    spec = SessionSpec(None, limits)
    return Candidate(sandbox or FakeSandbox(), spec, prepared(source, **others), module="vae", seed=7)


@pytest.fixture(scope="module")
def candidate():
    with open_candidate() as opened:
        yield opened


@pytest.fixture
def model(candidate):
    return candidate.VAE(SimpleNamespace(data_dim=3, latent_dim=2))


class Counting(FakeSandbox):
    started = 0

    def start(self, spec):
        self.started += 1
        return super().start(spec)


# Questions.


def test_a_prop_of_ours_lives_in_the_worker_and_is_called_by_the_submission():
    source = "def twice(model, x):\n    return model(model(x))\n"
    double = "class Times:\n    def __init__(self, k):\n        self.k = k\n    def __call__(self, x):\n        return self.k * x\n"
    with Candidate(
        FakeSandbox(),
        SessionSpec(None, LIMITS),
        prepared(source),
        module="vae",
        seed=7,
        props={"scaling": double},
    ) as candidate:
        assert candidate.twice(candidate.prop("scaling").Times(3), 2) == 18
        with pytest.raises(LookupError, match="no prop 'scalng'; there are: scaling"):
            candidate.prop("scalng")


def test_code_that_no_worker_has_room_for_is_the_submissions_fault_and_not_ours():
    lines = Chunk(label="cell 1", source="#\n" * (1 << 23))
    prepared = Prepared(modules={"m": (lines, Chunk(label="cell 2", source="x = 1\n"))})
    with Candidate(FakeSandbox(), SessionSpec(None, LIMITS), prepared, module="m", seed=1) as candidate:
        for _ in range(2):
            with pytest.raises(CandidateError, match="may have 16 Mi characters"):
                candidate.has("x")


def test_nothing_starts_before_the_first_question():
    sandbox = Counting()
    candidate = open_candidate(sandbox=sandbox)
    assert isinstance(candidate.kl_divergence, RemoteCallable)
    assert sandbox.started == 0
    assert candidate.close() == Ending()


def test_a_function_is_called_with_arrays_and_gives_arrays(candidate):
    divergence = candidate.kl_divergence(np.zeros((2, 3), np.float32), logvar=np.zeros((2, 3), np.float32))
    assert (divergence.dtype, divergence.tolist()) == (np.float32, [0.0, 0.0])


def test_tensors_of_ours_are_taken_as_well(candidate):
    torch = pytest.importorskip("torch")
    assert candidate.kl_divergence(torch.ones(1, 2), torch.zeros(1, 2)).tolist() == [1.0]


def test_an_object_stays_in_the_worker_and_is_asked_by_its_methods(model):
    assert isinstance(model, Remote)
    assert (model.type_name, repr(model)) == ("VAE", "<a VAE kept in the worker>")
    mean, log_variance = model.encode(np.ones((5, 3), np.float32))
    assert (mean.shape, log_variance.shape) == ((5, 2), (5, 2))


def test_an_object_is_called_itself(model):
    x = np.ones((5, 3), np.float32)
    assert np.allclose(model(x, scale=2.0), 2 * model(x))


def test_a_dotted_path_reaches_inside_an_object(model):
    assert model.call("layer.weight.numel") == 6
    assert model.get("config.latent_dim") == 2
    assert model.get("layer").type_name == "Linear"


def test_has_tells_what_is_there(candidate, model):
    assert (candidate.has("VAE"), candidate.has("generate")) == (True, False)
    assert (model.has("layer.weight"), model.has("encoder")) == (True, False)


def test_training_changes_the_object_and_returns_its_losses(candidate, model):
    before = model.state_dict()
    losses = candidate.call(
        "train_vae",
        model,
        np.ones((8, 3), np.float32),
        budget=SimpleNamespace(steps=3),
        generator=Generator(5),
        timeout_s=30,
        grad=True,
    )
    after = model.state_dict()
    assert len(losses) == 3
    assert set(after) == {"layer.weight", "layer.bias"}
    assert not np.array_equal(before["layer.weight"], after["layer.weight"])


def test_weights_are_taken_to_another_worker(model):
    weights = model.state_dict()
    with open_candidate() as other:
        twin = other.VAE(SimpleNamespace(data_dim=3, latent_dim=2))
        twin.load_state_dict(weights)
        x = np.ones((1, 3), np.float32)
        assert np.array_equal(twin(x), model(x))


def test_an_object_that_was_dropped_can_no_longer_be_asked(candidate):
    model = candidate.VAE(SimpleNamespace(data_dim=3, latent_dim=2))
    model.drop()
    with pytest.raises(CandidateRaised, match="KeyError"):
        model.eval()


def test_an_object_of_another_worker_is_our_mistake(model):
    with open_candidate() as other, pytest.raises(ValueError, match="this VAE is kept in another worker"):
        other.kl_divergence(model, model)


def test_the_seed_is_the_same_for_everybody():
    with open_candidate() as first, open_candidate("import torch\ntorch.rand(9)\n" + VAE) as second:
        config = SimpleNamespace(data_dim=3, latent_dim=2)
        assert np.array_equal(first.VAE(config).get("layer.weight"), second.VAE(config).get("layer.weight"))


def test_private_names_are_no_questions(candidate, model):
    for owner in (candidate, model):
        with pytest.raises(AttributeError):
            owner._secret  # noqa: B018
    assert not hasattr(candidate, "__array__")


# What a student is told.


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda c, m: c.generate(1),
            CandidateMissing,
            "`generate` is not defined in vae.py (or in a notebook)",
        ),
        (
            lambda c, m: m.sample(1),
            CandidateMissing,
            "`VAE.sample` is not defined in vae.py (or in a notebook)",
        ),
        (lambda c, m: m.decode(1), CandidateNotImplemented, "`VAE.decode` is not implemented yet"),
        (
            lambda c, m: c.elbo(1),
            CandidateRaised,
            "`elbo` raised ZeroDivisionError: division by zero (cell 7, line 36, in elbo)",
        ),
        (
            lambda c, m: c.iwae(1),
            WrongAnswer,
            "`iwae` gave an answer that cannot be sent: a dict with a key of type object",
        ),
        (
            lambda c, m: c.elbo(),
            CandidateRaised,
            "`elbo` raised TypeError: elbo() missing 1 required positional argument: 'x'",
        ),
        (
            lambda c, m: m(depth=1),
            CandidateRaised,
            "`VAE.__call__` raised TypeError: VAE.forward() got an unexpected keyword argument 'depth'",
        ),
    ],
)
def test_the_message_is_the_fact_in_one_line(candidate, model, ask, error, message):
    with pytest.raises(error) as caught:
        ask(candidate, model)
    assert str(caught.value) == message
    assert type(caught.value) is error


def test_a_long_message_with_control_characters_is_shown_harmlessly(candidate):
    with pytest.raises(CandidateRaised) as caught:
        candidate.width()
    message = str(caught.value)
    assert message.startswith(r"`width` raised ValueError: \x1b[2Jwide wide")
    assert message.endswith("… (cell 7, line 42, in width)")
    assert len(message) == 500


def test_an_exception_ends_nothing(candidate):
    with pytest.raises(CandidateRaised):
        candidate.elbo(1)
    assert candidate.failure is None
    assert candidate.has("elbo")


# A module that cannot be imported.


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (
            "x = 1\n\ny = 1 / 0",
            CandidateRaised,
            "importing vae raised ZeroDivisionError: division by zero (vae.py, line 3)",
        ),
        (
            "import telepathy",
            CandidateRaised,
            "importing vae raised ModuleNotFoundError: No module named 'telepathy' (vae.py, line 1)",
        ),
        ("raise NotImplementedError", CandidateNotImplemented, "vae.py is not implemented yet"),
        ("raise SystemExit(3)", CandidateRaised, "importing vae raised SystemExit: 3 (vae.py, line 1)"),
    ],
)
def test_a_module_that_does_not_import_is_told_at_every_question(source, error, message):
    with open_candidate(source, label="vae.py") as candidate:
        for _ in range(2):
            with pytest.raises(error) as caught:
                candidate.encode(1)
            assert str(caught.value) == message
        assert isinstance(candidate.failure, error)


def test_a_module_that_is_not_there_is_missing():
    with (
        Candidate(
            FakeSandbox(), SessionSpec(None, LIMITS), Prepared(modules={}), module="vae", seed=1
        ) as candidate,
        pytest.raises(CandidateMissing) as caught,
    ):
        candidate.encode(1)
    assert str(caught.value) == "there is no vae.py (nor a notebook that defines its names)"


# Deaths.


def frame(number, value):
    packer = Packer()
    return b"".join(packer.frame({"id": number, "ok": True, "value": packer.tree(value)}))


START = [frame(0, {"hello": "grader-worker", "protocol": 1}), frame(1, None), frame(2, {"names": []})]
REF = b'{"id": 3, "ok": true, "value": {"$ref": 1, "type": "VAE"}}'


def scripted(*moves, ending=None, limits=LIMITS):
    return open_candidate(sandbox=FakeSandbox([*START, *moves], ending=ending), limits=limits)


def test_a_worker_that_is_dead_gives_the_same_error_ever_after_also_through_its_objects():
    ref = frame(3, None)[:4] + len(REF).to_bytes(4, "little") + bytes(8) + REF
    candidate = scripted(ref, Move.HANG_UP, ending=Ending(limit=Limit.MEMORY))
    model = candidate.VAE()
    for ask in (
        model.encode,
        candidate.kl_divergence,
        model,
        lambda: model.get("layer"),
        lambda: candidate.has("VAE"),
    ):
        with pytest.raises(CandidateDied, match=r"^used more than 2048 MiB of memory$"):
            ask()
    assert isinstance(candidate.failure, CandidateDied)
    assert candidate.close().limit is Limit.MEMORY


def test_the_default_wait_is_the_limit_for_one_question():
    candidate = scripted(Move.NOTHING, limits=Limits(question_s=1))
    with pytest.raises(CandidateTimeout, match=r"^no answer to `encode` within 1 s$"):
        candidate.encode(1)
    assert isinstance(candidate.failure, CandidateTimeout)


def test_an_answer_to_another_question_ends_the_session():
    candidate = scripted(frame(9, "forged"))
    with pytest.raises(ProtocolViolation, match="it belongs to a question that was not asked"):
        candidate.encode(1)


def test_an_import_that_takes_for_ever_is_a_timeout_for_ever():
    candidate = open_candidate(sandbox=FakeSandbox([*START[:2], Move.NOTHING]), limits=Limits(question_s=1))
    for _ in range(2):
        with pytest.raises(CandidateTimeout, match=r"^no answer to `import vae` within 1 s$"):
            candidate.encode(1)


def test_a_worker_that_ends_before_any_code_of_the_submission_ran_is_our_fault():
    candidate = open_candidate(
        sandbox=FakeSandbox([START[0], Move.HANG_UP], ending=Ending(limit=Limit.MEMORY))
    )
    for _ in range(2):
        with pytest.raises(
            SandboxError, match="before any code of the submission ran: used more than 2048 MiB"
        ):
            candidate.encode(1)
    assert candidate.failure is None


def test_a_sandbox_that_cannot_start_is_our_fault_at_every_question():
    class Broken(Counting):
        def start(self, spec):
            super().start(spec).close()
            raise SandboxError("bubblewrap is not installed")

    sandbox = Broken()
    candidate = open_candidate(sandbox=sandbox)
    for _ in range(2):
        with pytest.raises(SandboxError, match="bubblewrap is not installed"):
            candidate.encode(1)
    assert sandbox.started == 1


def test_a_closed_candidate_is_not_asked_again():
    candidate = open_candidate()
    assert candidate.has("VAE")
    assert candidate.close() == candidate.close()
    with pytest.raises(RuntimeError, match="this candidate was closed"):
        candidate.has("VAE")


@pytest.mark.parametrize("lie", [np.zeros(2), [], 1, "yes", None])
def test_whether_a_name_is_there_is_answered_by_yes_or_no_alone(lie):
    told = r"^whether `encode` is defined was answered by a \w+, not a bool$"
    with scripted(frame(3, lie)) as candidate, pytest.raises(WrongAnswer, match=told):
        candidate.has("encode")


def test_the_longest_names_and_places_leave_a_message_of_the_promised_length():
    long = "x" * 400
    error = {"kind": "raised", "type": long, "message": long * 3, "trace": [f"{long[:280]}, line 1: y"]}
    head = json.dumps({"id": 4, "ok": False, "error": error}).encode()
    named = REF.replace(b"VAE", b"V" * 100)
    start = [PREAMBLE.pack(MAGIC, len(part), 0) + part for part in (named, head)]
    with scripted(*start) as candidate, pytest.raises(CandidateRaised) as caught:
        candidate.VAE().encode(1)
    assert len(str(caught.value)) <= MESSAGE_CHARACTERS
