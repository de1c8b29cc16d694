"""What units offer to the market: cost blocks, and the window that ramps and availability leave."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve

FUELLED = ("thermal", "nuclear")
SCHEDULED = ("storage", "csp")
CONTINGENCY_MIN = 10.0
"""Time in which spinning and supplemental reserve must be delivered. [min]"""
IDLE = ("sync_cond", "support")
"""Kinds without active power."""
FAST_START_MIN = 15.0
"""A unit that reaches its greatest output from standstill within this time starts fast. [min]"""
FAST_MIN_UP_H = 3.0
"""Longest minimum up time of a fast-start unit. [h]"""


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
    """Outputs that the units can take in one interval, shape (units,), or in several, (times, units).

    Empty arrays stand for the limits that the docstrings name.
    """

    lower_mw: FloatArray
    """Least output; negative = charging. [MW]"""
    upper_mw: FloatArray
    """Greatest output. [MW]"""
    committed: BoolArray
    """Whether a fuelled unit is on."""
    capacity_mw: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Greatest output with all up-reserve called; empty: ``upper_mw``. [MW]"""
    floor_mw: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Least output with all down-reserve called; empty: ``lower_mw``. [MW]"""
    rise_mw: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Greatest rise from the interval before (the first interval's is in the window); empty: any. [MW]"""
    fall_mw: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Greatest fall from the interval before; empty: any. [MW]"""

    def first(self) -> UnitWindow:
        """The first interval's window, shape (units,)."""
        return UnitWindow(**{f.name: getattr(self, f.name)[0] for f in fields(self)})

    def over(self, times_count: int) -> UnitWindow:
        """The window with every array of shape (times, units)."""
        shape = (times_count, self.lower_mw.shape[-1])

        def spread(values: FloatArray, otherwise: FloatArray | float) -> FloatArray:
            return np.broadcast_to(values if values.size else otherwise, shape)

        return UnitWindow(
            lower_mw=spread(self.lower_mw, 0.0),
            upper_mw=spread(self.upper_mw, 0.0),
            committed=np.broadcast_to(self.committed, shape),
            capacity_mw=spread(self.capacity_mw, self.upper_mw),
            floor_mw=spread(self.floor_mw, self.lower_mw),
            rise_mw=spread(self.rise_mw, np.inf),
            fall_mw=spread(self.fall_mw, np.inf),
        )


def fast_start(units: Units) -> BoolArray:
    """Mask of the fuelled units that real time may start on its own, shape (units,)."""
    quick = units.p_max_mw <= FAST_START_MIN * units.ramp_mw_per_min
    return units.of_kind(*FUELLED) & quick & (units.min_up_h <= FAST_MIN_UP_H)


def uncommitted_price_usd_per_mwh(units: Units) -> FloatArray:
    """What a MWh costs from a fuelled unit that is not committed, shape (units,). [$/MWh]

    Fast-start units: average cost at full output plus the dearest start spread over the minimum run, as in
    fast-start pricing. Others, on their way down: average cost at least output.
    """
    fast = fast_start(units)
    hours = np.maximum(np.ceil(units.min_up_h), 1.0)
    full = units.no_load_usd_per_h + (units.block_mw * units.block_usd_per_mwh).sum(axis=1)
    full += np.where(fast, units.start_usd.max(axis=1, initial=0.0), 0.0) / hours
    output = np.where(fast, units.p_max_mw, units.p_min_mw)
    cost = np.where(fast, full, units.no_load_usd_per_h)
    blocks = unit_blocks(units)
    return np.divide(cost, output, out=blocks.price_usd_per_mwh[:, 0].copy(), where=output > 0.0)


