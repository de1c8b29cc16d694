"""What models promise the day before: their order, and H2, that none differs where no feeder limit matters.

On paper a blind ISO promises least cost, envelopes most, and a total DSO what full visibility does. M4's
forward cost is that on the DSOs' linear rows, M5's that on its own curves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
WORTH_PCT = 0.2
"""Value of flexibility, of the cost, below which a study says little about those who use it."""
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
    runs = [c for c in comparison.contenders if c.model in CENTRAL or _bids_exactly(c)]
    if {run.model for run in runs} != {*CENTRAL, "M5"}:
        return untested(key, statement, "needs M1, M2, M3, M4 and M5/exact_cuts")
    found = _unbound_costs(comparison, runs)
    if isinstance(found, str):
        return untested(key, statement, found)
    costs, value = found
    spread = max(costs.values()) - min(costs.values())
    threshold = min(NULL_SHARE * abs(min(costs.values())), NULL_VALUE_PCT / PERCENT * value)
    return at_most(key, statement, spread, threshold, "$", f"spread of forward cost: {', '.join(costs)}")


def _bids_exactly(contender: Contender) -> bool:
    """Whether a total DSO bids so that nothing of its flexibility is lost."""
    bid = settings_of(contender.run_dir).get("market.bid.kind")
    return contender.model == "M5" and bid == EXACT_BID


def _layered_alike(comparison: Comparison) -> Verdict:
    key = "no_constraint_layered_alike"
    statement = "Where no feeder limit matters, every bid of M5 promises the cost of the central models"
    runs = [c for c in comparison.contenders if c.model in {*CENTRAL, "M5"}]
    if not {"M4", "M5"} <= {run.model for run in runs}:
        return untested(key, statement, "needs M4 and M5")
    found = _unbound_costs(comparison, runs)
    if isinstance(found, str):
        return untested(key, statement, found)
    costs, value = found
    full = costs[comparison.reference.code]
    apart = {run.code: abs(costs[run.code] - full) for run in runs if run.model == "M5"}
    farthest = max(apart, key=lambda code: apart[code])
    threshold = min(NEAR_SHARE * abs(full), NEAR_VALUE_PCT / PERCENT * value)
    return at_most(key, statement, apart[farthest], threshold, "$", f"from M4's forward cost: {farthest}")


def _unbound_costs(comparison: Comparison, runs: Sequence[Contender]) -> tuple[dict[str, float], float] | str:
    """Forward cost of some runs, none of which reached a feeder limit, and flexibility's value; or why not.

    Where flexibility is worth next to nothing, models agree whatever they do with it.
    """
    broken, costs = figures_of(runs, "violated_feeder_time_pct"), figures_of(runs, FORWARD)
    if broken is None or costs is None:
        return "a run has no forward cost, or no feeders"
    if max(broken) > 0.0 or any(_bound(c) for c in runs):
        return "a feeder limit was reached"
    value = comparison.flexibility_value
    if value.value is None:
        return value.why_not
    if value.value < WORTH_PCT / PERCENT * abs(min(costs)):
        return f"flexibility is worth {value.value:.3g} $, less than {WORTH_PCT:g} % of the cost"
    return {run.code: cost for run, cost in zip(runs, costs, strict=True)}, value.value


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
