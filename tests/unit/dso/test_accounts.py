"""What a DSO takes in and pays at its prices, explained by rents that are computed apart from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from federates.distribution.linear import OperatingPoint
from federates.distribution.marginal_loss import losses_kw
from federates.dso.accounts import (
    DistributionAccounts,
    PricedFeeder,
    accounts,
    net_withdrawal_mw,
    summed_to_head,
)
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.dlmp import branch_prices
from federates.dso.program import ReducedProgram
from tests.unit.dso.area import Area, expected_kw, offers, standing_area
from tests.unit.dso.test_dlmp import WIDE, way_of_nodes

LMP = 36.3
UNEXPLAINED_USD_PER_H = 1e-7
"""Sums of some hundred terms of some hundred $/h in double precision."""


def priced(one: Area, limits: FeederLimits, price: float, head_loss: float = 0.0) -> PricedFeeder:
    """A feeder at its own optimum at a price, solved there, priced by the duals around the state before."""
    columns = offers(one.size_kw)
    case = feeder_case(one.point(0.6 * expected_kw(columns)), columns.ordered(one.map.order), limits)
    vertex = ReducedProgram(case, "feeder").at_price(price)
    point = one.point(one.map.to_fleet_order(vertex.p_kw))
    return PricedFeeder(
        case=case,
        vertex=vertex,
        branches=branch_prices(case, vertex, point, price, head_loss),
        point=point,
        way_of_nodes=way_of_nodes(one.map),
    )


def booked(feeders: Sequence[PricedFeeder], lmp: float = LMP, more_mw: float = 0.0) -> DistributionAccounts:
    drawn = sum(feeder.point.p_head_kw for feeder in feeders) / 1e3
    return accounts(feeders, drawn + more_mw, lmp)


def congested(price: float = LMP) -> PricedFeeder:
    return priced(standing_area("ieee123", 40, 3.5, 0.7), FeederLimits(loading_pu=0.35), price)


def test_rents_explain_what_is_left_where_limits_bind() -> None:
    feeder = congested()
    books = booked([feeder])
    assert abs(books.unexplained_usd_per_h) <= UNEXPLAINED_USD_PER_H
    assert abs(books.voltage_rent_usd_per_h) > 1.0
    assert abs(books.thermal_rent_usd_per_h) > 1.0
    assert books.load_usd_per_h > 50.0


def test_without_limits_only_losses_leave_a_surplus() -> None:
    """Losses go with the square of flows: marginal ones are twice the whole, and leave as much as they cost.

    What reactive flows lose is bought as well and charged to nobody, so that less than that is left.
    """
    one = standing_area("ieee123", 40, 1.0, 1.0)
    feeder = priced(one, WIDE, LMP)
    books = booked([feeder])
    assert books.voltage_rent_usd_per_h == books.thermal_rent_usd_per_h == 0.0
    assert abs(books.unexplained_usd_per_h) <= UNEXPLAINED_USD_PER_H
    cost = LMP * losses_kw(feeder.point) / 1e3
    assert cost > 0.5
    assert 0.4 * cost < books.loss_surplus_usd_per_h < cost


def test_the_rent_of_one_rating_is_its_price_times_what_flows_through_it() -> None:
    """Losses take a few per cent of the rating and are constants of the map: withdrawals pay for the rest."""
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw).ordered(one.map.order)
    free = feeder_case(one.point(np.zeros(40)), columns, WIDE)
    p_kw = ReducedProgram(free, "f").at_price(15.0).p_kw
    flow = free.flow_at_floor_mva - one.map.incidence @ (p_kw - columns.floor_kw) / 1e3
    inner = np.where(one.map.tree.parent >= 0, flow.real, -np.inf)
    narrow = int(np.argmax(inner))
    case = _narrowed(free, narrow, float(inner[narrow]) - 0.05)
    vertex = ReducedProgram(case, "f").at_price(15.0)
    assert vertex.binding_rows == ((2, narrow),)
    point = one.point(one.map.to_fleet_order(vertex.p_kw))
    feeder = PricedFeeder(
        case=case, vertex=vertex, branches=branch_prices(case, vertex, point, 15.0), point=point,
        way_of_nodes=way_of_nodes(one.map),
    )  # fmt: skip
    books = booked([feeder], 15.0)
    limit_mw = float(case.bound[2, narrow])
    share = books.thermal_rent_usd_per_h / (float(vertex.row_price[0]) * limit_mw)
    assert 0.94 < share < 1.0
    assert books.thermal_rent_usd_per_h > 1.0
    assert abs(books.unexplained_usd_per_h) <= UNEXPLAINED_USD_PER_H


def _narrowed(case: FeederCase, place: int, bound_mw: float) -> FeederCase:
    bound = case.bound.copy()
    bound[2, place] = bound_mw
    return replace(case, bound=bound)


def test_an_area_whose_import_is_held_pays_itself_the_difference_of_its_price_to_the_lmp() -> None:
    """Two feeders at 36.3 inside, 30 outside, 0.05 MW lost before the heads: 6.3 on all that is imported."""
    feeders = [congested(), priced(standing_area("ieee13", 12, 1.5, 0.8), WIDE, LMP, 0.01)]
    lossy = [feeders[1], feeders[1]]
    books = booked(lossy, 30.0, more_mw=0.05)
    drawn = 2.0 * feeders[1].point.p_head_kw / 1e3 + 0.05
    assert books.thermal_rent_usd_per_h == pytest.approx(6.3 * drawn)
    for pair in (feeders, lossy):
        assert abs(booked(pair, 30.0, more_mw=0.05).unexplained_usd_per_h) <= UNEXPLAINED_USD_PER_H


def test_withdrawals_are_what_enters_less_what_is_lost() -> None:
    point: OperatingPoint = congested().point
    drawn = net_withdrawal_mw(point)
    assert 1e3 * drawn.sum() == pytest.approx(point.p_head_kw - losses_kw(point), abs=0.02 * losses_kw(point))
    whole = summed_to_head(point.map.tree, drawn)
    assert whole[point.map.head].sum() == pytest.approx(drawn.sum())


def test_a_wrong_price_stays_unexplained() -> None:
    """The guard: 1 % more on one branch-phase's thermal price is seen."""
    feeder = congested()
    wrong = feeder.branches.thermal_usd_per_mwh.copy()
    wrong[int(np.argmax(np.abs(wrong)))] *= 1.01
    feeder = replace(feeder, branches=replace(feeder.branches, thermal_usd_per_mwh=wrong))
    assert abs(booked([feeder]).unexplained_usd_per_h) > 1e-3
