"""Capacity of a total DSO: the confidence of an offer, the energy kept for it, and a call of four hours."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.forecast import ForecastModel
from federates.core.settings import CapacitySettings
from federates.core.time import SimTime
from federates.der.fleet import Fleet
from federates.dso.bid_method import import_at
from federates.dso.capacity import (
    CHARGE_SHARE,
    CapacityOffer,
    FirmHour,
    after,
    firm_mw,
    keeping_kw,
    needed_kwh,
    reached_kwh,
    relief_mw,
)
from federates.dso.local_need import LocalNeed
from federates.dso.offers import Offers
from federates.dso.reserve import StoreRoom, store_room
from federates.dso.roles.kept_energy import KeptEnergy
from federates.dso.roles.seen import conditions
from federates.dso.roles.sold_capacity import SoldCapacity
from federates.dso.total import BidInputs, TotalDso
from federates.scenario.lda import LdaConditions, LdaScenario
from tests.build import TINY, study

CONFIDENCE = 0.95
DRAWS = 4_000
HOURS_S = 3_600 * np.arange(31, 35)
"""17:00 to 20:00 of the day after a forecast made at 10:00. [s]"""
TERMS = CapacitySettings.model_validate({"price": 300, "target": "20 MW", "shortfall_price": 200})
EVENING = (
    "horizon.start=2020-03-27T16:00:00",
    "horizon.duration=5 h",
    "horizon.market_interval=15 min",
    "forecast.kind=perfect",
    "ldas.0.feeders.0.ders.flexible.share=1 %",
    "ldas.0.feeders.0.load_scale=0.6",
)
CALL_S = 3_600
"""17:00, as the commitment begins: it is called for all of its four hours. [s]"""
DELIVERED_SHARE = 0.98
NEAR_KWH = 1e-6
MAP_SHARE = 0.05
"""Of a move of demand or sun: losses and voltages that the offer's margin does not know."""


def hours(**values: float) -> list[FirmHour]:
    """Four hours of 10 MW that a call takes to 4 MW, a part of it by sun that fades."""
    return [
        FirmHour(
            baseline_mw=10.0,
            least_mw=values.get("least", 4.0),
            demand_mw=values.get("demand", 11.0),
            sun_mw=sun,
            used_sun_mw=sun,
            discharge_kw=np.zeros(1),
        )
        for sun in (3.0, 1.5, 0.5, 0.0)
    ]


@cache
def factors(seed: int, count: int, sigma: float = 0.03) -> tuple[FloatArray, FloatArray]:
    model = ForecastModel(seed=seed, sigma_day=sigma)
    demand, sun = (1.0 / (1.0 + model.error(HOURS_S, 0, stream, count)) for stream in range(2))
    return demand, sun


def test_as_many_draws_as_the_confidence_says_are_deliverable_and_not_all() -> None:
    """Draws of other seeds than the offers': each of three stands 95 % of what may come, and hardly more."""
    shares = []
    for seed in range(3):
        offered = firm_mw(relief_mw(hours(), *factors(seed, 2_000)), CONFIDENCE)
        comes = relief_mw(hours(), *factors(1_000 + seed, DRAWS))
        shares.append(float((comes.min(axis=0) >= offered).mean()))
    assert CONFIDENCE <= min(shares) <= max(shares) <= CONFIDENCE + 0.025


def test_an_hour_s_own_quantile_would_not_stand_all_hours() -> None:
    """The guard: the errors of four hours are not one error, so that the worst of them counts."""
    relief = relief_mw(hours(), *factors(1, 2_000))
    comes = relief_mw(hours(), *factors(1_001, DRAWS))
    by_hour = float(min(np.quantile(row, 1.0 - CONFIDENCE) for row in relief))
    assert (comes.min(axis=0) >= by_hour).mean() < CONFIDENCE - 0.005


def test_by_hand_more_demand_and_less_sun_take_from_relief_and_more_sun_gives_nothing() -> None:
    """From 6 MW: 10 % more of 11 MW of demand takes 1.1, half of 3 MW of sun 1.5; 10 % less gives 1.1."""
    demand, sun = np.array([[1.1, 0.9, 1.0]]), np.array([[0.5, 1.0, 2.0]])
    np.testing.assert_allclose(relief_mw(hours()[:1], demand, sun), [[3.4, 7.1, 6.0]])


