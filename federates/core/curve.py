"""The DSO's net curve on net import, and its one conversion to what a market clears.

Convention: net import in MW ascending, price non-increasing (the more is imported, the less the next MW is
worth). Entry 0 is the least net import; entry ``j`` ends the block ``(import[j-1], import[j]]`` worth
``price[j]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid

QUANTITY_TICK_MW = 1e-6
PRICE_TICK_USD_PER_MWH = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class NetCurve:
    """One monotone net-demand curve at an interface."""

    import_mw: FloatArray
    """Breakpoints, ascending, shape (n,), n >= 1. [MW]"""
    price_usd_per_mwh: FloatArray
    """Value of the block that ends at each breakpoint, non-increasing, shape (n,). [$/MWh]"""

    def __post_init__(self) -> None:
        p, price = self.import_mw, self.price_usd_per_mwh
        if p.ndim != 1 or p.size == 0 or p.shape != price.shape:
            raise CodecError(
                f"net curve: {p.shape} breakpoints and {price.shape} prices; send as many of each"
            )
        if not (np.isfinite(p).all() and np.isfinite(price).all()):
            raise CodecError("net curve: a breakpoint or price is not finite")
        if (np.diff(p) < 0).any():
            raise CodecError("net curve: net import must ascend")
        if (np.diff(price) > 0).any():
            raise CodecError("net curve: price must not rise with net import")

    @property
    def p_min_mw(self) -> float:
        """Least net import. [MW]"""
        return float(self.import_mw[0])

    @property
    def p_max_mw(self) -> float:
        """Greatest net import. [MW]"""
        return float(self.import_mw[-1])

    @property
    def width_mw(self) -> FloatArray:
        """Width of each block above the least net import, shape (n-1,). [MW]"""
        return np.diff(self.import_mw)

    @property
    def value_usd_per_mwh(self) -> FloatArray:
        """Value of each block above the least net import, shape (n-1,). [$/MWh]"""
        return self.price_usd_per_mwh[1:]

    def scaled(self, factor: float) -> NetCurve:
        """Curve of ``factor`` equal LDAs together: F(P) = m F1(P / m)."""
        return NetCurve(import_mw=self.import_mw * factor, price_usd_per_mwh=self.price_usd_per_mwh)

    def up_to(self, import_mw: float) -> NetCurve:
        """Curve that imports no more than that, or as little as it can. [MW]"""
        kept = self.import_mw < import_mw
        if kept.all():
            return self
        if not kept.any():
            return fixed_quantity(self.p_min_mw)
        price = self.price_usd_per_mwh[: int(kept.sum()) + 1]
        return NetCurve(import_mw=np.append(self.import_mw[kept], import_mw), price_usd_per_mwh=price)

    def rounded(self) -> NetCurve:
        """Curve with quantities to 1 W and prices to 1e-6 $/MWh."""
        return NetCurve(
            import_mw=np.round(self.import_mw / QUANTITY_TICK_MW) * QUANTITY_TICK_MW,
            price_usd_per_mwh=np.round(self.price_usd_per_mwh / PRICE_TICK_USD_PER_MWH)
            * PRICE_TICK_USD_PER_MWH,
        )


def fixed_quantity(import_mw: float) -> NetCurve:
    """Curve that imports ``import_mw`` [MW] at any price."""
    return NetCurve(import_mw=np.array([import_mw]), price_usd_per_mwh=np.zeros(1))


def bid_of(curves: list[NetCurve], interval_s: int, length_s: int) -> InterfaceBid:
    """Message that carries ``curves``, one per interval."""
    return InterfaceBid(
        interval_s=interval_s,
        length_s=length_s,
        counts=np.array([c.import_mw.size for c in curves], dtype=np.int64),
        import_mw=np.concatenate([c.import_mw for c in curves]),
        price_usd_per_mwh=np.concatenate([c.price_usd_per_mwh for c in curves]),
    )


def curves_of(bid: InterfaceBid) -> list[NetCurve]:
    """Curves that a message carries, validated.

    Raises
    ------
    CodecError
        If a curve is not monotone or the counts do not add up.
    """
    ends = np.cumsum(bid.counts)
    if bid.counts.size == 0 or ends[-1] != bid.import_mw.size:
        raise CodecError(f"bid for {bid.interval_s} s: counts {bid.counts.tolist()} do not add up")
    return [
        NetCurve(import_mw=p, price_usd_per_mwh=price)
        for p, price in zip(
            np.split(bid.import_mw, ends[:-1]), np.split(bid.price_usd_per_mwh, ends[:-1]), strict=True
        )
    ]
