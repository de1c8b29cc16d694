"""Violations as stretches of minutes, and each cause by hand, on either side of its rule's threshold.

The history has 15 minutes in three intervals of five. The feeder draws 1,000 kW, its greatest being 2,000 kW
in the last minute, so that 40 kW (2 %) count as a movement; its area imports 20 MW at most, so that awards
differ from 1 MW (5 %) on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from runner.post.violations.causes import explained
from runner.post.violations.history import History, Insight, Outlook, Say
from runner.post.violations.violation import Kind, PlantHistory, Side, violations_of

STEPS, STEP_S, MARKET_S = 15, 60, 300
Changes = dict[int, float]
TOTAL = Say(dispatched=True, by_dso=True, after_clearing=True)
OVERRIDE = TOTAL
ENVELOPE = Say(dispatched=True, by_dso=True, after_clearing=False)
NOBODY = Say(dispatched=False, by_dso=False, after_clearing=False)


def series(base: float, changes: Changes | None = None) -> FloatArray:
    """A value in every minute, but for some."""
    values = np.full(STEPS, base)
    for step, value in (changes or {}).items():
        values[step] = value
    return values


def plant(**changes: Changes) -> PlantHistory:
    """A feeder that is well, but for what is named."""
    base = {
        "v_min_pu": 0.98, "v_max_pu": 1.02, "outside_a_count": 0.0, "outside_b_count": 0.0, "over_count": 0.0,
        "loading_max_pct": 60.0, "head_over_kva": 0.0, "q_kvar": 0.0, "tap_moves_count": 0.0,
    }  # fmt: skip
    return PlantHistory(
        feeder="a/f1",
        t_s=np.arange(STEPS) * STEP_S,
        step_s=STEP_S,
        p_kw=series(1_000.0, {STEPS - 1: 2_000.0} | changes.pop("p_kw", {})),
        **{name: series(value, changes.get(name)) for name, value in base.items()},
    )


def low(*steps: int, v_pu: float = 0.94, **changes: Changes) -> PlantHistory:
    """Two nodes too low in some minutes."""
    return plant(v_min_pu=dict.fromkeys(steps, v_pu), outside_a_count=dict.fromkeys(steps, 2.0), **changes)


def high(voltages_pu: Changes, **changes: Changes) -> PlantHistory:
    """A node at each of these voltages, outside from 1.05 on."""
    outside = {step: float(v > 1.05) for step, v in voltages_pu.items()}
    return plant(v_max_pu=voltages_pu, outside_a_count=outside, **changes)


def outlook(**changes: float) -> Outlook:
    """What a dispatch expected all the time; NaN for what is not named, but for the feeder's 1,000 kW."""
    values = dict.fromkeys(Outlook.__slots__, np.nan)
    if changes:
        values["p_kw"] = 1_000.0
    return Outlook(**{name: series(changes.get(name, value)) for name, value in values.items()})


def insight(**changes: FloatArray) -> Insight:
    return Insight(**{name: changes.get(name, series(np.nan)) for name in Insight.__slots__})


NOTHING, UNKNOWN = series(0.0), series(np.nan)
BLIND, UNAWARE = outlook(), insight()


def history(
    feeder: PlantHistory,
    *,
    say: Say = TOTAL,
    sun_kw: FloatArray = NOTHING,
    steered_kw: FloatArray = NOTHING,
    bus_pu: FloatArray = NOTHING + 1.0,
    award_mw: FloatArray = NOTHING + 10.0,
    most_mw: float = 20.0,
    reserve_mw: FloatArray = UNKNOWN,
    outlook: Outlook = BLIND,
    insight: Insight = UNAWARE,
    events: tuple[tuple[int, str], ...] = (),
) -> History:
    """The feeder in an area where nothing happens, but for what is named."""
    return History(
        plant=feeder,
        say=say,
        market_s=MARKET_S,
        sun_kw=sun_kw,
        steered_kw=steered_kw,
        bus_pu=bus_pu,
        award_mw=award_mw,
        most_mw=most_mw,
        reserve_mw=reserve_mw,
        outlook=outlook,
        insight=insight,
        events=events,
    )


