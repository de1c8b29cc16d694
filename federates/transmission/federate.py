"""The bulk grid as a federate: actual loads and awards in, voltages and the state of the grid out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError, NotConvergedError
from federates.core.messages import BoundaryPower, BoundaryVoltage, GridState, UnitDispatch
from federates.core.ports import TransmissionPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.tables import BRANCH, BUS, EVENT, INTERFACE, SYSTEM, UNIT
from federates.core.time import LAST_PASS_OFFSET_S, Cadence, SimTime
from federates.scenario.system import SystemScenario
from federates.transmission.network import BulkNetwork, FlowSolution

FIRST_PASS_OFFSET_S = 5
RESIDUAL_BASE_MVA = 100.0
SCHEMA = 1.0


class Transmission:
    """Adapter between the federation and the AC model of the bulk grid."""

    def __init__(self, context: Context) -> None:
        self.ports = TransmissionPorts()
        self._study = context.study
        self._recorder = context.recorder
        self._clock = context.clock
        self._scenario = SystemScenario(context.study)
        self._case = self._scenario.case
        self._network = BulkNetwork(self._case)
        self._feeders = tuple(f"feeder_{lda.name}" for lda in context.study.ldas)
        self._lda_names = tuple(lda.name for lda in context.study.ldas)
        n_units = len(self._case.units.ids)
        self._dispatch: UnitDispatch | None = None
        self._dispatch_is_new = False
        self._set_point_mw = np.zeros(n_units)
        self._published_pu = self._case.buses.v_start_pu[self._scenario.lda_bus]
        self._pass = 0

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """One pass every two seconds until the fixed point is reached."""
        return {FIRST_PASS_OFFSET_S: Phase(Cadence.STEP, self.solve_pass, LAST_PASS_OFFSET_S)}

    def start(self) -> Outbox:
        """Voltages of the base case, from which the feeders start."""
        outbox = Outbox()
        for feeder, v in zip(self._feeders, self._published_pu, strict=True):
            message = BoundaryVoltage(v_pu=float(v), angle_deg=0.0, converged=False)
            outbox.put(self.ports.voltage, message, to=feeder)
        return outbox

    def solve_pass(self, grant: Grant) -> Outbox:
        """Solve the grid at the feeders' latest power and say whether the step is settled."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        self._pass = (grant.now - step - FIRST_PASS_OFFSET_S) // 2 + 1
        if self._pass == 1:
            self._take_dispatch(grant, step)
        powers = self._powers(grant, step)
        load_mw, load_mvar = self._loads(step, powers)
        solution = self._network.solve(load_mw, load_mvar)
        v = solution.v_pu[self._scenario.lda_bus]
        residual_v = float(np.abs(v - self._published_pu).max())
        residual_s = self._power_residual(powers, load_mw, load_mvar, step)
        settled = self._pass > 1 and max(residual_v, residual_s) <= self._study.coupling.tolerance_pu
        self._published_pu = v
        last = grant.now - step >= LAST_PASS_OFFSET_S
        if last and not settled:
            self._miss(step, residual_v, residual_s)
        outbox = Outbox(again=not (settled or last))
        angle = solution.angle_deg[self._scenario.lda_bus]
        for k, feeder in enumerate(self._feeders):
            message = BoundaryVoltage(v_pu=float(v[k]), angle_deg=float(angle[k]), converged=settled or last)
            outbox.put(self.ports.voltage, message, to=feeder)
        if settled or last:
            self._accept(outbox, step, solution, load_mw, load_mvar)
            if step >= 0:
                self._record(step, solution, powers, load_mw, load_mvar)
                self._record_system(step, solution, load_mw, residual_v, residual_s, accepted=settled)
        return outbox

    def _take_dispatch(self, grant: Grant, step: SimTime) -> None:
        got = grant.inbox.only(self.ports.dispatch)
        if got is None:
            raise MissingInputError(f"transmission at {step} s: no dispatch from the ISO yet")
        if got.message is not self._dispatch:
            self._dispatch = got.message
            self._dispatch_is_new = True
        if self._clock.is_market(step) and got.message.interval_s != step:
            raise MissingInputError(
                f"transmission at {step} s: the ISO's dispatch is for {got.message.interval_s} s"
            )
        tripped = self._scenario.tripped(step)
        available = self._available(step)
        dispatch = self._dispatch
        assert dispatch is not None
        on = (dispatch.committed > 0.5) & ~tripped
        must_take = self._scenario.series("real_time", max(self._clock.day_of(step), 0)).must_take
        set_point = np.where(must_take, available, np.minimum(dispatch.set_point_mw, available))
        set_point = np.where(on, set_point, 0.0)
        headroom = np.where(on, dispatch.headroom_mw, 0.0)
        self._set_point_mw = set_point
        self._network.begin_interval(on, set_point, headroom, dispatch.dc_flow_mw)

    def _available(self, step: SimTime) -> FloatArray:
        block = self._scenario.block(step)
        available: FloatArray = block.available_mw[block.place(step)]
        return available

    def _powers(self, grant: Grant, step: SimTime) -> list[BoundaryPower]:
        new = grant.inbox.new(self.ports.power)
        missing = [f for f in self._feeders if f not in new]
        if missing:
            raise MissingInputError(f"transmission at {grant.now} s: no power from {', '.join(missing)}")
        return [new[f] for f in self._feeders]

    def _loads(self, step: SimTime, powers: list[BoundaryPower]) -> tuple[FloatArray, FloatArray]:
        block = self._scenario.block(step)
        load_mw = block.residual_mw[block.place(step)].copy()
        load_mvar = load_mw * self._scenario.mvar_per_mw
        for bus, power in zip(self._scenario.lda_bus, powers, strict=True):
            load_mw[bus] += power.p_mw.sum()
            load_mvar[bus] += power.q_mvar.sum()
        return load_mw, load_mvar

    def _power_residual(
        self, powers: list[BoundaryPower], load_mw: FloatArray, load_mvar: FloatArray, step: SimTime
    ) -> float:
        block = self._scenario.block(step)
        outside_mw = block.residual_mw[block.place(step)]
        bus = self._scenario.lda_bus
        carried = (load_mw - outside_mw)[bus] + 1j * (load_mvar - outside_mw * self._scenario.mvar_per_mw)[bus]
        head = np.array([p.p_mw.sum() + 1j * p.q_mvar.sum() for p in powers])
        return float(np.abs(carried - head).max()) / RESIDUAL_BASE_MVA

    def _miss(self, step: SimTime, residual_v: float, residual_s: float) -> None:
        text = (
            f"the T-D fixed point at {step} s stands at {residual_v:.1e} pu and {residual_s:.1e} of 100 MVA "
            f"after {self._pass} passes; the tolerance is {self._study.coupling.tolerance_pu:.1e}"
        )
        if self._study.coupling.on_miss == "stop":
            raise NotConvergedError(f"transmission: {text}; loosen coupling.tolerance or record misses")
        self._recorder.add(EVENT, step, ("transmission",), [residual_v], text=[text])

    def _accept(
        self,
        outbox: Outbox,
        step: SimTime,
        solution: FlowSolution,
        load_mw: FloatArray,
        load_mvar: FloatArray,
    ) -> None:
        state = GridState(
            unit_output_mw=solution.unit_mw, bus_load_mw=load_mw, losses_mw=solution.losses_mw
        )
        outbox.put(self.ports.grid_state, state)

    def _record(
        self,
        step: SimTime,
        solution: FlowSolution,
        powers: list[BoundaryPower],
        load_mw: FloatArray,
        load_mvar: FloatArray,
    ) -> None:
        bus = self._scenario.lda_bus
        p = [float(power.p_mw.sum()) for power in powers]
        q = [float(power.q_mvar.sum()) for power in powers]
        v, angle = solution.v_pu[bus], solution.angle_deg[bus]
        self._recorder.add(INTERFACE, step, self._lda_names, p, q, v, angle)
        if step % self._study.record.bulk_every_s:
            return
        case = self._case
        self._recorder.add(BUS, step, case.buses.ids, solution.v_pu, solution.angle_deg, load_mw, load_mvar)
        loading = 100.0 * solution.loading
        self._recorder.add(
            BRANCH, step, case.branches.ids, solution.branch_from_mw, solution.branch_to_mw, loading
        )
        self._recorder.add(
            UNIT, step, case.units.ids, self._set_point_mw, solution.unit_mw, solution.unit_mvar
        )

    def _record_system(
        self,
        step: SimTime,
        solution: FlowSolution,
        load_mw: FloatArray,
        residual_v: float,
        residual_s: float,
        *,
        accepted: bool,
    ) -> None:
        row = (
            load_mw.sum(),
            solution.losses_mw,
            solution.participation_mw.sum(),
            self._pass,
            residual_v,
            residual_s,
            accepted,
        )
        self._recorder.add(SYSTEM, step, ("system",), *([float(x)] for x in row))

    def save(self) -> State:
        """Voltages published last; the grid itself has no memory."""
        return {"schema": np.array([SCHEMA]), "published_pu": self._published_pu}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._published_pu = state["published_pu"]

    def finish(self) -> None:
        """Nothing is left to do."""


def build(context: Context) -> Transmission:
    """Transmission federate of a study."""
    return Transmission(context)
