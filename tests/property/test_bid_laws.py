"""Laws of the DSO's bid, for any offers of the DERs and any limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from federates.dso.bid import FeederBidder, FeederCurve, lda_curve, price_ladder
from federates.dso.case import FeederCase, FeederLimits
from federates.dso.columns import DerColumns
from tests.unit.dso.area import standing_area

DERS = 12
END_MW = 2e-5
"""Range ends are found to 1e-6 MW, limits kept to 1e-6 MW and 1e-7 pu^2."""
CONVEX_USD = 1e-6
AREA = standing_area("ieee13", DERS, 1.5, 0.8)
POINT = AREA.point(0.3 * AREA.size_kw)
PRICES = price_ladder(35.0).price_usd_per_mwh
EXAMPLES = settings(max_examples=30, deadline=None, derandomize=True)


@st.composite
def any_offers(draw: st.DrawFn) -> DerColumns:
    """Two blocks a DER, from an interval that holds zero."""
    share = st.floats(0, 1)
    down, up = (np.array(draw(st.lists(share, min_size=DERS, max_size=DERS))) for _ in range(2))
    first = np.array(draw(st.lists(st.floats(-10, 100), min_size=DERS, max_size=DERS)))
    rise = np.array(draw(st.lists(st.floats(0, 50), min_size=DERS, max_size=DERS)))
    return DerColumns(
        der=np.repeat(np.arange(DERS), 2),
        width_kw=(np.stack([down, up], axis=1) * AREA.size_kw[:, None]).ravel(),
        price_usd_per_mwh=np.stack([first, first + rise], axis=1).ravel(),
        floor_kw=-down * AREA.size_kw,
        base_kw=np.zeros(DERS),
        q_kvar=np.zeros(DERS),
        q_limit_kvar=np.zeros(DERS),
    )


any_limits = st.builds(
    FeederLimits,
    loading_pu=st.floats(0.2, 1.0),
    v_max_pu=st.floats(1.0, 1.06),
    v_min_pu=st.floats(0.93, 0.98),
)


def sweep(columns: DerColumns, limits: FeederLimits) -> tuple[FeederCurve, FeederCase]:
    bidder = FeederBidder(AREA.map, "feeder")
    case = bidder.refresh(POINT, columns, limits)
    return bidder.sweep(PRICES), case


@EXAMPLES
@given(columns=any_offers(), limits=any_limits)
def test_import_never_rises_with_price_and_cost_is_convex(columns: DerColumns, limits: FeederLimits) -> None:
    curve, _ = sweep(columns, limits)
    assert (np.diff(curve.import_mw) <= END_MW).all()
    bid = lda_curve([curve])
    assert (np.diff(bid.net_curve.price_usd_per_mwh) <= 0).all()
    # No vertex lies above the chords of the others.
    hull = np.interp(
        curve.import_mw,
        lda_curve([curve], blocks_limit=99).import_mw,
        lda_curve([curve], blocks_limit=99).cost_usd_per_h,
    )
    inside = (curve.import_mw >= bid.import_mw[0]) & (curve.import_mw <= bid.import_mw[-1])
    slack = CONVEX_USD + 200.0 * 1e-5 + 1e-6 * np.abs(curve.cost_usd_per_h)
    assert (np.abs(hull - curve.cost_usd_per_h) <= slack)[inside].all()


@EXAMPLES
@given(columns=any_offers(), limits=any_limits)
def test_every_vertex_keeps_ranges_and_limits(columns: DerColumns, limits: FeederLimits) -> None:
    curve, case = sweep(columns, limits)
    for p in curve.p_kw:
        assert (p >= columns.floor_kw - 1e-3).all()
        assert (p <= columns.top_kw + 1e-3).all()
        assert case.excess(AREA.map.to_map_order(p), case.columns.q_kvar).max() <= 3e-6


@EXAMPLES
@given(columns=any_offers(), limits=any_limits)
def test_ends_are_the_least_and_greatest_feasible_import(columns: DerColumns, limits: FeederLimits) -> None:
    curve, case = sweep(columns, limits)
    mine = case.columns
    every = np.arange(AREA.map.branch_phases_count)
    real, _ = POINT.voltage_rows(every)
    share = AREA.map.incidence.toarray() / 1e3
    rows = np.concatenate([real, -real, -share, share])
    room = -case.excess(mine.floor_kw, mine.q_kvar)
    tolerance = np.repeat([1e-7, 1e-6], [2, room.shape[0] - 2])[:, None]
    for end, sign in ((0, 1.0), (-1, -1.0)):
        # Where the network answers weakly, the limits' own tolerance moves the end: it lies between the ends
        # for the limits as they are and for the limits with their tolerance added.
        extremes = []
        for slack in (0.0, 1.1):
            result = linprog(
                np.full(DERS, sign),
                A_ub=rows,
                b_ub=(room + slack * tolerance).ravel() + rows @ mine.floor_kw,
                bounds=np.stack([mine.floor_kw, mine.top_kw], axis=1),
                method="highs-ds",
            )
            assert result.status == 0
            extremes.append(case.import_at_floor_mw - (result.x - mine.floor_kw).sum() / 1e3)
        low, high = sorted(extremes)
        assert low - END_MW <= curve.import_mw[end] <= high + END_MW


@EXAMPLES
@given(columns=any_offers(), limits=any_limits, silent=st.sets(st.integers(0, DERS - 1), min_size=1))
def test_one_more_der_that_may_rest_never_shrinks_the_range_or_costs_more(
    columns: DerColumns, limits: FeederLimits, silent: set[int]
) -> None:
    rests = np.isin(np.arange(DERS), list(silent))
    fewer = replace(
        columns,
        width_kw=np.where(rests[columns.der], 0.0, columns.width_kw),
        floor_kw=np.where(rests, 0.0, columns.floor_kw),
    )
    (small, _), (large, _) = sweep(fewer, limits), sweep(columns, limits)
    assert large.import_mw[0] >= small.import_mw[0] - END_MW
    assert large.import_mw[-1] <= small.import_mw[-1] + END_MW
    # Cost counts from the floor; put both on the resting state.
    offset = columns.cost_usd_per_h(np.where(rests, 0.0, columns.floor_kw))
    inner = slice(1, -1)
    cost = [c.cost_usd_per_h[inner] + PRICES * c.import_mw[inner] for c in (small, large)]
    assert (cost[1] - offset <= cost[0] + 1e-3).all()


@EXAMPLES
@given(columns=any_offers(), limits=any_limits, factor=st.floats(0.5, 0.95))
def test_a_tighter_rating_is_never_cheaper(columns: DerColumns, limits: FeederLimits, factor: float) -> None:
    tight, _ = sweep(columns, replace(limits, loading_pu=factor * limits.loading_pu))
    wide, _ = sweep(columns, limits)
    inner = slice(1, -1)
    cost = [c.cost_usd_per_h[inner] + PRICES * c.import_mw[inner] for c in (tight, wide)]
    assert (cost[0] >= cost[1] - 1e-3).all()
    assert tight.import_mw[0] <= wide.import_mw[0] + END_MW
    assert tight.import_mw[-1] >= wide.import_mw[-1] - END_MW
