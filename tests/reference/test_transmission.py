"""The AC state of RTS-GMLC against its published base case and against pandapower."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rts_files import source_rows
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.cases.rts_series import read_rts_series
from federates.core.time import Clock
from federates.transmission.network import BulkNetwork, FlowSolution
from tests.unit.transmission.builders import merit_order

ENGINES_AGREE_PU = 1e-8
PUBLISHED_MVAR = 0.5
"""The base case prints reactive outputs to 0.01 Mvar, of a solution to about 0.5 Mvar."""
HOURS = (3, 11, 18)


def column(table: str, name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in source_rows(table)])


def base_case(case: TransmissionCase) -> FlowSolution:
    injected_mw = column("gen.csv", "MW Inj")
    on = (injected_mw != 0.0) | case.units.of_kind("sync_cond")
    network = BulkNetwork(case)
    network.begin_interval(on, injected_mw, np.where(on, case.units.p_max_mw, 0.0))
    return network.solve(case.buses.load_mw, case.buses.load_mvar)


def test_published_base_case_gives_the_published_reactive_outputs_and_losses() -> None:
    case = read_rts_gmlc(voltage_support=False)
    state = base_case(case)
    published_mvar, ours_mvar = np.zeros(73), np.zeros(73)
    np.add.at(published_mvar, case.units.bus, column("gen.csv", "MVAR Inj"))
    np.add.at(ours_mvar, case.units.bus, state.unit_mvar)
    assert np.abs(published_mvar).max() > 100.0
    assert ours_mvar == pytest.approx(published_mvar, abs=PUBLISHED_MVAR)
    published_losses_mw = column("gen.csv", "MW Inj").sum() - case.buses.load_mw.sum()
    assert state.losses_mw == pytest.approx(published_losses_mw, abs=0.05)


def test_published_voltages_follow_where_regulated_buses_hold_theirs() -> None:
    case = read_rts_gmlc(voltage_support=False)
    published_pu = column("bus.csv", "V Mag")
    units = replace(
        case.units,
        v_set_pu=published_pu[case.units.bus],
        q_min_mvar=np.where(case.units.regulates, -1e4, 0.0),
        q_max_mvar=np.where(case.units.regulates, 1e4, 0.0),
    )
    state = base_case(replace(case, units=units))
    error_pu = np.abs(state.v_pu - published_pu)
    free = ~np.isin(np.arange(73), units.bus[units.regulates])
    assert free.sum() > 30
    assert error_pu.mean() < 0.0016
    assert error_pu.max() < 0.0105


@pytest.fixture(scope="module")
def spring_day() -> list[tuple[BulkNetwork, FlowSolution, np.ndarray, np.ndarray]]:
    """Hours of a windy spring day: network, state, loads [MW, Mvar]."""
    case = read_rts_gmlc(voltage_support=True)
    clock = Clock(start=datetime(2020, 3, 27, tzinfo=UTC), duration_s=86_400)
    series = read_rts_series(case, clock, "day_ahead", 0, 86_400)
    mvar_per_mw = case.buses.load_mvar / np.maximum(case.buses.load_mw, 1e-9)
    hours = []
    for hour in HOURS:
        load_mw = series.load_mw[hour]
        network = BulkNetwork(case)
        network.begin_interval(*merit_order(case.units, series.available_mw[hour], 1.03 * load_mw.sum()))
        state = network.solve(load_mw, load_mw * mvar_per_mw)
        hours.append((network, state, load_mw, load_mw * mvar_per_mw))
    return hours


def test_spring_day_keeps_its_voltages_with_support(
    spring_day: list[tuple[BulkNetwork, FlowSolution, np.ndarray, np.ndarray]],
) -> None:
    for _, state, _, _ in spring_day:
        assert state.v_pu.min() > 0.95
        assert state.v_pu.max() < 1.07
        assert 0.01 < state.losses_mw / state.unit_mw.sum() < 0.06


def test_pandapower_agrees_at_redrawn_loads(
    spring_day: list[tuple[BulkNetwork, FlowSolution, np.ndarray, np.ndarray]],
) -> None:
    rng = np.random.default_rng(7)
    for network, _, load_mw, load_mvar in spring_day:
        drawn = 1.0 + 0.02 * rng.standard_normal((2, load_mw.size))
        state = network.solve(drawn[0] * load_mw, drawn[1] * load_mvar)
        v = network.solve_with_pandapower(drawn[0] * load_mw, drawn[1] * load_mvar)
        assert np.abs(v - state.v_pu * np.exp(1j * np.deg2rad(state.angle_deg))).max() < ENGINES_AGREE_PU


def test_reactive_limits_bind_and_every_regulator_is_within_them_or_holds_its_voltage(
    spring_day: list[tuple[BulkNetwork, FlowSolution, np.ndarray, np.ndarray]],
) -> None:
    units = read_rts_gmlc(voltage_support=True).units
    bound = 0
    for _, state, _, _ in spring_day:
        assert (state.unit_mvar <= units.q_max_mvar + 1e-5).all()
        assert (state.unit_mvar >= units.q_min_mvar - 1e-5).all()
        giving = state.unit_mvar != 0.0
        short = giving & (state.v_pu[units.bus] < units.v_set_pu - 1e-6)
        assert state.unit_mvar[short] == pytest.approx(units.q_max_mvar[short], abs=1e-5)
        bound += int(short.sum())
    assert bound > 0
