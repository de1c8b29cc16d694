"""What the AC solution carries into a bus: the witness that the loads asked for are the loads solved."""

from __future__ import annotations

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import ComplexArray, FloatArray
from federates.transmission.network import FlowSolution


def withdrawals_mva(case: TransmissionCase, solution: FlowSolution, dc_flow_mw: FloatArray) -> ComplexArray:
    """Power that the solution delivers to each bus, from flows and outputs alone, shape (buses,). [MVA]

    Delivered = units - flow into branches + shunt + DC lines.
    """
    n = len(case.buses.ids)
    branches, units, dc = case.branches, case.units, case.dc_lines

    def summed(bus: np.ndarray[tuple[int, ...], np.dtype[np.int64]], values: FloatArray) -> FloatArray:
        total: FloatArray = np.bincount(bus, weights=values, minlength=n).astype(np.float64)
        return total

    p = summed(units.bus, solution.unit_mw) - summed(branches.from_bus, solution.branch_from_mw)
    p -= summed(branches.to_bus, solution.branch_to_mw)
    p += summed(dc.to_bus, dc_flow_mw) - summed(dc.from_bus, dc_flow_mw)
    q = summed(units.bus, solution.unit_mvar) - summed(branches.from_bus, solution.branch_from_mvar)
    q -= summed(branches.to_bus, solution.branch_to_mvar)
    q += case.buses.shunt_mvar * solution.v_pu**2
    return p + 1j * q
