"""Reserve of a total DSO: what can be held, in which range it can be called, and whether it is delivered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.core.reserve_offer import DSO_PRODUCTS, NO_RESERVE
from federates.der.fleet import Fleet
from federates.dso.bid import FeederBidder
from federates.dso.bid_method import import_at
from federates.dso.case import FeederLimits, feeder_case
from federates.dso.columns import DerColumns
from federates.dso.dispatch import FeederOffer, TwinState
from federates.dso.reserve import (
    LEAST_MW,
    Held,
    answering,
    called_range_mw,
    held,
    held_columns,
    margin_mw,
    reserve_offer,
    wear_usd_per_mw_h,
)
from federates.scenario.lda import LdaScenario
from tests.build import study
from tests.unit.dso.area import FORECAST_USD_PER_MWH, Area, expected_kw
from tests.unit.dso.full_space import FullSpace
from tests.unit.dso.test_dispatch import CircuitTwin, dispatched, setting

SOLVER_MW = 3e-6
DELIVERED_SHARE = 0.98
UNLIMITED = FeederLimits(v_min_pu=0.0, v_max_pu=2.0, loading_pu=np.inf)
CURVE = NetCurve(import_mw=np.array([-2.0, 6.0]), price_usd_per_mwh=np.array([30.0, 30.0]))


def fleet() -> Fleet:
    """Batteries, vehicles and sun of the smallest study's second area."""
    return LdaScenario(study(), "lda2").fleet


def test_a_battery_holds_what_its_energy_sustains_and_others_stay_where_they_are() -> None:
    """Efficiency 0.92 each way: 0.3 E for 2 h is 0.3 E x 0.92 / 2, the 0.7 E free are 0.7 E / 0.92 / 2."""
    ders = fleet()
    batteries, sun = ders.of_kind("battery"), ders.of_kind("pv")
    expected = np.linspace(-5.0, 5.0, len(ders))
    limits = held(ders, expected, 0.3 * ders.energy_kwh, 2.0)
    np.testing.assert_allclose(limits.most_kw[batteries], 0.138 * ders.energy_kwh[batteries])
    np.testing.assert_allclose(limits.least_kw[batteries], -0.35 / 0.92 * ders.energy_kwh[batteries])
    assert np.isinf(limits.most_kw[sun]).all()
    stays = ~answering(ders)
    assert (stays == ders.of_kind("ev")).all()
    np.testing.assert_array_equal(limits.least_kw[stays], expected[stays])
    np.testing.assert_array_equal(limits.most_kw[stays], expected[stays])


def test_offers_are_cut_to_what_can_be_held_block_by_block() -> None:
    """Blocks of 2, 3 and 5 above -4 end at -2, 1 and 6: within [-3, 2] they are 1, 3 and 1 above -3."""
    columns = DerColumns(
        der=np.array([0, 0, 0, 1]),
        width_kw=np.array([2.0, 3.0, 5.0, 4.0]),
        price_usd_per_mwh=np.array([10.0, 20.0, 30.0, 5.0]),
        floor_kw=np.array([-4.0, 1.0]),
        base_kw=np.zeros(2),
        q_kvar=np.zeros(2),
        q_limit_kvar=np.zeros(2),
    )
    cut = held_columns(columns, Held(least_kw=np.array([-3.0, 9.0]), most_kw=np.array([2.0, 9.0])))
    np.testing.assert_allclose(cut.width_kw, [1.0, 3.0, 1.0, 0.0])
    np.testing.assert_allclose(cut.floor_kw, [-3.0, 5.0])  # 9 is not offered: the nearest is
    free = Held(least_kw=np.full(2, -np.inf), most_kw=np.full(2, np.inf))
    same = held_columns(columns, free)
    np.testing.assert_array_equal(same.width_kw, columns.width_kw)
    np.testing.assert_array_equal(same.floor_kw, columns.floor_kw)