def cause(of: History) -> str:
    """The cause of its only violation."""
    (violation,) = violations_of(of.plant)
    return explained(violation, of).cause.key


def shown(of: History) -> str:
    """The figures that bear it out."""
    (violation,) = violations_of(of.plant)
    return explained(violation, of).shown_by


def test_minutes_without_a_gap_are_one_violation_and_a_gap_begins_another() -> None:
    one, other = violations_of(
        plant(
            v_max_pu={3: 1.051, 4: 1.055, 5: 1.052, 7: 1.06},
            outside_a_count={3: 1.0, 4: 3.0, 5: 2.0, 7: 4.0},
        )
    )
    assert (one.from_s, one.to_s, one.amount_min, one.extreme) == (180, 360, 6.0, 1.055)
    assert (other.from_s, other.to_s, other.amount_min, other.extreme) == (420, 480, 4.0, 1.06)
    assert one.kind is other.kind is Kind.RANGE_A
    assert one.side is other.side is Side.FEEDS
    assert one.lda == "a"


def test_a_voltage_that_falls_from_too_high_to_too_low_is_two_violations() -> None:
    found = violations_of(
        plant(v_max_pu={3: 1.06}, v_min_pu={4: 0.93, 5: 0.92}, outside_a_count={3: 1.0, 4: 1.0, 5: 2.0})
    )
    assert [(v.side, v.from_s, v.to_s, v.extreme) for v in found] == [
        (Side.DRAWS, 240, 360, 0.92),
        (Side.FEEDS, 180, 240, 1.06),
    ]


def test_each_limit_has_its_own_violations_its_own_unit_and_its_own_worst_value() -> None:
    """Range B lies within A's; of a head minutes count, whatever the excess."""
    found = violations_of(
        plant(
            v_min_pu={3: 0.94, 4: 0.91},
            outside_a_count={3: 1.0, 4: 5.0},
            outside_b_count={4: 2.0},
            over_count={6: 1.0, 7: 2.0},
            loading_max_pct={6: 101.0, 7: 120.0},
            head_over_kva={8: 30.0, 9: 10.0},
            p_kw={8: -2_000.0, 9: -1_990.0},
        )
    )
    assert [(v.kind, v.amount_min, v.extreme, v.side) for v in found] == [
        (Kind.RANGE_A, 6.0, 0.91, Side.DRAWS),
        (Kind.RANGE_B, 2.0, 0.91, Side.DRAWS),
        (Kind.RATING, 3.0, 120.0, Side.DRAWS),
        (Kind.HEAD, 2.0, 30.0, Side.FEEDS),
    ]


def test_amounts_are_times_the_length_of_a_step() -> None:
    slow = replace(low(3, 4), step_s=120, t_s=np.arange(STEPS) * 120)
    (violation,) = violations_of(slow)
    assert violation.amount_min == 8.0
    assert (violation.from_s, violation.to_s) == (360, 600)


def test_an_event_on_a_message_counts_from_the_interval_on_in_which_it_began() -> None:
    at = low(7)
    assert cause(history(at, events=((300, "dso_a: held"),))) == "event"
    assert shown(history(at, events=((479, "dso_a: held"),))) == "dso_a: held"
    assert cause(history(at, events=((299, "dso_a: held"), (480, "dso_a: held")))) != "event"


@pytest.mark.parametrize(
    ("v_min_pu", "room_kw", "expected"),
    [(0.9499, 1.0, "exhausted"), (0.9499, 1.1, "relaxed"), (0.95, 1.0, "unseen"), (0.95, 1.1, "unseen")],
)
def test_what_the_dispatch_foresaw_was_relaxed_or_nothing_was_left(
    v_min_pu: float, room_kw: float, expected: str
) -> None:
    """Five minutes are not short; only room to draw less helps a low voltage."""
    of = outlook(v_min_pu=v_min_pu, room_less_kw=room_kw, room_more_kw=999.0)
    assert cause(history(low(5, 6, 7, 8, 9), outlook=of)) == expected


