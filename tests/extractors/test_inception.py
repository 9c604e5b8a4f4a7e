"""The network of the Fréchet Inception distance, with weights drawn by chance: its own are not ours to have."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from grader.errors import ConfigurationError
from grader.extractors.inception import PUBLISHED_SHA256, load_inception, network_input
from grader.extractors.inception_network import Block, InceptionNetwork, Layer


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = InceptionNetwork()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """A file in the layout of the published one: by torch.save, without counters of batches."""
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    state = {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, path)
    return path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def inception(weights):
    return load_inception(weights, sha256=sha(weights))


@pytest.fixture(scope="module")
def photographs():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def test_it_has_as_many_weights_as_the_published_network(network):
    assert sum(weight.numel() for weight in network.parameters()) == 23_850_960
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 94


def test_maps_have_the_sizes_of_table_1(network):
    sizes = {}
    for name in (
        "Conv2d_2b_3x3",
        "Conv2d_4a_3x3",
        "Mixed_5d",
        "Mixed_6a",
        "Mixed_6e",
        "Mixed_7a",
        "Mixed_7c",
    ):
        getattr(network, name).register_forward_hook(
            lambda _module, _in, out, name=name: sizes.update({name: tuple(out.shape[1:])})
        )
    assert network(torch.zeros(1, 3, 299, 299)).shape == (1, 1008)
    assert sizes == {
        "Conv2d_2b_3x3": (64, 147, 147),
        "Conv2d_4a_3x3": (192, 71, 71),
        "Mixed_5d": (288, 35, 35),
        "Mixed_6a": (768, 17, 17),
        "Mixed_6e": (768, 17, 17),
        "Mixed_7a": (1280, 8, 8),
        "Mixed_7c": (2048, 8, 8),
    }


def test_means_leave_the_padding_out_and_the_last_block_takes_the_maximum():
    x = torch.rand(1, 2, 5, 5, generator=torch.Generator().manual_seed(1))
    mean, most = (Block(2, [Layer("one", 1)], pool=pool)._pooled(x) for pool in ("mean", "maximum"))
    assert mean[0, 0, 0, 0] == pytest.approx(float(x[0, 0, :2, :2].mean()))
    assert mean[0, 1, 2, 2] == pytest.approx(float(x[0, 1, 1:4, 1:4].mean()))
    assert most[0, 0, 0, 0] == x[0, 0, :2, :2].max()
    network = InceptionNetwork()
    pools = {name: block.pool for name, block in network.named_children() if isinstance(block, Block)}
    assert pools.pop("Mixed_7c") == "maximum"
    halving = {name for name, block in network.named_children() if isinstance(block, Block) and block.halve}
    assert halving == {"Mixed_6a", "Mixed_7a"}
    assert {pools[name] for name in pools if name not in halving} == {"mean"}


def test_paths_that_begin_alike_share_their_layers():
    one = Layer("one", 2)
    block = Block(3, [one, Layer("a", 4)], [one, Layer("b", 5)], pool="mean", pooled=6).eval()
    calls = []
    block.one.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        x = torch.rand(1, 3, 4, 4)
        out = block(x)
        assert calls == [1]
        assert torch.allclose(out[:, 4:9], block.b(block.one(x)))
    assert out.shape == (1, 4 + 5 + 6, 4, 4)


def test_images_are_rounded_to_bytes_enlarged_and_centred():
    grey = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 1, 8, 8)
    found = network_input(grey)
    assert found.shape == (3, 3, 299, 299)
    expected = [-1, 2 * 128 / 255 - 1, 1]
    assert found.amin((1, 2, 3)).tolist() == pytest.approx(expected, abs=1e-6)
    assert found.amax((1, 2, 3)).tolist() == pytest.approx(expected, abs=1e-6)
    step = torch.zeros(1, 1, 2, 2)
    step[..., 1] = 1
    row = network_input(step)[0, 0, 0]
    place = ((torch.arange(299) + 0.5) * 2 / 299 - 0.5).clamp(0, 1)
    assert torch.allclose(row, 2 * place - 1, atol=1e-5)
    large = torch.rand(1, 3, 299, 299)
    assert torch.equal(network_input(large), 2 * (255 * large).round() / 255 - 1)


def test_features_are_the_mean_of_the_last_maps(inception, network, photographs):
    maps = []
    handle = inception.network.Mixed_7c.register_forward_hook(lambda _module, _in, out: maps.append(out))
    features = inception.features(photographs)
    handle.remove()
    assert features.shape == (3, inception.dim)
    assert features.dtype == torch.float64
    assert torch.allclose(features, torch.cat(maps).double().mean((2, 3)), rtol=1e-5)
    logits = functional.linear(features.float(), network.fc.weight, network.fc.bias)
    assert torch.allclose(network(network_input(photographs)), logits, rtol=1e-3, atol=1e-3)


def test_company_changes_a_feature_by_rounding_alone(inception, photographs):
    together, alone = inception.features(photographs), inception.features(photographs[1:2])
    assert float((together[1:2] - alone).norm() / alone.norm()) < 1e-5
    assert torch.equal(inception.features(photographs), together)


def test_the_file_of_other_weights_is_refused_and_both_checksums_are_named(weights):
    with pytest.raises(ConfigurationError) as caught:
        load_inception(weights)
    assert f"SHA-256 is {sha(weights)[:16]}…, expected {PUBLISHED_SHA256}…" in str(caught.value)


def test_a_file_of_another_network_is_refused(tmp_path, network):
    state = network.state_dict()
    state["AuxLogits.fc.weight"] = torch.zeros(1)
    path = tmp_path / "other.pth"
    torch.save(state, path)
    with pytest.raises(ConfigurationError, match=r"has the unknown AuxLogits\.fc\.weight"):
        load_inception(path, sha256=sha(path))


def test_safetensors_of_the_same_names_are_the_same_space(tmp_path, inception, network, photographs):
    path = tmp_path / "site.safetensors"
    save_file(network.state_dict(), path)
    again = load_inception(path, sha256=sha(path))
    assert torch.equal(again.features(photographs), inception.features(photographs))
    assert again.name == f"inception-v3-2048@{sha(path)[:8]}"
    assert again.provenance.source == "site.safetensors, supplied by the site"
