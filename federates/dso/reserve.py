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
from federates.core.curve import QUANTITY_TICK_MW
from federates.core.errors import InfeasibleError
from federates.core.reserve_offer import DSO_PRODUCTS, NO_RESERVE, ReserveOffer
from federates.der.fleet import Fleet
from federates.distribution.linear import OperatingPoint
from federates.dso.bid import FeederBidder, merit_order
from federates.dso.case import SolvedBase
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.dispatch import (
    BROKEN_POWER_SHARE,
    FeederOffer,
    SetPoints,
    TwinSolver,
    TwinState,
    base_set_points,
    binding_limits,
    carried,
    settled,
    tolerance,
)

KINDS = ("battery", "flexible", "pv")
"""DERs that answer a call: they move at once, and what they give can be held."""
CONFIDENCE = 0.95
"""With which the forecast leaves what is offered."""
REACHES = (1.0, 0.5, 0.25, 0.0)
"""Shares of the way from the expected dispatch to the greatest import to which a range of calls may reach."""
BISECTIONS = 7
"""States tried on the way from one that keeps all limits to one that may break some, that one first: what is
offered is right to 1/64 of it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRoom:
    """Energy by which stores may move when called, shapes (ders,)."""

    spare_kwh: FloatArray
    """May be given: what is stored less what is kept for other uses. [kWh]"""
    free_kwh: FloatArray
    """May be taken up. [kWh]"""


def store_room(fleet: Fleet, stored_kwh: FloatArray, kept_kwh: FloatArray) -> StoreRoom:
    """What stores may move of what they hold, where some of it is kept for other uses, shapes (ders,)."""
    return StoreRoom(
        spare_kwh=np.maximum(stored_kwh - kept_kwh, 0.0),
        free_kwh=np.maximum(fleet.energy_kwh - stored_kwh, 0.0),
    )


def held(fleet: Fleet, expected_kw: FloatArray, room: StoreRoom, hours: float) -> Held:
    """Injections that can be held.

    Parameters
    ----------
    fleet
        The area's DERs.
    expected_kw
        Where those that do not answer stay, shape (ders,). [kW]
    room
        By which the stores may move.
    hours
        From now until a call at the interval's end need no longer be held. [h]
    """
    stores, answers = fleet.of_kind("battery"), answering(fleet)
    least = np.where(stores, -room.free_kwh / fleet.charge_efficiency / hours, -np.inf)
    most = np.where(stores, room.spare_kwh * fleet.discharge_efficiency / hours, np.inf)
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
    bidders: Sequence[FeederBidder],
    state: TwinState,
    offers: Sequence[FeederOffer],
    *,
    may_be_empty: bool = False,
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
    may_be_empty
        Whether the twin judges the ends afterwards: a feeder of which nothing can be held within the limits,
        bound as they are to other injections, has both where it is linearised.

    Raises
    ------
    InfeasibleError
        If nothing can be held within a feeder's limits, and none such is judged.
    """
    total, set_points = np.zeros(2), []
    for bidder, point, offer in zip(bidders, state.points, offers, strict=True):
        case = bidder.refresh(point, offer.columns, offer.limits)
        p_kw, _, holds = merit_order(case, np.array([np.inf, -np.inf]))
        for k in np.flatnonzero(~holds):
            try:
                p_kw[k] = bidder.program().at_range_end(greatest=bool(k)).p_kw
            except InfeasibleError:
                if not may_be_empty:
                    raise
                p_kw[k] = np.clip(case.point.p_kw, case.columns.floor_kw, case.columns.top_kw)
        total += case.import_at_floor_mw - np.sum(p_kw - case.columns.floor_kw, axis=1) / KW_PER_MW
        set_points.append(bidder.map.to_fleet_order(p_kw))
    return MappedEnds(p_kw=tuple(set_points), import_mw=total)


class RegulatedTwin(TwinSolver, Protocol):
    """A twin whose regulators can be let act."""

    def settle(self, at: SetPoints) -> None:
        """Put the taps where regulators that act at set-points leave them."""

    def set_taps(self, taps: FloatArray) -> None:
        """Put the taps."""


