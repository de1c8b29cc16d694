"""M0b: every DER answers the day-ahead price of its bus by itself; nobody offers and nobody awards."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.aggregator.roles.seen import KW_PER_MW, prices_of, reported, state_at
from federates.core.context import Context
from federates.core.messages import SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence
from federates.scenario.lda import LdaScenario
from federates.scenario.price_taking import PriceTaking


class PriceReactive:
    """Set-points from the price of the hour: all that costs less than it, stored energy at its worth."""

    def __init__(self, context: Context) -> None:
        self.ports = AggregatorPorts()
        self.name = context.name
        self._clock = context.clock
        scenario = LdaScenario(context.study, context.lda.name)
        self._ders = PriceTaking(scenario, scenario.portfolio(context.owner), counts_others=True)

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Prices noted as they come, and set-points of every market interval."""
        return {2: Phase(Cadence.STEP, self.act)}

    def act(self, grant: Grant) -> Outbox:
        """What the DERs do in the interval that begins now, by what the step before let expect of it."""
        for begin, lmp in prices_of(self.ports, grant):
            self._ders.note(begin, lmp)
        step = grant.now // self._clock.step_s * self._clock.step_s
        outbox = Outbox()
        if not self._clock.is_market(step):
            return outbox
        seen = state_at(self.ports, grant, self.name)
        issue = step - self._clock.step_s
        outlook, path = self._ders.interval(step, issue, reported(seen), seen.site_mw * KW_PER_MW)
        p_kw = self._ders.portfolio.at_price_kw(outlook, float(path.price_usd_per_mwh[0]))
        outbox.put(self.ports.set_points, SetPoints(p_mw=p_kw / KW_PER_MW, q_mvar=np.zeros_like(p_kw)))
        return outbox

    def save(self) -> State:
        """Day-ahead prices."""
        return {"schema": np.array([1.0]), **self._ders.save()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._ders.restore(state)
