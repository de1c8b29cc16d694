"""Hand cases of the unit commitment; every derivation is in the test."""

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core.curve import NetCurve, fixed_quantity
from federates.core.errors import InfeasibleError
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from federates.lp.program import Program
from federates.lp.solution import SearchBudget
from tests.unit.iso.market_cases import case_of

EXACT = 1e-5
BEST = SearchBudget(gap=0.0)


def thermal(name: str, p_min: float, p_max: float, price: float, **more: object) -> UnitRow:
    """A unit on bus 1 whose no-load cost is ``price`` times its least output, unless said."""
    given: dict[str, object] = {"ramp_mw_per_min": 1e3, "no_load_usd_per_h": price * p_min, **more}
    return UnitRow(
        id=name,
        bus=0,
        kind="thermal",
        p_min_mw=p_min,
        p_max_mw=p_max,
        blocks=((p_max - p_min, price),),
        **given,  # type: ignore[arg-type]
    )


def one_bus(*units: UnitRow) -> TransmissionCase:
    return case_of(
        [BusRow(id="1", base_kv=138.0, load_mw=1.0), BusRow(id="2", base_kv=138.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.01, x_pu=0.1, rating_mw=50.0)],
        list(units),
    )


def state(case: TransmissionCase, on: list[bool], output: list[float], hours: float = 48.0) -> UnitState:
    n = len(case.units.ids)
    return UnitState(
        on=np.array(on),
        in_state_h=np.full(n, hours),
        output_mw=np.array(output),
        energy_mwh=0.5 * case.units.energy_mwh,
    )


def bids(case: TransmissionCase, load: list[float], **more: object) -> DayBids:
    hours, n = len(load), len(case.units.ids)
    demand = np.zeros((hours, 2))
    demand[:, 0] = load
    given: dict[str, object] = {
        "available_mw": np.tile(case.units.p_max_mw, (hours, 1)),
        "must_take": np.zeros(n, dtype=np.bool_),
        "inflow_mw": np.zeros((hours, n)),
        **more,
    }
    return DayBids(demand_mw=demand, **given)  # type: ignore[arg-type]


def commit(case: TransmissionCase, day: DayBids, before: UnitState, **slots: object) -> DayAhead:
    market = Scuc(market_network(case), case.units, hours=day.demand_mw.shape[0], **slots)  # type: ignore[arg-type]
    return market.commit(day, before, BEST)


def test_a_start_is_paid_only_where_it_is_cheaper_than_staying_on() -> None:
    """P is needed in hours 0 and 3. Through the trough it costs 20 x (50 - 10) = 800 $/h more than B:
    1,600 $ against a start of 1,000 $ stops it, against 2,000 $ keeps it on."""
    for start_usd, expected in ((1_000.0, [1, 0, 0, 1]), (2_000.0, [1, 1, 1, 1])):
        case = one_bus(
            thermal("B", 0.0, 100.0, 10.0),
            thermal("P", 20.0, 60.0, 50.0, starts=((0.0, start_usd),)),
        )
        day = commit(case, bids(case, [120.0, 90.0, 90.0, 120.0]), state(case, [True, True], [90.0, 30.0]))
        assert day.commitment[:, 1].tolist() == [bool(k) for k in expected]
        served = 4 * 100 * 10.0 - 2 * 10 * 10.0 + 2 * 20 * 50.0
        extra = start_usd if expected[1] == 0 else 2 * 20 * (50.0 - 10.0)
        assert day.objective_usd == pytest.approx(served + extra, abs=EXACT)
        assert day.search.gap <= 1e-9


def test_minimum_up_time_keeps_a_unit_on_past_its_need() -> None:
    """Needed in hour 1 only; three hours of minimum up time hold it through hour 3."""
    for min_up_h, expected in ((1.0, [0, 1, 0, 0, 0]), (2.2, [0, 1, 1, 1, 0])):
        case = one_bus(
            thermal("B", 0.0, 100.0, 10.0),
            thermal("P", 20.0, 60.0, 50.0, starts=((0.0, 100.0),), min_up_h=min_up_h),
        )
        load = [40.0, 150.0, 40.0, 40.0, 40.0]
        on = commit(case, bids(case, load), state(case, [True, False], [40.0, 0.0])).commitment[:, 1]
        started = [bool(k) for k in expected]
        if min_up_h > 1.0:
            assert on.sum() == 3
            assert on[1]
        else:
            assert on.tolist() == started


