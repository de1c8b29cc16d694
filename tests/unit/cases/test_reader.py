"""The one entry to cases and series, and the fields that readers may leave out."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from federates.cases.reader import read_case, read_series
from federates.cases.rows import BusRow, UnitRow, buses_of, units_of
from federates.core.errors import ConfigError, MissingInputError
from federates.core.time import Clock

CLOCK = Clock(start=datetime(2020, 3, 27, 16), duration_s=21_600)  # noqa: DTZ001 local standard time


def test_unknown_kinds_and_wrong_paths_are_refused() -> None:
    with pytest.raises(ConfigError, match="no transmission case of kind 'psse'"):
        read_case("psse")
    with pytest.raises(ConfigError, match="needs a path"):
        read_case("matpower")
    with pytest.raises(ConfigError, match="takes no path"):
        read_case("pjm5", Path("case5.m"))


def test_stress_multiplies_ratings_of_named_branches_only() -> None:
    plain, stressed = read_case("pjm5"), read_case("pjm5", stress={"A-B": 0.5})
    factor = stressed.branches.rating_mw[[0, 5]] / plain.branches.rating_mw[[0, 5]]
    assert factor.tolist() == [0.5, 1.0]
    with pytest.raises(ConfigError, match="no branch 'A-C'"):
        read_case("pjm5", stress={"A-C": 0.5})


@pytest.mark.parametrize("kind", ["rts_gmlc", "pjm5"])
@pytest.mark.parametrize(("resolution", "length_s"), [("day_ahead", 3_600), ("real_time", 300)])
def test_series_cover_the_window_and_no_more(kind: str, resolution: str, length_s: int) -> None:
    begin_s, end_s = -2_400, 21_601
    series = read_series(read_case(kind), CLOCK, resolution, begin_s, end_s)
    assert series.length_s == length_s
    assert (np.diff(series.t_s) == length_s).all()
    assert series.t_s[0] <= begin_s < series.t_s[0] + length_s
    assert series.t_s[-1] < end_s <= series.t_s[-1] + length_s
    for values in (series.load_mw, series.available_mw, series.inflow_mw, series.area_shape):
        assert values.shape[0] == series.t_s.size


@pytest.mark.parametrize("kind", ["rts_gmlc", "pjm5"])
def test_a_value_does_not_depend_on_the_window_asked_for(kind: str) -> None:
    case = read_case(kind)
    whole = read_series(case, CLOCK, "real_time", -86_400, 86_400)
    part = read_series(case, CLOCK, "real_time", 3_000, 6_000)
    same = np.isin(whole.t_s, part.t_s)
    assert part.t_s.size == 10
    for name in ("load_mw", "available_mw", "inflow_mw", "area_shape"):
        np.testing.assert_array_equal(getattr(whole, name)[same], getattr(part, name))


def test_shaped_loads_reach_the_base_case_once_a_day() -> None:
    case = read_case("pjm5")
    day = read_series(case, CLOCK, "real_time", CLOCK.midnight(0), CLOCK.midnight(1))
    assert day.load_mw.sum(axis=1).max() == pytest.approx(1_000.0, rel=1e-12)
    assert day.load_mw.sum(axis=1).min() < 800.0
    np.testing.assert_allclose(day.load_mw, day.area_shape * case.buses.load_mw, rtol=1e-12)


def test_windows_outside_the_year_are_refused() -> None:
    case = read_case("rts_gmlc")
    new_year = Clock(start=datetime(2020, 1, 1), duration_s=3_600)  # noqa: DTZ001
    assert read_series(case, new_year, "real_time", 0, 3_600).t_s.size == 12
    with pytest.raises(MissingInputError, match=r"regional_Load\.csv has no rows for 2019-12-31"):
        read_series(case, new_year, "real_time", -300, 3_600)
    with pytest.raises(ConfigError, match="is empty"):
        read_series(case, new_year, "real_time", 0, 0)


def test_a_case_that_lacks_a_unit_of_the_series_is_refused() -> None:
    with pytest.raises(ConfigError, match="no unit '122_HYDRO_1'"):
        read_series(dataclasses.replace(read_case("pjm5"), series="rts_gmlc"), CLOCK, "day_ahead", 0, 3_600)


def test_an_unknown_shape_area_is_refused() -> None:
    with pytest.raises(ConfigError, match="shape area 4"):
        read_series(read_case("pjm5"), CLOCK, "day_ahead", 0, 3_600, shape_area=4)


def test_names_are_unique() -> None:
    with pytest.raises(ConfigError, match="bus 'A' occurs twice"):
        buses_of([BusRow(id="A", base_kv=1.0), BusRow(id="A", base_kv=1.0)])


def test_blocks_and_categories_are_padded_without_effect() -> None:
    two_blocks = UnitRow(
        id="a", bus=0, kind="thermal", p_max_mw=3.0, ramp_mw_per_min=1.0, blocks=((1.0, 5.0), (2.0, 7.0))
    )
    one_block = UnitRow(
        id="b",
        bus=0,
        kind="thermal",
        p_max_mw=1.0,
        ramp_mw_per_min=1.0,
        blocks=((1.0, 6.0),),
        starts=((0.0, 10.0), (4.0, 20.0)),
    )
    units = units_of([two_blocks, one_block])
    assert units.block_mw.tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert units.block_usd_per_mwh.tolist() == [[5.0, 7.0], [6.0, 6.0]]
    assert units.start_after_h.tolist() == [[0.0, np.inf], [0.0, 4.0]]
    assert units.start_usd.tolist() == [[0.0, 0.0], [10.0, 20.0]]
