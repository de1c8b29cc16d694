"""Reserves in the dispatch and the commitment: hand cases, nesting, limits that bind; derivations in the
tests."""

from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core.curve import NetCurve
from federates.iso.day_ahead import DayBids
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow
from federates.iso.reserves import (
    PRODUCTS,
    REG_DOWN,
    REG_UP,
    SPIN,
    SUPPLEMENTAL,
    NetReserves,
    nested_rules,
)
from federates.iso.sced import Clearing, Sced
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget
from tests.unit.iso.market_cases import all_on, case_of

EXACT = 1e-5
NAMES = ("reg_up", "reg_down", "spin_R1", "total")


def thermal(name: str, p_max: float, price: float, ramp: float = 100.0, **more: object) -> UnitRow:
    given: dict[str, object] = {"p_min_mw": 0.0, **more}
    return UnitRow(
        id=name,
        bus=0,
        kind="thermal",
        p_max_mw=p_max,
        ramp_mw_per_min=ramp,
        blocks=((p_max - float(str(given["p_min_mw"])), price),),
        **given,  # type: ignore[arg-type]
    )


def one_area(*units: UnitRow) -> TransmissionCase:
    return case_of(
        [BusRow(id="1", base_kv=138.0, area=1, load_mw=100.0), BusRow(id="2", base_kv=138.0, area=1)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=500.0)],
        list(units),
    )


def market(case: TransmissionCase, **more: object) -> Sced:
    network = market_network(case)
    return Sced(network, case.units, rules=nested_rules(network.region), **more)


def load(mw: float) -> np.ndarray:
    return np.array([mw, 0.0])


def need(**mw: float) -> np.ndarray:
    return np.array([mw.get(name, 0.0) for name in NAMES])


def price(clearing: Clearing, product: int) -> float:
    return float(clearing.reserves.price_usd_per_mw_h[product, 0])


def test_requirements_are_those_of_the_area() -> None:
    assert nested_rules(np.array([1, 1])).names == NAMES


def test_spin_is_priced_at_the_profit_that_is_given_up_for_it() -> None:
    """A: 100 MW at 20, B: 100 MW at 50. Load 100 and 30 MW of spin: without reserve A serves all.

    B off (0 MW) has 100 MW of room: spin from B costs nothing. Take B down to 20 MW of room: A must keep 10
    MW free and B serves them: the energy price is 50, a MW of spin is worth the 30 $ that A gives up.
    """
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 20.0, 50.0))
    clearing = market(case).clear(load(100.0), all_on(case), required_mw=need(spin_R1=15.0))
    assert clearing.unit_mw == pytest.approx([100.0, 0.0], abs=EXACT)
    assert price(clearing, SPIN) == pytest.approx(0.0, abs=EXACT)
    tight = market(case).clear(load(105.0), all_on(case), required_mw=need(spin_R1=15.0))
    # load and spin take all 120 MW there are, to the last: one MW more of either would be short
    assert tight.unit_mw.sum() + tight.reserves.unit_mw[SPIN].sum() == pytest.approx(120.0, abs=EXACT)
    less = market(case).clear(load(102.0), all_on(case), required_mw=need(spin_R1=15.0))
    assert less.unit_mw == pytest.approx([100.0, 2.0], abs=EXACT)
    assert price(less, SPIN) == pytest.approx(0.0, abs=EXACT)


def test_ramp_limits_reserve_and_the_cheap_unit_steps_back() -> None:
    """B climbs 1 MW/min: 10 MW of spin. Of 25 MW of spin A keeps 15 MW free; load 100 is A 85 and B 15.

    One MW more of spin: A one down, B one up: 50 - 20 = 30 $/MW. One MW more of load: B at 50.
    """
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 100.0, 50.0, ramp=1.0))
    clearing = market(case).clear(load(100.0), all_on(case), required_mw=need(spin_R1=25.0))
    assert clearing.reserves.unit_mw[SPIN] == pytest.approx([15.0, 10.0], abs=EXACT)
    assert clearing.unit_mw == pytest.approx([85.0, 15.0], abs=EXACT)
    assert price(clearing, SPIN) == pytest.approx(30.0, abs=EXACT)
    assert clearing.prices.raw_usd_per_mwh[0] == pytest.approx(50.0, abs=EXACT)
    assert not clearing.penalty_priced


