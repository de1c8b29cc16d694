"""H1's export, told by itself: batteries that follow the evening's price, and heads that have to carry it."""

from __future__ import annotations

from collections.abc import Callable

from runner.post.compare.comparison import Comparison
from runner.post.compare.judging import Verdict, both, figure_of, less_than, more_than, untested

EXPORT, OVER = "evening_export_mwh", "evening_over_export_min"


def _blind_exports(comparison: Comparison) -> Verdict:
    key = "blind_exports_at_the_peak"
    statement = "From 18 to 20 h, M1 makes the LDA with most batteries export more than it does under M0"
    pair = both(comparison, "M1", "M0", EXPORT)
    if pair is None:
        return untested(key, statement, "needs M0 and M1 over the evening")
    return more_than(key, statement, *pair, "MWh", "exported, M1 against M0")


def _blind_breaks_export(comparison: Comparison) -> Verdict:
    key = "blind_breaks_export_at_the_peak"
    statement = "From 18 to 20 h, M1 drives feeders of the LDA with most batteries beyond their export limit"
    value = figure_of(comparison, "M1", OVER)
    if value is None:
        return untested(key, statement, "needs M1 over the evening")
    return more_than(key, statement, value, 0.0, "min", "feeders beyond their export limit times minutes")


def _layered_holds_export(comparison: Comparison) -> Verdict:
    key = "layered_holds_export_at_the_peak"
    statement = (
        "From 18 to 20 h, feeders of the LDA with most batteries are beyond their export limit for less time "
        "under M5 than under M1"
    )
    pair = both(comparison, "M5", "M1", OVER)
    if pair is None:
        return untested(key, statement, "needs M1 and M5 over the evening")
    if pair[1] <= 0.0:
        return untested(key, statement, "M1 breaks no export limit then")
    return less_than(key, statement, *pair, "min", "feeders beyond their export limit, M5 against M1")


JUDGES: tuple[Callable[[Comparison], Verdict], ...] = (
    _blind_exports,
    _blind_breaks_export,
    _layered_holds_export,
)
"""Statements about the evening's export."""
