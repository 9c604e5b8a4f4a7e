"""A language model cannot see ahead unnoticed, and what it is scored by is ours."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from grader.errors import WrongAnswer
from grader.families import lm
from grader.metrics.perplexity import token_nll

SYMBOLS, CONTEXT = 11, 16


class Toy(nn.Module):
    """A causal model: each position sees its own token and the mean of all tokens so far."""

    def __init__(self, leak=None):
        super().__init__()
        torch.manual_seed(5)
        self.token = nn.Embedding(SYMBOLS, 12)
        self.past = nn.Linear(12, 12)
        self.head = nn.Linear(12, SYMBOLS)
        self.leak = leak or (lambda x: x)

    def forward(self, tokens):
        x = self.token(tokens)  # (B, T, C)
        count = torch.arange(1, x.shape[1] + 1).unsqueeze(-1)
        return self.head(self.leak(x + self.past(x.cumsum(1) / count).tanh()))


def next_position(x):
    return torch.cat([x[:, :-1] + 0.1 * x[:, 1:], x[:, -1:]], dim=1)


def all_positions(x):
    return x + 1e-3 * x.mean(1, keepdim=True)


def sequence_statistics(x):
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, unbiased=False) + 1e-5)


def batch_statistics(x):
    return (x - x.mean(0, keepdim=True)) / (x.std(0, keepdim=True, unbiased=False) + 1e-5)


LEAKS = [next_position, all_positions, sequence_statistics]


class Handle:
    """Stands for a model in a worker: takes tensors, gives arrays."""

    type_name = "Toy"

    def __init__(self, module):
        self.module = module

    def __call__(self, tokens):
        with torch.no_grad():
            return self.module(tokens).numpy()

    def eval(self):
        self.module.eval()
        return self

    def state_dict(self):
        return {name: value.numpy() for name, value in self.module.state_dict().items()}

    def load_state_dict(self, state):
        self.module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})


class Submission:
    """Stands for a worker: answers as it was told, and remembers how it was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = {}

    def call(self, name, *args, **options):
        self.asked[name] = (args, options)
        return self.answers[name]


def forward_of(module):
    return lm.forward_of(Handle(module), symbols=SYMBOLS)


def sequences(count=6, length=CONTEXT, seed=0):
    return torch.randint(SYMBOLS, (count, length), generator=torch.Generator().manual_seed(seed))


def look_ahead(forward, seed=1):
    return lm.look_ahead(forward, sequences(), symbols=SYMBOLS, cuts=16, seed=seed)


def shifted(forward, offset):
    """Logits in float32 with a constant on top."""
    return lambda tokens: (forward(tokens) + offset).float().double()


# Answers


def test_bare_logits_a_tuple_and_an_object_with_logits_are_the_same_model():
    logits = Handle(Toy())(sequences())
    forms = [
        logits,
        (logits, None),
        [logits],
        {"logits": logits},
        SimpleNamespace(get={"logits": logits}.get),
    ]
    for form in forms:
        found = lm.forward_of(lambda _, form=form: form, symbols=SYMBOLS)(sequences())
        assert torch.equal(found, torch.from_numpy(logits).double())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            np.zeros((6, 1, SYMBOLS)),
            r"`forward` returned shape \(6, 1, 11\) where \(6, 16, 11\) is asked for",
        ),
        (np.zeros((6, CONTEXT, SYMBOLS), dtype=np.int64), "returned int64 where floating point numbers"),
        (np.full((6, CONTEXT, SYMBOLS), np.nan), "are NaN or infinite"),
        (np.full((6, CONTEXT, SYMBOLS), 1e300), "returned logits of size 1.0e"),
        ((), r"returned a tuple of 0 where an array of shape \(6, 16, 11\) is asked for"),
        ({"loss": 1.0}, "returned None where an array"),
        (None, "returned None where an array"),
    ],
)
def test_what_are_no_logits_is_refused(answer, message):
    with pytest.raises(WrongAnswer, match=message):
        lm.forward_of(lambda _: answer, symbols=SYMBOLS)(sequences())


def test_an_unusual_form_is_named_and_the_usual_one_is_not():
    logits = np.zeros((1, 1, 2))
    assert lm.unusual_form(logits) == ""
    assert lm.unusual_form((logits, None)) == "a tuple of 2; the first of them is taken as the logits"
    assert lm.unusual_form({"logits": logits}) == "a dict of 1; its `logits` are taken"


def test_many_sequences_asked_in_batches_are_those_asked_at_once():
    forward = forward_of(Toy())
    assert torch.allclose(
        lm.in_batches(forward, sequences(7), size=3), forward(sequences(7)), rtol=0, atol=1e-5
    )


# Workers


def test_a_model_is_built_with_its_weights_and_in_evaluation_mode():
    source, target = Handle(Toy()), Handle(Toy())
    with torch.no_grad():
        source.module.head.bias.fill_(3)
    target.module.train()
    model = lm.build(Submission(TransformerLM=target), "config", lm.weights_of(source))
    assert not model.module.training
    assert model.module.head.bias.tolist() == [3] * SYMBOLS


