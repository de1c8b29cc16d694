"""Inverters that set their reactive power by their own voltage: the power flow at which both agree.

Each DER asks for a reactive power that its terminal voltage gives; that power moves every voltage. The fixed
point is found by Newton's method on the map of voltages by reactive power, in shorter steps where a curve's
corner is passed. The map's slopes may be old: they steer the search, the circuit decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import DivergedError
from federates.distribution.circuit import Circuit, Control
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.legs import der_legs

TOLERANCE_SHARE = 1e-5
"""Greatest difference between what a curve asks for and what is injected, over the largest injection."""
ROUNDS = 40
PROBE_PU = 1e-5
"""Step of voltage by which a curve's slope is taken. [pu]"""

Curve = Callable[[FloatArray], FloatArray]
"""From terminal voltages [pu] to reactive injections [kvar], both of shape (ders,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The state at which inverters rest."""

    q_kvar: FloatArray
    """Injected, shape (ders,). [kvar]"""
    v_pu: FloatArray
    """At the terminals, shape (ders,). [pu]"""
    rounds_count: int
    """Power flows solved."""


class LocalControl:
    """Terminal voltages of a circuit's DERs and how reactive power moves them.

    Parameters
    ----------
    circuit
        Solved; its state gives the first slopes.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._legs = der_legs(circuit.der_nodes)
        self._nominal_v = self._legs.nominal_v(circuit.node_base_v, circuit.node_voltages_v())
        self._slope: FloatArray | None = None

    def terminal_v_pu(self) -> FloatArray:
        """Voltage at each DER in the last solved state, the mean of its legs, shape (ders,). [pu]"""
        legs = self._legs
        v_pu = np.abs(legs.across_v(self._circuit.node_voltages_v())) / self._nominal_v
        return np.bincount(legs.element, weights=v_pu * legs.share).astype(np.float64)

    def settle(self, p_kw: FloatArray, curve: Curve, start_kvar: FloatArray) -> Settled:
        """Reactive power at which every DER injects what its voltage asks for, taps held.

        Parameters
        ----------
        p_kw
            Active injections, shape (ders,). [kW]
        start_kvar
            Where the search begins, shape (ders,). [kvar]

        Raises
        ------
        DivergedError
            If it is not found, or a power flow fails.
        """
        base, step, scale, least = start_kvar, np.zeros(start_kvar.size), 1.0, np.inf
        for count in range(1, ROUNDS + 1):
            q = base + scale * step
            self._circuit.set_ders(p_kw, q)
            self._circuit.solve(Control.OFF)
            v_pu = self.terminal_v_pu()
            asked = curve(v_pu)
            gap = asked - q
            if np.abs(gap).max(initial=0.0) <= TOLERANCE_SHARE * max(1.0, float(np.abs(asked).max())):
                return Settled(q_kvar=q, v_pu=v_pu, rounds_count=count)
            distance = float(np.linalg.norm(gap))
            if distance >= least:  # beyond a corner of a curve
                scale /= 2
                continue
            base, scale, least = q, min(1.0, 2 * scale), distance
            step = self._newton(gap, (curve(v_pu + PROBE_PU) - curve(v_pu - PROBE_PU)) / (2 * PROBE_PU))
        raise DivergedError(
            f"circuit {self._circuit.layout.name!r}: inverters and voltages do not come to rest in {ROUNDS} "
            f"rounds (gap {np.abs(gap).max():.3g} kvar); a curve jumps, or is too steep for the feeder"
        )

    def _newton(self, gap_kvar: FloatArray, kvar_per_pu: FloatArray) -> FloatArray:
        """Step of q with (I - diag(f') dv/dq) step = gap."""
        if self._slope is None:
            self._slope = self._pu_per_kvar()
        matrix = np.eye(gap_kvar.size) - kvar_per_pu[:, None] * self._slope
        return np.asarray(np.linalg.solve(matrix, gap_kvar))

    def _pu_per_kvar(self) -> FloatArray:
        """Change of each terminal voltage by each DER's kvar, shape (ders, ders). [pu]"""
        legs = self._legs
        jacobian = NodalNetwork(self._circuit).at_present()
        u = legs.across_v(jacobian.node_v)
        direction = u / np.abs(u) * legs.share / self._nominal_v
        weights = np.zeros((jacobian.node_v.size, len(self._circuit.layout.ders)), dtype=np.complex128)
        np.add.at(weights, (legs.node_from, legs.element), direction)
        back = legs.node_to >= 0
        np.add.at(weights, (legs.node_to[back], legs.element[back]), -direction[back])
        return jacobian.rows(weights)[1]
