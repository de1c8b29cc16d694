"""Reserve of a total DSO: how far its import can be called away from the award, and held there.

A call moves the import to ``P - up`` or ``P + down`` within minutes. Only what moves at once and can be held
answers it: photovoltaics, batteries and flexible loads; other DERs stay where they are expected. A battery
gives no more than its energy sustains through the interval and ``DURATION_H`` after it. With these offers,
every feeder's own program is asked for the least and the greatest import that keep all of its limits: the
*called-state rows* are the rows of voltage, rating and head at the called state. The twin then solves both
ends, and where it shows a limit broken, which a map so far from its point can miss, the dispatch's passes
lead back to the nearest state that keeps all. These two states are kept: a call goes from the award's
set-points straight towards one of them, which needs no program and ends where the twin has been.

From the ends is taken what the forecast may miss at a confidence. Reserve is offered where the import that is
expected at the forecast price lies in the range or hardly outside: the range binds the award as well, and
energy is not to be held back for reserve that nobody could sell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.curve import QUANTITY_TICK_MW, fixed_quantity
from federates.core.reserve_offer import DSO_PRODUCTS, NO_RESERVE, ReserveOffer
from federates.der.fleet import Fleet
from federates.dso.bid import FeederBidder, LdaCurve, merit_order
from federates.dso.case import SolvedBase
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.dispatch import (
    FeederOffer,
    SetPoints,
    TwinSolver,
    TwinState,
    base_set_points,
    binding_limits,
    carried,
    dispatch,
    tolerance,
)

KINDS = ("battery", "flexible", "pv")
"""DERs that answer a call: they move at once, and what they give can be held."""
CONFIDENCE = 0.95
"""With which the forecast leaves what is offered."""
REACHES = (1.0, 0.5, 0.25, 0.0)
"""Shares of the way from the expected dispatch to the greatest import to which a range of calls may reach."""
BISECTIONS = 7
"""States tried on the way from the base state to one that may break a limit, that one first: what is offered
is right to 1/64 of it."""
LEAST_MW = 1e-3
"""Room below which no reserve is offered. [MW]"""
YIELDING_SHARE = 0.25
"""Of the room for reserve: as far may its range lie beyond the import expected at the forecast price."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledStates:
    """The two states to which an area can be called; what lies between them and the award is between.

    Injections in fleet order, feeder by feeder.
    """

    least: SetPoints
    greatest: SetPoints
    import_mw: tuple[float, float]
    """Drawn at the interface in either. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedEnds:
    """Least and greatest import of the feeders together by their linear maps."""

    p_kw: tuple[FloatArray, ...]
    """Per feeder, injections in fleet order at either end, shape (2, ders of the feeder). [kW]"""
    import_mw: FloatArray
    """Sum of what the heads draw, shape (2,). [MW]"""


def mapped_ends(
    bidders: Sequence[FeederBidder], state: TwinState, offers: Sequence[FeederOffer]
) -> MappedEnds:
    """Ends of what keeps every limit of every feeder by its map.

    Parameters
    ----------
    bidders
        Asked one by one; they hold these offers afterwards.
    state
        The twin's state around which the feeders are linearised.
    offers
        What can be held, with the limits of each feeder.
    """
    total, set_points = np.zeros(2), []
    for bidder, point, offer in zip(bidders, state.points, offers, strict=True):
        case = bidder.refresh(point, offer.columns, offer.limits)
        p_kw, _, holds = merit_order(case, np.array([np.inf, -np.inf]))
        for k in np.flatnonzero(~holds):
            p_kw[k] = bidder.program().at_range_end(greatest=bool(k)).p_kw
        total += case.import_at_floor_mw - np.sum(p_kw - case.columns.floor_kw, axis=1) / KW_PER_MW
        set_points.append(bidder.map.to_fleet_order(p_kw))
    return MappedEnds(p_kw=tuple(set_points), import_mw=total)


class RegulatedTwin(TwinSolver, Protocol):
    """A twin whose regulators can be let act."""

    def settle(self, at: SetPoints) -> None:
        """Put the taps where regulators that act at set-points leave them."""

    def set_taps(self, taps: FloatArray) -> None:
        """Put the taps."""


def called_states(
    ends: MappedEnds, offers: Sequence[FeederOffer], twin: TwinSolver, known: SetPoints
) -> CalledStates:
    """The ends as the twin carries them; where it shows a limit broken, a state near by that keeps all.

    Parameters
    ----------
    ends
        By the maps.
    offers
        What can be held, with the limits of each feeder.
    twin
        Solves the area at set-points.
    known
        Set-points that the twin carries.

    Raises
    ------
    DivergedError
        If the twin does not carry the known set-points.
    """
    least, greatest = (
        _kept(SetPoints(p_kw=tuple(p[end] for p in ends.p_kw), q_kvar=_q_kvar(offers)), offers, twin, known)
        for end in range(2)
    )
    return CalledStates(least=least[0], greatest=greatest[0], import_mw=(least[1], greatest[1]))


def steady_states(
    found: CalledStates,
    offers: Sequence[FeederOffer],
    twin: RegulatedTwin,
    known: SetPoints,
    taps: FloatArray,
) -> CalledStates:
    """Called states of which each keeps the limits with taps that regulators have left at the other.

    Whatever is awarded between two states, and whatever was called before, by the time of a call regulators
    have answered it, and they stay where they are for the first minutes of the call. Where that takes much of
    the range, one that reaches less far to greater import may leave more: of those of `REACHES` that hold the
    import that is expected, the widest is taken.

    Parameters are those of `called_states`, which found the first states, and the taps seen.
    """
    expected_mw = twin(known.p_kw, known.q_kvar).interface_mw
    tried = [
        _steady(found.least, known.towards(found.greatest, reach), offers, twin, taps) for reach in REACHES
    ]
    twin.set_taps(taps)
    return max(
        tried, key=lambda at: (min(expected_mw - at.import_mw[0], 0.0), at.import_mw[1] - at.import_mw[0])
    )


def sustained_least(
    ends: MappedEnds,
    offers: Sequence[FeederOffer],
    twin: RegulatedTwin,
    known: SetPoints,
    taps: FloatArray,
) -> tuple[SetPoints, float]:
    """A state of least import that can be held for hours, and its import. [MW]

    It keeps the limits with the taps at which regulators settle there that come from a state with the DERs at
    rest: they follow as voltages rise, but no farther than their bands ask for. Parameters are those of
    `steady_states`, and the ends by the maps.
    """
    wanted = SetPoints(p_kw=tuple(p[0] for p in ends.p_kw), q_kvar=_q_kvar(offers))
    twin.set_taps(taps)
    twin.settle(base_set_points([offer.columns for offer in offers]))
    reached, _, _ = carried(known, wanted, twin)
    twin.settle(reached)
    least = _kept(reached, offers, twin, known)
    twin.set_taps(taps)
    return least


def _steady(
    least: SetPoints,
    greatest: SetPoints,
    offers: Sequence[FeederOffer],
    twin: RegulatedTwin,
    taps: FloatArray,
) -> CalledStates:
    """Two states, led back until each keeps the limits once regulators have answered the other."""
    twin.set_taps(taps)
    twin.settle(greatest)
    low, low_mw = _led_back(least, offers, twin)
    twin.set_taps(taps)
    twin.settle(low)
    high, high_mw = _led_back(greatest, offers, twin)
    return CalledStates(least=low, greatest=high, import_mw=(low_mw, high_mw))


def _q_kvar(offers: Sequence[FeederOffer]) -> tuple[FloatArray, ...]:
    return tuple(offer.columns.q_kvar for offer in offers)


def _kept(
    wanted: SetPoints, offers: Sequence[FeederOffer], twin: TwinSolver, known: SetPoints
) -> tuple[SetPoints, float]:
    """Set-points near those wanted at which the twin keeps every limit, and the import there. [MW]

    First the wanted ones, then the dispatch's passes from there; what these leave broken is left behind on
    the way to the base state, which breaks nothing since limits are relaxed to it.
    """
    tried, state, _ = carried(known, wanted, twin)
    start_mw = state.interface_mw
    done = dispatch(start_mw, _single_state(tried, start_mw), offers, twin, known)
    best = SetPoints(p_kw=done.p_kw, q_kvar=done.q_kvar)
    return _led_back(best, offers, twin) if done.broken_count else (best, done.interface_mw)


def _led_back(wanted: SetPoints, offers: Sequence[FeederOffer], twin: TwinSolver) -> tuple[SetPoints, float]:
    """The last set-points on the way from the base state to some that keep every limit, and the import there.

    [MW]
    """
    base = base_set_points([offer.columns for offer in offers])
    at_base = twin(base.p_kw, base.q_kvar)
    bases = [SolvedBase(point=p, limits=o.limits) for p, o in zip(at_base.points, offers, strict=True)]
    kept, kept_mw, low, high, share = base, at_base.interface_mw, 0.0, 1.0, 1.0
    for _ in range(BISECTIONS):
        at = base.towards(wanted, share)
        now = twin(at.p_kw, at.q_kvar)
        if not _breaks(now, bases):
            low, kept, kept_mw = share, at, now.interface_mw
        else:
            high = share
        if low == high:
            break
        share = (low + high) / 2.0
    return kept, kept_mw


def _breaks(state: TwinState, bases: Sequence[SolvedBase]) -> bool:
    """Whether a state breaks limits that are relaxed to a base state."""
    return any(
        limit.excess > tolerance(limit.kind)
        for k, (base, point) in enumerate(zip(bases, state.points, strict=True))
        for limit in binding_limits(k, point, base.bounds(point, q_free=False))
    )


def _single_state(at: SetPoints, import_mw: float) -> LdaCurve:
    """A curve of one state: its dispatch begins there."""
    return LdaCurve(
        net_curve=fixed_quantity(import_mw),
        import_mw=np.array([import_mw]),
        cost_usd_per_h=np.zeros(1),
        p_kw=tuple(p[None, :] for p in at.p_kw),
        q_kvar=tuple(q[None, :] for q in at.q_kvar),
    )


def called(start: SetPoints, start_mw: float, target_mw: float, states: CalledStates) -> SetPoints:
    """Set-points, moved towards a called state until the import is what the call asks for.

    They start from an award's dispatch, or from what was mended since. Both ends keep the limits on the twin,
    and so does what lies between, but for its curvature.
    """
    end, end_mw = (
        (states.least, states.import_mw[0])
        if target_mw < start_mw
        else (states.greatest, states.import_mw[1])
    )
    way_mw = end_mw - start_mw
    share = 0.0 if way_mw * (target_mw - start_mw) <= 0.0 else (target_mw - start_mw) / way_mw
    return start.towards(end, min(share, 1.0))


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
    range_mw: tuple[float, float],
    called_mw: tuple[float, float],
    expected_mw: float,
    margin: float,
    regulation_usd_per_mw_h: float,
) -> ReserveOffer:
    """Reserve to offer with a curve.

    The opportunity cost of energy is no part of its price: the market sees it in the curve, since an award
    and what is called from it must lie in one range. Regulation asks for the wear of its movement.

    Parameters
    ----------
    range_mw
        Least and greatest import of the area; the curve for energy may be narrower by its step. [MW]
    called_mw
        Least and greatest import that can be called. [MW]
    expected_mw
        Import expected at the forecast price. [MW]
    margin
        What the forecast may miss. [MW]
    regulation_usd_per_mw_h
        Asked for regulation.
    """
    low = max(called_mw[0], range_mw[0]) + margin
    high = min(called_mw[1], range_mw[1]) - margin
    room = np.floor((high - low) / QUANTITY_TICK_MW) * QUANTITY_TICK_MW
    yielding = YIELDING_SHARE * room
    up, down = expected_mw - low >= -yielding, high - expected_mw >= -yielding
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
        p_lo_mw=float(low) if up else range_mw[0],
        p_hi_mw=float(high) if down else range_mw[1],
    )
