"""What an aggregator offers covers exactly what its DERs can do, at their true cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.messages import DerOffers
from federates.der.catalog import build_fleet
from federates.der.model import FleetState, Interval, plain_interval
from federates.der.offer import PricePath
from federates.der.portfolio import Outlook, Portfolio, Within
from tests.unit.der.builders import EVERYTHING, row_feeder

PORTFOLIO = Portfolio(build_fleet(row_feeder(), EVERYTHING, 7))
FLEET = PORTFOLIO.fleet
N = len(FLEET)
BATTERY, PV, FLEXIBLE = (FLEET.of_kind(kind) for kind in ("battery", "pv", "flexible"))
STORES = int(BATTERY.sum())
MARKET_S = 300
H = MARKET_S / 3_600
MW = 1e-9
"""Rounding of kW to MW."""
EVENING = PricePath(
    price_usd_per_mwh=np.array([20.0, 15.0, 60.0, 90.0, 30.0]),
    length_h=np.ones(5),
    terminal_usd_per_mwh=25.0,
)
LIMIT_KW = np.where(PV, 0.6, 0.5) * FLEET.power_kw


def interval_of(limit_kw: FloatArray, length_s: int = MARKET_S) -> Interval:
    least = np.where(PV, 0.0, np.where(FLEXIBLE, -limit_kw, -FLEET.power_kw))
    return plain_interval(length_s, least, np.where(PV, limit_kw, np.where(BATTERY, FLEET.power_kw, 0.0)))


def outlook(
    slopes: FloatArray, soc_kwh: FloatArray, limit_kw: FloatArray, length_s: int = MARKET_S
) -> Outlook:
    """What is expected of an interval in which every DER is directed; ``soc_kwh`` of the stores."""
    energy = np.zeros(N)
    energy[PORTFOLIO.stores] = soc_kwh
    return Outlook(
        interval=interval_of(limit_kw, length_s),
        state=FleetState(energy_kwh=energy, p_kw=np.zeros(N)),
        slopes=slopes,
        ahead=EVENING,
        directed=np.ones(N, dtype=np.bool_),
        fixed_kw=np.zeros(N),
    )


def offered(
    share: float = 0.5, *, path: PricePath = EVENING, factor: float = 1.0, limit_kw: FloatArray = LIMIT_KW
) -> DerOffers:
    slopes = PORTFOLIO.marginal_values(path)
    one = outlook(slopes[0], share * PORTFOLIO.storage.energy_kwh, limit_kw)
    return PORTFOLIO.offers([one], interval_s=600, length_s=MARKET_S, factor=factor)


def ceiling_mw(offers: DerOffers) -> FloatArray:
    """Floor and all blocks, shape (ders,). [MW]"""
    return offers.floor_mw + np.bincount(offers.der, weights=offers.width_mw, minlength=N)


def test_the_fleet_has_every_kind() -> None:
    assert STORES > 0
    assert PV.any()
    assert FLEXIBLE.any()


@given(share=st.floats(0.0, 1.0))
def test_floor_and_blocks_cover_what_rating_energy_sun_and_use_allow(share: float) -> None:
    offers = offered(share)
    storage = PORTFOLIO.storage
    soc = share * storage.energy_kwh
    charge = np.minimum(storage.charge_kw, (storage.energy_kwh - soc) / storage.charge_efficiency / H)
    discharge = np.minimum(storage.charge_kw, soc * storage.discharge_efficiency / H)
    least, most = np.zeros(N), np.zeros(N)
    least[BATTERY], most[BATTERY] = -charge, discharge
    most[PV] = LIMIT_KW[PV]
    least[FLEXIBLE] = -LIMIT_KW[FLEXIBLE]
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
    sun, use = PV[offers.der], FLEXIBLE[offers.der]
    assert set(offers.price_usd_per_mwh[sun].tolist()) == {-5.0}
    assert set(offers.price_usd_per_mwh[use].tolist()) == {30.0, 60.0}
    assert np.bincount(offers.der[use]).max() == 2


def test_a_full_store_offers_no_charge_and_an_empty_one_no_discharge() -> None:
    store = BATTERY
    assert np.abs(offered(1.0).floor_mw[store]).max() <= MW
    assert ceiling_mw(offered(1.0))[store].min() > 0.0
    assert np.abs(ceiling_mw(offered(0.0))[store]).max() <= MW
    assert offered(0.0).floor_mw[store].max() < 0.0


def test_a_store_asks_more_for_its_energy_when_the_evening_is_dear() -> None:
    flat = PricePath(price_usd_per_mwh=np.full(5, 20.0), length_h=np.ones(5), terminal_usd_per_mwh=20.0)
    stored = BATTERY[offered().der]
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
    each = [
        outlook(slopes[k + 1], soc[k], limit, 3_600) for k, limit in enumerate((LIMIT_KW, 0.5 * LIMIT_KW))
    ]
    both = PORTFOLIO.offers(each, interval_s=0, length_s=3_600, factor=1.0)
    assert both.floor_mw.size == 2 * N
    for k, one in enumerate(each):
        floor, width, price = PORTFOLIO.interval_blocks(one)
        mine = both.interval == k
        assert np.array_equal(both.floor_mw.reshape(2, N)[k], floor / 1_000)
        assert np.array_equal(both.width_mw[mine], width / 1_000)
        assert np.array_equal(both.price_usd_per_mwh[mine], price)


def followed(path: PricePath, share: float) -> FloatArray:
    """Energy of the stores along a price path, shape (stretches + 1, stores). [kWh]"""
    slopes = PORTFOLIO.marginal_values(path)
    soc = [share * PORTFOLIO.storage.energy_kwh]
    for k, price in enumerate(path.price_usd_per_mwh.tolist()):
        after = PORTFOLIO.follow(outlook(slopes[k + 1], soc[-1], LIMIT_KW, 3_600), price)
        soc.append(after.energy_kwh[PORTFOLIO.stores])
    return np.stack(soc)


@given(share=st.floats(0.0, 1.0), prices=st.lists(st.floats(0.0, 200.0), min_size=2, max_size=24))
def test_a_store_that_follows_the_expected_prices_stays_within_its_energy(
    share: float, prices: list[float]
) -> None:
    path = PricePath(
        price_usd_per_mwh=np.array(prices), length_h=np.ones(len(prices)), terminal_usd_per_mwh=30.0
    )
    soc = followed(path, share)
    assert soc.shape == (len(prices) + 1, STORES)
    assert (soc >= 0.0).all()
    assert (soc <= PORTFOLIO.storage.energy_kwh).all()


def test_a_store_fills_before_the_dear_hours_and_empties_in_them() -> None:
    soc = followed(EVENING, 0.5)
    full = PORTFOLIO.storage.energy_kwh
    assert (soc[2] > 0.95 * full).all()
    assert (soc[4] < 0.05 * full).all()


ROOM = st.floats(0.0, 1.0)
FREE = outlook(PORTFOLIO.marginal_values(EVENING)[0], 0.5 * PORTFOLIO.storage.energy_kwh, LIMIT_KW)
"""Without an envelope."""


@given(down=ROOM, up=ROOM)
def test_offers_keep_to_an_envelope_and_are_the_same_inside_it(down: float, up: float) -> None:
    floor, width, price = PORTFOLIO.interval_blocks(FREE)
    der, _ = PORTFOLIO._columns
    top = floor + np.bincount(der, weights=width)
    within = Within(least_kw=down * floor, most_kw=np.where(top > 0.0, up * top, top))
    low, inside, same = PORTFOLIO.interval_blocks(replace(FREE, within=within))
    high = low + np.bincount(der, weights=inside)
    np.testing.assert_allclose(low, np.maximum(floor, within.least_kw))
    np.testing.assert_allclose(high, np.maximum(np.minimum(top, within.most_kw), low), atol=1e-9)
    assert np.array_equal(same, price)
    assert (inside >= 0.0).all()
    assert (inside <= width + MW).all()
    # at any price, who is inside the envelope does what it would without one; others stop at its end
    for usd_per_mwh in (-50.0, 20.0, 60.0, 1e3):
        alone = PORTFOLIO.at_price_kw(FREE, usd_per_mwh)
        held = PORTFOLIO.at_price_kw(replace(FREE, within=within), usd_per_mwh)
        np.testing.assert_allclose(held, np.clip(alone, low, high), atol=1e-9)


def test_an_envelope_beyond_reach_changes_nothing_and_one_that_is_missed_leaves_its_nearest_end() -> None:
    floor, width, _ = PORTFOLIO.interval_blocks(FREE)
    der, _ = PORTFOLIO._columns
    top = floor + np.bincount(der, weights=width)
    wide = Within(least_kw=floor - 1.0, most_kw=top + 1.0)
    same_floor, same_width, _ = PORTFOLIO.interval_blocks(replace(FREE, within=wide))
    np.testing.assert_allclose(same_floor, floor)
    np.testing.assert_allclose(same_width, width, atol=1e-9)
    above = Within(least_kw=top + 1.0, most_kw=top + 2.0)
    only, none, _ = PORTFOLIO.interval_blocks(replace(FREE, within=above))
    np.testing.assert_allclose(only, top)
    np.testing.assert_allclose(none, 0.0, atol=1e-9)
