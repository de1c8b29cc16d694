"""What rules for causes look at: one feeder and its area, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from federates.core.arrays import FloatArray
from runner.post.violations.violation import PlantHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """What a coordination model lets be said about a feeder's DERs."""

    dispatched: bool
    """Whether DERs have new set-points with every award."""
    by_dso: bool
    """Whether the DSO tells anybody what its feeders carry."""
    after_clearing: bool
    """Whether it has a say once the ISO has cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the DSO expected of a feeder at the dispatch of each step's interval, shapes (steps,).

    NaN where no DSO dispatched; table ``expectation``.
    """

    p_kw: FloatArray
    """Drawn at the head. [kW]"""
    q_kvar: FloatArray
    """Drawn at the head. [kvar]"""
    v_min_pu: FloatArray
    v_max_pu: FloatArray
    loading_max_pct: FloatArray
    """Greatest loading of an element. [%]"""
    broken_count: FloatArray
    """Limits that the dispatch breaks, as its program relaxed them."""
    room_less_kw: FloatArray
    """By how much DERs could yet make the feeder draw less. [kW]"""
    room_more_kw: FloatArray
    """By how much DERs could yet make the feeder draw more. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """What the DSO saw of a feeder beside its dispatch, shapes (steps,); NaN where it did not look."""

    v_min_pu: FloatArray
    """Least voltage on its twin as metered in the step; table ``estimate``."""
    v_max_pu: FloatArray
    """Greatest voltage on its twin as metered in the step."""
    head_kva: FloatArray
    """What the head's meter shows in the step, as the twin has it."""
    broken_count: FloatArray
    """Limits that the check of the step's interval found broken; table ``override_check``."""
    left_count: FloatArray
    """Those left broken after its overrides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One feeder and its area, step by step, shapes (steps,); what was not recorded is NaN."""

    plant: PlantHistory
    """The feeder as it was."""
    say: Say
    """Who has a say."""
    market_s: int
    """Length of a market interval. [s]"""
    sun_kw: FloatArray
    """Injected by photovoltaics. [kW]"""
    steered_kw: FloatArray
    """Injected by other DERs, less sun that was there and not injected: what was chosen. [kW]"""
    bus_pu: FloatArray
    """Voltage of the transmission bus. [pu]"""
    award_mw: FloatArray
    """Net import awarded to the area in the step's interval. [MW]"""
    most_mw: float
    """Greatest net import or export of the area in the run. [MW]"""
    reserve_mw: FloatArray
    """Reserve asked of the area: less import. [MW]"""
    outlook: Outlook
    """What the DSO expected."""
    insight: Insight
    """What it saw."""
    events: tuple[tuple[int, str], ...] = ()
    """Events on messages to or from the area: when [s], and what."""
