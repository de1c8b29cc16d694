"""Hand cases of the look-ahead and of clearings at their limits; every derivation is in the test."""

from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core.curve import NetCurve
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow, ramp_window
from federates.iso.products.stores import StoreOutlook
from federates.iso.reserves import PRODUCTS, SPIN, NetReserves, nested_rules
from federates.iso.sced import Clearing, Sced
from tests.unit.iso.market_cases import all_on, case_of, offer, two_bus

EXACT = 1e-5
HOUR_S = 3_600


def thermal(name: str, p_min: float, p_max: float, price: float, ramp: float) -> UnitRow:
    return UnitRow(
        id=name,
        bus=0,
        kind="thermal",
        p_min_mw=p_min,
        p_max_mw=p_max,
        ramp_mw_per_min=ramp,
        blocks=((p_max - p_min, price),),
    )


def one_bus(*units: UnitRow, r_pu: float = 0.0) -> TransmissionCase:
    return case_of(
        [BusRow(id="1", base_kv=138.0, load_mw=100.0), BusRow(id="2", base_kv=138.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=r_pu, x_pu=0.1, rating_mw=np.inf)],
        list(units),
    )


def loads(*mw: float) -> np.ndarray:
    return np.column_stack((mw, np.zeros(len(mw))))


def window(
    case: TransmissionCase,
    previous: list[float],
    times: int,
    *,
    available: np.ndarray | None = None,
    committed: np.ndarray | None = None,
) -> UnitWindow:
    n = len(case.units.ids)
    return ramp_window(
        case.units,
        previous_mw=np.array(previous),
        committed=np.ones((times, n), dtype=np.bool_) if committed is None else committed,
        available_mw=np.tile(case.units.p_max_mw, (times, 1)) if available is None else available,
        must_take=np.zeros(n, dtype=np.bool_),
        schedule_mw=np.zeros((times, n)),
        length_s=300,
    )


def ahead(case: TransmissionCase, load_mw: np.ndarray, given: UnitWindow, **more: object) -> Clearing:
    market = Sced(market_network(case), case.units, intervals=load_mw.shape[0], **more)  # type: ignore[arg-type]
    return market.clear(load_mw, given)


def test_a_ramp_that_binds_next_interval_moves_this_one() -> None:
    """S (30 $) climbs 10 MW an interval, F (20 $, 100 MW) is full at 100. Load 100, then 125.

    F at 100 leaves 25 MW for S at the second: S must give 15 now, F 85. One MW more now: F gives it at 20.
    One MW more then: S gives one more in both, F one less now: 30 + 30 - 20 = 40. Without look-ahead S gives
    nothing now, reaches 10 and load is short by 15.
    """
    case = one_bus(thermal("S", 0.0, 100.0, 30.0, 2.0), thermal("F", 0.0, 100.0, 20.0, 1e3))
    given = window(case, [10.0, 90.0], 2)
    found = ahead(case, loads(100.0, 125.0), given)
    assert found.unit_mw == pytest.approx([15.0, 85.0], abs=EXACT)
    assert found.advisory_unit_mw[1] == pytest.approx([25.0, 100.0], abs=EXACT)
    assert found.advisory_lmp_usd_per_mwh[:, 0] == pytest.approx([20.0, 40.0], abs=EXACT)
    assert found.horizon_usd_per_h == pytest.approx(15 * 30 + 85 * 20 + 25 * 30 + 100 * 20, abs=EXACT)
    blind = ahead(case, loads(100.0), window(case, [10.0, 90.0], 1))
    assert blind.unit_mw == pytest.approx([0.0, 100.0], abs=EXACT)
    later = ahead(case, loads(125.0), window(case, blind.unit_mw.tolist(), 1))
    assert later.shed_mw.sum() == pytest.approx(15.0, abs=EXACT)
    assert later.penalty_priced


def outlook(
    case: TransmissionCase, times: int, *, target: float, short: float, spare: float, out: bool = False
) -> StoreOutlook:
    n = len(case.units.ids)
    full = np.tile(case.units.p_max_mw, (times, 1))
    return StoreOutlook(
        energy_mwh=np.where(case.units.of_kind("storage"), 10.0, 0.0),
        inflow_mw=np.zeros((times, n)),
        target_mwh=np.full(n, target),
        short_usd_per_mwh=np.full(n, short),
        spare_usd_per_mwh=np.full(n, spare),
        available_mw=np.where(out & case.units.of_kind("storage"), 0.0, full),
    )


