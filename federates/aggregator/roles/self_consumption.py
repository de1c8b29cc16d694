"""M0: every battery serves its own site; the sun is taken whole and flexible loads run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.context import Context
from federates.core.messages import DerState, SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence
from federates.scenario.lda import LdaScenario

KW_PER_MW = 1_000.0


class SelfConsumption:
    """Set-points from what each site draws."""

    def __init__(self, context: Context) -> None:
        self.ports = AggregatorPorts()
        scenario = LdaScenario(context.study, context.lda.name)
        mine = scenario.portfolio(context.owner)
        self._passive_mw = scenario.initial_set_point_kw()[mine] / KW_PER_MW
        self._power_mw = scenario.fleet.power_kw[mine] / KW_PER_MW
        self._is_battery = scenario.fleet.of_kind("battery")[mine]

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Set-points every physical step."""
        return {2: Phase(Cadence.STEP, self.act)}

    def act(self, grant: Grant) -> Outbox:
        """Batteries cover what their sites drew in the last step."""
        outbox = Outbox()
        for state in grant.inbox.new(self.ports.der_state).values():
            outbox.put(self.ports.set_points, self._set_points(state))
        return outbox

    def _set_points(self, state: DerState) -> SetPoints:
        served = np.clip(state.site_mw, -self._power_mw, self._power_mw)
        p = np.where(self._is_battery, served, self._passive_mw)
        return SetPoints(p_mw=p, q_mvar=np.zeros_like(p))

    def save(self) -> State:
        """Nothing is carried."""
        return {"schema": np.array([1.0])}

    def restore(self, state: State) -> None:
        """Nothing is carried."""