def batteries_at(columns: DerColumns, share: float) -> Held:
    """Every fourth DER of the test area is a battery: it holds a share of its power, the others all."""
    battery = np.arange(columns.ders_count) % 4 == 3
    power = np.abs(columns.floor_kw)
    return Held(
        least_kw=np.where(battery, -share * power, -np.inf),
        most_kw=np.where(battery, share * power, np.inf),
    )


def called(one: Area, offer: FeederOffer, limits: Held, of: FeederLimits | None = None) -> FloatArray:
    """Ends of what can be called on the test area, linearised where its bid is."""
    cut = replace(offer, columns=held_columns(offer.columns, limits), limits=of or offer.limits)
    point = one.point(0.6 * expected_kw(offer.columns))
    state = TwinState(interface_mw=0.0, points=(point,))
    return np.array(called_range_mw([FeederBidder(one.map, "feeder")], state, [cut]))


def test_the_range_is_that_of_the_full_program_of_the_called_states() -> None:
    one, offer, _ = setting()
    limits = batteries_at(offer.columns, 0.5)
    cut = held_columns(offer.columns, limits)
    point = one.point(0.6 * expected_kw(offer.columns))
    full = FullSpace(one, feeder_case(point, cut.ordered(one.map.order), offer.limits))
    low, high = called(one, offer, limits)
    assert low == pytest.approx(full.solve(1.0, block_cost=False).import_mw, abs=SOLVER_MW)
    assert high == pytest.approx(full.solve(-1.0, block_cost=False).import_mw, abs=SOLVER_MW)


def test_without_the_called_state_rows_more_would_be_offered() -> None:
    one, offer, _ = setting()
    limits = batteries_at(offer.columns, 1.0)
    low, high = called(one, offer, limits)
    free_low, free_high = called(one, offer, limits, UNLIMITED)
    assert free_low < low - 0.1
    assert free_high > high + 0.1
    cut = held_columns(offer.columns, limits)
    assert free_high - free_low == pytest.approx((cut.top_kw - cut.floor_kw).sum() / 1e3)


def test_tighter_ratings_and_less_energy_never_widen_the_range_and_both_bind() -> None:
    one, offer, _ = setting()
    by_rating = [
        called(one, offer, batteries_at(offer.columns, 1.0), replace(offer.limits, loading_pu=rating))
        for rating in (1.0, 0.5, 0.35)
    ]
    by_energy = [called(one, offer, batteries_at(offer.columns, share), UNLIMITED) for share in (1, 0.5, 0)]
    for ranges in (by_rating, by_energy):
        low, high = np.array(ranges).T
        assert (np.diff(low) >= -SOLVER_MW).all()
        assert (np.diff(high) <= SOLVER_MW).all()
        assert low[-1] > low[0] + 0.1
        assert high[-1] < high[0] - 0.1


@pytest.mark.parametrize("product", ["spin", "reg_down"])
def test_a_call_of_all_reserve_is_delivered_without_a_new_violation_and_not_without_the_rows(
    product: str,
) -> None:
    """On the area's own circuit; the award is what is expected at the forecast price."""
    one, offer, curve = setting()
    twin, limits = CircuitTwin(one), batteries_at(offer.columns, 0.5)
    expected = import_at(curve.net_curve, FORECAST_USD_PER_MWH)
    award = dispatched(expected, curve, [offer], twin)
    assert award.broken_count == 0
    sign = -1.0 if product == "spin" else 1.0

    def delivered(ends: FloatArray) -> tuple[float, int]:
        sold = reserve_offer(curve.net_curve, (ends[0], ends[1]), expected, 0.01, 0.0)
        all_of_it = expected - sold.p_lo_mw if product == "spin" else sold.p_hi_mw - expected
        assert all_of_it > 0.1
        done = dispatched(expected + sign * all_of_it, curve, [offer], twin)
        return sign * (done.interface_mw - award.interface_mw) / all_of_it, done.broken_count

    share, broken = delivered(called(one, offer, limits))
    assert share >= DELIVERED_SHARE
    assert broken == 0
    # a DSO without the rows would take its curve for as wide as its DERs, and send them there
    blind = held_columns(offer.columns, batteries_at(offer.columns, 1.0))
    end_kw = blind.top_kw if product == "spin" else blind.floor_kw
    state = twin([end_kw], [np.zeros_like(end_kw)])
    case = feeder_case(state.points[0], offer.columns.ordered(one.map.order), offer.limits)
    assert case.excess(case.point.p_kw, case.point.q_kvar).max() > 1e-3
    # and within its limits it delivers less than it sold
    free = called(one, offer, batteries_at(offer.columns, 1.0), UNLIMITED)
    sold_mw = sign * ((free[0] if product == "spin" else free[1]) - expected)
    done = dispatched(expected + sign * sold_mw, curve, [offer], twin)
    assert sign * (done.interface_mw - award.interface_mw) / sold_mw < DELIVERED_SHARE