def with_store() -> TransmissionCase:
    store = UnitRow(
        id="S", bus=0, kind="storage", p_max_mw=10.0, ramp_mw_per_min=10.0, energy_mwh=20.0, charge_mw=10.0,
        round_trip=0.81,
    )  # fmt: skip
    return one_bus(thermal("B", 0.0, 100.0, 10.0, 1e3), thermal("P", 0.0, 60.0, 50.0, 1e3), store)


def storing(load_mw: np.ndarray, *, length_s: int = HOUR_S, **store: float) -> Clearing:
    case, times = with_store(), load_mw.shape[0]
    market = Sced(market_network(case), case.units, intervals=times, length_s=length_s, stores=True)
    everyone = all_on(case)
    return market.clear(load_mw, everyone, outlook=outlook(case, times, **store))


def test_a_store_keeps_its_energy_for_the_dear_interval_and_ends_at_its_target() -> None:
    """10 MWh in store, one way 0.9, one-hour intervals, load 90 (10 $) then 120 (50 $), target 1 MWh.

    9 MWh x 0.9 = 8.1 MW may go to the second hour at 50 $; in the first it charges 10 MW at 10 $ (10 x 0.9 x
    0.9 = 8.1 MW later at 50): but 10 MW is all it can give, 10 / 0.9 = 11.11 MWh, so 2.11 MWh are charged,
    2.11 / 0.9 = 2.346 MW. A MWh short of the target costs 60 $ > 50 x 0.9: it ends at the target.
    """
    found = storing(loads(90.0, 120.0), target=1.0, short=60.0, spare=0.0)
    charge = (10.0 / 0.9 + 1.0 - 10.0) / 0.9
    assert found.advisory_unit_mw[:, 2] == pytest.approx([-charge, 10.0], abs=EXACT)
    assert found.store_mwh[2] == pytest.approx(10.0 + 0.9 * charge, abs=EXACT)
    assert found.prices.raw_usd_per_mwh[0] == pytest.approx(10.0, abs=EXACT)


@pytest.mark.parametrize("length_s", [300, HOUR_S])
@pytest.mark.parametrize(("short", "spare", "gives"), [(44.0, 0.0, 1), (46.0, 0.0, 0), (46.0, 46.0, -1)])
def test_what_energy_is_worth_at_the_end_decides_whatever_the_interval(
    length_s: int, short: float, spare: float, gives: int
) -> None:
    """At 50 $/MWh a MWh in store earns 45: it is sold below a worth of 45 $ and kept above.

    Charging costs 50 / 0.9 = 55.6 $/MWh in store, so a spare MWh worth 46 is not bought, one worth 46 when
    the price is 10 (11.1 $ in store) is.
    """
    load = loads(120.0) if gives >= 0 else loads(60.0)
    found = storing(load, length_s=length_s, target=10.0, short=short, spare=spare)
    expected = 10.0 * gives
    if length_s == HOUR_S and gives > 0:
        expected = 9.0  # all of 10 MWh
    assert found.unit_mw[2] == pytest.approx(expected, abs=EXACT)


def test_a_full_store_wastes_nothing_where_prices_are_negative() -> None:
    """30 MW must be taken, 20 are drawn, the store is full: all of 10 MW are surplus at -500 $/MWh.

    Charging 10 MW and discharging 8.1 at once would burn 1.9 of them.
    """
    case = with_store()
    forced = UnitWindow(
        lower_mw=np.array([30.0, 0.0, 0.0]),
        upper_mw=np.array([30.0, 0.0, 10.0]),
        committed=np.ones(3, dtype=np.bool_),
    )
    full = replace(outlook(case, 1, target=0.0, short=0.0, spare=0.0), energy_mwh=np.array([0.0, 0.0, 20.0]))
    market = Sced(market_network(case), case.units, length_s=HOUR_S, stores=True)
    found = market.clear(loads(20.0)[0], forced, outlook=full)
    assert found.surplus_mw.sum() == pytest.approx(10.0, abs=EXACT)
    assert found.unit_mw[2] == pytest.approx(0.0, abs=EXACT)
    assert found.prices.raw_usd_per_mwh[0] == pytest.approx(-500.0, abs=EXACT)
    room = market.clear(loads(20.0)[0], forced, outlook=replace(full, energy_mwh=np.zeros(3)))
    assert room.unit_mw[2] == pytest.approx(-10.0, abs=EXACT)


