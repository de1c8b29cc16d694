"""M0: every DER serves its own site; the sun is taken whole and demand runs as it comes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.context import Context
from federates.core.messages import DerState, SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.der.model import FleetState
from federates.scenario.lda import LdaScenario

KW_PER_MW = 1_000.0


class SelfConsumption:
    """Set-points from what each site draws."""

    def __init__(self, context: Context) -> None:
        self.ports = AggregatorPorts()
        self._scenario = LdaScenario(context.study, context.lda.name)
        self._mine = self._scenario.portfolio(context.owner)
        self._clock = context.clock

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Set-points every physical step."""
        return {2: Phase(Cadence.STEP, self.act)}

    def act(self, grant: Grant) -> Outbox:
        """What each DER would do by itself, after what its site drew in the last step."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        outbox = Outbox()
        for state in grant.inbox.new(self.ports.der_state).values():
            outbox.put(self.ports.set_points, self._set_points(step, state))
        return outbox

    def _set_points(self, step: SimTime, seen: DerState) -> SetPoints:
        n = len(self._scenario.fleet)
        energy, p, site = np.zeros(n), np.zeros(n), np.zeros(n)
        energy[self._mine], p[self._mine] = seen.soc_mwh * KW_PER_MW, seen.p_mw * KW_PER_MW
        site[self._mine] = seen.site_mw * KW_PER_MW
        wanted = self._scenario.wanted_kw(step, FleetState(energy_kwh=energy, p_kw=p), site)[self._mine]
        return SetPoints(p_mw=wanted / KW_PER_MW, q_mvar=np.zeros(self._mine.size))

    def save(self) -> State:
        """Nothing is carried."""
        return {"schema": np.array([1.0])}

    def restore(self, state: State) -> None:
        """Nothing is carried."""
