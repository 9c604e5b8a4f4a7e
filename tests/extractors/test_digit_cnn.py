"""The digit network that comes with the grader: its weights, what it does to images, what it knows."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from grader.data.digits import load_digits
from grader.errors import ConfigurationError
from grader.extractors.digit_cnn import INPUT_TRANSFORM, WEIGHTS, load_digit_cnn, network_input
from grader.families.image_samples import quality

MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the files of MNIST, uncompressed, as they were published."""


@pytest.fixture(scope="module")
def cnn():
    return load_digit_cnn()


@pytest.fixture(scope="module")
def digits():
    return load_digits().intensity.reshape(-1, 1, 8, 8)


@pytest.fixture(scope="module")
def facts():
    return json.loads(WEIGHTS.with_suffix(".json").read_text())


def test_its_provenance_is_that_of_the_file(cnn, facts):
    assert cnn.name == f"digit-cnn-64@{facts['sha256'][:8]}"
    assert cnn.provenance.dim == cnn.dim == 64
    assert cnn.provenance.input_transform == INPUT_TRANSFORM
    assert facts["training"]["data_sha256"] == MNIST
    assert WEIGHTS.stat().st_size < 300_000


def test_the_documentation_has_its_label_and_its_accuracy(cnn, facts):
    said = (Path(__file__).parents[2] / "docs" / "extractors.md").read_text()
    assert said.count(cnn.name) >= 2
    for accuracy in facts["training"]["accuracy"].values():
        assert f"| {100 * accuracy:.1f} % |" in said


def test_it_knows_the_8x8_digits_as_well_as_its_provenance_says(cnn, digits, facts):
    right = (cnn.class_log_probabilities(digits).argmax(1) == load_digits().label).double().mean()
    assert float(right) == pytest.approx(facts["training"]["accuracy"]["scikit_learn_digits_8x8"], abs=2e-3)
    assert float(right) > 0.9


def test_it_knew_the_test_images_of_mnist_when_it_was_trained(facts):
    assert facts["training"]["accuracy"]["mnist_test_28x28"] >= 0.985


def test_an_enlarged_digit_is_the_same_digit(cnn, digits):
    large = functional.interpolate(digits[:200], size=(28, 28), mode="bilinear", align_corners=False)
    small, enlarged = cnn.features(digits[:200]), cnn.features(large)
    assert float((small - enlarged).norm() / small.norm()) < 1e-5


def test_probabilities_sum_to_one_and_follow_the_features(cnn, digits):
    logs = cnn.class_log_probabilities(digits[:50])
    assert logs.dtype == torch.float64
    assert torch.allclose(logs.exp().sum(1), torch.ones(50, dtype=torch.float64))
    layer = cnn.network.logits
    logits = cnn.features(digits[:50]) @ layer.weight.double().T + layer.bias.double()
    assert torch.allclose(functional.log_softmax(logits, 1), logs, atol=1e-4)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 400), seed=st.integers(0, 10**6))
def test_features_depend_on_the_image_alone(cnn, digits, size, seed):
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))[:size]
    together = cnn.features(digits[order])
    alone = cnn.features(digits[order[:1]])
    assert together.shape == (size, 64)
    assert float((together[:1] - alone).norm() / alone.norm()) < 1e-5
    assert torch.equal(cnn.features(digits[order]), together)


def test_no_feature_is_dead(cnn, digits):
    assert float(cnn.features(digits).std(0).min()) > 0.01


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 32, 32), (1, 8, 32)])
def test_every_size_from_8_to_32_is_taken_grey_or_in_colour(cnn, shape):
    features = cnn.features(torch.rand(2, *shape))
    assert features.shape == (2, 64)
    assert features.dtype == torch.float64
    assert bool(features.isfinite().all())


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 28, 33)])
def test_other_sizes_are_refused(cnn, shape):
    for call in (cnn.features, cnn.class_log_probabilities):
        with pytest.raises(ValueError, match="expected 8 to 32 pixels"):
            call(torch.rand(2, *shape))


def test_the_input_is_centred_by_the_moments_of_mnist():
    found = network_input(torch.tensor([0.0, 0.1307, 1.0])[:, None, None, None].expand(3, 1, 28, 28))
    assert found.amax((1, 2, 3)).tolist() == pytest.approx([-0.1307 / 0.3081, 0, 0.8693 / 0.3081], abs=1e-6)


def test_the_input_is_the_mean_over_channels(digits):
    colours = torch.rand(2, 3, 28, 28)
    assert torch.allclose(network_input(colours), network_input(colours.mean(1, keepdim=True)))


@pytest.mark.parametrize("side", [8, 14, 32])
def test_the_input_is_interpolated_between_the_centres_of_pixels(side):
    ramp = torch.linspace(0, 1, side).expand(1, 1, side, side)
    place = ((torch.arange(28) + 0.5) * side / 28 - 0.5).clamp(0, side - 1)
    expected = (place / (side - 1) - 0.1307) / 0.3081
    assert torch.allclose(network_input(ramp)[0, 0, 5], expected, atol=1e-5)


def test_weights_that_were_changed_are_refused(tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(WEIGHTS.with_suffix(suffix), tmp_path)
    path = tmp_path / WEIGHTS.name
    assert load_digit_cnn(weights=path).dim == 64
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ConfigurationError, match=r"digit_cnn\.safetensors: SHA-256 is "):
        load_digit_cnn(weights=path)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"name": "digit-cnn-64"}'])
def test_weights_without_their_provenance_are_refused(tmp_path, text):
    shutil.copy(WEIGHTS, tmp_path)
    path = tmp_path / WEIGHTS.with_suffix(".json").name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"digit_cnn\.json: not a provenance of weights"):
        load_digit_cnn(weights=path.with_suffix(".safetensors"))


def test_samples_can_be_judged_in_its_space(cnn, digits):
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(2))  # writers come one by one
    held_out, others = digits[order[:400]], digits[order[400:1400]]
    noise = torch.rand(1000, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    real, made = (
        quality(cnn, samples, held_out=held_out, seed=1, portion=len(samples)) for samples in (others, noise)
    )
    assert abs(real.frechet) < 0.1 * made.frechet
    assert real.coverage.value > 0.8
    assert made.coverage.value < 0.1
