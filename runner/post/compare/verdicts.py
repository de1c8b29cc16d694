"""What a comparison supports: each statement with its figure and its threshold, computed, never written.

A statement whose models or whose stress are not there is *not tested*; one whose difference is below what can
be told apart is *not resolved*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from federates.core.errors import MissingInputError
from runner.post.compare import evening, forward, net_load
from runner.post.compare.comparison import MARGIN_PCT, PERCENT, Comparison, Contender
from runner.post.compare.forward import NEAR_SHARE, NEAR_VALUE_PCT, WORTH_PCT
from runner.post.compare.judging import (
    Verdict,
    at_most,
    both,
    figure_of,
    figures_of,
    judged,
    less_than,
    more_than,
    unresolved,
    untested,
)
from runner.post.vacuity import feeder_stress

UNEXPLAINED_USD = 0.01
UNDELIVERED_PCT = 0.5
"""Award that a total DSO may fail to deliver, of all awards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Place of a run by cost; none for one that broke limits."""

    code: str
    """Run."""
    cost_usd: float | None
    """All resources, storage left credited. [$]"""
    place: int | None
    """From 1; equal for runs that are not told apart; None: not ranked."""
    why: str
    """Why it is not ranked, or what stands beside its cost."""


def verdicts(comparison: Comparison) -> tuple[Verdict, ...]:
    """Every statement, judged."""
    return tuple(judge(comparison) for judge in _JUDGES)


def ranking(comparison: Comparison) -> tuple[Rank, ...]:
    """Runs by cost; a run that broke feeder limits or left load unserved has a cost and no place.

    No cost stands alone: what the run broke is said beside it.
    """
    ranked = sorted(
        (c for c in comparison.contenders if c.holds_limits and c.value("cost_compared_usd") is not None),
        key=_cost,
    )
    places: dict[str, int] = {}
    for k, contender in enumerate(ranked):
        alike = k and _cost(contender) - _cost(ranked[k - 1]) <= comparison.resolution_usd
        places[contender.code] = places[ranked[k - 1].code] if alike else k + 1
    return tuple(
        Rank(
            code=c.code, cost_usd=c.value("cost_compared_usd"), place=places.get(c.code), why=_beside(c)
        )
        for c in comparison.contenders
    )  # fmt: skip


def _cost(contender: Contender) -> float:
    cost = contender.value("cost_compared_usd")
    assert cost is not None
    return cost


def _beside(contender: Contender) -> str:
    broken = contender.value("violated_feeder_time_pct")
    unserved = contender.value("unserved_mwh")
    if broken is None or unserved is None:
        return "not ranked: the plant's tables are missing"
    figures = f"limits broken in {broken:.3g} % of feeder time, {unserved:.3g} MWh not served"
    return figures if contender.holds_limits else f"not ranked: {figures}"


def _accounts_close(comparison: Comparison) -> Verdict:
    key, statement = "accounts_close", "The settlement of every run closes to USD 0.01"
    values = figures_of(comparison.contenders, "settlement_unexplained_usd")
    if values is None:
        return untested(key, statement, "a run recorded no accounts")
    return at_most(key, statement, max(values), UNEXPLAINED_USD, "$", "greatest unexplained amount")


def _one_plan(comparison: Comparison) -> Verdict:
    plans = {c.tables.run.scenario.plan_hash for c in comparison.contenders}
    return at_most(
        "one_commitment", "All runs start from one commitment and one price forecast", float(len(plans)), 1.0,
        "", "different forward plans",
    )  # fmt: skip


def _stressed(comparison: Comparison) -> Verdict:
    key, statement = "feeders_are_stressed", "A limit of one feeder binds for long enough to compare anything"
    run = comparison.of("M5") or comparison.reference
    try:
        found = feeder_stress(run.tables)
    except MissingInputError as error:
        return untested(key, statement, str(error))
    why = f"{found.meaning}: {found.where or 'none'}, {run.code}"
    return judged(key, statement, found.value, found.least, found.unit, why, holds=found.holds)


def _no_bypass(comparison: Comparison) -> Verdict:
    key, statement = "layered_precludes_bypass", "Under M5 nothing passes the DSO between ISO and DERs"
    central = [c for c in comparison.contenders if c.model not in {"M0", "M0b", "M5"}]
    value, passed = figure_of(comparison, "M5", "bypass_messages"), figures_of(central, "bypass_messages")
    if value is None or not passed or min(passed) <= 0.0:
        return untested(key, statement, "needs M5 and a central model whose messages bypass")
    return at_most(key, statement, value, 0.0, "messages", "bypassing messages of M5")


def _blind_breaks(comparison: Comparison) -> Verdict:
    key, statement = "blind_breaks_limits", "M1, which sees no feeder, breaks feeder limits in the plant"
    value = figure_of(comparison, "M1", "violated_feeder_time_pct")
    if value is None:
        return untested(key, statement, "needs M1")
    return more_than(key, statement, value, MARGIN_PCT, "%", "feeder time with a limit broken")


def _layered_breaks_less(comparison: Comparison) -> Verdict:
    key, statement = "layered_breaks_less", "M5 breaks feeder limits for less time than M1"
    pair = both(comparison, "M5", "M1", "violated_feeder_time_pct")
    if pair is None:
        return untested(key, statement, "needs M1 and M5")
    if pair[1] <= MARGIN_PCT:
        return untested(key, statement, "M1 breaks no limit here")
    return less_than(key, statement, *pair, "%", "feeder time with a limit broken, M5 against M1")


def _layered_holds(comparison: Comparison) -> Verdict:
    key, statement = "layered_holds_limits", "M5 holds feeder limits within the stated margin"
    value = figure_of(comparison, "M5", "violated_feeder_time_pct")
    if value is None:
        return untested(key, statement, "needs M5")
    return at_most(key, statement, value, MARGIN_PCT, "%", "feeder time with a limit broken")


def _override_unwinds(comparison: Comparison) -> Verdict:
    key, statement = "override_unwinds", "M2 has to unwind awards by overrides"
    value = figure_of(comparison, "M2", "override_mwh")
    if value is None:
        return untested(key, statement, "needs M2")
    return more_than(key, statement, value, 0.0, "MWh", "overridden")


def _layered_delivers(comparison: Comparison) -> Verdict:
    key = "layered_delivers"
    statement = (
        f"What M5 cannot deliver is at most {UNDELIVERED_PCT:g} % of its awards, and less than M2 unwinds"
    )
    value = figure_of(comparison, "M5", "undelivered_pct")
    if value is None:
        return untested(key, statement, "needs M5")
    other = both(comparison, "M5", "M2", "undelivered_pct")
    if other is not None and 0.0 < other[1] <= other[0]:
        return judged(key, statement, value, other[1], "%", "of awards, M5 against M2", holds=False)
    return at_most(key, statement, value, UNDELIVERED_PCT, "%", "of awards")


def _layered_near_full(comparison: Comparison) -> Verdict:
    key = "layered_near_full_visibility"
    statement = f"As it came, M5 leaves unused at most {NEAR_VALUE_PCT:g} % of flexibility's value"
    pair = both(comparison, "M5", "M4", "cost_compared_usd")
    if pair is None:
        return untested(key, statement, "needs M4 and M5")
    if not _hold(comparison, "M4", "M5"):
        return untested(key, statement, "M4 or M5 broke feeder limits: their costs do not compare")
    difference, value = pair[0] - pair[1], comparison.flexibility_value_in_study.value
    why = "cost of M5 as it came less M4's"
    held = difference, NEAR_SHARE * abs(pair[1]), "$", why
    if value is None or value <= comparison.resolution_usd:
        statement = f"As it came, M5 costs at most {PERCENT * NEAR_SHARE:g} % more than M4"
    else:
        held = PERCENT * difference / value, NEAR_VALUE_PCT, "%", f"{why}, of the value in these hours"
    if 0.0 < difference <= comparison.resolution_usd:
        return unresolved(key, statement, difference, comparison)
    return at_most(key, statement, *held)


def _override_costs(comparison: Comparison) -> Verdict:
    key, statement = "override_costs", "What M2's overrides take has to be bought again, at a cost"
    taken, cost = (figure_of(comparison, "M2", name) for name in ("override_mwh", "override_cost_usd"))
    if taken is None or cost is None:
        return untested(key, statement, "needs M2")
    if taken <= 0.0:
        return untested(key, statement, "M2 overrides nothing here")
    return more_than(key, statement, cost, 0.0, "$", "overrides at the real-time LMP")


def _worth_it(comparison: Comparison) -> Verdict:
    key = "flexibility_matters"
    statement = f"The DERs' flexibility is worth {WORTH_PCT:g} % of the cost at least"
    value = comparison.flexibility_value.value
    cost = comparison.reference.value("cost_forward_compared_usd")
    if value is None or not cost:
        return untested(key, statement, comparison.flexibility_value.why_not)
    share = PERCENT * value / abs(cost)
    why = "of the forward cost of M4"
    return judged(key, statement, share, WORTH_PCT, "%", why, holds=share >= WORTH_PCT)


def _layered_cheapest(comparison: Comparison) -> Verdict:
    key, statement = "layered_is_cheapest", "M5 costs less than every other run that holds the limits"
    layered = comparison.of("M5")
    others = [c for c in comparison.contenders if c.model != "M5" and c.holds_limits]
    costs = figures_of(others, "cost_compared_usd")
    if layered is None or layered.value("cost_compared_usd") is None:
        return untested(key, statement, "needs M5")
    if not layered.holds_limits:
        return untested(key, statement, "M5 broke feeder limits: its cost does not compare")
    if not costs:
        return untested(key, statement, "no other run holds the limits")
    difference = _cost(layered) - min(costs)
    if abs(difference) <= comparison.resolution_usd:
        return unresolved(key, statement, difference, comparison)
    return less_than(key, statement, difference, 0.0, "$", "cost of M5 less the least of the others")


_JUDGES: tuple[Callable[[Comparison], Verdict], ...] = (
    _one_plan,
    _accounts_close,
    _stressed,
    _no_bypass,
    _blind_breaks,
    _override_unwinds,
    _override_costs,
    _layered_breaks_less,
    _layered_holds,
    _layered_delivers,
    _worth_it,
    _layered_near_full,
    _layered_cheapest,
    *evening.JUDGES,
    *forward.JUDGES,
    *net_load.JUDGES,
)


def _hold(comparison: Comparison, *models: str) -> bool:
    runs = [comparison.of(model) for model in models]
    return all(run is not None and run.holds_limits for run in runs)
