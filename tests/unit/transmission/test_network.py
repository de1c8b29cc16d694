"""The AC state of a grid small enough to reason about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.core.errors import ConfigError, DivergedError
from federates.transmission.network import RESIDUAL_MW, BulkNetwork, FlowSolution
from tests.unit.transmission.builders import three_bus_case

ENGINES_AGREE_PU = 1e-8
BALANCE_MW = 1e-6
ON = np.array([True, True, True, True])
SET_POINT_MW = np.array([120.0, 50.0, 60.0, 0.0])
HEADROOM_MW = np.array([60.0, 20.0, 20.0, 0.0])


def solved(case: TransmissionCase, **changes: np.ndarray) -> tuple[BulkNetwork, FlowSolution]:
    network = BulkNetwork(case)
    dispatch = {"committed": ON, "set_point_mw": SET_POINT_MW, "headroom_mw": HEADROOM_MW} | changes
    network.begin_interval(**dispatch)
    return network, network.solve(case.buses.load_mw, case.buses.load_mvar)


def complex_v(state: FlowSolution) -> np.ndarray:
    return state.v_pu * np.exp(1j * np.deg2rad(state.angle_deg))


def bus_sums(case: TransmissionCase, state: FlowSolution) -> np.ndarray:
    """P + jQ that leaves each bus, less what its units inject and plus its load; zero by Kirchhoff."""
    s = case.buses.load_mw + 1j * (case.buses.load_mvar - case.buses.shunt_mvar * state.v_pu**2)
    np.add.at(s, case.branches.from_bus, state.branch_from_mw + 1j * state.branch_from_mvar)
    np.add.at(s, case.branches.to_bus, state.branch_to_mw + 1j * state.branch_to_mvar)
    np.subtract.at(s, case.units.bus, state.unit_mw + 1j * state.unit_mvar)
    return s


def test_pandapower_finds_the_same_voltages_on_every_kind_of_branch() -> None:
    network, state = solved(three_bus_case(), dc_flow_mw=np.array([15.0]))
    v = network.solve_with_pandapower(three_bus_case().buses.load_mw, three_bus_case().buses.load_mvar)
    assert np.abs(v - complex_v(state)).max() < ENGINES_AGREE_PU


def test_every_bus_balances_in_active_and_reactive_power() -> None:
    case = three_bus_case()
    _, state = solved(case)
    assert np.abs(bus_sums(case, state)).max() < BALANCE_MW


def test_dc_line_takes_power_at_one_end_and_gives_it_at_the_other() -> None:
    case = three_bus_case()
    _, state = solved(case, dc_flow_mw=np.array([15.0]))
    assert bus_sums(case, state).real == pytest.approx([0.0, -15.0, 15.0], abs=BALANCE_MW)


def test_no_slack_absorbs_the_imbalance() -> None:
    case = three_bus_case()
    _, state = solved(case)
    assert abs(state.residual_mw) < RESIDUAL_MW
    imbalance_mw = case.buses.load_mw.sum() + state.losses_mw - SET_POINT_MW.sum()
    assert imbalance_mw > 1.0
    assert state.participation_mw == pytest.approx(imbalance_mw * HEADROOM_MW / 100.0, abs=BALANCE_MW)
    assert state.unit_mw == pytest.approx(SET_POINT_MW + state.participation_mw, abs=0.0)


def test_state_does_not_depend_on_which_bus_is_the_slack() -> None:
    case = three_bus_case()
    _, state = solved(case)
    wide = case.units.q_max_mvar.copy()
    wide[0] = 1_000.0
    _, other = solved(replace(case, units=replace(case.units, q_max_mvar=wide)))
    assert np.abs(complex_v(state) - complex_v(other)).max() < ENGINES_AGREE_PU


def test_angle_is_against_the_reference_bus() -> None:
    case = replace(three_bus_case(), reference_bus=2)
    _, state = solved(case)
    assert state.angle_deg[2] == pytest.approx(0.0, abs=1e-9)
    assert abs(state.angle_deg[0]) > 0.1


def test_regulator_at_its_limit_stops_there_and_its_voltage_gives_way() -> None:
    _, free = solved(three_bus_case())
    wanted_mvar = free.unit_mvar[2]
    q_max_mvar = float(wanted_mvar) - 20.0
    case = three_bus_case(q_max_mvar)
    network, state = solved(case)
    assert free.v_pu[1] == pytest.approx(1.02, abs=1e-9)
    assert state.unit_mvar[2] == pytest.approx(q_max_mvar, abs=1e-9)
    assert state.v_pu[1] < 1.02 - 1e-3
    v = network.solve_with_pandapower(case.buses.load_mw, case.buses.load_mvar, enforce_q_lims=True)
    assert np.abs(v - complex_v(state)).max() < ENGINES_AGREE_PU


def test_limits_stay_frozen_within_the_interval_and_are_settled_anew_in_the_next() -> None:
    case = three_bus_case(float(solved(three_bus_case())[1].unit_mvar[2]) - 20.0)
    network, limited = solved(case)
    light = 0.3 * case.buses.load_mvar
    within = network.solve(case.buses.load_mw, light)
    assert within.unit_mvar[2] == pytest.approx(limited.unit_mvar[2], abs=1e-9)
    assert within.v_pu[1] > 1.02
    network.begin_interval(ON, SET_POINT_MW, HEADROOM_MW)
    after = network.solve(case.buses.load_mw, light)
    assert after.v_pu[1] == pytest.approx(1.02, abs=1e-9)
    assert after.unit_mvar[2] < limited.unit_mvar[2] - 1.0


def test_held_bus_that_drifts_past_its_limit_within_the_interval_is_reported() -> None:
    case = three_bus_case(float(solved(three_bus_case())[1].unit_mvar[2]) + 1.0)
    network, state = solved(case)
    assert state.q_excess_mvar == 0.0
    assert network.solve(case.buses.load_mw, 1.3 * case.buses.load_mvar).q_excess_mvar > 1.0


def test_unit_that_is_off_does_not_regulate_and_support_takes_its_place() -> None:
    case = three_bus_case()
    _, on = solved(case)
    _, off = solved(
        case, committed=np.array([True, True, False, True]), set_point_mw=np.array([150.0, 80.0, 0, 0])
    )
    assert on.unit_mvar[3] == 0.0
    assert on.unit_mvar[2] != 0.0
    assert off.unit_mvar[2] == 0.0
    assert off.unit_mvar[3] == pytest.approx(-20.0, abs=1e-9), "support is at its limit here"
    assert off.v_pu[1] > 1.0


def test_units_at_one_bus_share_reactive_power_by_their_ranges() -> None:
    case = three_bus_case()
    _, state = solved(case)
    fraction = (state.unit_mvar - case.units.q_min_mvar) / (case.units.q_max_mvar - case.units.q_min_mvar)
    assert fraction[0] == pytest.approx(fraction[1], abs=1e-9)
    assert state.v_pu[0] == pytest.approx(1.04, abs=1e-9), "the widest range sets the voltage"


def test_loading_is_apparent_power_over_rating_and_zero_without_one() -> None:
    case = three_bus_case()
    _, state = solved(case)
    busier = max(
        np.hypot(state.branch_from_mw[0], state.branch_from_mvar[0]),
        np.hypot(state.branch_to_mw[0], state.branch_to_mvar[0]),
    )
    assert state.loading[0] == pytest.approx(busier / 100.0)
    assert state.loading[2] == 0.0


def test_solving_twice_gives_the_same_state() -> None:
    case = three_bus_case()
    network, state = solved(case)
    again = network.solve(case.buses.load_mw, case.buses.load_mvar)
    assert np.abs(complex_v(state) - complex_v(again)).max() < 1e-12
    assert again.passes == 1


def test_restored_network_goes_on_where_the_saved_one_stood() -> None:
    case = three_bus_case()
    network, _ = solved(case)
    other = BulkNetwork(case)
    other.restore(network.save())
    states = []
    for grid in (network, other):
        grid.begin_interval(ON, SET_POINT_MW, HEADROOM_MW)
        states.append(grid.solve(1.01 * case.buses.load_mw, case.buses.load_mvar))
    assert np.abs(complex_v(states[0]) - complex_v(states[1])).max() < 1e-12
    assert states[0].passes == states[1].passes


def test_imbalance_without_headroom_falls_on_the_firm_units_by_rating() -> None:
    _, state = solved(three_bus_case(), headroom_mw=np.zeros(4))
    share = state.participation_mw / state.participation_mw.sum()
    assert share == pytest.approx([0.5, 0.25, 0.25, 0.0])


def test_load_beyond_the_grid_is_an_error_not_a_state() -> None:
    case = three_bus_case()
    network, _ = solved(case)
    with pytest.raises(DivergedError, match="three-bus"):
        network.solve(40.0 * case.buses.load_mw, 40.0 * case.buses.load_mvar)
    recovered = network.solve(case.buses.load_mw, case.buses.load_mvar)
    assert abs(recovered.residual_mw) < RESIDUAL_MW


def test_solving_without_a_dispatch_is_refused() -> None:
    case = three_bus_case()
    with pytest.raises(DivergedError, match="begin_interval"):
        BulkNetwork(case).solve(case.buses.load_mw, case.buses.load_mvar)


def test_commitment_that_cannot_balance_is_refused() -> None:
    with pytest.raises(ConfigError, match="imbalance"):
        solved(three_bus_case(), committed=np.array([False, False, False, True]))
