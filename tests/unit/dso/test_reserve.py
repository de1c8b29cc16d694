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
from federates.dso.case import FeederLimits, SolvedBase, feeder_case
from federates.dso.columns import DerColumns
from federates.dso.dispatch import (
    BROKEN_POWER_SHARE,
    FeederOffer,
    SetPoints,
    TwinState,
    base_set_points,
    binding_limits,
)
from federates.dso.reserve import (
    YIELDING_SHARE,
    CallableArea,
    CalledStates,
    Held,
    MappedEnds,
    answering,
    called,
    called_states,
    held,
    held_columns,
    mapped_ends,
    margin_mw,
    reserve_offer,
    store_room,
    wear_usd_per_mw_h,
)
from federates.scenario.lda import LdaScenario
from tests.build import study
from tests.unit.dso.area import FORECAST_USD_PER_MWH, Area, expected_kw
from tests.unit.dso.full_space import FullSpace
from tests.unit.dso.test_dispatch import CircuitTwin, dispatched, setting

SOLVER_MW = 3e-6
SOLVER_KW = 1e-6
DELIVERED_SHARE = 0.98
BROKEN = BROKEN_POWER_SHARE
"""What the dispatch counts as broken: a share of a rating, or fifty times what it grants a voltage. [pu^2]"""
UNLIMITED = FeederLimits(v_min_pu=0.0, v_max_pu=2.0, loading_pu=1e3)
WIDE = NetCurve(import_mw=np.array([-50.0, 50.0]), price_usd_per_mwh=np.full(2, 30.0))
RANGE_MW = (-2.0, 6.0)


def fleet() -> Fleet:
    """Batteries, vehicles and sun of the smallest study's second area."""
    return LdaScenario(study(), "lda2").fleet


def test_a_battery_holds_what_its_energy_sustains_and_others_stay_where_they_are() -> None:
    """Efficiency 0.92 each way: 0.3 E for 2 h is 0.3 E x 0.92 / 2, the 0.7 E free are 0.7 E / 0.92 / 2.

    Of 0.4 E stored, 0.1 E are kept: 0.3 E may be given, and 0.6 E taken up.
    """
    ders = fleet()
    batteries, sun = ders.of_kind("battery"), ders.of_kind("pv")
    expected = np.linspace(-5.0, 5.0, len(ders))
    energy = ders.energy_kwh
    limits = held(ders, expected, store_room(ders, 0.3 * energy, 0.0 * energy), 2.0)
    keeping = held(ders, expected, store_room(ders, 0.4 * energy, 0.1 * energy), 2.0)
    np.testing.assert_allclose(keeping.most_kw[batteries], 0.138 * energy[batteries])
    np.testing.assert_allclose(keeping.least_kw[batteries], -0.3 / 0.92 * energy[batteries])
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


def ends(one: Area, offer: FeederOffer, limits: Held, of: FeederLimits | None = None) -> MappedEnds:
    """Ends of what can be called on the test area by the map where its bid is linearised."""
    cut = replace(offer, columns=held_columns(offer.columns, limits), limits=of or offer.limits)
    point = one.point(0.6 * expected_kw(offer.columns))
    state = TwinState(interface_mw=0.0, points=(point,))
    return mapped_ends([FeederBidder(one.map, "feeder")], state, [cut])


def test_the_range_is_that_of_the_full_program_of_the_called_states() -> None:
    one, offer, _ = setting()
    limits = batteries_at(offer.columns, 0.5)
    cut = held_columns(offer.columns, limits)
    point = one.point(0.6 * expected_kw(offer.columns))
    full = FullSpace(one, feeder_case(point, cut.ordered(one.map.order), offer.limits))
    found = ends(one, offer, limits)
    for k, sign in enumerate((1.0, -1.0)):
        assert found.import_mw[k] == pytest.approx(
            full.solve(sign, block_cost=False).import_mw, abs=SOLVER_MW
        )
        assert (found.p_kw[0][k] >= cut.floor_kw - SOLVER_KW).all()
        assert (found.p_kw[0][k] <= cut.top_kw + SOLVER_KW).all()


