"""The commitment against every commitment there is, and over midnight; losses and limits in every hour."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core.arrays import BoolArray
from federates.core.errors import InfeasibleError
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.reserves import SUPPLEMENTAL, nested_rules
from federates.iso.scuc import LOSS_MW, Scuc
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget
from tests.unit.iso.market_cases import case_of

HOURS, UNITS = 4, 3
BEST = SearchBudget(gap=1e-7)
EXACT = 1e-5


def random_day(seed: int, r_pu: float) -> tuple[TransmissionCase, DayBids, UnitState]:
    """Three units with minimum times, ramps and start-up categories at two buses; all four reserves."""
    rng = np.random.default_rng(seed)
    units = []
    for k in range(UNITS):
        p_min, room, start = float(rng.choice([0, 10, 20])), rng.uniform(10.0, 30.0), rng.uniform(0.0, 300.0)
        units.append(
            UnitRow(
                id=f"U{k}",
                bus=k % 2,
                kind="thermal",
                p_min_mw=p_min,
                p_max_mw=p_min + 2.0 * room,
                ramp_mw_per_min=float(rng.uniform(0.2, 1.5)),
                min_up_h=float(rng.integers(1, 4)),
                min_down_h=float(rng.integers(1, 4)),
                no_load_usd_per_h=float(rng.uniform(50.0, 900.0)),
                starts=((0.0, start), (float(rng.integers(2, 4)), start + rng.uniform(50.0, 600.0))),
                blocks=tuple((room, float(price)) for price in np.sort(rng.uniform(10.0, 80.0, 2))),
            )
        )
    case = case_of(
        [BusRow(id=str(k), base_kv=138.0, area=1, load_mw=60.0 - 20.0 * k) for k in range(2)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=r_pu, x_pu=0.1, rating_mw=float(rng.uniform(20, 60)))],
        units,
    )
    on = rng.uniform(size=UNITS) > 0.4
    output = np.where(on, rng.uniform(case.units.p_min_mw, case.units.p_max_mw), 0.0)
    before = UnitState(
        on=on,
        in_state_h=rng.integers(1, 5, UNITS).astype(np.float64),
        output_mw=output,
        energy_mwh=np.zeros(UNITS),
    )
    bids = DayBids(
        demand_mw=rng.uniform(0.3, 1.5, (HOURS, 1)) * np.array([50.0, 35.0]),
        available_mw=np.tile(case.units.p_max_mw, (HOURS, 1)),
        must_take=np.zeros(UNITS, dtype=np.bool_),
        inflow_mw=np.zeros((HOURS, UNITS)),
        required_mw=np.tile(rng.uniform(0.0, 1.5) * np.array([3.0, 2.0, 6.0, 10.0]), (HOURS, 1)),
    )
    return case, bids, before


def market(case: TransmissionCase, *, losses: bool = False, hours: int = HOURS) -> Scuc:
    network = market_network(case)
    return Scuc(network, case.units, hours=hours, rules=nested_rules(network.region), losses=losses)


def keeps_minimum_times(case: TransmissionCase, before: UnitState, on: BoolArray) -> bool:
    """Counted hour by hour, without the program's inequalities."""
    for g in range(on.shape[1]):
        state, hours = bool(before.on[g]), float(before.in_state_h[g])
        for now in on[:, g].tolist():
            if now != state:
                least = case.units.min_up_h[g] if state else case.units.min_down_h[g]
                if hours < max(np.ceil(least), 1.0):
                    return False
                state, hours = now, 0.0
            hours += 1.0
    return True


@pytest.mark.parametrize(("seed", "r_pu"), [(5, 0.0), (100, 0.03)])
def test_no_commitment_is_cheaper_than_the_one_found(seed: int, r_pu: float) -> None:
    """All 4,096 patterns of three units over four hours; those that break a minimum time are also refused."""
    case, bids, before = random_day(seed, r_pu)
    scuc = market(case, losses=r_pu > 0.0)
    found = scuc.commit(bids, before, BEST)
    costs, refused = [], 0
    for pattern in itertools.product((False, True), repeat=HOURS * UNITS):
        on = np.array(pattern).reshape(HOURS, UNITS)
        allowed = keeps_minimum_times(case, before, on)
        if not allowed and refused > 20:
            continue
        try:
            costs.append(scuc.clear(bids, before, on).objective_usd)
            assert allowed
        except InfeasibleError:
            refused += not allowed
    # with losses the search holds them to a hundredth of a MW or better: 4 h x 0.25 MW at 100 $ at most
    tolerance = EXACT * max(costs) + (100.0 if r_pu else 0.0)
    assert len(costs) > 20
    assert refused > 20
    assert found.objective_usd == pytest.approx(min(costs), abs=tolerance)
    assert found.search.bound_usd <= min(costs) + 1e-6 * abs(min(costs))
    assert max(costs) > min(costs) + 100.0


