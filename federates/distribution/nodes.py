"""Buses and phases of a circuit's nodes, and which of them a bus feeds."""

from __future__ import annotations

from collections.abc import Iterator

from federates.distribution.circuit import Circuit
from federates.distribution.layout import Branch

PHASES = {1, 2, 3}
"""Numbers of the phases at a bus."""


def bus_of(circuit: Circuit, node: int) -> str:
    """Bus of a node."""
    return circuit.node_names[node].rsplit(".", 1)[0]


def phase_of(circuit: Circuit, node: int) -> int:
    """Number of a node at its bus: its phase, or beyond 3 another conductor."""
    return int(circuit.node_names[node].rsplit(".", 1)[1])


def fed_from(circuit: Circuit, bus: str, stop: frozenset[int] | set[int] = frozenset()) -> set[int]:
    """Nodes joined to a bus, conductor by conductor, through no node of ``stop``.

    A transformer feeds its whole far end.
    """
    near: dict[int, list[int]] = {}
    for branch in circuit.branches():
        for a, b in _joined(branch):
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    front = [n for n in range(len(circuit.node_names)) if bus_of(circuit, n) == bus]
    front = [n for n in front if phase_of(circuit, n) in PHASES]
    fed = set(front)
    while front:
        new = [n for n in near.get(front.pop(), []) if n not in fed]
        fed.update(new)
        front += [n for n in new if n not in stop]
    return fed


def _joined(branch: Branch) -> Iterator[tuple[int, int]]:
    if branch.kind == "line":
        yield from zip(branch.nodes1, branch.nodes2, strict=False)
    else:
        yield from ((a, b) for a in branch.nodes1 for b in branch.nodes2)
