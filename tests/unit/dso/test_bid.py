"""The sweep, the sum over feeders, and the bid sent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.errors import ConfigError, InfeasibleError
from federates.dso.bid import (
    WINDOW_POINTS,
    FeederBidder,
    FeederCurve,
    lda_curve,
    merit_order,
    price_ladder,
)
from federates.dso.case import FeederLimits
from federates.dso.program import ReducedProgram
from tests.unit.dso.area import FORECAST_USD_PER_MWH, Area, area, expected_kw, offers, standing_area

LADDER = price_ladder(FORECAST_USD_PER_MWH)


def bidder(one: Area, rating: float = 1.0, seed: int = 5) -> FeederBidder:
    columns = offers(one.size_kw, seed)
    made = FeederBidder(one.map, "feeder")
    made.refresh(one.point(0.6 * expected_kw(columns)), columns, FeederLimits(loading_pu=rating))
    return made


def congested() -> FeederBidder:
    return bidder(standing_area("ieee123", 40, 3.5, 0.7), 0.35)


def test_the_ladder_is_dense_around_the_forecast_and_reaches_far() -> None:
    for forecast in (35.0, 5.0, -10.0, 400.0):
        ladder = price_ladder(forecast)
        prices = ladder.price_usd_per_mwh
        assert (np.diff(prices) > 0).all()
        low, high = ladder.window_usd_per_mwh
        assert ((prices >= low) & (prices <= high)).sum() == WINDOW_POINTS
        assert high - forecast == pytest.approx(max(0.4 * abs(forecast), 10))
        assert (prices < low).sum() == (prices > high).sum() == 3


def test_merit_order_that_keeps_every_limit_is_the_optimum() -> None:
    quiet = bidder(standing_area("ieee123", 40, 1.0, 1.0))
    case = quiet.program()._case
    p_kw, cost, holds = merit_order(case, LADDER.price_usd_per_mwh)
    assert holds.sum() >= 3
    program = ReducedProgram(case, "feeder")
    for k in np.flatnonzero(holds):
        price = float(LADDER.price_usd_per_mwh[k])
        vertex = program.at_price(price)
        assert cost[k] == pytest.approx(case.columns.cost_usd_per_h(p_kw[k]))
        mine = cost[k] - price * p_kw[k].sum() / 1e3
        theirs = vertex.cost_usd_per_h - price * vertex.p_kw.sum() / 1e3
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_congestion_defeats_the_merit_order_and_every_vertex_keeps_the_limits() -> None:
    tight = congested()
    curve = tight.sweep(LADDER.price_usd_per_mwh)
    case = tight.program()._case
    assert curve.programs_count > 20
    reached = 0
    for p in curve.p_kw:
        excess = case.excess(tight.map.to_map_order(p), case.columns.q_kvar)
        assert excess[:2].max() < 2e-6
        assert excess[2:].max() < 2e-6
        reached += int((excess > -1e-7).sum())
    assert reached > 50


def test_import_falls_with_price_and_cost_is_convex_in_it() -> None:
    curve = congested().sweep(LADDER.price_usd_per_mwh)
    assert (np.diff(curve.import_mw) <= 2e-6).all()
    bid = lda_curve([curve])
    value = -np.diff(bid.cost_usd_per_h) / np.diff(bid.import_mw)
    assert (np.diff(value) <= 1e-9).all()
    assert bid.net_curve.import_mw.size - 1 <= 20
    # The chord between two prices' optima has a slope between those prices.
    for k in range(1, curve.import_mw.size - 2):
        width = curve.import_mw[k] - curve.import_mw[k + 1]
        if width > 1e-3:
            chord = (curve.cost_usd_per_h[k + 1] - curve.cost_usd_per_h[k]) / width
            assert curve.price_usd_per_mwh[k] - 1e-3 <= chord <= curve.price_usd_per_mwh[k + 1] + 1e-3


def test_a_market_that_clears_the_bid_at_a_price_finds_the_optimum_at_that_price() -> None:
    """Blocks worth more than the price are taken: net import is then the feeder's own at that price."""
    curve = congested().sweep(LADDER.price_usd_per_mwh)
    bid = lda_curve([curve], blocks_limit=1000).net_curve
    prices = curve.price_usd_per_mwh[1:-1]
    taken = [bid.p_min_mw + bid.width_mw[bid.value_usd_per_mwh > price].sum() for price in prices]
    np.testing.assert_allclose(taken, curve.import_mw[1:-1], atol=1e-4)
    assert max(taken) - min(taken) > 0.5 * (bid.p_max_mw - bid.p_min_mw)


