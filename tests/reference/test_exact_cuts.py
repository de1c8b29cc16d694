"""Total DSOs that state the cost of their whole day find the joint optimum; ``pytest -s`` prints the rounds.

With the cost of an area's day V_k(P_k) as a function of its net import through the day, ``min C + sum V_k``
is the joint optimum. V_k is known by cuts; what they still leave open is the certified gap. The joint program
is written out in full by `tests.reference.feeder_day`, from other code.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from federates.dso.bid_method import FixedQuantity
from tests.reference.feeder_day import (
    HOURS,
    Exact,
    JointDay,
    Told,
    areas_of_day,
    as_plane,
    as_plane_of_the_wrong_sign,
    exact_day,
)
from tests.reference.feeder_methods import HourlyDay
from tests.reference.fidelity_gaps import gaps, result

GAP = 1e-5
"""Certified gap at which the rounds end."""
ROUNDS_LIMIT = 60
PLAN_SHARE = 1e-3
"""What hourly curves may lose of the cost where stores keep to the plan; without one they lose more."""
TOLERANCE_SHARE = 1e-8
"""What the programs' own tolerances leave of a cost."""


@cache
def joint() -> JointDay:
    return exact_day()[2].solve()


@cache
def found() -> Exact:
    one = exact_day()[1].run(gap=GAP, rounds_limit=ROUNDS_LIMIT)
    for k, bounds in enumerate(one.rounds.bounds, start=1):
        print(f"{k:3} {bounds.lower_usd:12.2f} {bounds.upper_usd:12.2f} $ {bounds.gap:.1e}")
    return one


def relative(one: Exact) -> float:
    return one.cost_usd / joint().cost_usd - 1.0


def test_the_rounds_find_the_joint_optimum_of_a_day_with_storage_and_bound_it() -> None:
    one, best = found(), joint()
    print(
        f"joint {best.cost_usd:.2f} $, exact cuts {relative(one):.1e} above it, {one.messages_count} messages"
    )
    assert one.messages_count <= ROUNDS_LIMIT
    last = one.rounds.bounds[-1]
    assert last.gap <= GAP
    slack = TOLERANCE_SHARE * best.cost_usd
    assert last.lower_usd - slack <= best.cost_usd <= last.upper_usd + slack
    assert -TOLERANCE_SHARE <= relative(one) <= GAP
    assert one.cost_usd == pytest.approx(last.upper_usd, rel=GAP)
    lower = [bounds.lower_usd for bounds in one.rounds.bounds]
    assert lower == sorted(lower)


def test_no_other_bid_method_comes_as_near(capsys: pytest.CaptureFixture[str]) -> None:
    """What each loses of the joint optimum's cost, done hour by hour; printed.

    The last two rows bid curves at the prices that exact cuts end with; in the last, as in real time, stores
    keep to the plan behind the award.
    """
    case, day, _ = exact_day()
    hourly = HourlyDay(case, day.areas, found().within)
    naive, exact = hourly.naive_usd_per_mwh, hourly.prices(found().day)
    plans = [
        value.plan(found().rounds.best_mw[:, k] / one.multiplicity)
        for k, (value, one) in enumerate(zip(day.values, day.areas, strict=True))
    ]
    done = {
        "fixed quantity, naive": hourly.realised(naive, FixedQuantity()),
        "interval curve, naive": hourly.realised(naive),
        "interval curve, three rounds": hourly.realised(hourly.after_rounds(3)),
        "interval curve, virtual storage": hourly.realised(hourly.virtual_storage()),
        "interval curve, exact cuts": hourly.realised(exact),
        "the same, keeping to the plan": hourly.realised(exact, None, plans),
    }
    lost = {name: one.cost_usd / joint().cost_usd - 1.0 for name, one in done.items()}
    with capsys.disabled():
        print(
            "\nlost of the joint optimum's cost:", f"exact cuts, the day-ahead itself {relative(found()):.1e}"
        )
        print(*(f"  {name:32} {100 * share:7.4f} %" for name, share in lost.items()), sep="\n")
    assert all(share > max(relative(found()), TOLERANCE_SHARE) for share in lost.values())
    kept = lost.pop("the same, keeping to the plan")
    assert kept <= PLAN_SHARE < min(lost.values())
    assert all(one.moved_mwh > 1.0 for one in done.values())


