"""What the public and the hidden checks share: the model under test, random sequences, the training text."""

import pytest
import torch

from grader.data.text import VOCABULARY, SecretAlphabet, encode, read_text
from grader.families import lm, lm_learning, lora
from grader.families.prompting import KnownModel, Pairs

TASK = "transformer"
SYMBOLS = len(VOCABULARY)


@pytest.fixture(scope="session")
def config(exam):
    """The sizes in assignment.toml."""
    return exam.config(TASK)


@pytest.fixture
def model(candidate, config):
    """The submission's model before training, in evaluation mode, in the worker that the checks share."""
    return lm.build(candidate, config)


@pytest.fixture
def forward(model):
    """Asks the model for logits; every answer is checked for shape, kind and finite values."""
    return lm.forward_of(model, symbols=SYMBOLS)


@pytest.fixture
def parameter_names(candidate, model):
    """What an optimiser would change; fails where there is nothing."""
    return lm_learning.names_of(candidate.prop("inspector").parameter_names(model))


@pytest.fixture
def shaken_forward(exam, candidate, config, model, parameter_names):
    """The untrained model with noise of ours on its parameters, so that none is at an initial zero."""
    weights = lm.weights_of(model)
    state = lm_learning.shaken(weights, parameter_names, seed=exam.seed_for("shaken weights"))
    return lm.forward_of(lm.build(candidate, config, state), symbols=SYMBOLS)


@pytest.fixture(scope="session")
def sequences(exam, config):
    """Eight random sequences of full length, drawn anew for each examination."""
    generator = torch.Generator().manual_seed(exam.seed_for("sequences"))
    return torch.randint(SYMBOLS, (8, config.context), generator=generator)


@pytest.fixture(scope="session")
def repeated(exam, config):
    """One question asked twice, about sequences that nobody has asked about: fails unless the answers agree.

    A model that answers at random, or that remembers, can be examined for nothing else.
    """
    generator = torch.Generator().manual_seed(exam.seed_for("repeated sequences"))
    tokens = torch.randint(SYMBOLS, (8, config.context), generator=generator)
    forward = lm.forward_of(lm.build(exam.shared(TASK), config), symbols=SYMBOLS)
    found = lm.repeat_difference(forward, tokens)
    assert found.holds, (
        f"the same tokens asked twice gave log-probabilities {found.worst:.2g} nats apart; after `eval()` "
        f"nothing may be random, and nothing may be remembered"
    )
    return found


@pytest.fixture(scope="session")
def alphabet(exam):
    """The characters are renumbered in each examination, so weights trained beforehand do not fit."""
    return SecretAlphabet(SYMBOLS, seed=exam.seed_for("alphabet"))


@pytest.fixture(scope="session")
def training_tokens(exam, alphabet):
    """The training text as integers."""
    return alphabet.hide(encode(read_text(exam.data_dir / "moby_dick_train.txt")))


# ngram


@pytest.fixture(scope="session")
def ngram_config(exam):
    """The number of symbols, and the order of the mixture that is measured."""
    return exam.config("ngram")


# sampling


@pytest.fixture(scope="session")
def sampling_table(exam):
    """Logits of the next of 12 tokens after each: what the models in `props/table_model.py` are made of."""
    generator = torch.Generator().manual_seed(exam.seed_for("table of logits"))
    return 1.5 * torch.randn(12, 12, generator=generator)


@pytest.fixture(scope="session")
def sampling_logits(exam):
    """Random logits of a given shape: the same for everybody, and others under another name."""

    def draw(name, *shape):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(exam.seed_for(name)))

    return draw


# Low-rank fine-tuning: a model of ours that is trained already, and a new source to tune it to


@pytest.fixture(scope="session")
def lora_weights(exam):
    """Weights of the pre-trained model, drawn for this examination; it models a chain of 12 symbols."""
    return lora.pretrained_weights(
        symbols=12, width=16, hidden=20, blocks=2, seed=exam.seed_for("pretrained")
    )


@pytest.fixture
def lora_base(candidate, lora_weights):
    """The pre-trained model in the submission's worker, without adapters."""
    return candidate.prop("pretrained").Pretrained(lora_weights)


@pytest.fixture
def lora_adapted(exam, candidate, lora_base):
    """The same with the submission's adapters, in evaluation mode, for an adapter may have dropout."""
    config = exam.config("lora")
    model = lora.as_model(candidate.add_lora(lora_base, config.rank, config.alpha), name="add_lora")
    model.eval()
    return model


# Prompting: a language model of ours whose every probability is known


@pytest.fixture(scope="session")
def prompting_known(exam):
    """Ten symbols, at most 32 places."""
    return KnownModel.draw(symbols=10, context=32, seed=exam.seed_for("known model"))


@pytest.fixture
def prompting_model(candidate, prompting_known):
    """The same model in the submission's worker."""
    return prompting_known.in_worker(candidate)


@pytest.fixture(scope="session")
def prompting_pairs(exam):
    """Five pairs of a source of six symbols and a target of at most seven."""
    return Pairs.draw(5, source=6, target=7, symbols=10, seed=exam.seed_for("pairs"))