def test_a_foreseen_violation_that_even_the_relaxed_limit_does_not_allow_is_not_the_relaxations() -> None:
    at, room = low(5, 6, 7, 8, 9), {"v_min_pu": 0.949, "room_less_kw": 50.0}
    assert cause(history(at, outlook=outlook(broken_count=0.0, **room))) == "relaxed"
    assert cause(history(at, outlook=outlook(broken_count=1.0, **room))) == "unsolved"
    assert (
        cause(history(at, outlook=outlook(broken_count=1.0, **room | {"room_less_kw": 0.0}))) == "exhausted"
    )


def test_a_rating_and_a_head_are_foreseen_by_their_own_figures() -> None:
    """At 3,000 kW a head 100 kVA above its limit has 2,900 kVA; 2,000 kW and 2,100 kvar are 2,900 kVA."""
    steps = range(5, 10)
    over = plant(over_count=dict.fromkeys(steps, 1.0), loading_max_pct=dict.fromkeys(steps, 110.0))
    for loading_pct, expected in ((100.1, "relaxed"), (100.0, "unseen")):
        of = outlook(loading_max_pct=loading_pct, room_less_kw=50.0)
        assert cause(history(over, outlook=of)) == expected
    head = plant(p_kw=dict.fromkeys(steps, 3_000.0), head_over_kva=dict.fromkeys(steps, 100.0))
    for q_kvar, expected in ((2_100.1, "exhausted"), (2_099.9, "forecast")):
        of = outlook(p_kw=2_000.0, q_kvar=q_kvar, room_less_kw=0.0)
        assert cause(history(head, outlook=of)) == expected


def test_reserve_that_asks_for_less_import_lifts_voltages_and_does_not_lower_them() -> None:
    called = series(0.0, {7: 0.5})
    assert cause(history(high({7: 1.051}), reserve_mw=called)) == "reserve"
    assert cause(history(low(7), reserve_mw=called)) == "unexplained"
    assert cause(history(low(7), reserve_mw=-called)) == "reserve"


@pytest.mark.parametrize(
    ("before_pu", "bus_pu", "expected"),
    [
        (1.0490, 1.0031, "bus"),  # more than the 0.003 pu outside, and most of the 0.004 pu
        (1.0490, 1.0029, "unexplained"),  # without it 0.0001 pu outside
        (1.0410, 1.0061, "bus"),  # half of 0.012 pu
        (1.0410, 1.0059, "unexplained"),
        (1.0490, 0.9969, "unexplained"),  # the other way
    ],
)
def test_a_bus_that_jumps_by_the_excess_and_by_half_of_what_the_voltage_moved_is_the_cause(
    before_pu: float, bus_pu: float, expected: str
) -> None:
    bus = np.where(np.arange(STEPS) < 7, 1.0, bus_pu)
    assert cause(history(high({6: before_pu, 7: 1.053}), bus_pu=bus)) == expected


def test_a_bus_that_hardly_moves_is_no_cause_however_little_a_voltage_is_outside() -> None:
    for jump_pu, expected in ((0.0011, "bus"), (0.0009, "unexplained")):
        bus = np.where(np.arange(STEPS) < 7, 1.0, 1.0 + jump_pu)
        assert cause(history(high({6: 1.0499, 7: 1.0501}), bus_pu=bus)) == expected


@pytest.mark.parametrize(
    ("first", "award_mw", "expected"),
    [(5, 11.01, "award"), (6, 8.99, "award"), (5, 10.99, "rearranged"), (6, 10.0, "rearranged"),
     (7, 11.01, "unexplained")],
)  # fmt: skip
def test_what_comes_with_a_dispatch_is_the_awards_where_that_is_another_else_rearranged(
    first: int, award_mw: float, expected: str
) -> None:
    """From 10 MW, by 1 MW and more it is another; it is felt in its first two minutes."""
    award = series(award_mw, dict.fromkeys(range(5), 10.0))
    assert cause(history(low(first), award_mw=award)) == expected
    assert cause(history(low(first), award_mw=award, say=NOBODY)) == "unwatched"


