"""Load estimates: hand cases, and what holds of any."""

from __future__ import annotations

import math

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError
from federates.dso.estimation import (
    HeadReading,
    LoadReadings,
    Prior,
    estimate_loads,
    forecast_loads,
    kept_share,
    late_readings,
)

EXACT = 1e-9
"""Rounding of loads of some 100 kW, in kW, and of relative values."""
NO_METERS = LoadReadings(load=np.zeros(0, dtype=np.int64), kept=1.0, power=np.zeros(0), sigma=np.zeros(0))
PRIOR = Prior(power=np.array([40.0, 20.0, 85.0, 0.0, 60.0]), own_sigma=0.2, common_sigma=0.05)


def meters(load: list[int], power: list[float], sigma: float, kept: float = 1.0) -> LoadReadings:
    return LoadReadings(
        load=np.array(load), kept=kept, power=np.array(power), sigma=np.full(len(load), sigma)
    )


def head(power: float, sigma: float) -> HeadReading:
    return HeadReading(power=power, sigma=sigma)


def test_a_miss_at_the_head_is_shared_by_variance() -> None:
    """Loads of 100 and 200 kW, sigma 10 %: variances 100 and 400 kW^2; the head reads 60 kW more than their
    sum, with a variance of 100 kW^2. The gain is (100, 400) / (100 + 400 + 100), so the loads move by 10 and
    40 kW, and their variances are left at 100 - 100^2/600 and 400 - 400^2/600."""
    prior = Prior(power=np.array([100.0, 200.0]), own_sigma=0.1, common_sigma=0.0)
    found = estimate_loads(prior, head(360.0, 10.0), NO_METERS)
    assert found.power == pytest.approx([110.0, 240.0], abs=EXACT)
    assert found.sigma**2 == pytest.approx([100 - 100**2 / 600, 400 - 400**2 / 600], rel=EXACT)


def test_an_error_that_all_loads_share_is_shared_in_proportion() -> None:
    """Loads of 100 and 200 kW, common error 10 %: the sum's variance is 30^2; with a head of the same
    variance, half of the 60 kW is believed, a third of it by the smaller load."""
    prior = Prior(power=np.array([100.0, 200.0]), own_sigma=0.0, common_sigma=0.1)
    found = estimate_loads(prior, head(360.0, 30.0), NO_METERS)
    assert found.power == pytest.approx([110.0, 220.0], abs=EXACT)


def test_a_meter_and_a_forecast_are_weighed_by_their_variances() -> None:
    """Forecast 100 kW, sigma 10 kW; the meter reads 120 kW, sigma 5 kW; the head says next to nothing:
    100 + 20 * 100 / (100 + 25) = 116 kW, sigma^2 = 100 * 25 / 125 = 20 kW^2."""
    prior = Prior(power=np.array([100.0]), own_sigma=0.1, common_sigma=0.0)
    found = estimate_loads(prior, head(0.0, 1e8), meters([0], [120.0], 5.0))
    assert found.power == pytest.approx([116.0], abs=1e-6)
    assert found.sigma**2 == pytest.approx([20.0], rel=1e-6)


def test_exact_meters_are_met_and_the_others_take_the_head() -> None:
    found = estimate_loads(PRIOR, head(300.0, 0.01), meters([0, 2], [55.0, 70.0], 0.0))
    assert found.power[[0, 2]] == pytest.approx([55.0, 70.0], abs=EXACT)
    assert found.sigma[[0, 2]] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert found.power.sum() == pytest.approx(300.0, abs=0.03)
    assert found.power[3] == 0.0
    assert np.all(found.power[[1, 4]] > PRIOR.power[[1, 4]])


def test_perfect_meters_everywhere_stand_against_any_head() -> None:
    read = [50.0, 10.0, 80.0, 5.0, 61.0]
    found = estimate_loads(PRIOR, head(500.0, 1.0), meters([0, 1, 2, 3, 4], read, 0.0))
    assert found.power == pytest.approx([50.0, 10.0, 80.0, 0.0, 61.0], abs=EXACT)


@pytest.mark.parametrize("miss", [-50.0, 50.0])
def test_the_sum_lies_between_forecast_and_head_and_near_a_good_head(miss: float) -> None:
    expected = float(PRIOR.power.sum())
    for sigma in (0.1, 5.0, 100.0):
        found = float(estimate_loads(PRIOR, head(expected + miss, sigma), NO_METERS).power.sum())
        assert 0.0 < (found - expected) / miss < 1.0
        # what is left is the miss times sigma^2 / (sum's variance + sigma^2)
        variance = 0.2**2 * float(PRIOR.power @ PRIOR.power) + (0.05 * expected) ** 2
        assert expected + miss - found == pytest.approx(miss * sigma**2 / (variance + sigma**2), rel=1e-9)
    assert (
        abs(expected + miss - float(estimate_loads(PRIOR, head(expected + miss, 0.1), NO_METERS).power.sum()))
        < 0.1
    )


