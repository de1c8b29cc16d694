"""The time grid: gates, market days, day-ahead windows and the spans of a chain."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.time import (
    DAY_S,
    LEAD_IN_PHYSICS_S,
    LEAD_IN_S,
    Cadence,
    Clock,
    market_day_spans,
    whole_span,
)

NOON = datetime.fromisoformat("2020-03-27T12")


def clock(start: datetime = NOON, duration_s: int = 13 * 3_600, **grid: int) -> Clock:
    return Clock(start=start, duration_s=duration_s, **grid)


def test_a_market_day_is_a_calendar_day_whenever_the_study_starts() -> None:
    c = clock()
    assert c.day_start_s == -12 * 3_600
    assert list(c.days) == [0, 1]
    assert [c.day_of(t) for t in (-LEAD_IN_S, 0, 12 * 3_600 - 1, 12 * 3_600)] == [0, 0, 0, 1]
    assert c.midnight(1) == 12 * 3_600
    assert c.day_hours(1)[0] == c.midnight(1)
    assert c.day_hours(1)[-1] == c.midnight(2) - 3_600
    assert c.at(c.midnight(1)) == datetime.fromisoformat("2020-03-28")


def test_a_study_that_ends_at_midnight_touches_no_further_day() -> None:
    assert list(clock(duration_s=12 * 3_600).days) == [0]
    assert list(clock(duration_s=12 * 3_600 + 300).days) == [0, 1]


@given(
    step=st.sampled_from([60, 120, 180, 300]),
    factor=st.integers(1, 10),
    lead=st.integers(0, 540),
    interval=st.integers(0, 20),
)
def test_every_interval_has_one_gate_and_its_bid_is_in_before_it(
    step: int, factor: int, lead: int, interval: int
) -> None:
    market = step * factor
    c = clock(duration_s=21 * market, step_s=step, market_s=market, gate_lead_s=lead)
    target = interval * market
    gate = c.gate_step(target)
    assert gate % step == 0
    # the whole step lies before the gate, and no later step does
    assert gate + step <= target - lead < gate + 2 * step
    assert c.gated_interval(gate) == target
    others = range(gate - 3 * step, gate + 4 * step, step)
    assert [s for s in others if c.gated_interval(s) == target] == [gate]


def test_the_first_bid_falls_into_the_physics_of_the_lead_in() -> None:
    c = clock(gate_lead_s=540)
    assert c.gate_step(0) == -LEAD_IN_PHYSICS_S
    assert c.is_due(Cadence.GATE, -LEAD_IN_PHYSICS_S)
    assert not c.is_due(Cadence.GATE, -LEAD_IN_PHYSICS_S - 60)


def test_no_bid_is_asked_for_after_the_study() -> None:
    c = clock(duration_s=900)
    gated = [c.gated_interval(s) for s in range(-600, 900, 60)]
    assert [g for g in gated if g is not None] == [0, 300, 600]


def test_the_first_day_ahead_runs_in_the_lead_in_and_the_next_from_ten_to_one() -> None:
    c = clock(datetime.fromisoformat("2020-03-27"), 2 * DAY_S)
    due = [s for s in c.steps(-LEAD_IN_S, c.duration_s) if c.is_due(Cadence.DAY_AHEAD, s)]
    first = [s for s in due if s < 0]
    second = [s for s in due if s >= 0]
    assert (first[0], first[-1]) == (-LEAD_IN_S, -LEAD_IN_PHYSICS_S - 60)
    assert (second[0], second[-1]) == (10 * 3_600, 13 * 3_600 - 60)
    assert {c.day_ahead_day(s) for s in first} == {0}
    assert {c.day_ahead_day(s) for s in second} == {1}
    assert c.day_ahead_issue(1) == 10 * 3_600
    assert c.day_ahead_issue(0) == 10 * 3_600 - DAY_S


def test_physics_runs_from_ten_minutes_before_the_study_to_its_end() -> None:
    c = clock(duration_s=600)
    assert [s for s in c.steps(-LEAD_IN_S, 1_200) if c.is_due(Cadence.STEP, s)] == list(range(-600, 600, 60))
    assert [s for s in c.steps(-600, 1_200) if c.is_due(Cadence.MARKET, s)] == [0, 300]


@given(step=st.sampled_from([60, 120, 300]), factor=st.integers(1, 10), intervals=st.integers(1, 30))
def test_every_interval_is_settled_once_in_its_last_step(step: int, factor: int, intervals: int) -> None:
    market = step * factor
    c = clock(duration_s=intervals * market, step_s=step, market_s=market)
    settled = {s: c.settled_interval(s) for s in c.steps(-LEAD_IN_S, c.duration_s + 2 * market)}
    assert [t for t in settled.values() if t is not None] == list(range(0, c.duration_s, market))
    for at, interval in settled.items():
        assert c.is_due(Cadence.SETTLE, at) == (interval is not None)
        assert interval is None or at + step == interval + market


@given(start_h=st.integers(0, 23), duration_h=st.integers(1, 80))
def test_the_spans_of_a_chain_cover_the_study_once_and_meet_at_midnights(
    start_h: int, duration_h: int
) -> None:
    c = clock(datetime.fromisoformat(f"2020-03-27T{start_h:02d}"), duration_h * 3_600)
    spans = market_day_spans(c)
    assert [s.index for s in spans] == list(range(len(c.days)))
    assert (spans[0].begin_s, spans[-1].end_s) == (-LEAD_IN_S, c.duration_s)
    for before, after in pairwise(spans):
        assert before.end_s == after.begin_s
        assert c.at(after.begin_s).hour == 0
    steps = [s for span in spans for s in c.steps(span.begin_s, span.end_s)]
    whole = whole_span(c)
    assert steps == list(c.steps(whole.begin_s, whole.end_s))


@pytest.mark.parametrize("duration_s", [300, 86_400])
def test_a_study_within_one_day_is_one_span(duration_s: int) -> None:
    c = clock(datetime.fromisoformat("2020-03-27"), duration_s)
    assert market_day_spans(c) == (whole_span(c),)
