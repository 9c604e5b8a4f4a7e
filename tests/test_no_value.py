"""An object where a number is asked for is the submission's mistake, whatever a check does with it."""

import math
import operator

import numpy as np
import pytest
import torch

from grader.candidate import Remote
from grader.errors import WrongAnswer
from grader.sandbox.questions import Ref

USES = {
    "minus": lambda x: x - 1.0,
    "subtracted": lambda x: 1.0 - x,
    "tensor minus": lambda x: torch.ones(2) - x,
    "array minus": lambda x: np.ones(2) - x,
    "scaled": lambda x: 2 * x,
    "matrix product": lambda x: np.eye(2) @ x,
    "compared": lambda x: x < 3,
    "compared from the left": lambda x: x > 3,
    "absolute": abs,
    "negative": operator.neg,
    "rounded": round,
    "floored": math.floor,
    "a float": float,
    "an integer": int,
    "finite": math.isfinite,
    "a truth value": bool,
    "asserted": lambda x: 1 if x else 0,
    "length": len,
    "iterated": list,
    "indexed": operator.itemgetter(0),
    "searched": lambda x: 3 in x,
    "an array": np.asarray,
    "close": lambda x: np.allclose(x, 1.0),
    "sum": sum,
    "torch.equal": lambda x: torch.equal(x, torch.ones(2)),
    "torch.allclose": lambda x: torch.allclose(torch.ones(2), x),
    "torch.isfinite": torch.isfinite,
    "a tensor": torch.as_tensor,
}


@pytest.fixture
def remote():
    return Remote(None, Ref(7, "Sneaky"))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_object_where_a_value_is_asked_for_is_a_wrong_answer(remote, use):
    with pytest.raises(WrongAnswer, match="an object of type `Sneaky`"):
        use(remote)


def test_an_object_can_be_compared_shown_and_kept(remote):
    assert remote in (3, remote)
    assert remote != 3
    assert f"{remote:.3g}" == "<a Sneaky kept in the worker>"
    assert {remote: 1}[remote] == 1
    assert isinstance(remote, Remote)