def test_permuted_loads_have_permuted_estimates() -> None:
    order = np.array([3, 0, 4, 2, 1])
    place = np.argsort(order)
    one = estimate_loads(PRIOR, head(230.0, 2.0), meters([1, 2], [25.0, 80.0], 1.0))
    permuted = Prior(power=PRIOR.power[order], own_sigma=0.2, common_sigma=0.05)
    other = estimate_loads(permuted, head(230.0, 2.0), meters(place[[1, 2]].tolist(), [25.0, 80.0], 1.0))
    assert other.power == pytest.approx(one.power[order], abs=EXACT)
    assert other.sigma == pytest.approx(one.sigma[order], abs=EXACT)


def _trial(random: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """True loads, their estimate, and the sigma that it states."""
    error = PRIOR.own_sigma * random.standard_normal(5) + PRIOR.common_sigma * random.standard_normal()
    true = PRIOR.power * (1.0 + error)
    read = true[[0, 4]] + 1.0 * random.standard_normal(2)
    total = float(true.sum()) + 3.0 * random.standard_normal()
    found = estimate_loads(PRIOR, head(total, 3.0), meters([0, 4], read.tolist(), 1.0))
    return true, found.power, found.sigma


def test_over_many_draws_the_estimate_is_unbiased_and_errs_by_what_it_states() -> None:
    """4000 draws: a mean errs by sigma / sqrt(4000), a standard deviation by about its 1/sqrt(8000): five of
    these are allowed. Every load is known better than by its forecast, or its meter alone."""
    random = np.random.default_rng(7)
    draws = 4_000
    errors = []
    for _ in range(draws):
        true, found, sigma = _trial(random)
        errors.append(found - true)
    error, loaded = np.array(errors), PRIOR.power > 0.0
    assert np.all(np.abs(error.mean(axis=0)) <= 5.0 * sigma / math.sqrt(draws))
    assert error.std(axis=0)[loaded] == pytest.approx(sigma[loaded], rel=5.0 / math.sqrt(2 * draws))
    assert np.all(sigma[loaded] < PRIOR.relative_sigma * PRIOR.power[loaded])
    assert np.all(sigma[[0, 4]] < 1.0)


def test_a_late_reading_alone_gives_the_mean_and_variance_of_an_autoregression() -> None:
    """A perfect reading 20 % above its forecast, of which half is kept: the best guess now is 10 % above what
    is forecast now, and the variance left is (1 - 1/4) of the forecast's."""
    then = Prior(power=np.array([50.0]), own_sigma=0.3, common_sigma=0.0)
    now = Prior(power=np.array([80.0]), own_sigma=0.3, common_sigma=0.0)
    late = late_readings(np.array([0]), np.array([60.0]), then, now, noise=0.0, kept=0.5)
    found = estimate_loads(now, head(0.0, 1e8), late)
    assert found.power == pytest.approx([88.0], abs=1e-6)
    assert found.sigma**2 == pytest.approx([0.75 * (0.3 * 80.0) ** 2], rel=1e-6)


def test_a_reading_of_now_is_the_reading_and_one_of_long_ago_says_nothing() -> None:
    load, read = np.array([0, 2]), np.array([55.0, 70.0])
    fresh = late_readings(load, read, PRIOR, PRIOR, noise=0.0, kept=1.0)
    assert fresh.power == pytest.approx(read, abs=EXACT)
    assert fresh.sigma == pytest.approx([0.0, 0.0], abs=EXACT)
    old = late_readings(load, read, PRIOR, PRIOR, noise=0.0, kept=0.0)
    with_old = estimate_loads(PRIOR, head(230.0, 2.0), old)
    without = estimate_loads(PRIOR, head(230.0, 2.0), NO_METERS)
    assert with_old.power == pytest.approx(without.power, abs=EXACT)


def test_a_forecast_goes_from_the_estimate_to_the_day_before() -> None:
    """120 kW now where 100 were expected; 50 are expected later: 60 if all of the 20 % is kept."""
    now, found, target = np.array([100.0, 0.0]), np.array([120.0, 0.0]), np.array([50.0, 10.0])
    assert forecast_loads(found, now, target, 1.0) == pytest.approx([60.0, 10.0], abs=EXACT)
    assert forecast_loads(found, now, target, 0.0) == pytest.approx(target, abs=EXACT)
    half = kept_share(3_600.0, 3_600.0 / math.log(2.0))
    assert half == pytest.approx(0.5, rel=EXACT)
    assert forecast_loads(found, now, target, half) == pytest.approx([55.0, 10.0], abs=EXACT)


def test_a_head_without_error_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        estimate_loads(PRIOR, head(230.0, 0.0), NO_METERS)