@given(
    low=st.floats(-4.0, 8.0),
    high=st.floats(-4.0, 8.0),
    expected=st.floats(-2.0, 6.0),
    margin=st.floats(0.0, 2.0),
)
def test_what_is_offered_is_callable_from_what_is_expected(
    low: float, high: float, expected: float, margin: float
) -> None:
    offer = reserve_offer(CURVE, (low, high), expected, margin, 1.0)
    assert (offer.width_mw >= 0.0).all()
    if not offer.offers:
        return
    assert CURVE.p_min_mw <= offer.p_lo_mw <= offer.p_hi_mw <= CURVE.p_max_mw
    names = {DSO_PRODUCTS[k] for k in offer.product}
    assert names <= set(DSO_PRODUCTS)
    if "spin" in names:
        assert offer.p_lo_mw == max(low, CURVE.p_min_mw) + margin
        assert expected >= offer.p_lo_mw + LEAST_MW
    else:
        assert offer.p_lo_mw == CURVE.p_min_mw  # energy is not held back for what is not sold
    if "reg_down" in names:
        assert expected <= offer.p_hi_mw - LEAST_MW


@given(
    low=st.floats(-4.0, 2.0),
    high=st.floats(2.0, 8.0),
    tighter=st.floats(0.0, 4.0),
    expected=st.floats(-2.0, 6.0),
)
def test_tighter_limits_never_widen_the_offer(
    low: float, high: float, tighter: float, expected: float
) -> None:
    def by_product(ends: tuple[float, float]) -> FloatArray:
        offer = reserve_offer(CURVE, ends, expected, 0.0, 0.0)
        return np.bincount(offer.product, weights=offer.width_mw, minlength=len(DSO_PRODUCTS))

    wide = by_product((low, high))
    assert (by_product((low + tighter, high)) <= wide).all()
    assert (by_product((low, high - tighter)) <= wide).all()


def test_an_area_without_room_offers_nothing() -> None:
    assert reserve_offer(CURVE, (3.0, 3.0), 3.0, 0.0, 1.0) is NO_RESERVE
    assert reserve_offer(CURVE, (-2.0, 6.0), 2.0, 4.0, 1.0) is NO_RESERVE


def test_the_margin_is_a_quantile_of_the_forecast_and_regulation_asks_for_half_a_cycle_of_wear() -> None:
    """The normal quantile at 95 % is 1.6449; 2 % of 10 MW x 1.6449 = 0.329 MW.

    0.15 MWh moved by a MW in an hour, half a cycle each, at the batteries' own wear.
    """
    assert margin_mw(0.02, 10_000.0, 0.95) == pytest.approx(0.32897, abs=1e-5)
    ders = fleet()
    wear = float(ders.wear_usd_per_mwh[ders.of_kind("battery")][0])
    assert wear > 0.0
    assert wear_usd_per_mw_h(ders) == pytest.approx(0.15 * wear / 2.0)
