"""The clip recursion against a linear program, and the laws of the blocks cut from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from federates.core.errors import ConfigError
from federates.der.storage_value import StorageFleet, energy_value_usd, marginal_values, offer_blocks, planned

VALUE_REL_TOL = 2e-4
"""The recursion rounds reach to whole cells; powers below make it whole, so only round-off is left."""


def fleet(**change: float) -> StorageFleet:
    values = {"power_kw": 100.0, "energy_kwh": 400.0, "charge": 1.0, "discharge": 1.0, "wear": 4.0} | change
    return batteries(**{name: np.array([value]) for name, value in values.items()})


def batteries(
    power_kw: np.ndarray, energy_kwh: np.ndarray, charge: np.ndarray, discharge: np.ndarray, wear: np.ndarray
) -> StorageFleet:
    none = np.zeros(power_kw.size)
    return StorageFleet(
        charge_kw=power_kw,
        discharge_kw=power_kw,
        energy_kwh=energy_kwh,
        charge_efficiency=charge,
        discharge_efficiency=discharge,
        wear_usd_per_mwh=wear,
        leak_per_h=none,
        due_usd_per_mwh=none,
        terminal_share=none + 1.0,
        terminal_below_kwh=energy_kwh,
    )


def best_income_usd(
    one: StorageFleet, price: np.ndarray, length_h: np.ndarray, terminal: float, soc_kwh: float
) -> float:
    """Optimal income plus the value of what is left, by a linear program over charge and discharge."""
    horizon = price.size
    power, wear = one.charge_kw[0], one.wear_usd_per_mwh[0] / 2
    eta_c, eta_d = one.charge_efficiency[0], one.discharge_efficiency[0]
    stored = np.tril(np.ones((horizon, horizon))) * length_h
    energy = np.hstack([stored * eta_c, -stored / eta_d])
    income = np.concatenate([-(price + wear) * length_h, (price - wear) * length_h])
    cost = -(income + terminal * energy[-1])
    result = linprog(
        cost / 1e3,
        A_ub=np.vstack([energy, -energy]),
        b_ub=np.concatenate([np.full(horizon, one.energy_kwh[0] - soc_kwh), np.full(horizon, soc_kwh)]),
        bounds=[(0, power)] * (2 * horizon),
    )
    assert result.status == 0
    return float(-result.fun + terminal * soc_kwh / 1e3)


@pytest.mark.parametrize("soc_share", [0.0, 0.25, 0.6, 1.0])
@pytest.mark.parametrize("efficiency", [1.0, 0.9])
def test_value_equals_the_linear_program(soc_share: float, efficiency: float) -> None:
    rng = np.random.default_rng(7)
    price = 30 + 15 * np.sin(np.arange(36) / 4) + rng.normal(0, 5, 36)
    length = np.concatenate([np.full(12, 1 / 12), np.full(24, 1.0)])
    one = fleet(charge=efficiency, discharge=efficiency)
    terminal = float(price.mean())
    cells = 48 if efficiency == 1.0 else 480
    mu = marginal_values(one, price, length, terminal, cells=cells, spread=0.0)
    soc = soc_share * one.energy_kwh
    mine = energy_value_usd(one, mu[0], soc)[0]
    oracle = best_income_usd(one, price, length, terminal, float(soc[0]))
    empty = best_income_usd(one, price, length, terminal, 0.0)
    scale = abs(best_income_usd(one, price, length, terminal, 400.0))
    limit = VALUE_REL_TOL if efficiency == 1.0 else 2e-3
    assert mine == pytest.approx(oracle - empty, abs=limit * scale)


def test_a_fleet_gives_what_each_battery_gives_alone() -> None:
    rng = np.random.default_rng(3)
    price, length = rng.uniform(10, 60, 24), np.ones(24)
    power, energy = rng.uniform(5, 100, 6), rng.uniform(50, 400, 6)
    both = batteries(power, energy, np.full(6, 0.95), np.full(6, 0.93), np.full(6, 3.0))
    together = marginal_values(both, price, length, 30.0)
    for k in range(6):
        alone = fleet(power_kw=power[k], energy_kwh=energy[k], charge=0.95, discharge=0.93, wear=3.0)
        np.testing.assert_array_equal(together[:, k], marginal_values(alone, price, length, 30.0)[:, 0])


PRICES = st.lists(st.floats(-20, 200), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(price=PRICES, soc=st.floats(0, 1), wear=st.floats(0, 20), eta=st.floats(0.8, 1.0))
def test_slopes_fall_and_blocks_rise(price: list[float], soc: float, wear: float, eta: float) -> None:
    one = fleet(charge=eta, discharge=eta, wear=wear)
    mu = marginal_values(one, np.array(price), np.ones(len(price)), 25.0)
    assert np.isfinite(mu).all()
    assert (np.diff(mu, axis=2) <= 1e-9).all()
    blocks = offer_blocks(one, mu[1], soc * one.energy_kwh, 1.0)
    assert (np.diff(blocks.price_usd_per_mwh, axis=1) >= -1e-7).all()
    assert (blocks.width_kw >= 0).all()
    top = blocks.floor_kw + blocks.width_kw.sum(axis=1)
    reach = np.array([soc * 400.0 * eta, 100.0]).min()
    assert top[0] == pytest.approx(reach, abs=1e-9)
    assert blocks.floor_kw[0] == pytest.approx(-min((1 - soc) * 400.0 / eta, 100.0), abs=1e-9)


def test_blocks_follow_the_price_of_a_known_plan() -> None:
    # One later hour at 50 $/MWh, wear 4, no losses: a stored MWh in reach of that hour is worth 50 - 2.
    one = fleet()
    mu = marginal_values(one, np.array([20.0, 50.0]), np.ones(2), 10.0)
    blocks = offer_blocks(one, mu[1], np.array([50.0]), 1.0)
    # Below 100 kWh (one hour of power) each kWh is worth 48; above it, the terminal 10.
    np.testing.assert_allclose(blocks.width_kw, [[50.0, 50.0, 25.0, 25.0]])
    np.testing.assert_allclose(blocks.price_usd_per_mwh, [[8.0, 46.0, 50.0, 50.0]])
    assert blocks.floor_kw[0] == -100.0


def test_prices_that_may_turn_out_otherwise_are_worth_their_mean_income() -> None:
    """One hour at 50 $/MWh, wear 4, no losses; what is left then is worth 47.

    Spread 3 %: 50 - 1.5 sqrt(1.5), 50, 50 + 1.5 sqrt(1.5), each as likely, less 2 of wear: 46.16, 48, 49.84.
    At the first nothing is sold; the mean of 47, 48 and 49.84 is more than the 48 of a price that is sure.
    """
    one, up = fleet(), 1.5 * np.sqrt(1.5)
    mu = marginal_values(one, np.array([50.0]), np.ones(1), 47.0, spread=0.03)
    np.testing.assert_allclose(mu[0, 0, 0], (47.0 + 48.0 + (48.0 + up)) / 3.0, rtol=1e-12)
    sure = marginal_values(one, np.array([50.0]), np.ones(1), 47.0, spread=0.0)
    assert sure[0, 0, 0] == 48.0


def test_between_equal_prices_an_uncertain_store_offers_a_part_at_each() -> None:
    """Four hours at 50 $/MWh and energy for two of them: sure of the price, all of it is worth the same; in
    doubt, each further kWh has fewer good hours left for it, and is worth less."""
    one = fleet()
    price, length = np.full(4, 50.0), np.ones(4)
    sure = marginal_values(one, price, length, 10.0, spread=0.0)[0, 0, :24]
    doubtful = marginal_values(one, price, length, 10.0, spread=0.03)[0, 0, :24]
    assert np.ptp(sure) == 0.0
    assert doubtful[0] - doubtful[-1] > 0.5
    assert (np.diff(doubtful) <= 0.0).all()


def test_a_plan_bends_slopes_around_its_level_and_leaves_them_falling() -> None:
    """400 kWh in 48 cells, 200 kWh planned, worth 40; slopes fall from 45 to 35 at 250 kWh.

    Below the plan 45 is more than 40 and 3 %, and stays; from there to 250 kWh it becomes 40 less 3 %, and 35
    stays. Where the plan ends in a cell, that is worth 40.
    """
    one = fleet()
    mu = np.where(np.arange(48) < 30, 45.0, 35.0)[None]
    bent = planned(one, mu, np.array([200.0]), np.array([40.0]))[0]
    np.testing.assert_allclose(bent, np.repeat([45.0, 38.8, 35.0], [24, 6, 18]))
    inside = planned(one, mu - 20.0, np.array([203.0]), np.array([40.0]))[0]
    np.testing.assert_allclose(inside, np.repeat([41.2, 40.0, 25.0, 15.0], [24, 1, 5, 18]))
    assert (np.diff(inside) <= 0.0).all()


def test_an_impossible_battery_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        fleet(energy_kwh=0.0)
    with pytest.raises(ConfigError, match="efficiencies"):
        fleet(discharge=1.1)
