"""What a run did to the grid and to those who use it, by the plant and the AC power flow."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from runner.post.ac_check import overloaded
from runner.post.metrics.metric import (
    HOUR_S,
    KW_PER_MW,
    MIN_PER_H,
    Better,
    Family,
    Metric,
    market_integral,
    multiplied,
    of_kind,
    step_integral,
)
from runner.post.run_tables import RunTables

HEAD_COUNTS_KVA = 1.0
"""Power above a head's limit that counts as beyond it. [kVA]"""
FULL_PCT = 100.0
WITHIN_SHARE, WITHIN_MW = 0.01, 0.1
"""An interval is on schedule within 1 % of the area's peak or 0.1 MW, whichever is more."""


def violated(tables: RunTables) -> BoolArray:
    """Whether each row of ``feeder`` breaks a limit: a node outside range B, an element or the head over."""
    outside_b = tables.column("feeder", "nodes_outside_b_count") > 0
    over = tables.column("feeder", "lines_over_count") > 0
    head: BoolArray = tables.column("feeder", "head_over_kva") > HEAD_COUNTS_KVA
    return outside_b | over | head


def deviations_mw(tables: RunTables) -> FloatArray:
    """Metered interchange less award of every LDA and market interval in both tables. [MW]"""
    award = tables.interval_means("award", tables.column("award", "award_mw"))
    metered = tables.interval_means("head", tables.column("head", "p_mw"))
    return np.array([metered[key] - award[key] for key in sorted(award.keys() & metered.keys())])


def _count_h(tables: RunTables, column: str) -> float:
    return step_integral(tables, tables.column("feeder", column))


def _branch_h(tables: RunTables) -> float:
    t_s = np.unique(tables.t_s("branch"))
    apart_s = float(np.diff(t_s).min()) if t_s.size > 1 else float(tables.run.clock.step_s)
    return float(overloaded(tables.column("branch", "loading_pct")).sum()) * apart_s / HOUR_S


def _within_pct(tables: RunTables) -> float:
    award = tables.interval_means("award", tables.column("award", "award_mw"))
    metered = tables.interval_means("head", tables.column("head", "p_mw"))
    peak: dict[str, float] = {}
    for (lda, _), value in metered.items():
        peak[lda] = max(peak.get(lda, 0.0), abs(value))
    common = award.keys() & metered.keys()
    near = [
        abs(metered[key] - award[key]) <= max(WITHIN_SHARE * peak[key[0]], WITHIN_MW) for key in common
    ]  # fmt: skip
    return FULL_PCT * float(np.mean(near)) if near else np.nan


def _net_import_mw(tables: RunTables) -> FloatArray:
    """Net import of all LDAs together in each market interval, in order, shape (intervals,). [MW]"""
    total: dict[int, float] = {}
    for (_, t), value in tables.interval_means("head", tables.column("head", "p_mw")).items():
        total[t] = total.get(t, 0.0) + value
    return np.array([total[t] for t in sorted(total)])