class LimitJudge:
    """Tells whether the twin, at its present taps, keeps the limits that mending between awards keeps.

    Parameters
    ----------
    feeders
        As the area was bid: what nobody has to hold sets the base state to which limits are relaxed.
    twin
        Solves the area at set-points.
    """

    def __init__(self, feeders: Sequence[FeederOffer], twin: TwinSolver) -> None:
        base = base_set_points([feeder.columns for feeder in feeders])
        points = twin(base.p_kw, base.q_kvar).points
        self._bases = [SolvedBase(point=p, limits=f.limits) for p, f in zip(points, feeders, strict=True)]

    def keeps(self, state: TwinState) -> bool:
        """Whether a state breaks no limit."""
        return all(
            _keeps(place, base, point)
            for place, (base, point) in enumerate(zip(self._bases, state.points, strict=True))
        )


def _keeps(place: int, base: SolvedBase, point: OperatingPoint) -> bool:
    drawn_mw = point.p_head_kw / KW_PER_MW
    for room_mw, limit_mw in (
        (base.greatest_import_mw - drawn_mw, base.greatest_import_mw),
        (drawn_mw - base.least_import_mw, base.least_import_mw),
    ):
        if room_mw < -BROKEN_POWER_SHARE * abs(limit_mw):
            return False
    limits = binding_limits(place, point, base.bounds(point, q_free=False))
    return all(limit.excess <= tolerance(limit.kind) for limit in limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableArea:
    """An area that may be called: what it offered, and what of it can be held."""

    feeders: tuple[FeederOffer, ...]
    """As the area was bid: their limits are those that mending keeps."""
    held: tuple[FeederOffer, ...]
    """The same with offers cut to what can be held."""
    twin: RegulatedTwin

    def anchor(self, known: SetPoints) -> SetPoints | None:
        """Set-points that can be held and keep every limit, near those known, or the base state.

        None where neither does: such an area cannot be called.

        Raises
        ------
        DivergedError
            If the twin does not carry the known set-points.
        """
        columns = [offer.columns for offer in self.held]
        cut = zip(known.p_kw, columns, strict=True)
        near = SetPoints(
            p_kw=tuple(np.clip(p, c.floor_kw, c.top_kw) for p, c in cut), q_kvar=_q_kvar(self.held)
        )
        judge = LimitJudge(self.feeders, self.twin)
        at, state, _ = carried(known, near, self.twin)
        mended = settled(state.interface_mw, at, self.held, self.twin, known)
        if judge.keeps(mended.state):
            return SetPoints(p_kw=mended.p_kw, q_kvar=mended.q_kvar)
        base = base_set_points(columns)
        return base if judge.keeps(self.twin(base.p_kw, base.q_kvar)) else None

    def kept(self, wanted: SetPoints, anchor: SetPoints) -> tuple[SetPoints, float]:
        """Set-points near those wanted at which the twin keeps every limit, and the import there. [MW]

        First the wanted ones, then the dispatch's passes from there; what these leave broken is left behind
        on the way to the anchor.
        """
        tried, state, _ = carried(anchor, wanted, self.twin)
        done = settled(state.interface_mw, tried, self.held, self.twin, anchor)
        best = SetPoints(p_kw=done.p_kw, q_kvar=done.q_kvar)
        if LimitJudge(self.feeders, self.twin).keeps(done.state):
            return best, done.interface_mw
        return self.led_back(best, anchor) or (anchor, self.import_mw(anchor))

    def led_back(self, wanted: SetPoints, anchor: SetPoints) -> tuple[SetPoints, float] | None:
        """The last set-points on the way from an anchor to others that keep every limit, and the import. [MW]

        None where, at the present taps, no state tried does.
        """
        judge = LimitJudge(self.feeders, self.twin)
        kept, low, high, share = None, 0.0, 1.0, 1.0
        for _ in range(BISECTIONS):
            at = anchor.towards(wanted, share)
            now = self.twin(at.p_kw, at.q_kvar)
            if judge.keeps(now):
                low, kept = share, (at, now.interface_mw)
            else:
                high = share
            if low == high:
                break
            share = (low + high) / 2.0
        if kept is None:
            now = self.twin(anchor.p_kw, anchor.q_kvar)
            kept = (anchor, now.interface_mw) if judge.keeps(now) else None
        return kept

    def import_mw(self, at: SetPoints) -> float:
        """Drawn at set-points, at the present taps. [MW]"""
        return self.twin(at.p_kw, at.q_kvar).interface_mw


def called_states(ends: MappedEnds, area: CallableArea, anchor: SetPoints) -> CalledStates:
    """The ends as the twin carries them; where it shows a limit broken, a state near by that keeps all.

    Parameters
    ----------
    ends
        By the maps.
    area
        What can be held.
    anchor
        Set-points that keep every limit.
    """
    q_kvar = _q_kvar(area.held)
    least, greatest = (
        area.kept(SetPoints(p_kw=tuple(p[end] for p in ends.p_kw), q_kvar=q_kvar), anchor) for end in range(2)
    )
    return CalledStates(least=least[0], greatest=greatest[0], import_mw=(least[1], greatest[1]))


def steady_states(
    found: CalledStates, area: CallableArea, anchor: SetPoints, expected_mw: float, taps: FloatArray
) -> CalledStates:
    """Called states of which each keeps the limits with taps that regulators have left at the other.

    Whatever is awarded between two states, and whatever was called before, by the time of a call regulators
    have answered it, and they stay where they are for the first minutes of the call. Where that takes much of
    the range, one that reaches less far to greater import may leave more: of those of `REACHES` that hold the
    import that is expected, the widest is taken. Where none is left, both are the anchor.

    Parameters are those of `called_states`, which found the first states, the import expected and the taps
    seen.
    """
    tried = [_steady(found.least, anchor.towards(found.greatest, r), area, anchor, taps) for r in REACHES]
    area.twin.set_taps(taps)
    left = [states for states in tried if states is not None]
    if not left:
        return only_state(anchor, area.import_mw(anchor))
    return max(
        left, key=lambda at: (min(expected_mw - at.import_mw[0], 0.0), at.import_mw[1] - at.import_mw[0])
    )


def only_state(at: SetPoints, import_mw: float) -> CalledStates:
    """States of an area that cannot be called: both are one."""
    return CalledStates(least=at, greatest=at, import_mw=(import_mw, import_mw))


def sustained_least(
    ends: MappedEnds, area: CallableArea, known: SetPoints, taps: FloatArray
) -> tuple[SetPoints, float]:
    """A state of least import that can be held for hours, and its import. [MW]

    It keeps the limits with the taps at which regulators settle there that come from a state with the DERs at
    rest: they follow as voltages rise, but no farther than their bands ask for. Where no state keeps them it
    is the base state.

    Parameters
    ----------
    ends
        By the maps.
    area
        What can be held.
    known
        Set-points that the twin carries.
    taps
        Those seen.
    """
    wanted, twin = SetPoints(p_kw=tuple(p[0] for p in ends.p_kw), q_kvar=_q_kvar(area.held)), area.twin
    base = base_set_points([offer.columns for offer in area.held])
    twin.set_taps(taps)
    twin.settle(base)
    reached, _, _ = carried(known, wanted, twin)
    twin.settle(reached)
    anchor = area.anchor(known)
    least = (base, area.import_mw(base)) if anchor is None else area.kept(reached, anchor)
    twin.set_taps(taps)
    return least


def _steady(
    least: SetPoints, greatest: SetPoints, area: CallableArea, anchor: SetPoints, taps: FloatArray
) -> CalledStates | None:
    """Two states, led back until each keeps the limits once regulators have answered the other.

    To the anchor, or, where regulators have left that outside, to the state that they have answered.
    """
    area.twin.set_taps(taps)
    area.twin.settle(greatest)
    low = area.led_back(least, anchor) or area.led_back(least, greatest)
    if low is None:
        return None
    area.twin.set_taps(taps)
    area.twin.settle(low[0])
    high = area.led_back(greatest, anchor) or area.led_back(greatest, low[0])
    if high is None:
        return None
    return CalledStates(least=low[0], greatest=high[0], import_mw=(low[1], high[1]))


def _q_kvar(offers: Sequence[FeederOffer]) -> tuple[FloatArray, ...]:
    return tuple(offer.columns.q_kvar for offer in offers)


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
