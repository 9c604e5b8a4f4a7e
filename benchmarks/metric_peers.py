"""Other implementations of the same measures, called as their users would with features of their own.

pytorch-fid, clean-fid, torch-fidelity and prdc are read from a folder, because they want a torchvision
that has no CPU build for this torch; `how_to_get` is the command that puts them there. Only their
arithmetic is used, so an empty module stands in for torchvision while they are imported.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

Features = Float[Tensor, "n d"]

PEERS = "pytorch-fid==0.3.0 clean-fid==0.1.35 torch-fidelity==0.4.0 prdc==0.2"


def how_to_get(folder: Path) -> str:
    """The command that puts the peers into a folder."""
    return f"pip install --no-deps --target {folder} {PEERS}"


class Identity(torch.nn.Module):
    """Features in, the same out, in the form that torchmetrics asks of an extractor."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_features = dim

    def forward(self, features: Features) -> Features:
        """Hand the features on."""
        return features


@dataclass(frozen=True)
class FrechetPeer:
    """A Fréchet distance of somebody else: what it prepares of a reference, and one submission's cost."""

    name: str
    prepare: Callable[[Features], object]
    distance: Callable[[object, Features], float]
    takes_square_root: bool = False
    """Of a matrix: the same routine in all of them, and half a minute where matrices are large."""


def frechet_peers(folder: Path) -> list[FrechetPeer]:
    """All peers that can be imported here; scipy's square root is always there."""
    found = [FrechetPeer("torchmetrics", _torchmetrics_reference, _torchmetrics_distance)]
    found.append(_by_statistics("scipy sqrtm", _scipy_distance))
    modules = {
        "pytorch-fid": ("pytorch_fid.fid_score", "calculate_frechet_distance"),
        "clean-fid": ("cleanfid.fid", "frechet_distance"),
    }
    for name, (module, function) in modules.items():
        theirs = _imported(module, function, folder)
        if theirs is not None:
            found.append(_by_statistics(name, theirs))
    fidelity = _imported("torch_fidelity.metric_fid", "fid_statistics_to_metric", folder)
    if fidelity is not None:
        found.append(_by_statistics("torch-fidelity", _torch_fidelity(fidelity)))
    return found


def kernel_peer(real: Features, fake: Features) -> Callable[[], float]:
    """The kernel distance of torchmetrics as it comes: 100 random subsets of 1000, or of half of the rows."""
    subset_size = min(1000, len(fake) // 2)  # subsets of all rows would hide that it is not repeatable
    metric = KernelInceptionDistance(feature=Identity(real.shape[1]), subset_size=subset_size)
    metric.update(real, real=True)
    metric.update(fake, real=False)

    def again() -> float:
        metric._computed = None  # noqa: SLF001  (it would hand out what it computed before)
        return float(metric.compute()[0])

    return again


def prdc_peer(folder: Path) -> Callable[..., dict[str, float]] | None:
    """The function of the package prdc, or None where it is not there."""
    theirs = _imported("prdc.prdc", "compute_prdc", folder)
    if theirs is None:
        return None

    def quietly(*args: object, **kwargs: object) -> dict[str, float]:
        with redirect_stdout(sys.stderr):  # it prints how many points it was given
            return theirs(*args, **kwargs)

    return quietly


def _torchmetrics_reference(real: Features) -> object:
    metric = FrechetInceptionDistance(feature=Identity(real.shape[1]), reset_real_features=False)
    metric.update(real, real=True)
    return metric


def _torchmetrics_distance(metric: FrechetInceptionDistance, fake: Features) -> float:
    metric.reset()
    metric.update(fake, real=False)
    return float(metric.compute())


def _by_statistics(name: str, distance: Callable[..., float]) -> FrechetPeer:
    """A peer that takes means and covariances; those of a submission are part of its cost."""

    def statistics(features: Features) -> tuple[np.ndarray, np.ndarray]:
        rows = features.numpy().astype(np.float64)
        return rows.mean(0), np.cov(rows, rowvar=False)

    def of(reference: tuple[np.ndarray, np.ndarray], fake: Features) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(distance(*reference, *statistics(fake)))

    return FrechetPeer(name, statistics, of, takes_square_root=name != "torch-fidelity")


def _scipy_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """The textbook formula with scipy.linalg.sqrtm, taking the real part of whatever comes."""
    from scipy.linalg import sqrtm  # noqa: PLC0415

    root = np.asarray(sqrtm(cov1 @ cov2)).real
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root))


def _torch_fidelity(metric: Callable[..., object]) -> Callable[..., float]:
    def distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
        found = metric({"mu": mean1, "sigma": cov1}, {"mu": mean2, "sigma": cov2}, verbose=False)
        return float(next(iter(found.values())))

    return distance


def _imported(module: str, name: str, folder: Path) -> Callable[..., object] | None:
    """A function of a peer, with empty modules in the place of what it needs for images alone."""
    finder = _StandIns()
    sys.path.append(str(folder))
    sys.meta_path.append(finder)
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        print(f"{module}: not measured: {type(error).__name__}: {error}", file=sys.stderr)
        return None
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(folder))
        for needed in finder.served:
            del sys.modules[needed]


class _Anything(types.ModuleType):
    """A module that has every name, so that class bodies and decorators of a peer can be read."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name)

    def __call__(self, *_: object, **__: object) -> object:
        return self

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (torch.nn.Module,)


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last on the path of finders: serves packages for images where they are not installed."""

    packages = ("torchvision", "requests", "tqdm")

    def __init__(self) -> None:
        self.served: list[str] = []

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Serve whatever belongs to one of the packages."""
        ours = name.partition(".")[0] in self.packages
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Make an empty module."""
        self.served.append(spec.name)
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Leave it as it is."""
