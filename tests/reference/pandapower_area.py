"""A balanced area whose plant is a pandapower network: what OpenDSS adds of its own is then not there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandapower

from federates.core.context import Context
from federates.core.messages import BoundaryPower, DerState, Telemetry
from federates.core.ports import FeederPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import LAST_PASS_OFFSET_S, Cadence
from federates.feeder.federate import FIRST_PASS_OFFSET_S
from federates.scenario.lda import LdaScenario
from federates.scenario.meters import Meters
from tests.reference.balanced_area import AREAS, BULK_KV, LOADS, TAP_STEP_PCT, Demand, add_area, solve

TAP = 9
"""Where the substation's tap changer stands, at all times."""


class PandapowerFeeder:
    """Physical area in the seat of the product's own."""

    def __init__(self, context: Context) -> None:
        self.ports = FeederPorts()
        self._area = next(a for a in AREAS if a.name == context.lda.name)
        self._scenario = LdaScenario(context.study, context.lda.name)
        self._clock = context.clock
        self._owners = context.receivers("der_state")
        self._v_pu = 1.0
        self._s_mva = 0j
        self._net = pandapower.create_empty_network(sn_mva=1.0, f_hz=60.0)
        bus = pandapower.create_bus(self._net, vn_kv=BULK_KV)
        pandapower.create_ext_grid(self._net, bus)
        n_loads = len(LOADS) * self._area.feeders_count
        nothing = Demand(p_kw=np.zeros(n_loads), q_kvar=np.zeros(n_loads))
        add_area(self._net, int(bus), self._area.feeders_count, nothing, TAP)

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """As the product's own."""
        return {FIRST_PASS_OFFSET_S: Phase(Cadence.STEP, self.solve_pass, LAST_PASS_OFFSET_S + 1)}

    def start(self) -> Outbox:
        """Nothing is solved yet."""
        return Outbox()

    def solve_pass(self, grant: Grant) -> Outbox:
        """Solve at the latest voltage, or accept."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        got = grant.inbox.only(self.ports.voltage)
        assert got is not None
        if grant.now - step != FIRST_PASS_OFFSET_S and got.message.converged:
            return self._accepted(step)
        self._v_pu = got.message.v_pu
        actual = self._scenario.actual(step)
        net = self._net
        net.ext_grid["vm_pu"], net.ext_grid["va_degree"] = self._v_pu, got.message.angle_deg
        net.load["p_mw"], net.load["q_mvar"] = actual.demand_kw / 1e3, actual.demand_kvar / 1e3
        solve(net)
        self._s_mva = complex(net.res_ext_grid.p_mw[0], net.res_ext_grid.q_mvar[0])
        phase_mva = np.full(3, self._s_mva * self._area.multiplicity / 3.0)
        outbox = Outbox(again=True)
        outbox.put(self.ports.power, BoundaryPower(p_mw=phase_mva.real.copy(), q_mvar=phase_mva.imag.copy()))
        return outbox

    def _accepted(self, step: int) -> Outbox:
        nothing = np.zeros(0)
        loads = Meters(self._scenario).loads_kva(step) / 1e3
        feeders = self._area.feeders_count
        telemetry = Telemetry(
            head_p_mw=self._s_mva.real,
            head_q_mvar=self._s_mva.imag,
            head_v_pu=self._v_pu,
            feeder_p_mw=np.full(feeders, self._s_mva.real / feeders),
            feeder_q_mvar=np.full(feeders, self._s_mva.imag / feeders),
            taps=np.array([float(TAP)]),
            der_p_mw=nothing,
            der_q_mvar=nothing,
            soc_mwh=nothing,
            load_p_mw=loads.real.copy(),
            load_q_mvar=loads.imag.copy(),
        )
        outbox = Outbox()
        outbox.put(self.ports.telemetry, telemetry)
        for owner in self._owners:
            outbox.put(
                self.ports.der_state, DerState(p_mw=nothing, soc_mwh=nothing, site_mw=nothing), to=owner
            )
        return outbox

    def save(self) -> State:
        """The tap alone."""
        return {"plant_tap_pu": np.array([1.0 + TAP * TAP_STEP_PCT / 100.0])}

    def restore(self, state: State) -> None:
        """There is nothing to take up."""

    def finish(self) -> None:
        """Nothing is left to do."""


def build(context: Context) -> PandapowerFeeder:
    """Area of a context."""
    return PandapowerFeeder(context)