def test_a_constructor_that_returns_no_model_is_refused():
    with pytest.raises(
        WrongAnswer, match=r"`TransformerLM\(config\)` returned one float where a model is asked for"
    ):
        lm.build(Submission(TransformerLM=2.0), "config")


def test_training_is_asked_with_gradients_and_the_time_of_the_budget():
    budget = SimpleNamespace(steps=3, batch=2, wall_s=7)
    submission = Submission(train_transformer=[2.0, 1.0])
    losses = lm.train(submission, "model", torch.arange(5), budget=budget, device="cpu", generator="seeded")
    args, options = submission.asked["train_transformer"]
    assert losses == [2.0, 1.0]
    assert (args[0], args[1].tolist()) == ("model", [0, 1, 2, 3, 4])
    assert options == {
        "timeout_s": 7.0,
        "grad": True,
        "budget": budget,
        "device": "cpu",
        "generator": "seeded",
    }


def test_training_that_reports_nothing_is_refused():
    budget = SimpleNamespace(steps=3, batch=2, wall_s=7)
    with pytest.raises(WrongAnswer, match="`train_transformer` returned None where a list of floats"):
        lm.train(
            Submission(train_transformer=None), "m", sequences(), budget=budget, device="cpu", generator=0
        )


# Looking ahead


def test_a_causal_model_does_not_look_ahead():
    found = look_ahead(forward_of(Toy()))
    assert found.holds
    assert found.worst < 0.1 * found.allowed


@pytest.mark.parametrize("leak", LEAKS)
def test_every_leak_is_found_by_editing_later_tokens(leak):
    found = look_ahead(forward_of(Toy(leak)))
    assert not found.holds
    assert found.worst > 10 * found.allowed
    assert 1 <= found.place < CONTEXT


@pytest.mark.parametrize("offset", [3.5, 100.0, -1000.0])
def test_a_constant_on_all_logits_is_no_look_ahead(offset):
    assert look_ahead(shifted(forward_of(Toy()), offset)).holds


def test_a_maximum_over_all_positions_cancels_and_is_no_look_ahead():
    forward = forward_of(Toy())
    assert look_ahead(lambda tokens: forward(tokens) - forward(tokens).amax((1, 2), keepdim=True)).holds


def test_a_leak_cannot_hide_behind_a_huge_constant():
    leaking = forward_of(Toy(next_position))
    found = look_ahead(lambda tokens: leaking(tokens) + 1e9)
    assert found.allowed <= 1e-3
    assert not found.holds


def test_another_seed_cuts_elsewhere():
    forward = forward_of(Toy(next_position))
    assert look_ahead(forward, seed=1).worst != look_ahead(forward, seed=2).worst


def test_all_tokens_before_the_cut_stay_and_all_from_it_change():
    asked = []

    def forward(tokens):
        asked.append(tokens)
        return torch.zeros(*tokens.shape, SYMBOLS, dtype=torch.float64)

    look_ahead(forward)
    original, *edited = asked
    for tokens in edited:
        same = (tokens == original).all(0)
        cut = int(same.sum())
        assert 1 <= cut < CONTEXT
        assert same[:cut].all()
        assert not (tokens == original)[:, cut:].any()


# Consistency


def test_sequences_that_do_not_mix_are_the_same_alone():
    assert lm.batch_dependence(forward_of(Toy()), sequences()).holds


def test_sequences_that_mix_are_found():
    assert not lm.batch_dependence(forward_of(Toy(batch_statistics)), sequences()).holds


def test_a_deterministic_model_answers_alike():
    found = lm.repeat_difference(forward_of(Toy()), sequences())
    assert found.worst == 0


def test_dropout_that_is_never_off_is_found():
    forward = forward_of(Toy(lambda x: nn.functional.dropout(x, 0.1)))
    assert not lm.repeat_difference(forward, sequences()).holds


# Prefixes


def plan(count=40, per_length=10, seed=3):
    return lm.plan_prefixes(count, context=CONTEXT, per_length=per_length, seed=seed)


def test_prefixes_are_planned_shortest_first_and_for_every_length():
    lengths = [prefix.length for prefix in plan()]
    assert lengths == list(range(1, CONTEXT + 1))
    assert all(len(set(prefix.rows.tolist())) == 10 for prefix in plan())


def test_another_seed_audits_other_positions():
    assert any(not torch.equal(a.rows, b.rows) for a, b in zip(plan(seed=3), plan(seed=4), strict=True))


def test_a_prefix_is_asked_without_what_follows_it():
    asked = []

    def forward(tokens):
        asked.append(tokens)
        return torch.zeros(*tokens.shape, SYMBOLS, dtype=torch.float64)

    windows = sequences(40, CONTEXT + 1)
    lm.ask_prefixes(forward, windows, plan())
    for prefix, tokens in zip(plan(), asked, strict=True):
        assert torch.equal(tokens, windows[prefix.rows, : prefix.length])


