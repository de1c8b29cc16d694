"""The rows that M4's DSO publishes leave its DERs exactly what M5's DSO bids from: one area, one state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from federates.core.arrays import FloatArray
from federates.dso.bid import FeederBidder
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.feeder_model import LimitRows, reach_columns
from federates.dso.roles.feeder_model import limit_rows
from federates.dso.total import BidInputs, Linearised, PreparedBid, TotalDso, stepping
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study
from tests.unit.dso.test_total import charging

SAME_MW = 2e-5
"""Each program keeps rows to 1e-6 of pu^2 or MW; five feeders."""
SAME_USD_PER_H = 1e-2
"""The same at what limits are worth here."""
PRICES = 4
"""Sets of prices of the DERs at which both are asked."""


def overloaded(dso: TotalDso, scenario: LdaScenario) -> BidInputs:
    """Demand alone is above every head's limit, and batteries bring it down to it."""
    at_rest = np.zeros(len(scenario.fleet))
    start = charging(scenario, 1.0, 1.7)
    return replace(start, taps=dso.twin.circuit.taps() + 2.0, expected_kw=at_rest, now_kw=at_rest)


def tapped_up(dso: TotalDso, scenario: LdaScenario) -> BidInputs:
    """Taps have followed batteries that charge: nodes would stand outside Range A without them."""
    now_kw = np.where(scenario.fleet.of_kind("battery"), -0.3 * scenario.fleet.power_kw, 0.0)
    start = charging(scenario, 1.0, 1.0)
    dso.twin.set_conditions(start.conditions)
    dso.twin.settle(now_kw, np.zeros(now_kw.size))
    return replace(start, taps=dso.twin.circuit.taps(), expected_kw=now_kw, now_kw=now_kw)


def spent(dso: TotalDso, scenario: LdaScenario) -> BidInputs:
    """Taps have followed batteries that charged; with a tenth left, some nodes cannot be brought back."""
    charged_kw = np.where(scenario.fleet.of_kind("battery"), -0.4 * scenario.fleet.power_kw, 0.0)
    start = charging(scenario, 1.0, 1.0)
    dso.twin.set_conditions(start.conditions)
    dso.twin.settle(charged_kw, np.zeros(charged_kw.size))
    offers, at_rest = start.offers, np.zeros(charged_kw.size)
    little = replace(offers, floor_kw=0.1 * offers.floor_kw, width_kw=0.1 * offers.width_kw)
    return replace(start, offers=little, taps=dso.twin.circuit.taps(), expected_kw=at_rest, now_kw=at_rest)


def day_ahead(dso: TotalDso, scenario: LdaScenario) -> BidInputs:
    """There is time for taps to follow: no step binds."""
    return replace(overloaded(dso, scenario), now_kw=None)


State = Callable[[TotalDso, LdaScenario], BidInputs]


def bids(state: State) -> tuple[TotalDso, PreparedBid, Linearised]:
    """An area, M5's bid in it, and M4's view of the same; the bidders have taken up the view."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario, move_usd_per_mwh=0.0)
    inputs = state(dso, scenario)
    bid = dso.bid(inputs, keep_coefficients=False)
    return dso, bid, dso.linearised(inputs, keep_coefficients=False)


def rows_of(dso: TotalDso, found: Linearised) -> LimitRows:
    """What M4's DSO publishes where all DERs follow set-points."""
    own = found.columns
    return limit_rows(
        dso,
        found,
        reach_columns(own.floor_kw, own.top_kw, own.base_kw, own.q_kvar),
        directed=np.ones(own.ders_count, dtype=np.bool_),
        column=np.arange(own.ders_count),
        ders_count=own.ders_count,
    )


def least_usd_per_h(found: Linearised, rows: LimitRows, price_usd_per_mwh: FloatArray) -> float:
    """Least cost of injections of shape (ders,) that the rows allow, against the floors. [$/h]"""
    own = found.columns
    reach = np.stack([own.floor_kw, own.top_kw], axis=1) / KW_PER_MW
    solved = linprog(price_usd_per_mwh, A_ub=rows.coefficient, b_ub=rows.upper_mw, bounds=reach)
    assert solved.status == 0
    return float(solved.fun - price_usd_per_mwh @ own.floor_kw / KW_PER_MW)


