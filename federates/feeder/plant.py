"""The physical LDA: its circuit, its DERs' bounds and its stores' energy.

A physical step is ``begin_step``, one ``solve`` per pass of the T-D fixed point, ``accept``. What advances
once per step (energy, and the regulators, which act in the first pass) does so however many passes there are.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, ComplexArray, FloatArray
from federates.core.errors import ConfigError, ModelError
from federates.der.catalog import Behaviour
from federates.der.inverter import Category, volt_var_kvar, volt_watt_kw
from federates.der.model import FleetState, Interval, Step, initial_state
from federates.distribution.builder import FeederZones
from federates.distribution.circuit import Circuit, Control, SolveReport
from federates.distribution.local_control import LocalControl
from federates.feeder.statistics import NodeStatistics, node_statistics, overloaded_count


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPower:
    """What a pass of the fixed point gives back to transmission."""

    p_kw: FloatArray
    """Drawn at the interface per phase, shape (3,), import positive. [kW]"""
    q_kvar: FloatArray
    """Drawn at the interface per phase, shape (3,). [kvar]"""
    report: SolveReport


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederState:
    """One feeder's figures in the accepted state."""

    p_kw: float
    """Drawn at the feeder's head. [kW]"""
    q_kvar: float
    voltages: NodeStatistics
    overloaded_count: int
    """Lines and transformers above their rating."""
    max_loading_pu: float


class _Phase(enum.Enum):
    IDLE = "idle"
    BEGUN = "begun"
    SOLVED = "solved"


