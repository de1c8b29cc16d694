"""What models promise the day before: their order, and H2, that none differs where no feeder limit matters.

On paper a blind ISO promises least cost, envelopes most, and a total DSO what full visibility does. M4's
forward cost is that on the DSOs' linear rows, M5's that on its own curves.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.post.compare.comparison import PERCENT, RESOLVED_SHARE, Comparison, Contender, settings_of
from runner.post.compare.judging import Verdict, at_most, both, figure_of, figures_of, judged, untested

FORWARD = "cost_forward_compared_usd"
"""Figure by which forward costs compare."""
NEAR_SHARE = 1e-3
"""Cost over that of full visibility that counts as near, as a share of it."""
NEAR_VALUE_PCT = 5.0
"""Share of the value of flexibility that a total DSO may leave unused."""
AIM_VALUE_PCT = 1.0
"""Share of it that is aimed at."""
NULL_SHARE = 1e-4
"""Difference of forward cost between central models where no feeder limit matters, as a share of it."""
NULL_VALUE_PCT = 1.0
"""The same, of the value of flexibility."""
CENTRAL = frozenset({"M1", "M2", "M3", "M4"})
"""Models in which the ISO dispatches DERs."""
EXACT_BID = "exact_cuts"
"""Bid of a total DSO that should lose nothing."""


def _blind_promises_most(comparison: Comparison) -> Verdict:
    key, statement = "forward_blind_below_full", "M1, which sees no feeder, promises no more cost than M4"
    return _order(comparison, ("M1", "M4"), key, statement)


def _envelopes_promise_least(comparison: Comparison) -> Verdict:
    key = "forward_full_below_envelope"
    statement = "M4 promises no more cost than M3, whose envelopes leave flexibility unused"
    return _order(comparison, ("M4", "M3"), key, statement)


def _order(comparison: Comparison, models: tuple[str, str], key: str, statement: str) -> Verdict:
    """Whether the first model promises no more cost than the second, as far as costs can be told apart."""
    low, high = models
    pair = both(comparison, low, high, FORWARD)
    if pair is None:
        return untested(key, statement, f"needs {low} and {high}")
    resolved = RESOLVED_SHARE * abs(pair[1])
    return at_most(key, statement, pair[0] - pair[1], resolved, "$", f"forward cost of {low} less {high}'s")


def _layered_promises_like_full(comparison: Comparison) -> Verdict:
    key = "forward_layered_near_full"
    statement = f"Forward, M5 costs what M4 does within {NEAR_VALUE_PCT:g} % of flexibility's value"
    gap = figure_of(comparison, "M5", "gap_forward_of_value_pct")
    if gap is None:
        run = comparison.of("M5")
        why = "needs M5" if run is None else run.metrics["gap_forward_of_value_pct"].why_not
        return untested(key, statement, why)
    why = f"forward cost of M5 less M4's, of the value; either way; the aim is {AIM_VALUE_PCT:g} %"
    return judged(key, statement, gap, NEAR_VALUE_PCT, "%", why, holds=abs(gap) <= NEAR_VALUE_PCT)


def _central_alike(comparison: Comparison) -> Verdict:
    key = "no_constraint_central_alike"
    statement = "Where no feeder limit matters, M1 to M4, and M5 with exact cuts, promise the same cost"
    costs = _unbound_costs(comparison, lambda c: c.model in CENTRAL or _bids_exactly(c))
    if isinstance(costs, str):
        return untested(key, statement, costs)
    spread, why = max(costs.values()) - min(costs.values()), f"spread of forward cost: {', '.join(costs)}"
    threshold, value = NULL_SHARE * abs(min(costs.values())), comparison.flexibility_value.value
    if value is None or value <= threshold:
        return at_most(key, statement, spread, threshold, "$", f"{why}; flexibility is worth too little here")
    return at_most(key, statement, spread, min(threshold, NULL_VALUE_PCT / PERCENT * value), "$", why)


def _bids_exactly(contender: Contender) -> bool:
    """Whether a total DSO bids so that nothing of its flexibility is lost."""
    bid = settings_of(contender.run_dir).get("market.bid.kind")
    return contender.model == "M5" and bid == EXACT_BID


def _layered_alike(comparison: Comparison) -> Verdict:
    key = "no_constraint_layered_alike"
    statement = "Where no feeder limit matters, every bid of M5 promises the cost of the central models"
    costs = _unbound_costs(comparison, lambda c: c.model in {*CENTRAL, "M5"})
    if isinstance(costs, str):
        return untested(key, statement, costs)
    central = [cost for code, cost in costs.items() if not code.startswith("M5")]
    layered = [cost for code, cost in costs.items() if code.startswith("M5")]
    if not central or not layered:
        return untested(key, statement, "needs M5 and a central model")
    difference = max(abs(cost - central[0]) for cost in layered)
    return at_most(
        key, statement, difference, NEAR_SHARE * abs(central[0]), "$", "difference of forward cost"
    )  # fmt: skip


def _unbound_costs(comparison: Comparison, chosen: Callable[[Contender], bool]) -> dict[str, float] | str:
    """Forward cost of some runs, where no feeder limit was reached in any; or why not."""
    runs = [c for c in comparison.contenders if chosen(c)]
    broken, costs = figures_of(runs, "violated_feeder_time_pct"), figures_of(runs, FORWARD)
    if broken is None or costs is None or len(costs) <= 1:
        return "needs two models that coordinate"
    if max(broken) > 0.0 or any(_bound(c) for c in runs):
        return "a feeder limit was reached"
    return {run.code: cost for run, cost in zip(runs, costs, strict=True)}


def _bound(contender: Contender) -> bool:
    """Whether a feeder limit bound in a DSO's own program."""
    tables = contender.tables
    if "binding" not in tables.names:
        return False
    columns = ("voltage_count", "thermal_count", "head_count")
    return any(bool(tables.column("binding", column).any()) for column in columns)


JUDGES: tuple[Callable[[Comparison], Verdict], ...] = (
    _blind_promises_most,
    _envelopes_promise_least,
    _layered_promises_like_full,
    _central_alike,
    _layered_alike,
)
"""Statements about forward costs."""
