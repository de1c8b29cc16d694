"""The limits of an area as measured in its circuit, taps held: what judges operating envelopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.distribution.circuit import Circuit, Control
from federates.distribution.gauges import Gauges
from federates.distribution.jacobian import NodalNetwork
from federates.dso.envelope import MARGIN

RELAXATION = 2 * MARGIN
"""How far a limit that the reference state breaks may go beyond it: without it, a DER whose phase couples to
that node by a millionth would be held still."""
SPARE_PU, SPARE_SHARE = 0.005, 0.05
"""Room that an envelope's reference is to leave: a twentieth of Range A's width, and of a rating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaLimits:
    """What the DSO keeps in an area."""

    v_min_pu: float = 0.95
    v_max_pu: float = 1.05
    loading_pu: float = 1.0
    """Share of each rating that may be used."""
    import_kva: FloatArray
    """Greatest apparent power into each feeder, shape (feeders,); infinite where there is none. [kVA]"""
    export_kva: FloatArray
    """Greatest apparent power out of each feeder, shape (feeders,). [kVA]"""


class Instruments:
    """What is read of one circuit, and how it changes with its DERs; serves all judges of the circuit.

    Parameters
    ----------
    circuit
        Solved; demand may be set and regulators may move later.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.network = NodalNetwork(circuit)
        self.gauges = Gauges(circuit)


class CircuitJudge:
    """Limits of a circuit at its present source voltage, demand and taps.

    Its fields ``relaxed_by`` and ``spare`` are how far each limit is relaxed, and the room that an envelope's
    reference is to leave of it, shapes (limits,).

    Parameters
    ----------
    instruments
        Of the circuit whose DERs are set and which is solved at every question.
    limits
        To be kept; each is relaxed to the reference state where that breaks it.
    reference_kw
        Injections of the reference state, shape (ders,). [kW]
    q_kvar
        Reactive injections, held, shape (ders,). [kvar]
    monitored
        Nodes whose voltage is limited, shape (nodes,).

    Raises
    ------
    DivergedError
        If the reference state cannot be solved.
    """

    def __init__(
        self,
        instruments: Instruments,
        limits: AreaLimits,
        *,
        reference_kw: FloatArray,
        q_kvar: FloatArray,
        monitored: BoolArray,
    ) -> None:
        self._circuit = instruments.circuit
        self._network, self._gauges = instruments.network, instruments.gauges
        self._q_kvar = q_kvar
        voltage = np.flatnonzero(monitored)
        loading = np.flatnonzero(self._gauges.is_loading)
        head = np.flatnonzero(self._gauges.is_head)
        imports, exports = np.isfinite(limits.import_kva), np.isfinite(limits.export_kva)
        self._gauge: IntArray = np.concatenate([voltage, voltage, loading, head[imports], head[exports]])
        sizes = [voltage.size, voltage.size, loading.size, int(imports.sum()), int(exports.sum())]
        self._sign: FloatArray = np.repeat([1.0, -1.0, 1.0, 1.0, -1.0], sizes)
        bound = [limits.v_max_pu, -limits.v_min_pu, limits.loading_pu]
        kva = np.concatenate([limits.import_kva[imports], limits.export_kva[exports]])
        self._unit: FloatArray = np.concatenate([np.ones(sum(sizes[:3])), kva])
        strict: FloatArray = np.concatenate([np.repeat(bound, sizes[:3]), np.ones(kva.size)])
        at_reference = self._sign * self._values(reference_kw)[self._gauge] / self._unit
        self.relaxed: BoolArray = at_reference > strict
        self._bound: FloatArray = np.maximum(strict, at_reference + RELAXATION * self.relaxed)
        self.relaxed_by: FloatArray = self._bound - strict
        spare = [SPARE_PU, SPARE_PU, SPARE_SHARE, SPARE_SHARE, SPARE_SHARE]
        self.spare: FloatArray = np.repeat(spare, sizes)
        self.names: tuple[str, ...] = tuple(self._gauges.names[k] for k in self._gauge)
        is_loading = np.repeat([False, False, True, False, False], sizes)
        self.magnitude: FloatArray = np.where(is_loading, self._bound, np.inf)

    def excess(self, p_kw: FloatArray) -> FloatArray:
        """How far each limit is exceeded, shape (limits,). [pu], or share of a head's limit"""
        return np.asarray(self._sign * self._values(p_kw)[self._gauge] / self._unit - self._bound)

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        """Change of some limits' excess by kW, shape (rows, ders)."""
        self._values(p_kw)
        gauges, place = np.unique(self._gauge[limits], return_inverse=True)
        by_p, _ = self._gauges.slopes(self._network.at_present(), gauges)
        return np.asarray(by_p[place] * (self._sign[limits] / self._unit[limits])[:, None])

    def _values(self, p_kw: FloatArray) -> FloatArray:
        self._circuit.set_ders(p_kw, self._q_kvar)
        self._circuit.solve(Control.OFF)
        return self._gauges.values()
