"""From an award at the interface to set-points that the feeders can bear.

First the stored vertices of the bid are interpolated. The twin solves that dispatch; where the interface
misses the award or a limit is broken, each feeder's program is built around the twin's state and tracks its
share of the award inside a trust region that shrinks from pass to pass. A proportional trim removes what is
left. Set-points at which the twin collapses are no trial: the way to them is cut in half, and they are
counted. The best state seen is the dispatch; what it misses is reported, never hidden.

Between dispatches :func:`hold_interchange` moves set-points by what the meter misses, and where the twin then
shows a broken limit, :func:`settled` mends them in the same way: limits first, interchange second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError, DivergedError
from federates.distribution.linear import FeederMap, OperatingPoint
from federates.distribution.tangent import AreaTangent
from federates.dso.bid import LdaCurve
from federates.dso.case import Bounds, FeederLimits, SolvedBase, area_case
from federates.dso.columns import KW_PER_MW, DerColumns, joined
from federates.dso.program import ReducedProgram

TRUST_FIRST = 0.15
"""Part of its range by which the first pass may move a DER: the bid's own set-points are nearly right, and
programs that may move farther exchange DERs of like prices, at losses that the map does not see."""
TRUST_SHRINK = 0.9
PASSES_LIMIT = 6
PASS_MARGIN_PU = 5e-4
"""How far inside the limits the passes aim, for the map's error."""
ERROR_SHARE = 0.005
"""Miss of the interface that is accepted, as a share of the award."""
ERROR_LEAST_MW = 0.002
"""Miss that is accepted at any award. [MW]"""
HOLD_SHARE = 0.1
"""Part of its range by which the fast loop may move a DER away from the dispatch."""
BACKTRACKING = (1.0, 0.5, 0.25, 0.0)
"""Shares of the way from a state that the twin carries to one that it may not, in the order of trying."""
ALARM_PU2 = 2e-3
"""Excess of w between awards from which set-points are mended: 0.001 pu of voltage."""
BROKEN_VOLTAGE_PU2 = 2e-4
"""Excess of w that counts as broken: 1e-4 pu of voltage."""
BROKEN_POWER_SHARE = 0.01
"""Excess of a rating that counts as broken."""


class LimitKind(Enum):
    """What binds."""

    HIGH_VOLTAGE = "high_voltage"
    LOW_VOLTAGE = "low_voltage"
    THERMAL = "thermal"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingLimit:
    """A limit that the state reaches or breaks."""

    feeder: int
    """Place of the feeder in the area."""
    kind: LimitKind
    node: int
    """Place of the node that the branch-phase feeds, in the circuit's node vector."""
    excess: float
    """How far the limit is exceeded; zero or less where it is kept. [pu^2] or share of the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinState:
    """What the twin shows at some set-points."""

    interface_mw: float
    """Drawn at the interface. [MW]"""
    points: tuple[OperatingPoint, ...]
    """The map of every feeder around this state, coefficients taken anew."""

    def map_error_pu(self, earlier: TwinState) -> float:
        """Greatest error of the voltages that an earlier state's maps give for this one. [pu]"""
        return max(
            float(np.abs(before.voltage_pu(now.p_kw, now.q_kvar) - np.sqrt(now.w_pu2)).max())
            for before, now in zip(earlier.points, self.points, strict=True)
        )


