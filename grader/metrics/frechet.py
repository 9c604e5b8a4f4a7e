"""The Fréchet distance between two sets of features: what others import, from the three files that make it.

`factorise` prepares the reference once (and `reference_cache` keeps it on disk); `frechet_distance` is the
figure with a bound on its rounding; `frechet_estimate` adds its sampling error and takes away its bias.
"""

from grader.metrics.frechet_distance import FrechetDistance, frechet_distance
from grader.metrics.frechet_noise import (
    FrechetEstimate,
    extrapolated_distance,
    frechet_estimate,
    frechet_standard_error,
)
from grader.metrics.frechet_reference import FrechetReference, factorise

__all__ = [
    "FrechetDistance",
    "FrechetEstimate",
    "FrechetReference",
    "extrapolated_distance",
    "factorise",
    "frechet_distance",
    "frechet_estimate",
    "frechet_standard_error",
]
