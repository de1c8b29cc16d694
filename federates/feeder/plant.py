"""The physical LDA: its circuit, its DERs' bounds and its stores' energy.

A physical step is ``begin_step``, one ``solve`` per pass of the T-D fixed point, ``accept``. What advances
once per step (energy, and the regulators, which act in the first pass) does so however many passes there are.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.errors import ConfigError, ModelError
from federates.der.parameters import DerParameters
from federates.distribution.builder import FeederZones
from federates.distribution.circuit import Circuit, Control, SolveReport
from federates.feeder.statistics import NodeStatistics, node_statistics, overloaded_count

S_PER_H = 3600.0


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
        Ratings.
    zones
        Which feeder each node and element belongs to.

    Raises
    ------
    ConfigError
        If circuit and parameters differ in the number of DERs.
    """

    def __init__(self, circuit: Circuit, ders: DerParameters, zones: FeederZones) -> None:
        if len(circuit.layout.ders) != len(ders.ids):
            raise ConfigError(
                f"circuit {circuit.layout.name!r} has {len(circuit.layout.ders)} DERs, "
                f"the fleet {len(ders.ids)}"
            )
        self.circuit = circuit
        self.ders = ders
        self._node_masks: tuple[BoolArray, ...] = tuple(zones.node == place for place in range(zones.count))
        loadings = np.concatenate([zones.line, zones.transformer])
        self._element_masks: tuple[BoolArray, ...] = tuple(loadings == place for place in range(zones.count))
        self.soc_kwh: FloatArray = ders.soc_initial_kwh.copy()
        self.p_kw: FloatArray = np.zeros(len(ders.ids))
        self.q_kvar: FloatArray = np.zeros(len(ders.ids))
        self._dt_s = 0
        self._phase = _Phase.IDLE

    def begin_step(
        self,
        *,
        demand_p_kw: FloatArray,
        demand_q_kvar: FloatArray,
        available_p_kw: FloatArray,
        set_point_kw: FloatArray,
        set_point_kvar: FloatArray,
        dt_s: int,
    ) -> None:
        """Fix the step's demand and the injections that the DERs can hold through all of it.

        Parameters
        ----------
        demand_p_kw, demand_q_kvar
            Of the loads, shapes (loads,). [kW, kvar]
        available_p_kw
            Greatest injection that sun or use allow, shape (ders,); not used for stores. [kW]
        set_point_kw, set_point_kvar
            Asked of the DERs, shapes (ders,), injection positive. [kW, kvar]
        dt_s
            Length of the step. [s]
        """
        self.p_kw = feasible_power_kw(self.ders, self.soc_kwh, set_point_kw, available_p_kw, dt_s)
        self.q_kvar = feasible_reactive_kvar(self.ders, self.p_kw, set_point_kvar)
        self._dt_s = dt_s
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
        if self._phase is _Phase.IDLE:
            raise ModelError(f"plant {self.circuit.layout.name!r}: solve without a step begun")
        if self._phase is _Phase.SOLVED and control is not Control.OFF:
            raise ModelError(
                f"plant {self.circuit.layout.name!r}: regulators act in a step's first pass only"
            )
        self.circuit.set_source(v_pu, angle_deg)
        report = self.circuit.solve(control, self._dt_s)
        self._phase = _Phase.SOLVED
        power = self.circuit.head_power_kva()
        return HeadPower(p_kw=power.real.copy(), q_kvar=power.imag.copy(), report=report)

    def accept(self) -> None:
        """Commit the step's energy, once.

        Raises
        ------
        ModelError
            If the step has no solved pass, or was accepted before.
        """
        if self._phase is not _Phase.SOLVED:
            raise ModelError(f"plant {self.circuit.layout.name!r}: nothing solved to accept")
        self.soc_kwh = stored_energy_kwh(self.ders, self.soc_kwh, self.p_kw, self._dt_s)
        self._phase = _Phase.IDLE

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
        """Return the state between steps: energy in the stores, taps and relay timers."""
        return {"soc_kwh": self.soc_kwh.copy(), **self.circuit.save()}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up a saved state."""
        self.soc_kwh = np.array(state["soc_kwh"], dtype=np.float64)
        self.circuit.restore(state)
        self._phase = _Phase.IDLE


def feasible_power_kw(
    ders: DerParameters, soc_kwh: FloatArray, set_point_kw: FloatArray, available_p_kw: FloatArray, dt_s: int
) -> FloatArray:
    """Return the power nearest the set-point that every DER can hold for ``dt_s``, shape (ders,). [kW]"""
    hours = dt_s / S_PER_H
    store = ders.is_store
    upper = np.where(store, soc_kwh * ders.eta_discharge / hours, available_p_kw)
    lower = np.where(store, (soc_kwh - ders.energy_kwh) / ders.eta_charge / hours, -np.inf)
    upper = np.minimum(upper, ders.p_max_kw)
    lower = np.minimum(np.maximum(lower, ders.p_min_kw), upper)
    power: FloatArray = np.clip(set_point_kw, lower, upper)
    return power


def feasible_reactive_kvar(ders: DerParameters, p_kw: FloatArray, set_point_kvar: FloatArray) -> FloatArray:
    """Return the reactive power nearest the set-point inside the inverter's circle, shape (ders,). [kvar]"""
    room = np.sqrt(np.maximum(ders.s_kva**2 - p_kw**2, 0.0))
    power: FloatArray = np.clip(set_point_kvar, -room, room)
    return power


def stored_energy_kwh(ders: DerParameters, soc_kwh: FloatArray, p_kw: FloatArray, dt_s: int) -> FloatArray:
    """Return the energy in the stores after ``dt_s`` at constant power, shape (ders,). [kWh]"""
    hours = dt_s / S_PER_H
    change = np.maximum(-p_kw, 0.0) * ders.eta_charge - np.maximum(p_kw, 0.0) / ders.eta_discharge
    after: FloatArray = np.where(ders.is_store, soc_kwh + change * hours, soc_kwh)
    return np.clip(after, 0.0, ders.energy_kwh)
