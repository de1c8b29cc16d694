"""The bulk grid as a federate: actual loads and awards in, voltages and the state of the grid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, ComplexArray, FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError, NotConvergedError
from federates.core.messages import BoundaryPower, BoundaryVoltage, GridState, UnitDispatch
from federates.core.ports import TransmissionPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.tables import BRANCH, BUS, EVENT, INTERFACE, SYSTEM, UNIT
from federates.core.time import LAST_PASS_OFFSET_S, PASS_STRIDE_S, Cadence, SimTime
from federates.scenario.system import SystemScenario
from federates.transmission.carried import withdrawals_mva
from federates.transmission.metering import IntervalMeter
from federates.transmission.network import BulkNetwork, FlowSolution

FIRST_PASS_OFFSET_S = 5
RESIDUAL_BASE_MVA = 100.0
SCHEMA = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """One pass: the AC state, and what was asked and is carried at the LDAs' buses."""

    flow: FlowSolution
    v_pu: FloatArray
    angle_deg: FloatArray
    outside_mw: FloatArray
    load_mw: FloatArray
    load_mvar: FloatArray
    head_mva: ComplexArray
    carried_mva: ComplexArray


class Transmission:
    """Adapter between the federation and the AC model of the bulk grid."""

    def __init__(self, context: Context) -> None:
        self.ports = TransmissionPorts()
        self._study = context.study
        self._recorder = context.recorder
        self._clock = context.clock
        self._scenario = SystemScenario(context.study)
        self._case = self._scenario.case
        self._day = -1
        self._feeders = tuple(f"feeder_{lda.name}" for lda in context.study.ldas)
        self._lda_names = tuple(lda.name for lda in context.study.ldas)
        n_units = len(self._case.units.ids)
        self._set_point_mw = np.zeros(n_units)
        self._dc_flow_mw = np.zeros(len(self._case.dc_lines.ids))
        self._tripped = np.zeros(n_units, dtype=np.bool_)
        self._taken: SimTime | None = None
        self._meter = IntervalMeter(self._clock.step_s)
        self._published_pu: FloatArray = self._case.buses.v_start_pu[self._scenario.lda_bus]

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
        passes = (grant.now - step - FIRST_PASS_OFFSET_S) // PASS_STRIDE_S + 1
        if passes == 1:
            self._renew_engine(step)
            self._take_dispatch(grant, step)
        block = self._scenario.block(step)
        outside_mw = block.residual_mw[block.place(step)]
        state = self._solved(outside_mw, self._powers(grant))
        residual_v = float(np.abs(state.v_pu - self._published_pu).max())
        residual_s = float(np.abs(state.carried_mva - state.head_mva).max()) / RESIDUAL_BASE_MVA
        settled = passes > 1 and max(residual_v, residual_s) <= self._study.coupling.tolerance_pu
        last = grant.now - step + PASS_STRIDE_S > LAST_PASS_OFFSET_S
        self._published_pu = state.v_pu
        if last and not settled:
            self._miss(step, passes, residual_v, residual_s)
        outbox = Outbox(again=not (settled or last))
        for k, feeder in enumerate(self._feeders):
            v, angle = float(state.v_pu[k]), float(state.angle_deg[k])
            message = BoundaryVoltage(v_pu=v, angle_deg=angle, converged=settled or last)
            outbox.put(self.ports.voltage, message, to=feeder)
        if settled or last:
            flow = state.flow
            seen = GridState(
                unit_output_mw=flow.unit_mw,
                bus_load_mw=state.load_mw,
                losses_mw=flow.losses_mw,
                interchange_mw=state.carried_mva.real.copy(),
            )
            outbox.put(self.ports.grid_state, seen)
            if step >= 0:
                self._meter_step(outbox, step, state)
                self._record(step, state)
                system = (
                    state.load_mw.sum(), flow.losses_mw, flow.participation_mw.sum(), passes,
                    residual_v, residual_s, settled,
                )  # fmt: skip
                self._recorder.add(SYSTEM, step, ("system",), *([float(x)] for x in system))
        return outbox

    def _renew_engine(self, step: SimTime) -> None:
        """A new day starts on a new engine, so that a run continued there has the same numbers."""
        day = max(self._clock.day_of(step), 0)
        if day != self._day:
            self._day, self._taken = day, None
            self._network = BulkNetwork(self._case)

    def _take_dispatch(self, grant: Grant, step: SimTime) -> None:
        got = grant.inbox.only(self.ports.dispatch)
        if got is None:
            raise MissingInputError(f"transmission at {step} s: no dispatch from the ISO yet")
        dispatch = got.message
        if self._clock.is_market(step) and dispatch.interval_s != step:
            raise MissingInputError(
                f"transmission at {step} s: the ISO's dispatch is for {dispatch.interval_s} s"
            )
        tripped = self._scenario.tripped(step)
        self._set_point_mw = self._outputs(dispatch, step, tripped)
        if self._taken == got.sent_s and (tripped == self._tripped).all():
            self._network.follow(self._set_point_mw)
            return
        self._note_trips(step, tripped)
        self._taken, self._tripped = got.sent_s, tripped
        self._dc_flow_mw = dispatch.dc_flow_mw
        on = (dispatch.synchronised > 0.5) & ~tripped
        headroom = np.where(on, dispatch.headroom_mw, 0.0)
        self._network.begin_interval(on, self._set_point_mw, headroom, dispatch.dc_flow_mw)

    def _outputs(self, dispatch: UnitDispatch, step: SimTime, tripped: BoolArray) -> FloatArray:
        """What the units give before any participation: awards, or what sun, wind and water give. [MW]"""
        block = self._scenario.block(step)
        available = block.available_mw[block.place(step)]
        must_take = self._scenario.series("real_time", max(self._clock.day_of(step), 0)).must_take
        follows = must_take | (dispatch.uncurtailed > 0.5)
        asked = np.where(follows, available, np.minimum(dispatch.set_point_mw, available))
        output: FloatArray = np.where(tripped, 0.0, asked)
        return output

    def _note_trips(self, step: SimTime, tripped: BoolArray) -> None:
        for unit in np.flatnonzero(tripped != self._tripped):
            what = "unit tripped" if tripped[unit] else "unit is back"
            name = self._case.units.ids[unit]
            self._recorder.add(EVENT, step, (name,), [float(self._set_point_mw[unit])], text=[what])

    def _powers(self, grant: Grant) -> list[BoundaryPower]:
        new = grant.inbox.new(self.ports.power)
        missing = [f for f in self._feeders if f not in new]
        if missing:
            raise MissingInputError(f"transmission at {grant.now} s: no power from {', '.join(missing)}")
        return [new[f] for f in self._feeders]

    def _solved(self, outside_mw: FloatArray, powers: list[BoundaryPower]) -> _Solved:
        bus = self._scenario.lda_bus
        head_mva = np.array([p.p_mw.sum() + 1j * p.q_mvar.sum() for p in powers])
        outside_mva = outside_mw * (1.0 + 1j * self._scenario.mvar_per_mw)
        load_mva = outside_mva.copy()
        load_mva[bus] += head_mva
        flow = self._network.solve(load_mva.real.copy(), load_mva.imag.copy())
        carried = withdrawals_mva(self._case, flow, self._dc_flow_mw)[bus] - outside_mva[bus]
        return _Solved(
            flow=flow,
            v_pu=flow.v_pu[bus],
            angle_deg=flow.angle_deg[bus],
            outside_mw=outside_mw,
            load_mw=load_mva.real.copy(),
            load_mvar=load_mva.imag.copy(),
            head_mva=head_mva,
            carried_mva=carried,
        )

    def _meter_step(self, outbox: Outbox, step: SimTime, state: _Solved) -> None:
        self._meter.add(state.flow, self._set_point_mw, state.outside_mw, state.carried_mva.real)
        interval = self._clock.settled_interval(step)
        if interval is not None:
            outbox.put(self.ports.meters, self._meter.read(interval))

    def _miss(self, step: SimTime, passes: int, residual_v: float, residual_s: float) -> None:
        text = (
            f"the T-D fixed point at {step} s stands at {residual_v:.1e} pu and {residual_s:.1e} of 100 MVA "
            f"after {passes} passes; the tolerance is {self._study.coupling.tolerance_pu:.1e}"
        )
        if self._study.coupling.on_miss == "stop":
            raise NotConvergedError(f"transmission: {text}; loosen coupling.tolerance_pu or record misses")
        self._recorder.add(EVENT, step, ("transmission",), [residual_v], text=[text])

    def _record(self, step: SimTime, state: _Solved) -> None:
        carried = state.carried_mva
        self._recorder.add(
            INTERFACE, step, self._lda_names, carried.real, carried.imag, state.v_pu, state.angle_deg
        )
        if step % self._study.record.bulk_every_s:
            return
        case, flow = self._case, state.flow
        self._recorder.add(
            BUS, step, case.buses.ids, flow.v_pu, flow.angle_deg, state.load_mw, state.load_mvar
        )
        loading_pct = 100.0 * flow.loading
        self._recorder.add(
            BRANCH, step, case.branches.ids, flow.branch_from_mw, flow.branch_to_mw, loading_pct
        )
        self._recorder.add(UNIT, step, case.units.ids, self._set_point_mw, flow.unit_mw, flow.unit_mvar)

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
