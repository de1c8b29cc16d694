"""What units offer to the market: cost blocks, and the window that ramps and availability leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve

FUELLED = ("thermal", "nuclear")
SCHEDULED = ("storage", "csp")
IDLE = ("sync_cond", "support")
"""Kinds without active power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitBlocks:
    """Cost blocks of every unit above its base."""

    width_mw: FloatArray
    """Shape (units, blocks). [MW]"""
    price_usd_per_mwh: FloatArray
    """Non-decreasing along a unit, shape (units, blocks). [$/MWh]"""
    start_mw: FloatArray
    """Output above least output at which each block begins, shape (units, blocks). [MW]"""


def unit_blocks(units: Units) -> UnitBlocks:
    """Cost blocks of the units; those without fuel have one block at 0 $/MWh up to their greatest output."""
    price = units.block_usd_per_mwh.copy()
    width = units.block_mw.copy()
    if width.shape[1] == 0:
        width, price = np.zeros((len(units.ids), 1)), np.zeros((len(units.ids), 1))
    price = np.where(width > 0.0, price, price.max(axis=1, keepdims=True))
    free = width.sum(axis=1) <= 0.0
    width[free, 0] = np.maximum(units.p_max_mw - units.p_min_mw, 0.0)[free]
    start = np.cumsum(width, axis=1) - width
    return UnitBlocks(width_mw=width, price_usd_per_mwh=price, start_mw=start)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWindow:
    """Outputs that the units can take in an interval."""

    lower_mw: FloatArray
    """Least output; negative = charging, shape (units,). [MW]"""
    upper_mw: FloatArray
    """Greatest output, shape (units,). [MW]"""
    committed: BoolArray
    """Whether a fuelled unit is on, shape (units,)."""


def ramp_window(
    units: Units,
    *,
    previous_mw: FloatArray,
    committed: BoolArray,
    available_mw: FloatArray,
    must_take: BoolArray,
    schedule_mw: FloatArray,
    length_s: int,
) -> UnitWindow:
    """Outputs that the units can reach within one interval.

    A fuelled unit that is on stays between its least output and what is available, within its ramp from
    ``previous_mw``; one that has just been started takes at least its least output, one that has been
    stopped gives nothing. Wind and PV may be curtailed to 0; hydro and rooftop PV may not. Storage and CSP
    follow ``schedule_mw``, their day-ahead schedule.

    Parameters
    ----------
    previous_mw
        Output at the end of the interval before, shape (units,). [MW]
    committed, must_take
        Shape (units,).
    available_mw, schedule_mw
        Shape (units,). [MW]
    length_s
        Length of the interval. [s]
    """
    fuelled, scheduled = units.of_kind(*FUELLED), units.of_kind(*SCHEDULED)
    on = fuelled & committed
    step_mw = units.ramp_mw_per_min * length_s / 60.0
    upper = np.minimum(available_mw, np.maximum(units.p_min_mw, previous_mw + step_mw))
    lower = np.minimum(np.maximum(units.p_min_mw, previous_mw - step_mw), upper)
    lower, upper = (
        np.where(on, lower, 0.0),
        np.where(on | ~fuelled, np.where(fuelled, upper, available_mw), 0.0),
    )
    lower = np.where(must_take, available_mw, lower)
    idle = units.of_kind(*IDLE)
    lower = np.where(scheduled, schedule_mw, np.where(idle, 0.0, lower))
    upper = np.where(scheduled, schedule_mw, np.where(idle, 0.0, upper))
    return UnitWindow(lower_mw=lower, upper_mw=upper, committed=on)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedBlocks:
    """Injection blocks at a fixed population of slots; zero width where a slot is not used."""

    width_mw: FloatArray
    """Shape (slots,). [MW]"""
    price_usd_per_mwh: FloatArray
    """Shape (slots,). [$/MWh]"""


NO_BLOCKS = OfferedBlocks(width_mw=np.zeros(0), price_usd_per_mwh=np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveBlocks:
    """Net curves as what the market clears: the whole import demanded, and blocks that sell it back."""

    full_mw: FloatArray
    """Greatest net import of each curve, shape (curves,). [MW]"""
    fixed_mw: FloatArray
    """Least net import of each curve, shape (curves,). [MW]"""
    width_mw: FloatArray
    """Blocks of curve ``c`` fill the first slots of row ``c``, shape (curves, slots). [MW]"""
    price_usd_per_mwh: FloatArray
    """Price at which a block is sold back, shape (curves, slots). [$/MWh]"""
    full_value_usd_per_h: FloatArray
    """Value of the whole import against none, shape (curves,). [$/h]"""


def curve_blocks(curves: list[NetCurve], slots_count: IntArray) -> CurveBlocks:
    """Net curves spread over ``slots_count[c]`` slots each.

    Raises
    ------
    CodecError
        If a curve has more blocks than slots: the last blocks would be lost.
    """
    from federates.core.errors import CodecError

    widest = int(slots_count.max(initial=0))
    width = np.zeros((len(curves), widest))
    price = np.zeros((len(curves), widest))
    for c, curve in enumerate(curves):
        n = curve.width_mw.size
        if n > slots_count[c]:
            raise CodecError(
                f"net curve {c} has {n} blocks for {slots_count[c]} slots; thin it or plan for more"
            )
        width[c, :n] = curve.width_mw
        price[c, :n] = curve.value_usd_per_mwh
    return CurveBlocks(
        full_mw=np.array([curve.p_max_mw for curve in curves]),
        fixed_mw=np.array([curve.p_min_mw for curve in curves]),
        width_mw=width,
        price_usd_per_mwh=price,
        full_value_usd_per_h=np.array([import_value(curve, curve.p_max_mw) for curve in curves]),
    )


def import_value(curve: NetCurve, import_mw: float) -> float:
    """Worth of a net import against none, or the nearest to none; a sale has negative worth. [$/h]"""
    idle_mw = min(max(0.0, curve.p_min_mw), curve.p_max_mw)
    ends = np.clip(curve.import_mw, min(idle_mw, import_mw), max(idle_mw, import_mw))
    worth = float(np.diff(ends) @ curve.value_usd_per_mwh)
    return worth if import_mw >= idle_mw else -worth


def share_ties(
    x_mw: FloatArray, lower_mw: FloatArray, upper_mw: FloatArray, price: FloatArray, bus: IntArray
) -> FloatArray:
    """Awards with the equal-price blocks of a bus filled in the same proportion; bus totals stay."""
    order = np.lexsort((price, bus))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (np.diff(bus[order]) != 0) | (np.diff(price[order]) != 0.0)
    starts = np.flatnonzero(first)
    if starts.size == order.size:
        return x_mw
    group = np.cumsum(first) - 1
    room = (upper_mw - lower_mw)[order]
    used = np.add.reduceat((x_mw - lower_mw)[order], starts)
    total = np.add.reduceat(room, starts)
    share = np.divide(used, total, out=np.zeros_like(used), where=total > 0.0)
    alone = np.bincount(group)[group] == 1
    shared = x_mw.copy()
    shared[order] = np.where(alone, x_mw[order], lower_mw[order] + share[group] * room)
    return shared
