"""Hand cases of the five-minute dispatch; every derivation is in the test."""

import numpy as np
import pytest

from federates.core.curve import NetCurve, fixed_quantity
from federates.core.errors import CodecError
from federates.iso.network import market_network
from federates.iso.offers import OfferedBlocks, UnitWindow
from federates.iso.penalties import Penalties
from federates.iso.sced import Sced
from tests.unit.iso.market_cases import all_on, case_of, offer, two_bus

EXACT = 1e-6
HARD_LINES = Penalties(short=((np.inf, 2_000.0),), line=((np.inf, 10_000.0),))


def at_bus_2(mw: float) -> np.ndarray:
    return np.array([0.0, mw])


def test_a_binding_line_splits_prices() -> None:
    """A sends 60 MW over the line, B serves the other 90: 60 x 50 + 90 x 80 = 10,200."""
    case = two_bus()
    clearing = Sced(market_network(case), case.units).clear(at_bus_2(150.0), all_on(case))
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx([50.0, 80.0], abs=EXACT)
    assert clearing.flow_mw == pytest.approx([60.0], abs=EXACT)
    assert clearing.objective_usd_per_h == pytest.approx(10_200.0, abs=EXACT)
    assert clearing.binding.tolist() == [0]
    assert clearing.line_price_usd_per_mwh == pytest.approx([-30.0], abs=EXACT)
    assert not clearing.penalty_priced


def test_price_parts_add_up_and_the_energy_part_is_the_load_weighted_mean() -> None:
    case = two_bus()
    prices = Sced(market_network(case), case.units).clear(at_bus_2(150.0), all_on(case)).prices
    assert prices.energy_usd_per_mwh == pytest.approx(80.0, abs=EXACT)
    parts = prices.energy_usd_per_mwh + prices.congestion_usd_per_mwh + prices.loss_usd_per_mwh
    assert parts == pytest.approx(prices.raw_usd_per_mwh, abs=1e-12)