def test_regulation_has_five_minutes_and_shares_ten_with_spin() -> None:
    """A climbs 0.6 MW/min, B 1.0: 3 and 5 MW of regulation, 6 and 10 MW of both together."""
    case = one_area(thermal("A", 100.0, 20.0, ramp=0.6), thermal("B", 100.0, 50.0, ramp=1.0))
    clearing = market(case).clear(load(50.0), all_on(case), required_mw=need(reg_up=9.0, spin_R1=18.0))
    given = clearing.reserves.unit_mw
    assert given[REG_UP] == pytest.approx([3.0, 5.0], abs=EXACT)
    assert given[REG_UP] + given[SPIN] == pytest.approx([6.0, 10.0], abs=EXACT)
    assert clearing.reserves.short_mw == pytest.approx([1.0, 0.0, 2.0, 0.0], abs=EXACT)


def test_prices_of_nested_products_are_ordered_and_add_up() -> None:
    """Each requirement bound: regulation earns all three duals, spin two, supplemental one."""
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 100.0, 50.0, ramp=1.0))
    asked = need(reg_up=8.0, spin_R1=20.0, total=30.0)
    clearing = market(case).clear(load(100.0), all_on(case), required_mw=asked)
    own = clearing.reserves.requirement_usd_per_mw_h
    assert (own >= -EXACT).all()
    assert price(clearing, REG_UP) == pytest.approx(own[0] + own[2] + own[3], abs=1e-9)
    assert price(clearing, SPIN) == pytest.approx(own[2] + own[3], abs=1e-9)
    assert price(clearing, SUPPLEMENTAL) == pytest.approx(own[3], abs=1e-9)
    assert price(clearing, REG_UP) >= price(clearing, SPIN) >= price(clearing, SUPPLEMENTAL)
    assert price(clearing, SPIN) == pytest.approx(30.0, abs=EXACT)


def test_regulation_down_holds_output_above_least() -> None:
    """Load 30: A would serve it alone and can give 30 MW down. 40 MW down need 10 MW from B: 50 - 20 = 30."""
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 100.0, 50.0))
    clearing = market(case).clear(load(30.0), all_on(case), required_mw=need(reg_down=30.0))
    assert clearing.unit_mw == pytest.approx([30.0, 0.0], abs=EXACT)
    more = market(case).clear(load(30.0), all_on(case), required_mw=need(reg_down=40.0))
    # both together cannot go below zero by more than the load: 10 MW are short
    assert more.reserves.unit_mw[REG_DOWN].sum() == pytest.approx(30.0, abs=EXACT)
    assert more.reserves.short_mw[1] == pytest.approx(10.0, abs=EXACT)
    assert more.penalty_priced


def test_a_shortage_is_priced_by_its_step_and_energy_comes_first() -> None:
    """100 MW of room in all, 95 of load, 20 of spin: 15 are short, beyond the first fifth: 850 $/MW."""
    case = one_area(thermal("A", 100.0, 20.0))
    clearing = market(case).clear(load(95.0), all_on(case), required_mw=need(spin_R1=20.0))
    assert clearing.shed_mw.sum() == pytest.approx(0.0, abs=EXACT)
    assert clearing.reserves.short_mw[2] == pytest.approx(15.0, abs=EXACT)
    assert price(clearing, SPIN) == pytest.approx(850.0, abs=EXACT)
    assert clearing.prices.raw_usd_per_mwh[0] == pytest.approx(870.0, abs=EXACT)
    assert clearing.penalty_priced


def test_curtailed_wind_gives_reserve() -> None:
    wind = UnitRow(id="W", bus=0, kind="wind", p_max_mw=80.0, ramp_mw_per_min=1.0)
    case = one_area(thermal("A", 100.0, 20.0, ramp=0.1), wind)
    clearing = market(case).clear(load(50.0), all_on(case), required_mw=need(spin_R1=20.0))
    assert clearing.unit_mw == pytest.approx([0.0, 50.0], abs=EXACT)
    assert clearing.reserves.unit_mw[SPIN, 1] == pytest.approx(19.0, abs=1.0 + EXACT)
    assert clearing.unit_mw[1] + clearing.reserves.unit_mw[SPIN, 1] <= 80.0 + EXACT
    assert price(clearing, SPIN) == pytest.approx(0.0, abs=EXACT)


