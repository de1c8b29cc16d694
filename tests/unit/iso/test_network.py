"""Shift factors against angles solved by hand."""

from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import DcLines
from federates.cases.rows import BranchRow, BusRow
from federates.core.errors import ConfigError
from federates.iso.network import market_network
from federates.iso.sced import Sced
from tests.unit.iso.market_cases import all_on, case_of, offer, pjm5, two_bus

EXACT = 1e-9


def ring(**last: float):
    """Three buses in a ring of equal reactances; the last branch takes ``last``."""
    buses = [BusRow(id=str(k), base_kv=138.0, load_mw=1.0) for k in range(3)]
    branches = [
        BranchRow(id="01", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1),
        BranchRow(id="12", from_bus=1, to_bus=2, r_pu=0.0, x_pu=0.1),
        BranchRow(id="02", from_bus=0, to_bus=2, r_pu=0.0, x_pu=0.1, **last),
    ]
    return case_of(buses, branches, [offer("A", 0, 100.0, 10.0)])


def test_flow_divides_two_to_one_in_a_ring() -> None:
    flow = market_network(ring()).flow_mw(np.array([30.0, 0.0, -30.0]))
    assert flow == pytest.approx([10.0, 10.0, 20.0], abs=EXACT)


def test_a_tap_ratio_adds_to_the_reactance() -> None:
    """x ratio = 0.2 on the direct path equals the other path's: the flow halves."""
    flow = market_network(ring(ratio=2.0)).flow_mw(np.array([30.0, 0.0, -30.0]))
    assert flow == pytest.approx([15.0, 15.0, 15.0], abs=EXACT)


def test_a_phase_shift_drives_a_loop_flow_against_the_shifter() -> None:
    """Loop: 3 x flow x 0.1 / 100 MVA = shift, in the ring's sense 0-1-2-0."""
    shift_deg = 3.0
    flow = market_network(ring(shift_deg=shift_deg)).flow_mw(np.zeros(3))
    loop = np.deg2rad(shift_deg) / 0.3 * 100.0
    assert flow == pytest.approx([loop, loop, -loop], abs=EXACT)


def test_a_branch_out_of_service_carries_nothing() -> None:
    flow = market_network(ring(), out=("02",)).flow_mw(np.array([30.0, 0.0, -30.0]))
    assert flow == pytest.approx([30.0, 30.0, 0.0], abs=EXACT)


def test_a_reactance_of_zero_joins_its_buses() -> None:
    case = ring()
    case = replace(case, branches=replace(case.branches, x_pu=np.array([0.1, 0.0, 0.1])))
    flow = market_network(case).flow_mw(np.array([30.0, 0.0, -30.0]))
    assert flow == pytest.approx([15.0, 15.0, 15.0], abs=1e-2)


def test_balanced_flows_do_not_depend_on_the_reference() -> None:
    case, injection = pjm5(), np.array([200.0, -300.0, 20.0, -400.0, 480.0])
    flows = [market_network(case, reference_bus=k).flow_mw(injection) for k in range(5)]
    assert np.ptp(flows, axis=0).max() < EXACT
    assert np.abs(flows[0]).max() > 100.0


def test_an_island_and_an_unknown_branch_are_named() -> None:
    with pytest.raises(ConfigError, match="bus '2' has no alternating-current path"):
        market_network(two_bus(), out=("L",))
    with pytest.raises(ConfigError, match="no branch 'X'"):
        market_network(two_bus(), out=("X",))


def test_a_direct_current_line_carries_what_the_other_line_cannot() -> None:
    """25 MW by direct current beside 60 MW over the line leave 65 of 150 MW to B."""
    case = two_bus()
    direct = DcLines(ids=("DC",), from_bus=np.array([0]), to_bus=np.array([1]), limit_mw=np.array([25.0]))
    case = replace(case, dc_lines=direct)
    clearing = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    assert clearing.dc_mw == pytest.approx([25.0], abs=1e-6)
    assert clearing.flow_mw == pytest.approx([60.0], abs=1e-6)
    assert clearing.unit_mw == pytest.approx([85.0, 65.0], abs=1e-6)


def test_a_single_bus_has_no_flows_and_nothing_to_pull_back() -> None:
    network = market_network(
        case_of([BusRow(id="all", base_kv=230.0, load_mw=10.0)], [], [offer("a", 0, 20.0, 5.0)])
    )
    assert network.flow_mw(np.zeros((3, 1))).shape == (3, 0)
    np.testing.assert_array_equal(network.pull_back(np.zeros((3, 0))), np.zeros((3, 1)))
