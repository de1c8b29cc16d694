"""Hour-ahead commitment: fast units anew, slow ones as scheduled."""

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.iso.hour_ahead import HOURS, HourAheadInputs, HourAheadMarket
from federates.iso.unit_state import UnitState
from tests.unit.iso.market_cases import case_of


def thermal(name: str, p_min: float, p_max: float, price: float, ramp: float, **more: object) -> UnitRow:
    return UnitRow(
        id=name,
        bus=0,
        kind="thermal",
        p_min_mw=p_min,
        p_max_mw=p_max,
        ramp_mw_per_min=ramp,
        no_load_usd_per_h=p_min * price,
        blocks=((p_max - p_min, price),),
        **more,  # type: ignore[arg-type]
    )


def system() -> TransmissionCase:
    """A slow cheap unit, a slow dear one, a fast one that needs two hours up and costs 100 $ to start."""
    return case_of(
        [BusRow(id="1", base_kv=138.0, load_mw=100.0), BusRow(id="2", base_kv=138.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=500.0)],
        [
            thermal("slow", 20.0, 100.0, 20.0, 2.0, min_up_h=8.0),
            thermal("spare", 10.0, 50.0, 40.0, 1.0, min_up_h=8.0),
            thermal("fast", 5.0, 30.0, 60.0, 10.0, min_up_h=2.0, starts=((0.0, 100.0),)),
        ],
    )


def committed(load_mw: list[float], on: list[bool], now_on: list[bool]) -> list[bool]:
    case = system()
    hours = np.array(load_mw)
    inputs = HourAheadInputs(
        load_mw=np.stack((hours, np.zeros(HOURS)), axis=1),
        available_mw=np.tile(case.units.p_max_mw, (HOURS, 1)),
        inflow_mw=np.zeros((HOURS, 3)),
        required_mw=np.zeros((HOURS, 0)),
        must_take=np.zeros(3, dtype=np.bool_),
        committed=np.tile(on, (HOURS, 1)),
        state=UnitState(
            on=np.array(now_on),
            in_state_h=np.full(3, 5.0),
            output_mw=np.where(now_on, case.units.p_max_mw, 0.0),
            energy_mwh=np.zeros(3),
        ),
    )
    market = HourAheadMarket(case, np.zeros(0, dtype=np.int64), with_reserves=False)
    first: list[bool] = market.commit(inputs, []).tolist()
    return first


def test_a_fast_unit_is_started_for_load_that_the_schedule_did_not_see() -> None:
    """110 MW against 100 scheduled: the fast unit comes on; the spare one, slow, stays off as scheduled."""
    assert committed([110.0, 110.0, 110.0], [True, False, False], [True, False, False]) == [True, False, True]


def test_a_fast_unit_that_is_not_needed_is_left_off() -> None:
    assert committed([90.0, 90.0, 90.0], [True, False, True], [True, False, False]) == [True, False, False]


def test_a_slow_unit_stops_and_starts_by_schedule_from_wherever_it_stands() -> None:
    """The spare unit runs at its greatest output and is scheduled off now: nothing is infeasible."""
    assert committed([90.0, 90.0, 90.0], [True, False, False], [True, True, False]) == [True, False, False]
    assert committed([120.0, 120.0, 120.0], [True, True, False], [True, False, False])[1]
