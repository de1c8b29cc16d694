"""The total DSO's own work, apart from messages: bids from offers, set-points from awards.

All quantities here are of one simulated set; the federate multiplies at the interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.time import SimTime
from federates.distribution.linear import Coefficients
from federates.dso.bid import BLOCKS_LIMIT, FeederBidder, LdaCurve, lda_curve, price_ladder
from federates.dso.case import FeederLimits
from federates.dso.columns import DerColumns
from federates.dso.dispatch import (
    Correction,
    Dispatch,
    FeederOffer,
    LimitKind,
    TwinState,
    dispatch,
    hold_interchange,
)
from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import LdaScenario

COEFFICIENTS_KEPT_S = 3_600
TAPS_KEPT = 2
V_MIN_PU, V_MAX_PU = 0.95, 1.05
"""Range A of ANSI C84.1 at the loads."""
VOLTAGE_MARGIN_PU = 0.002
LOADING_SHARE = 0.98
"""Room kept inside the limits for what forecasts and the map miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """All DERs' offers of one interval, in fleet order of the area."""

    floor_kw: FloatArray
    """Shape (ders,). [kW]"""
    der: IntArray
    """Shape (blocks,), ascending."""
    width_kw: FloatArray
    """Shape (blocks,). [kW]"""
    price_usd_per_mwh: FloatArray
    """Not falling along a DER, shape (blocks,). [$/MWh]"""

    def columns(self, base_kw: FloatArray, q_kvar: FloatArray) -> DerColumns:
        """Offers as the program takes them, reactive power held at what is believed of it; limits are relaxed
        to the state at ``base_kw``.
        """
        return DerColumns(
            der=self.der,
            width_kw=self.width_kw,
            price_usd_per_mwh=self.price_usd_per_mwh,
            floor_kw=self.floor_kw,
            base_kw=base_kw,
            q_kvar=q_kvar,
            q_limit_kvar=np.zeros_like(q_kvar),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BidInputs:
    """All that a bid is made from; the same inputs on a new engine give the same bid."""

    interval_s: SimTime
    """Beginning of the interval. [s]"""
    conditions: Conditions
    """What is believed of the interval."""
    taps: FloatArray
    """Tap position of every regulated winding, in circuit order."""
    offers: Offers
    """Of all DERs."""
    expected_kw: FloatArray
    """Injections around which the feeders are linearised, shape (ders,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections believed, shape (ders,). [kvar]"""
    price_usd_per_mwh: float
    """Price expected at the bus. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBid:
    """A bid with all that its award's dispatch needs."""

    interval_s: SimTime
    curve: LdaCurve
    feeders: tuple[FeederOffer, ...]
    columns: DerColumns
    conditions: Conditions
    state: TwinState


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCounts:
    """Limits that bind at a dispatch, per feeder, shape (feeders,)."""

    voltage: IntArray
    thermal: IntArray
    head: IntArray


class TotalDso:
    """Bids and dispatch of one area."""

    def __init__(self, scenario: LdaScenario, *, blocks_limit: int = BLOCKS_LIMIT) -> None:
        self._scenario = scenario
        self._blocks_limit = blocks_limit
        self.twin = Twin(scenario)
        names = [f"{scenario.name}/{name}" for name in scenario.feeder_names]
        self._bidders = [FeederBidder(m, name) for m, name in zip(self.twin.maps, names, strict=True)]
        self._coefficients: tuple[Coefficients, ...] | None = None
        self._coefficients_at: SimTime = 0
        self._coefficients_taps: FloatArray = np.zeros(0)

    def bid(self, inputs: BidInputs, *, keep_coefficients: bool) -> PreparedBid:
        """The area's curve for one interval.

        ``keep_coefficients``: whether the last interval's linear map may serve again with new right-hand
        sides, within the hour and while taps hardly move.
        """
        interval_s, conditions = inputs.interval_s, inputs.conditions
        columns = inputs.offers.columns(self._scenario.base_kw(inputs.offers.floor_kw), inputs.q_kvar)
        expected = np.clip(inputs.expected_kw, columns.floor_kw, columns.top_kw)
        self.twin.set_taps(inputs.taps)
        self.twin.set_conditions(conditions)
        kept = self._kept(interval_s) if keep_coefficients else None
        state = self.twin.solve(expected, inputs.q_kvar, kept)
        if kept is None and keep_coefficients:
            self._coefficients = tuple(point.coefficients for point in state.points)
            self._coefficients_at = interval_s
            self._coefficients_taps = self.twin.circuit.taps()
        ladder = price_ladder(inputs.price_usd_per_mwh)
        feeders = self._feeder_offers(columns, state)
        curves = []
        for bidder, point, offer in zip(self._bidders, state.points, feeders, strict=True):
            bidder.refresh(point, offer.columns, offer.limits)
            curves.append(bidder.sweep(ladder.price_usd_per_mwh))
        curve = lda_curve(
            curves,
            constant_mw=self.twin.constant_mw(state),
            import_limit_mw=self._scenario.substation_mva,
            export_limit_mw=self._scenario.substation_mva,
            window_usd_per_mwh=ladder.window_usd_per_mwh,
            blocks_limit=self._blocks_limit,
        )
        return PreparedBid(
            interval_s=interval_s,
            curve=curve,
            feeders=feeders,
            columns=columns,
            conditions=conditions,
            state=state,
        )

    def dispatch(self, prepared: PreparedBid, award_mw: float) -> Dispatch:
        """Set-points for an award of one simulated set."""
        self.twin.set_conditions(prepared.conditions)

        def solve(p_kw: Sequence[FloatArray], q_kvar: Sequence[FloatArray]) -> TwinState:
            return self.twin.solve(self.twin.joined(p_kw), self.twin.joined(q_kvar))

        return dispatch(award_mw, prepared.curve, prepared.feeders, solve)

    def bound(self, prepared: PreparedBid, done: Dispatch) -> BoundCounts:
        """Limits that bind at a dispatch."""
        n = len(self.twin.maps)
        voltage, thermal, head = (np.zeros(n, dtype=np.int64) for _ in range(3))
        for limit in done.limits:
            (thermal if limit.kind is LimitKind.THERMAL else voltage)[limit.feeder] += 1
        drawn = self.twin.circuit.feeder_power_kva().sum(axis=1).real / 1_000.0
        for place, offer in enumerate(prepared.feeders):
            tolerance = 1e-3 * max(abs(float(drawn[place])), 1.0)
            at_import = drawn[place] >= offer.limits.import_mw - tolerance
            at_export = -drawn[place] >= offer.limits.export_mw - tolerance
            head[place] = int(at_import or at_export)
        return BoundCounts(voltage=voltage, thermal=thermal, head=head)

    def hold(
        self, prepared: PreparedBid, dispatched_kw: FloatArray, wanted_kw: float, price_usd_per_mwh: float
    ) -> Correction:
        """Set-points around a dispatch whose sum differs from it by ``wanted_kw``, if there is room."""
        return hold_interchange(dispatched_kw, prepared.columns, wanted_kw, price_usd_per_mwh)

    def _feeder_offers(self, columns: DerColumns, state: TwinState) -> tuple[FeederOffer, ...]:
        offers = []
        for place, (m, point) in enumerate(zip(self.twin.maps, state.points, strict=True)):
            mine = self.twin.feeder_of_der == place
            limits = self._scenario.limits[place]
            q_mvar = point.q_head_kvar / 1_000.0
            offers.append(
                FeederOffer(
                    map=m,
                    columns=_taken(columns, mine),
                    limits=FeederLimits(
                        v_min_pu=V_MIN_PU + VOLTAGE_MARGIN_PU,
                        v_max_pu=V_MAX_PU - VOLTAGE_MARGIN_PU,
                        import_mw=_active_limit(LOADING_SHARE * limits.import_kva / 1_000.0, q_mvar),
                        export_mw=_active_limit(LOADING_SHARE * limits.export_kva / 1_000.0, q_mvar),
                        loading_pu=LOADING_SHARE,
                    ),
                    name=f"{self._scenario.name}/{self._scenario.feeder_names[place]}",
                )
            )
        return tuple(offers)

    def _kept(self, interval_s: SimTime) -> tuple[Coefficients, ...] | None:
        taps = self.twin.circuit.taps()
        if self._coefficients is None or interval_s // COEFFICIENTS_KEPT_S != (
            self._coefficients_at // COEFFICIENTS_KEPT_S
        ):
            return None
        if (
            taps.size != self._coefficients_taps.size
            or np.abs(taps - self._coefficients_taps).max(initial=0.0) > TAPS_KEPT
        ):
            return None
        return self._coefficients


def _active_limit(limit_mva: float, q_mvar: float) -> float:
    """Active power left under an apparent-power limit at the expected reactive power. [MW]"""
    return float(np.sqrt(max(limit_mva**2 - q_mvar**2, 0.0)))


def _taken(columns: DerColumns, mine: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> DerColumns:
    """Offers of some DERs, renumbered."""
    place = np.cumsum(mine) - 1
    blocks = mine[columns.der]
    return DerColumns(
        der=place[columns.der[blocks]],
        width_kw=columns.width_kw[blocks],
        price_usd_per_mwh=columns.price_usd_per_mwh[blocks],
        floor_kw=columns.floor_kw[mine],
        base_kw=columns.base_kw[mine],
        q_kvar=columns.q_kvar[mine],
        q_limit_kvar=columns.q_limit_kvar[mine],
    )
