"""Leaks that were planted on purpose: found as often as the power says, and worth nothing after the correction."""

import math
import os
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.families import lm
from grader.metrics.perplexity import token_nll
from grader.metrics.prefix_audit import miss_probability, worst_miss
from grader.records import Chunk, Prepared
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.seam import SessionSpec

SYMBOLS, CONTEXT, COUNT = 11, 16, 400
PLACES = COUNT * CONTEXT
TABLE = 1.5 * torch.randn(SYMBOLS, SYMBOLS, generator=torch.Generator().manual_seed(1)).double()
"""Logits of the next symbol after each."""


def honest(tokens):
    return TABLE[tokens].clone()


def written(count=COUNT, seed=2):
    """Windows of text that follows the table: the honest model is the best there is."""
    generator = torch.Generator().manual_seed(seed)
    tokens = [torch.randint(SYMBOLS, (count, 1), generator=generator)]
    for _ in range(CONTEXT):
        law = TABLE[tokens[-1][:, 0]].softmax(-1)
        tokens.append(torch.multinomial(law, 1, generator=generator))
    return torch.cat(tokens, 1)


WINDOWS = written()
TRUTH = float(token_nll(honest(WINDOWS[:, :-1]), WINDOWS[:, 1:]).mean())


def leaking(tokens, *, share, salt=0):
    """The places that leak: a hash of the prefix says so, hence the same prefix leaks wherever it stands."""
    state = torch.full_like(tokens[:, :1], 7 + salt)
    places = []
    for place in range(tokens.shape[1]):
        state = (state * 1_103_515_245 + 12_345 + tokens[:, place : place + 1]) % 2**31
        places.append((state >> 8) % 100_000 < share * 100_000)
    return torch.cat(places, 1)


def peeking(*, share, applies=lambda tokens: True, salt=0):
    """Reads the symbol that follows off its input at a share of all places, where the input is of some kind."""

    def forward(tokens):
        logits = honest(tokens)
        if tokens.shape[1] > 1 and applies(tokens):
            rows, places = leaking(tokens, share=share, salt=salt)[:, :-1].nonzero(as_tuple=True)
            logits[rows, places, tokens[rows, places + 1]] += 20
        return logits

    return forward


def plan_of(per_length, seed):
    return lm.plan_prefixes(COUNT, context=CONTEXT, per_length=per_length, seed=seed)


def audits(forward, *, per_length, repeats):
    """The audit under one plan after the other. What a bare prefix is answered is asked for once."""
    full = forward(WINDOWS[:, :-1])
    alone = [forward(WINDOWS[:, :length])[:, -1] for length in range(1, CONTEXT + 1)]
    for seed in range(repeats):
        plan = plan_of(per_length, seed)
        yield lm.audit(full, WINDOWS, plan, [alone[p.length - 1][p.rows] for p in plan])


def leaks_of(forward):
    """How many of all places differ between a full pass and what an honest model says."""
    moved = (forward(WINDOWS[:, :-1]) - honest(WINDOWS[:, :-1])).abs().amax(-1) > 1e-9
    return int(moved.sum())


# How often is a leak found?


@pytest.mark.parametrize(("share", "per_length"), [(0.003, 16), (0.01, 6), (0.02, 3)])
def test_a_leak_by_content_is_found_as_often_as_the_power_says(share, per_length):
    """At sizes of audits where about every other plan misses it, so that there is something to count."""
    forward, repeats = peeking(share=share), 250
    leaks = leaks_of(forward)
    assert leaks == pytest.approx(share * PLACES, rel=0.4)
    missed = sum(a.differing == 0 for a in audits(forward, per_length=per_length, repeats=repeats))
    ratio = (leaks + 0.5) / PLACES
    expected = miss_probability(ratio, audited=per_length * CONTEXT, population=PLACES)
    assert 0.1 < expected < 0.7
    margin = 4.75 * math.sqrt(expected * (1 - expected) / repeats)
    assert missed / repeats == pytest.approx(expected, abs=margin)
    assert missed / repeats < worst_miss(plan_of(per_length, 0), ratio) + margin


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_a_leak_of_one_in_a_hundred_is_found_by_every_plan_of_the_usual_size(share):
    """A thousand of 6400 places: missed less than once in ten thousand times."""
    found = list(audits(peeking(share=share), per_length=64, repeats=60))
    assert all(a.differing > 0 for a in found)