def test_limits_of_feeders_bind_and_stores_move() -> None:
    """Else the day would show nothing."""
    best = joint()
    assert best.feeder_limits_count >= HOURS
    held = sum(float(area.stores.most_mwh.sum()) for area in areas_of_day())
    assert best.moved_mwh > 0.5 * held
    assert np.ptp(found().day.prices.lmp_usd_per_mwh[:, 1]) > 10.0


def test_where_no_limit_of_a_feeder_matters_a_layered_day_costs_what_full_sight_costs() -> None:
    """H2: the ISO with every DER and store in its own program is `JointProgram` here; no feeder has a limit.

    V, what the batteries alone are worth, is less than the whole worth of flexibility.
    """
    case, day, program = exact_day(congested=False)
    full = program.solve()
    one = day.run(gap=GAP, rounds_limit=ROUNDS_LIMIT)
    value_usd = HourlyDay(case, day.areas, one.within).idle_usd - full.cost_usd
    apart_usd = abs(one.cost_usd - full.cost_usd)
    print(
        f"full sight {full.cost_usd:.2f} $, exact cuts {apart_usd:.2f} $ apart after {one.messages_count} "
        f"messages; V {value_usd:.0f} $, {100 * value_usd / full.cost_usd:.2f} % of it"
    )
    assert full.feeder_limits_count == 0
    assert value_usd >= 0.002 * full.cost_usd, "else nothing would be shown"
    assert apart_usd <= 0.01 * value_usd
    assert apart_usd <= 1e-4 * full.cost_usd


@pytest.mark.parametrize(
    ("told", "rounds"), [(as_plane, None), (as_plane_of_the_wrong_sign, 5)], ids=["planes", "wrong sign"]
)
def test_planes_do_not_get_there_in_as_many_rounds(told: Told, rounds: int | None) -> None:
    """The guard: the market's optimum on plain planes jumps from end to end; of the wrong sign, they lie."""
    limit = found().messages_count if rounds is None else rounds
    one = exact_day()[1].run(gap=GAP, rounds_limit=limit, inward_share=0.0, told=told)
    print(f"{told.__name__}, {limit} messages: {relative(one):.1e} above the joint optimum")
    assert relative(one) > 100 * GAP
    asked = [gaps(exact=100.0 * relative(run)) for run in (found(), one)]
    told_of = [result("exact_cuts_are_exact", every) for every in asked]
    assert told_of == ["supported", "not supported"], "study H6 does not tell this run from the true one"
    if told is as_plane_of_the_wrong_sign:
        assert one.rounds.bounds[-1].lower_usd > joint().cost_usd, "a bound that is none"


def test_a_cut_is_a_bound_everywhere_and_meets_the_cost_where_it_was_asked() -> None:
    """At imports drawn between the ends of its curves; a cut with other worths of energy is none there."""
    value = areas_of_day()[1].value()
    rng = np.random.default_rng(3)
    cuts = [value.at_prices(np.full(HOURS, price)) for price in (12.0, 30.0)]
    for cut in cuts:
        assert cut.bound_usd(cut.optimum.import_mw) == pytest.approx(cut.cost_usd, rel=TOLERANCE_SHARE)
    low, high = (np.array([getattr(c, end) for c in cuts[0].curves]) for end in ("p_min_mw", "p_max_mw"))
    for part in (0.3, 0.5, 0.8):
        asked = low + (high - low) * np.clip(part + 0.1 * rng.standard_normal(HOURS), 0.0, 1.0)
        here = value.at_import(asked)
        assert here.bound_usd(asked) == pytest.approx(here.cost_usd, rel=1e-6)
        for cut in cuts:
            assert cut.bound_usd(asked) <= here.cost_usd + 1e-6 * abs(here.cost_usd)
        assert max(cut.bound_usd(asked) for cut in cuts) < here.cost_usd - 1.0, (
            "the cuts leave something open"
        )
