"""What an aggregator offers of a DER, and the prices that it expects."""

from __future__ import annotations

from dataclasses import dataclass

from federates.core.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePath:
    """Expected price of energy over coming stretches of time."""

    price_usd_per_mwh: FloatArray
    """Shape (stretches,). [$/MWh]"""
    length_h: FloatArray
    """Shape (stretches,). [h]"""
    terminal_usd_per_mwh: float
    """Worth of a MWh still stored at the end. [$/MWh]"""

    def after(self, stretches: int) -> PricePath:
        """The path without its first stretches."""
        return PricePath(
            price_usd_per_mwh=self.price_usd_per_mwh[stretches:],
            length_h=self.length_h[stretches:],
            terminal_usd_per_mwh=self.terminal_usd_per_mwh,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Offer of each device: its injection from ``floor_kw`` upward, block after block."""

    floor_kw: FloatArray
    """Least injection, shape (ders,). [kW]"""
    width_kw: FloatArray
    """Widths, shape (ders, blocks). [kW]"""
    price_usd_per_mwh: FloatArray
    """Price of each block, non-decreasing along the second axis, same shape. [$/MWh]"""