def test_the_area_is_the_sum_of_its_feeders_and_a_constant() -> None:
    curves = [congested().sweep(LADDER.price_usd_per_mwh), bidder(area()).sweep(LADDER.price_usd_per_mwh)]
    bid = lda_curve(curves, constant_mw=0.05, blocks_limit=1000)
    assert bid.import_mw[0] == pytest.approx(sum(c.import_mw[-1] for c in curves) + 0.05, abs=1e-5)
    assert bid.import_mw[-1] == pytest.approx(sum(c.import_mw[0] for c in curves) + 0.05, abs=1e-5)
    for award in np.linspace(bid.import_mw[0], bid.import_mw[-1], 9):
        p_kw, _, drawn = bid.at(float(award))
        assert drawn == pytest.approx(award)
        head = sum(
            c.import_mw[0] - (p.sum() - c.p_kw[0].sum()) / 1e3 for c, p in zip(curves, p_kw, strict=True)
        )
        assert head + 0.05 == pytest.approx(award, abs=1e-6)


def test_thinning_loses_little_inside_the_window() -> None:
    curve = congested().sweep(price_ladder(FORECAST_USD_PER_MWH).price_usd_per_mwh)
    whole = lda_curve([curve], blocks_limit=1000)
    thin = lda_curve([curve], window_usd_per_mwh=LADDER.window_usd_per_mwh, blocks_limit=10)
    assert thin.net_curve.import_mw.size == 11 < whole.net_curve.import_mw.size
    assert thin.import_mw[0] == whole.import_mw[0]
    assert thin.import_mw[-1] == whole.import_mw[-1]
    inside = (curve.price_usd_per_mwh >= 21) & (curve.price_usd_per_mwh <= 49)
    drawn, cost = curve.import_mw[inside], curve.cost_usd_per_h[inside]
    lost = np.interp(drawn, thin.import_mw, thin.cost_usd_per_h) - cost
    assert lost.min() > -1e-6
    assert lost.max() < 0.3


def test_substation_limits_cut_the_range_and_bind() -> None:
    curve = congested().sweep(LADDER.price_usd_per_mwh)
    whole = lda_curve([curve])
    low, high = float(whole.import_mw[0]), float(whole.import_mw[-1])
    cut = lda_curve([curve], import_limit_mw=high - 0.2, export_limit_mw=-(low + 0.3))
    assert cut.net_curve.p_max_mw == pytest.approx(high - 0.2, abs=1e-6)
    assert cut.net_curve.p_min_mw == pytest.approx(low + 0.3, abs=1e-6)
    middle = (low + high) / 2
    assert np.interp(middle, cut.import_mw, cut.cost_usd_per_h) == pytest.approx(
        np.interp(middle, whole.import_mw, whole.cost_usd_per_h)
    )
    with pytest.raises(InfeasibleError, match="rating"):
        lda_curve([curve], import_limit_mw=low - 1.0)


def test_feeders_asked_at_different_prices_are_refused() -> None:
    made = bidder(area())
    curves = [made.sweep(price_ladder(f).price_usd_per_mwh) for f in (30.0, 35.0)]
    with pytest.raises(ConfigError, match="one ladder"):
        lda_curve(curves)


def test_a_feeder_without_flexibility_bids_a_fixed_quantity() -> None:
    one = standing_area("ieee13", 12, 1.0, 1.0)
    columns = replace(offers(one.size_kw), base_kw=np.zeros(12), floor_kw=np.zeros(12))
    columns = replace(columns, width_kw=np.zeros_like(columns.width_kw))
    made = FeederBidder(one.map, "feeder")
    point = one.point(np.zeros(12))
    made.refresh(point, columns, FeederLimits())
    bid = lda_curve([made.sweep(LADDER.price_usd_per_mwh)])
    assert bid.net_curve.import_mw.size == 1
    assert bid.net_curve.p_min_mw == pytest.approx(point.p_head_kw / 1e3, abs=1e-6)
    assert bid.at(7.0)[2] == bid.import_mw[0]


