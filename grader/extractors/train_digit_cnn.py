"""A folder with the four files of MNIST in, the weights of the digit network and their provenance out.

    python -m grader.extractors.train_digit_cnn FOLDER [WEIGHTS]

One thread, one seed, no clock: on one machine with one version of torch the same file comes out, byte for
byte. Another processor or version may round differently in the last bits, and the file it makes is another
feature space; what counts is the checksum of the file that is handed out with the grader.
"""

import gzip
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import save
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from grader.errors import ConfigurationError
from grader.extractors.batches import in_batches
from grader.extractors.digit_cnn import (
    BATCH,
    INPUT_TRANSFORM,
    NAME,
    WEIGHTS,
    WIDTH,
    DigitNetwork,
    network_input,
)
from grader.extractors.digit_variations import redrawn, varied
from grader.extractors.extractor import Provenance

SEED = 20250101
EPOCHS = 8
BATCH_SIZE = 128
LEARNING_RATE = 4e-3
"""The highest; it rises to it and falls again, "one cycle" (Smith & Topin 2018, arXiv:1708.07120)."""
WEIGHT_DECAY = 1e-2
PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
IMAGE_HEADER, LABEL_HEADER = 16, 8


@dataclass(frozen=True)
class Labelled:
    """Images in [0, 1] and the digits that they show."""

    images: Float[Tensor, "n 1 height width"]
    labels: Int[Tensor, " n"]


def train(data: Labelled, *, epochs: int = EPOCHS, seed: int = SEED) -> DigitNetwork:
    """Fit the network; the same data and seed give the same weights, on one thread of one machine."""
    torch.manual_seed(seed)  # of the first weights
    generator = torch.Generator().manual_seed(seed)
    network = DigitNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(data.labels) // BATCH_SIZE
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * steps)
    for _ in range(epochs):
        order = torch.randperm(len(data.labels), generator=generator)
        for rows in torch.split(order[: steps * BATCH_SIZE], BATCH_SIZE):
            images, labels = data.images[rows], data.labels[rows]
            logits = network(network_input(varied(images, labels, generator)))
            loss = functional.cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.eval()


def accuracies(network: DigitNetwork, test: Labelled) -> dict[str, float]:
    """Share of digits that are known, none of which it was trained on."""
    small = load_digits()
    others = torch.from_numpy(small.images / 16).float()[:, None]
    return {
        "mnist_test_28x28": _accuracy(network, test),
        "mnist_test_drawn_in_8x8": _accuracy(network, Labelled(redrawn(test.images, 8), test.labels)),
        "scikit_learn_digits_8x8": _accuracy(network, Labelled(others, torch.from_numpy(small.target))),
    }


def write(network: DigitNetwork, weights: Path, *, training: dict[str, object]) -> None:
    """The weights, and beside them what they are."""
    content = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    provenance = Provenance(
        name=NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        source="trained from nothing on the training images of MNIST by grader/extractors/train_digit_cnn.py",
        input_transform=INPUT_TRANSFORM,
        dim=WIDTH,
        dtype="float32",
    )
    weights.write_bytes(content)
    text = json.dumps({**asdict(provenance), "training": training}, indent=2)
    weights.with_suffix(".json").write_text(f"{text}\n", encoding="utf-8")


def read_part(folder: Path, part: str) -> tuple[Labelled, dict[str, str]]:
    """One part of MNIST, and the SHA-256 of what its files hold when they are not compressed.

    Raises:
        ConfigurationError: a file is not there.
    """
    contents = {name: _content(folder / name) for name in PARTS[part]}
    images, labels = contents.values()
    pixels = torch.frombuffer(bytearray(images[IMAGE_HEADER:]), dtype=torch.uint8).reshape(-1, 1, 28, 28)
    data = Labelled(
        images=pixels.float() / 255,
        labels=torch.from_numpy(np.frombuffer(labels[LABEL_HEADER:], np.uint8).astype(np.int64)),
    )
    return data, {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _content(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.gz")
    if path.is_file():
        return path.read_bytes()
    if packed.is_file():
        return gzip.decompress(packed.read_bytes())
    raise ConfigurationError(f"{path}: not there, compressed or not; give the folder with the files of MNIST")


def _accuracy(network: DigitNetwork, data: Labelled) -> float:
    logits = in_batches(network_input(data.images), network, size=BATCH, device=torch.device("cpu"))
    return round(float((logits.argmax(1) == data.labels).double().mean()), 4)


def main(arguments: list[str]) -> int:
    """Train, measure, write, and say what came out."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write("usage: python -m grader.extractors.train_digit_cnn FOLDER [WEIGHTS]\n")
        return 2
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        (training, checksums), (test, test_checksums) = (
            read_part(Path(arguments[0]), part) for part in ("train", "test")
        )
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    network = train(training)
    weights = Path(arguments[1]) if arguments[1:] else WEIGHTS
    facts = {
        "script": "grader/extractors/train_digit_cnn.py",
        "seed": SEED,
        "epochs": EPOCHS,
        "torch": torch.__version__,
        "data_sha256": {**checksums, **test_checksums},
        "accuracy": accuracies(network, test),
    }
    write(network, weights, training=facts)
    sys.stdout.write(weights.with_suffix(".json").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
