"""What an aggregator offers covers exactly what its DERs can do, at their true cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.aggregator.portfolio import Portfolio, PricePath
from federates.core.arrays import FloatArray
from federates.core.messages import DerOffers
from federates.der.fleet import build_fleet
from tests.unit.der.builders import EVERYTHING, row_feeder

PORTFOLIO = Portfolio(build_fleet(row_feeder(), EVERYTHING, 7))
FLEET = PORTFOLIO.fleet
N = len(FLEET)
STORES = int(PORTFOLIO.battery.sum())
MARKET_S = 300
H = MARKET_S / 3_600
MW = 1e-9
"""Rounding of kW to MW."""
EVENING = PricePath(
    price_usd_per_mwh=np.array([20.0, 15.0, 60.0, 90.0, 30.0]),
    length_h=np.ones(5),
    terminal_usd_per_mwh=25.0,
)
LIMIT_KW = np.where(PORTFOLIO.pv, 0.6, 0.5) * FLEET.power_kw


def offered(
    share: float = 0.5, *, path: PricePath = EVENING, factor: float = 1.0, limit_kw: FloatArray = LIMIT_KW
) -> DerOffers:
    slopes = PORTFOLIO.marginal_values(path)
    return PORTFOLIO.offers(
        interval_s=600,
        length_s=MARKET_S,
        slopes=slopes[:1],
        soc_kwh=share * PORTFOLIO.storage.energy_kwh[None],
        limit_kw=limit_kw[None],
        factor=factor,
    )


def ceiling_mw(offers: DerOffers) -> FloatArray:
    """Floor and all blocks, shape (ders,). [MW]"""
    return offers.floor_mw + np.bincount(offers.der, weights=offers.width_mw, minlength=N)


def test_the_fleet_has_every_kind() -> None:
    assert STORES > 0
    assert PORTFOLIO.pv.any()
    assert PORTFOLIO.flexible.any()


@given(share=st.floats(0.0, 1.0))
def test_floor_and_blocks_cover_what_rating_energy_sun_and_use_allow(share: float) -> None:
    offers = offered(share)
    storage = PORTFOLIO.storage
    soc = share * storage.energy_kwh
    charge = np.minimum(storage.power_kw, (storage.energy_kwh - soc) / storage.charge_efficiency / H)
    discharge = np.minimum(storage.power_kw, soc * storage.discharge_efficiency / H)
    least, most = np.zeros(N), np.zeros(N)
    least[PORTFOLIO.battery], most[PORTFOLIO.battery] = -charge, discharge
    most[PORTFOLIO.pv] = LIMIT_KW[PORTFOLIO.pv]
    least[PORTFOLIO.flexible] = -LIMIT_KW[PORTFOLIO.flexible]
    np.testing.assert_allclose(offers.floor_mw, least / 1_000, atol=MW)
    np.testing.assert_allclose(ceiling_mw(offers), most / 1_000, atol=MW)
    assert (offers.width_mw >= 0.0).all()


@given(share=st.floats(0.0, 1.0), prices=st.lists(st.floats(-40.0, 300.0), min_size=1, max_size=6))
def test_blocks_are_der_by_der_and_never_fall_in_price(share: float, prices: list[float]) -> None:
    path = PricePath(
        price_usd_per_mwh=np.array(prices), length_h=np.ones(len(prices)), terminal_usd_per_mwh=20.0
    )
    offers = offered(share, path=path)
    assert (np.diff(offers.der) >= 0).all()
    within = np.diff(offers.der) == 0
    assert (np.diff(offers.price_usd_per_mwh)[within] >= 0.0).all()


def test_sun_is_offered_at_minus_its_curtailment_cost_and_use_at_its_value() -> None:
    offers = offered()
    sun, use = PORTFOLIO.pv[offers.der], PORTFOLIO.flexible[offers.der]
    assert set(offers.price_usd_per_mwh[sun].tolist()) == {-5.0}
    assert set(offers.price_usd_per_mwh[use].tolist()) == {30.0, 60.0}
    assert np.bincount(offers.der[use]).max() == 2


def test_a_full_store_offers_no_charge_and_an_empty_one_no_discharge() -> None:
    store = PORTFOLIO.battery
    assert np.abs(offered(1.0).floor_mw[store]).max() <= MW
    assert ceiling_mw(offered(1.0))[store].min() > 0.0
    assert np.abs(ceiling_mw(offered(0.0))[store]).max() <= MW
    assert offered(0.0).floor_mw[store].max() < 0.0


def test_a_store_asks_more_for_its_energy_when_the_evening_is_dear() -> None:
    flat = PricePath(price_usd_per_mwh=np.full(5, 20.0), length_h=np.ones(5), terminal_usd_per_mwh=20.0)
    stored = PORTFOLIO.battery[offered().der]
    dear, cheap = offered().price_usd_per_mwh[stored], offered(path=flat).price_usd_per_mwh[stored]
    assert (dear >= cheap).all()
    assert (dear > cheap).any()
    # energy that costs eta to get out and half its wear: 20 / eta + wear / 2
    wear = float(PORTFOLIO.storage.wear_usd_per_mwh[0])
    eta = float(PORTFOLIO.storage.discharge_efficiency[0])
    assert cheap.max() == pytest.approx(20.0 / eta + wear / 2)


def test_offers_of_equal_sets_are_multiples() -> None:
    one, many = offered(), offered(factor=5.0)
    np.testing.assert_allclose(many.floor_mw, 5.0 * one.floor_mw, rtol=1e-12)
    np.testing.assert_allclose(many.width_mw, 5.0 * one.width_mw, rtol=1e-12)
    assert np.array_equal(many.price_usd_per_mwh, one.price_usd_per_mwh)


def test_consecutive_intervals_are_what_each_would_be_alone() -> None:
    slopes = PORTFOLIO.marginal_values(EVENING)
    soc = np.stack([0.2 * PORTFOLIO.storage.energy_kwh, 0.9 * PORTFOLIO.storage.energy_kwh])
    both = PORTFOLIO.offers(
        interval_s=0,
        length_s=3_600,
        slopes=slopes[1:3],
        soc_kwh=soc,
        limit_kw=np.stack([LIMIT_KW, 0.5 * LIMIT_KW]),
        factor=1.0,
    )
    assert both.floor_mw.size == 2 * N
    for k, limit in enumerate((LIMIT_KW, 0.5 * LIMIT_KW)):
        floor, width, price = PORTFOLIO.interval_blocks(slopes[k + 1], soc[k], limit, 3_600)
        mine = both.interval == k
        assert np.array_equal(both.floor_mw.reshape(2, N)[k], floor / 1_000)
        assert np.array_equal(both.width_mw[mine], width / 1_000)
        assert np.array_equal(both.price_usd_per_mwh[mine], price)


@given(share=st.floats(0.0, 1.0), prices=st.lists(st.floats(0.0, 200.0), min_size=2, max_size=24))
def test_a_store_that_follows_the_expected_prices_stays_within_its_energy(
    share: float, prices: list[float]
) -> None:
    path = PricePath(
        price_usd_per_mwh=np.array(prices), length_h=np.ones(len(prices)), terminal_usd_per_mwh=30.0
    )
    soc = PORTFOLIO.expected_path_kwh(
        PORTFOLIO.marginal_values(path), path, share * PORTFOLIO.storage.energy_kwh
    )
    assert soc.shape == (len(prices) + 1, STORES)
    assert (soc >= 0.0).all()
    assert (soc <= PORTFOLIO.storage.energy_kwh).all()


def test_a_store_fills_before_the_dear_hours_and_empties_in_them() -> None:
    soc = PORTFOLIO.expected_path_kwh(
        PORTFOLIO.marginal_values(EVENING), EVENING, 0.5 * PORTFOLIO.storage.energy_kwh
    )
    full = PORTFOLIO.storage.energy_kwh
    assert (soc[2] > 0.95 * full).all()
    assert (soc[4] < 0.05 * full).all()
