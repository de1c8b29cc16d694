"""Stores that come and go, leak and are due: their worth against a linear program, and their offers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from federates.core.arrays import FloatArray
from federates.der.catalog import build_fleet
from federates.der.model import FleetState, Interval, Surroundings, initial_state, plain_interval
from federates.der.offer import PricePath
from federates.der.portfolio import Outlook, Portfolio
from federates.der.storage_value import StorageFleet, energy_value_usd, marginal_values
from tests.unit.der.builders import EVERY_KIND, row_feeder

HOURS = 12
DUE_USD_PER_MWH = 1_000.0
WHOLE_CELLS = 1e-9
"""Relative, where every reach is a whole number of cells and no price step falls inside one."""
DRIFT = 0.005
"""Relative, where a leak carries slopes to places between cells."""
PRICES = np.array([40.0, 35.0, 25.0, 20.0, 18.0, 22.0, 30.0, 50.0, 60.0, 55.0, 45.0, 38.0])
FLEET = build_fleet(row_feeder(), EVERY_KIND, 3)
PORTFOLIO = Portfolio(FLEET)
N = len(FLEET)


def store(*, discharge_kw: float = 0.0, efficiency: float = 1.0, leak_per_h: float = 0.0) -> StorageFleet:
    """One store of 40 kWh and 10 kW whose energy is worth 20 $/MWh at the end, up to 30 kWh."""
    one = np.ones(1)
    return StorageFleet(
        charge_kw=10.0 * one,
        discharge_kw=discharge_kw * one,
        energy_kwh=40.0 * one,
        charge_efficiency=efficiency * one,
        discharge_efficiency=one,
        wear_usd_per_mwh=0.0 * one,
        leak_per_h=leak_per_h * one,
        due_usd_per_mwh=DUE_USD_PER_MWH * one,
        terminal_share=one,
        terminal_below_kwh=30.0 * one,
    )


def hours(*, away: range = range(0), due: int | None = None, flow_kw: float = 0.0) -> list[Interval]:
    """Twelve hours, not connected in ``away``, with 24 kWh due at the end of hour ``due``."""
    path = []
    for h in range(HOURS):
        here = 0.0 if h in away else 1.0
        plain = plain_interval(3_600, np.array([-10.0 * here]), np.array([10.0 * here]))
        due_s = np.array([3_600.0 * (due - h + 1) if due is not None and h <= due else np.inf])
        path.append(replace(plain, flow_kw=np.array([flow_kw]), due_kwh=np.array([24.0]), due_s=due_s))
    return path


def best_usd(one: StorageFleet, path: list[Interval], soc_kwh: float, terminal: float = 20.0) -> float:
    """Optimal income by a linear program: charge, discharge, what is missing when due, what counts at the
    end."""
    n, kept = HOURS, float(np.exp(-one.leak_per_h[0]))
    weight = 1.0 if kept == 1.0 else (1.0 - kept) / float(one.leak_per_h[0])
    carried = np.tril(kept ** np.maximum(np.arange(n)[:, None] - np.arange(n), 0))
    start = soc_kwh * kept ** np.arange(1, n + 1)
    level0 = start + carried @ (np.array([i.flow_kw[0] for i in path]) * weight)
    level = np.hstack([carried * one.charge_efficiency[0] * weight, -carried * weight, np.zeros((n, 2))])
    ends = [h for h, i in enumerate(path) if np.isfinite(i.due_s[0]) and i.is_last[0]]
    rows, right = [level, -level], [40.0 - level0, level0]
    for h in ends:  # missing >= due - level
        row = -level[h].copy()
        row[2 * n] = -1.0
        rows.append(row[None])
        right.append(np.array([level0[h] - path[h].due_kwh[0]]))
    counts = -level[-1].copy()  # counted <= level at the end
    counts[2 * n + 1] = 1.0
    rows.append(counts[None])
    right.append(np.array([level0[-1]]))
    cost = np.concatenate([PRICES, -PRICES, [DUE_USD_PER_MWH, -terminal]])
    bounds = [(0.0, max(-i.least_kw[0], 0.0)) for i in path]
    bounds += [(0.0, min(i.available_kw[0], one.discharge_kw[0])) for i in path]
    solved = linprog(
        cost, A_ub=np.vstack(rows), b_ub=np.concatenate(right), bounds=[*bounds, (0, 40), (0, 30)]
    )
    assert solved.status == 0, solved.message
    return float(-solved.fun) / 1e3


def gain_usd(one: StorageFleet, path: list[Interval], low: float, high: float, cells: int = 80) -> float:
    mu = marginal_values(one, PRICES, np.ones(HOURS), 20.0, path=path, cells=cells, spread=0.0)[0]
    values = [float(energy_value_usd(one, mu, np.array([soc]))[0]) for soc in (low, high)]
    return values[1] - values[0]


@pytest.mark.parametrize("discharge_kw", [0.0, 10.0])
@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (5.0, 20.0), (10.0, 40.0), (0.0, 40.0)])
def test_a_vehicle_that_leaves_and_comes_back_is_worth_what_the_program_says(
    discharge_kw: float, low: float, high: float
) -> None:
    one, path = store(discharge_kw=discharge_kw), hours(away=range(6, 9), due=5)
    mine = gain_usd(one, path, low, high)
    assert mine == pytest.approx(best_usd(one, path, high) - best_usd(one, path, low), rel=WHOLE_CELLS)


def test_energy_that_cannot_be_had_in_time_is_worth_its_shortfall() -> None:
    """Connected for the last two hours before 24 kWh are due: 20 kWh can be charged, 4 kWh are missing."""
    one, path = store(), hours(away=range(4), due=5)
    # what is there then is still worth 20 $/MWh at the end, for it is dearer to buy later
    assert gain_usd(one, path, 0.0, 4.0) == pytest.approx(4.0 * (DUE_USD_PER_MWH + 20.0) / 1e3)
    after = gain_usd(one, path, 4.0, 14.0)
    assert after == pytest.approx(best_usd(one, path, 14.0) - best_usd(one, path, 4.0), rel=WHOLE_CELLS)
    assert after < 10.0 * 100.0 / 1e3


def test_a_vehicle_that_leaves_within_a_longer_stretch_is_due_before_it() -> None:
    """Five minutes, then the rest of the hour, in which the vehicle leaves 40 minutes from now."""
    one = store()
    first = plain_interval(300, np.array([-10.0]), np.array([0.0]))
    first = replace(first, due_kwh=np.array([24.0]), due_s=np.array([2_400.0]))
    rest = plain_interval(3_300, np.zeros(1), np.zeros(1))
    mu = marginal_values(one, np.array([30.0, 30.0]), np.array([1 / 12, 11 / 12]), 20.0, path=[first, rest])
    assert (mu[1][0][: 48 * 24 // 40] > DUE_USD_PER_MWH).all()
    assert (mu[1][0][48 * 24 // 40 + 1 :] <= 20.0).all()


@pytest.mark.parametrize("leak_per_h", [0.05, 0.25])
@pytest.mark.parametrize("flow_kw", [0.0, -2.0])
def test_a_leaking_store_is_worth_what_the_program_says(leak_per_h: float, flow_kw: float) -> None:
    one = store(efficiency=2.5, leak_per_h=leak_per_h)
    path = hours(flow_kw=flow_kw)
    mine = gain_usd(one, path, 10.0, 30.0, cells=800)
    oracle = best_usd(one, path, 30.0) - best_usd(one, path, 10.0)
    assert oracle > 0.0
    assert mine == pytest.approx(oracle, rel=DRIFT)


def test_work_done_before_its_window_is_worth_nothing() -> None:
    one = store()
    path = [replace(i, fresh=np.array([h == 6])) for h, i in enumerate(hours(due=11))]
    mu = marginal_values(one, PRICES, np.ones(HOURS), 20.0, path=path)
    assert not mu[6].any()
    assert mu[7][0, 0] > 0.0


@given(
    t_s=st.integers(0, 287).map(lambda k: 300 * k),
    fill=st.floats(0.0, 1.0),
    prices=st.lists(st.floats(-50.0, 300.0), min_size=3, max_size=3),
)
@settings(deadline=None, max_examples=60)
def test_the_offer_of_a_store_is_exactly_what_it_can_do(t_s: int, fill: float, prices: list[float]) -> None:
    outlook = seen(t_s, fill, np.array(prices))
    floor, width, price = PORTFOLIO.interval_blocks(outlook)
    der, _ = PORTFOLIO._columns
    top = floor + np.bincount(der, width, N)
    possible = PORTFOLIO.behaviour.feasible(outlook.state, outlook.interval)
    stores = PORTFOLIO.stores
    np.testing.assert_allclose(floor[stores], possible.p_min_kw[stores], atol=1e-6)
    np.testing.assert_allclose(top[stores], possible.p_max_kw[stores], atol=1e-6)
    assert (width >= -1e-9).all()
    within = np.diff(der) == 0
    assert (np.diff(price)[within] >= -1e-9).all()


def seen(t_s: int, fill: float, prices: FloatArray, directed: np.ndarray | None = None) -> Outlook:
    """The interval at ``t_s`` as an aggregator sees it three minutes before."""
    behaviour = PORTFOLIO.behaviour
    around = Surroundings(t_s=t_s, length_s=300, sun=np.full(N, 0.4), profile=np.full(N, np.nan), level=0.7)
    path = PricePath(
        price_usd_per_mwh=prices, length_h=np.array([1 / 12, 1.0, 1.0]), terminal_usd_per_mwh=30.0
    )
    slopes = PORTFOLIO.marginal_values(path, PORTFOLIO.by_themselves(t_s, path.length_h, t_s - 180))
    state = FleetState(energy_kwh=fill * FLEET.energy_kwh, p_kw=np.zeros(N))
    led = np.ones(N, dtype=np.bool_) if directed is None else directed
    interval = behaviour.expected(around, t_s - 180)
    passive = behaviour.feasible(state, interval).clip(behaviour.passive_kw(state, interval, np.zeros(N)))
    return Outlook(
        interval=interval, state=state, slopes=slopes[1], ahead=path, directed=led, fixed_kw=passive
    )


def test_who_is_not_directed_is_offered_as_one_quantity() -> None:
    led = np.arange(N) % 3 != 0
    outlook = seen(19 * 3_600, 0.5, np.array([30.0, 20.0, 60.0]), led)
    floor, width, _ = PORTFOLIO.interval_blocks(outlook)
    der, _ = PORTFOLIO._columns
    assert not width[~led[der]].any()
    assert np.array_equal(floor[~led], outlook.fixed_kw[~led])
    assert width[led[der]].any()
    assert outlook.fixed_kw[~led].min() < 0.0


def test_stores_that_follow_the_prices_buy_in_the_valley() -> None:
    """Six cheap hours between eight dear ones, 43 % of the time: what vehicles and batteries draw falls into
    them, what tanks draw mostly; rooms, with a time constant of four hours, move less."""
    prices = np.array([80.0] * 4 + [10.0] * 6 + [80.0] * 4)
    begin_s = 20 * 3_600
    path = PricePath(price_usd_per_mwh=prices, length_h=np.ones(prices.size), terminal_usd_per_mwh=45.0)
    intervals = PORTFOLIO.by_themselves(begin_s, path.length_h, begin_s)
    slopes = PORTFOLIO.marginal_values(path, intervals)
    state = initial_state(FLEET)
    drawn = np.zeros((prices.size, N))
    for h, price in enumerate(prices.tolist()):
        interval = PORTFOLIO.in_the_dark(begin_s + 3_600 * h, 3_600, begin_s)
        outlook = Outlook(
            interval=interval, state=state, slopes=slopes[h + 1], ahead=path.after(h),
            directed=np.ones(N, dtype=np.bool_), fixed_kw=np.zeros(N),
        )  # fmt: skip
        state = PORTFOLIO.follow(outlook, price)
        drawn[h] = np.maximum(-state.p_kw, 0.0)
    cheap = prices == 10.0
    for kind, share in (("ev", 0.95), ("hvac", 0.45), ("water_heater", 0.5), ("battery", 0.95)):
        own = FLEET.of_kind(kind)
        total = drawn[:, own].sum()
        assert total > 0.0
        assert drawn[cheap][:, own].sum() > share * total, kind