def test_an_interval_moves_no_voltage_by_more_than_one_step() -> None:
    """The ends of the range without the rule are more than a step away; with it, they are one step away."""
    one, step = standing_area("ieee123", 40, 3.5, 0.7), 0.01
    columns = offers(one.size_kw)
    now_kw = 0.6 * expected_kw(columns)
    columns, point = replace(columns, base_kw=now_kw), one.point(now_kw)
    before = np.sqrt(point.w_pu2)
    wide = FeederLimits(v_min_pu=0.8, v_max_pu=1.2, loading_pu=9.0)
    moved, lengths = {}, {}
    for name, limits in (
        ("free", wide),
        ("step", replace(wide, before_pu=before, rise_pu=step, fall_pu=0.5 * step)),
    ):
        made = FeederBidder(one.map, "feeder")
        made.refresh(point, columns, limits)
        curve = made.sweep(LADDER.price_usd_per_mwh)
        ends = (one.map.to_map_order(curve.p_kw[k]) for k in (0, -1))
        w_pu2 = [point.w_pu2 + point.dw_pu2(p_kw - point.p_kw) for p_kw in ends]
        low, high = (np.sqrt(w) - before for w in w_pu2)
        moved[name] = [float(-low.min()), float(high.max())]
        lengths[name] = curve.import_mw[0] - curve.import_mw[-1]
    assert min(moved["free"]) > 2 * step
    assert moved["step"] == pytest.approx([0.5 * step, step], abs=1e-5)
    assert 0.0 < lengths["step"] < lengths["free"]


def test_an_area_that_stands_where_it_may_not_can_go_back_to_its_base_state() -> None:
    """Voltages 0.1 pu above the base state's, one step of 0.02: nothing within the step is within limits."""
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw)
    point = one.point(0.6 * expected_kw(columns))
    limits = FeederLimits(before_pu=np.sqrt(point.w_pu2) + 0.1, fall_pu=0.02)
    made = FeederBidder(one.map, "feeder")
    case = made.refresh(point, columns, limits)
    base = one.map.to_map_order(np.clip(columns.base_kw, columns.floor_kw, columns.top_kw))
    w_base_pu2 = point.w_pu2 + point.dw_pu2(base - point.p_kw)
    assert (w_base_pu2 < (np.sqrt(point.w_pu2) + 0.08) ** 2).all()
    assert case.excess(base, case.columns.q_kvar).max() <= 0.0
    assert np.isfinite(made.sweep(LADDER.price_usd_per_mwh).import_mw).all()


def same_bytes(a: FeederCurve, b: FeederCurve) -> bool:
    return (
        a.import_mw.tobytes() == b.import_mw.tobytes()
        and a.cost_usd_per_h.tobytes() == b.cost_usd_per_h.tobytes()
    )


def test_renamed_and_permuted_ders_give_the_same_bytes() -> None:
    order = np.random.default_rng(9).permutation(40)
    curves = []
    for fleet, prefix in ((np.arange(40), "f1"), (order, "zz"), (order[::-1], "a_longer_name")):
        one = area("ieee123", 40, 3.5, 0.7, prefix=prefix, order=fleet)
        # Offers belong to the DER, not to its place in the fleet.
        mine = offers(np.sort(one.size_kw)).ordered(np.argsort(np.argsort(one.size_kw)))
        made = FeederBidder(one.map, "feeder")
        made.refresh(one.point(0.6 * expected_kw(mine)), mine, FeederLimits(loading_pu=0.35))
        curves.append((made.sweep(LADDER.price_usd_per_mwh), fleet))
    first, _ = curves[0]
    assert first.programs_count > 20
    for other, fleet in curves[1:]:
        np.testing.assert_allclose(other.p_kw, first.p_kw[:, fleet], atol=1e-4)
        assert same_bytes(first, other)


def test_what_came_before_leaves_no_trace_once_coefficients_are_new() -> None:
    one = standing_area("ieee123", 40, 3.5, 0.7)
    columns = offers(one.size_kw)
    made = FeederBidder(one.map, "feeder")
    made.refresh(one.point(np.zeros(40)), columns, FeederLimits(loading_pu=0.35))
    made.sweep(LADDER.price_usd_per_mwh)
    point = one.point(0.6 * expected_kw(columns))
    made.refresh(point, columns, FeederLimits(loading_pu=0.35))
    fresh = FeederBidder(one.map, "feeder")
    fresh.refresh(point, columns, FeederLimits(loading_pu=0.35))
    assert same_bytes(made.sweep(LADDER.price_usd_per_mwh), fresh.sweep(LADDER.price_usd_per_mwh))
