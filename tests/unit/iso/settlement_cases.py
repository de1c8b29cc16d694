"""Markets and meters made by hand for tests of the settlement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.settlement import Market, Metered, Places

NO_DC: IntArray = np.zeros(0, dtype=np.int64)


def places_of(bus: list[int], buses_count: int, branches_count: int) -> Places:
    """Participants at ``bus`` in a grid without phase shifts and direct-current lines."""
    return Places(
        bus=np.array(bus),
        buses_count=buses_count,
        dc_from=NO_DC,
        dc_to=NO_DC,
        shift_flow_mw=np.zeros(branches_count),
    )


def market_of(
    injection_mw: list[float],
    lmp_usd_per_mwh: list[float],
    flow_mw: list[float],
    line_price_usd_per_mwh: list[float],
    loss_mw: list[float] | None = None,
) -> Market:
    """A market without caps, loss parts and reserves."""
    lmp = np.array(lmp_usd_per_mwh)
    x = np.array(injection_mw)
    return Market(
        injection_mw=x,
        lmp_usd_per_mwh=lmp,
        raw_usd_per_mwh=lmp,
        loss_usd_per_mwh=np.zeros_like(lmp),
        loss_mw=np.zeros_like(lmp) if loss_mw is None else np.array(loss_mw),
        flow_mw=np.array(flow_mw),
        line_price_usd_per_mwh=np.array(line_price_usd_per_mwh),
        dc_mw=np.zeros(0),
        reserve_mw=np.zeros((x.size, 0)),
        reserve_usd_per_mwh=np.zeros((x.size, 0)),
    )


def with_reserves(market: Market, reserve_mw: FloatArray, price: FloatArray) -> Market:
    """The market with reserve awards and prices, both of shape (participants, products)."""
    return replace(market, reserve_mw=reserve_mw, reserve_usd_per_mwh=price)


def as_dispatched(market: Market, length_h: float) -> Metered:
    """Meters that read exactly what the market decided, AC losses being the market's."""
    none = np.zeros(market.injection_mw.size)
    energy = length_h * market.injection_mw
    return Metered(
        injection_mwh=energy,
        own_mwh=energy,
        drawn_response_mwh=none,
        loss_response_mwh=none,
        share_h=none,
        losses_mwh=length_h * float(market.loss_mw.sum()),
    )


def metered_of(set_mw: FloatArray, share: FloatArray, losses_mw: float, length_h: float) -> Metered:
    """Meters of participants that were set to ``set_mw`` while ``share`` of them made good what was missing.

    Drawn and set add up to -(W - S); with AC losses L the units in ``share`` give W - S + L more.
    """
    missing_mw = -float(set_mw.sum())
    return Metered(
        injection_mwh=length_h * (set_mw + share * (missing_mw + losses_mw)),
        own_mwh=length_h * set_mw,
        drawn_response_mwh=length_h * share * missing_mw,
        loss_response_mwh=length_h * share * losses_mw,
        share_h=length_h * share,
        losses_mwh=length_h * losses_mw,
    )