def test_too_much_load_is_shed_at_the_shortage_price() -> None:
    """60 MW over the line and 200 MW from B serve 260 of 300 MW."""
    case = two_bus()
    sced = Sced(market_network(case), case.units, penalties=HARD_LINES)
    clearing = sced.clear(at_bus_2(300.0), all_on(case))
    assert clearing.shed_mw == pytest.approx([0.0, 40.0], abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx([50.0, 2_000.0], abs=EXACT)
    assert clearing.penalty_priced


def test_default_penalties_overload_the_line_before_they_shed() -> None:
    """30 MW are missing: 3 MW of overload at 500, 6 at 1,000 and the rest at 2,000 come before 3,000."""
    case = two_bus()
    clearing = Sced(market_network(case), case.units).clear(at_bus_2(290.0), all_on(case))
    assert clearing.overload_mw == pytest.approx(30.0, abs=EXACT)
    assert clearing.shed_mw.sum() == pytest.approx(0.0, abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh[1] == pytest.approx(2_050.0, abs=EXACT)
    assert clearing.penalty_priced


def test_a_seller_and_a_buyer_at_the_interface_both_clear() -> None:
    """Sells 40 at 60, buys 30 at 85: 60 x 50 + 80 x 80 + 40 x 60 - 30 x 85 = 9,250."""
    case = two_bus()
    sced = Sced(market_network(case), case.units, curve_bus=np.array([1, 1]), curve_slots=np.array([1, 1]))
    sells = NetCurve(import_mw=np.array([-40.0, 0.0]), price_usd_per_mwh=np.array([60.0, 60.0]))
    buys = NetCurve(import_mw=np.array([0.0, 30.0]), price_usd_per_mwh=np.array([85.0, 85.0]))
    clearing = sced.clear(at_bus_2(150.0), all_on(case), [sells, buys])
    assert clearing.curve_mw == pytest.approx([-40.0, 30.0], abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx([50.0, 80.0], abs=EXACT)
    assert clearing.objective_usd_per_h == pytest.approx(9_250.0, abs=EXACT)


def test_one_curve_through_zero_clears_like_its_two_halves() -> None:
    """The same two as one curve: at 80 $/MWh it nets to -10 MW."""
    case = two_bus()
    sced = Sced(market_network(case), case.units, curve_bus=np.array([1]), curve_slots=np.array([4]))
    curve = NetCurve(import_mw=np.array([-40.0, -10.0, 30.0]), price_usd_per_mwh=np.array([85.0, 85.0, 60.0]))
    clearing = sced.clear(at_bus_2(150.0), all_on(case), [curve])
    assert clearing.curve_mw == pytest.approx([-10.0], abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx([50.0, 80.0], abs=EXACT)


def test_a_fixed_quantity_is_demand_like_any_other() -> None:
    case = two_bus()
    sced = Sced(market_network(case), case.units, curve_bus=np.array([1]), curve_slots=np.array([2]))
    split = sced.clear(at_bus_2(110.0), all_on(case), [fixed_quantity(40.0)])
    whole = sced.clear(at_bus_2(150.0), all_on(case), [fixed_quantity(0.0)])
    assert split.objective_usd_per_h == pytest.approx(whole.objective_usd_per_h, abs=EXACT)
    assert split.curve_mw == pytest.approx([40.0], abs=EXACT)


def test_a_curve_with_more_blocks_than_slots_is_refused() -> None:
    case = two_bus()
    sced = Sced(market_network(case), case.units, curve_bus=np.array([1]), curve_slots=np.array([1]))
    curve = NetCurve(import_mw=np.array([0.0, 10.0, 30.0]), price_usd_per_mwh=np.array([90.0, 90.0, 60.0]))
    with pytest.raises(CodecError, match="2 blocks for 1 slots"):
        sced.clear(at_bus_2(150.0), all_on(case), [curve])


def test_equal_offers_of_a_bus_are_taken_in_proportion() -> None:
    """Ten offers of 10 MW at 70, 35 MW of room below B's 90: 3.5 MW each."""
    case = two_bus()
    sced = Sced(market_network(case), case.units, block_bus=np.full(10, 1))
    blocks = OfferedBlocks(width_mw=np.full(10, 10.0), price_usd_per_mwh=np.full(10, 70.0))
    clearing = sced.clear(at_bus_2(95.0), all_on(case), blocks=blocks)
    assert clearing.block_mw == pytest.approx(np.full(10, 3.5), abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh[1] == pytest.approx(70.0, abs=EXACT)


@pytest.mark.parametrize("before_mw", [40.0, 130.0])
def test_at_a_step_the_price_is_that_of_the_next_mw(before_mw: float) -> None:
    """60 MW is exactly what the line carries: the next MW comes from B at 80, whatever came before."""
    case = two_bus()
    sced = Sced(market_network(case), case.units)
    sced.clear(at_bus_2(before_mw), all_on(case))
    clearing = sced.clear(at_bus_2(60.0), all_on(case))
    assert clearing.unit_mw == pytest.approx([60.0, 0.0], abs=EXACT)
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx([50.0, 80.0], abs=EXACT)


def test_a_window_limits_blocks_in_order() -> None:
    """Ramps hold A between 20 and 30 MW: block bounds keep it there although it is the cheapest."""
    case = two_bus()
    window = UnitWindow(
        lower_mw=np.array([20.0, 0.0]), upper_mw=np.array([30.0, 200.0]), committed=np.array([True, True])
    )
    clearing = Sced(market_network(case), case.units).clear(at_bus_2(150.0), window)
    assert clearing.unit_mw == pytest.approx([30.0, 120.0], abs=EXACT)
    low = Sced(market_network(case), case.units).clear(at_bus_2(5.0), window)
    assert low.unit_mw == pytest.approx([20.0, 0.0], abs=EXACT)
    assert low.surplus_mw.sum() == pytest.approx(15.0, abs=EXACT)
    assert low.prices.raw_usd_per_mwh == pytest.approx([-500.0, -500.0], abs=EXACT)
    assert low.prices.lmp_usd_per_mwh == pytest.approx([-150.0, -150.0], abs=EXACT)


def test_a_unit_that_is_off_gives_nothing_and_costs_nothing() -> None:
    case = two_bus()
    window = UnitWindow(
        lower_mw=np.zeros(2), upper_mw=np.array([0.0, 200.0]), committed=np.array([False, True])
    )
    clearing = Sced(market_network(case), case.units).clear(at_bus_2(150.0), window)
    assert clearing.unit_mw == pytest.approx([0.0, 150.0], abs=EXACT)
    assert clearing.objective_usd_per_h == pytest.approx(12_000.0, abs=EXACT)


def test_a_charging_store_draws_even_when_load_is_short() -> None:
    """Storage that is scheduled to charge counts as load that may be left unserved: never infeasible."""
    from federates.cases.rows import UnitRow

    case = case_of(
        [*_buses()],
        _line(),
        [
            offer("A", 0, 10.0, 50.0),
            UnitRow(id="S", bus=1, kind="storage", p_max_mw=50.0, ramp_mw_per_min=50.0),
        ],
    )
    window = UnitWindow(
        lower_mw=np.array([0.0, -50.0]), upper_mw=np.array([10.0, -50.0]), committed=np.array([True, False])
    )
    clearing = Sced(market_network(case), case.units).clear(np.zeros(2), window)
    assert clearing.unit_mw == pytest.approx([10.0, -50.0], abs=EXACT)
    assert clearing.shed_mw.sum() == pytest.approx(40.0, abs=EXACT)


def _buses():
    from federates.cases.rows import BusRow

    return BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0)


def _line():
    from federates.cases.rows import BranchRow

    return [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.01, x_pu=0.1)]
