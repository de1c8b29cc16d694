"""Transmission cases against figures from elsewhere: published totals, prices, and hand calculations."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
import pytest
from scipy.optimize import linprog

from federates.cases.case import Series, TransmissionCase
from federates.cases.pandapower_json import read_pandapower
from federates.cases.pjm5 import read_pjm5
from federates.cases.reader import read_case
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.cases.rts_series import RT_LOAD_FACTOR, Window, read_rts_series
from federates.core.time import DAY_S, Clock

CASE = read_rts_gmlc()
DUCK, SUMMER, QUIET = (3, 27), (7, 25), (9, 14)


def day(date: tuple[int, int], resolution: str = "day_ahead") -> Series:
    clock = Clock(start=datetime(2020, *date), duration_s=DAY_S)  # noqa: DTZ001 local standard time
    return read_rts_series(CASE, clock, resolution, 0, DAY_S)


def unit(name: str) -> int:
    return CASE.units.ids.index(name)


@pytest.mark.parametrize(
    ("date", "least_mw", "greatest_mw", "energy_gwh", "renewable_pct"),
    [
        (DUCK, 2_936, 4_157, 86.4, 74.1),
        (SUMMER, 4_406, 7_355, 143.6, 23.3),
        (QUIET, 3_405, 6_617, 121.5, 25.1),
    ],
)
def test_day_ahead_load_and_renewables_of_the_reference_days(
    date: tuple[int, int], least_mw: float, greatest_mw: float, energy_gwh: float, renewable_pct: float
) -> None:
    series = day(date)
    load_mw = series.load_mw.sum(axis=1)
    renewable_mw = series.available_mw[:, CASE.units.of_kind("hydro", "wind", "pv", "rtpv")]
    assert load_mw.min() == pytest.approx(least_mw, abs=1.0)
    assert load_mw.max() == pytest.approx(greatest_mw, abs=1.0)
    assert load_mw.sum() / 1e3 == pytest.approx(energy_gwh, abs=0.1)
    assert 100.0 * renewable_mw.sum() / load_mw.sum() == pytest.approx(renewable_pct, abs=0.1)


@pytest.mark.parametrize("date", [DUCK, SUMMER, QUIET, (2, 29), (12, 31)])
def test_real_time_load_averages_to_the_day_ahead_load(date: tuple[int, int]) -> None:
    hourly_mw = day(date, "real_time").load_mw.reshape(24, 12, -1).mean(axis=1)
    np.testing.assert_allclose(hourly_mw, day(date).load_mw, rtol=2e-4)  # rounding of the published series


def test_real_time_load_is_the_published_value_over_its_area_factor() -> None:
    # REAL_TIME_regional_Load.csv, first row of the year: 908.2773922, 1106.41791, 1274.834854 MW.
    load_mw = day((1, 1), "real_time").load_mw[0]
    by_area = [load_mw[CASE.buses.area == area].sum() for area in (1, 2, 3)]
    expected = [
        908.2773922 / RT_LOAD_FACTOR[1],
        1106.41791 / RT_LOAD_FACTOR[2],
        1274.834854 / RT_LOAD_FACTOR[3],
    ]
    assert by_area == pytest.approx(expected, rel=1e-9)
    assert expected[0] - 908.2773922 > 70.0


def test_a_bus_takes_its_share_of_its_own_area() -> None:
    # Bus 101 has 108 of the 2,850 MW of area 1; its area draws 985.0197922 MW in the first hour of the year.
    load_mw = day((1, 1)).load_mw[0]
    assert load_mw[CASE.buses.index("101")] == pytest.approx(985.0197922 * 108.0 / 2_850.0, rel=1e-9)
    assert load_mw[CASE.buses.area == 3].sum() == pytest.approx(1_249.636191, rel=1e-9)


def test_series_stay_within_capacity_and_are_not_scaled_again() -> None:
    year_peak = np.zeros(len(CASE.units.ids))
    for date in (DUCK, SUMMER, QUIET, (1, 1), (6, 1), (11, 26)):
        year_peak = np.maximum(year_peak, day(date).available_mw.max(axis=0))
    driven = CASE.units.of_kind("wind", "pv", "rtpv")
    assert (year_peak[driven] <= CASE.units.p_max_mw[driven] * 1.001).all()
    assert year_peak[driven].sum() > 0.7 * CASE.units.p_max_mw[driven].sum()


def test_inflow_of_the_solar_store_may_exceed_its_turbine() -> None:
    csp = unit("212_CSP_1")
    series = day(SUMMER)
    assert series.inflow_mw[:, csp].max() > CASE.units.p_max_mw[csp]
    assert (np.delete(series.inflow_mw, csp, axis=1) == 0.0).all()
    assert (series.available_mw[:, csp] == 200.0).all()


def test_counts_of_elements() -> None:
    kinds = {kind: CASE.units.kind.count(kind) for kind in set(CASE.units.kind)}
    assert kinds == {
        "thermal": 72, "nuclear": 1, "hydro": 20, "wind": 4, "pv": 25, "rtpv": 31, "csp": 1, "storage": 1,
        "sync_cond": 3, "support": 12,
    }  # fmt: skip
    assert len(CASE.buses.ids) == 73
    assert len(CASE.branches.ids) == 120
    assert int(CASE.branches.is_transformer.sum()) == 16
    assert CASE.units.p_max_mw[CASE.units.of_kind("thermal", "nuclear")].sum() == pytest.approx(8_076.0)
    assert CASE.buses.load_mw.sum() == pytest.approx(8_550.0)
    assert CASE.buses.ids[CASE.reference_bus] == "113"


def test_reactors_draw_and_the_direct_line_is_free_either_way() -> None:
    shunt = {CASE.buses.ids[k]: q for k, q in enumerate(CASE.buses.shunt_mvar) if q}
    assert shunt == {"106": -100.0, "206": -100.0, "306": -100.0}
    ends = (CASE.dc_lines.from_bus[0], CASE.dc_lines.to_bus[0])
    assert [CASE.buses.ids[k] for k in ends] == ["113", "316"]
    assert CASE.dc_lines.limit_mw.tolist() == [100.0]


def test_taps_stand_on_the_low_voltage_from_side() -> None:
    tapped = CASE.branches.ratio != 1.0
    assert set(CASE.branches.ratio[tapped]) == {1.015, 1.03}
    assert (CASE.buses.base_kv[CASE.branches.from_bus[tapped]] == 138.0).all()
    assert (CASE.buses.base_kv[CASE.branches.to_bus[tapped]] == 230.0).all()
    assert CASE.branches.is_transformer[CASE.branches.ids.index("C35")]


def test_costs_of_a_coal_unit_by_hand() -> None:
    # 101_STEAM_3: 2.11399 $/MMBTU; 13,270 BTU/kWh up to its least 30 MW; then 6,713, 8,028 and 8,549 BTU/kWh
    # up to 59.649, 79.825 and 100 % of 76 MW. CO2 210 lb/MMBTU. Hot start 3,379.4 MMBTU.
    g, units = unit("101_STEAM_3"), CASE.units
    assert units.no_load_usd_per_h[g] == pytest.approx(13.270 * 30.0 * 2.11399, rel=1e-9)
    assert units.block_usd_per_mwh[g].tolist() == pytest.approx([14.191215, 16.971112, 18.072501], rel=1e-6)
    assert units.block_mw[g].sum() == pytest.approx(46.0, rel=1e-9)
    heat_mmbtu = 13.270 * 30.0 + (6.713 + 8.028 + 8.549) * 46.0 / 3.0
    assert units.co2_t_per_mwh[g] == pytest.approx(heat_mmbtu / 76.0 * 210.0 * 0.45359237e-3, rel=1e-6)
    assert units.start_usd[g, 0] == pytest.approx(3_379.4 * 2.11399, rel=1e-9)
    assert units.start_after_h[g].tolist() == [0.0, 10.0, 12.0]
    assert (units.min_up_h[g], units.min_down_h[g], units.ramp_mw_per_min[g]) == (8.0, 4.0, 2.0)


def test_every_fuelled_unit_has_convex_cost_over_its_whole_range() -> None:
    fuelled = CASE.units.of_kind("thermal", "nuclear")
    width, price = CASE.units.block_mw[fuelled], CASE.units.block_usd_per_mwh[fuelled]
    assert (np.diff(price, axis=1) >= 0.0).all()
    span_mw = (CASE.units.p_max_mw - CASE.units.p_min_mw)[fuelled]
    np.testing.assert_allclose(width.sum(axis=1), span_mw, rtol=1e-6)
    assert (CASE.units.block_mw[~fuelled] == 0.0).all()
    assert (CASE.units.no_load_usd_per_h[~fuelled] == 0.0).all()


def test_start_up_categories_come_later_and_cost_more() -> None:
    after, usd = CASE.units.start_after_h, CASE.units.start_usd
    assert (after[:, 0] == 0.0).all()
    finite = np.isfinite(after[:, 1:])
    assert finite.any()
    assert (after[:, 1:][finite] > after[:, :-1][finite]).all()
    assert (usd[:, 1:][finite] > usd[:, :-1][finite]).all()


def test_stores() -> None:
    storage, csp = unit("313_STORAGE_1"), unit("212_CSP_1")
    assert CASE.units.energy_mwh[[storage, csp]].tolist() == [150.0, 1_200.0]
    assert CASE.units.charge_mw[[storage, csp]].tolist() == [50.0, 0.0]
    assert CASE.units.round_trip[[storage, csp]].tolist() == [0.85, 1.0]
    assert CASE.units.energy_mwh.sum() == 1_350.0


def test_voltage_support_caps_set_points_and_stands_at_twelve_buses() -> None:
    support = CASE.units.of_kind("support")
    assert {CASE.buses.ids[k] for k in CASE.units.bus[support]} == {
        f"{area}{number}" for area in (1, 2, 3) for number in ("06", "07", "08", "10")
    }
    assert CASE.units.v_set_pu.max() == 1.04
    plain = read_rts_gmlc(voltage_support=False)
    assert len(plain.units.ids) == 158
    assert plain.units.v_set_pu.max() == 1.05


def test_units_of_a_bus_share_one_set_point() -> None:
    for case in (CASE, read_rts_gmlc(voltage_support=False)):
        plain = ~case.units.of_kind("support")
        for bus in np.unique(case.units.bus[plain]):
            assert np.ptp(case.units.v_set_pu[plain & (case.units.bus == bus)]) == 0.0


def test_stress_lowers_the_named_ratings() -> None:
    stressed = read_case("rts_gmlc", stress={"A11": 0.7, "B12-1": 0.75})
    rating = dict(zip(stressed.branches.ids, stressed.branches.rating_mw, strict=True))
    assert [rating[k] for k in ("A11", "B12-1", "C6")] == pytest.approx([122.5, 131.25, 175.0])


def test_a_window_of_two_days_is_the_two_days() -> None:
    clock = Clock(start=datetime(2020, 2, 28), duration_s=2 * DAY_S)  # noqa: DTZ001
    both = read_rts_series(CASE, clock, "day_ahead", 0, 2 * DAY_S)
    np.testing.assert_array_equal(both.available_mw[24:], day((2, 29)).available_mw)
    window = Window(clock=clock, resolution="day_ahead", begin_s=0, end_s=2 * DAY_S)
    assert (window.first_day, window.days, window.per_day) == (0, 2, 24)


def least_cost_flow(case: TransmissionCase) -> tuple[float, np.ndarray, np.ndarray]:
    """Cost [$/h], prices [$/MWh] and branch flows [MW] of a linear optimal power flow at base load."""
    buses, branches, units = len(case.buses.ids), case.branches, case.units
    incidence = np.zeros((len(branches.ids), buses))
    rows = np.arange(len(branches.ids))
    incidence[rows, branches.from_bus], incidence[rows, branches.to_bus] = 1.0, -1.0
    flow = case.base_mva / branches.x_pu[:, None] * incidence
    at_bus = (np.arange(buses)[:, None] == units.bus[None, :]).astype(float)
    limited = np.isfinite(branches.rating_mw)
    fixed = [(0.0, 0.0) if k == case.reference_bus else (None, None) for k in range(buses)]
    result = linprog(
        np.concatenate((units.block_usd_per_mwh[:, 0], np.zeros(buses))),
        A_eq=np.hstack((at_bus, -incidence.T @ flow)),
        b_eq=case.buses.load_mw,
        A_ub=np.vstack(
            [np.hstack((np.zeros((limited.sum(), len(units.ids))), s * flow[limited])) for s in (1, -1)]
        ),
        b_ub=np.tile(branches.rating_mw[limited], 2),
        bounds=[(0.0, p) for p in units.p_max_mw] + fixed,
    )
    assert result.status == 0
    return result.fun, result.eqlin.marginals, flow @ result.x[len(units.ids) :]


def test_pjm5_has_its_published_cost_and_prices() -> None:
    # Li and Bo (2010); 17,479.89 $/h is also the DC optimum of MATPOWER's case5.
    cost, price, flow_mw = least_cost_flow(read_pjm5())
    assert cost == pytest.approx(17_479.90, abs=0.01)
    assert price.tolist() == pytest.approx([16.977, 26.385, 30.000, 39.943, 10.000], abs=1e-3)
    assert abs(flow_mw[5]) == pytest.approx(240.0)


def test_pjm5_equals_the_five_bus_network_of_pandapower(tmp_path: Path) -> None:
    path = tmp_path / "case5.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pandapower.to_json(pandapower.networks.case5(), str(path))
    ours, theirs = read_pjm5(), read_pandapower(path)
    for name in ("from_bus", "to_bus", "r_pu", "x_pu", "b_pu"):
        np.testing.assert_allclose(getattr(ours.branches, name), getattr(theirs.branches, name), rtol=1e-9)
    np.testing.assert_allclose(ours.branches.rating_mw, theirs.branches.rating_mw, rtol=1e-4)
    np.testing.assert_allclose(ours.buses.load_mw, theirs.buses.load_mw)
    np.testing.assert_allclose(ours.buses.load_mvar, theirs.buses.load_mvar)
    order = [np.lexsort((c.units.p_max_mw, c.units.bus)) for c in (ours, theirs)]
    for name in ("bus", "p_max_mw", "q_max_mvar", "q_min_mvar"):
        a, b = (getattr(c.units, name)[k] for c, k in zip((ours, theirs), order, strict=True))
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert ours.reference_bus == theirs.reference_bus
