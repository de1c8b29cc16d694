"""What the market's tables say of a clearing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core import tables as t
from federates.core.arrays import FloatArray
from federates.core.tables import Table
from federates.core.time import Clock
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.market import RealTimeInputs, RealTimeMarket
from federates.iso.network import market_network
from federates.iso.records import MarketRecords
from federates.iso.reserve_records import ReserveRecords
from federates.iso.reserves import PRODUCTS, REG_UP, SPIN, ReserveRules, nested_rules
from federates.iso.sced import Clearing, SystemReserves
from federates.iso.scuc import Scuc
from federates.iso.store_plan import StorePlan
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget
from federates.recording.memory import MemoryRecorder
from tests.unit.iso.market_cases import case_of, offer

EXACT = 1e-5
RATING_MW = 60.0
MARKET_S = 300
HOURS = 24
CLOCK = Clock(start=datetime.fromisoformat("2020-07-15"), duration_s=86_400)


def line(from_bus: int, to_bus: int) -> TransmissionCase:
    """A cheap unit at bus 1, a dear one and 150 MW of load at bus 2, one line written either way round."""
    return case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=150.0)],
        [BranchRow(id="L", from_bus=from_bus, to_bus=to_bus, r_pu=0.01, x_pu=0.1, rating_mw=RATING_MW)],
        [offer("A", 0, 100.0, 50.0), offer("B", 1, 200.0, 80.0)],
    )


def two_areas(*units: UnitRow) -> TransmissionCase:
    """Bus 1 in area 1, bus 2 with all load in area 2, no losses and no limit between them."""
    return case_of(
        [BusRow(id="1", base_kv=138.0, area=1), BusRow(id="2", base_kv=138.0, area=2, load_mw=1.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=np.inf)],
        list(units),
    )


def inputs_of(case: TransmissionCase, load_mw: list[float], **changes: object) -> RealTimeInputs:
    n = len(case.units.ids)
    nothing = np.zeros(n)
    given: dict[str, object] = {
        "load_mw": np.array([load_mw]),
        "available_mw": case.units.p_max_mw[None, :],
        "inflow_mw": np.zeros((1, n)),
        "required_mw": np.zeros((1, 0)),
        "must_take": np.zeros(n, dtype=np.bool_),
        "previous_mw": 0.5 * case.units.p_max_mw,
        "committed": np.ones((1, n), dtype=np.bool_),
        "stores": StorePlan(
            energy_mwh=nothing, target_mwh=nothing, short_usd_per_mwh=nothing, spare_usd_per_mwh=nothing
        ),
        "out": np.zeros(n, dtype=np.bool_),
        **changes,
    }
    return RealTimeInputs(**given)  # type: ignore[arg-type]


def cleared_and_recorded(
    case: TransmissionCase, inputs: RealTimeInputs, *, with_reserves: bool = False
) -> tuple[Clearing, MemoryRecorder]:
    recorder = MemoryRecorder()
    market = RealTimeMarket(case, np.zeros(0, dtype=np.int64), MARKET_S, with_reserves=with_reserves)
    cleared = market.clear(inputs, [], None)
    MarketRecords(recorder, case, []).real_time(0, cleared, [], inputs, None)
    return cleared, recorder


def by_id(recorder: MemoryRecorder, table: Table, column: str) -> dict[str, float]:
    return dict(zip(recorder.ids(table), recorder.column(table, column).tolist(), strict=True))


@pytest.mark.parametrize(("ends", "flow_mw"), [((0, 1), RATING_MW), ((1, 0), -RATING_MW)])
def test_a_mw_of_rating_is_worth_as_much_whichever_way_the_line_is_written(
    ends: tuple[int, int], flow_mw: float
) -> None:
    case = line(*ends)
    _, recorder = cleared_and_recorded(case, inputs_of(case, [0.0, 150.0]))
    assert recorder.ids(t.LINE_PRICE) == ("L",)
    assert recorder.column(t.LINE_PRICE, "flow_mw") == pytest.approx([flow_mw])
    # a MW more through the line replaces what arrives of it: 80 (1 - 2 x 0.01 x 60 / 100) - 50
    assert recorder.column(t.LINE_PRICE, "shadow_price_usd_per_mwh") == pytest.approx([29.04])


def test_losses_of_the_market_are_part_of_its_demand() -> None:
    """60 MW over 0.01 pu on 100 MVA lose 0.01 x 60^2 / 100 = 0.36 MW."""
    case = line(0, 1)
    cleared, recorder = cleared_and_recorded(case, inputs_of(case, [0.0, 150.0]))
    assert recorder.column(t.CLEARING, "loss_mw") == pytest.approx([0.36], abs=1e-3)
    assert recorder.column(t.CLEARING, "demand_mw") == pytest.approx([cleared.unit_mw.sum()], abs=EXACT)
    assert recorder.column(t.CLEARING, "loss_held").tolist() == [0.0]
    assert recorder.column(t.CLEARING, "penalty_set").tolist() == [0.0]
    held = replace(cleared, loss_held=True)
    MarketRecords(recorder, case, []).real_time(MARKET_S, held, [], inputs_of(case, [0.0, 150.0]), None)
    assert recorder.column(t.CLEARING, "loss_held").tolist() == [0.0, 1.0]


def test_energy_without_a_taker_has_a_raw_price_below_the_published_one() -> None:
    """Wind that must be taken, 80 MW for 50 MW of load: dumped at 500 $/MWh, published at the floor."""
    wind = UnitRow(id="W", bus=1, kind="wind", p_max_mw=80.0, ramp_mw_per_min=1e4)
    case = two_areas(wind)
    _, recorder = cleared_and_recorded(
        case, inputs_of(case, [0.0, 50.0], must_take=np.ones(1, dtype=np.bool_))
    )
    assert recorder.column(t.LMP, "raw_usd_per_mwh") == pytest.approx([-500.0] * 2)
    assert recorder.column(t.LMP, "lmp_usd_per_mwh") == pytest.approx([-150.0] * 2)
    assert recorder.column(t.LMP, "energy_usd_per_mwh") == pytest.approx([-500.0] * 2)
    assert recorder.column(t.CLEARING, "surplus_mw") == pytest.approx([30.0])
    assert recorder.column(t.CLEARING, "penalty_set").tolist() == [1.0]


def test_a_requirement_that_is_short_shows_its_penalty_and_what_is_held() -> None:
    """B climbs 1 MW/min: 10 of 25 MW of spin in area 2. 15 are short, past the first fifth: 850 $/MW/h.

    Regulation up and spin of area 2 serve the requirement and earn its price, those of area 1 nothing.
    """
    slow = replace(offer("B", 1, 100.0, 50.0), ramp_mw_per_min=1.0)
    case = two_areas(offer("A", 0, 100.0, 20.0), slow)
    need = np.array([[0.0, 0.0, 0.0, 25.0, 0.0]])
    _, recorder = cleared_and_recorded(
        case, inputs_of(case, [0.0, 80.0], required_mw=need), with_reserves=True
    )
    assert recorder.ids(t.RESERVE) == ("reg_up", "reg_down", "spin_R1", "spin_R2", "total")
    for column, mw in (("required_mw", 25.0), ("held_mw", 10.0), ("short_mw", 15.0)):
        assert by_id(recorder, t.RESERVE, column)["spin_R2"] == pytest.approx(mw, abs=1e-4)
    price = by_id(recorder, t.RESERVE, "price_usd_per_mw_h")
    assert price["spin_R2"] == pytest.approx(850.0)
    assert price["spin_R1"] == pytest.approx(0.0, abs=EXACT)
    earned = by_id(recorder, t.RESERVE_PRICE, "price_usd_per_mw_h")
    assert earned["spin/R2"] == earned["reg_up/R2"] == pytest.approx(850.0)
    assert earned["spin/R1"] == earned["reg_down/R2"] == pytest.approx(0.0, abs=EXACT)
    assert by_id(recorder, t.RESERVE_PRICE, "award_mw")["spin/R2"] == pytest.approx(10.0, abs=1e-4)
    assert recorder.column(t.UNIT_AWARD, "spin_mw") == pytest.approx([0.0, 10.0], abs=1e-4)
    assert recorder.column(t.CLEARING, "reserve_short_mw") == pytest.approx([15.0], abs=1e-4)
    assert recorder.column(t.CLEARING, "penalty_set").tolist() == [1.0]


def test_a_market_without_requirements_writes_no_reserve_rows() -> None:
    case = line(0, 1)
    _, recorder = cleared_and_recorded(case, inputs_of(case, [0.0, 150.0]))
    assert "clearing" in recorder.tables
    assert not [name for name in recorder.tables if "reserve" in name]
    assert recorder.column(t.CLEARING, "reserve_short_mw").tolist() == [0.0]


def test_reserve_of_an_lda_counts_where_its_bus_is() -> None:
    """A unit in area 1 with 3 MW of regulation and 5 of spin; an LDA in area 2 with 2 of regulation."""
    case, recorder = two_areas(offer("A", 0, 100.0, 20.0)), MemoryRecorder()
    unit, curve = np.zeros((len(PRODUCTS), 1)), np.zeros((len(PRODUCTS), 1))
    unit[REG_UP], unit[SPIN], curve[REG_UP] = 3.0, 5.0, 2.0
    found = SystemReserves(
        unit_mw=unit,
        curve_mw=curve,
        price_usd_per_mw_h=np.array([[9.0, 8.0], [2.0, 2.0], [4.0, 3.0], [1.0, 1.0]]),
        required_mw=np.array([5.0, 0.0, 8.0, 3.0, 11.0]),
        short_mw=np.array([0.0, 0.0, 0.0, 1.0, 1.0]),
        requirement_usd_per_mw_h=np.array([5.0, 2.0, 3.0, 2.0, 1.0]),
    )
    records = ReserveRecords(recorder, case, [("west", 1)])
    records.real_time(0, found)
    held = by_id(recorder, t.RESERVE, "held_mw")
    assert held == {"reg_up": 5.0, "reg_down": 0.0, "spin_R1": 8.0, "spin_R2": 2.0, "total": 10.0}
    awards = by_id(recorder, t.RESERVE_PRICE, "award_mw")
    assert {k: v for k, v in awards.items() if v} == {"reg_up/R1": 3.0, "reg_up/R2": 2.0, "spin/R1": 5.0}
    assert by_id(recorder, t.RESERVE_PRICE, "price_usd_per_mw_h")["spin/R2"] == 3.0
    assert recorder.ids(t.LDA_RESERVE) == ("west",)
    assert recorder.column(t.LDA_RESERVE, "reg_up_mw").tolist() == [2.0]
    records.real_time(MARKET_S, replace(found, curve_mw=np.zeros_like(curve)))
    assert len(recorder.ids(t.LDA_RESERVE)) == 1


def test_a_store_has_the_metered_energy_at_the_beginning_and_the_dispatched_one_at_the_end() -> None:
    """10 MW of discharge for 5 min at a one-way efficiency of 0.9 take 10 / 12 / 0.9 MWh."""
    store = UnitRow(
        id="S", bus=1, kind="storage", p_max_mw=10.0, ramp_mw_per_min=1e4, energy_mwh=20.0, charge_mw=10.0,
        round_trip=0.81,
    )  # fmt: skip
    case = two_areas(offer("A", 0, 100.0, 20.0), store)
    free = StorePlan(
        energy_mwh=np.array([0.0, 5.0]),
        target_mwh=np.zeros(2),
        short_usd_per_mwh=np.zeros(2),
        spare_usd_per_mwh=np.zeros(2),
    )
    cleared, recorder = cleared_and_recorded(case, inputs_of(case, [0.0, 50.0], stores=free))
    assert cleared.unit_mw == pytest.approx([40.0, 10.0], abs=EXACT)
    assert recorder.ids(t.STORE) == ("S",)
    assert recorder.column(t.STORE, "energy_mwh").tolist() == [5.0]
    assert recorder.column(t.STORE, "end_mwh") == pytest.approx([5.0 - 10.0 / 12.0 / 0.9], abs=EXACT)


# -- day-ahead


def day_recorded(
    case: TransmissionCase, load_mw: FloatArray, before: UnitState, required_mw: FloatArray | None = None
) -> tuple[DayAhead, MemoryRecorder]:
    """A day of ``load_mw`` at bus 2, shape (hours,)."""
    n = len(case.units.ids)
    demand = np.zeros((HOURS, 2))
    demand[:, 1] = load_mw
    available = np.tile(case.units.p_max_mw, (HOURS, 1))
    nothing, taken = np.zeros((HOURS, n)), np.zeros(n, dtype=np.bool_)
    rules: ReserveRules | None = None if required_mw is None else nested_rules(case.buses.area)
    market = Scuc(market_network(case), case.units, rules=rules, losses=True)
    bids = DayBids(
        demand_mw=demand,
        available_mw=available,
        must_take=taken,
        inflow_mw=nothing,
        required_mw=np.zeros(0) if required_mw is None else required_mw,
    )
    cleared = market.commit(bids, before, SearchBudget(gap=0.0))
    recorder = MemoryRecorder()
    MarketRecords(recorder, case, []).day_ahead(
        0, CLOCK, cleared, 0.004, load_mw=demand, books=None, begin_mwh=before.energy_mwh
    )
    return cleared, recorder


def on_since_two_days(case: TransmissionCase, output_mw: list[float]) -> UnitState:
    n = len(case.units.ids)
    return UnitState(
        on=np.ones(n, dtype=np.bool_),
        in_state_h=np.full(n, 48.0),
        output_mw=np.array(output_mw),
        energy_mwh=0.5 * case.units.energy_mwh,
    )


def test_a_day_holds_both_pricing_runs_the_hours_of_penalties_and_the_stores() -> None:
    """N gives 50 to 60 MW at 5 and must run, P 10 to 60 MW at 50 with 1,000 $/h of no-load cost.

    Hour 0, 30 MW: S takes 5, 15 have no taker: raw -500, published -150. From hour 1 on, 80 MW: P gives the
    next MW at 50; with its commitment relaxed, a third of it is on, a MW costs (1,000 + 50 x 50) / 60.
    """
    case = two_areas(
        UnitRow(id="N", bus=1, kind="thermal", p_min_mw=50.0, p_max_mw=60.0, ramp_mw_per_min=1e3,
                blocks=((10.0, 5.0),), must_run=True),
        UnitRow(id="P", bus=1, kind="thermal", p_min_mw=10.0, p_max_mw=60.0, ramp_mw_per_min=1e3,
                no_load_usd_per_h=1_000.0, blocks=((50.0, 50.0),)),
        UnitRow(id="S", bus=1, kind="storage", p_max_mw=5.0, ramp_mw_per_min=1e3, energy_mwh=20.0,
                charge_mw=5.0, round_trip=0.81),
    )  # fmt: skip
    load = np.append(30.0, np.full(HOURS - 1, 80.0))
    cleared, recorder = day_recorded(case, load, on_since_two_days(case, [50.0, 10.0, 0.0]))
    at_bus = [k for k, name in enumerate(recorder.ids(t.DA_LMP)) if name == "2"]
    assert recorder.column(t.DA_LMP, "raw_usd_per_mwh")[at_bus[0]] == pytest.approx(-500.0)
    assert recorder.column(t.DA_LMP, "lmp_usd_per_mwh")[at_bus[0]] == pytest.approx(-150.0)
    assert recorder.column(t.DA_LMP, "lmp_usd_per_mwh")[at_bus[1:]] == pytest.approx([50.0] * 23)
    relaxed = recorder.column(t.DA_LMP, "relaxed_usd_per_mwh")[at_bus[1:]]
    assert relaxed == pytest.approx([3_500.0 / 60.0] * 23)
    assert recorder.column(t.DA_CLEARING, "surplus_mw") == pytest.approx([15.0, *[0.0] * 23], abs=1e-4)
    assert recorder.column(t.DA_CLEARING, "demand_mw") == pytest.approx(load, abs=1e-4)
    assert recorder.column(t.DA_CLEARING, "penalty_set").tolist() == [1.0, *[0.0] * 23]
    # from hour 1 on: N's 10 MW at 5, P's no-load and 10 MW at 50, of which S gives 0.81 of the 5 MWh it took
    costs = recorder.column(t.DA_CLEARING, "true_cost_usd_per_h")
    assert costs[1:].sum() == pytest.approx(23 * (10.0 * 5.0 + 1_000.0 + 10.0 * 50.0) - 4.05 * 50.0, abs=1e-3)
    assert recorder.column(t.DAY_AHEAD, "penalty_set_count").tolist() == [1.0]
    assert recorder.column(t.DAY_AHEAD, "commitment_gap_pct") == pytest.approx([0.4])
    assert set(recorder.ids(t.DA_STORE)) == {"S"}
    begin, end = (recorder.column(t.DA_STORE, c) for c in ("energy_mwh", "end_mwh"))
    assert begin[:2] == pytest.approx([10.0, 10.0 + 5.0 * 0.9], abs=1e-4)
    assert begin[1:].tolist() == end[:-1].tolist()
    assert end.tolist() == cleared.energy_mwh[:, 2].tolist()


def test_a_day_holds_its_losses() -> None:
    """60 MW all day over 0.01 pu: 0.36 MW every hour."""
    case = line(0, 1)
    load = np.full(HOURS, 150.0)
    cleared, recorder = day_recorded(case, load, on_since_two_days(case, [60.0, 90.0]))
    losses = recorder.column(t.DA_CLEARING, "loss_mw")
    assert losses == pytest.approx([0.36] * HOURS, abs=0.01)
    assert recorder.column(t.DAY_AHEAD, "loss_mwh") == pytest.approx([losses.sum()])
    served = recorder.column(t.DA_CLEARING, "demand_mw")
    assert served == pytest.approx(cleared.unit_mw.sum(axis=1), abs=1e-4)
    assert recorder.column(t.DA_CLEARING, "loss_held").tolist() == [0.0] * HOURS


def test_a_day_holds_requirements_and_awards_by_hour() -> None:
    """A climbs 1 MW/min: 5 MW of regulation. 8 in hour 3 leave 3 short, past the first fifth: 1,000."""
    case = two_areas(replace(offer("A", 1, 100.0, 20.0), ramp_mw_per_min=1.0))
    need = np.zeros((HOURS, 5))
    need[:, 0] = 4.0
    need[3, 0] = 8.0
    load = np.full(HOURS, 50.0)
    _, recorder = day_recorded(case, load, on_since_two_days(case, [50.0]), need)
    regulation = [k for k, name in enumerate(recorder.ids(t.DA_RESERVE)) if name == "reg_up"]
    columns = {c.name: recorder.column(t.DA_RESERVE, c.name)[regulation] for c in t.DA_RESERVE.columns}
    assert columns["required_mw"].tolist() == need[:, 0].tolist()
    assert columns["held_mw"][2:4] == pytest.approx([4.0, 5.0], abs=1e-4)
    assert columns["short_mw"][2:4] == pytest.approx([0.0, 3.0], abs=1e-4)
    assert columns["price_usd_per_mw_h"][2:4] == pytest.approx([0.0, 1_000.0], abs=1e-4)
    assert recorder.column(t.DA_UNIT, "reg_up_mw")[2:4] == pytest.approx([4.0, 5.0], abs=1e-4)
    assert recorder.column(t.DA_CLEARING, "reserve_short_mw")[2:4] == pytest.approx([0.0, 3.0], abs=1e-4)
    assert recorder.column(t.DAY_AHEAD, "reserve_short_mwh") == pytest.approx([3.0], abs=1e-4)
    assert recorder.column(t.DA_CLEARING, "penalty_set").sum() == 1.0
