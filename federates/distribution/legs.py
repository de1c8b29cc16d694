"""The legs of loads and DERs: the pairs of nodes between which each draws or injects.

A single-phase element has one leg, to ground or between two nodes; a three-phase element has three, to ground
in star and from phase to phase in delta. Its power is the same on every leg.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.distribution.layout import LoadRatings

V_PER_KV = 1e3
PAIR = 2
OPPOSITE = -0.9
"""Real part of the ratio of two legs' voltages below which they are those of a centre tap; that of two phases
is -0.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """Legs of several elements, element by element; every array has shape (legs,)."""

    element: IntArray
    """Place of the element."""
    node_from: IntArray
    """Place of the node in the circuit's node vector."""
    node_to: IntArray
    """Place of the other node; -1 for ground."""
    share: FloatArray
    """Part of the element's power."""
    rated_v: FloatArray
    """Voltage at which a load draws its rated power; NaN where there is none. [V]"""

    def across_v(self, node_v: ComplexArray) -> ComplexArray:
        """Voltage across each leg, from the voltages of all nodes to ground. [V]"""
        return np.asarray(node_v[self.node_from] - np.where(self.node_to >= 0, node_v[self.node_to], 0.0))

    def nominal_v(self, base_v: FloatArray, node_v: ComplexArray) -> FloatArray:
        """Nominal voltage of each leg: to ground, between phases, or between the legs of a centre tap. [V]

        Parameters
        ----------
        base_v
            Line-to-neutral base of every node, shape (nodes,). [V]
        node_v
            Voltages by which a centre tap is told from two phases, shape (nodes,). [V]
        """
        ratio = (node_v[self.node_from] / node_v[self.node_to]).real
        between = np.where(ratio < OPPOSITE, 2.0, math.sqrt(3.0))
        return np.asarray(base_v[self.node_from] * np.where(self.node_to >= 0, between, 1.0))


def load_legs(nodes: Sequence[Sequence[int]], ratings: LoadRatings) -> Legs:
    """Legs of loads.

    Parameters
    ----------
    nodes
        Ungrounded nodes of each load.
    ratings
        Of the loads; several phases in star are rated line-to-line, their legs to neutral.
    """
    cases = list(zip(nodes, ratings.phases_count.tolist(), ratings.is_delta.tolist(), strict=True))
    ends = [_delta(n, phases) if delta else _star(n, phases) for n, phases, delta in cases]
    to_neutral = [phases > 1 and not delta for _, phases, delta in cases]
    return _legs(ends, V_PER_KV * ratings.kv / np.where(to_neutral, math.sqrt(3), 1.0))


def der_legs(nodes: Sequence[Sequence[int]]) -> Legs:
    """Legs of DERs: to ground on one or three phases, between two."""
    ends = [_delta(n, 1) if len(n) == PAIR else _star(n, len(n)) for n in nodes]
    return _legs(ends, np.full(len(nodes), np.nan))


def _star(nodes: Sequence[int], phases: int) -> list[tuple[int, int]]:
    """From each phase to the neutral: to ground, or to the one node more than there are phases."""
    neutral = nodes[phases] if len(nodes) > phases else -1
    return [(node, neutral) for node in nodes[:phases]]


def _delta(nodes: Sequence[int], phases: int) -> list[tuple[int, int]]:
    """From phase to phase; one phase is one leg."""
    around = [*nodes, nodes[0] if len(nodes) > PAIR else -1]
    return [(around[k], around[k + 1]) for k in range(phases)]


def _legs(ends: Sequence[Sequence[tuple[int, int]]], rated_v: FloatArray) -> Legs:
    element = np.repeat(np.arange(len(ends)), [len(legs) for legs in ends])
    both = np.array([leg for legs in ends for leg in legs], dtype=np.int64).reshape(-1, 2)
    return Legs(
        element=element,
        node_from=both[:, 0],
        node_to=both[:, 1],
        share=np.concatenate([np.zeros(0), *(np.full(len(legs), 1.0 / len(legs)) for legs in ends)]),
        rated_v=rated_v[element],
    )