def unit_cost_usd_per_h(units: Units, output_mw: FloatArray, committed: BoolArray) -> FloatArray:
    """Running cost of every unit as offered, start-ups of committed units left out, shape (units,). [$/h]"""
    blocks = unit_blocks(units)
    above = np.maximum(output_mw - units.p_min_mw, 0.0)[:, None] - blocks.start_mw
    used = np.clip(above, 0.0, blocks.width_mw)
    running = units.no_load_usd_per_h + (used * blocks.price_usd_per_mwh).sum(axis=1)
    otherwise = uncommitted_price_usd_per_mwh(units) * output_mw
    return np.where(units.of_kind(*FUELLED), np.where(committed, running, otherwise), 0.0)


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
    """Outputs that the units can reach in one interval or in several, one after the other.

    A fuelled unit that is on stays between its least output and what is available, within its ramp from
    ``previous_mw``; one that has just been started takes at least its least output. One that is not
    committed may come down from ``previous_mw`` at its ramp or stop at once; where it starts fast, it may
    also come up, its least output relaxed as in fast-start pricing (without that, a commitment made the day
    before would meet every forecast error by shedding load). Wind and PV may be curtailed to 0; hydro and
    rooftop PV may not. Storage and CSP follow ``schedule_mw``, their day-ahead schedule, unless the dispatch
    has a model of its own for them.

    Parameters
    ----------
    previous_mw, must_take
        Output at the end of the interval before [MW] and what must be taken, shape (units,).
    committed
        Shape (units,) or (times, units).
    available_mw, schedule_mw
        The same shape; a unit that is out has 0 available. [MW]
    length_s
        Length of an interval. [s]
    """
    on_plan = np.atleast_2d(committed)
    available, schedule = np.atleast_2d(available_mw), np.atleast_2d(schedule_mw)
    times = on_plan.shape[0]
    fuelled = units.of_kind(*FUELLED)
    on, off = fuelled & on_plan, fuelled & ~on_plan
    step_mw = units.ramp_mw_per_min * length_s / 60.0
    reach_mw = step_mw * np.arange(1, times + 1)[:, None]
    capacity = np.where(fuelled, np.minimum(available, units.p_max_mw), available)
    starts = on & ~np.vstack((on[:1], on[:-1]))
    fast = fast_start(units)
    up = np.where(starts, np.inf, np.maximum(units.p_min_mw, previous_mw + reach_mw))
    relaxed = previous_mw + np.where(fast, reach_mw, -reach_mw)
    upper = np.where(on, up, np.where(off, np.maximum(relaxed, 0.0), np.inf))
    upper = np.minimum(upper, capacity)
    first = np.maximum(units.p_min_mw, np.where(fast, previous_mw, 0.0) + step_mw)
    upper = np.where(starts, np.minimum(first, upper), upper)
    down = np.maximum(units.p_min_mw, previous_mw - reach_mw)
    lower = np.where(on, np.minimum(np.where(starts, units.p_min_mw, down), upper), 0.0)
    lower = np.where(must_take, available, lower)
    for kinds, held_mw in ((SCHEDULED, schedule), (IDLE, np.zeros_like(schedule))):
        held = units.of_kind(*kinds)
        lower, upper = np.where(held, held_mw, lower), np.where(held, held_mw, upper)
    stays = on & np.vstack((on[:1], on[:-1]))
    coming = off & fast
    quick = np.minimum(units.p_max_mw, CONTINGENCY_MIN * units.ramp_mw_per_min)
    rise, fall = reachable(
        lower, upper, np.where(stays | coming, step_mw, np.inf), np.where(stays, step_mw, np.inf)
    )
    window = UnitWindow(
        lower_mw=lower,
        upper_mw=upper,
        committed=on,
        capacity_mw=np.where(
            coming, np.maximum(upper, np.minimum(quick, capacity)), np.maximum(capacity, upper)
        ),
        floor_mw=np.where(on, np.minimum(units.p_min_mw, lower), lower),
        rise_mw=rise,
        fall_mw=fall,
    )
    return window if committed.ndim == 2 else window.first()


def reachable(
    lower_mw: FloatArray, upper_mw: FloatArray, rise_mw: FloatArray, fall_mw: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rises and falls widened where an outage or a return to service asks for more than the ramp.

    Parameters
    ----------
    lower_mw, upper_mw
        Window of every interval, shape (times, units). [MW]
    rise_mw, fall_mw
        Greatest rise and fall from the interval before, same shape. [MW]
    """
    rise, fall = rise_mw.copy(), fall_mw.copy()
    low, high = lower_mw[0], upper_mw[0]
    for t in range(1, lower_mw.shape[0]):
        rise[t] = np.maximum(rise[t], lower_mw[t] - high)
        fall[t] = np.where(low - fall[t] > upper_mw[t], high - upper_mw[t], fall[t])
        low, high = np.maximum(lower_mw[t], low - fall[t]), np.minimum(upper_mw[t], high + rise[t])
    return rise, fall


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
    x_mw: FloatArray,
    lower_mw: FloatArray,
    upper_mw: FloatArray,
    price: FloatArray,
    bus: IntArray,
    bound: BoolArray | None = None,
) -> FloatArray:
    """Awards with the equal-price blocks of a bus filled in the same proportion; bus totals stay.

    ``bound`` marks blocks that other rows of the program hold as well: they keep their award.
    """
    apart = np.zeros(x_mw.size, dtype=np.bool_) if bound is None else bound
    order = np.lexsort((price, bus, apart))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (np.diff(bus[order]) != 0) | (np.diff(price[order]) != 0.0) | apart[order][1:]
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
