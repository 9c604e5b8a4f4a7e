"""The one question whose check students have."""

import numpy as np
import pytest

pytestmark = pytest.mark.task("five")


def test_softmax_sums_to_one_and_survives_large_numbers(candidate):
    x = np.array([[1.0, 2.0, 3.0], [1000.0, 1000.0, 1000.0]])
    got = np.asarray(candidate.softmax(x))
    assert got.shape == x.shape, f"`softmax` gives shape {got.shape}; it should be {x.shape}"
    assert np.allclose(got.sum(axis=-1), 1), "the rows of `softmax` do not sum to 1"
    assert np.allclose(got[1], 1 / 3), f"three equal scores give {got[1]}; each should be 1/3"
