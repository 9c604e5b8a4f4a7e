"""A sampler is compared with exact probabilities, and what it draws with their law."""

import textwrap
from types import MappingProxyType

import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families import sampling
from grader.families.sampling import Setting
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

EXAMPLE = torch.tensor([[0.5, 0.25, 0.15, 0.06, 0.04]], dtype=torch.float64).log()
AS_IT_IS = Setting()
TABLE = 1.5 * torch.randn(6, 6, generator=torch.Generator().manual_seed(3))

TABLE_MODEL = """
class TableModel:
    def __init__(self, table):
        self.table = table

    def __call__(self, tokens):
        return self.table[tokens]
"""

PLAIN = """
    import torch

    def truncated_probabilities(logits, *, temperature, top_k=None, top_p=None):
        return (logits / temperature).softmax(-1)

    def generate(model, prompt, max_new_tokens, *, context, temperature=1.0, top_k=None, top_p=None, generator=None):
        tokens = prompt
        for _ in range(max_new_tokens):
            p = (model(tokens)[:, -1] / temperature).softmax(-1)
            tokens = torch.cat([tokens, torch.multinomial(p, 1, generator=generator)], dim=1)
        return tokens
"""


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in PLAIN
        source = textwrap.dedent(PLAIN.replace(replace, by) if replace else PLAIN)
        prepared = Prepared(modules={"sampling": (Chunk(label="sampling.py", source=source),)})
        candidate = Candidate(
            FakeSandbox(),
            SessionSpec(submission=None, limits=Limits(question_s=10)),
            prepared,
            module="sampling",
            seed=1,
            props=MappingProxyType({"table_model": TABLE_MODEL}),
        )
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def generated(candidate, *, batch=400, count=10, setting=AS_IT_IS, seed=5):
    model = candidate.prop("table_model").TableModel(TABLE)
    prompt = torch.arange(batch).unsqueeze(1) % 6
    return sampling.ask_generate(
        candidate, model, prompt, count, context=8, setting=setting, symbols=6, seed=seed
    )


@pytest.mark.parametrize(
    ("setting", "right"),
    [
        (Setting(), [0.5, 0.25, 0.15, 0.06, 0.04]),
        (Setting(temperature=0.5), [0.25 / 0.3402, 0.0625 / 0.3402, 0.0225 / 0.3402, 0.0036 / 0.3402, 0.0016 / 0.3402]),
        (Setting(temperature=0.0), [1, 0, 0, 0, 0]),
        (Setting(top_k=2), [2 / 3, 1 / 3, 0, 0, 0]),
        (Setting(top_p=0.8), [5 / 9, 5 / 18, 1 / 6, 0, 0]),
        (Setting(top_p=0.001), [1, 0, 0, 0, 0]),
        (Setting(top_k=3, top_p=0.82), [2 / 3, 1 / 3, 0, 0, 0]),
        (Setting(top_p=1.0), [0.5, 0.25, 0.15, 0.06, 0.04]),
    ],
    ids=str,
)  # fmt: skip
def test_probabilities_by_hand(setting, right):
    found = sampling.probabilities(EXAMPLE, setting)
    assert torch.allclose(found, torch.tensor([right], dtype=torch.float64), atol=1e-12, rtol=0)


def test_probabilities_do_not_depend_on_the_order_of_the_symbols():
    order = torch.tensor([3, 0, 4, 2, 1])
    setting = Setting(0.8, 4, 0.7)
    shuffled = sampling.probabilities(EXAMPLE[:, order], setting)
    assert torch.equal(shuffled, sampling.probabilities(EXAMPLE, setting)[:, order])


def test_rows_that_rounding_could_decide_are_left_out():
    logits = torch.cat([EXAMPLE, torch.tensor([[0.4, 0.35, 0.15, 0.06, 0.04]]).log()])
    assert len(sampling.clear_cases(logits, Setting(top_p=0.75))) == 0
    assert len(sampling.clear_cases(logits, Setting(top_p=0.5))) == 1
    assert len(sampling.clear_cases(logits, Setting(top_k=2))) == 2


def test_a_right_answer_agrees_and_a_wrong_one_is_told(submitted):
    candidate = submitted()
    logits = EXAMPLE.float()
    plain = sampling.ask_probabilities(candidate, logits, Setting(0.7))
    assert not sampling.disagreement(plain, logits, Setting(0.7))
    wrong = sampling.disagreement(plain, logits, Setting(0.7, 2))
    assert "with temperature 0.7, top_k 2, a token has probability" in wrong


def test_honest_draws_fit(submitted):
    candidate = submitted()
    for temperature in (0.5, 1.0, 3.0):
        setting = Setting(temperature)
        fit = sampling.fit_of_transitions(generated(candidate, setting=setting), TABLE, setting, prompt=1)
        assert fit.draws == 4000
        assert not sampling.misfit(fit, setting)


def test_draws_at_another_temperature_do_not_fit(submitted):
    tokens = generated(submitted(), setting=Setting(1.0))
    fit = sampling.fit_of_transitions(tokens, TABLE, Setting(0.8), prompt=1)
    assert "are not distributed as the model's probabilities say" in sampling.misfit(fit, Setting(0.8))


def test_draws_that_should_be_cut_off_are_counted(submitted):
    setting = Setting(top_k=2)
    fit = sampling.fit_of_transitions(generated(submitted(), setting=setting), TABLE, setting, prompt=1)
    assert "have probability 0" in sampling.misfit(fit, setting)


def test_draws_that_are_spread_evenly_are_noticed(submitted):
    even = (
        "(p.cumsum(-1) < ((torch.arange(len(p)) + 0.5) / len(p))[:, None]).sum(-1, keepdim=True).clamp(max=5)"
    )
    candidate = submitted(replace="torch.multinomial(p, 1, generator=generator)", by=even)
    model = candidate.prop("table_model").TableModel(TABLE)
    tokens = torch.cat(
        [
            sampling.ask_generate(
                candidate,
                model,
                torch.full((2000, 1), start),
                1,
                context=8,
                setting=Setting(),
                symbols=6,
                seed=1,
            )
            for start in range(6)
        ]
    )
    fit = sampling.fit_of_transitions(tokens, TABLE, Setting(), prompt=1)
    assert "more closely than independent draws can" in sampling.misfit(fit, Setting())


@pytest.mark.parametrize(
    ("replace", "by", "message"),
    [
        ("return tokens", "return tokens[:, 1:]", r"shape \(400, 10\) where \(400, 11\)"),
        ("return tokens", "return tokens.float()", "integers are asked for"),
        ("return tokens", "return tokens + 1", "tokens from 1 to 6 where there are 6 symbols"),
        ("return tokens", "return tokens.flip(1)", "changed the prompt"),
    ],
    ids=["too short", "floats", "no symbols", "another prompt"],
)
def test_what_is_no_continuation_is_refused(submitted, replace, by, message):
    with pytest.raises(WrongAnswer, match=message):
        generated(submitted(replace=replace, by=by))


def test_nothing_new_is_the_prompt(submitted):
    assert generated(submitted(), batch=3, count=0).tolist() == [[0], [1], [2]]
