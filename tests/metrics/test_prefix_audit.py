"""The difference estimator is unbiased over all plans, and the power of a plan is what counting all plans says."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from grader.metrics.prefix_audit import (
    Stratum,
    audited_for,
    detection_power,
    difference_estimate,
    miss_probability,
    plan_audit,
    unseen_share,
    worst_miss,
)

PEEKED = 1.0
"""Nats: no difference in these small populations is the noise of floating point."""


def stratum(length, rows, population):
    return Stratum(length, torch.tensor(rows), population=population)


def vectors(*lists):
    return [torch.tensor(values, dtype=torch.float64) for values in lists]


def estimate(full, prefix, plan, allowed=PEEKED):
    """The estimate from a plan, where the code lengths of all prefixes are known."""
    asked = [alone[s.rows] for alone, s in zip(prefix, plan, strict=True)]
    return difference_estimate(full, plan, asked, allowed=[allowed] * len(plan))


def every_plan(sizes):
    """All plans that audit `audited` of `population` windows, for each such pair; all are equally likely."""
    choices = [itertools.combinations(range(population), audited) for audited, population in sizes]
    for rows in itertools.product(*choices):
        yield [stratum(i + 1, list(r), n) for i, (r, (_, n)) in enumerate(zip(rows, sizes, strict=True))]


def truth(prefix):
    return float(torch.cat(prefix).mean())


# The plan


def test_a_plan_asks_for_the_shortest_prefixes_first_and_for_no_window_twice():
    plan = plan_audit(40, lengths=range(1, 9), per_length=10, seed=3)
    assert [s.length for s in plan] == list(range(1, 9))
    assert all(len(set(s.rows.tolist())) == s.audited == 10 for s in plan)
    assert {s.population for s in plan} == {40}


def test_the_same_seed_audits_the_same_positions_and_another_one_others():
    one, same, other = (plan_audit(40, lengths=[2, 5], per_length=10, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a.rows, b.rows) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a.rows, b.rows) for a, b in zip(one, other, strict=True))


def test_every_window_is_audited_equally_often():
    drawn = [plan_audit(8, lengths=[1], per_length=2, seed=seed)[0].rows for seed in range(4000)]
    counts = torch.bincount(torch.cat(drawn), minlength=8).double()
    chi_square = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi_square < 40.5  # one in a million for seven degrees of freedom


def test_a_plan_for_more_windows_than_there_are_takes_all():
    (only,) = plan_audit(3, lengths=[1], per_length=64, seed=0)
    assert sorted(only.rows.tolist()) == [0, 1, 2]
    assert only.audited == only.population == 3


@pytest.mark.parametrize(
    ("count", "lengths", "per_length"), [(0, [1], 2), (4, [], 2), (4, [1], 0), (4, [2, 2], 1), (4, [0, 1], 1)]
)
def test_a_plan_of_nothing_or_in_the_wrong_order_is_refused(count, lengths, per_length):
    with pytest.raises(ValueError, match="expected"):
        plan_audit(count, lengths=lengths, per_length=per_length, seed=0)


# The estimate


def test_a_correction_by_hand():
    """Two of four windows after one token, all of two after two: (4 x 0.5 + 1 + 3) / 6 = 1 is added to 2."""
    plan = [stratum(1, [0, 2], 4), stratum(2, [0, 1], 2)]
    full = vectors([2.0, 2, 2, 2], [2.0, 2])
    found = difference_estimate(full, plan, vectors([3.0, 2], [3.0, 5]), allowed=[0.5, 0.5])
    assert (found.claimed, found.correction, found.value) == pytest.approx((2, 1, 3))
    variance = (4 / 6) ** 2 * (1 - 2 / 4) * 0.5 / 2  # nothing from the second, where all were asked
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    assert (found.audited, found.population, found.differing) == (4, 6, 3)


populations = st.lists(
    st.integers(2, 4).flatmap(
        lambda n: st.tuples(st.integers(2, n), st.lists(st.floats(-5, 5), min_size=2 * n, max_size=2 * n))
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None, max_examples=60)
@given(populations)
def test_over_all_plans_estimate_and_variance_are_right_on_average(strata):
    """Exact: every plan is drawn once. The strata are of unlike size, so the weights matter."""
    sizes = [(audited, len(values) // 2) for audited, values in strata]
    full = [torch.tensor(values[:n]).double() for (_, n), (_, values) in zip(sizes, strata, strict=True)]
    prefix = [torch.tensor(values[n:]).double() for (_, n), (_, values) in zip(sizes, strata, strict=True)]
    found = [estimate(full, prefix, plan) for plan in every_plan(sizes)]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(truth(prefix), abs=1e-9)
    assert np.mean([one.standard_error**2 for one in found]) == pytest.approx(values.var(), abs=1e-9)


def test_a_mean_without_weights_would_be_wrong_where_strata_are_of_unlike_size():
    full, prefix = vectors([0.0] * 6, [0.0] * 2), vectors([0.0] * 6, [4.0] * 2)
    plan = [stratum(1, [0, 1], 6), stratum(2, [0, 1], 2)]
    assert estimate(full, prefix, plan).value == pytest.approx(1) != pytest.approx(2)


def test_an_honest_model_gains_no_error_at_all():
    full = [torch.randn(30, generator=torch.Generator().manual_seed(s)).double() for s in range(3)]
    found = estimate(full, full, plan_audit(30, lengths=[1, 2, 3], per_length=5, seed=1), allowed=1e-6)
    assert (found.correction, found.standard_error, found.differing) == (0.0, 0.0, 0)
    assert found.value == found.claimed


def test_a_constant_difference_is_corrected_without_error():
    full = [torch.linspace(0, 1, 30).double()]
    found = estimate(full, [full[0] + 0.25], plan_audit(30, lengths=[1], per_length=4, seed=1))
    assert found.value == pytest.approx(0.75)
    assert found.standard_error == pytest.approx(0, abs=1e-12)


def test_auditing_everything_gives_the_truth_without_error():
    generator = torch.Generator().manual_seed(2)
    full, prefix = ([torch.rand(n, generator=generator).double() for n in (5, 9)] for _ in range(2))
    plan = [stratum(1, [3, 1, 0, 2, 4], 5), stratum(2, list(range(9)), 9)]
    found = estimate(full, prefix, plan)
    assert found.value == pytest.approx(truth(prefix), abs=1e-15)
    assert (found.standard_error, found.unseen_share) == (0, 0)


def test_a_single_position_is_its_own_truth():
    found = estimate(vectors([1.0]), vectors([3.0]), [stratum(1, [0], 1)])
    assert (found.value, found.standard_error, found.differing, found.unseen_share) == (3, 0, 1, 0)


def test_rows_in_another_order_say_the_same():
    full, prefix = vectors([1.0, 2, 3, 4]), vectors([1.5, 2, 9, 4])
    one, other = (estimate(full, prefix, [stratum(1, rows, 4)]) for rows in ([0, 2, 3], [3, 0, 2]))
    assert one.value == pytest.approx(other.value)
    assert one.standard_error == pytest.approx(other.standard_error)


def test_two_in_a_hundred_peeked_at_are_taken_back_as_often_as_the_error_says():
    """Claimed 1.96 nats, in truth 2.0 and a little: the repeats cover the truth nineteen times in twenty."""
    rng = np.random.default_rng(4)
    prefix = [torch.from_numpy(rng.gamma(4, 0.5, 2656)) for _ in range(8)]
    peeks = [torch.from_numpy(rng.random(2656) < 0.02) for _ in range(8)]
    full = [alone.where(~peek, torch.zeros(2656).double()) for alone, peek in zip(prefix, peeks, strict=True)]
    plans = (plan_audit(2656, lengths=range(1, 9), per_length=256, seed=seed) for seed in range(300))
    found = [estimate(full, prefix, plan, allowed=1e-3) for plan in plans]
    assert found[0].claimed < truth(prefix) - 0.03
    values = np.array([one.value for one in found])
    errors = np.array([one.standard_error for one in found])
    assert values.mean() == pytest.approx(truth(prefix), abs=4.75 * values.std() / math.sqrt(300))
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.15)
    assert 0.9 < np.mean(np.abs(values - truth(prefix)) <= 2 * errors) < 0.985


def test_what_differs_by_no_more_than_noise_is_no_leak():
    full, plan = vectors([1.0, 1, 1]), [stratum(1, [0, 1, 2], 3)]
    prefix = vectors([1.0 + 1e-7, 1 + 1e-4, 1])
    assert estimate(full, prefix, plan, allowed=1e-6).differing == 1
    assert estimate(full, prefix, plan, allowed=1e-3).differing == 0


def test_a_leak_counts_although_the_symbol_that_came_is_as_likely_as_before():
    full, plan = vectors([1.0, 1, 1]), [stratum(1, [0, 2], 3)]
    found = difference_estimate(full, plan, vectors([1.0, 1]), allowed=[1e-6], gaps=vectors([0.0, 0.3]))
    assert (found.correction, found.differing) == (0, 1)


def test_what_may_be_left_is_the_unseen_share_at_the_dearest_prefix_and_the_noise_everywhere():
    full = [torch.linspace(0, 5, 100).double()]
    plan = plan_audit(100, lengths=[1], per_length=50, seed=1)
    found = estimate(full, full, plan, allowed=1e-4)
    assert found.unseen_share == 0.04  # 1/2, 1/4, 1/8, 1/16 and a bit less each
    assert found.gain_at_dearest == pytest.approx(0.04 * float(full[0][plan[0].rows].max()) + 1e-4)


def test_a_leak_at_places_dearer_than_any_that_was_audited_gains_more_than_is_said():
    """Why no limit is claimed: 0.6 nats are gained, and where nothing is seen 0.0028 are spoken of."""
    honest = torch.full((1000,), 0.1).double()
    honest[:20] = 30
    full = honest.clone()
    full[:20] = 0
    plans = (plan_audit(1000, lengths=[1], per_length=100, seed=seed) for seed in range(400))
    audits = [estimate([full], [honest], plan, allowed=1e-5) for plan in plans]
    blind = [found for found in audits if found.differing == 0]
    assert len(blind) / 400 == pytest.approx(miss_probability(0.02, audited=100, population=1000), abs=0.08)
    assert float((honest - full).mean()) == pytest.approx(0.6)
    assert {found.unseen_share for found in blind} == {0.028}  # this one does hold: 2 % are below it
    assert all(found.gain_at_dearest == pytest.approx(0.0028, rel=0.01) for found in blind)


@pytest.mark.parametrize(
    ("full", "prefix", "rows", "message"),
    [
        ([1.0, 1, 1], [1.0], [0], "length 1: expected at least 2 audited positions or all, got 1 of 3"),
        ([1.0, 1], [1.0, 1], [0, 1], "length 1: expected 3 positions and 2 prefixes, got 2 and 2"),
        ([1.0, 1, 1], [1.0], [0, 1], "length 1: expected 3 positions and 2 prefixes, got 3 and 1"),
        ([1.0, 1, math.nan], [1.0, 1], [0, 1], "length 1: expected finite code lengths"),
        ([1.0, 1, 1], [math.inf, 1], [0, 1], "length 1: expected finite code lengths"),
    ],
)
def test_what_cannot_be_estimated_is_refused(full, prefix, rows, message):
    with pytest.raises(ValueError, match=message):
        difference_estimate(vectors(full), [stratum(1, rows, 3)], vectors(prefix), allowed=[1.0])


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_gap_that_is_no_number_is_refused_and_not_taken_for_agreement(odd):
    full, plan = vectors([1.0, 1, 1]), [stratum(7, [0, 2], 3)]
    with pytest.raises(ValueError, match="length 7: expected one finite gap for each of 2 prefixes"):
        difference_estimate(full, plan, vectors([1.0, 1]), allowed=[1e-6], gaps=vectors([0.0, odd]))


def test_gaps_of_other_positions_are_refused():
    full, plan = vectors([1.0, 1, 1]), [stratum(7, [0, 2], 3)]
    with pytest.raises(ValueError, match="length 7: expected one finite gap for each of 2 prefixes"):
        difference_estimate(full, plan, vectors([1.0, 1]), allowed=[1e-6], gaps=vectors([0.0]))


@pytest.mark.parametrize("allowed", [[math.nan], [math.inf], [-1.0], []])
def test_what_is_allowed_has_to_be_a_number_for_each_length(allowed):
    full, plan = vectors([1.0, 1, 1]), [stratum(7, [0, 2], 3)]
    with pytest.raises(ValueError, match="allowed: expected one finite difference of at least 0 for each of"):
        difference_estimate(full, plan, vectors([1.0, 1]), allowed=allowed)


@pytest.mark.parametrize("plan", [[], [stratum(1, [0], 1)]])
def test_lists_that_do_not_fit_each_other_are_refused(plan):
    with pytest.raises(ValueError, match="one stratum or more, with as many lists"):
        difference_estimate([], plan, [], allowed=[])


# What an audit can see


@pytest.mark.parametrize(
    ("share", "audited", "expected"), [(0.01, 1000, 4.3e-5), (0.01, 4000, 3.5e-18), (0.003, 4000, 6e-6)]
)
def test_in_a_large_population_a_leak_goes_unseen_as_the_power_says(share, audited, expected):
    """(1 - share)^K, from the table of the design."""
    found = miss_probability(share, audited=audited, population=10**7)
    assert found == pytest.approx((1 - share) ** audited, rel=0.01)
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("population", "audited", "leaks"), [(10, 3, 4), (21248, 2048, 64), (21248, 2048, 212)]
)
def test_the_probability_of_missing_is_the_hypergeometric_one(population, audited, leaks):
    share = (leaks + 0.5) / population
    expected = hypergeom.pmf(0, population, leaks, audited)
    assert miss_probability(share, audited=audited, population=population) == pytest.approx(
        expected, rel=1e-9
    )
    power = detection_power(share, audited=audited, population=population)
    assert power == pytest.approx(1 - expected, rel=1e-12)


@given(st.integers(1, 60), st.data())
@settings(deadline=None)
def test_leaks_and_audited_positions_change_places(population, data):
    """C(N - M, K) / C(N, K) is the same with K and M exchanged."""
    audited, leaks = (data.draw(st.integers(0, population)) for _ in range(2))
    one, other = (
        miss_probability(m / population + 1e-9 * (m < population), audited=k, population=population)
        for m, k in ((leaks, audited), (audited, leaks))
    )
    assert one == pytest.approx(other, abs=1e-12)


def test_nothing_is_missed_when_all_is_asked_and_everything_when_nothing_is():
    assert miss_probability(0.01, audited=100, population=100) == 0
    assert miss_probability(0.01, audited=0, population=100) == 1
    assert miss_probability(0.001, audited=99, population=100) == 1  # a leak of no position


@given(st.integers(20, 3000), st.floats(0.05, 1), st.floats(1e-9, 0.9))
@settings(deadline=None, max_examples=60)
def test_the_number_to_audit_is_the_smallest_that_is_enough(population, share, miss):
    found = audited_for(share, miss=miss, population=population)
    assert miss_probability(share, audited=found, population=population) <= miss
    assert found == 0 or miss_probability(share, audited=found - 1, population=population) > miss


def test_about_nine_hundred_positions_find_a_leak_of_one_in_a_hundred():
    endless = audited_for(0.01, miss=1e-4, population=10**6)
    assert endless == pytest.approx(math.log(1e-4) / math.log(0.99), abs=2)
    found = audited_for(0.01, miss=1e-4, population=21248)
    assert hypergeom.pmf(0, 21248, 212, found) <= 1e-4 < hypergeom.pmf(0, 21248, 212, found - 1)
    assert found == 899


def test_a_plan_misses_a_leak_that_is_hidden_best_as_often_as_all_plans_say():
    """Every plan against every way to place the leaks; the worst placing is the one that is promised."""
    sizes = [(1, 3), (2, 4), (1, 2)]
    places = [(i, row) for i, (_, n) in enumerate(sizes) for row in range(n)]
    plans = [{(s.length - 1, row) for s in plan for row in s.rows.tolist()} for plan in every_plan(sizes)]
    some_plan = next(every_plan(sizes))
    for leaks in range(len(places) + 1):
        missed = [
            np.mean([not plan & set(placing) for plan in plans])
            for placing in itertools.combinations(places, leaks)
        ]
        share = min(1.0, (leaks + 0.5) / len(places))
        assert worst_miss(some_plan, share) == pytest.approx(max(missed), abs=1e-12)
        random = miss_probability(share, audited=4, population=9)
        at_random = hypergeom.pmf(0, 9, leaks, 4)
        assert random == pytest.approx(at_random, abs=1e-12)


def test_strata_of_one_kind_cost_little_power():
    plan = plan_audit(664, lengths=range(1, 33), per_length=64, seed=1)
    for share in (0.003, 0.01, 0.02):
        ideal = miss_probability(share, audited=2048, population=21248)
        assert ideal < worst_miss(plan, share) < 2 * ideal


@given(st.integers(2, 300), st.data())
@settings(deadline=None, max_examples=60)
def test_more_than_the_limit_would_have_been_seen(population, data):
    audited = data.draw(st.integers(1, population))
    plan = plan_audit(population, lengths=[1], per_length=audited, seed=0)
    miss = math.exp(-3)  # no ratio of whole numbers, so nothing lies on the limit itself
    leaks = round(unseen_share(plan, miss=miss) * population)
    assert hypergeom.pmf(0, population, leaks, audited) > miss
    assert leaks == population or hypergeom.pmf(0, population, leaks + 1, audited) < miss


def test_in_a_large_population_the_limit_is_that_of_clopper_and_pearson():
    plan = plan_audit(200_000, lengths=[1], per_length=1000, seed=0)
    assert unseen_share(plan) == pytest.approx(1 - 0.05 ** (1 / 1000), rel=0.01)


def test_the_limit_covers_the_share_that_leaks_as_often_as_promised():
    """At the first share beyond the limit, 95 % of all plans or more see a leak."""
    plan = plan_audit(200, lengths=[1, 2], per_length=20, seed=0)
    leaks = round(unseen_share(plan) * 400) + 1
    where = [set(range(leaks // 2)), set(range(leaks - leaks // 2))]
    seen = 0
    for seed in range(2000):
        drawn = plan_audit(200, lengths=[1, 2], per_length=20, seed=seed)
        seen += any(where[i] & set(s.rows.tolist()) for i, s in enumerate(drawn))
    assert seen / 2000 > 0.93


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: miss_probability(1.5, audited=1, population=2), "share between 0 and 1, got 1.5"),
        (lambda: miss_probability(0.5, audited=3, population=2), "expected 0 to 2 positions, got 3"),
        (lambda: audited_for(0.001, miss=0.1, population=100), "at least one of 100 positions, got 0.001"),
        (lambda: audited_for(0.1, miss=0.0, population=100), "probability above 0 and up to 1, got 0.0"),
        (lambda: unseen_share([stratum(1, [0], 2)], miss=1.0), "probability between 0 and 1, got 1.0"),
    ],
)
def test_questions_without_an_answer_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