def test_minimum_down_time_carries_over_from_the_day_before() -> None:
    """Off for one hour of four: the unit cannot serve hours 0 to 2, so load is short there."""
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0, min_down_h=4.0))
    day = bids(case, [120.0] * 5)
    long_off = commit(case, day, state(case, [True, False], [100.0, 0.0]))
    short_off = commit(case, day, state(case, [True, False], [100.0, 0.0], hours=1.0))
    assert long_off.shed_mw.sum() == pytest.approx(0.0, abs=EXACT)
    assert short_off.commitment[:, 1].tolist() == [False, False, False, True, True]
    assert short_off.shed_mw.sum(axis=1) == pytest.approx([20.0, 20.0, 20.0, 0.0, 0.0], abs=EXACT)


def test_a_start_soon_after_a_stop_is_hot_and_cheaper() -> None:
    """Hot (below 3 h off) 100 $, cold 900 $: off for two hours pays 100, off since yesterday pays 900."""
    case = one_bus(
        thermal("B", 0.0, 100.0, 10.0),
        thermal("P", 20.0, 60.0, 50.0, starts=((0.0, 100.0), (3.0, 900.0))),
    )
    trough = commit(case, bids(case, [120.0, 90.0, 90.0, 120.0]), state(case, [True, True], [90.0, 30.0]))
    served = 2 * (100 * 10.0 + 20 * 50.0) + 2 * 90 * 10.0
    assert trough.commitment[:, 1].tolist() == [True, False, False, True]
    assert trough.objective_usd == pytest.approx(served + 100.0, abs=EXACT)
    cold = commit(case, bids(case, [120.0]), state(case, [True, False], [100.0, 0.0]))
    assert cold.objective_usd == pytest.approx(100 * 10.0 + 20 * 50.0 + 900.0, abs=EXACT)


def test_a_ramp_binds_between_hours_and_from_the_day_before() -> None:
    """B climbs 30 MW/h from 40 MW: 70, 100; the dear unit fills the rest."""
    case = one_bus(thermal("B", 0.0, 200.0, 10.0, ramp_mw_per_min=0.5), thermal("P", 0.0, 200.0, 50.0))
    day = commit(case, bids(case, [120.0, 120.0]), state(case, [True, True], [40.0, 0.0]))
    assert day.unit_mw[:, 0] == pytest.approx([70.0, 100.0], abs=EXACT)
    assert day.unit_mw[:, 1] == pytest.approx([50.0, 20.0], abs=EXACT)


def test_a_must_run_unit_is_on_and_its_surplus_is_dumped_at_a_price() -> None:
    case = one_bus(thermal("N", 50.0, 60.0, 5.0, must_run=True), thermal("P", 0.0, 60.0, 50.0))
    day = commit(case, bids(case, [30.0, 80.0]), state(case, [True, False], [50.0, 0.0]))
    assert day.commitment[:, 0].all()
    assert day.surplus_mw.sum(axis=1) == pytest.approx([20.0, 0.0], abs=EXACT)


def test_must_take_output_is_taken_and_wind_is_curtailed() -> None:
    """20 MW of hydro must be taken, 50 MW of wind may be: a load of 40 MW leaves 20 of wind, price 0."""
    case = one_bus(
        thermal("B", 0.0, 100.0, 10.0),
        UnitRow(id="H", bus=0, kind="hydro", p_max_mw=20.0, ramp_mw_per_min=1.0),
        UnitRow(id="W", bus=0, kind="wind", p_max_mw=50.0, ramp_mw_per_min=1.0),
    )
    day = commit(
        case,
        bids(case, [40.0], must_take=np.array([False, True, False])),
        state(case, [True, True, True], [40.0, 20.0, 0.0]),
    )
    assert day.unit_mw[0] == pytest.approx([0.0, 20.0, 20.0], abs=EXACT)
    assert day.prices.lmp_usd_per_mwh[0] == pytest.approx([0.0, 0.0], abs=EXACT)


