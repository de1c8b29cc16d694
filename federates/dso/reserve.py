"""Reserve of a total DSO: how far its import can be called away from the award, and held there.

A call moves the import to ``P - up`` or ``P + down`` within minutes. Only what moves at once and can be held
answers it: photovoltaics, batteries and flexible loads; other DERs stay where they are expected. A battery
gives no more than its energy sustains through the interval and ``DURATION_H`` after it. With these offers,
every feeder's own program is asked for the least and the greatest import that keep all of its limits: the
*called-state rows* are the rows of voltage, rating and head at the called state. States between two that keep
the limits of the linear map keep them too, so every import between the ends can be called, whatever the
award.

From the ends is taken what the forecast may miss at a confidence. Reserve is offered where the import that is
expected at the forecast price leaves room for it: the range binds the award as well, and energy is not to be
held back for reserve that nobody could sell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.curve import QUANTITY_TICK_MW, NetCurve
from federates.core.reserve_offer import DSO_PRODUCTS, NO_RESERVE, ReserveOffer
from federates.der.fleet import Fleet
from federates.dso.bid import FeederBidder, merit_order
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.dispatch import FeederOffer, TwinState

KINDS = ("battery", "flexible", "pv")
"""DERs that answer a call: they move at once, and what they give can be held."""
CONFIDENCE = 0.95
"""With which the forecast leaves what is offered."""
LEAST_MW = 1e-3
"""Room below which no reserve is offered. [MW]"""
REGULATION_USE = 0.15
"""Energy moved for regulation per MW and hour awarded: the mean magnitude expected of its signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Injections at which each DER can be held when called, shapes (ders,)."""

    least_kw: FloatArray
    most_kw: FloatArray


def answering(fleet: Fleet) -> BoolArray:
    """DERs that answer a call, shape (ders,)."""
    return np.isin(fleet.kind, KINDS)


def held(fleet: Fleet, expected_kw: FloatArray, stored_kwh: FloatArray | None, hours: float) -> Held:
    """Injections that can be held.

    Parameters
    ----------
    fleet
        The area's DERs.
    expected_kw
        Where those that do not answer stay, shape (ders,). [kW]
    stored_kwh
        Energy in the stores now, shape (ders,); None: the offers themselves leave what can be held. [kWh]
    hours
        From now until a call at the interval's end need no longer be held. [h]
    """
    least, most = np.full(expected_kw.size, -np.inf), np.full(expected_kw.size, np.inf)
    if stored_kwh is not None:
        stores = fleet.of_kind("battery")
        room = np.maximum(fleet.energy_kwh - stored_kwh, 0.0) / fleet.charge_efficiency
        least = np.where(stores, -room / hours, least)
        most = np.where(stores, stored_kwh * fleet.discharge_efficiency / hours, most)
    answers = answering(fleet)
    return Held(least_kw=np.where(answers, least, expected_kw), most_kw=np.where(answers, most, expected_kw))


def held_columns(columns: DerColumns, limits: Held) -> DerColumns:
    """Offers cut to what can be held: the same blocks, some of them narrower, above raised floors.

    A DER that has to be elsewhere stays at the nearest injection that it offers.
    """
    top = columns.top_kw
    least = np.clip(limits.least_kw, columns.floor_kw, top)
    most = np.clip(limits.most_kw, columns.floor_kw, top)
    ends = np.stack((columns.below_kw, columns.below_kw + columns.width_kw))
    begin, end = np.clip(ends, least[columns.der], np.maximum(most, least)[columns.der])
    return replace(columns, floor_kw=least, width_kw=end - begin)


def called_range_mw(
    bidders: Sequence[FeederBidder], state: TwinState, offers: Sequence[FeederOffer]
) -> tuple[float, float]:
    """Least and greatest import of the feeders together that keep every limit of every feeder. [MW]

    Parameters
    ----------
    bidders
        Asked one by one; they hold these offers afterwards.
    state
        The twin's state around which the feeders are linearised.
    offers
        What can be held, with the limits of each feeder.
    """
    total = np.zeros(2)
    for bidder, point, offer in zip(bidders, state.points, offers, strict=True):
        case = bidder.refresh(point, offer.columns, offer.limits)
        p_kw, _, holds = merit_order(case, np.array([np.inf, -np.inf]))
        ends = case.import_at_floor_mw - np.sum(p_kw - case.columns.floor_kw, axis=1) / KW_PER_MW
        for k in np.flatnonzero(~holds):
            ends[k] = bidder.program().at_range_end(greatest=bool(k)).import_mw
        total += ends
    return float(total[0]), float(total[1])


def margin_mw(sigma: float, forecast_kw: float, confidence: float = CONFIDENCE) -> float:
    """What a forecast of so much demand and sun may miss at a confidence, on one side. [MW]

    ``sigma`` is the standard deviation of the error that everything has in common, relative.
    """
    return NormalDist().inv_cdf(confidence) * sigma * forecast_kw / KW_PER_MW


def wear_usd_per_mw_h(fleet: Fleet) -> float:
    """What a MW of regulation wears the batteries in an hour, by the energy that it moves. [$/MW/h]

    Energy moved one way is half a cycle.
    """
    stores = fleet.of_kind("battery")
    power = float(fleet.power_kw[stores].sum())
    if power <= 0.0:
        return 0.0
    return REGULATION_USE * float(fleet.wear_usd_per_mwh[stores] @ fleet.power_kw[stores]) / power / 2.0


def reserve_offer(
    curve: NetCurve,
    called_mw: tuple[float, float],
    expected_mw: float,
    margin: float,
    regulation_usd_per_mw_h: float,
) -> ReserveOffer:
    """Reserve to offer with a curve.

    The opportunity cost of energy is no part of its price: the market sees it in the curve, since what is
    called must lie in the same range. Regulation asks for the wear of its movement.

    Parameters
    ----------
    curve
        What is bid for energy.
    called_mw
        Least and greatest import that can be called. [MW]
    expected_mw
        Import expected at the forecast price. [MW]
    margin
        What the forecast may miss. [MW]
    regulation_usd_per_mw_h
        Asked for regulation.
    """
    low = max(called_mw[0], curve.p_min_mw) + margin
    high = min(called_mw[1], curve.p_max_mw) - margin
    room = np.floor((high - low) / QUANTITY_TICK_MW) * QUANTITY_TICK_MW
    up, down = expected_mw - low >= LEAST_MW, high - expected_mw >= LEAST_MW
    if room < LEAST_MW or not (up or down):
        return NO_RESERVE
    asked = {
        "reg_up": (up, regulation_usd_per_mw_h),
        "reg_down": (down, regulation_usd_per_mw_h),
        "spin": (up, 0.0),
    }
    sold, price = (np.array(each) for each in zip(*(asked[name] for name in DSO_PRODUCTS), strict=True))
    width = room * sold
    offered = np.flatnonzero(width)
    return ReserveOffer(
        product=offered.astype(np.int64),
        width_mw=width[offered],
        price_usd_per_mw_h=price[offered],
        p_lo_mw=float(low) if up else curve.p_min_mw,
        p_hi_mw=float(high) if down else curve.p_max_mw,
    )