class Plant:
    """An LDA as it physically is.

    Parameters
    ----------
    circuit
        Of the LDA; its DERs in the order of ``ders``.
    ders
        How they behave.
    zones
        Which feeder each node and element belongs to.
    volt_var
        Category of the curve of reactive power that inverters follow on their own voltage; None: they give
        what is asked.
    volt_watt
        Whether inverters inject no more than the curve of active power allows at their own voltage.

    Raises
    ------
    ConfigError
        If circuit and parameters differ in the number of DERs.
    """

    def __init__(
        self,
        circuit: Circuit,
        ders: Behaviour,
        zones: FeederZones,
        volt_var: Category | None = None,
        volt_watt: bool = False,
    ) -> None:
        count = len(ders.fleet)
        if len(circuit.layout.ders) != count:
            raise ConfigError(
                f"circuit {circuit.layout.name!r} has {len(circuit.layout.ders)} DERs, the fleet {count}"
            )
        self.circuit = circuit
        self.ders = ders
        self._node_masks: tuple[BoolArray, ...] = tuple(zones.node == place for place in range(zones.count))
        loadings = np.concatenate([zones.line, zones.transformer])
        self._element_masks: tuple[BoolArray, ...] = tuple(loadings == place for place in range(zones.count))
        self.state: FleetState = initial_state(ders.fleet)
        self.p_kw: FloatArray = np.zeros(count)
        self.q_kvar: FloatArray = np.zeros(count)
        self._volt_var: Category | None = volt_var
        self._volt_watt = volt_watt
        self._asked_kva: ComplexArray = np.zeros(count, dtype=np.complex128)
        self._least_kw: FloatArray = np.zeros(count)
        self._allowed_kw: FloatArray = np.full(count, np.inf)
        self._local: LocalControl | None = None
        self._interval: Interval | None = None
        self._last: Step | None = None
        self._phase = _Phase.IDLE

    def begin_step(
        self,
        *,
        demand_p_kw: FloatArray,
        demand_q_kvar: FloatArray,
        interval: Interval,
        set_point_kw: FloatArray,
        set_point_kvar: FloatArray,
    ) -> None:
        """Fix the step's demand and the injections that the DERs can hold through all of it.

        Parameters
        ----------
        demand_p_kw, demand_q_kvar
            Of the loads, shapes (loads,). [kW, kvar]
        interval
            What the step really brings to the DERs.
        set_point_kw, set_point_kvar
            Asked of the DERs, shapes (ders,), injection positive. [kW, kvar]
        """
        possible = self.ders.feasible(self.state, interval)
        self._asked_kva = possible.clip(set_point_kw) + 1j * set_point_kvar
        self._least_kw = possible.p_min_kw
        self.p_kw = self._held_kw(self._allowed_kw)
        asked = set_point_kvar if self._volt_var is None else self.q_kvar
        self.q_kvar = self.ders.reactive_kvar(self.p_kw, asked)
        self._interval = interval
        self.circuit.set_loads(demand_p_kw, demand_q_kvar)
        self.circuit.set_ders(self.p_kw, self.q_kvar)
        self._phase = _Phase.BEGUN

    def solve(self, v_pu: float, angle_deg: float, control: Control) -> HeadPower:
        """Solve the circuit at a boundary voltage and return what it draws.

        Raises
        ------
        ModelError
            If no step has begun, or the regulators are to act in another than the step's first pass.
        DivergedError
            If the power flow does not converge.
        """
        if self._phase is _Phase.IDLE or self._interval is None:
            raise ModelError(f"plant {self.circuit.layout.name!r}: solve without a step begun")
        if self._phase is _Phase.SOLVED and control is not Control.OFF:
            raise ModelError(
                f"plant {self.circuit.layout.name!r}: regulators act in a step's first pass only"
            )
        self.circuit.set_source(v_pu, angle_deg)
        report = self.circuit.solve(control, self._interval.length_s)
        if self._volt_var is not None or self._volt_watt:
            self._settle()
        self._phase = _Phase.SOLVED
        power = self.circuit.head_power_kva()
        return HeadPower(p_kw=power.real.copy(), q_kvar=power.imag.copy(), report=report)

    def _settle(self) -> None:
        """Solve again with every inverter on its curves, active power first."""
        self._local = self._local or LocalControl(self.circuit)
        settled = self._local.settle(self._on_curves_kva, self.p_kw + 1j * self.q_kvar)
        # The search ends within its tolerance of the curves, which may be beyond what was asked for.
        self.p_kw = np.clip(settled.s_kva.real, self._least_kw, self._asked_kva.real)
        self.q_kvar = settled.s_kva.imag.copy()
        self._allowed_kw = self._curve_kw(settled.v_pu)

    def _on_curves_kva(self, v_pu: FloatArray) -> ComplexArray:
        """What is injected at terminal voltages, shape (ders,). [kVA]"""
        p_kw = self._held_kw(self._curve_kw(v_pu))
        asked = self._asked_kva.imag
        if self._volt_var is not None:
            asked = volt_var_kvar(v_pu, self.ders.fleet.s_kva, self._volt_var)
        return np.asarray(p_kw + 1j * self.ders.reactive_kvar(p_kw, asked))

    def _curve_kw(self, v_pu: FloatArray) -> FloatArray:
        """Active power allowed at terminal voltages; infinite where no curve is followed, shape (ders,)."""
        follows = self.ders.has_inverter & self._volt_watt
        rated = self.ders.fleet.power_kw
        return np.where(follows, volt_watt_kw(v_pu, rated, np.zeros_like(rated)), np.inf)

    def _held_kw(self, allowed_kw: FloatArray) -> FloatArray:
        """What is asked for as far as it is allowed, and as far as the DER can hold back, shape (ders,)."""
        return np.maximum(np.minimum(self._asked_kva.real, allowed_kw), self._least_kw)

    @property
    def volt_watt_kw(self) -> FloatArray:
        """Injection that the curve of active power held back in the last solved state, shape (ders,). [kW]"""
        return self._asked_kva.real - self.p_kw

    def accept(self) -> None:
        """Commit what the DERs carry to the next step, once.

        Raises
        ------
        ModelError
            If the step has no solved pass, or was accepted before.
        """
        if self._phase is not _Phase.SOLVED or self._interval is None:
            raise ModelError(f"plant {self.circuit.layout.name!r}: nothing solved to accept")
        self.state, self._last = self.ders.advance(self.state, self.p_kw, self._interval)
        self._phase = _Phase.IDLE

    @property
    def last(self) -> Step:
        """What the step accepted last left behind.

        Raises
        ------
        ModelError
            If none was accepted yet.
        """
        if self._last is None:
            raise ModelError(f"plant {self.circuit.layout.name!r}: no step was accepted yet")
        return self._last

    def feeder_states(self) -> tuple[FeederState, ...]:
        """Return each feeder's figures in the last solved state."""
        v_pu = self.circuit.node_v_pu()
        loading = np.concatenate([self.circuit.line_loading_pu(), self.circuit.transformer_loading_pu()])
        power = self.circuit.feeder_power_kva().sum(axis=1)
        return tuple(
            FeederState(
                p_kw=float(power[place].real),
                q_kvar=float(power[place].imag),
                voltages=node_statistics(v_pu, nodes),
                overloaded_count=overloaded_count(loading[elements]),
                max_loading_pu=float(loading[elements].max()),
            )
            for place, (nodes, elements) in enumerate(zip(self._node_masks, self._element_masks, strict=True))
        )

    def save(self) -> dict[str, FloatArray]:
        """Return the state between steps: what the DERs carry, taps and relay timers."""
        return {
            "energy_kwh": self.state.energy_kwh.copy(),
            "p_kw": self.state.p_kw.copy(),
            "q_kvar": self.q_kvar.copy(),
            "allowed_kw": self._allowed_kw.copy(),
            **self.circuit.save(),
        }

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up a saved state."""
        self.state = FleetState(energy_kwh=state["energy_kwh"].copy(), p_kw=state["p_kw"].copy())
        self.q_kvar = state["q_kvar"].copy()
        self._allowed_kw = state["allowed_kw"].copy()
        self.circuit.restore(state)
        self._phase = _Phase.IDLE