def test_storage_buys_low_sells_high_and_ends_as_it_began() -> None:
    """One way 0.9: 10 MW charged at 10 $/MWh give 8.1 MW at 50; the price gap pays for the losses."""
    store = UnitRow(
        id="S", bus=0, kind="storage", p_max_mw=10.0, ramp_mw_per_min=10.0, energy_mwh=20.0, charge_mw=10.0,
        round_trip=0.81,
    )  # fmt: skip
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 60.0, 50.0), store)
    day = commit(case, bids(case, [60.0, 120.0]), state(case, [True, True, True], [60.0, 0.0, 0.0]))
    assert day.unit_mw[:, 2] == pytest.approx([-10.0, 8.1], abs=EXACT)
    assert day.energy_mwh[-1, 2] == pytest.approx(10.0, abs=EXACT)
    assert day.unit_mw.sum(axis=1) == pytest.approx([60.0, 120.0], abs=EXACT)


def test_a_solar_thermal_store_moves_its_inflow_to_the_dear_hour() -> None:
    plant = UnitRow(id="C", bus=0, kind="csp", p_max_mw=30.0, ramp_mw_per_min=10.0, energy_mwh=100.0)
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 60.0, 50.0), plant)
    inflow = np.array([[0.0, 0.0, 25.0], [0.0, 0.0, 0.0]])
    day = commit(
        case, bids(case, [60.0, 130.0], inflow_mw=inflow), state(case, [True, True, True], [60.0, 0.0, 0.0])
    )
    assert day.unit_mw[:, 2] == pytest.approx([0.0, 25.0], abs=EXACT)
    assert day.energy_mwh[-1, 2] == pytest.approx(50.0, abs=EXACT)


def test_a_curve_is_cleared_hour_by_hour_behind_the_line() -> None:
    """Behind the 50 MW line a curve worth 40 takes 50 MW when the price is 10, and none when it is 50."""
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 200.0, 50.0))
    curve = NetCurve(import_mw=np.array([0.0, 70.0]), price_usd_per_mwh=np.array([40.0, 40.0]))
    slots = {"curve_bus": np.array([1]), "curve_slots": np.array([3])}
    day = commit(
        case,
        bids(case, [20.0, 150.0], curves=((curve, curve),)),
        state(case, [True, True], [20.0, 0.0]),
        **slots,
    )
    assert day.curve_mw[:, 0] == pytest.approx([50.0, 0.0], abs=EXACT)
    assert day.prices.lmp_usd_per_mwh[0] == pytest.approx([10.0, 40.0], abs=EXACT)
    assert day.flow_mw[0] == pytest.approx([50.0], abs=EXACT)
    assert abs(day.line_price_usd_per_mwh[0, 0]) == pytest.approx(30.0, abs=EXACT)


