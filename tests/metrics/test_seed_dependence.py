"""The same noise gives the same images in any company; other noise gives others."""

import pytest
import torch
from torch import Tensor

from grader.data.digits import load_digits
from grader.metrics.seed_dependence import company_gap, largest_gap, repeated_share

DIGITS = load_digits().intensity


def noise(seed: int, n: int = 20) -> Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def honest(z: Tensor) -> Tensor:
    return (z @ torch.ones(4, 9)).sigmoid().reshape(-1, 1, 3, 3)


def looks_at_its_neighbours(z: Tensor) -> Tensor:
    return honest(z - z.mean(0))


def knows_its_place(z: Tensor) -> Tensor:
    return honest(z + torch.arange(len(z))[:, None])


def ignores_z(z: Tensor) -> Tensor:
    return honest(noise(7, len(z)))


def asked(generator) -> float:
    z = noise(1)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    return company_gap(generator(z), reordered=generator(z[order]), order=order, alone=generator(z[:1]))


def test_images_that_follow_from_z_are_the_same_in_any_company():
    assert asked(honest) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("generator", [looks_at_its_neighbours, knows_its_place, ignores_z])
def test_images_that_depend_on_the_batch_or_on_their_place_in_it_are_told(generator):
    assert asked(generator) > 1e-2


def test_a_batch_of_one_is_asked_because_order_alone_does_not_tell():
    """Centred by the batch, images are the same in every order; only one alone is another."""
    z, order = noise(1), torch.arange(19, -1, -1)
    first, reordered = looks_at_its_neighbours(z), looks_at_its_neighbours(z[order])
    assert largest_gap(first[order], reordered) < 1e-6


def test_the_largest_gap_is_one_pixels():
    other = DIGITS[:5].clone()
    other[3, 7] += 0.25
    assert largest_gap(DIGITS[:5], other) == pytest.approx(0.25)
    assert largest_gap(DIGITS[:5], DIGITS[:5]) == 0


def test_other_noise_gives_other_images_unless_they_are_fixed():
    assert repeated_share(honest(noise(1)), honest(noise(2))) == 0
    assert repeated_share(ignores_z(noise(1)), ignores_z(noise(2))) == 1


def test_the_repeated_are_a_share_of_the_new_images():
    assert repeated_share(DIGITS[:100], torch.cat([DIGITS[:30], DIGITS[200:220]])) == 0.6
    assert repeated_share(DIGITS[:100].round() + 1e-5, DIGITS[:30].round()) == 1  # to three decimals


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: largest_gap(DIGITS[:2], DIGITS[:3]), r"answers of one shape, got \(2, 64\) and \(3, 64\)"),
        (lambda: largest_gap(DIGITS[:0], DIGITS[:0]), r"got \(0, 64\)"),
        (lambda: repeated_share(DIGITS[:2], DIGITS[:2, :9]), r"images of one size, .* \(2, 9\)"),
        (lambda: repeated_share(DIGITS[:0], DIGITS[:2]), r"got shapes \(0, 64\)"),
    ],
)
def test_answers_that_do_not_fit_are_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()
