"""Rows on a report's grid of time: every row in its cell, extremes kept, gaps left gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.tables import AWARD, DA_INTERFACE, LMP, SYSTEM
from runner.post.figures.grid import (
    Grid,
    Reduction,
    clock_text,
    day_ahead_grid,
    hour_grid,
    interval_grid,
    line_grid,
    spread,
)
from runner.post.figures.traces import RDBU, heat, in_order, safe, short
from runner.post.run_tables import RunTables
from tests.unit.runner_post.run_folders import record, run_folder

GRID = Grid(begin_s=0, cell_s=300, count=3)
T_S = np.array([0, 60, 299, 300, 900, -60])
CODES = np.array([0, 0, 0, 1, 0, 0])
VALUES = np.array([1.0, 2.0, 6.0, 5.0, 100.0, 100.0])


@pytest.mark.parametrize(("how", "first"), [("mean", 3.0), ("sum", 9.0), ("min", 1.0), ("max", 6.0)])
def test_a_cell_reduces_the_rows_within_it_and_no_others(how: Reduction, first: float) -> None:
    found = spread(GRID, T_S, CODES, 2, VALUES, how)
    np.testing.assert_array_equal(found, [[first, np.nan, np.nan], [np.nan, 5.0, np.nan]])


def test_rows_of_no_series_are_left_out() -> None:
    found = spread(GRID, T_S, np.where(CODES == 1, -1, 0), 1, VALUES, "sum")
    np.testing.assert_array_equal(found, [[9.0, np.nan, np.nan]])


def _tables(folder: Path) -> RunTables:
    run_dir = run_folder(folder)
    record(run_dir, SYSTEM, [(t, "system") for t in range(0, 3_600, 60)], {})
    record(run_dir, AWARD, [(t, "a") for t in range(0, 3_600, 300)], {})
    record(run_dir, DA_INTERFACE, [(t, "a") for t in range(-7_200, 7_200, 3_600)], {})
    record(run_dir, LMP, [(0, "9")], {})
    return RunTables(run_dir)


def test_a_line_is_as_fine_as_the_coarsest_of_its_tables(tmp_path: Path) -> None:
    tables = _tables(tmp_path / "run")
    assert line_grid(tables, "system") == Grid(begin_s=0, cell_s=60, count=60)
    assert line_grid(tables, "system", "award") == Grid(begin_s=0, cell_s=300, count=12)
    assert line_grid(tables, "da_interface") == Grid(begin_s=0, cell_s=3_600, count=1)
    # one instant tells no distance: the market interval does
    assert line_grid(tables, "lmp").cell_s == 300


def test_a_short_study_is_not_mapped_by_hour(tmp_path: Path) -> None:
    tables = _tables(tmp_path / "run")
    assert hour_grid(tables, "award").cell_s == 300
    assert day_ahead_grid(tables, "da_interface") == Grid(begin_s=-7_200, cell_s=3_600, count=4)


def test_a_map_of_many_rows_is_coarser(tmp_path: Path) -> None:
    tables = _tables(tmp_path / "run")
    assert interval_grid(tables, 73, "award") == Grid(begin_s=0, cell_s=300, count=12)
    # the least number of columns is 24: an hour of 60 steps has cells of 5 minutes, the next of the ladder
    assert interval_grid(tables, 300_000, "system") == Grid(begin_s=0, cell_s=300, count=12)


def test_time_is_local_standard_time_of_the_study(tmp_path: Path) -> None:
    tables = _tables(tmp_path / "run")
    assert clock_text(tables, 0) == "2020-07-15T00:00:00"
    assert clock_text(tables, -3_600) == "2020-07-14T23:00:00"


def test_numbers_keep_five_digits_and_what_is_not_finite_becomes_a_gap() -> None:
    given = [1.0, 1.0234567, 123_456.7, 1e-9, np.nan, np.inf]
    assert short(given) == [1, 1.0235, 123_460, 1e-9, None, None]


def test_one_penalty_price_does_not_hide_the_rest(tmp_path: Path) -> None:
    z = np.full((10, 20), 30.0)
    z[0, 0] = 5_000.0
    grid = Grid(begin_s=0, cell_s=300, count=20)
    trace = heat(_tables(tmp_path / "run"), grid, list("abcdefghij"), z, "$/MWh")
    assert trace["zmin"] == 30.0
    assert isinstance(trace["zmax"], float)
    assert trace["zmax"] < 100.0


def test_colours_of_signed_values_are_even_about_zero(tmp_path: Path) -> None:
    grid = Grid(begin_s=0, cell_s=300, count=2)
    trace = heat(_tables(tmp_path / "run"), grid, ["a"], np.array([[-8.0, 2.0]]), "$/MWh", signed=True)
    scale = trace["colorscale"]
    assert scale == RDBU
    assert isinstance(scale, list)
    assert scale[len(scale) // 2] == [0.5, "#f7f7f7"]
    assert trace["zmin"] == pytest.approx(-8.0, rel=0.02)
    assert isinstance(trace["zmin"], float)
    assert trace["zmax"] == -trace["zmin"]


def test_names_are_in_the_order_of_the_numbers_in_them() -> None:
    assert in_order(["110", "9", "f10", "f9", "A"]) == ["9", "110", "A", "f9", "f10"]


def test_mark_up_in_a_name_is_shown_as_it_is() -> None:
    assert safe("<b>x</b> & y") == "&lt;b&gt;x&lt;/b&gt; &amp; y"