def test_offered_blocks_of_equal_price_share_each_hour() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 200.0, 50.0))
    day = commit(
        case,
        bids(case, [120.0], block_mw=np.array([[15.0, 25.0]]), block_usd_per_mwh=np.array([[30.0, 30.0]])),
        state(case, [True, True], [100.0, 0.0]),
        block_bus=np.array([0, 0]),
    )
    assert day.block_mw[0] == pytest.approx([7.5, 12.5], abs=EXACT)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_search_that_finds_nothing_loses_no_commitment(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first search looks near the relaxation only, the second everywhere: either may come back empty."""
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0, starts=((0.0, 900.0),)))
    day, before = bids(case, [120.0, 90.0, 130.0]), state(case, [True, False], [90.0, 0.0])
    expected = commit(case, day, before)
    search, calls = Program.solve_integer, []

    def fails_once(program: Program, budget: SearchBudget, start: object = None) -> object:
        calls.append(start)
        if len(calls) == failing:
            raise InfeasibleError("nothing found")
        return search(program, budget, start)  # type: ignore[arg-type]

    monkeypatch.setattr(Program, "solve_integer", fails_once)
    found = commit(case, day, before)
    assert len(calls) >= failing
    assert found.objective_usd == pytest.approx(expected.objective_usd, abs=EXACT)
    assert found.search.bound_usd <= found.objective_usd + EXACT


def test_clearing_a_given_commitment_repeats_the_pricing_run() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0, starts=((0.0, 700.0),)))
    day, before = bids(case, [120.0, 90.0, 130.0]), state(case, [True, True], [90.0, 30.0])
    found = commit(case, day, before)
    given = Scuc(market_network(case), case.units, hours=3).clear(day, before, found.commitment)
    assert given.objective_usd == found.objective_usd
    assert np.array_equal(given.prices.raw_usd_per_mwh, found.prices.raw_usd_per_mwh)
    assert np.array_equal(given.unit_mw, found.unit_mw)


def test_a_commitment_that_breaks_a_minimum_time_is_refused() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0, min_up_h=3.0))
    market = Scuc(market_network(case), case.units, hours=3)
    on = np.array([[True, False], [True, True], [True, False]])
    with pytest.raises(InfeasibleError, match=r"scuc: no optimum.*minimum times"):
        market.clear(bids(case, [90.0] * 3), state(case, [True, False], [90.0, 0.0]), on)


def test_hour_price_is_the_cost_of_one_more_mw_in_that_hour() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0, ramp_mw_per_min=0.5), thermal("P", 0.0, 200.0, 50.0))
    market = Scuc(market_network(case), case.units, hours=2)
    before, on = state(case, [True, True], [40.0, 0.0]), np.ones((2, 2), dtype=np.bool_)
    day = market.clear(bids(case, [60.0, 120.0]), before, on)
    for hour in range(2):
        load = [60.0, 120.0]
        load[hour] += 0.01
        more = market.clear(bids(case, load), before, on)
        slope = (more.objective_usd - day.objective_usd) / 0.01
        assert slope == pytest.approx(day.prices.raw_usd_per_mwh[hour, 0], abs=1e-4)
    assert day.prices.raw_usd_per_mwh[0, 0] == pytest.approx(-30.0, abs=EXACT)


def test_the_state_after_a_day_counts_hours_on_and_off() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0))
    before = state(case, [True, False], [90.0, 0.0])
    on = np.array([[True, True], [True, True], [True, False]])
    after = before.after(on, np.zeros((3, 2)), np.zeros((3, 2)))
    assert after.on.tolist() == [True, False]
    assert after.in_state_h.tolist() == [51.0, 1.0]


def test_a_start_state_is_feasible_for_its_own_day() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 20.0, 60.0, 50.0, min_up_h=3.0))
    day = bids(case, [140.0, 90.0, 130.0])
    market = Scuc(market_network(case), case.units, hours=3)
    before = market.start_state(day)
    assert before.on.tolist() == [True, True]
    assert before.output_mw == pytest.approx([100.0, 40.0], abs=EXACT)
    assert market.commit(day, before, BEST).shed_mw.sum() == pytest.approx(0.0, abs=EXACT)


def test_a_fixed_quantity_is_the_same_as_demand() -> None:
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 200.0, 50.0))
    before = state(case, [True, True], [20.0, 0.0])
    curves = (tuple(fixed_quantity(30.0) for _ in range(2)),)
    slots = {"curve_bus": np.array([0]), "curve_slots": np.array([2])}
    split = commit(case, bids(case, [50.0, 100.0], curves=curves), before, **slots)
    whole = commit(case, bids(case, [80.0, 130.0]), before)
    assert split.objective_usd == pytest.approx(whole.objective_usd, abs=EXACT)
    assert split.curve_mw == pytest.approx(np.full((2, 1), 30.0), abs=EXACT)
