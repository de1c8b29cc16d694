"""M0b: the DSO passes day-ahead prices on, foresees the answer, and tells the ISO the net demand of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.dso.roles.net_quantity import NetQuantity
from federates.dso.roles.seen import seen_state, telemetry
from federates.scenario.lda import ExpectedLda
from federates.scenario.price_taking import PriceTaking


class ReactiveDemand(NetQuantity):
    """Expects every DER to answer the price of its bus, as the DER itself would from the same state.

    Day-ahead prices are not known when the day-ahead quantity is due: the first price forecast stands for
    them.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        every = np.arange(len(self.scenario.fleet))
        self._ders = PriceTaking(self.scenario, every, counts_others=True)
        self._first_lmp = context.forward().lmp_usd_per_mwh[:, :, self.scenario.bus_place]

    def day_ahead_kw(self, grant: Grant, day: int, hours: Sequence[ExpectedLda]) -> list[FloatArray]:
        """What the prices first expected would bring, each of shape (ders,). [kW]"""
        del hours
        got = grant.inbox.only(self.ports.telemetry)
        seen = None if got is None else seen_state(got.message)
        state = self._ders.state_at_midnight(day, grant.now, seen)
        return self._ders.day_kw(day, self._first_lmp[day], state, self._ders.directed(grant.now))

    def real_time_kw(self, grant: Grant, interval: SimTime, expected: ExpectedLda) -> FloatArray:
        """What the price of the interval brings from what is stored now."""
        del expected
        seen = telemetry(self.ports, grant, self.name).message
        step = grant.now // self.clock.step_s * self.clock.step_s
        state = self._ders.later(seen_state(seen), step + self.clock.step_s, interval, grant.now)
        alone = np.zeros(len(self.scenario.fleet))
        outlook, path = self._ders.interval(interval, grant.now, state, alone)
        return self._ders.portfolio.at_price_kw(outlook, float(path.price_usd_per_mwh[0]))

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Prices passed on as soon as they are known, and the bids."""
        return {1: Phase(Cadence.STEP, self.pass_on), **super().phases}

    def pass_on(self, grant: Grant) -> Outbox:
        """New day-ahead prices, to the DERs."""
        outbox = Outbox()
        for award in grant.inbox.new(self.ports.day_ahead_awards).values():
            self._ders.note(award.interval_s, award.lmp_usd_per_mwh)
            outbox.put(self.ports.prices, award)
        return outbox

    def save(self) -> State:
        """Day-ahead prices."""
        return {**super().save(), **self._ders.save()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        super().restore(state)
        self._ders.restore(state)
