"""What areas say of the cost of their days: bounds made of curves, and the ranges in which they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve, curves_of
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid, ValueCut


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaCut:
    """One area's cost is never below ``least_usd`` less what its curves say of more than the least import."""

    least_usd: float
    """Bound with the least import in every hour. [$]"""
    curves: tuple[NetCurve, ...]
    """Worth of more, hour by hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRange:
    """Net imports between which areas can be asked; time is the first axis, (hours, areas)."""

    least_mw: FloatArray
    """Least net import. [MW]"""
    greatest_mw: FloatArray
    """Greatest net import. [MW]"""


def cut_of(message: ValueCut, hours: int) -> LdaCut:
    """Cut that a message carries.

    Raises
    ------
    CodecError
        If a curve is not monotone, or the message does not cover the day.
    """
    bid = InterfaceBid(
        interval_s=message.interval_s,
        length_s=message.length_s,
        counts=message.counts,
        import_mw=message.import_mw,
        price_usd_per_mwh=message.price_usd_per_mwh,
    )
    curves = tuple(curves_of(bid))
    if len(curves) != hours:
        raise CodecError(f"the cost of a day comes with {len(curves)} curves; send one for each of {hours} h")
    return LdaCut(least_usd=message.least_usd, curves=curves)


def import_range(cuts: Sequence[LdaCut]) -> ImportRange:
    """Ranges that one cut of each area states."""
    ends = np.array([[(c.p_min_mw, c.p_max_mw) for c in cut.curves] for cut in cuts])
    return ImportRange(least_mw=ends[..., 0].T, greatest_mw=ends[..., 1].T)
