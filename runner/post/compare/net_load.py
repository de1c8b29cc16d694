"""H4: on a day with a duck's curve, who coordinates DERs lowers peak, swing, ramp and curtailment.

Falsified where the total DSO's net-load peak is not below that of uncoordinated areas.
"""

from __future__ import annotations

from runner.post.compare.comparison import PERCENT, Comparison, Contender
from runner.post.compare.judging import Verdict, judged, less_than, more_than, untested

PEAK = "net_load_peak_mw"
DUCK = {
    PEAK: "peak",
    "net_load_swing_mw": "daily swing",
    "net_load_ramp_3h_mw": "three-hour ramp",
    "renewables_curtailed_mwh": "curtailment",
}
"""Figures of the curve, all the better the less they are."""
LEAST_RAMP_PCT = 40.0
"""Steepest three hours that make a duck, of the peak of net load."""
LEAST_SHARE_PCT = 30.0
"""Wind and sun that make one, of all demand."""


def _duck_is_there(comparison: Comparison) -> Verdict:
    key = "net_load_is_a_duck"
    statement = (
        f"Uncoordinated, net load climbs by {LEAST_RAMP_PCT:g} % of its peak in three hours, wind and sun "
        f"are {LEAST_SHARE_PCT:g} % of demand, and some of them is curtailed"
    )
    base = comparison.of("M0")
    if base is None or not _whole_day(base):
        return untested(key, statement, "needs M0 over a whole day")
    figures = {name: base.value(name) or 0.0 for name in (*DUCK, "renewables_share_pct")}
    ramp = PERCENT * figures["net_load_ramp_3h_mw"] / figures[PEAK]
    share, curtailed = figures["renewables_share_pct"], figures["renewables_curtailed_mwh"]
    holds = ramp >= LEAST_RAMP_PCT and share >= LEAST_SHARE_PCT and curtailed > 0.0
    why = f"three-hour ramp of the peak; wind and sun {share:.0f} % of demand, {curtailed:,.0f} MWh curtailed"
    return judged(key, statement, ramp, LEAST_RAMP_PCT, "%", why, holds=holds)


def _layered_cuts_the_peak(comparison: Comparison) -> Verdict:
    key, statement = "layered_cuts_net_load_peak", "M5's peak of net load is below M0's"
    pair = _with_base(comparison, "M5")
    if isinstance(pair, str):
        return untested(key, statement, pair)
    peak, base = (run.value(PEAK) or 0.0 for run in pair)
    return less_than(key, statement, peak, base, "MW", "net-load peak, M5 against M0")


def _layered_flattens(comparison: Comparison) -> Verdict:
    return _flattens(comparison, "M5", "layered_flattens_net_load")


def _full_sight_flattens(comparison: Comparison) -> Verdict:
    return _flattens(comparison, "M4", "full_sight_flattens_net_load")


def _override_flattens_less(comparison: Comparison) -> Verdict:
    key = "override_cuts_part_of_the_peak"
    statement = "M2 cuts the peak of net load too, and by less than M5"
    layered, override = _with_base(comparison, "M5"), _with_base(comparison, "M2")
    if isinstance(layered, str) or isinstance(override, str):
        return untested(key, statement, "needs M0, M2 and M5 on a day with a duck")
    whole, part = (_cuts_pct(*pair)[PEAK] for pair in (layered, override))
    why = f"cut of M2, of M0's peak; M5 {whole:.3g} %"
    return judged(key, statement, part, whole, "%", why, holds=0.0 < part < whole)


JUDGES = (
    _duck_is_there,
    _layered_cuts_the_peak,
    _layered_flattens,
    _full_sight_flattens,
    _override_flattens_less,
)


def _flattens(comparison: Comparison, model: str, key: str) -> Verdict:
    statement = f"{model} has less peak, swing, three-hour ramp and curtailment than M0"
    pair = _with_base(comparison, model)
    if isinstance(pair, str):
        return untested(key, statement, pair)
    cuts = _cuts_pct(*pair)
    told = ", ".join(f"{DUCK[name]} {cut:.3g} %" for name, cut in cuts.items())
    return more_than(key, statement, min(cuts.values()), 0.0, "%", f"least of the cuts: {told}")


def _with_base(comparison: Comparison, model: str) -> tuple[Contender, Contender] | str:
    """A model and M0, both over a day with a duck; or what is missing."""
    run, base = comparison.of(model), comparison.of("M0")
    if run is None or base is None or not (_whole_day(run) and _whole_day(base)):
        return f"needs M0 and {model} over a whole day"
    if _duck_is_there(comparison).result != "supported":
        return "net load is no duck here"
    return run, base


def _whole_day(run: Contender) -> bool:
    return all(run.value(name) is not None for name in (*DUCK, "renewables_share_pct"))


def _cuts_pct(run: Contender, base: Contender) -> dict[str, float]:
    """How far each figure is below the other run's, of it. [%]"""
    found = {}
    for name in DUCK:
        own, other = run.value(name), base.value(name)
        assert own is not None
        assert other is not None
        found[name] = PERCENT * (1.0 - own / other)
    return found
