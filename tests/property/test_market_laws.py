"""Laws of the dispatch on random meshed systems."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow
from federates.core.curve import NetCurve
from federates.iso.network import market_network
from federates.iso.offers import OfferedBlocks
from federates.iso.sced import Clearing, Sced
from tests.unit.iso.market_cases import all_on, case_of, offer

BUSES = 6
SLOTS = 24
COST_TOLERANCE = 1e-6
"""Of costs of some 1e4 $/h: ten digits."""
few = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def random_case(rng: np.random.Generator, rating_mw: float = 60.0) -> TransmissionCase:
    """A ring with chords, tight ratings, two offers at every bus."""
    loads = rng.uniform(20.0, 100.0, BUSES)
    ends = [(k, (k + 1) % BUSES) for k in range(BUSES)] + [(0, 3), (1, 4)]
    return case_of(
        [BusRow(id=str(k), base_kv=138.0, load_mw=loads[k]) for k in range(BUSES)],
        [
            BranchRow(
                id=f"L{k}", from_bus=f, to_bus=t, r_pu=0.0, x_pu=rng.uniform(0.05, 0.2), rating_mw=rating_mw
            )
            for k, (f, t) in enumerate(ends)
        ],
        [
            offer(f"G{k}", k % BUSES, rng.uniform(30.0, 150.0), rng.uniform(10.0, 90.0))
            for k in range(2 * BUSES)
        ],
    )


def random_curve(rng: np.random.Generator) -> NetCurve:
    return NetCurve(
        import_mw=np.sort(rng.uniform(-30.0, 40.0, 6)),
        price_usd_per_mwh=np.sort(rng.uniform(5.0, 120.0, 6))[::-1].copy(),
    )


def market(case: TransmissionCase) -> Sced:
    return Sced(
        market_network(case),
        case.units,
        curve_bus=np.array([2, 4]),
        curve_slots=np.array([6, 6]),
        block_bus=np.arange(SLOTS) % BUSES,
    )


def clear(sced: Sced, case: TransmissionCase, seed: int, load_mw: np.ndarray | None = None) -> Clearing:
    rng = np.random.default_rng([seed, 1])
    curves = [random_curve(rng), random_curve(rng)]
    blocks = OfferedBlocks(
        width_mw=rng.uniform(0.0, 3.0, SLOTS), price_usd_per_mwh=np.round(rng.uniform(10.0, 90.0, SLOTS), -1)
    )
    return sced.clear(case.buses.load_mw if load_mw is None else load_mw, all_on(case), curves, blocks)


@few
@given(seeds)
def test_price_is_the_right_finite_difference_of_cost(seed: int) -> None:
    case = random_case(np.random.default_rng(seed))
    sced = market(case)
    base = clear(sced, case, seed)
    step_mw = 1e-3
    for bus in range(BUSES):
        load = case.buses.load_mw.copy()
        load[bus] += step_mw
        more = clear(sced, case, seed, load)
        slope = (more.objective_usd_per_h - base.objective_usd_per_h) / step_mw
        assert slope == pytest.approx(base.prices.raw_usd_per_mwh[bus], abs=1e-4)


@few
@given(seeds)
def test_a_warm_clearing_equals_a_cold_one(seed: int) -> None:
    case = random_case(np.random.default_rng(seed))
    warm = market(case)
    for k in range(4):
        clear(warm, case, seed + k + 1, case.buses.load_mw * (0.7 + 0.2 * k))
    first, second = clear(warm, case, seed), clear(market(case), case, seed)
    assert first.objective_usd_per_h == pytest.approx(second.objective_usd_per_h, abs=COST_TOLERANCE)
    assert first.prices.raw_usd_per_mwh == pytest.approx(second.prices.raw_usd_per_mwh, abs=1e-6)
    assert first.curve_mw == pytest.approx(second.curve_mw, abs=1e-6)
    assert first.block_mw == pytest.approx(second.block_mw, abs=1e-6)


def test_a_forgetful_market_repeats_itself_to_the_last_bit() -> None:
    case = random_case(np.random.default_rng(7))
    used, fresh = market(case), market(case)
    clear(used, case, 1, 1.3 * case.buses.load_mw)
    used.forget()
    one, other = clear(used, case, 2), clear(fresh, case, 2)
    assert np.array_equal(one.prices.raw_usd_per_mwh, other.prices.raw_usd_per_mwh)
    assert np.array_equal(one.unit_mw, other.unit_mw)


@few
@given(seeds)
def test_the_order_of_units_and_branches_changes_nothing(seed: int) -> None:
    case = random_case(np.random.default_rng(seed))
    units, branches = case.units, case.branches
    order, lines = np.arange(len(units.ids))[::-1], np.arange(len(branches.ids))[::-1]
    turned = replace(
        case,
        units=replace(
            units,
            bus=units.bus[order],
            p_max_mw=units.p_max_mw[order],
            block_mw=units.block_mw[order],
            block_usd_per_mwh=units.block_usd_per_mwh[order],
        ),
        branches=replace(
            branches,
            from_bus=branches.from_bus[lines],
            to_bus=branches.to_bus[lines],
            x_pu=branches.x_pu[lines],
        ),
    )
    one, other = clear(market(case), case, seed), clear(market(turned), turned, seed)
    assert one.prices.raw_usd_per_mwh == pytest.approx(other.prices.raw_usd_per_mwh, abs=1e-6)
    assert one.unit_mw == pytest.approx(other.unit_mw[order], abs=1e-6)


@few
@given(seeds)
def test_balance_and_rent_identities_hold(seed: int) -> None:
    case = random_case(np.random.default_rng(seed))
    c = clear(market(case), case, seed)
    lmp, n = c.prices.raw_usd_per_mwh, BUSES
    injection = np.bincount(case.units.bus, weights=c.unit_mw, minlength=n)
    injection += np.bincount(np.arange(SLOTS) % n, weights=c.block_mw, minlength=n)
    injection += c.shed_mw - c.surplus_mw - case.buses.load_mw
    injection -= np.bincount(np.array([2, 4]), weights=c.curve_mw, minlength=n)
    assert injection.sum() == pytest.approx(0.0, abs=1e-6)
    assert market_network(case).flow_mw(injection) == pytest.approx(c.flow_mw, abs=1e-6)
    assert -lmp @ injection == pytest.approx(-c.line_price_usd_per_mwh @ c.flow_mw, abs=1e-5)


@few
@given(seeds)
def test_no_load_is_infeasible(seed: int) -> None:
    case = random_case(np.random.default_rng(seed))
    sced = market(case)
    double, far_too_much = (clear(sced, case, seed, k * case.buses.load_mw) for k in (2.0, 8.0))
    assert double.objective_usd_per_h < far_too_much.objective_usd_per_h
    assert far_too_much.shed_mw.sum() > 0.0
    assert far_too_much.penalty_priced
    assert far_too_much.prices.lmp_usd_per_mwh.max() <= 3_500.0


@few
@given(seeds)
def test_a_tighter_limit_that_binds_is_never_cheaper(seed: int) -> None:
    wide = random_case(np.random.default_rng(seed), rating_mw=30.0)
    tight = random_case(np.random.default_rng(seed), rating_mw=12.0)
    one, other = clear(market(wide), wide, seed), clear(market(tight), tight, seed)
    assert other.binding.size > 0
    assert other.objective_usd_per_h > one.objective_usd_per_h - COST_TOLERANCE