def feeders_usd_per_h(dso: TotalDso, bid: PreparedBid, price_usd_per_mwh: FloatArray) -> float:
    """The same by the total DSO's own programs, feeder by feeder. [$/h]"""
    total = 0.0
    parts = zip(bid.feeders, bid.state.points, bid.before_pu, strict=True)
    for (offer, point, before_pu), price in zip(parts, dso.twin.split(price_usd_per_mwh), strict=True):
        one = DerColumns(
            der=np.arange(price.size),
            width_kw=offer.columns.top_kw - offer.columns.floor_kw,
            price_usd_per_mwh=price,
            floor_kw=offer.columns.floor_kw,
            base_kw=offer.columns.base_kw,
            q_kvar=offer.columns.q_kvar,
            q_limit_kvar=offer.columns.q_limit_kvar,
        )
        bidder = FeederBidder(offer.map, offer.name)
        bidder.refresh(point, one, stepping(offer.limits, before_pu))
        total += bidder.program().at_price(0.0).cost_usd_per_h
    return total


def relaxes_otherwise(dso: TotalDso, bid: PreparedBid, state: State) -> bool:
    """Whether some limit would be another, relaxed to the state without DERs; asked right after the bid."""
    limits = [offer.limits for offer in bid.feeders]
    if state is spent:
        return any(own.reached_pu2 is not None for own in limits)
    if state is not tapped_up:
        return any(own.import_is_reachable for own in limits)
    base_kw = dso.twin.joined([np.clip(0.0, o.columns.floor_kw, o.columns.top_kw) for o in bid.feeders])
    rest = dso.twin.solve(base_kw, np.zeros(base_kw.size))
    pairs = zip(limits, rest.points, strict=True)
    return any(np.sqrt(own.at_loads(point.w_pu2).max()) > own.relaxed_pu[1] for own, point in pairs)


@pytest.mark.parametrize("state", [overloaded, tapped_up, spent, day_ahead])
def test_whatever_ders_ask_the_rows_leave_what_the_total_dsos_programs_leave(state: State) -> None:
    """Two convex sets are one where every linear cost has the same least value on both."""
    dso, bid, found = bids(state)
    assert relaxes_otherwise(dso, bid, state)
    # the step of the area's import is in none of the feeders' own programs
    rows = rows_of(dso, replace(found, before=None))
    rng = np.random.default_rng(1)
    for _ in range(PRICES):
        price = rng.uniform(-50.0, 50.0, found.columns.ders_count)
        least = least_usd_per_h(found, rows, price)
        assert least == pytest.approx(feeders_usd_per_h(dso, bid, price), abs=SAME_USD_PER_H)
        reach_mw = (found.columns.top_kw - found.columns.floor_kw) / KW_PER_MW
        assert least > np.minimum(price, 0.0) @ reach_mw + 1.0, "limits cost something"


@pytest.mark.parametrize("state", [overloaded, tapped_up])
def test_the_rows_let_the_area_import_what_the_bid_spans(state: State) -> None:
    """One step of the import at most, or what the heads reach."""
    dso, bid, found = bids(state)
    rows, ones = rows_of(dso, found), np.ones(found.columns.ders_count)
    floor_kw, none = dso.twin.split(found.columns.floor_kw), dso.twin.split(np.zeros(ones.size))
    idle_mw = dso.twin.constant_mw(found.state) + sum(
        point.head_power_kw(point.map.to_map_order(p), q) / KW_PER_MW
        for point, p, q in zip(found.state.points, floor_kw, none, strict=True)
    )
    # less is drawn by as much as is injected above the floors
    least_mw = idle_mw + least_usd_per_h(found, rows, -ones)
    greatest_mw = idle_mw - least_usd_per_h(found, rows, ones)
    np.testing.assert_allclose([least_mw, greatest_mw], bid.curve.import_mw[[0, -1]], atol=SAME_MW)
    assert bid.whole != (True, True), "the step binds"
