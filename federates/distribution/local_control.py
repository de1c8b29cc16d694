"""Inverters that set their power by their own voltage: the power flow at which both agree.

Each DER asks for a power that its terminal voltage gives; that power moves every voltage. With s = f(v) what
the voltages ask for and W the change of voltages by power, the fixed point is found by Newton's method, ::

    step = gap + f' (1 - W f')^-1 W gap,    gap = f(v) - s

in shorter steps where a curve's corner is passed. The map's slopes may be old: they steer the search, the
circuit decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import DivergedError
from federates.distribution.circuit import Circuit, Control
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.legs import der_legs

TOLERANCE_SHARE = 1e-5
"""Greatest difference between what a curve asks for and what is injected, over the largest injection."""
ROUNDS = 40
PROBE_PU = 1e-5
"""Step of voltage by which a curve's slope is taken. [pu]"""

Curve = Callable[[FloatArray], ComplexArray]
"""From terminal voltages [pu] to injections P + jQ [kVA], both of shape (ders,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The state at which inverters rest."""

    s_kva: ComplexArray
    """Injected, shape (ders,). [kVA]"""
    v_pu: FloatArray
    """At the terminals, shape (ders,). [pu]"""
    rounds_count: int
    """Power flows solved."""


class LocalControl:
    """Terminal voltages of a circuit's DERs and how their power moves them.

    Parameters
    ----------
    circuit
        Solved; its state gives the first slopes.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._legs = der_legs(circuit.der_nodes)
        self._nominal_v = self._legs.nominal_v(circuit.node_base_v, circuit.node_voltages_v())
        self._slopes: tuple[FloatArray, FloatArray] | None = None

    def terminal_v_pu(self) -> FloatArray:
        """Voltage at each DER in the last solved state, the mean of its legs, shape (ders,). [pu]"""
        legs = self._legs
        v_pu = np.abs(legs.across_v(self._circuit.node_voltages_v())) / self._nominal_v
        return np.bincount(legs.element, weights=v_pu * legs.share).astype(np.float64)

    def settle(self, curve: Curve, start_kva: ComplexArray) -> Settled:
        """Power at which every DER injects what its voltage asks for, taps held.

        Parameters
        ----------
        curve
            What voltages ask for.
        start_kva
            Where the search begins, shape (ders,). [kVA]

        Raises
        ------
        DivergedError
            If it is not found, or a power flow fails.
        """
        base, step, scale, least = start_kva, 0.0 * start_kva, 1.0, np.inf
        for count in range(1, ROUNDS + 1):
            s = base + scale * step
            self._circuit.set_ders(s.real.copy(), s.imag.copy())
            self._circuit.solve(Control.OFF)
            v_pu = self.terminal_v_pu()
            asked = curve(v_pu)
            gap = asked - s
            if np.abs(gap).max(initial=0.0) <= TOLERANCE_SHARE * max(1.0, float(np.abs(asked).max())):
                return Settled(s_kva=s, v_pu=v_pu, rounds_count=count)
            distance = float(np.linalg.norm(gap))
            if distance >= least:  # beyond a corner of a curve
                scale /= 2
                continue
            base, scale, least = s, min(1.0, 2 * scale), distance
            step = self._newton(gap, (curve(v_pu + PROBE_PU) - curve(v_pu - PROBE_PU)) / (2 * PROBE_PU))
        raise DivergedError(
            f"circuit {self._circuit.layout.name!r}: inverters and voltages do not come to rest in {ROUNDS} "
            f"rounds (gap {np.abs(gap).max():.3g} kVA); a curve jumps, or is too steep for the feeder"
        )

    def _newton(self, gap_kva: ComplexArray, kva_per_pu: ComplexArray) -> ComplexArray:
        """Step of s with (1 - f' W) step = gap."""
        if self._slopes is None:
            self._slopes = self._pu_by_power()
        by_p, by_q = self._slopes
        matrix = np.eye(gap_kva.size) - by_p * kva_per_pu.real - by_q * kva_per_pu.imag
        dv_pu = np.linalg.solve(matrix, by_p @ gap_kva.real + by_q @ gap_kva.imag)
        return np.asarray(gap_kva + kva_per_pu * dv_pu)

    def _pu_by_power(self) -> tuple[FloatArray, FloatArray]:
        """Change of each terminal voltage by each DER's kW and kvar, shape (ders, ders) each. [pu]"""
        legs = self._legs
        jacobian = NodalNetwork(self._circuit).at_present()
        u = legs.across_v(jacobian.node_v)
        direction = u / np.abs(u) * legs.share / self._nominal_v
        weights = np.zeros((jacobian.node_v.size, len(self._circuit.layout.ders)), dtype=np.complex128)
        np.add.at(weights, (legs.node_from, legs.element), direction)
        back = legs.node_to >= 0
        np.add.at(weights, (legs.node_to[back], legs.element[back]), -direction[back])
        return jacobian.rows(weights)
