"""What every feature space has to be: named by its checksum, the same every time, strict about its images."""

import pytest
import torch

from grader.extractors.batches import checked, in_batches
from grader.extractors.extractor import Provenance


def test_the_label_is_the_name_and_the_beginning_of_the_checksum():
    provenance = Provenance(
        name="digit-cnn-64",
        sha256="3f2a91c0" + 56 * "0",
        licence="Apache-2.0",
        source="",
        input_transform="",
        dim=64,
        dtype="float32",
    )
    assert provenance.label == "digit-cnn-64@3f2a91c0"


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.zeros(2, 1, 7, 8), "expected 8 to 32 pixels along each edge, got 7 x 8"),
        (torch.zeros(2, 3, 8, 33), "expected 8 to 32 pixels along each edge, got 8 x 33"),
        (torch.zeros(2, 2, 8, 8), r"expected \[n, 1 or 3, height, width\], got \[2, 2, 8, 8\]"),
        (torch.zeros(2, 8, 8), r"got \[2, 8, 8\]"),
        (torch.zeros(0, 1, 8, 8), r"images: there are none; expected at least one, got \[0, 1, 8, 8\]"),
        (torch.zeros(0, 2, 8, 8), r"expected \[n, 1 or 3, height, width\], got \[0, 2, 8, 8\]"),
        (
            torch.full((2, 1, 8, 8), 7, dtype=torch.uint8),
            "from 0 to 1, got 7 to 7; divide grey values .* by 255",
        ),
        (torch.full((2, 1, 8, 8), 255.0), "expected intensities from 0 to 1, got 255 to 255; divide"),
        (torch.full((2, 1, 8, 8), -0.01), "expected intensities from 0 to 1, got -0.01 to -0.01$"),
        (torch.full((2, 1, 8, 8), 1.5), "expected intensities from 0 to 1, got 1.5 to 1.5$"),
        (torch.full((2, 1, 8, 8), float("nan")), "expected intensities from 0 to 1, got nan"),
        (torch.full((2, 1, 8, 8), float("inf")), "expected intensities from 0 to 1"),
    ],
)
def test_what_is_no_image_is_refused(images, said):
    with pytest.raises(ValueError, match=said):
        checked(images, sides=(8, 32))


def test_rounding_beyond_black_and_white_is_cut_off():
    images = torch.tensor([-1e-6, 0.25, 1 + 1e-6], dtype=torch.float64).expand(8, 8, 3).permute(0, 1, 2)
    found = checked(images[None, :, :, :].permute(0, 3, 1, 2), sides=(8, 32))
    assert found.dtype == torch.float32
    assert found.flatten(2)[0, :, 0].tolist() == [0, 0.25, 1]


def test_batches_are_an_inner_matter():
    images = torch.rand(11, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    sizes = []

    def network(some):
        sizes.append(len(some))
        return some.flatten(1)[:, :3]

    rows = in_batches(images, network, size=4, device=torch.device("cpu"))
    assert sizes == [4, 4, 3]
    assert torch.equal(rows, images.flatten(1)[:, :3].double())


def test_no_gradient_is_kept():
    weight = torch.ones(64, 2, requires_grad=True)
    rows = in_batches(
        torch.rand(3, 1, 8, 8), lambda x: x.flatten(1) @ weight, size=2, device=torch.device("cpu")
    )
    assert not rows.requires_grad
