"""Fixed demand: what comes, what is expected, and that the window asked for does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.der_settings import EvSettings, FlexibleSettings
from federates.der.catalog import Behaviour, build_fleet
from federates.der.demand import (
    NOISE_SIGMA,
    Demand,
    actual_demand,
    build_demand,
    expected_demand,
)
from federates.der.ev import charging_kw, expected_charging_kw, place_vehicles
from federates.der.fleet import flexible_kw_by_load
from federates.der.mix import Mix
from federates.der.model import Surroundings
from federates.der.placement import load_distance_ft
from tests.unit.der.builders import EVERYTHING, PEAK_KW, mix_of, row_feeder

FOUR_SIGMA_COUNT = 4.0 * np.sqrt(3_000 * 0.25)
"""Vehicles charging at one instant are at most binomial with p = 1/2."""
MINUTES = np.arange(0, 86_400, 60)


def demand_of(mix: Mix, seed_id: int = 3) -> Demand:
    feeder = row_feeder()
    return build_demand(feeder, mix, build_fleet(feeder, mix, seed_id), seed_id)


def flat(t: np.ndarray, level: float = 0.8) -> np.ndarray:
    return np.full(t.size, level)


@pytest.mark.parametrize("begin_s", [-3_600, 0, 40_000, 86_000])
def test_demand_does_not_depend_on_the_window(begin_s: int) -> None:
    demand = demand_of(EVERYTHING)
    wide = np.arange(-7_200 - 7_200 % 60, 100_800, 60)
    begin_s -= begin_s % 60
    narrow = np.arange(begin_s, begin_s + 1_800, 60)
    whole = actual_demand(demand, wide, flat(wide)).p_kw
    part = actual_demand(demand, narrow, flat(narrow)).p_kw
    assert part.tobytes() == whole[np.isin(wide, narrow)].tobytes()


def test_coarser_grid_reads_the_same_values() -> None:
    demand = demand_of(EVERYTHING)
    fine, coarse = (actual_demand(demand, t, flat(t)).p_kw for t in (MINUTES, MINUTES[::5]))
    assert fine[::5].tobytes() == coarse.tobytes()


def test_same_seed_same_bytes_and_another_seed_differs() -> None:
    one, same, other = (
        actual_demand(demand_of(EVERYTHING, seed), MINUTES, flat(MINUTES)).p_kw for seed in (3, 3, 4)
    )
    assert one.tobytes() == same.tobytes()
    assert np.abs(one - other).max() > 1.0


def test_expected_demand_is_peak_times_scale_times_shape() -> None:
    demand = demand_of(Mix(load_scale=0.75))
    power = expected_demand(demand, MINUTES, flat(MINUTES))
    assert power.p_kw.sum(axis=1) == pytest.approx(0.8 * 0.75 * PEAK_KW)
    assert power.q_kvar == pytest.approx(0.5 * power.p_kw)


def test_noise_has_the_stated_spread_and_goes_on_over_midnight() -> None:
    demand = demand_of(Mix())
    t = np.arange(0, 2 * 86_400, 60)
    ratio = actual_demand(demand, t, flat(t)).p_kw / expected_demand(demand, t, flat(t)).p_kw - 1.0
    assert ratio.std() == pytest.approx(NOISE_SIGMA, rel=0.05)
    steps = np.abs(np.diff(ratio, axis=0)).mean(axis=1)
    assert steps[1_439] < 1.5 * steps.mean()


def test_flexible_and_fixed_parts_add_up_to_the_load() -> None:
    feeder, mix = row_feeder(), mix_of(flexible=FlexibleSettings(share=0.15))
    fleet = build_fleet(feeder, mix, 3)
    fixed = expected_demand(build_demand(feeder, mix, fleet, 3), MINUTES, flat(MINUTES)).p_kw
    around = Surroundings(
        t_s=0, length_s=60, sun=np.zeros(len(fleet)), profile=np.full(len(fleet), np.nan), level=0.8
    )
    flexible_kw = -Behaviour(fleet).actual(around).least_kw.sum()
    assert flexible_kw_by_load(fleet, len(feeder.loads)).sum() == pytest.approx(0.15 * PEAK_KW)
    assert fixed.sum(axis=1) + flexible_kw == pytest.approx(0.8 * PEAK_KW)


def test_evening_bump_peaks_at_half_past_seven() -> None:
    power = expected_demand(demand_of(Mix(evening_bump=0.15)), MINUTES, flat(MINUTES)).p_kw.sum(axis=1)
    assert MINUTES[np.argmax(power)] == 19.5 * 3_600
    assert power.max() == pytest.approx(0.95 * PEAK_KW)


def test_vehicles_take_their_daily_energy_around_the_evening() -> None:
    feeder = row_feeder()
    peak = np.array([load.kw for load in feeder.loads])
    vehicles = place_vehicles(EvSettings(count=3_000), EVERYTHING.placement("ev", feeder, 3))
    t = np.arange(6 * 3_600, 30 * 3_600, 60)
    power = charging_kw(vehicles, t, peak.size)
    assert power.sum() / 60.0 / 3_000 == pytest.approx(10.0, rel=0.02)
    expected = expected_charging_kw(vehicles, t, peak.size)
    assert expected.sum() / 60.0 / 3_000 == pytest.approx(10.0, rel=0.01)
    missed = np.abs(power.sum(axis=1) - expected.sum(axis=1)).max() / 7.2
    assert missed < FOUR_SIGMA_COUNT
    assert 18 * 3_600 < t[np.argmax(power.sum(axis=1))] < 20 * 3_600


def test_far_weight_draws_vehicles_to_the_far_half() -> None:
    feeder = row_feeder()
    assert (np.diff(load_distance_ft(feeder)) > 0.0).all()
    peak = np.array([load.kw for load in feeder.loads])
    near, far = peak[:40].sum(), peak[40:].sum()
    for weight in (1.0, 3.0):
        settings = EvSettings(count=4_000, far_weight=weight)
        vehicles = place_vehicles(settings, EVERYTHING.placement("ev", feeder, 3))
        share = weight * far / (near + weight * far)
        assert (vehicles.load >= 40).mean() == pytest.approx(share, abs=0.03)


def test_managed_vehicles_are_no_fixed_demand() -> None:
    place = EVERYTHING.placement("ev", row_feeder(), 3)
    assert place_vehicles(EvSettings(count=50), place).load.size == 50
    assert place_vehicles(EvSettings(count=50, charging="managed"), place).load.size == 0
    assert place_vehicles(None, place).load.size == 0
