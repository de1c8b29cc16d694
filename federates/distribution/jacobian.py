"""Sensitivities of a circuit's voltages and flows to its DERs, from the Jacobian of its nodal equations.

The circuit's currents balance at every node: ``Y V + i(V) = i_source``. ``Y`` holds the series elements,
capacitors and the source's impedance; ``i`` is what loads and DERs draw. A leg that draws S at the voltage u
draws the current ``conj(S / u)``; with S going as ``|u|^n``, and P and Q each with an exponent of its own, ::

    di = a du + b conj(du),   a = conj(N) / (2 |u|^2),   b = conj(N) / (2 conj(u)^2) - conj(S) / conj(u)^2,
    N = n_p P + j n_q Q

so that the equations' real form is one sparse matrix, factorised once for an operating point. A column
(what one DER does to every node) is a forward solve, a row (what every DER does to one voltage, current or
power) an adjoint one. Nothing is left out: delta loads and windings, centre taps, loops and the loads'
dependence on voltage are in ``Y`` and ``i``. Taps are held.

Rows are linear, for programs that must be. Where only the voltages after a known move are wanted, the
currents that the linear map leaves unbalanced are solved for once more with the same factors.

DER arrays stand in the circuit's order. The form with conjugates follows Bernstein, Wang, Dall'Anese, Le
Boudec, Zhao, *Load Flow in Multiphase Distribution Networks: Existence, Uniqueness, Non-Singularity and
Linear Models*, IEEE Transactions on Power Systems 33 (2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import block_array, coo_array, csc_array, csr_array
from scipy.sparse.linalg import SuperLU, splu

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.distribution.circuit import Circuit
from federates.distribution.legs import Legs, der_legs, load_legs
from federates.distribution.load_models import LoadModels

VA_PER_KVA = 1e3
LINEAR_POWER = 3
"""Power of a voltage's magnitude that is taken as linear in the DERs' injections."""
CHUNK = 32
"""Right-hand sides solved at once: more of them leave the cache."""
PIVOT_SHARE = 0.01
"""A diagonal element is the pivot unless it is smaller than this part of its column's largest."""


