"""Chi-square: the textbook's figure, honest draws pass, and draws that are off, or too even, do not."""

import numpy as np
import pytest

from grader.metrics.goodness_of_fit import chi_square

CHANCES = np.array([[0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])


def drawn(chances, *, seed, draws=5000):
    generator = np.random.default_rng(seed)
    return np.array([generator.multinomial(draws, row) for row in chances])


def test_a_die_of_the_textbook():
    fit = chi_square([[22, 24, 38, 30, 46, 44]], np.full((1, 6), 1 / 6))
    assert fit.statistic == pytest.approx(15.294117647, abs=1e-9)
    assert (fit.degrees, fit.draws) == (5, 204)


def test_mendels_peas():
    fit = chi_square([[315, 108, 101, 32]], [[9 / 16, 3 / 16, 3 / 16, 1 / 16]])
    assert fit.statistic == pytest.approx(0.470024, abs=1e-6)
    assert fit.holds


def test_honest_draws_fit():
    assert all(chi_square(drawn(CHANCES, seed=seed), CHANCES).holds for seed in range(200))


def test_draws_from_other_probabilities_are_too_far():
    other = 0.9 * CHANCES + 0.1 * CHANCES[:, ::-1]
    fit = chi_square(drawn(other, seed=1), CHANCES)
    assert fit.is_too_far
    assert not fit.holds


def test_draws_that_repeat_each_other_are_too_far():
    assert chi_square(100 * drawn(CHANCES, seed=2, draws=50), CHANCES).is_too_far


def test_frequencies_that_are_exact_are_too_close():
    chances = np.tile(CHANCES, (4, 1))
    fit = chi_square(5000 * chances, chances)
    assert fit.statistic == pytest.approx(0, abs=1e-9)
    assert fit.is_too_close
    assert not fit.holds


def test_what_cannot_happen_is_counted():
    fit = chi_square([[50, 49, 1]], [[0.5, 0.5, 0.0]])
    assert fit.impossible == 1
    assert not fit.holds


def test_rare_outcomes_are_counted_together():
    chances = [[0.96, 0.01, 0.01, 0.01, 0.01]]
    fit = chi_square([[192, 2, 2, 2, 2]], chances)
    assert fit.degrees == 1


def test_a_distribution_that_was_never_drawn_from_tells_nothing():
    alone = chi_square(drawn(CHANCES[:1], seed=3), CHANCES[:1])
    both = chi_square([*drawn(CHANCES[:1], seed=3), [0, 0, 0, 0]], CHANCES)
    assert (both.statistic, both.degrees) == (alone.statistic, alone.degrees)


@pytest.mark.parametrize(
    ("counts", "chances", "message"),
    [
        ([[1, 2]], [[0.2, 0.3, 0.5]], "tables of one shape"),
        ([[1, 2]], [[0.2, 0.3]], "sum to 1"),
    ],
)
def test_tables_that_make_no_sense_are_refused(counts, chances, message):
    with pytest.raises(ValueError, match=message):
        chi_square(counts, chances)
