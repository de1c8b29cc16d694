"""What is read of a circuit and held to limits, with its slope by every DER.

Node voltages, loadings of lines and transformers, and the apparent power at each feeder's head, in one
vector. A loading is a magnitude: it can fall to zero and rise again. The head's power carries the sign of
its active part, so that import and export are two sides of one quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from federates.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from federates.distribution.circuit import Circuit
from federates.distribution.jacobian import Jacobian
from federates.distribution.layout import Branch

VA_PER_KVA = 1e3
_Weight = tuple[IntArray, ComplexArray]
"""Nodes and a number on each; a node may stand twice."""


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a branch: rows of its admittance, and what its apparent power is divided by."""

    rows: slice
    rating_va: float


class Gauges:
    """Readings of one circuit, in a fixed order: nodes, lines, transformers, feeder heads."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        by_name = {branch.name.lower(): branch for branch in circuit.branches()}
        self._lines = [by_name[name.lower()] for name in circuit.line_ids]
        self._transformers = [by_name[name.lower()] for name in circuit.transformer_ids]
        self._heads = [
            [_rows_of(by_name[end.element.lower()], end.number) for end in head]
            for head in circuit.layout.feeder_heads
        ]
        elements = circuit.line_ids + circuit.transformer_ids
        heads = tuple(f"head.{place}" for place in range(len(self._heads)))
        self.names: tuple[str, ...] = (*circuit.node_names, *elements, *heads)
        kind = np.repeat([0, 1, 2], [len(circuit.node_names), len(elements), len(heads)])
        self.is_voltage: BoolArray = kind == 0
        self.is_loading: BoolArray = kind == 1
        self.is_head: BoolArray = kind == 2

    def values(self) -> FloatArray:
        """Readings of the last solved state, shape (gauges,). [pu], [pu], [kVA]"""
        circuit = self._circuit
        head = circuit.feeder_power_kva().sum(axis=1)
        return np.concatenate(
            [
                circuit.node_v_pu(),
                circuit.line_loading_pu(),
                circuit.transformer_loading_pu(),
                np.where(head.real < 0.0, -1.0, 1.0) * np.abs(head),
            ]
        )

    def slopes(self, jacobian: Jacobian, gauges: IntArray) -> tuple[FloatArray, FloatArray]:
        """Change of some readings by kW and by kvar of every DER, each of shape (rows, ders).

        Parameters
        ----------
        jacobian
            At the circuit's present state.
        gauges
            Places of the readings.
        """
        columns = [self._weight(jacobian, int(place)) for place in gauges]
        sizes = [nodes.size for nodes, _ in columns]
        weights = csc_array(
            (
                np.concatenate([values for _, values in columns]),
                np.concatenate([nodes for nodes, _ in columns]),
                np.concatenate([[0], np.cumsum(sizes)]),
            ),
            shape=(jacobian.node_v.size, len(columns)),
        )
        return jacobian.rows(weights)

    def head_power_slopes(self, jacobian: Jacobian) -> tuple[FloatArray, FloatArray]:
        """Change of the active power drawn at each feeder's head by kW and by kvar of every DER.

        Each of shape (feeders, ders). [kW/kW], [kW/kvar]
        """
        weights = np.zeros((jacobian.node_v.size, len(self._heads)), dtype=np.complex128)
        for place, head in enumerate(self._heads):
            for branch, rows in head:
                nodes, values = self._power_weight(jacobian.node_v, branch, rows, 1.0 + 0j)
                np.add.at(weights[:, place], nodes, values / VA_PER_KVA)
        return jacobian.rows(weights)

    def _weight(self, jacobian: Jacobian, place: int) -> _Weight:
        """Nodes and values w with d(reading) = Re(conj(w)' dV)."""
        v = jacobian.node_v
        if self.is_voltage[place]:
            weight = complex(_unit(v[place]) / jacobian.base_v[place])
            return np.array([place]), np.array([weight], dtype=np.complex128)
        place -= len(self._circuit.node_names)
        if place < len(self._lines):
            return self._current_weight(v, self._lines[place])
        place -= len(self._lines)
        if place < len(self._transformers):
            return self._largest_end_weight(v, self._transformers[place])
        return self._head_weight(v, self._heads[place - len(self._transformers)])

    def _current_weight(self, v: ComplexArray, line: Branch) -> _Weight:
        """Of the largest phase current over the ampacity."""
        nodes, y = self._element(line)
        current = y @ v[nodes]
        k = int(np.argmax(np.abs(current)))
        return nodes, _unit(current[k]) * np.conj(y[k]) / line.ampacity_a

    def _largest_end_weight(self, v: ComplexArray, branch: Branch) -> _Weight:
        """Of the largest of the ends' apparent powers over their ratings."""
        ends = _ends(branch)
        power = np.array([self._end_power_va(v, branch, end.rows) / end.rating_va for end in ends])
        k = int(np.argmax(np.abs(power)))
        nodes, values = self._power_weight(v, branch, ends[k].rows, _unit(power[k]))
        return nodes, values / ends[k].rating_va

    def _head_weight(self, v: ComplexArray, head: Sequence[tuple[Branch, slice]]) -> _Weight:
        power = complex(sum(self._end_power_va(v, branch, rows) for branch, rows in head))
        unit = _unit(power if power.real >= 0.0 else -power)
        parts = [self._power_weight(v, branch, rows, unit) for branch, rows in head]
        return (
            np.concatenate([nodes for nodes, _ in parts]),
            np.concatenate([values / VA_PER_KVA for _, values in parts]),
        )

    def _end_power_va(self, v: ComplexArray, branch: Branch, rows: slice) -> complex:
        nodes, y = self._element(branch)
        return complex(np.sum(v[nodes][rows] * np.conj(y @ v[nodes])[rows]))

    def _power_weight(self, v: ComplexArray, branch: Branch, rows: slice, unit: complex) -> _Weight:
        """Of the part of an end's power along ``unit``, a complex number of magnitude 1.

        d Re(conj(u) V conj(I)) = Re(conj(u) conj(I) dV + u conj(V) dI).
        """
        nodes, y = self._element(branch)
        at = v[nodes]
        along = unit * np.conj(at[rows]) @ y[rows]
        along[rows] += np.conj(unit) * np.conj(y @ at)[rows]
        return nodes, np.conj(along)

    def _element(self, branch: Branch) -> tuple[IntArray, ComplexArray]:
        return np.array(branch.nodes1 + branch.nodes2, dtype=np.int64), self._circuit.yprim(branch.name)


def _unit(value: complex) -> complex:
    """Direction of a number; that of the positive axis for zero, where a magnitude has no slope."""
    return value / abs(value) if value else 1.0 + 0j


def _rows_of(branch: Branch, number: int) -> tuple[Branch, slice]:
    first = len(branch.nodes1)
    return branch, slice(0, first) if number == 1 else slice(first, None)


def _ends(branch: Branch) -> Sequence[_End]:
    """Primary and secondary, or the two halves of a secondary, with their ratings."""
    first, count = len(branch.nodes1), branch.ends_count - 1
    size = len(branch.nodes2) // count
    ends = [_End(slice(0, first), VA_PER_KVA * branch.kva)]
    for k in range(count):
        rows = slice(first + k * size, first + (k + 1) * size)
        ends.append(_End(rows, VA_PER_KVA * branch.kva / count))
    return ends