def test_a_fast_unit_at_standstill_serves_the_total_only() -> None:
    """C starts within 10 minutes: 20 MW of supplemental reserve, none of spin."""
    fast = thermal("C", 20.0, 90.0, ramp=2.0)
    case = one_area(thermal("A", 100.0, 20.0), fast)
    window = UnitWindow(
        lower_mw=np.zeros(2),
        upper_mw=np.array([100.0, 0.0]),
        committed=np.array([True, False]),
        capacity_mw=np.array([100.0, 20.0]),
        floor_mw=np.zeros(2),
    )
    clearing = market(case).clear(load(90.0), window, required_mw=need(spin_R1=10.0, total=30.0))
    given = clearing.reserves.unit_mw
    assert given[SUPPLEMENTAL] == pytest.approx([0.0, 20.0], abs=EXACT)
    assert given[SPIN] == pytest.approx([10.0, 0.0], abs=EXACT)
    assert clearing.reserves.short_mw == pytest.approx(np.zeros(4), abs=EXACT)


def curve_reserves(p_lo: float, p_hi: float, product: int, mw: float, usd: float) -> NetReserves:
    offered, asked = np.zeros((1, len(PRODUCTS), 1)), np.zeros((1, len(PRODUCTS), 1))
    offered[0, product, 0], asked[0, product, 0] = mw, usd
    return NetReserves(
        offered_mw=offered,
        price_usd_per_mw_h=asked,
        p_lo_mw=np.array([p_lo]),
        p_hi_mw=np.array([p_hi]),
    )


def net_market(case: TransmissionCase) -> Sced:
    return market(case, curve_bus=np.array([1]), curve_slots=np.array([2]))


def test_a_net_curves_up_reserve_is_less_import_and_stays_callable() -> None:
    """The curve imports up to 40 MW at 60 $/MWh; all called, its import must stay at 25 MW or above.

    20 MW of spin at 2 $: with 40 MW imported only 15 may be sold, unless A gives the rest: it has no ramp.
    """
    case = one_area(thermal("A", 200.0, 20.0, ramp=0.0))
    curve = NetCurve(import_mw=np.array([0.0, 40.0]), price_usd_per_mwh=np.array([60.0, 60.0]))
    offer = curve_reserves(25.0, 40.0, SPIN, 20.0, 2.0)
    clearing = net_market(case).clear(
        load(50.0), all_on(case), [curve], required_mw=need(spin_R1=15.0), net_reserves=offer
    )
    assert clearing.curve_mw == pytest.approx([40.0], abs=EXACT)
    assert clearing.reserves.curve_mw[SPIN] == pytest.approx([15.0], abs=EXACT)
    free = net_market(case).clear(
        load(50.0),
        all_on(case),
        [curve],
        required_mw=need(spin_R1=15.0),
        net_reserves=curve_reserves(0.0, 40.0, SPIN, 20.0, 2.0),
    )
    assert price(free, SPIN) == pytest.approx(2.0, abs=EXACT)
    more = net_market(case).clear(
        load(50.0), all_on(case), [curve], required_mw=need(spin_R1=18.0), net_reserves=offer
    )
    assert more.reserves.curve_mw[SPIN] == pytest.approx([15.0], abs=EXACT)
    assert more.reserves.short_mw[2] == pytest.approx(3.0, abs=EXACT)