def test_the_figures_of_a_dispatch_are_those_before_it_and_in_the_first_minute_outside() -> None:
    award = series(12.5, dict.fromkeys(range(5), 10.0))
    feeder = low(6, v_pu=0.945, p_kw={5: 1_200.0, 6: 1_300.0})
    assert shown(history(feeder, award_mw=award)) == (
        "award +2.50 MW, feeder +300 kW, from 0.9800 pu to 0.9450 pu"
    )


@pytest.mark.parametrize(
    ("moved_kw", "by_ders_kw", "expected"),
    [(40.0, 20.0, "steered"), (40.0, 19.0, "drawn"), (39.0, 39.0, "unexplained"),
     (-40.0, -40.0, "unexplained")],
)  # fmt: skip
def test_a_movement_within_the_minute_is_the_ders_where_half_of_it_is_theirs(
    moved_kw: float, by_ders_kw: float, expected: str
) -> None:
    """A voltage is low as more is drawn; DERs that inject less draw more."""
    feeder = low(7, p_kw={7: 1_000.0 + moved_kw})
    assert cause(history(feeder, steered_kw=series(0.0, {7: -by_ders_kw}))) == expected


def test_regulators_are_the_cause_where_they_move_until_it_is_over_within_an_interval() -> None:
    assert cause(history(low(7, 8, tap_moves_count={9: 1.0}))) == "regulators"
    assert cause(history(low(7, 8, tap_moves_count={10: 1.0}))) == "unexplained"
    assert cause(history(low(7, 8, tap_moves_count={6: 1.0}))) == "unexplained"
    four, five = (7, 8, 9, 10), (7, 8, 9, 10, 11)
    assert cause(history(low(*four, tap_moves_count={8: 1.0}))) == "regulators"
    assert cause(history(low(*five, tap_moves_count={8: 1.0}))) == "unexplained"


def test_what_ends_with_the_next_award_is_not_short_unless_taps_moved_in_it() -> None:
    """Minute 9 is the last before the award of minute 10."""
    assert cause(history(low(8, 9, tap_moves_count={10: 1.0}))) == "unexplained"
    assert cause(history(low(8, 9, tap_moves_count={9: 1.0}))) == "regulators"


def test_where_the_dso_tells_nobody_anything_what_is_not_short_is_nobodys() -> None:
    feeder = high(dict.fromkeys(range(5, 11), 1.07), p_kw=dict.fromkeys(range(5, 11), -1_500.0))
    of = history(feeder, say=NOBODY, sun_kw=series(2_600.0), steered_kw=series(-100.0))
    assert cause(of) == "unwatched"
    assert shown(of) == ("feeder -1,500 kW, of it its photovoltaics -2,600 kW, its other DERs +100 kW")


def test_overrides_leave_limits_broken_or_come_an_interval_late() -> None:
    at = low(*range(6, 12))
    early = np.where(np.arange(STEPS) < 10, 0.0, 3.0)
    seen = insight(broken_count=early, left_count=series(0.0))
    assert cause(history(at, say=OVERRIDE, insight=seen)) == "late"
    assert shown(history(at, say=OVERRIDE, insight=seen)) == (
        "the check found nothing broken, a later one 3 limits"
    )
    left = insight(broken_count=early, left_count=series(1.0))
    assert cause(history(at, say=OVERRIDE, insight=left)) == "unresolved"
    at_once = insight(broken_count=series(3.0), left_count=series(0.0))
    assert cause(history(at, say=OVERRIDE, insight=at_once)) == "insufficient"
    never = insight(broken_count=series(0.0), left_count=series(0.0))
    assert cause(history(at, say=OVERRIDE, insight=never)) == "unseen"
    worst_after = replace(at, v_min_pu=at.v_min_pu - series(0.0, {10: 0.001}))
    assert cause(history(worst_after, say=OVERRIDE, insight=seen)) == "insufficient"


def test_a_head_that_its_loads_alone_overload_is_theirs() -> None:
    """Limit 2,900 kVA: without DERs that inject nothing or draw 100 kW it carries 3,000 or 2,900 kVA."""
    steps = range(5, 10)
    head = plant(p_kw=dict.fromkeys(steps, 3_000.0), head_over_kva=dict.fromkeys(steps, 100.0))
    assert cause(history(head, steered_kw=series(-99.0))) == "alone"
    assert shown(history(head, steered_kw=series(-99.0))) == "2,901 kVA without its DERs, limit 2,900 kVA"
    assert cause(history(head, steered_kw=series(-100.0))) == "unexplained"