class TwinSolver(Protocol):
    """Solves the area, taps held."""

    def __call__(self, p_kw: Sequence[FloatArray], q_kvar: Sequence[FloatArray]) -> TwinState:
        """State at set-points per feeder, in fleet order. [kW], [kvar]

        Raises
        ------
        DivergedError
            If the area does not carry them.
        """

    def tangent(self, state: TwinState) -> AreaTangent:
        """The area's map around the state solved last, for the passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoints:
    """Injections of the DERs of every feeder, in fleet order."""

    p_kw: tuple[FloatArray, ...]
    """Per feeder. [kW]"""
    q_kvar: tuple[FloatArray, ...]
    """Per feeder. [kvar]"""

    def towards(self, other: SetPoints, share: float) -> SetPoints:
        """A share of the way to others."""
        p_kw, q_kvar = (
            tuple((1.0 - share) * mine + share * theirs for mine, theirs in zip(a, b, strict=True))
            for a, b in ((self.p_kw, other.p_kw), (self.q_kvar, other.q_kvar))
        )
        return SetPoints(p_kw=p_kw, q_kvar=q_kvar)


def carried(known: SetPoints, wanted: SetPoints, twin: TwinSolver) -> tuple[SetPoints, TwinState, int]:
    """Set-points nearest to those wanted, of some on the way from known ones, that the twin carries.

    Returns
    -------
    tuple
        The set-points, the twin's state there, and how many states collapsed on the way.

    Raises
    ------
    DivergedError
        If the twin does not carry the known ones either.
    """
    for collapsed_count, share in enumerate(BACKTRACKING):
        tried = known.towards(wanted, share) if share < 1.0 else wanted
        try:
            return tried, twin(tried.p_kw, tried.q_kvar), collapsed_count
        except DivergedError:
            if share == BACKTRACKING[-1]:
                raise
    raise AssertionError("the last share returns or raises")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederOffer:
    """What the dispatch needs of each feeder."""

    map: FeederMap
    columns: DerColumns
    """In fleet order."""
    limits: FeederLimits
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Set-points for one award, and what they achieve on the twin."""

    p_kw: tuple[FloatArray, ...]
    """Per feeder, injections in fleet order. [kW]"""
    q_kvar: tuple[FloatArray, ...]
    """Per feeder, reactive injections in fleet order. [kvar]"""
    state: TwinState
    """The twin's."""
    shortfall_mw: float
    """Award minus what is drawn. [MW]"""
    passes_count: int
    """Re-linearised passes taken; zero where interpolation was good enough."""
    limits: tuple[BindingLimit, ...]
    """Limits reached or broken, feeder by feeder."""
    collapsed_count: int
    """States tried at which the twin collapsed."""

    @property
    def interface_mw(self) -> float:
        """Drawn at the interface, by the twin. [MW]"""
        return self.state.interface_mw

    @property
    def broken_count(self) -> int:
        """Limits that the dispatch breaks."""
        return _broken_count(self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """Set-points and the twin's answer to them."""

    set_points: SetPoints
    state: TwinState
    limits: tuple[BindingLimit, ...]

    @property
    def broken_count(self) -> int:
        return _broken_count(self.limits)


def _broken_count(limits: Sequence[BindingLimit]) -> int:
    return sum(limit.excess > tolerance(limit.kind) for limit in limits)


def dispatch(
    award_mw: float, curve: LdaCurve, feeders: Sequence[FeederOffer], twin: TwinSolver, known: SetPoints
) -> Dispatch:
    """Set-points that bring the interface to an award, or as near as the feeders can come.

    Parameters
    ----------
    award_mw
        Net import awarded. [MW]
    curve
        The bid that the award was given to, with its vertices.
    feeders
        The area's feeders, in the curve's order.
    twin
        Solves the area at set-points.
    known
        Set-points that the twin carries: where the bid was linearised.

    Raises
    ------
    DivergedError
        If the twin does not carry the known set-points.
    """
    if len(feeders) != len(curve.p_kw):
        raise ConfigError(f"dispatch: {len(feeders)} feeders for a curve of {len(curve.p_kw)}")
    p_kw, q_kvar, _ = curve.at(award_mw)
    wanted = SetPoints(p_kw=tuple(p_kw), q_kvar=tuple(q_kvar))
    return settled(award_mw, wanted, feeders, twin, known)


def settled(
    award_mw: float, wanted: SetPoints, feeders: Sequence[FeederOffer], twin: TwinSolver, known: SetPoints
) -> Dispatch:
    """Set-points near those wanted that keep the limits first and the interface on an award second.

    Parameters are `dispatch`'s, and the set-points to begin with.

    Raises
    ------
    DivergedError
        If the twin does not carry the known set-points.
    """
    _, base, collapsed = carried(known, base_set_points([offer.columns for offer in feeders]), twin)
    bases = [SolvedBase(point=p, limits=o.limits) for p, o in zip(base.points, feeders, strict=True)]
    q_free = any(bool((offer.columns.q_limit_kvar > 0).any()) for offer in feeders)
    tried, state, more = carried(known, wanted, twin)
    collapsed += more
    best = trial = _judged(tried, state, bases, q_free=q_free)
    accepted_mw = max(ERROR_SHARE * abs(award_mw), ERROR_LEAST_MW)
    passes = 0
    while passes < PASSES_LIMIT and not _is_good(best, award_mw, accepted_mw):
        wanted = _relinearised(trial, award_mw, feeders, bases, TRUST_FIRST * TRUST_SHRINK**passes, twin)
        tried, state, more = carried(trial.set_points, wanted, twin)
        trial, collapsed = _judged(tried, state, bases, q_free=q_free), collapsed + more
        best = min(best, trial, key=lambda t: _merit(t, award_mw, accepted_mw))
        passes += 1
    if not _is_good(best, award_mw, accepted_mw):
        tried, state, more = carried(best.set_points, _trimmed(best, award_mw, feeders), twin)
        trial, collapsed = _judged(tried, state, bases, q_free=q_free), collapsed + more
        best = min(best, trial, key=lambda t: _merit(t, award_mw, accepted_mw))
    return Dispatch(
        p_kw=best.set_points.p_kw,
        q_kvar=best.set_points.q_kvar,
        state=best.state,
        shortfall_mw=award_mw - best.state.interface_mw,
        passes_count=passes,
        limits=best.limits,
        collapsed_count=collapsed,
    )


def is_alarming(state: TwinState, feeders: Sequence[FeederOffer]) -> bool:
    """Whether a state breaks a limit of the feeders by more than the twin's picture of them may err."""
    for point, offer in zip(state.points, feeders, strict=True):
        limits = offer.limits
        high, low = limits.v_max_pu**2 + ALARM_PU2, limits.v_min_pu**2 - ALARM_PU2
        w_pu2 = limits.at_loads(point.w_pu2)
        if w_pu2.max(initial=0.0) > high or w_pu2.min(initial=np.inf) < low:
            return True
        if (np.abs(point.s_kva) > (1.0 + BROKEN_POWER_SHARE) * limits.loading_pu * point.limit_kva).any():
            return True
    return False


def _merit(trial: _Trial, award_mw: float, accepted_mw: float) -> tuple[int, float]:
    """Fewest broken limits first, then the smaller miss; misses that are accepted are alike."""
    return trial.broken_count, max(abs(trial.state.interface_mw - award_mw), accepted_mw)


def _is_good(trial: _Trial, award_mw: float, accepted_mw: float) -> bool:
    return trial.broken_count == 0 and abs(trial.state.interface_mw - award_mw) <= accepted_mw


def base_set_points(offers: Sequence[DerColumns]) -> SetPoints:
    """Base state of feeders, offers in fleet order: limits that it breaks are relaxed to it."""
    return SetPoints(
        p_kw=tuple(np.clip(o.base_kw, o.floor_kw, o.top_kw) for o in offers),
        q_kvar=tuple(o.q_kvar for o in offers),
    )


def _judged(tried: SetPoints, state: TwinState, bases: Sequence[SolvedBase], *, q_free: bool) -> _Trial:
    limits = tuple(
        limit
        for k, (base, point) in enumerate(zip(bases, state.points, strict=True))
        for limit in binding_limits(k, point, base.bounds(point, q_free=q_free))
    )
    return _Trial(set_points=tried, state=state, limits=limits)


def binding_limits(feeder: int, point: OperatingPoint, bounds: Bounds) -> tuple[BindingLimit, ...]:
    """Limits that a solved state reaches or breaks."""
    power = (bounds.normal[:, None].conj() * point.s_kva).real / KW_PER_MW
    excess = np.concatenate([np.stack([point.w_pu2, -point.w_pu2]), power]) - bounds.bound
    excess[2:] /= np.maximum(bounds.bound[2:], 1e-9)
    found = []
    for k, place in zip(*np.nonzero(excess >= -1e-6), strict=True):
        kind = (LimitKind.HIGH_VOLTAGE, LimitKind.LOW_VOLTAGE)[k] if k < 2 else LimitKind.THERMAL
        node = int(point.map.tree.far[place])
        found.append(BindingLimit(feeder=feeder, kind=kind, node=node, excess=float(excess[k, place])))
    return tuple(found)


def tolerance(kind: LimitKind) -> float:
    """Excess over a limit that counts as broken, as `BindingLimit` has it."""
    return BROKEN_POWER_SHARE if kind is LimitKind.THERMAL else BROKEN_VOLTAGE_PU2


def _relinearised(
    trial: _Trial,
    award_mw: float,
    feeders: Sequence[FeederOffer],
    bases: Sequence[SolvedBase],
    trust: float,
    twin: TwinSolver,
) -> SetPoints:
    """One pass: one program for all feeders around the twin's state, moving the import by what is missed."""
    tangent = twin.tangent(trial.state)
    columns = joined([offer.columns.ordered(offer.map.order) for offer in feeders])
    case = area_case(tangent, columns, bases, PASS_MARGIN_PU)
    drawn_mw = sum(point.p_head_kw for point in trial.state.points) / KW_PER_MW
    floor, top, side = columns.floor_kw, columns.top_kw, columns.q_limit_kvar
    p_kw = [np.clip(tangent.p_kw + sign * trust * (top - floor), floor, top) for sign in (-1, 1)]
    q_kvar = [tangent.q_kvar + sign * trust * 2.0 * side for sign in (-1, 1)]
    program = ReducedProgram(case, "dispatch")
    vertex = program.track(
        drawn_mw + award_mw - trial.state.interface_mw, (p_kw[0], p_kw[1]), (q_kvar[0], q_kvar[1])
    )
    ends = np.cumsum([offer.map.ders_count for offer in feeders])[:-1]

    def split(values: FloatArray) -> tuple[FloatArray, ...]:
        parts = np.split(values, ends)
        return tuple(offer.map.to_fleet_order(part) for offer, part in zip(feeders, parts, strict=True))

    return SetPoints(p_kw=split(vertex.p_kw), q_kvar=split(vertex.q_kvar))


def _shares_mw(change_mw: float, trial: _Trial, feeders: Sequence[FeederOffer]) -> FloatArray:
    """Change of import asked of each feeder: in proportion to the room of its DERs, shape (feeders,). [MW]"""
    room = np.array(
        [_room_kw(o.columns, p, change_mw).sum() for o, p in zip(feeders, trial.set_points.p_kw, strict=True)]
    )
    total = room.sum()
    return np.zeros(room.size) if total <= 0 else change_mw * room / total


def _room_kw(columns: DerColumns, p_kw: FloatArray, change_mw: float) -> FloatArray:
    """Room of each DER in the direction of a change of import, shape (ders,). [kW]"""
    return np.maximum(p_kw - columns.floor_kw if change_mw > 0 else columns.top_kw - p_kw, 0.0)


def _trimmed(trial: _Trial, award_mw: float, feeders: Sequence[FeederOffer]) -> SetPoints:
    """Spread what is missed over all DERs with room, in proportion to it."""
    miss_mw = award_mw - trial.state.interface_mw
    shares = _shares_mw(miss_mw, trial, feeders)
    p_kw = []
    for offer, p, share in zip(feeders, trial.set_points.p_kw, shares, strict=True):
        room = _room_kw(offer.columns, p, miss_mw)
        part = min(abs(share) * KW_PER_MW / max(float(room.sum()), 1e-9), 1.0)
        p_kw.append(p - np.sign(miss_mw) * part * room)
    return SetPoints(p_kw=tuple(p_kw), q_kvar=trial.set_points.q_kvar)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Set-points moved by the fast loop."""

    p_kw: FloatArray
    """Injections, shape (ders,). [kW]"""
    change_kw: float
    """Their sum less the dispatch's. [kW]"""
    unmet_kw: float
    """What the DERs had no room for; positive = import stays above schedule. [kW]"""


def hold_interchange(
    dispatched_kw: FloatArray,
    columns: DerColumns,
    wanted_kw: float,
    price_usd_per_mwh: float,
    *,
    share_limit: float = HOLD_SHARE,
) -> Correction:
    """Set-points around a dispatch whose sum differs from it by what the meter has missed so far.

    The change is always taken from the dispatch itself, so that misses that cancel leave no trace, and it is
    spread over all DERs with room in proportion to it, each by at most ``share_limit`` of its range: the
    dispatch respects the network, and a change that is small at every node stays near it. A DER that stands
    below the dispatch price without running, or above it running, is held there by the network and is not
    touched.

    Parameters
    ----------
    dispatched_kw
        Set-points of the interval's dispatch, shape (ders,). [kW]
    columns
        Offers of the same DERs.
    wanted_kw
        Change of their sum that would put the interchange on its schedule. [kW]
    price_usd_per_mwh
        Price at which the set-points were dispatched. [$/MWh]
    share_limit
        Part of a DER's range by which it may be moved.
    """
    filled = columns.filled_kw(dispatched_kw)
    price = columns.price_usd_per_mwh
    if wanted_kw >= 0:
        free = np.where(price >= price_usd_per_mwh, columns.width_kw - filled, 0.0)
    else:
        free = np.where(price <= price_usd_per_mwh, filled, 0.0)
    room = np.bincount(columns.der, free, columns.ders_count)
    room = np.minimum(room, share_limit * (columns.top_kw - columns.floor_kw))
    total = float(room.sum())
    part = min(abs(wanted_kw) / total, 1.0) if total > 0 else 0.0
    moved_kw = float(np.copysign(part * total, wanted_kw))
    return Correction(
        p_kw=dispatched_kw + np.copysign(part * room, wanted_kw),
        change_kw=moved_kw,
        unmet_kw=wanted_kw - moved_kw,
    )
