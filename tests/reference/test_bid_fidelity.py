"""Study H6: awards are judged by what they cost, and its verdicts fire both ways."""

from __future__ import annotations

from functools import cache

import pytest

from federates.dso.bid_method import FixedQuantity, IntervalCurve
from tests.bench.bid_fidelity import CURVE, Day, views
from tests.reference.feeder_bids import BidDay
from tests.reference.fidelity_gaps import TELLING, gaps, result

SOLVER_SHARE = 1e-6
"""What two programs leave of one cost."""


@cache
def day() -> BidDay:
    return BidDay()


def test_the_joint_award_costs_the_joint_optimum_and_no_bid_less() -> None:
    """Judged by other programs than the one that found it; limits bind and stores move."""
    one = day()
    best = one.joint.cost_usd
    judged = one.judged(one.joint.import_mw)
    assert judged.cost_usd == pytest.approx(best, rel=SOLVER_SHARE)
    assert judged.missed_mwh == pytest.approx(0.0, abs=1e-6)
    assert one.joint.feeder_limits_count >= 24
    assert one.joint.moved_mwh > 1.0
    for how in (IntervalCurve(blocks_limit=4), FixedQuantity()):
        bid = one.bid(one.naive_usd_per_mwh, how)
        assert bid.cost_usd > best * (1.0 + 1e-3), "a day on which a naive bid is right tells nothing"


def test_curves_that_leave_stores_out_are_nearer_than_hourly_curves_with_them() -> None:
    """Their awards promise no energy that batteries have to keep to the hour; ``pytest -s`` prints what."""
    one = day()
    without = one.without_stores().cost_usd
    print(f"curves without stores {100.0 * (without / one.joint.cost_usd - 1.0):.2f} % above the optimum")
    with_stores = one.bid(one.naive_usd_per_mwh, IntervalCurve(blocks_limit=32)).cost_usd
    assert one.joint.cost_usd * (1.0 + 1e-3) < without < with_stores


def test_what_an_area_cannot_draw_is_missed_and_made_good_by_units() -> None:
    """More in every hour than its feeders can take: 1 MW a set."""
    one = day()
    asked = one.joint.import_mw + [float(area.multiplicity) for area in one.areas]
    judged = one.judged(asked)
    assert judged.missed_mwh > 1.0
    assert judged.cost_usd > one.joint.cost_usd


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("exact_cuts_are_exact", {"exact": 0.011}),
        ("more_blocks_cost_no_more", {"four": 0.511}),
        ("better_prices_cost_less", {"fixed_good": 0.91}),
        ("fixed_quantity_is_worst", {"store": 0.91}),
        ("a_practical_bid_is_near", {"good": 0.11}),
    ],
)
def test_every_verdict_fires_both_ways(key: str, changed: dict[str, float]) -> None:
    assert result(key, gaps()) == "supported"
    assert result(key, gaps(**changed)) == "not supported"


@pytest.mark.parametrize("told", [Day(limits_count=3, moved_mwh=8.0), Day(limits_count=700, moved_mwh=0.1)])
def test_a_day_without_limits_or_storage_tests_nothing(told: Day) -> None:
    assert result("bids_differ", gaps(), TELLING) == "supported"
    assert result("bids_differ", gaps(), told) == "not supported"
    assert result("exact_cuts_are_exact", gaps(), told) == "not tested"


def test_gaps_are_drawn_by_blocks_and_all_together() -> None:
    against, every = views(gaps())
    assert against.traces[0]["x"] == [2, 4]
    assert against.traces[0]["y"] == [0.5, 0.3]
    assert [trace["name"] for trace in against.traces[2:]] == [g.name for g in gaps() if g.kind != CURVE]
    assert every.traces[0]["y"] == [g.name for g in sorted(gaps(), key=lambda g: -g.gap_pct)]