def test_a_store_that_is_out_sells_no_reserve() -> None:
    """The only other unit cannot move: 5 MW of spin come from the store, and none once it has tripped."""
    store = UnitRow(
        id="S", bus=0, kind="storage", p_max_mw=10.0, ramp_mw_per_min=10.0, energy_mwh=20.0, charge_mw=10.0,
        round_trip=0.81,
    )  # fmt: skip
    case = one_bus(thermal("B", 0.0, 100.0, 10.0, 0.0), store)
    network = market_network(case)
    market = Sced(network, case.units, rules=nested_rules(network.region), stores=True)
    asked = np.zeros(len(nested_rules(network.region).names))
    asked[2] = 5.0
    held = []
    for out in (False, True):
        store_now = outlook(case, 1, target=10.0, short=0.0, spare=0.0, out=out)
        found = market.clear(loads(50.0)[0], all_on(case), outlook=store_now, required_mw=asked)
        held.append(found.reserves.unit_mw[SPIN, 1])
    assert held == pytest.approx([5.0, 0.0], abs=EXACT)


def test_an_uncommitted_fast_unit_starts_where_load_would_be_short() -> None:
    case = one_bus(
        thermal("B", 0.0, 100.0, 10.0, 1e3),
        UnitRow(
            id="Q",
            bus=0,
            kind="thermal",
            p_max_mw=30.0,
            ramp_mw_per_min=3.0,
            min_up_h=1.0,
            starts=((0.0, 60.0),),
            blocks=((30.0, 50.0),),
        ),
    )
    committed = np.tile([True, False], (2, 1))
    given = window(case, [100.0, 0.0], 2, committed=committed)
    found = ahead(case, loads(110.0, 130.0), given)
    # 15 MW in five minutes: 15 now and 30 then; its price is 50 + 60 $ over an hour of 30 MW = 52
    assert found.advisory_unit_mw[:, 1] == pytest.approx([15.0, 30.0], abs=EXACT)
    assert found.shed_mw.sum() == pytest.approx(0.0, abs=EXACT)
    calm = ahead(case, loads(110.0, 110.0), given)
    assert calm.unit_mw == pytest.approx([100.0, 10.0], abs=EXACT)
    assert calm.prices.raw_usd_per_mwh[0] == pytest.approx(52.0, abs=EXACT)


def test_a_unit_that_comes_on_by_schedule_makes_room_for_its_least_output() -> None:
    """N comes on in the second interval with at least 40 MW; B falls 20 an interval and starts at 100.

    Load 100 throughout: B must be at 60 then, so 80 now, and the dear unit D gives 20.
    """
    case = one_bus(
        thermal("B", 0.0, 100.0, 10.0, 4.0),
        thermal("N", 40.0, 50.0, 15.0, 1.0),
        thermal("D", 0.0, 100.0, 90.0, 1e3),
    )
    committed = np.array([[True, False, True], [True, True, True]])
    given = window(case, [100.0, 0.0, 0.0], 2, committed=committed)
    found = ahead(case, loads(100.0, 100.0), given)
    assert found.unit_mw == pytest.approx([80.0, 0.0, 20.0], abs=EXACT)
    assert found.advisory_unit_mw[1] == pytest.approx([60.0, 40.0, 0.0], abs=EXACT)


def test_an_outage_known_ahead_is_not_held_by_ramps() -> None:
    """A gives 45 to 55 MW now, nothing in the second interval, and is back at 40 or more in the third."""
    case = one_bus(thermal("A", 40.0, 100.0, 20.0, 1.0), thermal("B", 0.0, 100.0, 50.0, 1e3))
    available = np.array([[100.0, 100.0], [0.0, 100.0], [100.0, 100.0]])
    given = window(case, [50.0, 0.0], 3, available=available)
    found = ahead(case, loads(60.0, 60.0, 60.0), given)
    assert found.advisory_unit_mw[:, 0] == pytest.approx([55.0, 0.0, 40.0], abs=EXACT)


def test_a_system_without_supply_sheds_all_of_its_load() -> None:
    case = two_bus()
    nothing = UnitWindow(lower_mw=np.zeros(2), upper_mw=np.zeros(2), committed=np.ones(2, dtype=np.bool_))
    found = Sced(market_network(case), case.units).clear(np.array([0.0, 150.0]), nothing)
    assert found.shed_mw == pytest.approx([0.0, 150.0], abs=EXACT)
    assert found.prices.raw_usd_per_mwh[1] == pytest.approx(3_500.0, abs=EXACT)
    assert found.penalty_priced


