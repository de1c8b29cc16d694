"""Units at a given commitment: cost blocks, ramps between intervals, and the room for their reserves.

Per interval and unit with output ``P = base + sum of blocks``::

    block bounds hold P in the unit's window ;  -fall <= P_t - P_(t-1) <= rise
    head: P + up-reserve <= capacity ;  foot: P - down-reserve >= least output
"""

from __future__ import annotations

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.iso.offers import (
    CONTINGENCY_MIN,
    FUELLED,
    IDLE,
    SCHEDULED,
    UnitWindow,
    fast_start,
    uncommitted_price_usd_per_mwh,
    unit_blocks,
)
from federates.iso.products.energy import Energy
from federates.iso.reserves import ReserveRoom
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class Generation:
    """Columns and rows of the units over ``times`` intervals.

    Parameters
    ----------
    blueprint, energy
        The program while it is drawn, and its energy product.
    units
        All units of the case.
    times_count
        Number of intervals.
    with_stores
        Whether storage and CSP are another product's; else they are held in their window.
    with_reserves
        Whether the units' reserves get rows.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        energy: Energy,
        units: Units,
        times_count: int,
        *,
        with_stores: bool,
        with_reserves: bool,
    ) -> None:
        self._units = units
        self._fuelled = units.of_kind(*FUELLED)
        self._elsewhere = (
            units.of_kind(*SCHEDULED) if with_stores else np.zeros(len(units.ids), dtype=np.bool_)
        )
        still = units.of_kind(*IDLE) | self._elsewhere
        offered = unit_blocks(units)
        keep = offered.width_mw > 0.0
        keep[:, 0] = True
        keep[still] = False
        self._owner, block = np.nonzero(keep)
        self._width = offered.width_mw[keep]
        self._price = offered.price_usd_per_mwh[keep]
        self._begin = offered.start_mw[keep]
        self._first = block == 0
        self._uncommitted_price = uncommitted_price_usd_per_mwh(units)[self._owner]
        self.bus: IntArray = units.bus[self._owner]
        self.block: IntArray = blueprint.columns((times_count, self._owner.size), 0.0, 0.0, 0.0)
        energy.inject(blueprint, self.block, self.bus, 1.0)
        self._add_ramps(blueprint, times_count, np.flatnonzero(self._fuelled & ~still))
        self._able: IntArray = np.zeros(0, dtype=np.int64)
        if with_reserves:
            self._add_room(blueprint, times_count)

    def _add_ramps(self, blueprint: Blueprint, times: int, ramped: IntArray) -> None:
        self._ramped = ramped
        self._ramp = blueprint.rows((max(times - 1, 0), ramped.size), -np.inf, np.inf)
        if times > 1:
            self._tie(blueprint, self._ramp, ramped, self.block[1:], 1.0)
            self._tie(blueprint, self._ramp, ramped, self.block[:-1], -1.0)

    def _add_room(self, blueprint: Blueprint, times: int) -> None:
        units = self._units
        able = self._fuelled | units.of_kind("wind", "pv")
        self._able = able_at = np.flatnonzero(able & ~self._elsewhere)
        shape = (times, able_at.size)
        head, foot = blueprint.rows(shape, -np.inf, np.inf), blueprint.rows(shape, -np.inf, np.inf)
        joint = blueprint.rows(shape, -np.inf, np.inf)
        self._tie(blueprint, head, able_at, self.block, 1.0)
        self._tie(blueprint, foot, able_at, self.block, 1.0)
        ramp = np.where(self._fuelled, units.ramp_mw_per_min, np.inf)[able_at]
        self.room = ReserveRoom(
            bus=units.bus[able_at],
            ramp_mw_per_min=ramp,
            head=head,
            foot=foot,
            joint=joint,
            standstill=head,
            quick=fast_start(units)[able_at],
        )

    def _tie(
        self, blueprint: Blueprint, rows: IntArray, which: IntArray, columns: IntArray, sign: float
    ) -> None:
        """Put the blocks of the units ``which`` into their ``rows``, shape (times, which)."""
        place = np.full(self._fuelled.size, -1)
        place[which] = np.arange(which.size)
        at = place[self._owner]
        mine = at >= 0
        blueprint.entries(rows[:, at[mine]], columns[:, mine], sign)

    @property
    def able(self) -> IntArray:
        """Units with reserve columns, in the room's order, shape (k,)."""
        return self._able

    def base_mw(self, window: UnitWindow) -> FloatArray:
        """Output below the first block, shape (times, units): least output of units that are on, else the
        foot.
        """
        on = np.minimum(self._units.p_min_mw, window.upper_mw)
        base = np.where(self._fuelled, np.where(window.committed, on, 0.0), window.lower_mw)
        return np.where(self._elsewhere, 0.0, base)

    def bounds(self, window: UnitWindow, base_mw: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower and upper bound and price of every block, shape (times, blocks)."""
        owner = self._owner
        in_blocks = (self._fuelled & window.committed)[:, owner]
        relaxed = (self._fuelled & ~window.committed)[:, owner]
        begin = np.where(in_blocks, self._begin, 0.0)
        width = np.where(in_blocks, self._width, np.where(self._first, np.inf, 0.0))
        price = np.where(relaxed & self._first, self._uncommitted_price, self._price)
        low = np.clip((window.lower_mw - base_mw)[:, owner] - begin, 0.0, width)
        high = np.clip((window.upper_mw - base_mw)[:, owner] - begin, 0.0, width)
        return low, high, price

    def set_rows(self, program: Program, window: UnitWindow, base_mw: FloatArray) -> None:
        """Bounds of ramp, head, foot and joint rows."""
        if self._ramp.size:
            step = base_mw[1:, self._ramped] - base_mw[:-1, self._ramped]
            fall, rise = window.fall_mw[1:, self._ramped], window.rise_mw[1:, self._ramped]
            low, high = -fall - step, rise - step
            program.set_row_bounds(self._ramp.ravel(), low.ravel(), high.ravel())
        if self._able.size:
            able = self._able
            above = (window.capacity_mw - base_mw)[:, able]
            below = (window.floor_mw - base_mw)[:, able]
            joint = CONTINGENCY_MIN * self.room.ramp_mw_per_min
            program.set_row_bounds(self.room.head.ravel(), -np.inf, above.ravel())
            program.set_row_bounds(self.room.foot.ravel(), below.ravel(), np.inf)
            program.set_row_bounds(
                self.room.joint.ravel(), -np.inf, np.broadcast_to(joint, above.shape).ravel()
            )

    def reserve_limits_mw(self, window: UnitWindow, by_ramp_mw: FloatArray) -> FloatArray:
        """Bounds of reserve columns, shape (times, k, products, 1): nothing from what is not on. [MW]

        Parameters
        ----------
        by_ramp_mw
            What the ramps allow, shape (k, products). [MW]
        """
        able = self._able
        on = (window.committed | ~self._fuelled)[:, able]
        open_to = np.stack((on, on, on, ~on), axis=2)
        return np.where(open_to, by_ramp_mw, 0.0)[..., None]

    def output_mw(self, taken_mw: FloatArray, base_mw: FloatArray) -> FloatArray:
        """Output of every unit, shape (times, units), of blocks taken, shape (times, blocks). [MW]"""
        output = base_mw.copy()
        for t in range(base_mw.shape[0]):
            output[t] += np.bincount(self._owner, weights=taken_mw[t], minlength=base_mw.shape[1])
        return output

    @property
    def price(self) -> FloatArray:
        """Price of each block while its unit is committed, shape (blocks,). [$/MWh]"""
        return self._price

    @property
    def owner(self) -> IntArray:
        """Unit of each block, shape (blocks,)."""
        return self._owner

    def committed_fuelled(self, window: UnitWindow) -> BoolArray:
        """Fuelled units that are on, shape (times, units)."""
        return self._fuelled & window.committed