def test_without_the_called_state_rows_more_would_be_offered() -> None:
    one, offer, _ = setting()
    limits = batteries_at(offer.columns, 1.0)
    low, high = ends(one, offer, limits).import_mw
    free_low, free_high = ends(one, offer, limits, UNLIMITED).import_mw
    assert free_low < low - 0.1
    assert free_high > high + 0.1
    cut = held_columns(offer.columns, limits)
    assert free_high - free_low == pytest.approx((cut.top_kw - cut.floor_kw).sum() / 1e3)


def test_tighter_ratings_and_less_energy_never_widen_the_range_and_both_bind() -> None:
    one, offer, _ = setting()
    by_rating = [
        ends(one, offer, batteries_at(offer.columns, 1.0), replace(offer.limits, loading_pu=rating))
        for rating in (1.0, 0.5, 0.35)
    ]
    by_energy = [ends(one, offer, batteries_at(offer.columns, share), UNLIMITED) for share in (1, 0.5, 0)]
    for ranges in (by_rating, by_energy):
        low, high = np.array([found.import_mw for found in ranges]).T
        assert (np.diff(low) >= -SOLVER_MW).all()
        assert (np.diff(high) <= SOLVER_MW).all()
        assert low[-1] > low[0] + 0.1
        assert high[-1] < high[0] - 0.1


def broken(one: Area, offer: FeederOffer, p_kw: FloatArray) -> float:
    """Greatest excess over a limit on the circuit; limits are relaxed to its own base state."""
    bases = base_set_points([offer.columns])
    base = SolvedBase(point=one.point(bases.p_kw[0]), limits=offer.limits)
    point = one.point(p_kw)
    return max(
        (limit.excess for limit in binding_limits(0, point, base.bounds(point, q_free=False))), default=0.0
    )


@pytest.mark.parametrize("product", ["spin", "reg_down"])
def test_a_call_of_all_reserve_is_delivered_without_a_new_violation_and_not_without_the_rows(
    product: str,
) -> None:
    """On the area's own circuit; the award is what is expected at the forecast price."""
    one, offer, curve = setting()
    twin, limits = CircuitTwin(one), batteries_at(offer.columns, 0.5)
    expected = import_at(curve.net_curve, FORECAST_USD_PER_MWH)
    award = dispatched(expected, curve, [offer], twin)
    known = SetPoints(p_kw=award.p_kw, q_kvar=award.q_kvar)
    assert award.broken_count == 0
    up = product == "spin"

    def sold(of: FeederLimits, bid: NetCurve) -> tuple[float, SetPoints]:
        """Import when all that is sold is called, and the set-points to which that leads."""
        cut = replace(offer, columns=held_columns(offer.columns, limits), limits=of)
        mine = replace(offer, limits=of)
        called_on = CallableArea(feeders=(mine,), held=(cut,), twin=twin)
        states = called_states(ends(one, offer, limits, of), called_on, known)
        made = reserve_offer((bid.p_min_mw, bid.p_max_mw), states.import_mw, expected, 0.01, 0.0)
        target = made.p_lo_mw if up else made.p_hi_mw
        return target, called(known, award.interface_mw, target, states)

    target, at = sold(offer.limits, curve.net_curve)
    all_of_it = target - award.interface_mw
    assert abs(all_of_it) > 0.1
    drawn = twin(at.p_kw, at.q_kvar).interface_mw
    assert (drawn - award.interface_mw) / all_of_it >= DELIVERED_SHARE
    assert broken(one, offer, at.p_kw[0]) <= BROKEN
    # without the rows more is sold; going there breaks limits, and keeping them delivers less
    blind, there = sold(UNLIMITED, WIDE)
    more_of_it = blind - award.interface_mw
    assert abs(more_of_it) > abs(all_of_it)
    assert broken(one, offer, there.p_kw[0]) > 10 * BROKEN
    within = dispatched(blind, curve, [offer], twin)
    assert (within.interface_mw - award.interface_mw) / more_of_it < DELIVERED_SHARE


