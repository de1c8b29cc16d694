"""Laws of the whole dispatch: ramps, a look-ahead, stores, nested reserves, net curves, losses.

Penalty steps are shares of the load: where load is shed, one MW more of it also widens a cheaper step, so
that differences of cost are compared only where none is.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from federates.cases.rts_gmlc import read_rts_gmlc
from federates.core.arrays import FloatArray, IntArray
from federates.iso.network import market_network
from federates.iso.offers import CONTINGENCY_MIN, FUELLED, UnitWindow
from federates.iso.reserves import REG_DOWN, REG_UP, REGULATION_MIN, SPIN, SUPPLEMENTAL, nested_rules
from federates.iso.sced import ADVISORY_LOSS_SHARE, Clearing, Sced
from federates.lp.program import Program
from federates.lp.solution import Solution
from tests.property.dispatch_systems import BUSES, LENGTH_S, SLOTS, random_system

few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
horizons = st.sampled_from([1, 3])
EXACT = 1e-6
STEP_MW = 1e-4
SLOPE_USD_PER_MWH = 1e-3
"""What 1e-4 MW leave between a price and a difference of costs of some 1e4 $/h."""


def curve_bus() -> IntArray:
    return np.array([1, 3])


@few
@given(seeds, horizons, st.sampled_from([(1.0, 45.0), (1.6, 25.0), (0.3, 12.0)]))
def test_price_is_the_right_derivative_of_the_whole_cost(
    seed: int, times: int, size: tuple[float, float]
) -> None:
    """And not below the left one: cost is convex in demand."""
    load, rating = size
    system = random_system(seed, times=times, load=load, rating_mw=rating)
    base = system.clear(system.market())
    assume(base.shed_mw.sum() == 0.0 and base.prices.raw_usd_per_mwh.max() < 3_000.0)
    for bus in range(BUSES):
        slope = {}
        for sign in (1.0, -1.0):
            demand = system.demand_mw.copy()
            demand[0, bus] += sign * STEP_MW
            cost = system.clear(system.market(), demand).horizon_usd_per_h
            slope[sign] = sign * (cost - base.horizon_usd_per_h) / STEP_MW
        assert base.prices.raw_usd_per_mwh[bus] == pytest.approx(slope[1.0], abs=SLOPE_USD_PER_MWH)
        assert slope[-1.0] <= slope[1.0] + SLOPE_USD_PER_MWH


def test_the_systems_hold_what_the_laws_are_about() -> None:
    """Congestion, reserve prices, a store in use, a ramp from interval to interval: each somewhere."""
    seen = {"congestion": 0, "reserve": 0, "store": 0, "curve": 0, "ramp": 0}
    for seed in range(12):
        system = random_system(seed, times=3, rating_mw=25.0)
        found = system.clear(system.market())
        seen["congestion"] += found.binding.size > 0
        seen["reserve"] += found.reserves.price_usd_per_mw_h.max() > 1.0
        seen["store"] += abs(found.unit_mw[10]) > 1.0
        seen["curve"] += found.reserves.curve_mw.max() > 0.1
        step = np.diff(found.advisory_unit_mw, axis=0)
        seen["ramp"] += (np.abs(step - system.window.rise_mw[1:]) < EXACT).any()
    assert min(seen.values()) > 0


@pytest.fixture
def every_optimum_is_checked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Feasibility, stationarity, signs of duals and strong duality of every linear solve; holds the gaps."""
    solve, gaps = Program.solve, []

    def checked(program: Program) -> Solution:
        solution = solve(program)
        model = program.model()
        activity = model.matrix @ solution.x
        assert (solution.x >= model.lower - EXACT).all()
        assert (solution.x <= model.upper + EXACT).all()
        assert (activity >= model.row_lower - EXACT).all()
        assert (activity <= model.row_upper + EXACT).all()
        left = model.cost - model.matrix.T @ solution.row_dual - solution.reduced_cost
        assert np.abs(left).max() < EXACT
        dual = bound_value(solution.reduced_cost, model.lower, model.upper)
        dual += bound_value(solution.row_dual, model.row_lower, model.row_upper)
        primal = float(model.cost @ solution.x)
        gaps.append(abs(primal - dual) / max(1.0, abs(primal)))
        return solution

    monkeypatch.setattr(Program, "solve", checked)
    return gaps


