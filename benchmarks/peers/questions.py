"""Five questions as data: what is asked, answers of known worth, and the cases that are checked. No I/O.

The inputs are drawn from a seed and what is expected is computed with our own solution; every grader's form
is written from here, so all of them ask the same.
"""

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

IMPORTS = "import numpy as np\nimport torch"
POINTS = 4
TOLERANCE = "rtol=1e-4, atol=1e-5"

Nested = float | list["Nested"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One function that students write."""

    name: str
    title: str
    parameters: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    """Of the arguments; a shape () is a number between 0 and 1."""
    library: Literal["numpy", "torch"]
    """What the arguments are: nested lists for numpy, tensors for torch."""
    right: tuple[str, ...]
    """Bodies that earn the points; the first is our solution."""
    wrong: tuple[str, ...]
    """Bodies that run and do not."""

    def source(self, body: str) -> str:
        """The function with this body."""
        lines = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
        return f"def {self.name}({', '.join(self.parameters)}):\n{lines}\n"


@dataclass(frozen=True)
class Case:
    """One check: what the function is called with, and what must come back."""

    arguments: tuple[Nested, ...]
    expected: Nested


NOT_DONE = "raise NotImplementedError"
CRASHES = MappingProxyType(
    {
        "softmax": "return np.exp(x) / total",
        "log_likelihood": "return np.asarray(x) @ np.asarray(mean) @ np.ones(7)",
        "linear": "return x @ weight + bias.reshape(99, 99)",
        "divergence": "return mean_q.kullback(mean_p)",
        "step": "return [][1]",
    }
)
"""A body for each question that raises: a missing name, a wrong shape, a missing attribute, an index."""

QUESTIONS = (
    Question(
        name="softmax",
        title="Softmax of each row",
        parameters=("x",),
        shapes=((3, 4),),
        library="numpy",
        right=(
            (
                "x = np.asarray(x, dtype=float)\n"
                "e = np.exp(x - x.max(axis=1, keepdims=True))\n"
                "return e / e.sum(axis=1, keepdims=True)"
            ),
            (
                "rows = []\n"
                "for row in np.asarray(x, dtype=float):\n"
                "    e = np.exp(row - np.max(row))\n"
                "    rows.append(e / np.sum(e))\n"
                "return np.array(rows)"
            ),
        ),
        wrong=(
            "e = np.exp(np.asarray(x, dtype=float))\nreturn e / e.sum()",
            "e = np.exp(np.asarray(x, dtype=float))\nreturn e / e.sum(axis=0, keepdims=True)",
        ),
    ),
    Question(
        name="log_likelihood",
        title="Log-likelihood of each row under a diagonal Gaussian",
        parameters=("x", "mean", "log_variance"),
        shapes=((5, 3), (3,), (3,)),
        library="numpy",
        right=(
            (
                "x, mean, log_variance = (np.asarray(a, dtype=float) for a in (x, mean, log_variance))\n"
                "each = np.log(2 * np.pi) + log_variance + (x - mean) ** 2 / np.exp(log_variance)\n"
                "return -0.5 * each.sum(axis=1)"
            ),
            (
                "s = np.sqrt(np.exp(np.asarray(log_variance, dtype=float)))\n"
                "z = (np.asarray(x, dtype=float) - np.asarray(mean, dtype=float)) / s\n"
                "return (-0.5 * z**2 - np.log(s * np.sqrt(2 * np.pi))).sum(1)"
            ),
        ),
        wrong=(
            (
                "x, mean, log_variance = (np.asarray(a, dtype=float) for a in (x, mean, log_variance))\n"
                "return -0.5 * (log_variance + (x - mean) ** 2 / np.exp(log_variance)).sum(axis=1)"
            ),
            (
                "x, mean, log_variance = (np.asarray(a, dtype=float) for a in (x, mean, log_variance))\n"
                "each = np.log(2 * np.pi) + log_variance + (x - mean) ** 2 / np.exp(log_variance)\n"
                "return -0.5 * each.mean(axis=1)"
            ),
        ),
    ),
    Question(
        name="linear",
        title="A linear layer",
        parameters=("x", "weight", "bias"),
        shapes=((4, 3), (2, 3), (2,)),
        library="torch",
        right=("return x @ weight.T + bias", "return torch.nn.functional.linear(x, weight, bias)"),
        wrong=("return x @ weight.T", "return x @ weight.T - bias"),
    ),
    Question(
        name="divergence",
        title="KL divergence of one diagonal Gaussian from another, for each row",
        parameters=("mean_q", "log_variance_q", "mean_p", "log_variance_p"),
        shapes=((4, 3), (4, 3), (4, 3), (4, 3)),
        library="torch",
        right=(
            (
                "difference = (mean_q - mean_p) ** 2\n"
                "ratio = (log_variance_q.exp() + difference) / log_variance_p.exp()\n"
                "return 0.5 * (log_variance_p - log_variance_q + ratio - 1).sum(1)"
            ),
            (
                "q = torch.distributions.Normal(mean_q, (0.5 * log_variance_q).exp())\n"
                "p = torch.distributions.Normal(mean_p, (0.5 * log_variance_p).exp())\n"
                "return torch.distributions.kl_divergence(q, p).sum(-1)"
            ),
        ),
        wrong=(
            (
                "q = torch.distributions.Normal(mean_q, (0.5 * log_variance_q).exp())\n"
                "p = torch.distributions.Normal(mean_p, (0.5 * log_variance_p).exp())\n"
                "return torch.distributions.kl_divergence(p, q).sum(-1)"
            ),
            "return -0.5 * (1 + log_variance_q - mean_q**2 - log_variance_q.exp()).sum(1)",
        ),
    ),
    Question(
        name="step",
        title="One step of gradient descent on the mean squared error of x @ w",
        parameters=("w", "x", "y", "rate"),
        shapes=((3,), (6, 3), (6,), ()),
        library="torch",
        right=(
            "return w - rate * 2 * x.T @ (x @ w - y) / len(y)",
            (
                "with torch.enable_grad():\n"
                "    leaf = w.clone().requires_grad_()\n"
                "    loss = ((x @ leaf - y) ** 2).mean()\n"
                "    (gradient,) = torch.autograd.grad(loss, leaf)\n"
                "return w - rate * gradient"
            ),
        ),
        wrong=(
            "return w + rate * 2 * x.T @ (x @ w - y) / len(y)",
            "return w - rate * 2 * x.T @ (x @ w - y)",
        ),
    ),
)


@cache
def cases(question: Question) -> tuple[Case, Case]:
    """The public and the hidden check of a question, the same every time."""
    seeds = [1000 * QUESTIONS.index(question) + number for number in (1, 2)]
    public, hidden = (_case(question, seed) for seed in seeds)
    return public, hidden


def _case(question: Question, seed: int) -> Case:
    chance = np.random.default_rng(seed)
    drawn = (
        chance.normal(size=shape).round(2).tolist() if shape else round(chance.uniform(), 2)
        for shape in question.shapes
    )
    arguments = tuple(drawn)
    got = answer(question, question.right[0], arguments)
    return Case(arguments, np.asarray(got, dtype=float).round(6).tolist())


def answer(question: Question, body: str, arguments: tuple[Nested, ...]) -> Any:
    """What the function with this body of ours gives; never called with anybody else's."""
    names: dict[str, Any] = {}
    exec(f"{IMPORTS}\n{question.source(body)}", names)  # noqa: S102  (our own text, from this file)
    return names[question.name](*(given(question, value) for value in arguments))


def given(question: Question, value: Nested) -> Any:
    """An argument as the students' function receives it."""
    import torch  # noqa: PLC0415  (the tables need none of this)

    return torch.tensor(value) if question.library == "torch" and isinstance(value, list) else value


def asserts(question: Question, case: Case) -> str:
    """The check as instructors write it in a notebook: a call, the shape, and closeness."""
    tensor, module = ("torch.tensor", "torch") if question.library == "torch" else ("np.array", "np")
    arguments = ", ".join(
        f"torch.tensor({value})" if question.library == "torch" and isinstance(value, list) else str(value)
        for value in case.arguments
    )
    return (
        f"got = {question.name}({arguments})\n"
        f"want = {tensor}({case.expected})\n"
        "assert got.shape == want.shape\n"
        f"assert {module}.allclose(got, want, {TOLERANCE})"
    )