def test_a_state_that_the_map_takes_for_feasible_and_the_twin_does_not_is_led_back() -> None:
    one, offer, _ = setting()
    twin, limits = CircuitTwin(one), batteries_at(offer.columns, 1.0)
    cut = replace(offer, columns=held_columns(offer.columns, limits))
    base = base_set_points([offer.columns])
    found = ends(one, offer, limits)
    far = [broken(one, offer, p_kw) for p_kw in found.p_kw[0]]
    assert max(far) > BROKEN
    states = called_states(found, CallableArea(feeders=(offer,), held=(cut,), twin=twin), base)
    for at, import_mw in zip((states.least, states.greatest), states.import_mw, strict=True):
        assert broken(one, offer, at.p_kw[0]) <= BROKEN
        assert twin(at.p_kw, at.q_kvar).interface_mw == pytest.approx(import_mw, abs=1e-6)


def test_a_call_goes_straight_from_the_award_towards_its_state_and_never_beyond() -> None:
    """At 2 MW a DER gives 0; the state of 1 MW has it at 800 kW, that of 5 MW at -2,400 kW."""

    def at(kw: float) -> SetPoints:
        return SetPoints(p_kw=(np.array([kw]),), q_kvar=(np.zeros(1),))

    states = CalledStates(least=at(800.0), greatest=at(-2_400.0), import_mw=(1.0, 5.0))
    moved = [called(at(0.0), 2.0, target, states).p_kw[0][0] for target in (2.0, 1.5, 1.0, 0.0, 3.0, 9.0)]
    np.testing.assert_allclose(moved, [0.0, 400.0, 800.0, 800.0, -800.0, -2_400.0])
    # an award beyond the state has nowhere to go
    assert called(at(0.0), 0.5, 0.2, states).p_kw[0][0] == 0.0


@given(
    low=st.floats(-4.0, 8.0),
    high=st.floats(-4.0, 8.0),
    expected=st.floats(-2.0, 6.0),
    margin=st.floats(0.0, 2.0),
)
def test_what_is_offered_is_callable_from_what_is_expected(
    low: float, high: float, expected: float, margin: float
) -> None:
    offer = reserve_offer(RANGE_MW, (low, high), expected, margin, 1.0)
    assert (offer.width_mw >= 0.0).all()
    if not offer.offers:
        return
    assert RANGE_MW[0] <= offer.p_lo_mw <= offer.p_hi_mw <= RANGE_MW[1]
    names = {DSO_PRODUCTS[k] for k in offer.product}
    assert names <= set(DSO_PRODUCTS)
    if "spin" in names:
        assert offer.p_lo_mw == max(low, RANGE_MW[0]) + margin
        assert expected >= offer.p_lo_mw - YIELDING_SHARE * offer.width_mw.max()
    else:
        assert offer.p_lo_mw == RANGE_MW[0]  # energy is not held back for what is not sold
    if "reg_down" in names:
        assert expected <= offer.p_hi_mw + YIELDING_SHARE * offer.width_mw.max()


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
        offer = reserve_offer(RANGE_MW, ends, expected, 0.0, 0.0)
        return np.bincount(offer.product, weights=offer.width_mw, minlength=len(DSO_PRODUCTS))

    wide = by_product((low, high))
    assert (by_product((low + tighter, high)) <= wide).all()
    assert (by_product((low, high - tighter)) <= wide).all()


def test_an_area_without_room_offers_nothing() -> None:
    assert reserve_offer(RANGE_MW, (3.0, 3.0), 3.0, 0.0, 1.0) is NO_RESERVE
    assert reserve_offer(RANGE_MW, (-2.0, 6.0), 2.0, 4.0, 1.0) is NO_RESERVE


def test_the_margin_is_a_quantile_of_the_forecast_and_regulation_asks_for_half_a_cycle_of_wear() -> None:
    """The normal quantile at 95 % is 1.6449; 2 % of 10 MW x 1.6449 = 0.329 MW.

    0.15 MWh moved by a MW in an hour, half a cycle each, at the batteries' own wear.
    """
    assert margin_mw(0.02, 10_000.0, 0.95) == pytest.approx(0.32897, abs=1e-5)
    ders = fleet()
    wear = float(ders.wear_usd_per_mwh[ders.of_kind("battery")][0])
    assert wear > 0.0
    assert wear_usd_per_mw_h(ders) == pytest.approx(0.15 * wear / 2.0)
