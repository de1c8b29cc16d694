"""M0: the DSO tells the ISO the net demand that it expects, and does nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.curve import fixed_quantity
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence
from federates.dso.roles.seen import HOUR_S, KW_PER_MW, FixedQuantity, interface_bid, telemetry


class NetDemand(FixedQuantity):
    """Expects every DER to serve its own site."""

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """A bid before each gate, and one per day."""
        return {
            53: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }

    def day_ahead_bid(self, grant: Grant) -> Outbox:
        """Net demand of 24 hours."""
        day = self.clock.day_ahead_day(grant.now)
        assert day is not None
        expected = self.scenario.expected_day(day, self.clock.day_ahead_issue(day))
        soc = self.expected_soc_kwh(grant, day)
        curves = []
        for hour in expected:
            p_kw, soc = self.scenario.uncoordinated_kw(hour, soc, HOUR_S)
            curves.append(fixed_quantity(self.interface_mw(hour, 1.0, p_kw)))
        bid = interface_bid(curves, self.clock.midnight(day), HOUR_S, self.multiplicity)
        outbox = Outbox()
        outbox.put(self.ports.day_ahead_bids, bid)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """Net demand of the interval whose gate is next."""
        step = grant.now // self.clock.step_s * self.clock.step_s
        interval = self.clock.gated_interval(step)
        assert interval is not None
        seen = telemetry(self.ports, grant, self.name)
        self.twin.set_taps(seen.taps)
        expected = self.scenario.expected(interval, grant.now)
        p_kw, _ = self.scenario.uncoordinated_kw(expected, seen.soc_mwh * KW_PER_MW, self.clock.market_s)
        curve = fixed_quantity(self.interface_mw(expected, seen.head_v_pu, p_kw))
        outbox = Outbox()
        outbox.put(self.ports.bids, interface_bid([curve], interval, self.clock.market_s, self.multiplicity))
        return outbox

    def save(self) -> State:
        """Nothing is carried."""
        return {"schema": np.array([1.0])}

    def restore(self, state: State) -> None:
        """Nothing is carried."""
