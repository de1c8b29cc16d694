"""From the engine's one array of all terminal powers to the figures that are asked for.

The array holds a power for every conductor of every series element and capacitor, first end first; places in
it are found once, so that a reading is a few sums over slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.distribution.layout import Branch, CircuitLayout, Terminal

_A = np.exp(2j * np.pi / 3)
_TO_SEQUENCE = np.array([[1, 1, 1], [1, _A, _A**2], [1, _A**2, _A]]) / 3
"""Phases to zero, positive, negative sequence (Fortescue)."""


class Metering:
    """Readings of one circuit.

    Parameters
    ----------
    layout
        Of the circuit.
    node_names
        As ``bus.phase``.
    conductors
        Per element, in the engine's order: the node of every conductor, end by end, -1 for ground.
    branches
        The series elements among them.

    Raises
    ------
    ConfigError
        If the layout names a terminal that no element has.
    """

    def __init__(
        self,
        layout: CircuitLayout,
        node_names: Sequence[str],
        conductors: Mapping[str, Sequence[Sequence[int]]],
        branches: Sequence[Branch],
    ) -> None:
        self._name = layout.name
        self._slots: dict[tuple[str, int], range] = {}
        count = 0
        for element, ends in conductors.items():
            for number, nodes in enumerate(ends, start=1):
                self._slots[element.lower(), number] = range(count, count + len(nodes))
                count += len(nodes)
        self.node: IntArray = np.array(
            [node for ends in conductors.values() for nodes in ends for node in nodes], dtype=np.int64
        )
        self._phase: IntArray = np.array(
            [int(node_names[node].rsplit(".", 1)[1]) - 1 if node >= 0 else -1 for node in self.node],
            dtype=np.int64,
        )
        lines = [branch for branch in branches if branch.kind == "line"]
        others = [branch for branch in branches if branch.kind != "line"]
        self.line_ids: tuple[str, ...] = tuple(branch.name for branch in lines)
        self.transformer_ids: tuple[str, ...] = tuple(branch.name for branch in others)
        self._ampacity_a: FloatArray = np.array([branch.ampacity_a for branch in lines])
        self._line_slots, end, of = self._ends(lines)
        self._line_of: IntArray = of[end]
        self._transformer_slots, self._transformer_end, self._transformer_of = self._ends(others)
        self._end_kva: FloatArray = np.array([kva for branch in others for kva in _end_kva(branch)])
        self._interface = self.slots(layout.interface)
        heads = [self.slots(head) for head in layout.feeder_heads]
        self._heads: IntArray = np.concatenate([np.zeros(0, np.int64), *heads])
        self._head_of: IntArray = np.repeat(np.arange(len(heads)), [head.size for head in heads])

    def slots(self, terminals: Sequence[Terminal]) -> IntArray:
        """Return the places of the terminals' ungrounded conductors in the array of powers."""
        found: list[int] = []
        for terminal in terminals:
            slots = self._slots.get((terminal.element.lower(), terminal.number))
            if slots is None:
                raise ConfigError(f"circuit {self._name!r} has no series element {terminal.element!r}")
            found += [slot for slot in slots if self.node[slot] >= 0]
        return np.array(found, dtype=np.int64)

    def head_power_kva(self, power_kva: ComplexArray) -> ComplexArray:
        """Return what the interface draws per phase, shape (3,). [kVA]"""
        return _summed(power_kva[self._interface], self._phase[self._interface], 3)

    def feeder_power_kva(self, power_kva: ComplexArray) -> ComplexArray:
        """Return what each feeder draws per phase, shape (feeders, 3). [kVA]"""
        feeders = int(self._head_of.max(initial=-1)) + 1
        owner = 3 * self._head_of + self._phase[self._heads]
        return _summed(power_kva[self._heads], owner, 3 * feeders).reshape(-1, 3)

    def head_sequence_a(self, power_kva: ComplexArray, voltage_v: ComplexArray) -> FloatArray:
        """Return zero-, positive- and negative-sequence current of the interface, shape (3,). [A]"""
        voltage = np.ones(3, dtype=np.complex128)
        voltage[self._phase[self._interface]] = voltage_v[self.node[self._interface]]
        current = np.conj(1e3 * self.head_power_kva(power_kva) / voltage)
        magnitude: FloatArray = np.abs(_TO_SEQUENCE @ current)
        return magnitude

    def line_loading_pu(self, power_kva: ComplexArray, voltage_v: ComplexArray) -> FloatArray:
        """Return the largest phase current over the ampacity, shape (lines,)."""
        slots = self._line_slots
        current_a = 1e3 * np.abs(power_kva[slots]) / np.abs(voltage_v[self.node[slots]])
        largest: FloatArray = np.zeros(len(self.line_ids))
        np.maximum.at(largest, self._line_of, current_a)
        loading: FloatArray = largest / self._ampacity_a
        return loading

    def transformer_loading_pu(self, power_kva: ComplexArray) -> FloatArray:
        """Return the largest end's apparent power over its rating, shape (transformers,).

        Each half of a centre-tapped secondary carries half of the rating.
        """
        ends = _summed(power_kva[self._transformer_slots], self._transformer_end, self._end_kva.size)
        largest: FloatArray = np.zeros(len(self.transformer_ids))
        np.maximum.at(largest, self._transformer_of, np.abs(ends) / self._end_kva)
        return largest

    def _ends(self, branches: Sequence[Branch]) -> tuple[IntArray, IntArray, IntArray]:
        """Return the branches' ungrounded conductors, the end of each, and the branch of each end."""
        slots: list[IntArray] = [np.zeros(0, np.int64)]
        branch_of = []
        for place, branch in enumerate(branches):
            for number in range(1, branch.ends_count + 1):
                slots.append(self.slots((Terminal(element=branch.name, number=number),)))
                branch_of.append(place)
        end = np.repeat(np.arange(len(branch_of)), [part.size for part in slots[1:]])
        return np.concatenate(slots), end, np.array(branch_of, dtype=np.int64)


def _end_kva(branch: Branch) -> tuple[float, ...]:
    """Ratings of a transformer's ends."""
    return (branch.kva, *[branch.kva / (branch.ends_count - 1)] * (branch.ends_count - 1))


def _summed(values: ComplexArray, owner: IntArray, size: int) -> ComplexArray:
    total: ComplexArray = np.bincount(owner, values.real, size) + 1j * np.bincount(owner, values.imag, size)
    return total