@pytest.mark.parametrize("seed", range(100, 106))
def test_losses_of_every_hour_are_those_of_its_flows(seed: int) -> None:
    case, bids, before = random_day(seed, 0.03)
    found = market(case, losses=True).commit(bids, before, BEST)
    actual = market_network(case).losses_mw(found.flow_mw)
    assert found.loss_mw == pytest.approx(actual, abs=LOSS_MW + 1e-6)
    assert found.loss_error_mw == pytest.approx(found.loss_mw - actual, abs=1e-9)
    balance = found.unit_mw.sum(axis=1) + found.shed_mw.sum(axis=1) - found.surplus_mw.sum(axis=1)
    assert balance == pytest.approx(bids.demand_mw.sum(axis=1) + found.loss_mw, abs=EXACT)
    assert actual.max() > 0.01


@pytest.mark.parametrize("seed", range(10))
def test_ramps_hold_through_starts_and_stops(seed: int) -> None:
    """Output of the first and the last hour on is at most max(least output, an hour's ramp)."""
    case, bids, before = random_day(seed, 0.0)
    found = market(case).commit(bids, before, BEST)
    units = case.units
    ramp = 60.0 * units.ramp_mw_per_min
    edge = np.minimum(units.p_max_mw, np.maximum(units.p_min_mw, ramp))
    on = np.vstack((before.on, found.commitment))
    output = np.vstack((before.output_mw, found.unit_mw))
    for t in range(HOURS):
        start, stop = on[t + 1] & ~on[t], on[t] & ~on[t + 1]
        stays = on[t] & on[t + 1]
        assert (output[t + 1] <= edge + EXACT)[start].all()
        assert (output[t] <= edge + EXACT)[stop].all()
        change = np.abs(output[t + 1] - output[t])
        assert (change <= ramp + EXACT)[stays].all()
        assert (output[t + 1] >= units.p_min_mw - EXACT)[on[t + 1]].all()
        assert np.abs(output[t + 1][~on[t + 1]]).max(initial=0.0) < EXACT


def peaker(**more: object) -> TransmissionCase:
    return case_of(
        [BusRow(id="1", base_kv=138.0, load_mw=1.0), BusRow(id="2", base_kv=138.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.0, x_pu=0.1, rating_mw=50.0)],
        [
            UnitRow(
                id="B", bus=0, kind="thermal", p_max_mw=100.0, ramp_mw_per_min=1e3, blocks=((100.0, 10.0),)
            ),
            UnitRow(
                id="P",
                bus=0,
                kind="thermal",
                p_min_mw=20.0,
                p_max_mw=60.0,
                no_load_usd_per_h=1_000.0,
                blocks=((40.0, 50.0),),
                **more,  # type: ignore[arg-type]
            ),
        ],
    )


def day(case: TransmissionCase, load_mw: list[float]) -> DayBids:
    hours, n = len(load_mw), len(case.units.ids)
    return DayBids(
        demand_mw=np.column_stack((load_mw, np.zeros(hours))),
        available_mw=np.tile(case.units.p_max_mw, (hours, 1)),
        must_take=np.zeros(n, dtype=np.bool_),
        inflow_mw=np.zeros((hours, n)),
        required_mw=np.zeros((hours, 4)),
    )


def two_days(min_up_h: float, min_down_h: float, first: list[float], second: list[float]) -> DayAhead:
    case = peaker(ramp_mw_per_min=1e3, min_up_h=min_up_h, min_down_h=min_down_h)
    before = UnitState(
        on=np.array([True, False]),
        in_state_h=np.full(2, 48.0),
        output_mw=np.array([80.0, 0.0]),
        energy_mwh=np.zeros(2),
    )
    scuc = market(case)
    one = scuc.commit(day(case, first), before, BEST)
    assert one.commitment[-1, 1] == (first[-1] > 100.0)
    return scuc.commit(day(case, second), one.state, BEST)


