"""The MATPOWER reader on small files written here."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from federates.cases.matpower import read_matpower
from federates.cases.ppc import BLOCKS
from federates.core.errors import ConfigError, MissingInputError

THREE_BUSES = """\
function mpc = three
%% a comment with [brackets] and mpc.bus = nonsense
mpc.version = '2';
mpc.baseMVA = 100;   % MVA
mpc.bus = [  % number type ...
  10 3 0   0  0 0   1 1.02 0 230 1 1.1 0.9;
  20 1 90 30  2 -5  1 1.0  0 230 1 1.1 0.9;
  30 2 60, 20, 0 0  2 1.0  0 138 ...  continued
     1 1.1 0.9
];
mpc.gen = [
  10 70 0 50 -50 1.02 100 1 200 20 0 0 0 0 0 0 0 50 0 0 0;
  30 10 0 10 -10 1.01 100 1 80  0  0 0 0 0 0 0 6 0 0 0 0;
  30 10 0 10 -10 1.01 100 0 80  0  0 0 0 0 0 0 6 0 0 0 0;
  30 99 0 0  0   1.01 100 1 40  0  0 0 0 0 0 0 0 0 0 0 0;
];
mpc.branch = [
  10 20 0.01 0.1 0.02 0   0 0 0    0  1 -360 360;
  10 20 0.01 0.1 0.02 150 0 0 0    0  1 -360 360;
  20 30 0.00 0.2 0    90  0 0 0.98 -3 1 -360 360;
  10 30 0.00 0.2 0    90  0 0 0    0  0 -360 360;
];
mpc.gencost = [
  2 500 0 3 0.01 12  40  0 0 0;
  1 80  0 3 0 0 50 500 80 1400;
  1 80  0 3 0 0 50 500 80 1400;
  2 0   0 2 25  7  0 0 0 0;
];
mpc.bus_name = {'West'; 'Bob''s [mid] % town'; "East"};
"""


def case_from(tmp_path: Path, text: str = THREE_BUSES):
    path = tmp_path / "three.m"
    path.write_text(text)
    return read_matpower(path)


def test_names_come_from_the_file_and_follow_the_bus(tmp_path: Path) -> None:
    case = case_from(tmp_path)
    assert case.buses.ids == ("West", "Bob's [mid] % town", "East")
    assert case.units.ids == ("West_G1", "East_G1", "East_G2")
    assert case.branches.ids[:2] == ("West-Bob's [mid] % town", "West-Bob's [mid] % town#2")


def test_numbers_name_the_buses_where_names_repeat(tmp_path: Path) -> None:
    case = case_from(tmp_path, THREE_BUSES.replace('"East"', "'West'"))
    assert case.buses.ids == ("10", "20", "30")


def test_rows_out_of_service_are_dropped(tmp_path: Path) -> None:
    case = case_from(tmp_path)
    assert case.units.bus.tolist() == [0, 2, 2]
    assert case.branches.from_bus.tolist() == [0, 0, 1]


def test_a_rating_of_zero_is_no_limit(tmp_path: Path) -> None:
    assert case_from(tmp_path).branches.rating_mw.tolist() == [math.inf, 150.0, 90.0]


def test_taps_and_shifts_make_a_transformer(tmp_path: Path) -> None:
    branches = case_from(tmp_path).branches
    assert branches.ratio.tolist() == [1.0, 1.0, 0.98]
    assert branches.shift_deg.tolist() == [0.0, 0.0, -3.0]
    assert branches.is_transformer.tolist() == [False, False, True]


def test_conductance_is_load_and_susceptance_a_shunt(tmp_path: Path) -> None:
    buses = case_from(tmp_path).buses
    assert buses.load_mw.tolist() == [0.0, 92.0, 60.0]
    assert buses.shunt_mvar.tolist() == [0.0, -5.0, 0.0]


def test_a_quadratic_cost_is_exact_at_the_ends_of_its_blocks(tmp_path: Path) -> None:
    units = case_from(tmp_path).units

    def quadratic(p_mw: float) -> float:
        return 0.01 * p_mw**2 + 12 * p_mw + 40

    assert units.no_load_usd_per_h[0] == pytest.approx(quadratic(20.0), rel=1e-12)
    p_mw, cost = 20.0, quadratic(20.0)
    for width, price in zip(units.block_mw[0], units.block_usd_per_mwh[0], strict=True):
        p_mw, cost = p_mw + width, cost + width * price
        assert cost == pytest.approx(quadratic(p_mw), rel=1e-12)
    assert p_mw == pytest.approx(200.0)
    assert (np.diff(units.block_usd_per_mwh[0]) > 0.0).all()
    assert units.block_mw.shape[1] == BLOCKS


def test_piecewise_and_linear_costs_are_kept(tmp_path: Path) -> None:
    units = case_from(tmp_path).units
    assert units.block_mw[1, :2].tolist() == [50.0, 30.0]
    assert units.block_usd_per_mwh[1, :2].tolist() == [10.0, 30.0]
    assert units.block_mw[2, :1].tolist() == [40.0]
    assert units.block_usd_per_mwh[2, 0] == pytest.approx(25.0)
    assert units.no_load_usd_per_h[1:].tolist() == [0.0, 7.0]
    assert units.start_usd[:, 0].tolist() == [500.0, 80.0, 0.0]


def test_a_unit_without_commitment_data_stays_on(tmp_path: Path) -> None:
    assert case_from(tmp_path).units.must_run.tolist() == [False, False, True]


def test_ramps_come_from_the_first_column_that_states_one(tmp_path: Path) -> None:
    assert case_from(tmp_path).units.ramp_mw_per_min.tolist() == [5.0, 6.0, 40.0]


def test_output_outside_the_limits_is_no_initial_output(tmp_path: Path) -> None:
    initial_mw = case_from(tmp_path).units.initial_mw
    assert initial_mw[:2].tolist() == [70.0, 10.0]
    assert math.isnan(initial_mw[2])


def test_only_units_with_a_reactive_range_regulate(tmp_path: Path) -> None:
    assert case_from(tmp_path).units.regulates.tolist() == [True, True, False]


def test_an_isolated_bus_is_left_out_and_said_so(tmp_path: Path) -> None:
    bus = "  40 4 0 0 0 0 1 1.0 0 230 1 1.1 0.9;\n];\nmpc.gen ="
    text = THREE_BUSES.replace("];\nmpc.gen =", bus).replace("mpc.bus_name", "mpc.other")
    case = case_from(tmp_path, text)
    assert len(case.buses.ids) == 3
    assert "1 isolated buses left out" in case.source


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mpc.version = '2';", "mpc.version = '1';", r"three\.m:3: not a MATPOWER case of version 2"),
        ("mpc.baseMVA = 100;", "mpc.baseMVA = 10^2;", r"three\.m:4: '10\^2' is not a number"),
        ("mpc.baseMVA = 100;", "define_constants;", r"three\.m:4: not data"),
        ("  20 1 90 30  2 -5", "  20 1 ninety 30  2 -5", r"three\.m:7: 'ninety' is not a number"),
        ("  20 1 90 30  2 -5", "  20 1 90 30", r"three\.m:7: mpc\.bus has 11 columns here and 13 above"),
        ("  20 1 90 30", "  10 1 90 30", r"three\.m:7: bus 10 occurs twice"),
        ("1 1.0  0 230 1", "1 1.0  0 0 1", r"three\.m:7: bus 20 has no nominal voltage"),
        ("  20 1 90 30", "  20 4 90 30", r"three\.m:7: bus 20 is isolated .* but has load"),
        ("  10 3 0 ", "  10 2 0 ", r"need one reference bus \(type 3\), found 0"),
        ("200 20 0", "20 200 0", r"three\.m:12: unit at bus 10 has crossed limits"),
        ("  30 99 0", "  50 99 0", r"three\.m:15: bus 50 is not in the case"),
        ("10 20 0.01 0.1 0.02 0 ", "10 20 0 0 0.02 0 ", r"three\.m:18: branch 10-20 has no impedance"),
        ("0.98 -3 1 ", "0.98 -3 0 ", r"three\.m:8: bus 30 has no branch in service"),
        ("50 500 80 1400", "50 500 80 600", r"three\.m:25: cost is not convex"),
        ("3 0 0 50 500 80", "3 0 0 80 500 80", r"three\.m:25: a piecewise cost needs"),
        ("  2 500 0 3", "  3 500 0 3", r"three\.m:24: cost model 3"),
        ("  2 0   0 2 25  7  0 0 0 0;\n", "", r"three\.m:24: 3 cost rows for 4 units"),
        ('"East"};', '"East"', r"three\.m:29: mpc\.bus_name has no closing '}'"),
        ("mpc.gencost = [", "mpc.costs = [", r"matrix mpc\.gencost is missing"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in THREE_BUSES
    with pytest.raises(ConfigError, match=message):
        case_from(tmp_path, THREE_BUSES.replace(old, new, 1))


def test_a_direct_current_line_has_one_limit_either_way(tmp_path: Path) -> None:
    row = "10 30 {} 0 0 0 0 1 1 {} 100 0 0 0 0 0 0;"
    block = "mpc.dcline = [\n" + row.format(0, -50) + "\n" + row.format(1, -100) + "\n];\n"
    case = case_from(tmp_path, THREE_BUSES + block)
    assert case.dc_lines.limit_mw.tolist() == [100.0]
    assert (case.dc_lines.from_bus.tolist(), case.dc_lines.to_bus.tolist()) == ([0], [2])
    unequal = block.replace("10 30 0", "10 30 1")
    with pytest.raises(ConfigError, match=r"three\.m:31: direct-current line with unequal limits"):
        case_from(tmp_path, THREE_BUSES + unequal)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.m"):
        read_matpower(tmp_path / "none.m")