def test_a_net_curves_down_reserve_is_more_import_and_stays_callable() -> None:
    """Least import 10, greatest with all called 30: 25 MW of regulation down hold the import at 5: 20 fit."""
    case = one_area(thermal("A", 200.0, 20.0, ramp=0.0))
    curve = NetCurve(import_mw=np.array([10.0, 40.0]), price_usd_per_mwh=np.array([60.0, 60.0]))
    clearing = net_market(case).clear(
        load(50.0),
        all_on(case),
        [curve],
        required_mw=need(reg_down=25.0),
        net_reserves=curve_reserves(0.0, 30.0, REG_DOWN, 25.0, 1.0),
    )
    assert clearing.curve_mw == pytest.approx([10.0], abs=EXACT)
    assert clearing.reserves.curve_mw[REG_DOWN] == pytest.approx([20.0], abs=EXACT)
    assert clearing.reserves.short_mw[1] == pytest.approx(5.0, abs=EXACT)


def test_rows_of_the_range_hold_only_where_reserve_is_offered() -> None:
    case = one_area(thermal("A", 200.0, 20.0))
    curve = NetCurve(import_mw=np.array([0.0, 40.0]), price_usd_per_mwh=np.array([60.0, 60.0]))
    nothing = curve_reserves(25.0, 26.0, SPIN, 0.0, 0.0)
    clearing = net_market(case).clear(
        load(50.0), all_on(case), [curve], required_mw=need(), net_reserves=nothing
    )
    assert clearing.curve_mw == pytest.approx([40.0], abs=EXACT)


def test_reserve_price_is_the_difference_of_cost() -> None:
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 100.0, 50.0, ramp=1.0))
    asked = need(reg_up=8.0, spin_R1=20.0, total=30.0)
    base = market(case).clear(load(100.0), all_on(case), required_mw=asked)
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-3
        more = market(case).clear(load(100.0), all_on(case), required_mw=asked + step)
        slope = (more.objective_usd_per_h - base.objective_usd_per_h) / 1e-3
        expected = base.reserves.requirement_usd_per_mw_h[k] if asked[k] > 0.0 else 0.0
        assert slope == pytest.approx(expected, abs=1e-4)


def test_permuted_units_get_the_same_reserve() -> None:
    rows = [thermal("A", 100.0, 20.0, ramp=2.0), thermal("B", 80.0, 50.0, ramp=1.0), thermal("C", 60.0, 50.0)]
    one, other = one_area(*rows), one_area(*reversed(rows))
    asked = need(reg_up=8.0, spin_R1=25.0, total=30.0)
    first = market(one).clear(load(120.0), all_on(one), required_mw=asked)
    second = market(other).clear(load(120.0), all_on(other), required_mw=asked)
    assert first.reserves.unit_mw == pytest.approx(second.reserves.unit_mw[:, ::-1], abs=1e-6)
    assert first.unit_mw == pytest.approx(second.unit_mw[::-1], abs=1e-6)


def day(case: TransmissionCase, load_mw: list[float], required: list[np.ndarray]) -> DayBids:
    hours, n = len(load_mw), len(case.units.ids)
    demand = np.zeros((hours, 2))
    demand[:, 0] = load_mw
    return DayBids(
        demand_mw=demand,
        available_mw=np.tile(case.units.p_max_mw, (hours, 1)),
        must_take=np.zeros(n, dtype=np.bool_),
        inflow_mw=np.zeros((hours, n)),
        required_mw=np.array(required),
    )


def state(case: TransmissionCase, on: list[bool], output: list[float]) -> UnitState:
    n = len(case.units.ids)
    return UnitState(
        on=np.array(on),
        in_state_h=np.full(n, 48.0),
        output_mw=np.array(output),
        energy_mwh=0.5 * case.units.energy_mwh,
    )


def test_a_unit_is_committed_for_the_spin_that_nobody_else_has() -> None:
    """A alone serves 95 of its 100 MW; 20 MW of spin need B, 5 MW of its 60 for energy at its least
    output."""
    case = one_area(
        thermal("A", 100.0, 20.0), thermal("B", 60.0, 50.0, p_min_mw=5.0, no_load_usd_per_h=250.0)
    )
    network = market_network(case)
    scuc = Scuc(network, case.units, hours=1, rules=nested_rules(network.region))
    before = state(case, [True, False], [95.0, 0.0])
    found = scuc.commit(day(case, [95.0], [need(spin_R1=20.0)]), before, SearchBudget(gap=0.0))
    assert found.commitment[0].tolist() == [True, True]
    assert found.reserves.unit_mw[0, SPIN].sum() == pytest.approx(20.0, abs=EXACT)
    alone = scuc.commit(day(case, [95.0], [need()]), before, SearchBudget(gap=0.0))
    assert alone.commitment[0].tolist() == [True, False]


