"""What the public and the hidden checks share: the model under test, random sequences, the training text."""

import pytest
import torch

from grader.data.text import VOCABULARY, SecretAlphabet, encode, read_text
from grader.families import lm

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
    """The characters are renumbered in each examination, so weights trained beforehand are of no use."""
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
