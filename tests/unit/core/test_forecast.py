"""Laws of the forecast model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.core.forecast import BUCKET_S, SATURATION_BUCKETS, ForecastModel

MODEL = ForecastModel(sigma_short=0.01, sigma_day=0.05, seed=7)
DAY_S = 86_400
HALF_DAY_S = SATURATION_BUCKETS * BUCKET_S
SAMPLES = 20_000
SAMPLING_TOLERANCE = 4.0 / math.sqrt(2 * SAMPLES)  # four standard errors of a standard deviation
TARGETS = np.arange(-20, 300, dtype=np.int64) * BUCKET_S


def sample(model: ForecastModel, horizon_s: int, stream: int = 0) -> np.ndarray:
    """Independent errors at one horizon: targets a day apart, a hundred columns each."""
    days = [np.array([k * DAY_S]) for k in range(SAMPLES // 100)]
    return np.concatenate([model.error(t, int(t[0]) - horizon_s, stream, 100) for t in days]).ravel()


@pytest.mark.parametrize("first", [0, 1, 17, 200])
@pytest.mark.parametrize("issue_s", [-30_000, -7, 4_000])
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_a_forecast_does_not_depend_on_the_window_asked_for(
    first: int, issue_s: int, correlation: float
) -> None:
    model = ForecastModel(correlation=correlation, seed=7)
    whole = model.error(TARGETS, issue_s, 3, 40)
    part = model.error(TARGETS[first : first + 60], issue_s, 3, 40)
    np.testing.assert_array_equal(part, whole[first : first + 60])
    one = model.error(TARGETS[[-1]], issue_s, 3, 40)
    np.testing.assert_array_equal(one[0], whole[-1])


@pytest.mark.parametrize("columns", [1, 15, 16, 17])
def test_first_columns_are_the_same_whatever_their_number(columns: int) -> None:
    whole = MODEL.error(TARGETS, -3_600, 3, 40)
    np.testing.assert_array_equal(MODEL.error(TARGETS, -3_600, 3, columns), whole[:, :columns])


def test_order_of_targets_does_not_matter() -> None:
    shuffled = np.random.default_rng(1).permutation(TARGETS.size)
    whole = MODEL.error(TARGETS, -3_600, 3, 5)
    np.testing.assert_array_equal(MODEL.error(TARGETS[shuffled], -3_600, 3, 5), whole[shuffled])


def test_a_perfect_forecast_is_the_actual_series() -> None:
    actual = np.random.default_rng(2).uniform(0.0, 100.0, (TARGETS.size, 3))
    perfect = ForecastModel(kind="perfect", sigma_short=0.01, sigma_day=0.05)
    np.testing.assert_array_equal(perfect.forecast(actual, TARGETS, -DAY_S, 0), actual)
    assert (MODEL.forecast(actual, TARGETS, -DAY_S, 0) != actual).all()


def test_the_error_is_gone_at_the_target() -> None:
    error = MODEL.error(TARGETS, 9_000, 0, 8)
    known = TARGETS < 9_000 + BUCKET_S
    assert (error[known] == 0.0).all()
    assert (error[~known] != 0.0).all()


@pytest.mark.parametrize("horizon_s", [BUCKET_S, 2 * BUCKET_S, 3_600, HALF_DAY_S, DAY_S])
def test_standard_deviation_is_as_stated(horizon_s: int) -> None:
    stated = MODEL.standard_deviation(horizon_s)
    assert sample(MODEL, horizon_s).std() == pytest.approx(stated, rel=SAMPLING_TOLERANCE)


def test_standard_deviation_grows_from_five_minutes_to_half_a_day_and_stays() -> None:
    horizons = range(0, 2 * HALF_DAY_S, BUCKET_S)
    stated = np.array([MODEL.standard_deviation(h) for h in horizons])
    assert stated[0] == 0.0
    assert stated[1] == MODEL.sigma_short
    assert (np.diff(stated[: SATURATION_BUCKETS + 1]) > 0.0).all()
    np.testing.assert_allclose(stated[SATURATION_BUCKETS:], MODEL.sigma_day, rtol=1e-12)


def test_errors_are_normal_and_unbiased() -> None:
    z = sample(MODEL, BUCKET_S) / MODEL.sigma_short
    assert abs(z.mean()) < 4.0 / math.sqrt(SAMPLES)
    assert abs((z**3).mean()) < 4.0 * math.sqrt(15.0 / SAMPLES)
    assert (z**4).mean() == pytest.approx(3.0, abs=4.0 * math.sqrt(96.0 / SAMPLES))


def test_an_update_does_not_depend_on_the_forecast_that_it_updates() -> None:
    days = [np.array([k * DAY_S]) for k in range(200)]
    early = np.concatenate([MODEL.error(t, int(t[0]) - 36_000, 0, 100) for t in days]).ravel()
    late = np.concatenate([MODEL.error(t, int(t[0]) - 3_600, 0, 100) for t in days]).ravel()
    update = early - late
    bound = 4.0 / math.sqrt(late.size)
    assert abs(np.corrcoef(update, late)[0, 1]) < bound
    assert np.corrcoef(early, late)[0, 1] > 10.0 * bound


@pytest.mark.parametrize(
    ("other", "stream"),
    [(ForecastModel(sigma_short=0.01, sigma_day=0.05, seed=8), 0), (MODEL, 1)],
    ids=["seed", "stream"],
)
def test_other_seeds_and_streams_are_independent(other: ForecastModel, stream: int) -> None:
    a, b = sample(MODEL, 3_600), sample(other, 3_600, stream)
    assert (a != b).all()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.0 / math.sqrt(SAMPLES)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_columns_share_the_stated_part_of_their_variance(correlation: float) -> None:
    model = ForecastModel(sigma_short=0.01, sigma_day=0.05, correlation=correlation, seed=7)
    error = np.concatenate(
        [model.error(np.array([k * DAY_S]), k * DAY_S - 3_600, 0, 20) for k in range(2_000)]
    )
    pairs = np.corrcoef(error.T)[np.triu_indices(20, k=1)]
    assert pairs.mean() == pytest.approx(correlation, abs=0.05)
    assert error.std() == pytest.approx(model.standard_deviation(3_600), rel=0.05)


def test_no_value_changes_its_sign_even_with_absurd_errors() -> None:
    wild = ForecastModel(sigma_short=1.0, sigma_day=5.0, seed=1)
    actual = np.random.default_rng(3).uniform(-100.0, 100.0, (TARGETS.size, 10))
    forecast = wild.forecast(actual, TARGETS, -DAY_S, 0)
    assert (forecast * actual >= 0.0).all()
    assert (forecast == 0.0).any()


def test_forecasts_keep_the_shape_of_the_series() -> None:
    assert MODEL.forecast(np.ones((TARGETS.size,)), TARGETS, 0, 0).shape == (TARGETS.size,)
    assert MODEL.forecast(np.ones((TARGETS.size, 2, 3)), TARGETS, 0, 0).shape == (TARGETS.size, 2, 3)
    assert MODEL.forecast(np.ones((0, 3)), TARGETS[:0], 0, 0).shape == (0, 3)


@pytest.mark.parametrize(
    ("sigma_short", "sigma_day", "seed"),
    [(0.1, 0.05, 0), (-0.1, 0.05, 0), (0.0, math.nan, 0), (0.0, 0.1, -1)],
)
def test_impossible_settings_are_refused(sigma_short: float, sigma_day: float, seed: int) -> None:
    with pytest.raises(ConfigError, match="forecast error"):
        ForecastModel(sigma_short=sigma_short, sigma_day=sigma_day, seed=seed)


def test_an_impossible_correlation_is_refused() -> None:
    with pytest.raises(ConfigError, match="correlation"):
        ForecastModel(correlation=1.1)
