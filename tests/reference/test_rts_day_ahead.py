"""A day of RTS-GMLC: the schedule recounted unit by unit, without the optimiser's rows."""

from datetime import datetime

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.cases.rts_series import read_rts_series
from federates.core.time import Clock
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState

FUELLED = ("thermal", "nuclear")
MW = 1e-6


@pytest.fixture(scope="module")
def summer() -> tuple[TransmissionCase, DayBids, UnitState, DayAhead]:
    case = read_rts_gmlc(stress={"A11": 0.7})
    clock = Clock(start=datetime.fromisoformat("2020-07-25"), duration_s=86_400)
    series = read_rts_series(case, clock, "day_ahead", 0, 86_400)
    day = DayBids(
        demand_mw=series.load_mw,
        available_mw=series.available_mw,
        must_take=series.must_take,
        inflow_mw=series.inflow_mw,
    )
    market = Scuc(market_network(case), case.units)
    before = market.start_state(day)
    return case, day, before, market.commit(day, before)


def start_cost_usd(case: TransmissionCase, unit: int, off_h: float) -> float:
    after, usd = case.units.start_after_h[unit], case.units.start_usd[unit]
    return float(usd[np.flatnonzero(np.isfinite(after) & (np.ceil(after) <= off_h))[-1]])


def recount(case: TransmissionCase, unit: int, before: UnitState, day: DayAhead) -> float:
    """Cost of one unit's day; its limits, ramps and minimum times asserted on the way."""
    units = case.units
    on, since, last = bool(before.on[unit]), float(before.in_state_h[unit]), before.output_mw[unit]
    cost = 0.0
    for now_on, output in zip(day.commitment[:, unit], day.unit_mw[:, unit], strict=True):
        if now_on != on:
            assert since >= (units.min_up_h[unit] if on else units.min_down_h[unit])
            cost += start_cost_usd(case, unit, since) if now_on else 0.0
        elif now_on:
            assert abs(output - last) <= 60.0 * units.ramp_mw_per_min[unit] + MW
        least, most = (units.p_min_mw[unit], units.p_max_mw[unit]) if now_on else (0.0, 0.0)
        assert least - MW <= output <= most + MW
        if now_on:
            ends = np.concatenate(([0.0], np.cumsum(units.block_mw[unit])))
            used = np.diff(np.clip(ends, 0.0, output - least))
            cost += float(units.no_load_usd_per_h[unit] + used @ units.block_usd_per_mwh[unit])
        since = since + 1.0 if now_on == on else 1.0
        on, last = bool(now_on), output
    return cost


def test_the_recounted_cost_is_the_objective(
    summer: tuple[TransmissionCase, DayBids, UnitState, DayAhead],
) -> None:
    case, _, before, day = summer
    fuelled = np.flatnonzero(case.units.of_kind(*FUELLED))
    cost = sum(recount(case, int(unit), before, day) for unit in fuelled)
    assert day.shed_mw.sum() == pytest.approx(0.0, abs=MW)
    assert day.surplus_mw.sum() == pytest.approx(0.0, abs=MW)
    assert cost == pytest.approx(day.objective_usd, rel=1e-9)


def test_power_balances_and_the_stressed_line_binds_at_its_rating(
    summer: tuple[TransmissionCase, DayBids, UnitState, DayAhead],
) -> None:
    case, bids, _, day = summer
    assert day.unit_mw.sum(axis=1) == pytest.approx(bids.demand_mw.sum(axis=1), abs=MW)
    assert (np.abs(day.flow_mw) <= case.branches.rating_mw + MW).all()
    line = case.branches.ids.index("A11")
    bound = np.abs(day.line_price_usd_per_mwh[:, line]) > 1e-3
    assert bound.sum() >= 2
    assert np.abs(day.flow_mw[bound, line]) == pytest.approx(case.branches.rating_mw[line], abs=1e-3)


def test_the_gap_is_certified_within_the_default_budget(
    summer: tuple[TransmissionCase, DayBids, UnitState, DayAhead],
) -> None:
    day = summer[3]
    assert 0.0 <= day.search.gap <= 0.005
    assert day.search.bound_usd <= day.objective_usd
    assert not day.search.time_limited
