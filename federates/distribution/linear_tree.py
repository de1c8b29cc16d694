"""The tree of branch-phases below a feeder's head: which conductor feeds which node.

A branch-phase is one conductor of a series element, named by the node it feeds. Elements of which no far-end
voltage follows from the near end (delta windings, centre taps, unequal phase counts) end the tree: the nodes
behind them are listed as uncovered, and what happens there is felt at the element's near end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.distribution.layout import Branch, Terminal

CONDITION_LIMIT = 1e4
"""Above this condition number the far end floats (a delta winding, which the engine ties to ground with a
millionth of its rating) and is not covered; lines and star windings stay below a hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPort:
    """An element seen from the head, ground removed: near conductors first."""

    near: IntArray
    """Places of the near nodes, shape (k,)."""
    far: IntArray
    """Places of the far nodes, shape (k,)."""
    y_s: ComplexArray
    """Admittance, near rows first, shape (2k, 2k). [S]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Branch-phases below one head, parents before children; places count branch-phases."""

    branches: tuple[Branch, ...]
    """Elements of the tree, head first."""
    reversed_: tuple[bool, ...]
    """Whether the element's terminal 2 is the near one."""
    element: IntArray
    """Place in ``branches`` of each branch-phase, shape (m,)."""
    near: IntArray
    """Node at the near end, shape (m,)."""
    far: IntArray
    """Node at the far end, shape (m,)."""
    parent: IntArray
    """Branch-phase that feeds the near node; -1 at the head, shape (m,)."""
    rating_a: FloatArray
    """Current rating; infinite where the rating is in kVA, shape (m,). [A]"""
    rating_kva: FloatArray
    """Power rating per phase; infinite where it is in A, shape (m,). [kVA]"""
    anchors: dict[int, IntArray]
    """Uncovered node -> near nodes of the element behind which it lies."""

    @property
    def uncovered_nodes(self) -> tuple[int, ...]:
        """Nodes below the head whose voltage the map does not give."""
        return tuple(sorted(self.anchors))


def two_port(branch: Branch, yprim_s: ComplexArray, *, reverse: bool) -> TwoPort:
    """Branch seen from the head: near end first."""
    n1, n2 = len(branch.nodes1), len(branch.nodes2)
    first, second = np.arange(n1), np.arange(n1, n1 + n2)
    near, far = (second, first) if reverse else (first, second)
    keep = np.concatenate([near, far])
    nodes = np.array(branch.nodes1 + branch.nodes2, dtype=np.int64)
    return TwoPort(near=nodes[near], far=nodes[far], y_s=yprim_s[np.ix_(keep, keep)])


def is_covered(port: TwoPort) -> bool:
    """Whether the far voltages follow from the near ones, conductor by conductor."""
    k = port.near.size
    if k == 0 or port.far.size != k or np.unique(port.far).size != k:
        return False
    return bool(np.linalg.cond(port.y_s[k:, k:]) < CONDITION_LIMIT)


def grow_tree(
    branches: Sequence[Branch],
    yprim_s: Callable[[str], ComplexArray],
    heads: Sequence[Terminal],
) -> Tree:
    """Tree of the branch-phases that hang below the head terminals.

    Parameters
    ----------
    branches
        Series elements of the whole circuit; other feeders at the same bus are not entered.
    yprim_s
        Gives an element's primitive admittance, terminal 1 first. [S]
    heads
        Terminals of the feeder's first elements at the medium-voltage bus.

    Raises
    ------
    ConfigError
        If the elements close a loop, or a head names no element.
    """
    grower = _Grower(branches, yprim_s)
    grower.grow(heads)
    return grower.tree()


class _Grower:
    """Breadth-first walk from the head, element by element, in circuit order."""

    def __init__(self, branches: Sequence[Branch], yprim_s: Callable[[str], ComplexArray]) -> None:
        self._branches = branches
        self._yprim_s = yprim_s
        self._touching: dict[int, list[int]] = {}
        for k, branch in enumerate(branches):
            for node in branch.nodes1 + branch.nodes2:
                self._touching.setdefault(node, []).append(k)
        self._fed_by: dict[int, int] = {}
        self._queue: deque[int] = deque()
        self._placed: set[int] = set()
        self._anchors: dict[int, IntArray] = {}
        self._order: list[tuple[Branch, bool, TwoPort]] = []
        self._count = 0

    def grow(self, heads: Sequence[Terminal]) -> None:
        """Place every element that hangs below the heads; the head's bus itself is not walked through."""
        places = {branch.name.lower(): k for k, branch in enumerate(self._branches)}
        missing = [head.element for head in heads if head.element.lower() not in places]
        if missing or not heads:
            raise ConfigError(
                f"feeder map: no series element {missing} at the head; check the circuit's layout"
            )
        firsts = [(places[head.element.lower()], head.number) for head in heads]
        for k, number in firsts:
            branch = self._branches[k]
            for node in branch.nodes1 if number == 1 else branch.nodes2:
                self._fed_by[node] = -1
        for k, _ in firsts:
            self._try(k)
        while self._queue:
            for k in self._touching[self._queue.popleft()]:
                if k not in self._placed:
                    self._try(k)

    def _try(self, k: int) -> None:
        """Place element ``k`` if one of its ends is fed on all conductors."""
        branch = self._branches[k]
        fed1, fed2 = (all(n in self._fed_by for n in end) for end in (branch.nodes1, branch.nodes2))
        if fed1 and fed2:
            raise ConfigError(f"feeder map: {branch.name} closes a loop; open a switch or leave the map out")
        if not (fed1 or fed2):
            return
        self._placed.add(k)
        port = two_port(branch, self._yprim_s(branch.name), reverse=fed2)
        behind = [int(n) for n in port.near if int(n) in self._anchors]
        if behind:
            self._cover_by(port, self._anchors[behind[0]])
        elif not is_covered(port):
            self._cover_by(port, port.near)
        else:
            self._feed(branch, fed2, port)

    def _cover_by(self, port: TwoPort, anchor: IntArray) -> None:
        for node in port.far:
            self._anchors[int(node)] = anchor
            self._reach(int(node), -1)

    def _feed(self, branch: Branch, reverse: bool, port: TwoPort) -> None:
        self._order.append((branch, reverse, port))
        for node in port.far:
            if int(node) in self._fed_by:
                raise ConfigError(f"feeder map: {branch.name} feeds a node that is fed already")
            self._reach(int(node), self._count)
            self._count += 1

    def _reach(self, node: int, branch_phase: int) -> None:
        self._fed_by[node] = branch_phase
        self._queue.append(node)

    def tree(self) -> Tree:
        """The walk's result as arrays."""
        if not self._order:
            raise ConfigError("feeder map: no element below the head is covered; check the head's nodes")
        branches = [branch for branch, _, _ in self._order]
        ports = [port for _, _, port in self._order]
        sizes = [port.far.size for port in ports]
        near = np.concatenate([port.near for port in ports])
        return Tree(
            branches=tuple(branches),
            reversed_=tuple(reverse for _, reverse, _ in self._order),
            element=np.repeat(np.arange(len(ports)), sizes),
            near=near,
            far=np.concatenate([port.far for port in ports]),
            parent=np.array([self._fed_by[int(n)] for n in near], dtype=np.int64),
            rating_a=np.repeat([b.ampacity_a for b in branches], sizes),
            rating_kva=np.repeat([b.kva / n for b, n in zip(branches, sizes, strict=True)], sizes),
            anchors=dict(sorted(self._anchors.items())),
        )