def bound_value(dual: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Part of the dual objective: a positive dual belongs to a lower bound, a negative one to an upper."""
    assert (dual[~np.isfinite(lower)] < EXACT).all()
    assert (dual[~np.isfinite(upper)] > -EXACT).all()
    at_lower = np.where((dual > 0.0) & np.isfinite(lower), lower, 0.0)
    at_upper = np.where((dual < 0.0) & np.isfinite(upper), upper, 0.0)
    return float(dual @ (at_lower + at_upper))


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("r_pu", [0.0, 0.02])
def test_every_solve_is_optimal_and_its_duals_prove_it(
    every_optimum_is_checked: list[float], times: int, r_pu: float
) -> None:
    for seed in range(8):
        system = random_system(seed, times=times, r_pu=r_pu)
        system.clear(system.market(losses=r_pu > 0.0))
    assert len(every_optimum_is_checked) >= 16
    assert max(every_optimum_is_checked) < EXACT


def awards(found: Clearing) -> FloatArray:
    return np.concatenate((found.unit_mw, found.curve_mw, found.block_mw, found.reserves.unit_mw.ravel()))


def prices(found: Clearing) -> FloatArray:
    return np.concatenate((found.prices.raw_usd_per_mwh, found.reserves.price_usd_per_mw_h.ravel()))


@few
@given(seeds, st.sampled_from([1, 3, 12]))
def test_a_warm_clearing_equals_a_cold_one(seed: int, times: int) -> None:
    system = random_system(seed, times=times)
    market = system.market()
    for k, scale in enumerate((0.7, 1.2, 0.9)):
        other = random_system(seed + k + 1, times=times)
        replace(other, case=system.case, window=system.window, demand_mw=scale * system.demand_mw).clear(
            market
        )
    warm, cold = system.clear(market), system.clear(system.market())
    assert prices(warm) == pytest.approx(prices(cold), abs=1e-9, rel=1e-9)
    assert warm.horizon_usd_per_h == pytest.approx(cold.horizon_usd_per_h, rel=1e-9)
    assert awards(warm) == pytest.approx(awards(cold), abs=EXACT)


@few
@given(seeds)
def test_with_losses_warm_prices_are_cold_prices_within_a_cent(seed: int) -> None:
    """A cut tolerance of t leaves ``price x sqrt(2 h t)``, with h the curvature of losses, 2 r / S: 70 $/MWh
    x sqrt(2 x 4e-4 x 1e-5) = 0.006 $/MWh. Losses ahead are fixed to a thousandth of the load."""
    system = random_system(seed, times=3, r_pu=0.02)
    market = system.market(losses=True, loss_tolerance_mw=1e-5)
    for scale in (0.7, 1.2, 0.9):
        system.clear(market, scale * system.demand_mw)
    cold = system.clear(system.market(losses=True, loss_tolerance_mw=1e-5))
    warm = system.clear(market)
    assume(cold.loss_mw > 0.05)
    ahead = 2.0 * ADVISORY_LOSS_SHARE * (system.demand_mw[1:] @ cold.advisory_lmp_usd_per_mwh[1:].T).trace()
    assert warm.horizon_usd_per_h == pytest.approx(cold.horizon_usd_per_h, abs=abs(ahead))
    left = max(0.01, 1e-4 * cold.prices.raw_usd_per_mwh.max())
    assert warm.prices.raw_usd_per_mwh == pytest.approx(cold.prices.raw_usd_per_mwh, abs=left)


def turned(values: object, order: IntArray, axis: int = 0) -> object:
    """A dataclass of arrays with every array of that length along ``axis`` in another order."""
    changed = {}
    for field in fields(values):  # type: ignore[arg-type]
        value = getattr(values, field.name)
        if isinstance(value, tuple) and len(value) == order.size:
            value = tuple(value[k] for k in order)
        elif isinstance(value, np.ndarray) and value.ndim and value.shape[axis] == order.size:
            value = np.take(value, order, axis=axis)
        changed[field.name] = value
    return replace(values, **changed)  # type: ignore[type-var]


@few
@given(seeds, horizons)
def test_the_order_of_everything_changes_nothing(seed: int, times: int) -> None:
    system, rng = random_system(seed, times=times), np.random.default_rng(seed)
    case = system.case
    unit, bus, line, slot = (
        rng.permutation(k) for k in (len(case.units.ids), BUSES, len(case.branches.ids), SLOTS)
    )
    place, curve = np.argsort(bus), np.array([1, 0])
    units, branches = turned(case.units, unit), turned(case.branches, line)
    other = replace(
        case,
        units=replace(units, bus=place[units.bus]),  # type: ignore[type-var, attr-defined]
        branches=replace(
            branches,  # type: ignore[type-var]
            from_bus=place[branches.from_bus],  # type: ignore[attr-defined]
            to_bus=place[branches.to_bus],  # type: ignore[attr-defined]
        ),
        buses=turned(case.buses, bus),
        reference_bus=int(place[case.reference_bus]),
    )
    network = market_network(other)
    market = Sced(
        network,
        other.units,
        curve_bus=place[curve_bus()[curve]],
        curve_slots=np.array([4, 4]),
        block_bus=place[(np.arange(SLOTS) % BUSES)[slot]],
        intervals=times,
        length_s=LENGTH_S,
        rules=nested_rules(network.region),
        stores=True,
    )
    first = system.clear(system.market())
    second = market.clear(
        system.demand_mw[:, bus],
        turned(system.window, unit, 1),  # type: ignore[arg-type]
        [system.curves[k] for k in curve],
        turned(system.blocks, slot),  # type: ignore[arg-type]
        outlook=turned(system.outlook, unit, -1),  # type: ignore[arg-type]
        required_mw=system.required_mw,
        net_reserves=turned(system.net_reserves, curve),  # type: ignore[arg-type]
    )
    assert second.prices.raw_usd_per_mwh == pytest.approx(first.prices.raw_usd_per_mwh[bus], abs=EXACT)
    assert second.unit_mw == pytest.approx(first.unit_mw[unit], abs=EXACT)
    assert second.curve_mw == pytest.approx(first.curve_mw[curve], abs=EXACT)
    assert second.block_mw == pytest.approx(first.block_mw[slot], abs=EXACT)
    assert second.reserves.unit_mw == pytest.approx(first.reserves.unit_mw[:, unit], abs=EXACT)
    price = first.reserves.price_usd_per_mw_h[:, bus]
    assert second.reserves.price_usd_per_mw_h == pytest.approx(price, abs=EXACT)


@few
@given(seeds, horizons)
def test_reserves_stay_within_ramp_and_room(seed: int, times: int) -> None:
    system = random_system(seed, times=times)
    found = system.clear(system.market())
    units, window, given_mw = system.case.units, system.window.first(), found.reserves.unit_mw
    up, down = given_mw[[REG_UP, SPIN, SUPPLEMENTAL]].sum(axis=0), given_mw[REG_DOWN]
    here = ~units.of_kind("storage")
    assert (found.unit_mw <= window.upper_mw + EXACT)[here].all()
    assert (found.unit_mw >= window.lower_mw - EXACT)[here].all()
    assert (found.unit_mw + up <= window.capacity_mw + EXACT)[here].all()
    assert (found.unit_mw - down >= window.floor_mw - EXACT)[here].all()
    thermal = units.of_kind("thermal")
    ramp = units.ramp_mw_per_min
    assert (given_mw[REG_UP] <= REGULATION_MIN * ramp + EXACT)[thermal].all()
    assert (given_mw[REG_UP] + given_mw[SPIN] <= CONTINGENCY_MIN * ramp + EXACT)[thermal].all()
    store = units.of_kind("storage")
    assert (found.unit_mw + up <= units.p_max_mw + EXACT)[store].all()
    assert (found.unit_mw - down >= -units.charge_mw - EXACT)[store].all()
    assert (found.store_mwh * np.sqrt(units.round_trip) >= up - EXACT)[store].all()
    called = found.curve_mw - found.reserves.curve_mw[[REG_UP, SPIN]].sum(axis=0)
    assert called[0] >= system.net_reserves.p_lo_mw[0] - EXACT
    assert (found.reserves.curve_mw[:, 0] <= system.net_reserves.offered_mw[0, :, 0] + EXACT).all()
    price = found.reserves.price_usd_per_mw_h
    assert (price[REG_UP] >= price[SPIN] - 1e-9).all()
    assert (price[SPIN] >= price[SUPPLEMENTAL] - 1e-9).all()
    served = nested_rules(system.case.buses.area).serves()
    given_at = np.zeros((4, BUSES))
    for product in range(4):
        given_at[product] += np.bincount(units.bus, weights=given_mw[product], minlength=BUSES)
        curve_mw = found.reserves.curve_mw[product]
        given_at[product] += np.bincount(curve_bus(), weights=curve_mw, minlength=BUSES)
    held = np.einsum("kpn,pn->k", served, given_at)
    assert (held + found.reserves.short_mw >= system.required_mw - EXACT).all()


@pytest.mark.parametrize("r_pu", [0.0, 0.02])
@pytest.mark.parametrize("seed", range(6))
def test_what_load_pays_beyond_what_units_earn_is_congestion_rent_and_loss_surplus(
    seed: int, r_pu: float
) -> None:
    """On dispatch quantities: rent of every line at its flow, and what losses pay less what they cost."""
    system = random_system(seed, r_pu=r_pu, rating_mw=25.0)
    found = system.clear(system.market(losses=r_pu > 0.0))
    network, parts = market_network(system.case), found.prices
    net = np.bincount(system.case.units.bus, weights=found.unit_mw, minlength=BUSES)
    net += np.bincount(np.arange(SLOTS) % BUSES, weights=found.block_mw, minlength=BUSES)
    net += found.shed_mw - found.surplus_mw - system.demand_mw[0]
    net -= np.bincount(curve_bus(), weights=found.curve_mw, minlength=BUSES)
    assert net.sum() == pytest.approx(found.loss_mw, abs=EXACT)
    drawn = found.loss_mw * network.loss_weight
    assert network.flow_mw(net - drawn) == pytest.approx(found.flow_mw, abs=EXACT)
    merchandise = -parts.raw_usd_per_mwh @ net
    rent = -found.line_price_usd_per_mwh @ found.flow_mw
    losses = -parts.energy_usd_per_mwh * found.loss_mw - parts.loss_usd_per_mwh @ net
    losses -= parts.congestion_usd_per_mwh @ drawn
    assert merchandise == pytest.approx(rent + losses, abs=1e-5)
    assert rent > 0.0 or not found.binding.size
    if r_pu > 0.0:
        assert found.loss_mw > 0.0
    sums = parts.energy_usd_per_mwh + parts.congestion_usd_per_mwh + parts.loss_usd_per_mwh
    assert sums == pytest.approx(parts.raw_usd_per_mwh, abs=1e-9)


@few
@given(seeds, horizons)
def test_total_prices_do_not_depend_on_the_reference_bus(seed: int, times: int) -> None:
    system = random_system(seed, times=times, rating_mw=25.0)
    first = system.clear(system.market())
    other = replace(system, case=replace(system.case, reference_bus=3))
    second = other.clear(other.market())
    assert prices(second) == pytest.approx(prices(first), abs=1e-9, rel=1e-9)


@few
@given(seeds, horizons)
def test_an_uncongested_lossless_system_has_one_price(seed: int, times: int) -> None:
    system = random_system(seed, times=times, rating_mw=1e5)
    found = system.clear(system.market())
    assert np.ptp(found.prices.raw_usd_per_mwh) < 1e-9
    assert np.ptp(found.advisory_lmp_usd_per_mwh, axis=1).max() < 1e-9


@few
@given(seeds, horizons)
def test_more_supply_or_less_reserve_never_costs_more(seed: int, times: int) -> None:
    system = random_system(seed, times=times, rating_mw=25.0, load=1.4)
    base = system.clear(system.market()).horizon_usd_per_h
    wider = replace(system.blocks, width_mw=system.blocks.width_mw + 2.0)
    more = replace(system, blocks=wider)
    less = replace(system, required_mw=0.5 * system.required_mw)
    tight = replace(
        system, case=replace(system.case, branches=replace(
            system.case.branches, rating_mw=0.6 * system.case.branches.rating_mw
        )),
    )  # fmt: skip
    tolerance = 1e-9 * abs(base) + EXACT
    assert more.clear(more.market()).horizon_usd_per_h <= base + tolerance
    assert less.clear(less.market()).horizon_usd_per_h <= base + tolerance
    assert tight.clear(tight.market()).horizon_usd_per_h >= base - tolerance


@few
@given(seeds, horizons)
def test_no_load_is_too_much_with_everything_on(seed: int, times: int) -> None:
    short = 0
    for scale in (1.35, 1.6, 2.0, 6.0):
        system = random_system(seed, times=times, load=scale, r_pu=0.01)
        found = system.clear(system.market(losses=True))
        assert found.prices.lmp_usd_per_mwh.max() <= 3_500.0
        assert found.prices.lmp_usd_per_mwh.min() >= -150.0
        short += found.shed_mw.sum() > 1.0
        assert found.penalty_priced or found.prices.raw_usd_per_mwh.max() < 500.0
    assert short > 0


@pytest.mark.parametrize("times", [1, 3])
def test_wasted_energy_is_held_at_the_losses_of_the_flows_in_a_meshed_system(times: int) -> None:
    """Units forced above the load: prices are negative, and losses would be a way to get rid of energy."""
    held = 0
    for seed in range(10):
        system = random_system(seed, times=times, r_pu=0.03, load=0.3, rating_mw=30.0)
        window = system.window
        forced = np.minimum(window.upper_mw, np.maximum(window.lower_mw, 0.6 * window.upper_mw))
        forced[:, 9:] = window.lower_mw[:, 9:]
        free = np.full_like(forced, np.inf)
        system = replace(system, window=replace(window, lower_mw=forced, rise_mw=free, fall_mw=free))
        found = system.clear(system.market(losses=True))
        actual = market_network(system.case).losses_mw(found.flow_mw)
        assert found.loss_mw == pytest.approx(actual, abs=2e-3)
        assert found.loss_error_mw == pytest.approx(found.loss_mw - actual, abs=1e-9)
        if found.loss_held:
            assert found.prices.raw_usd_per_mwh.min() < 0.0
            assert found.surplus_mw.sum() > 0.0
        held += found.loss_held
    assert held > 3


def test_rts_gmlc_with_everything_on_is_capped_and_never_infeasible() -> None:
    """Scarcity with congestion or losses lifts raw prices over the cap; what is published stays at it."""
    case = read_rts_gmlc()
    units, network = case.units, market_network(case)
    n, rules = len(units.ids), nested_rules(network.region)
    window = UnitWindow(
        lower_mw=np.where(units.of_kind(*FUELLED), units.p_min_mw, 0.0),
        upper_mw=np.where(units.of_kind(*FUELLED, "hydro"), units.p_max_mw, 0.3 * units.p_max_mw),
        committed=np.ones(n, dtype=np.bool_),
    )
    market = Sced(network, units, rules=rules, losses=True, loss_tolerance_mw=0.1)
    required = np.array([90.0, 90.0, 100.0, 100.0, 100.0, 350.0])
    shed, raw = [], []
    for scale in (1.35, 1.6, 2.0):
        found = market.clear(scale * case.buses.load_mw, window, required_mw=required)
        shed.append(found.shed_mw.sum())
        raw.append(found.prices.raw_usd_per_mwh.max())
        assert found.prices.lmp_usd_per_mwh.max() <= 3_500.0
        assert found.penalty_priced == (found.shed_mw.sum() + found.reserves.short_mw.sum() > 1e-3)
        assert found.unit_mw.sum() + shed[-1] - found.surplus_mw.sum() == pytest.approx(
            scale * case.buses.load_mw.sum() + found.loss_mw, abs=1e-5
        )
    assert shed == sorted(shed)
    assert shed[-1] > 1_000.0
    assert raw[-1] > 3_500.0