def test_supplemental_reserve_needs_no_commitment() -> None:
    case = one_area(thermal("A", 100.0, 20.0), thermal("C", 20.0, 90.0, ramp=2.0))
    network = market_network(case)
    scuc = Scuc(network, case.units, hours=1, rules=nested_rules(network.region))
    bids = day(case, [90.0], [need(spin_R1=10.0, total=30.0)])
    found = scuc.commit(bids, state(case, [True, False], [90.0, 0.0]), SearchBudget(gap=0.0))
    assert found.commitment[0].tolist() == [True, False]
    assert found.reserves.unit_mw[0, SUPPLEMENTAL] == pytest.approx([0.0, 20.0], abs=EXACT)
    assert found.reserves.short_mw.sum() == pytest.approx(0.0, abs=EXACT)


def test_a_store_sells_only_the_reserve_that_it_can_sustain() -> None:
    """3 MWh in store at 0.81 round trip give 2.7 MW for an hour, of 10 MW of power."""
    store = UnitRow(
        id="S", bus=0, kind="storage", p_max_mw=10.0, ramp_mw_per_min=10.0, energy_mwh=6.0, charge_mw=10.0,
        round_trip=0.81,
    )  # fmt: skip
    case = one_area(thermal("A", 100.0, 20.0, ramp=0.0), store)
    network = market_network(case)
    scuc = Scuc(network, case.units, hours=1, rules=nested_rules(network.region))
    bids = day(case, [50.0], [need(spin_R1=5.0)])
    found = scuc.commit(bids, state(case, [True, True], [50.0, 0.0]), SearchBudget(gap=0.0))
    held = found.reserves.unit_mw[0, SPIN, 1]
    assert held == pytest.approx(0.9 * found.energy_mwh[0, 1], abs=EXACT)
    assert held < 5.0
    assert found.reserves.short_mw[0, 2] == pytest.approx(5.0 - held, abs=EXACT)


def test_relaxed_prices_hold_start_and_no_load_costs() -> None:
    """B needed for 10 MW at 50 $ with 400 $/h at no load: fixed price 50, relaxed 50 + 400 / 40 per MW."""
    case = one_area(thermal("A", 100.0, 20.0), thermal("B", 40.0, 50.0, no_load_usd_per_h=400.0))
    network = market_network(case)
    scuc = Scuc(network, case.units, hours=1, rules=nested_rules(network.region))
    before = state(case, [True, True], [100.0, 10.0])
    found = scuc.commit(day(case, [110.0], [need()]), before, SearchBudget(gap=0.0))
    assert found.prices.raw_usd_per_mwh[0, 0] == pytest.approx(50.0, abs=EXACT)
    assert found.relaxed_prices.raw_usd_per_mwh[0, 0] == pytest.approx(60.0, abs=EXACT)


def test_bus_of_another_area_serves_its_own_spin_only() -> None:
    far = replace(thermal("F", 100.0, 30.0), bus=1)
    case = case_of(
        [BusRow(id="1", base_kv=138.0, area=1, load_mw=1.0), BusRow(id="2", base_kv=138.0, area=2)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=500.0)],
        [thermal("A", 100.0, 20.0), far],
    )
    network = market_network(case)
    rules = nested_rules(network.region)
    assert rules.names == ("reg_up", "reg_down", "spin_R1", "spin_R2", "total")
    asked = np.array([0.0, 0.0, 30.0, 0.0, 0.0])
    clearing = Sced(network, case.units, rules=rules).clear(load(100.0), all_on(case), required_mw=asked)
    # the far unit, idle, may not hold area 1's spin: A keeps 30 MW free
    assert clearing.unit_mw == pytest.approx([70.0, 30.0], abs=EXACT)
    assert clearing.reserves.price_usd_per_mw_h[SPIN] == pytest.approx([10.0, 0.0], abs=EXACT)
