"""M1: the DSO tells the ISO what is left when every DER of a market is taken out, and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.protocol import Grant, State
from federates.core.time import SimTime
from federates.dso.roles.fixed_quantity import FixedQuantity
from federates.dso.roles.seen import KW_PER_MW, seen_state, telemetry
from federates.scenario.lda import ExpectedLda
from federates.scenario.price_taking import PriceTaking


class InflexibleDemand(FixedQuantity):
    """Fixed demand, DERs outside any market, and the losses expected with the others at work.

    Day-ahead, DERs in a market are foreseen by their own models at the first price forecast of their bus, as
    under M0b and M4: losses of feeders whose DERs serve their own sites would be others.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.first_lmp = context.forward().lmp_usd_per_mwh[:, :, self.scenario.bus_place]
        """First price forecast of the bus, shape (days, 24). [$/MWh]"""
        self.foreseen = PriceTaking(self.scenario, np.arange(len(self.scenario.fleet)), counts_others=True)
        """All DERs as their owners would run them at the prices of the bus."""

    def real_time_kw(self, grant: Grant, interval: SimTime, expected: ExpectedLda) -> FloatArray:
        """The last injections, as far as the interval allows them."""
        del interval
        self.note_prices(grant)
        seen = telemetry(self.ports, grant, self.name).message
        return np.clip(seen.der_p_mw * KW_PER_MW, expected.least_kw, expected.available_kw)

    def day_ahead_kw(self, grant: Grant, day: int, hours: Sequence[ExpectedLda]) -> list[FloatArray]:
        """Injections in 24 hours, each of shape (ders,): by price in a market, else for the own site. [kW]"""
        self.note_prices(grant)
        got = grant.inbox.only(self.ports.telemetry)
        seen = None if got is None else seen_state(got.message)
        state = self.foreseen.state_at_midnight(day, grant.now, seen)
        directed = self.scenario.directed(grant.now)
        by_price = self.foreseen.day_kw(day, self.first_lmp[day], state, directed)
        alone = super().day_ahead_kw(grant, day, hours)
        return [np.where(directed, priced, own) for priced, own in zip(by_price, alone, strict=True)]

    def note_prices(self, grant: Grant) -> None:
        """Take the last day-ahead prices, which tell where today's DERs will stand at midnight."""
        got = grant.inbox.only(self.ports.day_ahead_awards)
        if got is not None:
            self.foreseen.note(got.message.interval_s, got.message.lmp_usd_per_mwh)

    def quantity_mw(self, drawn_mw: float, p_kw: FloatArray, now: SimTime) -> float:
        """What the interface draws without the injections of DERs that are in a market."""
        return drawn_mw + float(p_kw[self.scenario.directed(now)].sum()) / KW_PER_MW

    def save(self) -> State:
        """Day-ahead prices."""
        return {**super().save(), **self.foreseen.save()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        super().restore(state)
        self.foreseen.restore(state)
