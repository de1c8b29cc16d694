"""Losses of the flows in the dispatch: hand cases, prices against finite differences, wasted energy."""

from dataclasses import replace

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow
from federates.iso.sced import Clearing, Sced
from tests.unit.iso.market_cases import all_on, case_of, offer, pjm5

TIGHT_MW = 1e-8
"""Cut tolerance at which prices are compared with differences of cost. [MW]"""
STEP_MW = 0.05
PRICE_USD_PER_MWH = 2e-4
"""What the envelope may leave between a price and a difference of cost at that tolerance. [$/MWh]"""


def one_line(r_pu: float = 0.02) -> TransmissionCase:
    """A cheap unit at bus 1, all load at bus 2, a dear unit there."""
    return case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=100.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=r_pu, x_pu=0.1, rating_mw=np.inf)],
        [offer("cheap", 0, 300.0, 20.0), offer("dear", 1, 300.0, 21.0)],
    )


def clear(case: TransmissionCase, load_mw: np.ndarray, **more: object) -> Clearing:
    return Sced(market_network(case), case.units, losses=True, loss_tolerance_mw=TIGHT_MW, **more).clear(
        load_mw, all_on(case)
    )


def test_the_cheap_unit_sends_until_its_marginal_loss_eats_the_price_gap() -> None:
    """Losses r f^2 / S at bus 2 (all load is there), f into the line at bus 1, f - loss arrives.

    One MW more from bus 1 loses 2 r f / S; at the optimum 20 = 21 (1 - 2 r f / S), so 2 r f / S = 1/21 and
    f = 100 / (2 x 0.02 x 21) = 119.05 > 100 MW of load: with r = 0.05 f = 47.62, losses 0.05 f^2 / 100 =
    1.1338.
    """
    case = one_line(0.05)
    clearing = clear(case, case.buses.load_mw)
    flow = 100.0 / (2 * 0.05 * 21)
    loss = 0.05 * flow**2 / 100.0
    assert clearing.unit_mw[0] == pytest.approx(flow, abs=0.02)
    assert clearing.loss_mw == pytest.approx(loss, abs=1e-3)
    assert clearing.unit_mw.sum() == pytest.approx(100.0 + clearing.loss_mw, abs=1e-6)
    assert clearing.prices.raw_usd_per_mwh == pytest.approx([20.0, 21.0], abs=1e-3)
    # load-weighted reference: the energy part is the price of bus 2, the loss part of bus 1 is what is lost
    assert clearing.prices.energy_usd_per_mwh == pytest.approx(21.0, abs=1e-3)
    assert clearing.prices.loss_usd_per_mwh == pytest.approx([-1.0, 0.0], abs=1e-3)
    assert clearing.prices.congestion_usd_per_mwh == pytest.approx([0.0, 0.0], abs=1e-9)


def test_solved_losses_are_those_of_the_flows() -> None:
    case = pjm5()
    clearing = clear(case, case.buses.load_mw)
    actual = market_network(case).losses_mw(clearing.flow_mw)
    assert clearing.loss_mw == pytest.approx(actual, abs=1e-6)
    assert actual > 1.0


@pytest.mark.parametrize("scale", [0.55, 0.8, 1.0])
def test_price_is_the_difference_of_cost_with_losses(scale: float) -> None:
    """At every bus, both ways: where they agree the price is the derivative, at a step the right one."""
    case = pjm5()
    load = scale * case.buses.load_mw
    base = clear(case, load)
    for bus in range(load.size):
        step = np.zeros(load.size)
        step[bus] = STEP_MW
        more, less = clear(case, load + step), clear(case, load - step)
        right = (more.objective_usd_per_h - base.objective_usd_per_h) / STEP_MW
        left = (base.objective_usd_per_h - less.objective_usd_per_h) / STEP_MW
        curvature = right - left
        assert curvature >= -PRICE_USD_PER_MWH
        assert base.prices.raw_usd_per_mwh[bus] == pytest.approx(
            right, abs=PRICE_USD_PER_MWH + 0.5 * abs(curvature)
        )


def test_total_price_does_not_depend_on_the_reference_bus() -> None:
    case = pjm5()
    found = [
        Sced(market_network(case, reference_bus=k), case.units, losses=True, loss_tolerance_mw=TIGHT_MW)
        .clear(case.buses.load_mw, all_on(case))
        .prices.raw_usd_per_mwh
        for k in range(5)
    ]
    assert np.ptp(found, axis=0).max() < PRICE_USD_PER_MWH
    assert np.ptp(found[0]) > 1.0


def test_parts_of_a_price_add_up() -> None:
    case = pjm5()
    sced = Sced(market_network(case), case.units, losses=True, loss_tolerance_mw=TIGHT_MW)
    prices = sced.clear(case.buses.load_mw, all_on(case)).prices
    parts = prices.energy_usd_per_mwh + prices.congestion_usd_per_mwh + prices.loss_usd_per_mwh
    assert parts == pytest.approx(prices.raw_usd_per_mwh, abs=1e-9)
    assert np.abs(prices.loss_usd_per_mwh).max() > 0.01


def test_negative_prices_do_not_burn_energy_as_losses() -> None:
    """60 MW must be taken at bus 1 with 40 MW of load at bus 2 and no other taker: the price is -500.

    Losses of 40 MW over the line are 0.05 x 40^2 / 100 = 0.8 MW and more only with more flow; unheld, the
    program would burn all 20 MW of surplus as losses at a price of zero.
    """
    case = one_line(0.05)
    window = UnitWindow(
        lower_mw=np.array([60.0, 0.0]), upper_mw=np.array([60.0, 0.0]), committed=np.array([True, True])
    )
    sced = Sced(market_network(case), case.units, losses=True)
    clearing = sced.clear(np.array([0.0, 40.0]), window)
    actual = market_network(case).losses_mw(clearing.flow_mw)
    assert clearing.loss_held
    assert clearing.loss_mw == pytest.approx(actual, abs=2e-3)
    assert clearing.surplus_mw.sum() == pytest.approx(20.0 - clearing.loss_mw, abs=1e-6)
    assert clearing.prices.raw_usd_per_mwh.max() < -400.0
    assert clearing.prices.lmp_usd_per_mwh.min() == -150.0
    again = sced.clear(case.buses.load_mw, all_on(case))
    assert not again.loss_held
    assert again.prices.raw_usd_per_mwh.min() > 0.0


def test_warm_prices_with_losses_are_those_of_a_cold_market() -> None:
    case = pjm5()
    warm = Sced(market_network(case), case.units, losses=True)
    for scale in (0.5, 1.1, 0.7, 0.9):
        warm.clear(scale * case.buses.load_mw, all_on(case))
    one = warm.clear(case.buses.load_mw, all_on(case))
    other = Sced(market_network(case), case.units, losses=True).clear(case.buses.load_mw, all_on(case))
    assert one.prices.raw_usd_per_mwh == pytest.approx(other.prices.raw_usd_per_mwh, abs=0.01)
    assert one.objective_usd_per_h == pytest.approx(other.objective_usd_per_h, abs=0.1)


def test_a_lossless_network_has_no_loss_part() -> None:
    case = pjm5()
    case = replace(case, branches=replace(case.branches, r_pu=np.zeros_like(case.branches.r_pu)))
    clearing = clear(case, case.buses.load_mw)
    assert clearing.loss_mw == pytest.approx(0.0, abs=1e-9)
    assert clearing.prices.loss_usd_per_mwh == pytest.approx(np.zeros(5), abs=1e-9)
