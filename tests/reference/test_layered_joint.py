"""Layered = joint: clearing the DSOs' exact curves finds what one program over all layers finds.

Minimising the joint cost over what is below an interface first leaves the cost F_k(P_k) of each LDA as a
function of its import alone, so that ``min C_T + sum F_k(P_k)`` is the joint optimum and the LMP at the
interface is ``-F_k'``. It holds where layers couple through P only, the sets are convex and the curve is
whole; all three do on the linear maps. The joint program is written out in full by `tests.reference.joint`;
the layered one is the product's own: curve from the reduced programs, bid rounded as it is sent, the ISO's
dispatch.
"""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.dso.bid import LdaCurve, lda_curve, price_ladder
from tests.reference.joint import Joint
from tests.reference.layers import (
    CONSTANT_MW,
    LIGHT_MW,
    LOAD_MW,
    Below,
    below,
    cleared,
    exact_bids,
    grid,
    layered_cost_usd_per_h,
)

GAP = 1e-6
"""Relative difference of cost: bids are rounded to 1 W a set, the dispatch breaks ties by 1e-5 $/MWh."""
LMP_USD_PER_MWH = 1e-4
STEP_MW = 1e-3
"""Step of load at which the dual is compared with the cost either way; breakpoints lie further apart."""
IMPORT_MW = 0.01
"""Of 50 to 200 MW: a hundredth of a breakpoint's distance."""
TWENTY_BLOCKS_SHARE = 3e-4
"""Of the whole cost, units' and DERs'."""


def swept(layer: Below, forecast_usd_per_mwh: float, blocks_limit: int) -> list[LdaCurve]:
    """The curves that a study's DSOs would bid around a forecast."""
    ladder = price_ladder(forecast_usd_per_mwh)
    return [
        lda_curve(
            [bidder.sweep(ladder.price_usd_per_mwh) for bidder in own],
            constant_mw=CONSTANT_MW,
            window_usd_per_mwh=ladder.window_usd_per_mwh,
            blocks_limit=blocks_limit,
        )
        for own in layer.bidders
    ]


def slope_usd_per_mwh(joint: Joint, load_mw: FloatArray, bus: int, step_mw: float) -> float:
    """Difference of the joint cost by load at a bus."""
    moved = load_mw.copy()
    moved[bus] += step_mw
    return (joint.solve(moved).cost_usd_per_h - joint.solve(load_mw).cost_usd_per_h) / step_mw


@pytest.mark.parametrize("losses", [False, True], ids=["lossless", "losses"])
@pytest.mark.parametrize(
    ("congested", "load_mw"),
    [(False, LOAD_MW), (False, LIGHT_MW), (True, LOAD_MW)],
    ids=["uncongested", "a_bid_sets_the_price", "congested"],
)
def test_clearing_the_exact_curves_is_the_joint_optimum(
    congested: bool, load_mw: FloatArray, losses: bool
) -> None:
    layer = below(congested=congested)
    case = grid(congested=congested, losses=losses)
    joint = Joint(case, layer.areas, losses=losses)
    best = joint.solve(load_mw)
    found = cleared(case, layer, exact_bids(layer), load_mw, losses=losses)
    gap = layered_cost_usd_per_h(case, layer, layer.exact, found) / best.cost_usd_per_h - 1.0
    apart = np.abs(found.prices.raw_usd_per_mwh - best.lmp_usd_per_mwh).max()
    print(f"gap {gap:.1e} of {best.cost_usd_per_h:.2f} $/h, LMPs apart {apart:.1e} $/MWh")
    assert abs(gap) <= GAP
    assert apart <= LMP_USD_PER_MWH
    np.testing.assert_allclose(found.curve_mw, best.import_mw, atol=IMPORT_MW)

    # The case is not degenerate: one more and one less MW at a bus cost the same, its price.
    for one in layer.areas:
        for step in (STEP_MW, -STEP_MW):
            slope = slope_usd_per_mwh(joint, load_mw, one.bus, step)
            assert slope == pytest.approx(best.lmp_usd_per_mwh[one.bus], abs=LMP_USD_PER_MWH)
    # What is said to bind does, and nothing else.
    at_rating = np.abs(best.flow_mw) >= case.branches.rating_mw - 1e-6
    assert at_rating.sum() == (1 if congested else 0)
    assert found.binding.tolist() == np.flatnonzero(at_rating).tolist()
    assert best.feeder_limits_count >= 40 if congested else best.feeder_limits_count == 0
    assert best.loss_mw > 4.0 if losses else best.loss_mw == 0.0
    partial = (best.unit_mw > 1e-3) & (best.unit_mw < case.units.p_max_mw - 1e-3)
    assert partial.any() == (load_mw is not LIGHT_MW), "whether a unit or a bid sets the price"


def test_twenty_blocks_around_a_forecast_lose_little_where_nothing_is_congested() -> None:
    """Bids as they are sent in a study, at forecasts off by a sixth either way; five blocks are the guard."""
    layer = below(congested=False)
    case = grid(congested=False, losses=False)
    lost = {}
    for load_mw in (LOAD_MW, LIGHT_MW):
        best = Joint(case, layer.areas, losses=False).solve(load_mw)
        price = float(best.lmp_usd_per_mwh[0])
        for blocks in (20, 5):
            shares = []
            for forecast in (price / 1.15, price * 1.15):
                curves = swept(layer, forecast, blocks)
                found = cleared(case, layer, [c.net_curve for c in curves], load_mw, losses=False)
                cost = layered_cost_usd_per_h(case, layer, curves, found)
                shares.append(cost / best.cost_usd_per_h - 1.0)
            lost[load_mw is LIGHT_MW, blocks] = max(shares)
            print(
                f"{blocks} blocks at {price:.2f} $/MWh lose {shares[0]:.1e} and {shares[1]:.1e} of the cost"
            )
    assert all(share >= -GAP for share in lost.values()), "a bid never promises more than there is"
    assert max(share for (_, blocks), share in lost.items() if blocks == 20) <= TWENTY_BLOCKS_SHARE
    assert max(share for (_, blocks), share in lost.items() if blocks == 5) > TWENTY_BLOCKS_SHARE