def test_wider_spread_higher_confidence_and_a_nearer_limit_give_a_smaller_offer() -> None:
    def offered(sigma: float = 0.03, least: float = 4.0, confidence: float = CONFIDENCE) -> float:
        return firm_mw(relief_mw(hours(least=least), *factors(3, 500, sigma)), confidence)

    for key, values in (
        ("sigma", (0.01, 0.03, 0.06)),
        ("least", (4.0, 6.0, 9.0)),
        ("confidence", (0.6, 0.9, 0.98)),
    ):
        assert (np.diff([offered(**{key: value}) for value in values]) < -0.01).all()
    assert offered(least=9.99) == 0.0


def test_without_any_error_all_is_firm() -> None:
    model = ForecastModel(kind="perfect")
    none = 1.0 / (1.0 + model.error(HOURS_S, 0, 0, 100))
    assert firm_mw(relief_mw(hours(), none, none), CONFIDENCE) == pytest.approx(6.0, abs=2e-6)


@cache
def area() -> LdaScenario:
    return LdaScenario(study(TINY, *EVENING), "lda1")


def batteries() -> Fleet:
    return area().fleet.select(area().fleet.of_kind("battery"))


@given(
    share=st.floats(0.0, 1.0),
    ahead_h=st.floats(0.0, 10.0),
    left_h=st.floats(0.1, 4.0),
    step_h=st.floats(0.05, 0.5),
)
def test_what_is_kept_lasts_to_the_end_and_charging_at_its_share_reaches_it(
    share: float, ahead_h: float, left_h: float, step_h: float
) -> None:
    fleet = batteries()
    discharge = share * np.minimum(fleet.power_kw, fleet.energy_kwh * fleet.discharge_efficiency / left_h)
    needed = needed_kwh(fleet, discharge, ahead_h, left_h)
    # before: from what is needed now, charging leads to what is needed later
    later = needed_kwh(fleet, discharge, max(ahead_h - step_h, 0.0), left_h)
    charged = after(fleet, needed, -CHARGE_SHARE * fleet.power_kw, min(step_h, ahead_h))
    assert (charged >= np.minimum(later, fleet.energy_kwh) - NEAR_KWH).all()
    # within: the discharge keeps what is needed after the step
    step = min(step_h, left_h)
    now, then = (needed_kwh(fleet, discharge, 0.0, left_h - gone) for gone in (0.0, step))
    stored = np.minimum(now, fleet.energy_kwh)
    if share > 0.0:
        drawn = np.minimum(discharge, keeping_kw(fleet, stored, then, step))
        assert (after(fleet, stored, drawn, step) >= np.minimum(then, fleet.energy_kwh) - NEAR_KWH).all()
        lacking = np.maximum(needed - 1.0, 0.0)
        assert (keeping_kw(fleet, lacking, needed, step)[needed > 1.0] < 0.0).all()


def test_by_hand_a_battery_of_which_nothing_is_sold_is_free() -> None:
    """At 0.92 each way 100 kW for 2 h take 217.4 kWh; 300 stored leave 82.6 to give in an hour, at 0.92."""
    fleet = replace(batteries(), leak_per_h=np.zeros(len(batteries())))
    sold = np.full(len(fleet), 100.0)
    needed = needed_kwh(fleet, sold, 0.0, 2.0)
    np.testing.assert_allclose(needed, 200.0 / 0.92)
    np.testing.assert_allclose(
        keeping_kw(fleet, np.full(len(fleet), 300.0), needed, 1.0), (300.0 - 200.0 / 0.92) * 0.92
    )
    assert np.isinf(keeping_kw(fleet, np.zeros(len(fleet)), 0.0 * needed, 1.0)).all()
    np.testing.assert_allclose(reached_kwh(fleet, np.zeros(len(fleet)), 100.0), fleet.energy_kwh)


def offers(expected: LdaConditions, stored_kwh: FloatArray, length_h: float) -> Offers:
    """All that every DER can do in an interval: sun at 0, batteries at 30, flexible loads at 70 $/MWh."""
    fleet = area().fleet
    store = fleet.of_kind("battery")
    most = np.where(
        store,
        np.minimum(fleet.power_kw, stored_kwh * fleet.discharge_efficiency / length_h),
        expected.available_kw,
    )
    room = np.maximum(fleet.energy_kwh - stored_kwh, 0.0) / fleet.charge_efficiency / length_h
    least = np.where(store, -np.minimum(fleet.power_kw, room), expected.least_kw)
    price = np.select([store, fleet.of_kind("flexible")], [30.0, 70.0], 0.0)
    return Offers(floor_kw=least, der=np.arange(least.size), width_kw=most - least, price_usd_per_mwh=price)


