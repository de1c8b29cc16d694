"""Linear map of a radial three-phase feeder, exact at its operating point.

For a series element with primitive admittance blocks Y11 ... Y22, the far voltage is V2 = A V1 - Z I with
A = -Y22^-1 Y21 and Z = Y22^-1: lines with charging, regulators at their present tap and wye transformers
alike. With w = |V|^2 and S = P + jQ leaving the element at its far end, and to first order in S::

    w2_k = |A_k V1|^2 / |V1_k|^2 w1_k - 2 sum_h Re(conj(V2_k) / conj(V2_h) Z_kh conj(S_h)) - |Z_k I|^2

Voltage ratios and the last term are those of the operating point, so that the map reproduces it; losses stay
constant. Over the tree of branch-phases, with T the incidence of injections in subtrees::

    dw = L^-1 (Cr T dp + Ci T dq),   L = I - shift(a2),   dS = -T (dp + j dq),   dP_head = -sum dp

Source: the LinDist3Flow equations (Arnold, Sankur, Dobbe, Brady, Callaway, Von Meier, IEEE PESGM 2016),
written here around an arbitrary operating point instead of balanced flat voltages.

All DER arrays of this module stand in the map's own order (``FeederMap.order``): by place in the circuit,
phase and kind, never by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import SuperLU, splu

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.distribution.layout import Branch, Terminal
from federates.distribution.linear_tree import Tree, grow_tree, two_port

W_PER_KW = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class DerSite:
    """Where a DER is connected."""

    nodes: tuple[int, ...]
    """Places of its phase nodes in the circuit's node vector; power is spread equally over them."""
    kind: str
    """Model key; orders DERs at one place."""
    rated_kw: float
    """Orders DERs of one kind at one place. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """All tree elements with the same number of conductors k; n of them."""

    elements: IntArray
    """Places in ``Tree.branches``, shape (n,)."""
    branch_phases: IntArray
    """Branch-phases, shape (n, k)."""
    near: IntArray
    """Near nodes, shape (n, k)."""
    far: IntArray
    """Far nodes, shape (n, k)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesParameters:
    """Admittances and far-end forms of every group at the present taps."""

    y_s: tuple[ComplexArray, ...]
    """Admittance per group, shape (n, 2k, 2k). [S]"""
    a: tuple[ComplexArray, ...]
    """Voltage ratio A per group, shape (n, k, k)."""
    z_ohm: tuple[ComplexArray, ...]
    """Impedance Z per group, shape (n, k, k). [ohm]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """What multiplies injections in the map: slow to change, kept over several operating points."""

    real: csr_array
    """Cr, shape (m, m). [pu^2 per kW]"""
    imag: csr_array
    """Ci, shape (m, m). [pu^2 per kvar]"""
    solve_tree: SuperLU
    """Factors of L, shape (m, m)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederMap:
    """What never changes about one feeder: tree, incidence, bases, ratings."""

    tree: Tree
    order: IntArray
    """Fleet place of each DER of the map, shape (ders,)."""
    incidence: csr_array
    """T: share of each DER's injection in the subtree of each branch-phase, shape (m, ders)."""
    incidence_t: csr_array
    """Its transpose."""
    base_v: FloatArray
    """Line-to-neutral base at each far node, shape (m,). [V]"""
    near_base_v: FloatArray
    """Line-to-neutral base at each near node, shape (m,). [V]"""
    groups: tuple[_Group, ...]
    head: IntArray
    """Branch-phases that leave the head, shape (heads,)."""

    @property
    def branch_phases_count(self) -> int:
        """Number of branch-phases m."""
        return self.tree.far.size

    @property
    def ders_count(self) -> int:
        """Number of DERs."""
        return self.order.size

    def to_map_order(self, fleet: FloatArray) -> FloatArray:
        """Fleet-ordered values, last axis (ders,), in the map's order."""
        return fleet[..., self.order]

    def to_fleet_order(self, values: FloatArray) -> FloatArray:
        """Map-ordered values, last axis (ders,), in the fleet's order."""
        fleet = np.empty_like(values)
        fleet[..., self.order] = values
        return fleet

    def series(self, yprim_s: Callable[[str], ComplexArray]) -> SeriesParameters:
        """Parameters of all elements, from their primitive admittances at the present taps."""
        return _parameters(
            [np.stack([self._y_s(int(k), yprim_s) for k in group.elements]) for group in self.groups]
        )

    def with_taps_moved(
        self, series: SeriesParameters, yprim_s: Callable[[str], ComplexArray]
    ) -> SeriesParameters:
        """Parameters with the admittances of regulators read again."""
        y = [block.copy() for block in series.y_s]
        for block, group in zip(y, self.groups, strict=True):
            for row, k in enumerate(group.elements):
                if self.tree.branches[k].kind == "regulator":
                    block[row] = self._y_s(int(k), yprim_s)
        return _parameters(y)

    def _y_s(self, k: int, yprim_s: Callable[[str], ComplexArray]) -> ComplexArray:
        branch = self.tree.branches[k]
        return two_port(branch, yprim_s(branch.name), reverse=self.tree.reversed_[k]).y_s

    def operating_point(
        self,
        series: SeriesParameters,
        node_v: ComplexArray,
        p_kw: FloatArray,
        q_kvar: FloatArray,
        coefficients: Coefficients | None = None,
    ) -> OperatingPoint:
        """The map at a solved state of the circuit.

        Parameters
        ----------
        node_v
            Voltages of all nodes of the circuit. [V]
        p_kw, q_kvar
            Injections of the DERs in that state, shape (ders,), in the map's order. [kW], [kvar]
        coefficients
            Kept from an earlier point (only right-hand sides are new); None computes them here.
        """
        m = self.branch_phases_count
        s_kva = np.zeros(m, dtype=np.complex128)
        near_kva = np.zeros(m, dtype=np.complex128)
        for group, y, a in zip(self.groups, series.y_s, series.a, strict=True):
            k = group.far.shape[1]
            v1, v2 = node_v[group.near], node_v[group.far]
            current = _times(y[:, k:, k:], _times(a, v1) - v2)
            into = _times(y[:, :k, :k], v1) + _times(y[:, :k, k:], v2)
            s_kva[group.branch_phases] = v2 * np.conj(current) / W_PER_KW
            near_kva[group.branch_phases] = v1 * np.conj(into) / W_PER_KW
        head_kva = complex(near_kva[self.head].sum())
        return OperatingPoint(
            map=self,
            coefficients=self._coefficients(series, node_v) if coefficients is None else coefficients,
            w_pu2=(np.abs(node_v[self.tree.far]) / self.base_v) ** 2,
            s_kva=s_kva,
            into_kw=near_kva.real,
            limit_kva=np.minimum(
                self.tree.rating_kva, self.tree.rating_a * np.abs(node_v[self.tree.far]) / W_PER_KW
            ),
            p_head_kw=head_kva.real,
            q_head_kvar=head_kva.imag,
            p_kw=p_kw,
            q_kvar=q_kvar,
        )

    def _coefficients(self, series: SeriesParameters, node_v: ComplexArray) -> Coefficients:
        m = self.branch_phases_count
        ratio = np.zeros(m)
        rows, columns, values = [], [], []
        for group, a, z in zip(self.groups, series.a, series.z_ohm, strict=True):
            v1, v2 = node_v[group.near], node_v[group.far]
            place = group.branch_phases
            ratio[place] = (np.abs(_times(a, v1)) / np.abs(v1)) ** 2
            by_base = 2 * W_PER_KW / self.base_v[place] ** 2
            values.append(
                (by_base[:, :, None] * z * np.conj(v2)[:, :, None] / np.conj(v2)[:, None, :]).ravel()
            )
            rows.append(np.broadcast_to(place[:, :, None], z.shape).ravel())
            columns.append(np.broadcast_to(place[:, None, :], z.shape).ravel())
        ratio *= (self.near_base_v / self.base_v) ** 2
        c = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(m, m))
        return Coefficients(real=csr_array(c.real), imag=csr_array(c.imag), solve_tree=self._factors(ratio))

    def _factors(self, ratio: FloatArray) -> SuperLU:
        """Factors of L = I - shift(ratio): already triangular, so nothing is permuted."""
        m = self.branch_phases_count
        child = np.flatnonzero(self.tree.parent >= 0)
        every = np.arange(m)
        matrix = csc_array(
            (
                np.concatenate([np.ones(m), -ratio[child]]),
                (np.concatenate([every, child]), np.concatenate([every, self.tree.parent[child]])),
            ),
            shape=(m, m),
        )
        return splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """The map of one feeder around one solved state; DER arrays in the map's order."""

    map: FeederMap
    coefficients: Coefficients
    w_pu2: FloatArray
    """Squared voltage at each far node, shape (m,). [pu^2]"""
    s_kva: ComplexArray
    """Power leaving each branch-phase at its far end, shape (m,). [kVA]"""
    into_kw: FloatArray
    """Power entering it at its near end, shape (m,). [kW]"""
    limit_kva: FloatArray
    """Rating at the voltage of the far node, as ``s_kva``, shape (m,); infinite where there is none. [kVA]"""
    p_head_kw: float
    """Drawn at the head. [kW]"""
    q_head_kvar: float
    """Drawn at the head. [kvar]"""
    p_kw: FloatArray
    """Injections of the DERs, shape (ders,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections of the DERs, shape (ders,). [kvar]"""

    @property
    def incidence(self) -> csr_array:
        """Share of each DER's injection in the subtree of each branch-phase, shape (m, ders)."""
        return self.map.incidence

    @property
    def relief_by_p(self) -> FloatArray:
        """How much less is drawn at the head by a kW injected: 1, as losses stay, shape (ders,). [kW/kW]"""
        return np.ones_like(self.p_kw)

    @property
    def relief_by_q(self) -> FloatArray:
        """How much less is drawn at the head by a kvar injected: 0, as losses stay, shape (ders,)."""
        return np.zeros_like(self.q_kvar)

    def dw_pu2(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        """Change of w, shape (m,) or (m, moves), for moves of shape (ders,) or (ders, moves). [pu^2]"""
        drive = self.coefficients.real @ (self.map.incidence @ dp_kw)
        if dq_kvar is not None:
            drive += self.coefficients.imag @ (self.map.incidence @ dq_kvar)
        return np.asarray(self.coefficients.solve_tree.solve(drive))

    def flows_kva(self, dp_kw: FloatArray, dq_kvar: FloatArray) -> ComplexArray:
        """Power leaving each branch-phase after a move, shape (m,) or (m, moves). [kVA]"""
        change = self.map.incidence @ (dp_kw + 1j * dq_kvar)
        return np.asarray((self.s_kva if change.ndim == 1 else self.s_kva[:, None]) - change)

    def voltage_rows(self, branch_phases: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of dw/dp and dw/dq at some branch-phases, each shape (rows, ders), by adjoint solves."""
        m = self.map.branch_phases_count
        unit = np.zeros((m, branch_phases.size))
        unit[branch_phases, np.arange(branch_phases.size)] = 1.0
        adjoint = self.coefficients.solve_tree.solve(unit, trans="T")
        incidence = self.map.incidence_t
        real = (incidence @ (self.coefficients.real.T @ adjoint)).T
        imag = (incidence @ (self.coefficients.imag.T @ adjoint)).T
        return np.ascontiguousarray(real), np.ascontiguousarray(imag)

    def head_power_kw(self, p_kw: FloatArray, q_kvar: FloatArray) -> float:  # noqa: ARG002 - AreaTangent's form
        """Power drawn at the head when the DERs inject ``p_kw``, losses as at the operating point. [kW]"""
        return self.p_head_kw - float(np.sum(p_kw - self.p_kw))

    def voltage_pu(self, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
        """Voltage at each far node when the DERs inject ``p_kw`` and ``q_kvar``, shape (m,). [pu]"""
        w = self.w_pu2 + self.dw_pu2(p_kw - self.p_kw, q_kvar - self.q_kvar)
        return np.asarray(np.sqrt(np.maximum(w, 0.0)))


def build_map(
    branches: Sequence[Branch],
    yprim_s: Callable[[str], ComplexArray],
    heads: Sequence[Terminal],
    node_base_v: FloatArray,
    sites: Sequence[DerSite],
) -> FeederMap:
    """Static part of one feeder's map.

    Parameters
    ----------
    branches
        Series elements of the whole circuit, in circuit order.
    yprim_s
        Gives an element's primitive admittance, terminal 1 first. [S]
    heads
        Terminals of the feeder's first elements at the medium-voltage bus, whose voltage is data.
    node_base_v
        Line-to-neutral base of every node of the circuit. [V]
    sites
        Connections of the feeder's DERs, in fleet order.

    Raises
    ------
    ConfigError
        If the feeder is not radial, or a DER is connected at a node that is not below the head.
    """
    tree = grow_tree(branches, yprim_s, heads)
    order = np.array(
        sorted(range(len(sites)), key=lambda d: (sites[d].nodes, sites[d].kind, sites[d].rated_kw)),
        dtype=np.int64,
    )
    shares = incidence(tree, [sites[d] for d in order])
    return FeederMap(
        tree=tree,
        order=order,
        incidence=shares,
        incidence_t=csr_array(shares.T),
        base_v=node_base_v[tree.far],
        near_base_v=node_base_v[tree.near],
        groups=_groups(tree),
        head=np.flatnonzero(tree.parent < 0),
    )


def _groups(tree: Tree) -> tuple[_Group, ...]:
    sizes = np.bincount(tree.element)
    groups = []
    for k in np.unique(sizes):
        elements = np.flatnonzero(sizes == k)
        places = np.flatnonzero(np.isin(tree.element, elements)).reshape(elements.size, k)
        groups.append(
            _Group(elements=elements, branch_phases=places, near=tree.near[places], far=tree.far[places])
        )
    return tuple(groups)


def incidence(tree: Tree, sites: Sequence[DerSite]) -> csr_array:
    """Share of what is injected at each site that each branch-phase carries, shape (m, sites).

    Raises
    ------
    ConfigError
        If a site is not below the head.
    """
    fed_by = dict.fromkeys((int(n) for n in tree.near[tree.parent < 0]), -1)
    fed_by |= {int(n): e for e, n in enumerate(tree.far)}
    shares: dict[tuple[int, int], float] = {}
    for d, site in enumerate(sites):
        for node in site.nodes:
            near = tree.anchors.get(node, np.array([node]))
            for anchor in near:
                if int(anchor) not in fed_by:
                    raise ConfigError(f"feeder map: DER {d} ({site.kind}) is not connected below the head")
                e = fed_by[int(anchor)]
                while e >= 0:
                    shares[e, d] = shares.get((e, d), 0.0) + 1 / (len(site.nodes) * near.size)
                    e = int(tree.parent[e])
    rows = np.array([e for e, _ in shares], dtype=np.int64)
    columns = np.array([d for _, d in shares], dtype=np.int64)
    values = np.array(list(shares.values()), dtype=np.float64)
    return csr_array((values, (rows, columns)), shape=(tree.far.size, len(sites)))


def _parameters(y: Iterable[ComplexArray]) -> SeriesParameters:
    blocks = tuple(y)
    half = [block.shape[1] // 2 for block in blocks]
    z = tuple(
        np.asarray(np.linalg.inv(b[:, k:, k:]), np.complex128) for b, k in zip(blocks, half, strict=True)
    )
    a = tuple(-i @ b[:, k:, :k] for i, b, k in zip(z, blocks, half, strict=True))
    return SeriesParameters(y_s=blocks, a=a, z_ohm=z)


def _times(matrices: ComplexArray, vectors: ComplexArray) -> ComplexArray:
    """Matrix n times vector n, for all n."""
    return np.asarray(np.einsum("nij,nj->ni", matrices, vectors))