class NodalNetwork:
    """A circuit's elements as nodal equations; what a regulator or capacitor changes is read again.

    Parameters
    ----------
    circuit
        Solved; loads may be set and regulators may move later.

    Raises
    ------
    ConfigError
        If a load follows a model that has no voltage exponent.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._count = len(circuit.node_names)
        self.load_legs: Legs = load_legs(circuit.load_nodes, circuit.load_ratings())
        self.der_legs: Legs = der_legs(circuit.der_nodes)
        self._models = LoadModels(circuit.load_ratings(), circuit.layout)
        source = circuit.source_shunt()
        branches = circuit.branches()
        self._moving = [b for b in branches if b.kind == "regulator"]
        still = [(b.name, b.nodes1 + b.nodes2) for b in branches if b.kind != "regulator"]
        self._still = self._assembled([*still, (source.name, source.nodes)])
        self._der_incidence = _incidence(self.der_legs, self._count)
        self._load_incidence = _incidence(self.load_legs, self._count)

    def drawn_a(self) -> ComplexArray:
        """Current that leaves each node in the last solved state, shape (nodes,). [A]

        Zero but at the source: what is left is the error of the equations or of the solution.
        """
        return self._balance().drawn_a(self._circuit.node_voltages_v(), self._circuit.ders_kva())

    def at_present(self) -> Jacobian:
        """Jacobian at the circuit's last solved state.

        Raises
        ------
        ModelError
            If the last solve failed.
        """
        v_v, ders_kva = self._circuit.node_voltages_v(), self._circuit.ders_kva()
        balance = self._balance()
        load_u_v, der_u_v = self.load_legs.across_v(v_v), self.der_legs.across_v(v_v)
        a, b = self._models.derivative(self.load_legs, balance.load_va, load_u_v)
        der_b = -np.conj(balance.der_va(ders_kva) / der_u_v**2)
        shunt_a = _between(self._load_incidence, a)
        shunt_b = _between(self._load_incidence, b) + _between(self._der_incidence, der_b)
        return Jacobian(
            node_v=v_v,
            base_v=self._circuit.node_base_v,
            ders_kva=ders_kva,
            balance=balance,
            factors=_factorised(csr_array(balance.admittance_s + shunt_a), shunt_b),
            injection=self._injection(der_u_v),
        )

    def _balance(self) -> Balance:
        """Currents as taps, capacitors and demand stand."""
        legs = self.load_legs
        return Balance(
            admittance_s=self._admittance(),
            models=self._models,
            load_legs=legs,
            load_incidence=self._load_incidence,
            load_va=VA_PER_KVA * self._circuit.loads_kva()[legs.element] * legs.share,
            der_legs=self.der_legs,
            der_incidence=self._der_incidence,
        )

    def _admittance(self) -> csr_array:
        moving = [(b.name, b.nodes1 + b.nodes2) for b in self._moving]
        moving += [(s.name, s.nodes) for s in self._circuit.shunts()]
        return csr_array(self._still + self._assembled(moving))

    def _injection(self, u_v: ComplexArray) -> csr_array:
        """Current into each node by kW injected by each DER, shape (nodes, ders). [A/kW]"""
        legs = self.der_legs
        per_kw = VA_PER_KVA * legs.share / np.conj(u_v)
        places = (np.arange(legs.element.size), legs.element)
        by_der = coo_array((per_kw, places), shape=(legs.element.size, len(self._circuit.layout.ders)))
        return csr_array(self._der_incidence.T @ by_der.tocsr())

    def _assembled(self, elements: Iterable[tuple[str, Sequence[int]]]) -> csr_array:
        rows, columns, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.complex128)]
        for name, nodes in elements:
            places = np.array(nodes, dtype=np.int64)
            rows.append(np.repeat(places, places.size))
            columns.append(np.tile(places, places.size))
            values.append(self._circuit.yprim(name).ravel())
        where = (np.concatenate(rows), np.concatenate(columns))
        return coo_array((np.concatenate(values), where), shape=(self._count, self._count)).tocsr()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a circuit draws at any voltages and injections; taps, capacitors and demand held."""

    admittance_s: csr_array
    """Of everything but loads and DERs, shape (nodes, nodes). [S]"""
    models: LoadModels
    load_legs: Legs
    load_incidence: csr_array
    """Shape (load legs, nodes)."""
    load_va: ComplexArray
    """What each load leg is asked to draw at rated voltage, shape (load legs,). [VA]"""
    der_legs: Legs
    der_incidence: csr_array
    """Shape (DER legs, nodes)."""

    def drawn_a(self, v_v: ComplexArray, ders_kva: ComplexArray) -> ComplexArray:
        """Current that leaves each node, the source's own aside, shape (nodes,). [A]

        Parameters
        ----------
        v_v
            Voltages, shape (nodes,). [V]
        ders_kva
            Injections, shape (ders,). [kVA]
        """
        load_u_v, der_u_v = self.load_legs.across_v(v_v), self.der_legs.across_v(v_v)
        into_loads = np.conj(self.models.drawn_va(self.load_legs, self.load_va, load_u_v) / load_u_v)
        into_ders = np.conj(self.der_va(ders_kva) / der_u_v)
        drawn = self.load_incidence.T @ into_loads + self.der_incidence.T @ into_ders
        return np.asarray(self.admittance_s @ v_v + drawn)

    def der_va(self, ders_kva: ComplexArray) -> ComplexArray:
        """What each DER leg draws, whatever its voltage, shape (DER legs,). [VA]"""
        return -VA_PER_KVA * ders_kva[self.der_legs.element] * self.der_legs.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Jacobian:
    """Behaviour of a circuit around one solved state; DER arrays in the circuit's order."""

    node_v: ComplexArray
    """Voltages of the state, shape (nodes,). [V]"""
    base_v: FloatArray
    """Line-to-neutral base of every node, shape (nodes,). [V]"""
    ders_kva: ComplexArray
    """Injections of the state, shape (ders,). [kVA]"""
    balance: Balance
    """Whose derivative it is."""
    factors: SuperLU
    """Of the real form, shape (2 nodes, 2 nodes)."""
    injection: csr_array
    """Current into each node by kW injected, shape (nodes, ders). [A/kW]"""

    def moved_v(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> ComplexArray:
        """Change of every voltage for moves of shape (ders,) or (ders, moves). [V]

        Shape (nodes,) or (nodes, moves).
        """
        ds = dp_kw if dq_kvar is None else dp_kw - 1j * dq_kvar
        drive = self.injection @ ds
        return self.solved_v(drive)

    def columns_v(self, ders: IntArray) -> tuple[ComplexArray, ComplexArray]:
        """Change of every voltage by kW and by kvar of some DERs, each of shape (nodes, ders). [V]"""
        drive = self.injection[:, ders].toarray()
        return self.solved_v(drive), self.solved_v(-1j * drive)

    def dv_pu(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        """Change of every voltage's magnitude, shape as `moved_v`'s. [pu]"""
        moved = self.moved_v(dp_kw, dq_kvar)
        direction = np.conj(self.node_v) / np.abs(self.node_v) / self.base_v
        return np.asarray((direction.reshape(-1, *[1] * (moved.ndim - 1)) * moved).real)

    def voltage_pu(self, dp_kw: FloatArray, dq_kvar: FloatArray) -> FloatArray:
        """Every voltage's magnitude after a move, shape (nodes,). [pu]

        The linear map, and what it leaves unbalanced put right by one more solve with the same factors (a
        chord step of Newton's method). Its difference from `linear_pu` tells how far the linear map, and so
        every row of it, can be trusted for this move.

        Parameters
        ----------
        dp_kw, dq_kvar
            Move, shape (ders,). [kW], [kvar]
        """
        moved_v = self.node_v + self.moved_v(dp_kw, dq_kvar)
        left = self.balance.drawn_a(moved_v, self.ders_kva + dp_kw + 1j * dq_kvar)
        left -= self.balance.drawn_a(self.node_v, self.ders_kva)
        return np.abs(moved_v - self.solved_v(left)) / self.base_v

    def linear_pu(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        """Every voltage's magnitude after a move, shape as `moved_v`'s, linear in its cube. [pu]

        All powers of |V| agree to first order. One injection P through Z = R + jX from a fixed voltage makes
        d|V|^2/dP = 2 R and d2|V|^2/dP2 = -2 |Z|^2 at P = 0 and |V| = 1 pu, so that |V|^n with
        n = 2 + |Z|^2 / R^2 is linear to second order (with X for R where it is Q that moves). Three is the
        least such n, a single resistance's: it puts right what is sure, and never more.
        """
        change = LINEAR_POWER * self.dv_pu(dp_kw, dq_kvar)
        v_pu = (np.abs(self.node_v) / self.base_v).reshape(-1, *[1] * (change.ndim - 1))
        moved = v_pu**LINEAR_POWER + v_pu ** (LINEAR_POWER - 1) * change
        return np.asarray(np.maximum(moved, 0.0) ** (1 / LINEAR_POWER))

    def voltage_rows(self, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Change of the magnitude at some nodes by kW and by kvar, each of shape (rows, ders). [pu]"""
        weights = np.zeros((self.node_v.size, nodes.size), dtype=np.complex128)
        v = self.node_v[nodes]
        weights[nodes, np.arange(nodes.size)] = v / np.abs(v) / self.base_v[nodes]
        return self.rows(weights)

    def rows(self, weights: ComplexArray | csc_array) -> tuple[FloatArray, FloatArray]:
        """Change by kW and by kvar of Re(conj(w)' V) for each column w of weights, shape (nodes, rows).

        Two arrays of shape (rows, ders), from as many solves as there are rows or twice the DERs, whichever
        is less.
        """
        if weights.shape[1] > 2 * self.injection.shape[1]:
            against = weights.conj().T
            by_p, by_q = self.columns_v(np.arange(self.injection.shape[1]))
            return np.ascontiguousarray((against @ by_p).real), np.ascontiguousarray((against @ by_q).real)
        by_current = self._adjoint(weights)
        sensitivity = np.asarray((self.injection.T @ np.conj(by_current)).T)
        return np.ascontiguousarray(sensitivity.real), np.ascontiguousarray(sensitivity.imag)

    def solved_v(self, current_a: ComplexArray) -> ComplexArray:
        """Change of every voltage by currents into the nodes, shape (nodes,) or (nodes, cases). [V]"""
        current = current_a.reshape(current_a.shape[0], -1)
        n, count = current.shape
        voltage = np.empty((n, count), dtype=np.complex128)
        for first in range(0, count, CHUNK):
            part = current[:, first : first + CHUNK]
            both = self.factors.solve(np.concatenate([part.real, part.imag]))
            voltage[:, first : first + CHUNK] = both[:n] + 1j * both[n:]
        return voltage.reshape(current_a.shape)

    def _adjoint(self, weights: ComplexArray | csc_array) -> ComplexArray:
        """Weights on currents that give what the weights on voltages give."""
        n, count = weights.shape
        found = np.empty((n, count), dtype=np.complex128)
        for first in range(0, count, CHUNK):
            part = weights[:, first : first + CHUNK]
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            both = self.factors.solve(np.concatenate([dense.real, dense.imag]), trans="T")
            found[:, first : first + CHUNK] = both[:n] + 1j * both[n:]
        return found


def _factorised(a: csr_array, b: csr_array) -> SuperLU:
    """Factors of the real form of v -> a v + b conj(v)."""
    plus, minus = csr_array(a + b), csr_array(a - b)
    real = block_array([[plus.real, -minus.imag], [plus.imag, minus.real]], format="csc")
    options = {"SymmetricMode": True}
    return splu(csc_array(real), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT_SHARE, options=options)


def _incidence(legs: Legs, nodes_count: int) -> csr_array:
    """+1 at the node from which a leg draws, -1 where it returns, shape (legs, nodes)."""
    every = np.arange(legs.element.size)
    back = np.flatnonzero(legs.node_to >= 0)
    values = np.concatenate([np.ones(every.size), -np.ones(back.size)])
    places = (np.concatenate([every, back]), np.concatenate([legs.node_from, legs.node_to[back]]))
    return coo_array((values, places), shape=(every.size, nodes_count)).tocsr()


def _between(incidence: csr_array, admittance_s: ComplexArray) -> csr_array:
    """Admittances between the ends of legs as a matrix over the nodes."""
    diagonal = csr_array((admittance_s, (np.arange(admittance_s.size),) * 2), shape=(admittance_s.size,) * 2)
    return csr_array(incidence.T @ diagonal @ incidence)
