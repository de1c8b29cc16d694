"""Room for the reserve of net curves: up-reserve is less import, down-reserve is more.

With import ``P = full - sum of blocks sold back``, and all reserve called::

    P - up-reserve >= p_lo ;  P + down-reserve <= p_hi

which are the head and foot rows of the blocks sold back. The rows hold only where reserve is offered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.reserve_offer import OFFER_SLOTS
from federates.iso.products.reserves import Reserves
from federates.iso.reserves import PRODUCTS, NetReserves, ReserveRoom
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class NetCurveRoom:
    """Head and foot rows of the net curves.

    Parameters
    ----------
    blueprint
        The program while it is drawn.
    bus
        Bus of each curve, shape (curves,).
    sold_back
        Columns of the blocks sold back, shape (times, curves, slots).
    """

    def __init__(self, blueprint: Blueprint, bus: IntArray, sold_back: IntArray) -> None:
        times, curves = sold_back.shape[:2]
        head = blueprint.rows((times, curves), -np.inf, np.inf)
        foot = blueprint.rows((times, curves), -np.inf, np.inf)
        for rows in (head, foot):
            blueprint.entries(rows[..., None], sold_back, 1.0)
        self.room = ReserveRoom(
            bus=bus,
            ramp_mw_per_min=np.full(curves, np.inf),
            head=head,
            foot=foot,
            joint=blueprint.rows((times, curves), -np.inf, np.inf),
            standstill=head,
            quick=np.zeros(curves, dtype=np.bool_),
            slots=OFFER_SLOTS,
            offers_reserve=False,
        )

    def set(
        self, program: Program, reserves: Reserves, full_mw: FloatArray, offered: Sequence[NetReserves]
    ) -> None:
        """Put reserve offers.

        Parameters
        ----------
        full_mw
            Greatest net import, shape (times, curves). [MW]
        offered
            One entry per interval; empty: none.
        """
        times, curves = self.room.head.shape
        shape = (times, curves, len(PRODUCTS), OFFER_SLOTS)
        width, price = np.zeros(shape), np.zeros(shape)
        head, foot = np.full((times, curves), np.inf), np.full((times, curves), -np.inf)
        for t, offer in enumerate(offered):
            slots = offer.offered_mw.shape[2]
            width[t, ..., :slots], price[t, ..., :slots] = offer.offered_mw, offer.price_usd_per_mw_h
            head[t] = np.where(offer.offers, full_mw[t] - offer.p_lo_mw, np.inf)
            foot[t] = np.where(offer.offers, full_mw[t] - offer.p_hi_mw, -np.inf)
        reserves.set_room(program, reserves.rooms_count - 1, width, price)
        program.set_row_bounds(self.room.head.ravel(), -np.inf, head.ravel())
        program.set_row_bounds(self.room.foot.ravel(), foot.ravel(), np.inf)