def test_a_minimum_up_time_runs_on_over_midnight() -> None:
    """P starts in the last hour with four to run: three of them are the next day's, although B is enough."""
    second = two_days(4.0, 1.0, [80.0, 80.0, 80.0, 120.0], [80.0] * 4)
    assert second.commitment[:, 1].tolist() == [True, True, True, False]


def test_a_minimum_down_time_runs_on_over_midnight() -> None:
    """P stops after three hours, for three: one is the day's, two the next's, where 20 MW are short."""
    second = two_days(1.0, 3.0, [120.0, 120.0, 120.0, 80.0], [120.0] * 4)
    assert second.commitment[:, 1].tolist() == [False, False, True, True]
    assert second.shed_mw.sum(axis=1) == pytest.approx([20.0, 20.0, 0.0, 0.0], abs=EXACT)


def test_a_unit_that_is_out_stops_at_once_and_gives_no_reserve() -> None:
    """P is at 60 MW with a ramp of 6 MW/h, and may stop from 20 MW: out, it has stopped all the same."""
    case = peaker(ramp_mw_per_min=0.1)
    before = UnitState(
        on=np.array([True, True]),
        in_state_h=np.full(2, 48.0),
        output_mw=np.array([60.0, 60.0]),
        energy_mwh=np.zeros(2),
    )
    bids = day(case, [90.0] * 3)
    held = market(case, hours=3).commit(bids, before, BEST)
    assert held.commitment[:, 1].all()
    assert held.unit_mw[0, 1] >= 54.0 - EXACT
    bids.available_mw[:, 1] = 0.0
    found = market(case, hours=3).commit(bids, before, BEST)
    assert not found.commitment[:, 1].any()
    assert found.unit_mw[:, 0] == pytest.approx([90.0] * 3, abs=EXACT)
    fast = peaker(ramp_mw_per_min=6.0, min_up_h=1.0)
    asked = replace(day(fast, [90.0]), required_mw=np.array([[0.0, 0.0, 0.0, 30.0]]))
    cold = replace(before, on=np.array([True, False]), output_mw=np.array([90.0, 0.0]))
    given = market(fast, hours=1).commit(asked, cold, BEST)
    assert given.reserves.unit_mw[0, SUPPLEMENTAL, 1] >= 20.0 - EXACT
    asked.available_mw[:, 1] = 0.0
    out = market(fast, hours=1).commit(asked, cold, BEST)
    assert out.reserves.unit_mw[0, :, 1] == pytest.approx(np.zeros(4), abs=EXACT)
    assert out.reserves.short_mw.sum() == pytest.approx(20.0, abs=EXACT)


def test_wasted_energy_is_held_at_the_losses_of_the_flows() -> None:
    """60 MW must run at bus 1, 40 are drawn at bus 2: 20 MW are too many in the first hour, none in the next.

    Unheld, all of them would be burnt as losses of the line at no cost.
    """
    case = case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=100.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.05, x_pu=0.1)],
        [
            UnitRow(
                id="N",
                bus=0,
                kind="nuclear",
                p_min_mw=60.0,
                p_max_mw=90.0,
                ramp_mw_per_min=10.0,
                must_run=True,
                blocks=((30.0, 10.0),),
            )
        ],
    )
    bids = DayBids(
        demand_mw=np.array([[0.0, 40.0], [0.0, 75.0]]),
        available_mw=np.full((2, 1), 90.0),
        must_take=np.zeros(1, dtype=np.bool_),
        inflow_mw=np.zeros((2, 1)),
    )
    before = UnitState(
        on=np.ones(1, dtype=np.bool_),
        in_state_h=np.full(1, 48.0),
        output_mw=np.full(1, 60.0),
        energy_mwh=np.zeros(1),
    )
    found = Scuc(market_network(case), case.units, hours=2, losses=True).commit(bids, before, BEST)
    assert found.loss_held.tolist() == [True, False]
    assert found.loss_mw == pytest.approx(market_network(case).losses_mw(found.flow_mw), abs=LOSS_MW + 1e-6)
    assert found.surplus_mw[0].sum() == pytest.approx(20.0 - found.loss_mw[0], abs=EXACT)
    assert found.surplus_mw[1].sum() == pytest.approx(0.0, abs=EXACT)
    assert found.prices.raw_usd_per_mwh[0].max() < -400.0
    assert found.prices.raw_usd_per_mwh[1].min() > 5.0
