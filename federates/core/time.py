"""Study time: integer seconds, market days, and the cadences at which federates act.

Second 0 is the start of the study's first interval. Before it lie 2400 s of lead-in: the day-ahead
market of the first day (-2400 ... -601) and ten minutes of physics at the initial set-points
(-600 ... -1). A value published at grant ``t`` is readable at grants later than ``t``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise

SimTime = int
"""A study time. [s]"""

DAY_S = 86_400
LEAD_IN_S = 2_400
LEAD_IN_PHYSICS_S = 600
DAY_AHEAD_OPENS_S = 10 * 3_600
DAY_AHEAD_CLOSES_S = 13 * 3_600
LAST_PASS_OFFSET_S = 45
PASS_STRIDE_S = 2


class Cadence(Enum):
    """In which physical steps a phase is due."""

    STEP = "every physical step"
    MARKET = "every physical step that begins a market interval"
    GATE = "the last physical step that ends before the gate of a market interval"
    SETTLE = "the last physical step of a market interval"
    DAY_AHEAD = "from 10:00 of the day before, until cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time grid of one study, and the part of it that one federation covers."""

    start: datetime
    """Local standard time of study second 0."""
    duration_s: int
    """Length of the study. [s]"""
    step_s: int = 60
    """Physical step. [s]"""
    market_s: int = 300
    """Market interval. [s]"""
    gate_lead_s: int = 120
    """How long before its interval a bid must be in. [s]"""

    @property
    def day_start_s(self) -> int:
        """Study time of the midnight at or before the start; zero or negative. [s]"""
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        return -int((self.start - midnight).total_seconds())

    def at(self, t: SimTime) -> datetime:
        """Local standard time of a study time."""
        return self.start + timedelta(seconds=t)

    def day_of(self, t: SimTime) -> int:
        """Market day that holds ``t``: 0 for the day of the study's start."""
        return (t - self.day_start_s) // DAY_S

    def midnight(self, day: int) -> SimTime:
        """Study time at which a market day begins. [s]"""
        return self.day_start_s + day * DAY_S

    @property
    def days(self) -> range:
        """Market days that the study touches."""
        return range(self.day_of(self.duration_s - 1) + 1)

    def is_market(self, t: SimTime) -> bool:
        """Whether a market interval of the study begins at ``t``."""
        return 0 <= t < self.duration_s and t % self.market_s == 0

    def settled_interval(self, step: SimTime) -> SimTime | None:
        """Market interval of which the physical step at ``step`` is the last, if any. [s]"""
        interval = step + self.step_s - self.market_s
        return interval if self.is_market(interval) else None

    def gate_step(self, interval: SimTime) -> SimTime:
        """Start of the last physical step that ends before the gate of ``interval``. [s]"""
        return (interval - self.gate_lead_s) // self.step_s * self.step_s - self.step_s

    def gated_interval(self, step: SimTime) -> SimTime | None:
        """Market interval whose offers are due in the physical step at ``step``, if any. [s]"""
        interval = -(-(step + self.step_s + self.gate_lead_s) // self.market_s) * self.market_s
        if self.is_market(interval) and self.gate_step(interval) == step:
            return interval
        return None

    def day_ahead_opens(self, day: int) -> SimTime:
        """Study time at which the day-ahead market of ``day`` opens. [s]"""
        return -LEAD_IN_S if day == 0 else self.midnight(day - 1) + DAY_AHEAD_OPENS_S

    def day_ahead_closes(self, day: int) -> SimTime:
        """Study time by which the day-ahead market of ``day`` must be cleared. [s]"""
        if day == 0:
            return -LEAD_IN_PHYSICS_S
        return self.midnight(day - 1) + DAY_AHEAD_CLOSES_S

    def day_ahead_issue(self, day: int) -> SimTime:
        """Issue time of the forecasts used day-ahead: 10:00 of the day before. [s]"""
        return self.midnight(day - 1) + DAY_AHEAD_OPENS_S

    def day_ahead_day(self, step: SimTime) -> int | None:
        """Market day whose day-ahead window holds the physical step at ``step``, if any."""
        for day in self.days:
            if self.day_ahead_opens(day) <= step < self.day_ahead_closes(day):
                return day
        return None

    def has_physics(self, step: SimTime) -> bool:
        """Whether the physical step at ``step`` is solved."""
        return -LEAD_IN_PHYSICS_S <= step < self.duration_s

    def is_due(self, cadence: Cadence, step: SimTime) -> bool:
        """Whether a phase of this cadence is due in the step at ``step`` (day-ahead: may be due)."""
        match cadence:
            case Cadence.STEP:
                return self.has_physics(step)
            case Cadence.MARKET:
                return self.is_market(step)
            case Cadence.GATE:
                return self.has_physics(step) and self.gated_interval(step) is not None
            case Cadence.SETTLE:
                return self.settled_interval(step) is not None
            case Cadence.DAY_AHEAD:
                return self.day_ahead_day(step) is not None

    def steps(self, begin: SimTime, end: SimTime) -> Iterator[SimTime]:
        """Starts of the physical steps in ``[begin, end)``. [s]"""
        return iter(range(-(-begin // self.step_s) * self.step_s, end, self.step_s))

    def day_hours(self, day: int) -> tuple[SimTime, ...]:
        """Study times at which the 24 hours of a market day begin. [s]"""
        return tuple(self.midnight(day) + 3_600 * h for h in range(24))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The part of a study that one federation covers: ``[begin_s, end_s]``."""

    index: int
    """Place in the chain, from 0."""
    begin_s: SimTime
    """First instant. [s]"""
    end_s: SimTime
    """Boundary at which the federation ends and the next begins. [s]"""


def market_day_spans(clock: Clock) -> tuple[Span, ...]:
    """Spans of a chain of federations, one per market day; the first begins with the lead-in."""
    bounds = [-LEAD_IN_S]
    bounds += [clock.midnight(day) for day in clock.days if clock.midnight(day) > 0]
    bounds.append(clock.duration_s)
    return tuple(Span(index=k, begin_s=a, end_s=b) for k, (a, b) in enumerate(pairwise(bounds)))


def whole_span(clock: Clock) -> Span:
    """The one span of an unchained study."""
    return Span(index=0, begin_s=-LEAD_IN_S, end_s=clock.duration_s)
