"""The DSO's own picture of its area: a circuit that it solves itself, and the linear maps around it.

The twin knows the feeders' tables; the taps, the head's voltage and the DERs come from telemetry, and demand
is estimated (`federates.dso.observer`). It is not the plant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from federates.distribution.builder import build_circuit, feeder_zones
from federates.distribution.circuit import Circuit, Control
from federates.distribution.gauges import Gauges
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.linear import (
    Coefficients,
    DerSite,
    FeederMap,
    SeriesParameters,
    build_map,
    incidence,
)
from federates.distribution.linear_tree import Tree
from federates.distribution.tangent import AreaTangent, area_tangent
from federates.dso.dispatch import TwinState
from federates.scenario.lda import LdaScenario

KW_PER_MW = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the DSO believes of an interval."""

    v_pu: float
    """Voltage at the interface. [pu]"""
    demand_kw: FloatArray
    """Shape (loads,). [kW]"""
    demand_kvar: FloatArray
    """Shape (loads,). [kvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlaces:
    """Where a feeder's loads are connected."""

    load: IntArray
    """Places in the circuit's loads, shape (n,)."""
    way: csr_array
    """Share of a load's power that each branch-phase carries, shape (n, m)."""


class Twin:
    """A circuit of the area with one linear map per feeder."""

    def __init__(self, scenario: LdaScenario) -> None:
        self._scenario = scenario
        self.circuit: Circuit = build_circuit(scenario.model, scenario.tolerance_pu)
        self.feeder_of_der: IntArray = np.array(scenario.model.der_feeder, dtype=np.int64)
        branches, heads = self.circuit.branches(), self.circuit.layout.feeder_heads
        sites = self._sites()
        self.maps: tuple[FeederMap, ...] = tuple(
            build_map(
                branches,
                self.circuit.yprim,
                heads[place],
                self.circuit.node_base_v,
                [s for s, f in zip(sites, self.feeder_of_der, strict=True) if f == place],
            )
            for place in range(len(heads))
        )
        self._series: tuple[SeriesParameters, ...] | None = None
        self._series_taps: FloatArray = np.zeros(0)
        self._conditions: Conditions | None = None

    def _sites(self) -> list[DerSite]:
        place = {name.lower(): k for k, name in enumerate(self.circuit.node_names)}
        fleet = self._scenario.fleet
        return [
            DerSite(
                nodes=tuple(place[f"{bus}.{phase}".lower()] for phase in phases),
                kind=kind,
                rated_kw=float(power),
            )
            for bus, phases, kind, power in zip(
                fleet.bus, fleet.phases, fleet.kind, fleet.power_kw, strict=True
            )
        ]

    def split(self, values: FloatArray) -> list[FloatArray]:
        """Area-wide DER values per feeder, fleet order kept."""
        return [values[self.feeder_of_der == place] for place in range(len(self.maps))]

    def joined(self, parts: Sequence[FloatArray]) -> FloatArray:
        """Values per feeder as one area-wide array."""
        values = np.empty(self.feeder_of_der.size)
        for place, part in enumerate(parts):
            values[self.feeder_of_der == place] = part
        return values

    def set_taps(self, taps: FloatArray) -> None:
        """Take over the plant's tap positions."""
        self.circuit.set_taps(taps)

    def set_conditions(self, conditions: Conditions) -> None:
        """Take over an interval's voltage and demand."""
        self._conditions = conditions

    def feeder_power_kva(self, p_kw: FloatArray, q_kvar: FloatArray) -> ComplexArray:
        """What each feeder draws at DER injections in fleet order, taps held, shape (feeders,). [kVA]"""
        self._apply(p_kw, q_kvar)
        self.circuit.solve(Control.OFF)
        return np.asarray(self.circuit.feeder_power_kva().sum(axis=1))

    def load_voltage_range_pu(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest voltage at each feeder's loads as solved last, shapes (feeders,). [pu]"""
        v = self.circuit.node_v_pu()
        at = [v[self._load_zone == place] for place in range(len(self.maps))]
        return np.array([own.min() for own in at]), np.array([own.max() for own in at])

    @cached_property
    def load_places(self) -> tuple[LoadPlaces, ...]:
        """Each feeder's loads and the way from them to its head."""
        return tuple(self._places_behind(m.tree) for m in self.maps)

    @cached_property
    def ways_of_nodes(self) -> tuple[csr_array, ...]:
        """The way from every far node of each feeder to its head, shapes (m, m)."""
        return tuple(
            csr_array(
                incidence(m.tree, [DerSite(nodes=(int(n),), kind="node", rated_kw=0.0) for n in m.tree.far]).T
            )
            for m in self.maps
        )

    def _places_behind(self, tree: Tree) -> LoadPlaces:
        known = set(tree.far.tolist()) | set(tree.anchors) | set(tree.near[tree.parent < 0].tolist())
        behind = [k for k, nodes in enumerate(self.circuit.load_nodes) if known.issuperset(nodes)]
        sites = [DerSite(nodes=self.circuit.load_nodes[k], kind="load", rated_kw=0.0) for k in behind]
        return LoadPlaces(load=np.array(behind, dtype=np.int64), way=csr_array(incidence(tree, sites).T))

    @cached_property
    def loaded(self) -> tuple[BoolArray, ...]:
        """Which far nodes of each feeder's map have a load, shapes (m,)."""
        return tuple(self._load_zone[m.tree.far] == place for place, m in enumerate(self.maps))

    @cached_property
    def _load_zone(self) -> IntArray:
        """Feeder of each node with a load, -1 elsewhere, shape (nodes,)."""
        loaded = self._scenario.load_node_mask(self.circuit)
        return np.where(loaded, feeder_zones(self._scenario.model, self.circuit).node, -1)

    def settle(self, p_kw: FloatArray, q_kvar: FloatArray) -> None:
        """Solve with regulators acting, as they would over a long interval; taps stay where they end."""
        self._apply(p_kw, q_kvar)
        self.circuit.solve(Control.STATIC)

    def solve(
        self, p_kw: FloatArray, q_kvar: FloatArray, coefficients: Sequence[Coefficients] | None = None
    ) -> TwinState:
        """State of the area at DER injections in fleet order, taps held; the maps around it."""
        self._apply(p_kw, q_kvar)
        self.circuit.solve(Control.OFF)
        node_v = self.circuit.node_voltages_v()
        series = self._series_now()
        p, q = self.split(p_kw), self.split(q_kvar)
        points = tuple(
            m.operating_point(
                series[k],
                node_v,
                m.to_map_order(p[k]),
                m.to_map_order(q[k]),
                None if coefficients is None else coefficients[k],
            )
            for k, m in enumerate(self.maps)
        )
        interface = float(self.circuit.head_power_kva().sum().real) / KW_PER_MW
        return TwinState(interface_mw=interface, points=points)

    def tangent(self, state: TwinState) -> AreaTangent:
        """The map around the state solved last, by the Jacobian of the area's nodal equations."""
        network, gauges = self._nodal
        jacobian = network.at_present()
        return area_tangent(state.points, jacobian, self.feeder_of_der, *gauges.head_power_slopes(jacobian))

    @cached_property
    def _nodal(self) -> tuple[NodalNetwork, Gauges]:
        return NodalNetwork(self.circuit), Gauges(self.circuit)

    def constant_mw(self, state: TwinState) -> float:
        """What the interface draws beyond the feeders: the substation's losses. [MW]"""
        return state.interface_mw - sum(point.p_head_kw for point in state.points) / KW_PER_MW

    def _apply(self, p_kw: FloatArray, q_kvar: FloatArray) -> None:
        assert self._conditions is not None, "the twin was asked before it was told the conditions"
        self.circuit.set_source(self._conditions.v_pu, 0.0)
        self.circuit.set_loads(self._conditions.demand_kw, self._conditions.demand_kvar)
        self.circuit.set_ders(p_kw, q_kvar)

    def _series_now(self) -> tuple[SeriesParameters, ...]:
        taps = self.circuit.taps()
        if self._series is None:
            self._series = tuple(m.series(self.circuit.yprim) for m in self.maps)
        elif not np.array_equal(taps, self._series_taps):
            self._series = tuple(
                m.with_taps_moved(s, self.circuit.yprim) for m, s in zip(self.maps, self._series, strict=True)
            )
        self._series_taps = taps
        return self._series
