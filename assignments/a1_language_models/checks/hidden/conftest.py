"""Fresh workers and weights for the hidden checks.

One worker trains. Its weights, before and after, go to two workers that have never trained: one is asked for
bare prefixes and for nothing else, the other for whole windows. Neither has seen what the other was shown.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grader.candidate import Generator
from grader.data.copying import CopySource
from grader.data.text import encode, read_text
from grader.families import lm, lm_learning, lora, ngram
from grader.families.answers import as_floats
from grader.families.prompting import KnownModel
from grader.metrics.perplexity import windows

TASK = "transformer"


@dataclass(frozen=True)
class Audit:
    """The same weights asked twice: bare prefixes in one worker, whole windows in another."""

    windows: torch.Tensor
    """(count, T + 1)."""
    plan: tuple[lm.Prefix, ...]
    prefixes: list[torch.Tensor]
    """For each prefix the logits of its last position."""
    full: torch.Tensor
    """(count, T, V), logits of the full pass."""

    @property
    def difference(self):
        """Where prefixes and windows are furthest apart."""
        return lm.prefix_difference(self.full, self.plan, self.prefixes)

    @property
    def found(self):
        """How many places differ, and what windows cost without what they show."""
        return lm.audit(self.full, self.windows, self.plan, self.prefixes)


@dataclass(frozen=True)
class Trained:
    """What came out of training, once in each examination."""

    losses: list[float]
    weights: dict[str, Any]
    parameters: frozenset[str]
    """Names of the weights that an optimiser changes."""


@pytest.fixture(scope="session")
def trainer(exam):
    """The worker that trains."""
    return exam.fresh(TASK)


@pytest.fixture(scope="session")
def prefix_worker(exam):
    """A worker that is asked for bare prefixes only."""
    return exam.fresh(TASK)


@pytest.fixture(scope="session")
def window_worker(exam):
    """A worker that is asked for whole windows only."""
    return exam.fresh(TASK)


@pytest.fixture(scope="session")
def untrained_weights(trainer, config):
    """Weights as the constructor makes them."""
    return lm.weights_of(lm.build(trainer, config))


@pytest.fixture(scope="session")
def trained(exam, trainer, config, training_tokens):
    """The submission's own training on the whole text, within the budget of assignment.toml."""
    model = lm.build(trainer, config)
    losses = lm.train(
        trainer,
        model,
        training_tokens,
        budget=exam.budget(TASK),
        device=exam.device,
        generator=Generator(exam.seed_for("training")),
    )
    exam.artifact("curve", "transformer_training_loss", losses)
    names = lm_learning.names_of(trainer.prop("inspector").parameter_names(model))
    return Trained(losses, lm.weights_of(model), names)


@pytest.fixture(scope="session")
def held_out(exam, alphabet, config):
    """Windows of a chapter that no submission has seen."""
    text = read_text(exam.hidden_dir / "data" / "moby_dick_held_out.txt")
    return windows(alphabet.hide(encode(text)), context=config.context)


@pytest.fixture(scope="session")
def untrained_audit(exam, untrained_weights, prefix_worker, window_worker, config):
    """Both ways of asking, with the weights of the constructor, on random sequences.

    At three of four positions: a leak at one in a hundred goes unseen once in a million million times.
    """
    generator = torch.Generator().manual_seed(exam.seed_for("audit sequences"))
    sequences = torch.randint(config.vocab_size, (64, config.context + 1), generator=generator)
    return _audit(exam, untrained_weights, prefix_worker, window_worker, config, sequences, per_length=48)


@pytest.fixture(scope="session")
def trained_audit(exam, trained, prefix_worker, window_worker, config, held_out):
    """Both ways of asking, with trained weights, on held-out text.

    64 windows for each length, 2048 positions of 21248: a leak at one in a hundred goes unseen less than once
    in a billion times, one at three in a thousand twice in a thousand times.
    """
    return _audit(exam, trained.weights, prefix_worker, window_worker, config, held_out, per_length=64)


@dataclass(frozen=True)
class Known:
    """A small model trained on a source that copies, and asked both ways about walks that it has not seen."""

    source: CopySource
    audit: Audit

    @property
    def excess(self):
        """Nats per symbol above the source's own."""
        audit = self.audit
        return lm_learning.excess_over(self.source, audit.windows, audit.full, audit.plan, audit.prefixes)

    @property
    def gap(self):
        """Nats per symbol that the symbol from one lag ago is worth."""
        return self.source.blind_entropy() - self.source.entropy_rate()


SMALL = SimpleNamespace(vocab_size=16, context=32, width=32, heads=2, layers=1)
SMALL_BUDGET = SimpleNamespace(steps=900, batch=16, wall_s=40)


