"""The physical LDA as a federate: voltage and set-points in, power and meters out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.messages import BoundaryPower, DerLimits, DerState, Telemetry
from federates.core.ports import FeederPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import LAST_PASS_OFFSET_S, Cadence, SimTime
from federates.distribution.builder import build_circuit, feeder_zones
from federates.distribution.circuit import Control
from federates.feeder.metering import CustomerMeter, DerMeter
from federates.feeder.plant import Plant
from federates.feeder.records import FeederRecords
from federates.scenario.lda import LdaScenario
from federates.scenario.meters import Meters

FIRST_PASS_OFFSET_S = 4
STATIC_FROM_S = 300
KW_PER_MW = 1_000.0
SCHEMA = 1.0


class FeederFederate:
    """Adapter between the federation and the plant of one LDA."""

    def __init__(self, context: Context) -> None:
        self.ports = FeederPorts()
        self._study = context.study
        self._clock = context.clock
        self._scenario = LdaScenario(context.study, context.lda.name)
        self._owners = {
            name: self._scenario.portfolio(context.owner_of(name)) for name in context.receivers("der_state")
        }
        self._multiplicity = context.lda.multiplicity
        self._meter = DerMeter(tuple(self._owners.values()), self._multiplicity, self._clock.step_s)
        self._meters = Meters(self._scenario)
        self._records = FeederRecords(context.recorder, self._scenario, context.study)
        n = len(self._scenario.fleet)
        self._customers = CustomerMeter(n, self._scenario.peak_kw.size, self._clock.step_s)
        self._set_point_kw = self._scenario.initial_set_point_kw()
        self._set_point_kvar: FloatArray = np.zeros(n)
        self._least_kw: FloatArray = np.full(n, -np.inf)
        self._most_kw: FloatArray = np.full(n, np.inf)
        self._asked_kw = self._set_point_kw
        self._day = -1
        self._plant = self._new_plant()
        self._taps_before: FloatArray = self._plant.circuit.taps()
        self._v_pu = 1.0

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """One pass every two seconds until transmission says that the step is settled."""
        return {FIRST_PASS_OFFSET_S: Phase(Cadence.STEP, self.solve_pass, LAST_PASS_OFFSET_S + 1)}

    def start(self) -> Outbox:
        """Nothing is solved yet."""
        return Outbox()

    def solve_pass(self, grant: Grant) -> Outbox:
        """Solve at the latest voltage, or accept the step when transmission has settled it."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        got = grant.inbox.only(self.ports.voltage)
        if got is None:
            raise MissingInputError(f"{self._scenario.name} at {grant.now} s: no voltage from transmission")
        first = grant.now - step == FIRST_PASS_OFFSET_S
        if not first and got.message.converged:
            return self._accept(step)
        if first:
            self._begin(grant, step)
        control = Control.OFF
        if first:
            control = Control.STATIC if self._clock.step_s >= STATIC_FROM_S else Control.TIME
        self._v_pu = got.message.v_pu
        head = self._plant.solve(got.message.v_pu, got.message.angle_deg, control)
        factor = self._multiplicity / KW_PER_MW
        outbox = Outbox(again=True)
        outbox.put(self.ports.power, BoundaryPower(p_mw=head.p_kw * factor, q_mvar=head.q_kvar * factor))
        return outbox

    def _begin(self, grant: Grant, step: SimTime) -> None:
        self._renew_engine(step)
        for sender, message in grant.inbox.new(self.ports.set_points).items():
            mine = self._owners[sender]
            self._set_point_kw[mine] = message.p_mw * KW_PER_MW
            self._set_point_kvar[mine] = message.q_mvar * KW_PER_MW
        for limits in grant.inbox.new(self.ports.limits).values():
            self._least_kw, self._most_kw = self._bounds(limits)
        self._records.begin(step, self._plant)
        actual = self._scenario.actual(step)
        self._taps_before = self._plant.circuit.taps()
        self._asked_kw = self._scenario.set_points_kw(step, self._plant.state, self._set_point_kw)
        held_kw = self._held_kw(step)
        if self._clock.is_market(step):
            self._records.conflicts(step, self._asked_kw, held_kw)
        self._plant.begin_step(
            demand_p_kw=actual.demand_kw,
            demand_q_kvar=actual.demand_kvar,
            interval=actual.ders,
            set_point_kw=held_kw,
            set_point_kvar=self._set_point_kvar,
        )

    def _held_kw(self, step: SimTime) -> FloatArray:
        """The tighter of what is asked of each DER and what its DSO allows; who follows nobody is free."""
        within = np.clip(self._asked_kw, self._least_kw, self._most_kw)
        return np.where(self._scenario.directed(step), within, self._asked_kw)

    def _bounds(self, limits: DerLimits) -> tuple[FloatArray, FloatArray]:
        """Least and greatest injection that a DSO allows each DER, infinite where it does not care. [kW]"""
        least, most = np.full_like(self._least_kw, -np.inf), np.full_like(self._most_kw, np.inf)
        least[limits.der], most[limits.der] = limits.least_mw * KW_PER_MW, limits.most_mw * KW_PER_MW
        return least, most

    def _accept(self, step: SimTime) -> Outbox:
        plant, scenario = self._plant, self._scenario
        plant.accept()
        if step >= 0:
            self._records.step(step, plant, self._v_pu, self._asked_kw, self._taps_before)
        circuit = plant.circuit
        head = circuit.head_power_kva().sum() / KW_PER_MW
        feeders = self._meters.heads_kva(step, circuit.feeder_power_kva().sum(axis=1)) / KW_PER_MW
        loads = self._meters.loads_kva(step) / KW_PER_MW
        outbox = Outbox()
        if step >= 0:
            self._meter.add(np.where(scenario.directed(step), plant.p_kw, 0.0))
            self._customers.add(
                import_kw=float(circuit.head_power_kva().sum().real),
                lost_kw=circuit.losses_kva().real,
                der_kw=plant.p_kw,
                load_kw=circuit.drawn_kva().real,
            )
        interval = self._clock.settled_interval(step)
        if interval is not None:
            outbox.put(self.ports.der_meters, self._meter.read(interval))
            outbox.put(self.ports.customer_meters, self._customers.read(interval))
        outbox.put(
            self.ports.telemetry,
            Telemetry(
                head_p_mw=float(head.real),
                head_q_mvar=float(head.imag),
                head_v_pu=self._v_pu,
                feeder_p_mw=feeders.real.copy(),
                feeder_q_mvar=feeders.imag.copy(),
                taps=circuit.taps(),
                der_p_mw=plant.p_kw / KW_PER_MW,
                der_q_mvar=plant.q_kvar / KW_PER_MW,
                soc_mwh=plant.state.energy_kwh / KW_PER_MW,
                load_p_mw=loads.real.copy(),
                load_q_mvar=loads.imag.copy(),
            ),
        )
        site_kw = scenario.site_kw(step, plant.p_kw)
        for owner, mine in self._owners.items():
            state = DerState(
                p_mw=plant.p_kw[mine] / KW_PER_MW,
                soc_mwh=plant.state.energy_kwh[mine] / KW_PER_MW,
                site_mw=site_kw[mine] / KW_PER_MW,
            )
            outbox.put(self.ports.der_state, state, to=owner)
        return outbox

    def _new_plant(self) -> Plant:
        model = self._scenario.model
        circuit = build_circuit(model, self._scenario.tolerance_pu)
        zones = feeder_zones(model, circuit)
        loaded = self._scenario.load_node_mask(circuit)
        zones = replace(zones, node=np.where(loaded, zones.node, -1))
        scenario = self._scenario
        return Plant(circuit, scenario.behaviour, zones, scenario.volt_var, volt_watt=scenario.volt_watt)

    def _renew_engine(self, step: SimTime) -> None:
        """A new day starts on a new engine, so that a run continued there has the same numbers."""
        day = max(self._clock.day_of(step), 0)
        if day == self._day:
            return
        if self._day >= 0:
            state = self._plant.save()
            self._plant = self._new_plant()
            self._plant.restore(state)
        self._day = day

    def save(self) -> State:
        """Plant, set-points, and what a DSO allows."""
        return {
            "schema": np.array([SCHEMA]),
            "set_point_kw": self._set_point_kw,
            "set_point_kvar": self._set_point_kvar,
            "least_kw": self._least_kw,
            "most_kw": self._most_kw,
            "day": np.array([float(self._day)]),
            **{f"plant_{name}": value for name, value in self._plant.save().items()},
        }

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._set_point_kw = state["set_point_kw"].copy()
        self._set_point_kvar = state["set_point_kvar"].copy()
        self._least_kw, self._most_kw = state["least_kw"].copy(), state["most_kw"].copy()
        self._day = int(state["day"][0])
        plant = {n.removeprefix("plant_"): v for n, v in state.items() if n.startswith("plant_")}
        self._plant.restore(plant)

    def finish(self) -> None:
        """Nothing is left to do."""


def build(context: Context) -> FeederFederate:
    """Feeder federate of an LDA."""
    return FeederFederate(context)
