"""Violations in the plant: how long a feeder was outside a limit, at one stretch, and by how much at worst.

A stretch is one kind of limit and one side of it: a voltage that is too low and one that is too high, or a
head that draws too much and one that feeds back too much, are two violations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray

RANGE_A_PU = (0.95, 1.05)
"""Voltage in normal operation, ANSI C84.1 range A."""
RANGE_B_PU = (0.917, 1.058)
"""Voltage tolerated for a limited time, ANSI C84.1 range B."""
FULL_PCT = 100.0
SECONDS_PER_MIN = 60.0


class Kind(Enum):
    """A limit of a feeder; the value is its stable name."""

    RANGE_A = "range_a"
    RANGE_B = "range_b"
    RATING = "rating"
    HEAD = "head"


class Side(Enum):
    """In which direction a feeder strains its limit; the value counts power that is drawn."""

    DRAWS = 1
    """It draws too much: voltage is low, or the flow is an import."""
    FEEDS = -1
    """It feeds back too much, or draws too little: voltage is high, or the flow is an export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantHistory:
    """One feeder's rows of table ``feeder``, step by step, shapes (steps,)."""

    feeder: str
    """LDA/feeder."""
    t_s: IntArray
    """Beginning of each step, ascending. [s]"""
    step_s: int
    """Length of a step. [s]"""
    v_min_pu: FloatArray
    v_max_pu: FloatArray
    outside_a_count: FloatArray
    """Load nodes outside Range A."""
    outside_b_count: FloatArray
    """Load nodes outside Range B."""
    over_count: FloatArray
    """Elements above their rating."""
    loading_max_pct: FloatArray
    """Greatest loading of an element. [%]"""
    head_over_kva: FloatArray
    """Apparent power above the head's limit. [kVA]"""
    p_kw: FloatArray
    """Drawn at the head. [kW]"""
    q_kvar: FloatArray
    """Drawn at the head. [kvar]"""
    tap_moves_count: FloatArray
    """Tap steps of its regulators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One stretch of steps outside one limit."""

    feeder: str
    """LDA/feeder."""
    kind: Kind
    side: Side
    first: int
    """Place of its first step in the history."""
    last: int
    """Place of its last step in the history."""
    worst: int
    """Place of its worst step in the history."""
    from_s: int
    """Study time at which it begins. [s]"""
    to_s: int
    """Study time at which it is over. [s]"""
    amount_min: float
    """Nodes or elements outside times minutes; of a head, minutes. [min]"""
    extreme: float
    """Worst value: voltage [pu], loading [%], or power above the head's limit [kVA]."""

    @property
    def lda(self) -> str:
        """The area of its feeder."""
        return self.feeder.split("/")[0]


def violations_of(plant: PlantHistory) -> tuple[Violation, ...]:
    """Violations of one feeder, kind by kind, each in the order of time."""
    return tuple(violation for kind in Kind for violation in _of_kind(plant, kind))


def voltage_limits_pu(kind: Kind) -> tuple[float, float]:
    """Least and greatest voltage of a range. [pu]"""
    return RANGE_B_PU if kind is Kind.RANGE_B else RANGE_A_PU


def _of_kind(plant: PlantHistory, kind: Kind) -> Iterator[Violation]:
    count, excess, value, draws = _measure(plant, kind)
    for side in Side:
        outside = (count > 0.0) & (draws if side is Side.DRAWS else ~draws)
        for first, last in _stretches(outside, plant.t_s, plant.step_s):
            worst = first + int(np.argmax(excess[first : last + 1]))
            yield Violation(
                feeder=plant.feeder,
                kind=kind,
                side=side,
                first=first,
                last=last,
                worst=worst,
                from_s=int(plant.t_s[first]),
                to_s=int(plant.t_s[last]) + plant.step_s,
                amount_min=float(count[first : last + 1].sum()) * plant.step_s / SECONDS_PER_MIN,
                extreme=float(value[worst]),
            )


def _measure(plant: PlantHistory, kind: Kind) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """What is counted in each step, by how much a limit is exceeded, the value that does, and its side."""
    draws: BoolArray = plant.p_kw >= 0.0
    if kind is Kind.RATING:
        return plant.over_count, plant.loading_max_pct, plant.loading_max_pct, draws
    if kind is Kind.HEAD:
        over = (plant.head_over_kva > 0.0).astype(np.float64)
        return over, plant.head_over_kva, plant.head_over_kva, draws
    low_pu, high_pu = voltage_limits_pu(kind)
    below, above = low_pu - plant.v_min_pu, plant.v_max_pu - high_pu
    is_low: BoolArray = below >= above
    count = plant.outside_b_count if kind is Kind.RANGE_B else plant.outside_a_count
    return count, np.maximum(below, above), np.where(is_low, plant.v_min_pu, plant.v_max_pu), is_low


def _stretches(outside: BoolArray, t_s: IntArray, step_s: int) -> Iterator[tuple[int, int]]:
    """First and last place of each run of steps without a gap."""
    places = np.flatnonzero(outside)
    breaks = np.flatnonzero(np.diff(t_s[places]) > step_s) + 1
    for run in np.split(places, breaks):
        if run.size:
            yield int(run[0]), int(run[-1])