def inputs(dso: TotalDso, t: SimTime, expected: LdaConditions, asked: Offers, price: float) -> BidInputs:
    fleet, none = area().fleet, np.zeros(len(area().fleet))
    at_rest = np.where(
        fleet.of_kind("battery"), 0.0, np.where(fleet.of_kind("pv"), expected.available_kw, asked.floor_kw)
    )
    return BidInputs(
        interval_s=t,
        conditions=conditions(expected, 1.0),
        taps=dso.twin.circuit.taps(),
        offers=asked,
        expected_kw=np.clip(at_rest, asked.floor_kw, asked.floor_kw + asked.width_kw),
        now_kw=None,
        q_kvar=none,
        q_limit_kvar=none,
        price_usd_per_mwh=price,
    )


def begin(dso: TotalDso, expected: LdaConditions) -> None:
    """Let the twin's regulators settle with every DER at rest."""
    none = np.zeros(len(area().fleet))
    dso.twin.set_conditions(conditions(expected, 1.0))
    dso.twin.settle(area().base_kw(expected.least_kw), none)


def keeping(capacity: SoldCapacity) -> KeptEnergy:
    """What the area's batteries keep; its heads have no need of their own."""
    return KeptEnergy(area(), LocalNeed(area(), 1.0), capacity, area().study.clock)


def room(share: float) -> StoreRoom:
    """Of stores that are so full, with nothing kept."""
    energy = area().fleet.energy_kwh
    return store_room(area().fleet, share * energy, 0.0 * energy)


def most_kw(capacity: SoldCapacity, t: SimTime, stored: FloatArray) -> FloatArray:
    """Greatest injections of the interval at a time that leave what is kept."""
    return keeping(capacity).most_kw(t, t, area().study.clock.market_s, stored)


@cache
def sold() -> tuple[SoldCapacity, CapacityOffer]:
    """Offer of the area for 17:00 to 21:00, batteries half full at 16:00, all of it awarded."""
    scenario, clock = area(), area().study.clock
    mine, dso = SoldCapacity(TERMS, scenario, clock), TotalDso(area())
    room, length_h = keeping(mine).room_for_capacity(0, 0, 0.5 * scenario.fleet.energy_kwh), mine.length_h(0)
    assert length_h == 4.0
    day, firm = scenario.expected_day(0, clock.day_ahead_issue(0)), []
    begin(dso, day[16])
    for hour in mine.hours(0):
        able = offers(day[hour], 0.5 * scenario.fleet.energy_kwh, 1.0 / 4.0)
        asked = inputs(dso, clock.midnight(0) + 3_600 * hour, day[hour], able, 29.0)
        prepared = dso.bid(asked, keep_coefficients=False)
        firm.append(dso.firm(asked, prepared, able, room, length_h))
    made = mine.offer(0, firm)
    mine.award(0, made.capacity_mw)
    return mine, made


class Delivery(NamedTuple):
    """A call of all of the capacity for all of its hours, on the twin at what comes."""

    share: float
    """Delivered of what was called."""
    broken: int
    """Limits broken, over all intervals."""


@cache
def delivery(*, kept: bool, calls: bool = True) -> Delivery:
    """Bids and dispatches from 16:00 on, at a price at which every battery would sell all that it has."""
    scenario, (mine, offer) = area(), sold()
    market_s, fleet = scenario.study.clock.market_s, scenario.fleet
    dso, stored = TotalDso(scenario), 0.5 * fleet.energy_kwh
    delivered, broken = [], 0
    begin(dso, scenario.expected(0, 0))
    for t in range(0, 18_000, market_s):
        comes = scenario.expected(t, t)
        able = offers(comes, stored, market_s / 3_600)
        if kept:
            able = able.within(most_kw(mine, t, stored))
        asked = inputs(dso, t, comes, able, 60.0)
        prepared = dso.bid(asked, keep_coefficients=True)
        called = calls and t >= CALL_S
        limit_mw = mine.import_limit_mw(t, 1.0 if called else 0.0)
        curve = prepared.curve.net_curve.up_to(limit_mw)
        done = dso.dispatch(prepared, import_at(curve, 60.0), asked.taps, 1.0)
        p_kw = dso.twin.joined(done.p_kw)
        dso.twin.settle(p_kw, 0.0 * p_kw)
        stored = after(fleet, stored, p_kw, market_s / 3_600)
        broken += done.broken_count
        if called:
            short = max(done.interface_mw - limit_mw, 0.0)
            delivered.append(offer.capacity_mw - min(short, offer.capacity_mw))
    share = float(np.mean(delivered)) / offer.capacity_mw if calls else 0.0
    return Delivery(share=share, broken=broken)


