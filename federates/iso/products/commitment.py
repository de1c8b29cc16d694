"""Commitment of fuelled units: on, start and stop by hour, with the output that they allow.

Three binaries per unit and hour, of which only *on* needs to be whole (J. M. Arroyo and A. J. Conejo, IEEE
Trans. Power Systems 15(3), 2000); minimum times by the turn-on and turn-off inequalities (D. Rajan and S.
Takriti, IBM RC23628, 2005); start-up categories and tight ramps (G. Morales-Espana, J. M. Latorre, A. Ramos,
IEEE Trans. Power Systems 28(4), 2013); blocks tightened by start-up and shut-down capability (B. Knueven, J.
Ostrowski, J. Wang, INFORMS J. Computing 32(4), 2020).

Times are hours, fractions rounded up. A unit starts and stops within max(least output, one hour of ramp).

With blocks ``q``, on ``u``, start ``v``, stop ``w``, least and greatest output ``P-, P+`` and greatest
outputs in the first and last hour ``SU, SD``, reserves keep::

    sum q + up-reserve <= (P+ - P-) u - (P+ - SU) v - (P+ - SD) w_(t+1) ;   sum q - down-reserve >= 0
    regulation up + spin <= 10 min of ramp u ;   supplemental <= 10 min of ramp (1 - u), fast units only
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.iso.offers import CONTINGENCY_MIN, FUELLED, UnitBlocks, fast_start, unit_blocks
from federates.iso.products.energy import Energy
from federates.iso.reserves import ReserveRoom
from federates.iso.unit_state import UnitState
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program

STOP_MW = 1e-3
"""Output above the shut-down capability that counts as rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What commitment needs to know of the fuelled units; arrays have shape (fuelled,) unless said."""

    place: IntArray
    """Place among all units."""
    bus: IntArray
    p_min_mw: FloatArray
    p_max_mw: FloatArray
    ramp_mw_per_h: FloatArray
    start_mw: FloatArray
    """Greatest output in the first hour and in the last. [MW]"""
    min_up_h: IntArray
    min_down_h: IntArray
    no_load_usd_per_h: FloatArray
    blocks: UnitBlocks
    """Cost blocks, shape (fuelled, blocks)."""
    start_after_h: tuple[tuple[int, ...], ...]
    """Hours off at which each start-up category that can occur begins, hot to cold."""
    start_usd: tuple[tuple[float, ...], ...]
    """Its cost."""
    must_run: BoolArray
    ramp_mw_per_min: FloatArray
    quick: BoolArray
    """Whether it can be started within the time of contingency reserve."""

    @property
    def categories(self) -> list[int]:
        """Units with more than one start-up category."""
        return [g for g, costs in enumerate(self.start_usd) if len(costs) > 1]


def traits_of(units: Units) -> Traits:
    """Traits of the fuelled units of a case."""
    place = np.flatnonzero(units.of_kind(*FUELLED))
    all_blocks = unit_blocks(units)
    p_min, p_max = units.p_min_mw[place], units.p_max_mw[place]
    ramp = 60.0 * units.ramp_mw_per_min[place]
    min_down = np.ceil(units.min_down_h[place]).astype(np.int64)
    starts = [
        _reachable(units.start_after_h[g], units.start_usd[g], int(down))
        for g, down in zip(place, min_down, strict=True)
    ]
    return Traits(
        place=place,
        bus=units.bus[place],
        p_min_mw=p_min,
        p_max_mw=p_max,
        ramp_mw_per_h=ramp,
        start_mw=np.minimum(p_max, np.maximum(p_min, ramp)),
        min_up_h=np.maximum(np.ceil(units.min_up_h[place]).astype(np.int64), 1),
        min_down_h=np.maximum(min_down, 1),
        no_load_usd_per_h=units.no_load_usd_per_h[place],
        blocks=UnitBlocks(
            width_mw=all_blocks.width_mw[place],
            price_usd_per_mwh=all_blocks.price_usd_per_mwh[place],
            start_mw=all_blocks.start_mw[place],
        ),
        start_after_h=tuple(tuple(hour for hour, _ in start) for start in starts),
        start_usd=tuple(tuple(cost for _, cost in start) for start in starts),
        must_run=units.must_run[place],
        ramp_mw_per_min=units.ramp_mw_per_min[place],
        quick=fast_start(units)[place],
    )


def _reachable(after_h: FloatArray, usd: FloatArray, min_down_h: int) -> list[tuple[int, float]]:
    """Categories whose hours off outlast the minimum down time."""
    listed = [(int(np.ceil(h)), float(c)) for h, c in zip(after_h, usd, strict=True) if np.isfinite(h)]
    ends = [hour for hour, _ in listed[1:]] + [np.iinfo(np.int64).max]
    return [start for start, end in zip(listed, ends, strict=True) if end > max(min_down_h, 1)]


class Commitment:
    """Columns and rows of the fuelled units over ``times`` hours."""

    def __init__(
        self,
        blueprint: Blueprint,
        energy: Energy,
        units: Units,
        times_count: int,
        *,
        with_reserves: bool = False,
    ) -> None:
        self.traits = traits = traits_of(units)
        self._times = times_count
        self._with_reserves = with_reserves
        shape = (times_count, traits.place.size)
        blocks = (*shape, traits.blocks.width_mw.shape[1])
        single = np.array([costs[0] if len(costs) == 1 else 0.0 for costs in traits.start_usd])
        self.on = blueprint.columns(shape, 0.0, 1.0, traits.no_load_usd_per_h, integer=True)
        self.start = blueprint.columns(shape, 0.0, 1.0, single)
        self.stop = blueprint.columns(shape, 0.0, 1.0, 0.0)
        self.block = blueprint.columns(blocks, 0.0, np.inf, traits.blocks.price_usd_per_mwh)
        energy.inject(blueprint, self.on, traits.bus, traits.p_min_mw)
        for k in range(blocks[2]):
            energy.inject(blueprint, self.block[..., k], traits.bus, 1.0)
        self._add_logic(blueprint)
        self._add_minimum_times(blueprint)
        self._add_blocks(blueprint)
        self._add_ramps(blueprint)
        self._add_categories(blueprint)
        if with_reserves:
            self._add_room(blueprint)

    def _add_room(self, blueprint: Blueprint) -> None:
        traits, shape = self.traits, self.on.shape
        span = traits.p_max_mw - traits.p_min_mw
        beyond = np.maximum(traits.p_max_mw - traits.start_mw, 0.0)
        within = CONTINGENCY_MIN * traits.ramp_mw_per_min
        quick = np.where(traits.quick, np.minimum(traits.p_max_mw, within), 0.0)
        head = blueprint.rows(shape, -np.inf, 0.0)
        foot = blueprint.rows(shape, 0.0, np.inf)
        joint = blueprint.rows(shape, -np.inf, 0.0)
        standstill = blueprint.rows(shape, -np.inf, quick)
        for rows in (head, foot):
            blueprint.entries(rows[..., None], self.block, 1.0)
        blueprint.entries(head, self.on, -span)
        blueprint.entries(head, self.start, beyond)
        lasting = traits.min_up_h > 1  # a shorter run may start and stop in one hour: only one term holds
        blueprint.entries(head[:-1], self.stop[1:], np.where(lasting, beyond, 0.0))
        blueprint.entries(joint, self.on, -np.minimum(within, span))
        blueprint.entries(standstill, self.on, quick)
        self._quick_mw = quick
        self.room = ReserveRoom(
            bus=traits.bus,
            ramp_mw_per_min=traits.ramp_mw_per_min,
            head=head,
            foot=foot,
            joint=joint,
            standstill=standstill,
            quick=traits.quick,
        )

    def _add_logic(self, blueprint: Blueprint) -> None:
        self._logic = blueprint.rows(self.on.shape, 0.0, 0.0)
        blueprint.entries(self._logic, self.on, 1.0)
        blueprint.entries(self._logic[1:], self.on[:-1], -1.0)
        blueprint.entries(self._logic, self.start, -1.0)
        blueprint.entries(self._logic, self.stop, 1.0)

    def _add_minimum_times(self, blueprint: Blueprint) -> None:
        up = blueprint.rows(self.on.shape, -np.inf, 0.0)
        down = blueprint.rows(self.on.shape, -np.inf, 1.0)
        blueprint.entries(up, self.on, -1.0)
        blueprint.entries(down, self.on, 1.0)
        for rows, columns, hours in (
            (up, self.start, self.traits.min_up_h),
            (down, self.stop, self.traits.min_down_h),
        ):
            for lag in range(min(self._times, int(hours.max(initial=1)))):
                which = hours > lag
                blueprint.entries(rows[lag:, which], columns[: self._times - lag, which], 1.0)

    def _add_blocks(self, blueprint: Blueprint) -> None:
        traits = self.traits
        width, begin = traits.blocks.width_mw, traits.blocks.start_mw + traits.p_min_mw[:, None]
        beyond = np.clip(begin + width - np.maximum(traits.start_mw[:, None], begin), 0.0, width)
        brief = (traits.min_up_h < 2) & (beyond > 0.0).any(axis=1)
        rows = blueprint.rows(self.block.shape, -np.inf, 0.0)
        blueprint.entries(rows, self.block, 1.0)
        blueprint.entries(rows, self.on[..., None], -width)
        blueprint.entries(rows, self.start[..., None], beyond)
        last = np.where(brief[:, None], 0.0, beyond)
        blueprint.entries(rows[:-1], self.stop[1:, :, None], last)
        if brief.any():
            own = blueprint.rows((self._times - 1, int(brief.sum()), width.shape[1]), -np.inf, 0.0)
            blueprint.entries(own, self.block[:-1, brief], 1.0)
            blueprint.entries(own, self.on[:-1, brief, None], -width[brief])
            blueprint.entries(own, self.stop[1:, brief, None], beyond[brief])

    def _add_ramps(self, blueprint: Blueprint) -> None:
        traits = self.traits
        span = traits.blocks.width_mw.sum(axis=1)
        self._ramped = limited = np.flatnonzero(traits.ramp_mw_per_h < span)
        ramp = traits.ramp_mw_per_h[limited]
        edge = np.minimum(traits.start_mw[limited] - traits.p_min_mw[limited] - ramp, 0.0)
        shape = (self._times, limited.size)
        self._ramp_up = blueprint.rows(shape, -np.inf, 0.0)
        self._ramp_down = blueprint.rows(shape, -np.inf, 0.0)
        output = self.block[:, limited]
        for rows, sign in ((self._ramp_up, 1.0), (self._ramp_down, -1.0)):
            blueprint.entries(rows[..., None], output, sign)
            blueprint.entries(rows[1:, :, None], output[:-1], -sign)
        blueprint.entries(self._ramp_up, self.on[:, limited], -ramp)
        blueprint.entries(self._ramp_up, self.start[:, limited], -edge)
        blueprint.entries(self._ramp_down[1:], self.on[:-1, limited], -ramp)
        blueprint.entries(self._ramp_down, self.stop[:, limited], -edge)

    def _add_categories(self, blueprint: Blueprint) -> None:
        """Hotter starts need a recent enough stop; the coldest is open to all."""
        self._lags: list[tuple[int, int, int, IntArray]] = []
        for g in self.traits.categories:
            after, usd = self.traits.start_after_h[g], self.traits.start_usd[g]
            kind = blueprint.columns((self._times, len(usd)), 0.0, 1.0, np.array(usd))
            split = blueprint.rows((self._times,), 0.0, 0.0)
            blueprint.entries(split, self.start[:, g], 1.0)
            blueprint.entries(split[:, None], kind, -1.0)
            for s, (least, end) in enumerate(pairwise(after)):
                recent = blueprint.rows((self._times,), -np.inf, 0.0)
                blueprint.entries(recent, kind[:, s], 1.0)
                for lag in range(max(least, 1), min(end, self._times)):
                    blueprint.entries(recent[lag:], self.stop[: self._times - lag, g], -1.0)
                self._lags.append((g, least, end, recent))

    def set_state(self, program: Program, state: UnitState | None) -> None:
        """Begin from ``state``; without one the first hour is free of any history."""
        traits = self.traits
        if state is None:
            program.set_row_bounds(self._logic[0], 0.0, 1.0)
            program.set_row_bounds(self._ramp_up[0], -np.inf, np.inf)
            program.set_row_bounds(self._ramp_down[0], -np.inf, np.inf)
            for _, _, _, rows in self._lags:
                program.set_row_bounds(rows, -np.inf, 1.0)
            return
        on, output = state.on[traits.place].astype(np.float64), state.output_mw[traits.place]
        program.set_row_bounds(self._logic[0], on, on)
        above = np.maximum(output - traits.p_min_mw, 0.0)[self._ramped] * on[self._ramped]
        ramp = traits.ramp_mw_per_h[self._ramped]
        program.set_row_bounds(self._ramp_up[0], -np.inf, above)
        program.set_row_bounds(self._ramp_down[0], -np.inf, ramp * on[self._ramped] - above)
        off_h = np.where(state.on, -np.inf, state.in_state_h)[traits.place]
        hours = np.arange(self._times)
        for g, least, end, rows in self._lags:
            still = (off_h[g] + hours >= least) & (off_h[g] + hours < end)
            program.set_row_bounds(rows, -np.inf, still.astype(np.float64))

    def set_available(self, program: Program, available_mw: FloatArray, state: UnitState | None) -> None:
        """What is out at the beginning has stopped, whatever its ramp; out units give no standstill reserve.

        Parameters
        ----------
        program
            The program.
        available_mw
            Greatest output, shape (times, units). [MW]
        state
            As in :meth:`set_state`, which comes before.
        """
        out = self._out(available_mw)
        if state is not None:
            trips = out[0, self._ramped]
            program.set_row_bounds(self._ramp_down[0, trips], -np.inf, np.inf)
        if self._with_reserves:
            quick = np.where(out, 0.0, self._quick_mw)
            program.set_row_bounds(self.room.standstill[out], -np.inf, quick[out])

    def _out(self, available_mw: FloatArray) -> BoolArray:
        """Where less than the least output is available, shape (times, fuelled)."""
        out: BoolArray = available_mw[:, self.traits.place] < self.traits.p_min_mw
        return out

    def allowed(self, available_mw: FloatArray, state: UnitState | None) -> tuple[FloatArray, FloatArray]:
        """Bounds of *on* by must-run, availability and the state before, shape (times, fuelled)."""
        traits = self.traits
        low = np.broadcast_to(traits.must_run, self.on.shape).astype(np.float64)
        high = np.ones(self.on.shape)
        if state is not None:
            on, since = state.on[traits.place], state.in_state_h[traits.place]
            hours = np.arange(self._times)[:, None]
            low = np.where(on & (hours < traits.min_up_h - since), 1.0, low)
            high = np.where(~on & (hours < traits.min_down_h - since), 0.0, high)
            # above its shut-down capability none can stop in the first hour, with ramp rows or without
            low[0, on & (state.output_mw[traits.place] > traits.start_mw + STOP_MW)] = 1.0
        high = np.where(self._out(available_mw), 0.0, high)
        return np.minimum(low, high), high

    def free(self, program: Program, low: FloatArray, high: FloatArray) -> None:
        """Let *on* move within bounds, shape (times, fuelled)."""
        program.set_column_bounds(self.on.ravel(), low.ravel(), high.ravel())
        program.set_column_bounds(self.start.ravel(), 0.0, 1.0)
        program.set_column_bounds(self.stop.ravel(), 0.0, 1.0)

    def fix(self, program: Program, on: BoolArray, state: UnitState | None) -> None:
        """Hold *on*, and with it every start and stop, shape (times, fuelled)."""
        value = on.astype(np.float64)
        before = value[0] if state is None else state.on[self.traits.place].astype(np.float64)
        change = np.diff(value, axis=0, prepend=before[None])
        for columns, fixed in (
            (self.on, value),
            (self.start, np.maximum(change, 0.0)),
            (self.stop, np.maximum(-change, 0.0)),
        ):
            program.set_column_bounds(columns.ravel(), fixed.ravel(), fixed.ravel())

    def output_mw(self, x: FloatArray) -> FloatArray:
        """Output, shape (times, fuelled). [MW]"""
        output: FloatArray = x[self.on] * self.traits.p_min_mw + x[self.block].sum(axis=2)
        return output
