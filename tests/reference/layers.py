"""Three LDAs below the PJM five-bus system, quiet or congested, for the laws that hold across the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.distribution.linear import OperatingPoint
from federates.dso.bid import FeederBidder, LdaCurve, lda_curve
from federates.dso.case import FeederLimits
from federates.dso.columns import DerColumns
from federates.dso.exact import at_common_prices, exact_curve
from federates.iso.network import market_network
from federates.iso.offers import unit_cost_usd_per_h
from federates.iso.sced import Clearing, Sced
from tests.reference.joint import JointArea
from tests.unit.dso.area import area, expected_kw, offers
from tests.unit.dso.full_space import FullSpace
from tests.unit.iso.market_cases import all_on, pjm5

LOAD_MW = np.array([0.0, 150.0, 150.0, 250.0, 0.0])
"""Load outside the LDAs."""
LIGHT_MW = np.array([0.0, 90.0, 60.0, 150.0, 0.0])
"""The same where the units up to 15 $/MWh are full and the next, at 30 $/MWh, is not worth starting."""
AREAS = (
    (1, 30, (("ieee13", 12), ("ieee123", 30))),
    (2, 35, (("ieee123", 40),)),
    (3, 25, (("ieee13", 16), ("ieee123", 24))),
)
"""Bus, sets, and each feeder with its number of DERs, of three LDAs on the PJM five-bus system."""
CONSTANT_MW = 0.04
"""Drawn by a set beyond its feeders: the substation's losses."""
UNLIMITED = FeederLimits(v_min_pu=0.5, v_max_pu=1.5, loading_pu=100.0)
TIGHT = FeederLimits(loading_pu=0.35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """The LDAs, both ways."""

    areas: tuple[JointArea, ...]
    """Their full-space programs."""
    points: tuple[tuple[OperatingPoint, ...], ...]
    """Their feeders' maps."""
    columns: tuple[tuple[DerColumns, ...], ...]
    """What their DERs offer, in fleet order."""
    limits: FeederLimits
    """What every feeder keeps."""
    bidders: tuple[tuple[FeederBidder, ...], ...]
    """Their feeders, ready to be asked."""
    exact: tuple[LdaCurve, ...]
    """Their curves with all breakpoints."""


@cache
def below(*, congested: bool) -> Below:
    """Three LDAs, quiet and wide open, or with more DERs than their wires can bear."""
    areas, points, offered, bidders, curves = [], [], [], [], []
    limits = TIGHT if congested else UNLIMITED
    seed = 0
    for bus, sets, feeders in AREAS:
        spaces, maps, columns_of, own, exact = [], [], [], [], []
        for name, ders in feeders:
            seed += 1
            one = area(name, ders, *((3.5, 0.7) if congested else (1.0, 1.0)))
            columns = offers(one.size_kw, seed)
            bidder = FeederBidder(one.map, name)
            point = one.point(0.6 * expected_kw(columns))
            case = bidder.refresh(point, columns, limits)
            maps.append(point)
            columns_of.append(columns)
            own.append(bidder)
            spaces.append(FullSpace(one, case))
            exact.append(exact_curve(case, name))
        areas.append(JointArea(bus=bus, multiplicity=sets, feeders=spaces, constant_mw=CONSTANT_MW))
        points.append(tuple(maps))
        offered.append(tuple(columns_of))
        bidders.append(tuple(own))
        curves.append(lda_curve(at_common_prices(exact), constant_mw=CONSTANT_MW, blocks_limit=1_000))
    return Below(
        areas=tuple(areas),
        points=tuple(points),
        columns=tuple(offered),
        limits=limits,
        bidders=tuple(bidders),
        exact=tuple(curves),
    )


def exact_bids(layer: Below) -> list[NetCurve]:
    return [curve.net_curve for curve in layer.exact]


def grid(*, congested: bool, losses: bool) -> TransmissionCase:
    case = pjm5()
    branches = case.branches
    return replace(
        case,
        branches=replace(
            branches,
            rating_mw=branches.rating_mw if congested else np.full(branches.rating_mw.size, np.inf),
            r_pu=branches.r_pu if losses else np.zeros(branches.r_pu.size),
        ),
    )


def cleared(
    case: TransmissionCase, layer: Below, bids: list[NetCurve], load_mw: FloatArray, *, losses: bool
) -> Clearing:
    """The ISO's dispatch on bids of one set, as they are sent."""
    whole = [bid.scaled(float(one.multiplicity)) for one, bid in zip(layer.areas, bids, strict=True)]
    sced = Sced(
        market_network(case),
        case.units,
        curve_bus=np.array([one.bus for one in layer.areas]),
        curve_slots=np.array([bid.width_mw.size for bid in whole]),
        losses=losses,
        loss_tolerance_mw=1e-9,
    )
    return sced.clear(load_mw, all_on(case), whole)


def layered_cost_usd_per_h(
    case: TransmissionCase, layer: Below, curves: Sequence[LdaCurve], found: Clearing
) -> float:
    """Units' blocks, and what the set-points behind each award cost."""
    on = np.ones(len(case.units.ids), dtype=np.bool_)
    cost = float(unit_cost_usd_per_h(case.units, found.unit_mw, on).sum())
    for one, curve, award in zip(layer.areas, curves, found.curve_mw, strict=True):
        each = float(award) / one.multiplicity
        cost += one.multiplicity * float(np.interp(each, curve.import_mw, curve.cost_usd_per_h))
    return cost
