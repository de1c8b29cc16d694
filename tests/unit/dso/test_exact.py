"""Curves with all their breakpoints: a hand case, the program in between, and sums of feeders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.dso.bid import FeederBidder, FeederCurve, lda_curve, price_ladder
from federates.dso.case import FeederCase, FeederLimits
from federates.dso.columns import DerColumns
from federates.dso.exact import at_common_prices, exact_curve
from federates.dso.program import ReducedProgram
from tests.unit.dso.area import Area, expected_kw, offers, standing_area

COST_USD_PER_H = 1e-6
"""The curve's vertices are found to 1e-8 MW at prices of up to 100 $/MWh."""
SWEEP_USD_PER_H = 2e-3
"""The sweep finds the ends of its range to 1e-6 MW, where a MW is worth 1,000 $/MWh."""


def congested(seed: int = 5) -> tuple[FeederBidder, FeederCase]:
    one = standing_area("ieee123", 40, 3.5, 0.7)
    columns = offers(one.size_kw, seed)
    bidder = FeederBidder(one.map, "feeder")
    return bidder, bidder.refresh(
        one.point(0.6 * expected_kw(columns)), columns, FeederLimits(loading_pu=0.35)
    )


def cost_at(curve: FeederCurve, import_mw: FloatArray) -> FloatArray:
    return np.interp(import_mw, curve.import_mw[::-1], curve.cost_usd_per_h[::-1])


def offered(one: Area, width_kw: list[float], price: list[float]) -> FeederCase:
    """The case of two DERs at the first places, one block each, far from any limit."""
    width = np.zeros(one.size_kw.size)
    usd = np.zeros(one.size_kw.size)
    width[: len(width_kw)], usd[: len(price)] = width_kw, price
    columns = DerColumns(
        der=np.arange(width.size), width_kw=width, price_usd_per_mwh=usd, floor_kw=np.zeros(width.size),
        base_kw=np.zeros(width.size), q_kvar=np.zeros(width.size), q_limit_kvar=np.zeros(width.size),
    )  # fmt: skip
    wide = FeederLimits(v_min_pu=0.5, v_max_pu=1.5, loading_pu=100.0)
    return FeederBidder(one.map, "feeder").refresh(one.point(np.zeros(width.size)), columns, wide)


def test_two_free_blocks_make_two_segments() -> None:
    """100 kW at 20 $, 50 kW at 60 $, nothing binds: the load P0 less 0, 0.1 and 0.15 MW at 0, 2 and 5 $/h."""
    one = standing_area("ieee13", 12, 1.0, 1.0)
    case = offered(one, [100.0, 50.0], [20.0, 60.0])
    curve = exact_curve(case, "feeder")
    assert curve.import_mw == pytest.approx(case.import_at_floor_mw - np.array([0.0, 0.1, 0.15]), abs=1e-7)
    assert curve.cost_usd_per_h == pytest.approx([0.0, 2.0, 5.0], abs=COST_USD_PER_H)
    assert curve.price_usd_per_mwh == pytest.approx([-np.inf, 40.0, np.inf], abs=1e-3)
    net = lda_curve(at_common_prices([curve])).net_curve
    assert net.value_usd_per_mwh == pytest.approx([60.0, 20.0], abs=1e-3)


@pytest.mark.parametrize(("width_kw", "vertices"), [([], 1), ([80.0], 2)])
def test_short_curves(width_kw: list[float], vertices: int) -> None:
    curve = exact_curve(offered(standing_area("ieee13", 12, 1.0, 1.0), width_kw, [30.0] * len(width_kw)), "f")
    assert curve.import_mw.size == curve.price_usd_per_mwh.size == vertices
    assert lda_curve(at_common_prices([curve])).net_curve.import_mw.size == vertices


def test_between_breakpoints_the_program_costs_what_the_curve_says() -> None:
    _, case = congested()
    curve = exact_curve(case, "feeder")
    program = ReducedProgram(case, "feeder", tolerance_share=0.01)
    slope = -np.diff(curve.cost_usd_per_h) / np.diff(curve.import_mw)
    assert (np.diff(slope) > 0).all()
    assert curve.import_mw.size > 50
    widest = np.argsort(np.diff(curve.import_mw))[:12]
    for k in widest:
        middle = curve.import_mw[k : k + 2].mean()
        found = program.at_import(middle)
        assert found.cost_usd_per_h == pytest.approx(cost_at(curve, middle), abs=COST_USD_PER_H)
        assert -found.price_usd_per_mwh == pytest.approx(-slope[k], abs=1e-4)
    for k in (5, 20, 40):
        vertex = program.at_price(float(curve.price_usd_per_mwh[k]))
        assert vertex.import_mw == pytest.approx(curve.import_mw[k], abs=1e-7)


def test_swept_vertices_lie_on_the_exact_curve_and_miss_some_of_it() -> None:
    bidder, case = congested()
    exact = exact_curve(case, "feeder")
    swept = bidder.sweep(price_ladder(35.0).price_usd_per_mwh)
    np.testing.assert_allclose(cost_at(exact, swept.import_mw), swept.cost_usd_per_h, atol=SWEEP_USD_PER_H)
    missed = cost_at(swept, exact.import_mw) - exact.cost_usd_per_h
    assert missed.min() >= -SWEEP_USD_PER_H
    assert missed.max() > 0.01


def test_the_area_costs_what_its_feeders_cost_when_they_share_an_import_best() -> None:
    """Infimal convolution: F(P) = min over P1 of F1(P1) + F2(P - P1), searched on a fine grid."""
    curves = [exact_curve(congested(seed)[1], "feeder") for seed in (5, 6)]
    whole = lda_curve(at_common_prices(curves), blocks_limit=1_000)
    first = np.linspace(curves[0].import_mw[-1], curves[0].import_mw[0], 20_001)
    own = cost_at(curves[0], first)
    for share in (0.2, 0.5, 0.8):
        wanted = whole.import_mw[0] + share * (whole.import_mw[-1] - whole.import_mw[0])
        second = wanted - first
        inside = (second >= curves[1].import_mw[-1]) & (second <= curves[1].import_mw[0])
        best = (own + cost_at(curves[1], second))[inside].min()
        mine = float(np.interp(wanted, whole.import_mw, whole.cost_usd_per_h))
        assert mine <= best + COST_USD_PER_H
        assert mine == pytest.approx(best, abs=0.01)
    p_kw, _, drawn = whole.at(float(whole.import_mw.mean()))
    assert drawn == pytest.approx(whole.import_mw.mean())
    assert [p.size for p in p_kw] == [40, 40]


def test_an_offer_scaled_in_price_scales_the_curve() -> None:
    one = standing_area("ieee13", 12, 1.0, 1.0)
    columns = offers(one.size_kw)
    point = one.point(np.zeros(12))
    dear = replace(columns, price_usd_per_mwh=2.0 * columns.price_usd_per_mwh)
    first, second = (
        exact_curve(FeederBidder(one.map, "f").refresh(point, c, FeederLimits()), "f")
        for c in (columns, dear)
    )
    np.testing.assert_allclose(second.import_mw, first.import_mw, atol=1e-6)
    np.testing.assert_allclose(second.cost_usd_per_h, 2.0 * first.cost_usd_per_h, atol=1e-4)
