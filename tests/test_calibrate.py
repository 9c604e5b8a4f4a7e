"""From the examinations of the reference to its bands, and what becomes of bands that were written before."""

import json
import math
from decimal import Decimal
from pathlib import Path

import pytest

from grader.calibrate import bands_of
from grader.course.model import Bands, Criterion
from grader.course.tree import CourseTree
from grader.examine.request import engine_digest, environment_lock
from grader.records import Environment, Examination, Measurement, Status

VALUES = (1.0, 2.0, 4.0, 3.0)
ERRORS = (0.1, 0.1, 0.3, 0.1)
RULE = Criterion(id="c", title="C", points=Decimal(3), kind="metric", task="t", metric="m")


def examination(seed, value, error):
    ends = {} if error is None else {"low": value - 2 * error, "high": value + 2 * error}
    return Examination(
        key="k", team="reference", assignment="a", outcomes=(), status=Status.PASSED,
        measurements=(
            Measurement(name="m", value=value, unit="nats", n=5, **ends),
            Measurement(name="m_baseline", value=9.0, unit="nats", n=5),
        ),
        environment=Environment(engine="e", python="3", torch="2", device="cpu", sandbox="fake", seed=seed),
    )  # fmt: skip


def band_of(errors=ERRORS):
    examinations = [examination(seed, v, e) for seed, (v, e) in enumerate(zip(VALUES, errors, strict=True))]
    return bands_of([RULE], examinations, device="cpu", seeds=range(4))


def test_a_band_says_how_its_values_are_spread_and_where_they_come_from():
    bands = band_of()
    band = bands.bands["m"]
    assert band.quantiles == {"0": 1.0, "0.25": 1.75, "0.5": 2.5, "0.75": 3.25, "1": 4.0}
    assert (band.mean, band.n, band.seeds, band.none_at) == (2.5, 4, (0, 1, 2, 3), 9.0)
    assert band.engine == bands.engine == engine_digest()
    assert bands.versions == environment_lock()


def test_the_error_of_one_measurement_is_kept_beside_the_spread_between_seeds():
    band = band_of().bands["m"]
    assert band.standard_error == pytest.approx(math.sqrt((3 * 0.01 + 0.09) / 4))
    assert band.standard_deviation > 5 * band.standard_error
    assert band_of(errors=(None,) * 4).bands["m"].standard_error == 0.0


def test_bands_that_were_written_before_stay_valid_and_are_not_rewritten():
    tree = CourseTree.open(Path(__file__).parents[1])
    for name in tree.assignment_ids():
        text = tree.bands_path(name).read_text(encoding="utf-8")
        bands = Bands.model_validate_json(text)
        assert bands.bands
        assert json.loads(bands.model_dump_json(exclude_unset=True)) == json.loads(text)
