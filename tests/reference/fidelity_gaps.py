"""Gaps of study H6 that support all its statements, but for those that a test names."""

from __future__ import annotations

from tests.bench.bid_fidelity import CURVE, EXACT, FIXED, GOOD, NAIVE, STORE, Day, Gap, verdicts

TELLING = Day(limits_count=700, moved_mwh=8.0)
"""A day that tells bids apart."""


def gap(kind: str, prices: str, gap_pct: float, blocks: int = 0) -> Gap:
    return Gap(kind=kind, prices=prices, blocks=blocks, cost_usd=1.0, gap_pct=gap_pct, missed_mwh=0.0)


def gaps(**changed: float) -> list[Gap]:
    """Gaps that support everything, but for those named. [%]"""
    given = {"exact": 0.001, "two": 0.5, "four": 0.3, "good": 0.05, "fixed": 0.9, "fixed_good": 0.4,
             "store": 0.2, **changed}  # fmt: skip
    return [
        gap(CURVE, NAIVE, given["two"], 2), gap(CURVE, NAIVE, given["four"], 4),
        gap(CURVE, GOOD, given["good"] + 0.1, 2), gap(CURVE, GOOD, given["good"], 4),
        gap(FIXED, NAIVE, given["fixed"]), gap(FIXED, GOOD, given["fixed_good"]),
        gap(STORE, NAIVE, given["store"]), gap(EXACT, "none", given["exact"]),
    ]  # fmt: skip


def result(key: str, found: list[Gap], told: Day = TELLING) -> str:
    """Result of a statement."""
    return next(v.result for v in verdicts(found, told) if v.key == key)
