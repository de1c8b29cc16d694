"""Windows that ramps leave, curve values, and the sharing of ties."""

import numpy as np
import pytest

from federates.cases.case import Units
from federates.cases.rows import UnitRow, units_of
from federates.core.curve import NetCurve
from federates.iso.network import market_network
from federates.iso.offers import (
    UnitWindow,
    fast_start,
    import_value,
    ramp_window,
    share_ties,
    uncommitted_price_usd_per_mwh,
    unit_cost_usd_per_h,
)
from federates.iso.sced import Sced
from tests.unit.iso.market_cases import all_on, two_bus

EXACT = 1e-9


def fleet() -> Units:
    """A slow unit, a fast one, wind, hydro and a store."""
    return units_of(
        [
            UnitRow(
                id="slow", bus=0, kind="thermal", p_min_mw=100.0, p_max_mw=300.0, ramp_mw_per_min=4.0,
                min_up_h=8.0, no_load_usd_per_h=2_500.0, blocks=((200.0, 20.0),),
            ),
            UnitRow(
                id="fast", bus=0, kind="thermal", p_min_mw=20.0, p_max_mw=50.0, ramp_mw_per_min=5.0,
                min_up_h=2.0, no_load_usd_per_h=1_000.0, blocks=((30.0, 50.0),), starts=((0.0, 500.0),),
            ),
            UnitRow(id="wind", bus=1, kind="wind", p_max_mw=80.0, ramp_mw_per_min=1.0),
            UnitRow(id="hydro", bus=1, kind="hydro", p_max_mw=40.0, ramp_mw_per_min=1.0),
            UnitRow(id="store", bus=1, kind="storage", p_max_mw=10.0, ramp_mw_per_min=10.0, charge_mw=10.0),
        ]
    )  # fmt: skip


def window(
    previous: tuple[float, ...], *, slow: bool = True, fast: bool = True, available: float | None = None
) -> UnitWindow:
    units = fleet()
    able = units.p_max_mw.copy()
    able[2:4] = (60.0, 35.0)
    if available is not None:
        able[:2] = available
    return ramp_window(
        units,
        previous_mw=np.array([*previous, 0.0, 0.0, 0.0]),
        committed=np.array([slow, fast, True, True, True]),
        available_mw=able,
        must_take=units.of_kind("hydro", "rtpv"),
        schedule_mw=np.array([0.0, 0.0, 0.0, 0.0, -7.0]),
        length_s=300,
    )


def test_a_unit_moves_by_its_ramp_within_its_limits() -> None:
    w = window((150.0, 45.0))
    assert (w.lower_mw[0], w.upper_mw[0]) == (130.0, 170.0)
    assert (w.lower_mw[1], w.upper_mw[1]) == (20.0, 50.0)


def test_a_started_unit_begins_at_its_least_output() -> None:
    w = window((0.0, 0.0))
    assert (w.lower_mw[0], w.upper_mw[0]) == (100.0, 100.0)


def test_a_stopped_slow_unit_may_come_down_at_its_ramp_and_only_a_fast_one_may_come_up() -> None:
    w = window((150.0, 10.0), slow=False, fast=False)
    assert (w.lower_mw[0], w.upper_mw[0]) == (0.0, 130.0)
    assert (w.lower_mw[1], w.upper_mw[1]) == (0.0, 35.0)
    assert window((0.0, 0.0), slow=False, fast=False).upper_mw[:2].tolist() == [0.0, 25.0]


def test_a_unit_that_is_out_gives_nothing() -> None:
    assert window((0.0, 0.0), slow=False, fast=False, available=0.0).upper_mw[:2].tolist() == [0.0, 0.0]


def test_wind_may_be_curtailed_hydro_may_not_and_a_store_keeps_its_schedule() -> None:
    w = window((150.0, 45.0))
    assert w.lower_mw[2:].tolist() == [0.0, 35.0, -7.0]
    assert w.upper_mw[2:].tolist() == [60.0, 35.0, -7.0]


def test_an_uncommitted_mwh_costs_its_average_and_its_start() -> None:
    """Slow, on its way down: 2,500 / 100. Fast: (1,000 + 30 x 50 + 500 / 2 h) / 50 MW."""
    units = fleet()
    assert fast_start(units).tolist() == [False, True, False, False, False]
    assert uncommitted_price_usd_per_mwh(units)[:2] == pytest.approx([25.0, 55.0], abs=EXACT)


def test_unit_costs_add_up_to_the_objective_of_the_dispatch() -> None:
    case = two_bus()
    some_off = UnitWindow(
        lower_mw=np.zeros(2), upper_mw=np.array([100.0, 40.0]), committed=np.array([True, False])
    )
    for w in (all_on(case), some_off):
        clearing = Sced(market_network(case), case.units).clear(np.array([0.0, 90.0]), w)
        costs = unit_cost_usd_per_h(case.units, clearing.unit_mw, w.committed)
        assert costs.sum() == pytest.approx(clearing.objective_usd_per_h, abs=1e-6)
        assert clearing.unit_mw[1] == pytest.approx(30.0, abs=1e-6)


def test_unit_cost_follows_blocks_above_least_output() -> None:
    on = np.ones(5, dtype=np.bool_)
    output = np.array([150.0, 20.0, 60.0, 35.0, -7.0])
    cost = unit_cost_usd_per_h(fleet(), output, on)
    assert cost == pytest.approx([2_500.0 + 50 * 20.0, 1_000.0, 0.0, 0.0, 0.0], abs=EXACT)


def test_an_import_is_worth_the_area_under_the_curve_from_zero() -> None:
    curve = NetCurve(import_mw=np.array([-10.0, 5.0, 20.0]), price_usd_per_mwh=np.array([60.0, 60.0, 30.0]))
    assert import_value(curve, 20.0) == pytest.approx(5 * 60.0 + 15 * 30.0, abs=EXACT)
    assert import_value(curve, -10.0) == pytest.approx(-600.0, abs=EXACT)
    assert import_value(curve, 0.0) == 0.0


def test_ties_are_shared_within_a_bus_and_price_only() -> None:
    bus = np.array([0, 0, 1, 0])
    price = np.array([30.0, 30.0, 30.0, 40.0])
    shared = share_ties(
        np.array([10.0, 0.0, 5.0, 1.0]), np.zeros(4), np.array([10.0, 30.0, 10.0, 2.0]), price, bus
    )
    assert shared == pytest.approx([2.5, 7.5, 5.0, 1.0], abs=EXACT)