def test_a_dso_that_speaks_before_the_market_sees_and_can_do_nothing() -> None:
    at = low(*range(5, 11))
    for v_pu, expected in ((0.9499, "powerless"), (0.95, "unseen")):
        seen = insight(v_min_pu=series(np.nan, {7: v_pu}), v_max_pu=series(np.nan, {7: 1.0}))
        assert cause(history(at, say=ENVELOPE, insight=seen)) == expected
    head = plant(p_kw=dict.fromkeys(range(5, 11), 3_000.0), head_over_kva=dict.fromkeys(range(5, 11), 100.0))
    for kva, expected in ((2_900.1, "powerless"), (2_899.9, "unseen")):
        seen = insight(head_kva=series(np.nan, {7: kva}))
        assert cause(history(head, say=ENVELOPE, insight=seen, steered_kw=series(-500.0))) == expected
    before = insight(v_min_pu=series(np.nan, {4: 0.94}))
    assert cause(history(at, say=ENVELOPE, insight=before)) == "unexplained"


@pytest.mark.parametrize(
    ("drawn_kw", "moved_kw", "expected"),
    [(1_100.0, 50.0, "corrected"), (1_100.0, 49.0, "forecast"), (1_041.0, 0.0, "forecast"),
     (1_039.0, 0.0, "unseen"), (900.0, 0.0, "unseen")],
)  # fmt: skip
def test_a_feeder_beside_its_dispatch_is_the_corrections_where_half_of_it_is_theirs(
    drawn_kw: float, moved_kw: float, expected: str
) -> None:
    """The dispatch expected 1,000 kW; in the worst minute DERs inject less by what they moved since."""
    feeder = low(*range(5, 10), p_kw=dict.fromkeys(range(5, 10), drawn_kw))
    worst = replace(feeder, v_min_pu=feeder.v_min_pu - series(0.0, {8: 0.001}))
    of = history(worst, outlook=outlook(v_min_pu=0.96), steered_kw=series(0.0, {8: -moved_kw}))
    assert cause(of) == expected


def test_regulators_that_moved_since_the_dispatch_are_the_cause_and_before_it_are_not() -> None:
    """Six minutes from minute 5 on, the worst being minute 11, in the interval that began at 10."""
    at = low(*range(5, 12), tap_moves_count={10: 2.0})
    at = replace(at, v_min_pu=at.v_min_pu - series(0.0, {11: 0.001}))
    expecting = outlook(v_min_pu=0.96)
    assert cause(history(at, outlook=expecting)) == "moved_taps"
    assert shown(history(at, outlook=expecting)) == "2 tap steps since a dispatch that expected 0.9600 pu"
    rested = replace(at, tap_moves_count=series(0.0, {9: 2.0, 12: 2.0}))
    assert cause(history(rested, outlook=expecting)) == "unseen"


def test_what_is_not_recorded_bears_nothing_out() -> None:
    nothing = series(np.nan)
    of = history(
        low(*range(5, 11)),
        sun_kw=nothing,
        steered_kw=nothing,
        bus_pu=nothing,
        award_mw=nothing,
        most_mw=np.nan,
    )
    assert cause(of) == "unexplained"
    short = replace(of, plant=low(5))
    assert cause(short) == "unexplained"


def test_the_first_cause_that_holds_is_taken() -> None:
    """A low voltage that the dispatch foresaw, as it came with another award and its regulators moved."""
    award = series(12.0, dict.fromkeys(range(5), 10.0))
    at = low(5, tap_moves_count={5: 1.0})
    of = history(at, award_mw=award, outlook=outlook(v_min_pu=0.94, room_less_kw=0.0))
    assert cause(of) == "exhausted"
    assert cause(replace(of, outlook=outlook())) == "award"
    assert cause(replace(of, outlook=outlook(), award_mw=series(10.0))) == "rearranged"
    assert cause(replace(of, outlook=outlook(), award_mw=series(np.nan))) == "regulators"