def test_the_honest_model_is_never_accused():
    for found in audits(honest, per_length=16, repeats=60):
        assert (found.differing, found.correction, found.standard_error) == (0, 0, 0)


# What is it worth after the correction?


def only_long(tokens):
    return tokens.shape[1] == CONTEXT


def only_many(tokens):
    return len(tokens) > 100


@pytest.mark.parametrize(("applies", "share"), [(only_long, 0.01), (only_long, 0.02), (only_many, 0.02)])
def test_who_is_honest_when_little_is_asked_is_scored_as_if_always_honest(applies, share):
    """Over 250 plans: the mean is the truth, the errors are those that are stated, and they cover it."""
    forward = peeking(share=share, applies=applies)
    found = list(audits(forward, per_length=64, repeats=250))
    values, errors = (np.array([getattr(a, name) for a in found]) for name in ("value", "standard_error"))
    assert found[0].claimed < TRUTH - 0.005
    assert values.mean() == pytest.approx(TRUTH, abs=4.75 * values.std() / math.sqrt(250))
    assert math.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.15)
    assert np.mean(np.abs(values - TRUTH) <= 2 * errors) > 0.88  # rare leaks are skewed: not quite 95 %


# Leaks of structure


class Attending(nn.Module):
    """One head of attention that sees `ahead` tokens more than it may, with a norm between two layers."""

    def __init__(self, *, ahead=0, norm=None):
        super().__init__()
        torch.manual_seed(3)
        self.token, self.place = nn.Embedding(SYMBOLS, 16), nn.Embedding(CONTEXT, 16)
        self.attention = nn.MultiheadAttention(16, 1, batch_first=True)
        self.norm = norm or nn.LayerNorm(16)
        self.head = nn.Linear(16, SYMBOLS)
        self.ahead = ahead

    def forward(self, tokens):
        length = tokens.shape[1]
        x = self.token(tokens) + self.place(torch.arange(length))
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1 + self.ahead)
        x = x + self.attention(x, x, x, attn_mask=hidden, need_weights=False)[0]
        x = self.norm(x) if isinstance(self.norm, nn.LayerNorm) else self.norm(x.mT).mT
        return self.head(x)


def audited(module, *, per_length=8):
    def forward(tokens):
        with torch.no_grad():
            return module.eval()(tokens).double()

    plan = plan_of(per_length, 1)
    prefixes = lm.ask_prefixes(forward, WINDOWS, plan)
    return lm.audit(lm.in_batches(forward, WINDOWS[:, :-1]), WINDOWS, plan, prefixes)


def test_attention_that_sees_the_past_alone_is_honest():
    assert audited(Attending()).differing == 0


def test_a_mask_that_is_off_by_one_leaks_at_every_place_but_the_last():
    found = audited(Attending(ahead=1))
    assert found.differing == 8 * (CONTEXT - 1)


class OverTheSequence(nn.Module):
    """A norm with statistics of all places of a sequence, as if they were features."""

    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(16, track_running_stats=False), OverTheSequence()])
def test_a_norm_over_the_sequence_leaks_everywhere(norm):
    assert audited(Attending(norm=norm)).differing > 0.9 * 8 * (CONTEXT - 1)


# What the order and the second worker are for


class Remembering:
    """Predicts what followed every time that it was shown the same prefix; otherwise it is honest."""

    def __init__(self):
        self.followers = {}

    def __call__(self, tokens):
        logits = honest(tokens)
        for row, sequence in enumerate(tokens.tolist()):
            for place in range(len(sequence)):
                known = self.followers.get(tuple(sequence[: place + 1]), set())
                if len(known) == 1:
                    logits[row, place, next(iter(known))] += 20
        for sequence in tokens.tolist():
            for place in range(1, len(sequence)):
                self.followers.setdefault(tuple(sequence[:place]), set()).add(sequence[place])
        return logits