@pytest.fixture(scope="session")
def known(exam, trainer, prefix_worker, window_worker):
    """The submission's own training on a source whose lag and table were drawn for this examination."""
    source = CopySource.draw(
        symbols=SMALL.vocab_size, lags=range(5, 10), noise=0.2, seed=exam.seed_for("source")
    )
    training = source.walks(1, length=30_000, seed=exam.seed_for("training walk"))[0]
    walks = source.walks(256, length=SMALL.context + 1, seed=exam.seed_for("test walks"))
    model = lm.build(trainer, SMALL)
    before = lm.weights_of(model)
    generator = Generator(exam.seed_for("source training"))
    lm.train(trainer, model, training, budget=SMALL_BUDGET, device=exam.device, generator=generator)
    names = lm_learning.names_of(trainer.prop("inspector").parameter_names(model))
    weights = lm_learning.only_trained(before, lm.weights_of(model), names)
    return Known(source, _audit(exam, weights, prefix_worker, window_worker, SMALL, walks, per_length=32))


def _audit(exam, weights, prefix_worker, window_worker, config, sequences, *, per_length):
    seed = exam.seed_for(f"audit of {per_length}")
    plan = lm.plan_prefixes(len(sequences), context=config.context, per_length=per_length, seed=seed)
    alone = lm.forward_of(lm.build(prefix_worker, config, weights), symbols=config.vocab_size)
    prefixes = lm.ask_prefixes(alone, sequences, plan)
    whole = lm.forward_of(lm.build(window_worker, config, weights), symbols=config.vocab_size)
    return Audit(sequences, plan, prefixes, lm.in_batches(whole, sequences[:, :-1]))


# ngram


@pytest.fixture(scope="session")
def ngram_held_out(exam, alphabet, ngram_config):
    """Disjoint pieces of the chapter that no submission has seen: contexts and the symbols that came."""
    text = read_text(exam.hidden_dir / "data" / "moby_dick_held_out.txt")
    return ngram.pieces(alphabet.hide(encode(text)), width=ngram_config.order)


@pytest.fixture(scope="session")
def ngram_to_beat(training_tokens, ngram_config, ngram_held_out):
    """Nats of the held-out symbols under the add-s model of one order that is best on them."""
    return ngram.best_single_order(
        training_tokens,
        *ngram_held_out,
        symbols=ngram_config.vocab_size,
        orders=range(2, ngram_config.order + 1),
        smoothings=(0.001, 0.01, 0.03, 0.1, 0.3, 1.0),
    )


# Low-rank fine-tuning


@dataclass(frozen=True)
class Tuned:
    """What came out of fine-tuning, once in each examination."""

    losses: list[float]
    before: dict[str, Any]
    """The state_dict with adapters, before training."""
    after: dict[str, Any]


@pytest.fixture(scope="session")
def lora_source(exam, lora_weights):
    """The source that the model is tuned to: not far from the one it knows."""
    return lora.NewSource.near(lora_weights, rank=2, strength=2.5, seed=exam.seed_for("new source"))


@pytest.fixture(scope="session")
def lora_tuned(exam, lora_weights, lora_source):
    """The submission's own fine-tuning, in a worker of its own."""
    worker, config, budget = exam.fresh("lora"), exam.config("lora"), exam.budget("lora")
    base = worker.prop("pretrained").Pretrained(lora_weights)
    model = lora.as_model(worker.add_lora(base, config.rank, config.alpha), name="add_lora")
    before = model.state_dict()
    losses = worker.call(
        "train_lora",
        model,
        *lora_source.rows(2000, length=8, seed=exam.seed_for("rows")),
        timeout_s=float(budget.wall_s),
        grad=True,
        budget=budget,
        device=exam.device,
        generator=Generator(exam.seed_for("fine-tuning")),
    )
    reported = as_floats(losses, name="train_lora", at_least=2)
    exam.artifact("curve", "lora_training_loss", reported)
    return Tuned(reported, before, model.state_dict())


@pytest.fixture(scope="session")
def lora_logits(exam, lora_tuned, lora_weights):
    """Logits after each symbol, from a fresh worker that has the trained weights and nothing else."""
    worker, config = exam.fresh("lora"), exam.config("lora")
    base = worker.prop("pretrained").Pretrained(lora_weights)
    model = lora.as_model(worker.add_lora(base, config.rank, config.alpha), name="add_lora")
    model.load_state_dict(lora_tuned.after)
    model.eval()
    return lora.logits_from(model, symbols=len(lora_weights[lora.EMBEDDING]))


# Prompting


@pytest.fixture(scope="session")
def prompting_known(exam):
    """Another model than that of the public checks, so that an answer given there is of no use here."""
    return KnownModel.draw(symbols=10, context=32, seed=exam.seed_for("hidden known model"))
