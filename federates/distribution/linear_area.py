"""The linear maps of all feeders of an area, kept in step with its circuit.

Each feeder's map begins at the medium-voltage bus, whose voltage is data. What the interface draws beyond the
feeders (the substation's losses) is a constant of the operating point. Regulators' admittances are read again
whenever a tap has moved; coefficients are computed again when asked, or when one regulator stands more than
two steps from where they were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.distribution.linear import Coefficients, DerSite, FeederMap, OperatingPoint, build_map

if TYPE_CHECKING:
    from federates.distribution.circuit import Circuit

KW_PER_MW = 1e3
KEPT_STEPS = 2
"""Tap steps that coefficients outlive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPoint:
    """The maps of all feeders around one solved state."""

    points: tuple[OperatingPoint, ...]
    """Per feeder, DERs in its map's order."""
    interface_mw: float
    """Drawn at the interface. [MW]"""

    @property
    def constant_mw(self) -> float:
        """Drawn beyond the feeders: the substation's losses. [MW]"""
        return self.interface_mw - sum(point.p_head_kw for point in self.points) / KW_PER_MW


class AreaMap:
    """Maps of an area's feeders.

    Parameters
    ----------
    circuit
        The area's circuit; its present taps are read.
    der_feeder
        Feeder of each DER, in the circuit's order of DERs.
    der_kind, der_rated_kw
        Model key and rating of each DER; they order DERs at one place. [kW]
    """

    def __init__(
        self,
        circuit: Circuit,
        der_feeder: Sequence[int],
        der_kind: Sequence[str],
        der_rated_kw: FloatArray,
    ) -> None:
        self._circuit = circuit
        sites = [
            DerSite(nodes=nodes, kind=kind, rated_kw=float(kw))
            for nodes, kind, kw in zip(circuit.der_nodes, der_kind, der_rated_kw, strict=True)
        ]
        owner = np.asarray(der_feeder, dtype=np.int64)
        heads = circuit.layout.feeder_heads
        self.members: tuple[IntArray, ...] = tuple(np.flatnonzero(owner == k) for k in range(len(heads)))
        """Per feeder, places of its DERs in the circuit's order."""
        self.feeders: tuple[FeederMap, ...] = tuple(
            build_map(
                circuit.branches(), circuit.yprim, head, circuit.node_base_v, [sites[d] for d in members]
            )
            for head, members in zip(heads, self.members, strict=True)
        )
        self._series = tuple(feeder.series(circuit.yprim) for feeder in self.feeders)
        self._taps = circuit.taps()
        self._coefficients: tuple[Coefficients, ...] = ()
        self._coefficient_taps = self._taps

    def split(self, values: FloatArray) -> list[FloatArray]:
        """Values of all DERs, shape (ders,), as one array per feeder."""
        return [values[members] for members in self.members]

    def join(self, parts: Sequence[FloatArray]) -> FloatArray:
        """Values per feeder as one array of all DERs, shape (ders,)."""
        values = np.zeros(sum(members.size for members in self.members))
        for members, part in zip(self.members, parts, strict=True):
            values[members] = part
        return values

    def linearise(self, p_kw: FloatArray, q_kvar: FloatArray, *, fresh: bool = False) -> AreaPoint:
        """Maps around the circuit's solved state.

        Parameters
        ----------
        p_kw, q_kvar
            Injections of all DERs in that state, in the circuit's order, shape (ders,). [kW], [kvar]
        fresh
            Whether coefficients are computed again even if the taps stand where they stood.
        """
        taps = self._circuit.taps()
        if not np.array_equal(taps, self._taps):
            self._series = tuple(
                feeder.with_taps_moved(series, self._circuit.yprim)
                for feeder, series in zip(self.feeders, self._series, strict=True)
            )
            self._taps = taps
        moved = np.abs(taps - self._coefficient_taps).max(initial=0.0) > KEPT_STEPS
        keep = bool(self._coefficients) and not fresh and not moved
        points = tuple(
            feeder.operating_point(
                series,
                self._circuit.node_voltages_v(),
                feeder.to_map_order(p_kw[members]),
                feeder.to_map_order(q_kvar[members]),
                self._coefficients[k] if keep else None,
            )
            for k, (feeder, series, members) in enumerate(
                zip(self.feeders, self._series, self.members, strict=True)
            )
        )
        if not keep:
            self._coefficients = tuple(point.coefficients for point in points)
            self._coefficient_taps = taps
        return AreaPoint(
            points=points, interface_mw=float(self._circuit.head_power_kva().real.sum()) / KW_PER_MW
        )
