"""An area's linear map by the Jacobian of its nodal equations, feeders and what they share together.

It stands where a radial map around the same state does. Voltages and the heads' power follow the equations
to first order (loads' dependence on voltage, delta windings, losses, and what one feeder does to another
through the bus that they share); powers of branch-phases are the radial maps', which leaves their change of
losses out.

DER arrays hold the feeders' DERs one feeder after another, each in its map's order; those of branch-phases
hold the maps' branch-phases in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import block_diag, csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.distribution.jacobian import Jacobian
from federates.distribution.linear import OperatingPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaTangent:
    """First-order behaviour of an area's N DERs and M branch-phases around one solved state."""

    points: tuple[OperatingPoint, ...]
    """Radial maps around the same state."""
    jacobian: Jacobian
    """Of the whole circuit."""
    ders: IntArray
    """Place in the circuit of each DER, shape (N,)."""
    injection: csr_array
    """Current into each node by kW injected, shape (nodes, N). [A/kW]"""
    incidence: csr_array
    """Share of each DER's injection in the subtree of each branch-phase, shape (M, N)."""
    far: IntArray
    """Node that each branch-phase feeds, shape (M,)."""
    w_pu2: FloatArray
    """Squared voltage at each of them, shape (M,). [pu^2]"""
    p_kw: FloatArray
    """Injections in the state, shape (N,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections, shape (N,). [kvar]"""
    heads_by_p: FloatArray
    """Change of the power drawn at each feeder's head by a kW injected, shape (feeders, N). [kW/kW]"""
    heads_by_q: FloatArray
    """The same by a kvar injected, shape (feeders, N). [kW/kvar]"""

    @property
    def coefficients(self) -> object:
        """What the map's slopes belong to."""
        return self.jacobian

    @property
    def relief_by_p(self) -> FloatArray:
        """How much less is drawn at all heads together by a kW injected, shape (N,). [kW/kW]"""
        return np.asarray(-self.heads_by_p.sum(axis=0))

    @property
    def relief_by_q(self) -> FloatArray:
        """How much less is drawn at all heads together by a kvar injected, shape (N,). [kW/kvar]"""
        return np.asarray(-self.heads_by_q.sum(axis=0))

    def heads_kw(self, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
        """Power drawn at each head when the DERs inject ``p_kw`` and ``q_kvar``, shape (feeders,). [kW]"""
        moved = self.heads_by_p @ (p_kw - self.p_kw) + self.heads_by_q @ (q_kvar - self.q_kvar)
        return np.asarray(np.array([point.p_head_kw for point in self.points]) + moved)

    def head_power_kw(self, p_kw: FloatArray, q_kvar: FloatArray) -> float:
        """Power drawn at all heads together. [kW]"""
        return float(self.heads_kw(p_kw, q_kvar).sum())

    def dw_pu2(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        """Change of w, shape (M,) or (M, moves), for moves of shape (N,) or (N, moves). [pu^2]"""
        ds = dp_kw if dq_kvar is None else dp_kw - 1j * dq_kvar
        moved = self.jacobian.solved_v(self.injection @ ds)[self.far]
        twice = 2.0 * np.conj(self.jacobian.node_v[self.far]) / self.jacobian.base_v[self.far] ** 2
        return np.asarray((twice.reshape(-1, *[1] * (moved.ndim - 1)) * moved).real)

    def voltage_rows(self, branch_phases: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of dw/dp and dw/dq at some branch-phases, each shape (rows, N), by adjoint solves."""
        by_p, by_q = self.jacobian.voltage_rows(self.far[branch_phases])
        twice = 2.0 * np.sqrt(self.w_pu2[branch_phases])[:, None]
        return twice * by_p[:, self.ders], twice * by_q[:, self.ders]


def area_tangent(
    points: Sequence[OperatingPoint],
    jacobian: Jacobian,
    feeder_of_der: IntArray,
    heads_by_p: FloatArray,
    heads_by_q: FloatArray,
) -> AreaTangent:
    """The Jacobian in the place of the feeders' radial maps around the same state.

    Parameters
    ----------
    feeder_of_der
        Feeder of each DER of the circuit, shape (N,).
    heads_by_p, heads_by_q
        Change of the power drawn at each head by every DER, in the circuit's order, shapes (feeders, N).
        [kW/kW], [kW/kvar]
    """
    ders = np.concatenate(
        [np.flatnonzero(feeder_of_der == k)[point.map.order] for k, point in enumerate(points)]
    )
    return AreaTangent(
        points=tuple(points),
        jacobian=jacobian,
        ders=ders,
        injection=jacobian.injection[:, ders],
        incidence=csr_array(block_diag([point.map.incidence for point in points])),
        far=np.concatenate([point.map.tree.far for point in points]),
        w_pu2=np.concatenate([point.w_pu2 for point in points]),
        p_kw=np.concatenate([point.p_kw for point in points]),
        q_kvar=np.concatenate([point.q_kvar for point in points]),
        heads_by_p=heads_by_p[:, ders],
        heads_by_q=heads_by_q[:, ders],
    )