def audit(asked_alone, asked_whole):
    windows = sequences(40, CONTEXT + 1)
    prefixes = lm.ask_prefixes(asked_alone, windows, plan())
    return windows, prefixes, asked_whole(windows[:, :-1])


def test_an_honest_model_says_the_same_of_a_prefix():
    _, prefixes, full = audit(forward_of(Toy()), forward_of(Toy()))
    assert lm.prefix_difference(full, plan(), prefixes).holds


@pytest.mark.parametrize("leak", LEAKS)
def test_every_leak_is_found_by_prefixes(leak):
    _, prefixes, full = audit(forward_of(Toy(leak)), forward_of(Toy(leak)))
    assert not lm.prefix_difference(full, plan(), prefixes).holds


class Peeking:
    """Reads the symbol that follows off its input at one position in fifty."""

    def __init__(self, forward):
        self.forward = forward

    def __call__(self, tokens):
        logits = self.forward(tokens).clone()
        for row, sequence in enumerate(tokens.tolist()):
            for place, follower in enumerate(sequence[1:]):
                if (7 * sequence[place] + place) % 50 == 0:
                    logits[row, place, follower] += 20
        return logits


def test_peeking_at_one_position_in_fifty_is_found():
    forward = Peeking(forward_of(Toy()))
    _, prefixes, full = audit(forward, forward)
    assert not lm.prefix_difference(full, plan(), prefixes).holds


def test_an_audit_adds_nothing_to_an_honest_model():
    windows, prefixes, full = audit(forward_of(Toy()), forward_of(Toy()))
    found = lm.audited_code_length(full, windows, plan(), prefixes, block=4)
    assert found.value == pytest.approx(float(token_nll(full, windows[:, 1:]).mean()), abs=1e-6)
    assert found.n == 40 * CONTEXT
    assert 0 < found.standard_error < 0.2


def test_an_audit_takes_back_what_peeking_gains():
    honest = forward_of(Toy())
    windows, prefixes, full = audit(Peeking(honest), Peeking(honest))
    whole = plan(per_length=40)
    everything = lm.ask_prefixes(Peeking(honest), windows, whole)
    truth = float(token_nll(honest(windows[:, :-1]), windows[:, 1:]).mean())
    claimed = float(token_nll(full, windows[:, 1:]).mean())
    assert claimed < truth - 0.02
    assert lm.audited_code_length(full, windows, whole, everything, block=4).value == pytest.approx(truth)
    sampled = lm.audited_code_length(full, windows, plan(), prefixes, block=4)
    assert sampled.value == pytest.approx(truth, abs=4.75 * sampled.standard_error)


class Remembering:
    """Predicts perfectly what followed in a sequence that it was shown before; the leak that edits miss."""

    def __init__(self, forward):
        self.forward, self.seen = forward, {}

    def __call__(self, tokens):
        logits = self.forward(tokens).clone()
        for row, sequence in enumerate(tokens.tolist()):
            known = self.seen.get(tuple(sequence[:3]), [])
            for place in range(min(len(sequence), len(known) - 1)):
                logits[row, place, known[place + 1]] += 20
            if len(sequence) > len(known):
                self.seen[tuple(sequence[:3])] = sequence
        return logits


def test_a_model_that_remembers_is_found_because_prefixes_come_first_and_elsewhere():
    shown = Remembering(forward_of(Toy()))
    shown(sequences(40, CONTEXT + 1))
    _, prefixes, full = audit(Remembering(forward_of(Toy())), shown)
    assert lm.prefix_difference(full, plan(), prefixes).worst > 5


# Sampling


def always(logits):
    return lambda tokens: torch.tensor(logits, dtype=torch.float64).expand(*tokens.shape, len(logits))


def sample(forward, count, temperature=1.0, seed=0):
    prompt = torch.tensor([1, 2])
    return lm.sample_tokens(forward, prompt, count=count, context=4, temperature=temperature, seed=seed)


def test_samples_follow_the_softmax_of_the_logits_over_the_temperature():
    logits, n = [0.0, 1.0, -1.0], 4000
    drawn = sample(always(logits), n, temperature=0.5)
    expected = n * torch.tensor(logits, dtype=torch.float64).div(0.5).softmax(0)
    counts = torch.bincount(drawn, minlength=3)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 27.6  # one in a million for two degrees of freedom


def test_a_sample_has_the_length_that_was_asked_for_and_not_the_prompt():
    assert len(sample(always([0.0, 0.0]), 7)) == 7


def test_the_model_is_never_shown_more_than_its_context():
    lengths = []

    def forward(tokens):
        lengths.append(tokens.shape[1])
        return torch.zeros(*tokens.shape, 3, dtype=torch.float64)

    sample(forward, 6)
    assert lengths == [2, 3, 4, 4, 4, 4]


def test_the_same_seed_samples_the_same_text():
    assert torch.equal(sample(always([0.0, 1.0]), 30), sample(always([0.0, 1.0]), 30))
    assert not torch.equal(sample(always([0.0, 1.0]), 30), sample(always([0.0, 1.0]), 30, seed=1))
