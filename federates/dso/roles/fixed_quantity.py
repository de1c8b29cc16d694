"""A DSO that bids one quantity per interval: what all models but M5 have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.curve import fixed_quantity
from federates.core.ports import DsoPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.der.model import FleetState
from federates.distribution.linear import Coefficients
from federates.dso.dispatch import TwinState
from federates.dso.kept import KeptCoefficients
from federates.dso.observer import Observer
from federates.dso.roles.seen import (
    HOUR_S,
    KW_PER_MW,
    conditions,
    interface_bid,
    settle_idle,
    settled_lmp,
    state_before,
    telemetry,
)
from federates.dso.statements import AreaPrices, even_prices
from federates.dso.twin import Twin
from federates.scenario.lda import ExpectedLda, LdaScenario

SCHEMA = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What a DSO believes of one interval, and its twin solved there; arrays in fleet order."""

    expected: ExpectedLda
    """Forecast of demand, sun and customers."""
    p_kw: FloatArray
    """Injections, shape (ders,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections, shape (ders,). [kvar]"""
    solved: TwinState
    """The twin at these."""


class FixedQuantity(ABC):
    """A DSO that coordinates nobody and only tells the ISO one quantity per interval.

    What that quantity counts is the subclass's: `real_time_kw`, `day_ahead_kw` and `quantity_mw`.
    """

    def __init__(self, context: Context) -> None:
        self.ports = DsoPorts()
        self.name = context.name
        self.clock = context.clock
        self.scenario = LdaScenario(context.study, context.lda.name)
        self.multiplicity = context.lda.multiplicity
        self._day: int | None = None
        self.observer = Observer(self.scenario, context.recorder)

    def twin(self, now: SimTime) -> Twin:
        """The day's twin: new every midnight, so that a run continued there has the same numbers."""
        day = max(self.clock.day_of(now), 0)
        if day != self._day:
            self._day = day
            self._twin, self._kept = Twin(self.scenario), KeptCoefficients()
        return self._twin

    def expected_state(self, grant: Grant, day: int) -> FleetState:
        """State expected of the DERs when a day begins."""
        return state_before(self.ports, grant, day, self.scenario)

    @abstractmethod
    def real_time_kw(self, grant: Grant, interval: SimTime, expected: ExpectedLda) -> FloatArray:
        """Injections expected of the DERs in a real-time interval, shape (ders,). [kW]"""

    def day_ahead_kw(self, grant: Grant, day: int, hours: Sequence[ExpectedLda]) -> list[FloatArray]:
        """Injections in 24 hours, each of shape (ders,): every DER is expected to serve its own site. [kW]"""
        state = self.expected_state(grant, day)
        expected = []
        for hour in hours:
            p_kw, state = self.scenario.uncoordinated_kw(hour, state)
            expected.append(p_kw)
        return expected

    @abstractmethod
    def quantity_mw(self, drawn_mw: float, p_kw: FloatArray, now: SimTime) -> float:
        """What is bid at ``now`` where the twin draws ``drawn_mw`` [MW], the DERs at ``p_kw`` [kW]. [MW]"""

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """A bid before each gate, and one per day."""
        return {
            53: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }

    def day_ahead_bid(self, grant: Grant) -> Outbox:
        """Quantities of 24 hours."""
        return self.day_ahead_bid_of(grant, *self.believed_day(grant))

    def believed_day(self, grant: Grant) -> tuple[int, list[Believed]]:
        """The market day that is next, hour by hour, regulators as they would stand in its first hour."""
        day = self.clock.day_ahead_day(grant.now)
        assert day is not None
        twin = self.twin(grant.now)
        hours = self.scenario.expected_day(day, self.clock.day_ahead_issue(day))
        injections = self.day_ahead_kw(grant, day, hours)
        settle_idle(twin, self.scenario, hours[0], self.expected_state(grant, day))
        return day, [
            _believed(twin, hour, 1.0, p_kw, np.zeros(p_kw.size))
            for hour, p_kw in zip(hours, injections, strict=True)
        ]

    def day_ahead_bid_of(self, grant: Grant, day: int, hours: Sequence[Believed]) -> Outbox:
        """Bid for a day of which so much is believed."""
        curves = [
            fixed_quantity(self.quantity_mw(hour.solved.interface_mw, hour.p_kw, grant.now)) for hour in hours
        ]
        outbox = Outbox()
        bid = interface_bid(curves, self.clock.midnight(day), HOUR_S, self.multiplicity)
        outbox.put(self.ports.day_ahead_bids, bid)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """Quantity of the interval whose gate is next."""
        return self.bid_of(grant, *self.believed(grant))

    def believed(self, grant: Grant) -> tuple[SimTime, Believed]:
        """The interval whose gate is next."""
        step = grant.now // self.clock.step_s * self.clock.step_s
        interval = self.clock.gated_interval(step)
        assert interval is not None
        received = telemetry(self.ports, grant, self.name)
        seen, twin = received.message, self.twin(step)
        expected = self.observer.expected(interval, grant.now, received, twin)
        p_kw = self.real_time_kw(grant, interval, expected)
        q_kvar = seen.der_q_mvar * KW_PER_MW
        kept = self._kept.at(interval, seen.taps)
        believed = _believed(twin, expected, seen.head_v_pu, p_kw, q_kvar, kept)
        if kept is None:
            self._kept.keep(interval, seen.taps, believed.solved.points)
        return interval, believed

    def bid_of(self, grant: Grant, interval: SimTime, believed: Believed) -> Outbox:
        """Bid for an interval of which so much is believed."""
        drawn_mw = believed.solved.interface_mw
        curve = fixed_quantity(self.quantity_mw(drawn_mw, believed.p_kw, grant.now))
        outbox = Outbox()
        outbox.put(self.ports.bids, interface_bid([curve], interval, self.clock.market_s, self.multiplicity))
        return outbox

    def prices(self, grant: Grant, interval: SimTime) -> AreaPrices:
        """The LMP of the LDA's bus, for everybody."""
        lmp = settled_lmp(self.ports, grant, (self.scenario.study, self.name), interval)
        return even_prices(lmp, len(self.scenario.fleet), self.scenario.peak_kw.size)

    def save(self) -> State:
        """Nothing is carried."""
        return {"schema": np.array([SCHEMA])}

    def restore(self, state: State) -> None:
        """Nothing is carried but the schema's number."""
        assert state["schema"].tolist() == [SCHEMA]


def _believed(
    twin: Twin,
    expected: ExpectedLda,
    v_pu: float,
    p_kw: FloatArray,
    q_kvar: FloatArray,
    coefficients: tuple[Coefficients, ...] | None = None,
) -> Believed:
    twin.set_conditions(conditions(expected, v_pu))
    solved = twin.solve(p_kw, q_kvar, coefficients)
    return Believed(expected=expected, p_kw=p_kw, q_kvar=q_kvar, solved=solved)