def test_a_call_of_four_hours_is_delivered_and_without_the_floor_it_is_not() -> None:
    """At 60 $/MWh batteries sell at once what they have: what is kept for the call is the floor's."""
    _, offer = sold()
    assert offer.capacity_mw > 0.1
    assert offer.discharge_kw.sum() > 50.0
    with_floor, without = delivery(kept=True), delivery(kept=False)
    assert with_floor.share >= DELIVERED_SHARE
    assert with_floor.broken <= delivery(kept=True, calls=False).broken
    assert without.share < DELIVERED_SHARE


def test_what_is_sold_outlasts_a_restart_and_an_offer_without_an_award_holds_nothing() -> None:
    """At 18:00 with half of the award called, one of the batteries short of what it must hold by 18:15."""
    mine, offer = sold()
    stored = 0.2 * area().fleet.energy_kwh
    again, unsold = (SoldCapacity(TERMS, area(), area().study.clock) for _ in range(2))
    again.restore(mine.save())
    at = 2 * 3_600
    np.testing.assert_array_equal(most_kw(again, at, stored), most_kw(mine, at, stored))
    assert np.isfinite(most_kw(mine, at, stored)).any()
    limit = float(offer.baseline_mw[4]) - 0.5 * offer.capacity_mw
    assert again.import_limit_mw(at, 0.5) == mine.import_limit_mw(at, 0.5) == pytest.approx(limit)
    assert np.isinf(mine.import_limit_mw(at, 0.0))
    assert np.isinf(mine.import_limit_mw(0, 0.5))  # before the commitment
    unsold.award(0, 0.0)
    assert np.isinf(most_kw(unsold, at, stored)).all()
    assert np.isinf(unsold.import_limit_mw(at, 0.5))
    state = mine.save()
    key = next(name for name, values in state.items() if name.endswith("_mw") and values.size == 2)
    unsold.restore({**state, key: state[key] * np.array([1.0, 0.0])})
    assert np.isinf(unsold.import_limit_mw(at, 0.5))


def test_less_energy_gives_a_smaller_offer_and_so_do_tighter_feeders() -> None:
    scenario, clock = area(), area().study.clock
    hour = 18
    day = scenario.expected_day(0, clock.day_ahead_issue(0))[hour]
    dso = TotalDso(scenario)
    able = offers(day, 0.5 * scenario.fleet.energy_kwh, 0.25)
    asked = inputs(dso, clock.midnight(0) + 3_600 * hour, day, able, 29.0)
    prepared = dso.bid(asked, keep_coefficients=False)
    full, half, none = (dso.firm(asked, prepared, able, room(share), 4.0) for share in (1.0, 0.5, 0.0))
    assert full.least_mw < half.least_mw - 0.05
    assert half.least_mw < none.least_mw - 0.05
    assert full.baseline_mw == pytest.approx(none.baseline_mw)
    assert none.discharge_kw.sum() == 0.0


def test_what_an_offer_holds_back_for_demand_is_what_it_costs_on_the_twin() -> None:
    """Called set-points at 6 % more demand: the import is more by the demand, to 5 % of it."""
    scenario, clock = area(), area().study.clock
    hour = 18
    day = scenario.expected_day(0, clock.day_ahead_issue(0))[hour]
    dso = TotalDso(scenario)
    able = offers(day, 0.5 * scenario.fleet.energy_kwh, 0.25)
    asked = inputs(dso, clock.midnight(0) + 3_600 * hour, day, able, 29.0)
    prepared = dso.bid(asked, keep_coefficients=False)
    firm = dso.firm(asked, prepared, able, room(0.5), 4.0)
    p_kw = np.where(scenario.fleet.of_kind("battery"), firm.discharge_kw, 0.0)
    drawn = []
    for factor in (1.0, 1.06):
        more = replace(
            asked.conditions,
            demand_kw=factor * asked.conditions.demand_kw,
            demand_kvar=factor * asked.conditions.demand_kvar,
        )
        dso.twin.set_conditions(more)
        drawn.append(dso.twin.solve(p_kw, 0.0 * p_kw).interface_mw)
    demand = 0.06 * firm.demand_mw
    assert drawn[1] - drawn[0] == pytest.approx(demand, rel=MAP_SHARE)
