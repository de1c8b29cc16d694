"""What a bus withdraws follows from flows and outputs, by a sum done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from federates.transmission.carried import withdrawals_mva
from federates.transmission.network import BulkNetwork, FlowSolution
from tests.unit.transmission.builders import merit_order, three_bus_case

MVA = 1e-6
"""The power flow's own tolerance is 1e-8 of 100 MVA."""


def test_withdrawals_are_units_less_flows_plus_shunt_and_dc() -> None:
    """Buses a, b, c; branches ab, ac, cb, ab2; units two at a, two at b; shunt -10 Mvar at b; DC from b to c.

    a: 150 + 50 - (60 + 80 + 20) = 40; b: 30 + 0 + 58 + 40 + 19 - 25 = 122; c: 78 - 41 + 25 = 62 (MW).
    a: 10 + 5 - (6 + 4 + 2) = 3; b: 20 + 12 + 5 + 3 + 1 - 10 x 0.9^2 = 32.9; c: 3 - 2 = 1 (Mvar).
    """
    zero = np.zeros(4)
    solution = FlowSolution(
        v_pu=np.array([1.02, 0.9, 1.0]),
        angle_deg=np.zeros(3),
        unit_mw=np.array([150.0, 50.0, 30.0, 0.0]),
        unit_mvar=np.array([10.0, 5.0, 20.0, 12.0]),
        branch_from_mw=np.array([60.0, 80.0, 41.0, 20.0]),
        branch_from_mvar=np.array([6.0, 4.0, 2.0, 2.0]),
        branch_to_mw=np.array([-58.0, -78.0, -40.0, -19.0]),
        branch_to_mvar=np.array([-5.0, -3.0, -3.0, -1.0]),
        loading=zero,
        losses_mw=6.0,
        participation_mw=zero,
        share=zero,
        residual_mw=0.0,
        q_excess_mvar=0.0,
        passes=1,
        restarted=False,
    )
    found = withdrawals_mva(three_bus_case(), solution, np.array([25.0]))
    np.testing.assert_allclose(found, [40 + 3j, 122 + 32.9j, 62 + 1j], rtol=1e-12)


@pytest.mark.parametrize("dc_mw", [0.0, 30.0, -30.0])
def test_a_solution_withdraws_the_loads_that_were_asked_for(dc_mw: float) -> None:
    case = three_bus_case()
    network = BulkNetwork(case)
    committed, set_point, headroom = merit_order(case.units, case.units.p_max_mw, case.buses.load_mw.sum())
    network.begin_interval(committed, set_point, headroom, np.array([dc_mw]))
    solution = network.solve(case.buses.load_mw.copy(), case.buses.load_mvar.copy())
    found = withdrawals_mva(case, solution, np.array([dc_mw]))
    np.testing.assert_allclose(found, case.buses.load_mw + 1j * case.buses.load_mvar, rtol=0, atol=MVA)
    more = network.solve(case.buses.load_mw + np.array([0.0, 1.0, 0.0]), case.buses.load_mvar.copy())
    moved = withdrawals_mva(case, more, np.array([dc_mw])) - found
    np.testing.assert_allclose(moved, [0.0, 1.0, 0.0], rtol=0, atol=2 * MVA)