def _ramp_mw(tables: RunTables) -> float:
    net, apart = _net_import_mw(tables), max(HOUR_S // tables.run.clock.market_s, 1)
    return float(np.abs(net[apart:] - net[:-apart]).max()) if net.size > apart else np.nan


def _reduced_mwh(tables: RunTables, kind: str) -> float:
    reduced_kw = multiplied(tables, "der_type", "curtailed_kw") * of_kind(tables, "der_type", kind)
    return step_integral(tables, reduced_kw / KW_PER_MW)


def _throughput_mwh(tables: RunTables) -> float:
    p_kw = np.abs(multiplied(tables, "der_type", "p_kw")) * of_kind(tables, "der_type", "battery")
    return step_integral(tables, p_kw / KW_PER_MW)


def _export_mwh(tables: RunTables) -> float:
    return step_integral(tables, np.maximum(-tables.column("head", "p_mw"), 0.0))


def _metric(
    key: str, meaning: str, needs: str, value: object, *, better: Better = "less", title: str = ""
) -> Metric:
    assert callable(value)
    return Metric(
        key=key, meaning=meaning, needs=tuple(needs.split()), value=value, better=better, title=title
    )


FAMILY = Family(
    key="physical",
    title="Physical: what the plant and the AC power flow show",
    metrics=(
        _metric(
            "violated_feeder_time_pct", "share of feeder-steps with a load node outside range B, an element "
            "above 100 % or a head above its limit, unmultiplied", "feeder",
            lambda t: FULL_PCT * float(violated(t).mean()), title="feeder time with a limit broken",
        ),
        _metric(
            "violation_node_min", "load nodes outside range A (0.95-1.05 pu) times minutes, unmultiplied",
            "feeder", lambda t: _count_h(t, "nodes_outside_a_count") * MIN_PER_H,
            title="voltage outside range A",
        ),
        _metric(
            "violation_b_node_min", "load nodes outside range B (0.917-1.058 pu) times minutes, unmultiplied",
            "feeder", lambda t: _count_h(t, "nodes_outside_b_count") * MIN_PER_H,
            title="voltage outside range B",
        ),
        _metric("v_min_pu", "least voltage of a load node", "feeder",
                lambda t: t.column("feeder", "v_min_pu").min(), better="neither"),
        _metric("v_max_pu", "greatest voltage of a load node", "feeder",
                lambda t: t.column("feeder", "v_max_pu").max(), better="neither"),
        _metric(
            "overload_element_h", "feeder lines, regulators and transformers above 100 % times hours, "
            "unmultiplied", "feeder", lambda t: _count_h(t, "lines_over_count"),
            title="feeder elements overloaded",
        ),
        _metric("line_loading_max_pct", "greatest loading of a feeder line, regulator or transformer",
                "feeder", lambda t: t.column("feeder", "line_loading_max_pct").max()),
        _metric(
            "head_limit_min", f"feeders more than {HEAD_COUNTS_KVA:g} kVA above their import or export limit "
            "times minutes, unmultiplied", "feeder",
            lambda t: float((t.column("feeder", "head_over_kva") > HEAD_COUNTS_KVA).sum()) * t.step_h
            * MIN_PER_H, title="feeder heads above their limit",
        ),
        _metric("head_excess_kvah", "apparent power above heads' limits over time, unmultiplied", "feeder",
                lambda t: _count_h(t, "head_over_kva")),
        _metric("head_excess_max_kva", "greatest apparent power above a head's limit", "feeder",
                lambda t: t.column("feeder", "head_over_kva").max()),
        _metric(
            "substation_overload_min", "substation transformers above rating times minutes, unmultiplied",
            "head", lambda t: float((t.column("head", "substation_loading_pct") > FULL_PCT).sum()) * t.step_h
            * MIN_PER_H,
        ),
        _metric("branch_overload_element_h", "transmission branches above rating in AC times hours",
                "branch", _branch_h),
        _metric("unserved_mwh", "demand that the real-time market did not serve", "clearing",
                lambda t: market_integral(t, "clearing", "shed_mw"), title="demand not served"),
        _metric(
            "service_missed_mwh", "energy due to vehicles and processes and missing, multiplicity included",
            "der_service", lambda t: multiplied(t, "der_service", "unserved_kwh").sum() / KW_PER_MW,
        ),
        _metric(
            "comfort_missed_h", "time that rooms and tanks were outside their bands, every unit counted",
            "der_service", lambda t: multiplied(t, "der_service", "outside_min").sum() / MIN_PER_H,
        ),
        _metric("curtailed_mwh", "PV available and not injected, multiplicity included", "der_type",
                lambda t: _reduced_mwh(t, "pv"), title="PV curtailed"),
        _metric("flexible_reduced_mwh", "flexible demand not taken, multiplicity included", "der_type",
                lambda t: _reduced_mwh(t, "flexible"), better="neither"),
        _metric("reverse_flow_h", "LDAs that export times hours", "head",
                lambda t: float((t.column("head", "p_mw") < 0.0).sum()) * t.step_h, better="neither"),
        _metric("reverse_flow_mwh", "energy exported by LDAs while they export", "head", _export_mwh,
                better="neither"),
        _metric("td_imbalance_rms_mw", "root mean square of metered interchange less award, LDA by LDA and "
                "interval by interval", "award head",
                lambda t: np.sqrt(np.mean(deviations_mw(t) ** 2)) if deviations_mw(t).size else np.nan,
                title="interchange off schedule, RMS"),
        _metric("td_imbalance_mwh", "metered interchange less award, absolute", "award head",
                lambda t: float(np.abs(deviations_mw(t)).sum()) * t.market_h),
        _metric("td_on_schedule_pct", "LDA-intervals within 1 % of the LDA's peak or 0.1 MW of the award",
                "award head", _within_pct, better="more"),
        _metric("ldas_peak_mw", "greatest net import of all LDAs together in a market interval", "head",
                lambda t: _net_import_mw(t).max(), title="peak of the LDAs together"),
        _metric("ldas_ramp_1h_mw", "greatest change of it within an hour", "head", _ramp_mw),
        _metric("transmission_losses_mwh", "AC losses of the bulk grid", "system",
                lambda t: step_integral(t, t.column("system", "losses_mw"))),
        _metric("distribution_losses_mwh", "losses below the interfaces, multiplicity included", "head",
                lambda t: step_integral(t, multiplied(t, "head", "losses_kw") / KW_PER_MW)),
        _metric("tap_moves_count", "tap steps of feeder regulators, unmultiplied", "feeder",
                lambda t: t.column("feeder", "tap_moves_count").sum()),
        _metric("battery_throughput_mwh", "energy in and out of DER batteries, multiplicity included",
                "der_type", _throughput_mwh, better="neither"),
        _metric(
            "co2_t", "emissions of units and of DER generators, multiplicity included",
            "clearing der_service",
            lambda t: market_integral(t, "clearing", "co2_t_per_h")
            + multiplied(t, "der_service", "co2_kg").sum() / KW_PER_MW, title="CO₂ emitted",
        ),
    ),
)  # fmt: skip