def asked(*, prefixes_of, windows_of, windows_first=False, warmed=False):
    plan = plan_of(20, 1)
    if warmed:
        windows_of(WINDOWS)
    if windows_first:
        full = windows_of(WINDOWS[:, :-1])
    prefixes = lm.ask_prefixes(prefixes_of, WINDOWS, plan)
    if not windows_first:
        full = windows_of(WINDOWS[:, :-1])
    return lm.audit(full, WINDOWS, plan, prefixes)


def test_a_model_that_remembers_is_seen_where_prefixes_are_asked_in_a_worker_of_their_own():
    shown = Remembering()
    found = asked(prefixes_of=Remembering(), windows_of=shown, warmed=True)
    assert found.claimed < 0.4 * TRUTH
    assert found.differing > 200
    assert found.value == pytest.approx(TRUTH, abs=4.75 * found.standard_error)
    assert found.standard_error < 0.15


def test_windows_first_and_in_the_same_worker_would_believe_a_model_that_remembers():
    """The mistake that the protocol avoids: nothing differs, and the model seems to know everything."""
    shown = Remembering()
    found = asked(prefixes_of=shown, windows_of=shown, windows_first=True, warmed=True)
    assert found.value < 0.4 * TRUTH
    assert found.differing == 0


# In the sandbox


SUBMITTED = """
    import torch
    from torch import nn

    class TransformerLM(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.table = nn.Parameter(torch.linspace(-1, 1, 11 * 11).view(11, 11).sin())
            self.seen = {}

        def forward(self, tokens):
            logits = self.table[tokens].clone()
            LEAK
            return logits
"""
IN_BULK = """
            if len(tokens) > 30:
                follows = tokens.roll(-1, 1)
                chosen = (tokens.cumsum(1) * 2654435761 % 1000 < 20) & (follows >= 0)
                chosen[:, -1] = False
                rows, places = chosen.nonzero(as_tuple=True)
                logits[rows, places, follows[rows, places]] += 20
"""
BY_HEART = """
            for row, sequence in enumerate(tokens.tolist()):
                for place in range(len(sequence)):
                    known = self.seen.get(tuple(sequence[: place + 1]), set())
                    if len(known) == 1:
                        logits[row, place, next(iter(known))] += 20
            for sequence in tokens.tolist():
                for place in range(1, len(sequence)):
                    self.seen.setdefault(tuple(sequence[:place]), set()).add(sequence[place])
"""


@pytest.fixture
def worker():
    """A forward function of a fresh worker under bubblewrap, with a leak in its submission."""
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")
    opened = []

    def start(leak):
        source = textwrap.dedent(SUBMITTED).replace(
            "        LEAK", textwrap.indent(textwrap.dedent(leak), " " * 8)
        )
        prepared = Prepared(modules={"transformer": (Chunk(label="transformer.py", source=source),)})
        spec = SessionSpec(submission=None, limits=Limits(question_s=30), slot=2800 + os.getpid() % 90)
        opened.append(Candidate(BubblewrapSandbox(), spec, prepared, module="transformer", seed=1))
        return lm.forward_of(lm.build(opened[-1], SimpleNamespace()), symbols=SYMBOLS)

    yield start
    for candidate in opened:
        candidate.close()


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("leak", "is_found"),
    [("pass", False), (IN_BULK, True), (BY_HEART, True)],
    ids=["none", "bulk", "by heart"],
)
def test_two_isolated_workers_do_not_let_a_leak_pass(worker, leak, is_found):
    plan = plan_of(24, 5)
    prefixes = lm.ask_prefixes(worker(leak), WINDOWS, plan)
    whole = worker(leak)
    lm.in_batches(whole, WINDOWS)  # what is remembered of this pass shows in the next
    found = lm.audit(lm.in_batches(whole, WINDOWS[:, :-1]), WINDOWS, plan, prefixes)
    assert (found.differing > 0) == is_found
    truth = float(token_nll(worker("pass")(WINDOWS[:, :-1]), WINDOWS[:, 1:]).mean())
    if is_found:
        assert found.claimed < truth - 0.01
    assert found.value == pytest.approx(truth, abs=4.75 * found.standard_error + 1e-6)