def lossy() -> tuple[TransmissionCase, UnitWindow]:
    case = case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=100.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.05, x_pu=0.1, rating_mw=np.inf)],
        [offer("cheap", 0, 300.0, 20.0), offer("dear", 1, 300.0, 21.0)],
    )
    forced = UnitWindow(
        lower_mw=np.array([60.0, 0.0]), upper_mw=np.array([60.0, 0.0]), committed=np.array([True, True])
    )
    return case, forced


def test_held_losses_stay_flagged_when_those_ahead_are_searched_again() -> None:
    """Surplus in both intervals; losses of the second settle in a later pass than those of the first."""
    case, forced = lossy()
    found = ahead(case, np.tile([0.0, 40.0], (2, 1)), forced, losses=True)
    assert found.loss_held
    assert abs(found.loss_error_mw) < 2e-3
    assert found.loss_mw == pytest.approx(market_network(case).losses_mw(found.flow_mw), abs=2e-3)


def test_losses_that_do_not_settle_are_published_with_their_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single pass nothing holds the line's losses: all of the surplus is burnt, and it shows."""
    monkeypatch.setattr("federates.iso.products.losses.HELD_PASSES", 0)
    case, forced = lossy()
    found = Sced(market_network(case), case.units, losses=True).clear(np.array([0.0, 40.0]), forced)
    assert found.loss_error_mw > 10.0
    actual = market_network(case).losses_mw(found.flow_mw)
    assert found.loss_error_mw == pytest.approx(found.loss_mw - actual, abs=EXACT)


def test_a_look_ahead_without_load_has_no_losses() -> None:
    case, _ = lossy()
    found = ahead(case, np.zeros((3, 2)), all_on(case), losses=True)
    assert found.loss_mw == pytest.approx(0.0, abs=EXACT)


def test_a_forgetful_market_forgets_the_losses_ahead() -> None:
    case, _ = lossy()
    market = Sced(market_network(case), case.units, intervals=3, losses=True)
    fresh = Sced(market_network(case), case.units, intervals=3, losses=True)
    market.clear(np.tile([0.0, 250.0], (3, 1)), all_on(case))
    market.forget()
    load = np.tile([0.0, 100.0], (3, 1))
    one, other = (m.clear(load, all_on(case)) for m in (market, fresh))
    assert one.horizon_usd_per_h == other.horizon_usd_per_h
    assert np.array_equal(one.prices.raw_usd_per_mwh, other.prices.raw_usd_per_mwh)


def test_a_curve_that_sells_reserve_shares_no_tie_beyond_its_range() -> None:
    """A curve sells 40 MW at 30 $, its range holds 25 of it with all of 10 MW of spin called: 15 of energy.

    35 MW are needed at that price, B offers 30. Shared by width the curve would sell 35 x 40 / 70 = 20.
    """
    case = case_of(
        [BusRow(id="1", base_kv=138.0, load_mw=60.0), BusRow(id="2", base_kv=138.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=np.inf)],
        [thermal("A", 0.0, 20.0, 10.0, 0.0), thermal("B", 0.0, 30.0, 30.0, 0.0)],
    )
    network = market_network(case)
    rules = nested_rules(network.region)
    market = Sced(network, case.units, rules=rules, curve_bus=np.array([0]), curve_slots=np.array([1]))
    offered, asked = np.zeros((1, len(PRODUCTS), 1)), np.zeros((1, len(PRODUCTS), 1))
    offered[0, SPIN, 0] = 10.0
    sells = NetReserves(
        offered_mw=offered, price_usd_per_mw_h=asked, p_lo_mw=np.array([-25.0]), p_hi_mw=np.array([0.0])
    )
    required = np.zeros(len(rules.names))
    required[2] = 10.0
    curve = NetCurve(import_mw=np.array([-40.0, 0.0]), price_usd_per_mwh=np.array([30.0, 30.0]))
    found = market.clear(
        np.array([55.0, 0.0]), all_on(case), [curve], required_mw=required, net_reserves=sells
    )
    sold, spin = -found.curve_mw[0], found.reserves.curve_mw[SPIN, 0]
    assert found.reserves.short_mw.sum() == pytest.approx(0.0, abs=EXACT)
    assert spin == pytest.approx(10.0, abs=EXACT)
    assert 0.0 < sold <= 15.0 + EXACT
    assert found.unit_mw.sum() + sold == pytest.approx(55.0, abs=EXACT)
