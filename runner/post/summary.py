"""Key figures of a run, from its tables. What was not recorded has no figure; nothing becomes zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.reserve_offer import DSO_PRODUCTS
from runner.post.ac_check import overloaded
from runner.post.run_tables import RunTables

KW_PER_MW = 1_000.0
MIN_PER_H = 60.0
FULL_PCT = 100.0
SHORT_MW = 1e-4
"""Reserve missing that counts: more than the solver's tolerance. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a run: its unit ends its key."""

    key: str
    """Stable name, with the unit."""
    table: str
    """Table that it is taken from."""
    meaning: str
    """One line for people."""
    value: Callable[[RunTables], float]
    """How it is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """One figure for each LDA or federate."""

    key: str
    """Stable name, with the unit."""
    table: str
    """Table that it is taken from."""
    meaning: str
    """One line for people."""
    values: Callable[[RunTables], dict[str, float]]
    """How it is computed, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Key figures of a run."""

    figures: Mapping[str, float]
    """Figures of the whole run, by key; see ``FIGURES``."""
    by_lda: Mapping[str, Mapping[str, float]]
    """Figures of each LDA, by LDA and key; see ``LDA_FIGURES``."""
    wall_s: Mapping[str, Mapping[str, float]]
    """Seconds that each federate computed (``busy``) and waited (``wait``)."""

    def as_dict(self) -> dict[str, object]:
        """Figures as plain mappings, for JSON."""
        return asdict(self)


def summary(run_dir: Path) -> Summary:
    """Key figures of a run; the run may go on meanwhile.

    Raises
    ------
    MissingInputError
        If the folder holds no run.
    """
    tables = RunTables(run_dir)
    return Summary(
        figures={f.key: float(f.value(tables)) for f in FIGURES if f.table in tables.names},
        by_lda=_by_name(tables, LDA_FIGURES),
        wall_s=_by_name(tables, WALL_FIGURES),
    )


def _by_name(tables: RunTables, figures: tuple[Grouped, ...]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for figure in figures:
        if figure.table in tables.names:
            for name, value in figure.values(tables).items():
                found.setdefault(name, {})[figure.key] = value
    return dict(sorted(found.items()))


def _node_min(tables: RunTables, column: str) -> float:
    """Elements outside a limit times the time that they were. [min]"""
    return float(tables.column("feeder", column).sum() * tables.step_h * MIN_PER_H)


def _reduced_mwh(tables: RunTables, kind: str) -> float:
    """Energy that DERs of one kind could have given or taken and did not, multiplicity included. [MWh]"""
    kinds, place = tables.owners("der_type", 2)
    if kind not in kinds:
        return 0.0
    mine = place == kinds.index(kind)
    reduced_kw = tables.column("der_type", "curtailed_kw") * tables.multiplicities("der_type")
    return float(reduced_kw[mine].sum() / KW_PER_MW * tables.step_h)


def _delivered_pct(tables: RunTables) -> dict[str, float]:
    """Part delivered of the spinning reserve called, over the steps of all calls, by LDA with any. [%]"""
    spin = tables.column("deployment", "spin_mw")
    answer = tables.column("deployment", "delivered_mw") - tables.column("deployment", "regulation_mw")
    called = _sums(tables, "deployment", spin)
    delivered = _sums(tables, "deployment", np.where(spin > 0.0, answer, 0.0))
    return {name: FULL_PCT * delivered[name] / mw for name, mw in called.items() if mw > 0.0}


def _capacity_delivered_pct(tables: RunTables) -> dict[str, float]:
    """Part delivered of the capacity called, by LDA with any. [%]"""
    called = _sums(tables, "capacity", tables.column("capacity", "called_mwh"))
    delivered = _sums(tables, "capacity", tables.column("capacity", "delivered_mwh"))
    return {name: FULL_PCT * delivered[name] / mwh for name, mwh in called.items() if mwh > 0.0}


def _bypass_count(tables: RunTables) -> float:
    """Messages between an aggregator and the ISO, which skip the DSO."""
    names, codes = tables.ids("message")
    ends = [set(name.split("/", maxsplit=1)[0].split(">")) for name in names]
    skips = np.array(["iso" in pair and any(end.startswith("agg_") for end in pair) for pair in ends])
    return float(skips[codes].sum())


def _sums(tables: RunTables, table: str, values: FloatArray) -> dict[str, float]:
    """Sum of the rows of each LDA, or of each federate."""
    names, place = tables.owners(table)
    sums = np.bincount(place, values, len(names))
    return dict(zip(names, sums.tolist(), strict=True))


def _bid_mwh(tables: RunTables, *, greatest: bool) -> dict[str, float]:
    """Energy between whose bounds the real-time bids of each LDA lay: the least or the greatest. [MWh]"""
    names, codes = tables.ids("bid")
    t_s, import_mw = tables.t_s("bid"), tables.column("bid", "import_mw")
    now = np.array([int(name.split("/")[1]) for name in names])[codes] == t_s
    ends: dict[tuple[str, int], float] = {}
    choose = max if greatest else min
    for code, t, value in zip(codes[now].tolist(), t_s[now].tolist(), import_mw[now].tolist(), strict=True):
        key = names[code].split("/")[0], t
        ends[key] = choose(ends.get(key, value), value)
    total: dict[str, float] = {}
    for (lda, _), value in ends.items():
        total[lda] = total.get(lda, 0.0) + value * tables.market_h
    return total


def _figure(key: str, table: str, meaning: str, value: Callable[[RunTables], float]) -> Figure:
    return Figure(key=key, table=table, meaning=meaning, value=value)


def _of(
    key: str, table: str, column: str, meaning: str, reduce: Callable[[FloatArray], float] = np.sum
) -> Figure:
    """Figure that is one column, reduced."""
    return _figure(key, table, meaning, lambda t: float(reduce(t.column(table, column))))


def _integral(key: str, table: str, column: str, meaning: str) -> Figure:
    """Figure that is an amount per hour of market intervals, times their length."""
    return _figure(key, table, meaning, lambda t: float(t.column(table, column).sum() * t.market_h))


def _some(values: FloatArray) -> float:
    """Number of values above zero."""
    return float((values > 0).sum())


def _short(short_mw: FloatArray) -> float:
    """Number of intervals short of reserve by more than the solver's tolerance."""
    return float((short_mw > SHORT_MW).sum())


def _grouped(key: str, table: str, meaning: str, values: Callable[[RunTables], dict[str, float]]) -> Grouped:
    return Grouped(key=key, table=table, meaning=meaning, values=values)


FIGURES: tuple[Figure, ...] = (
    _of("intervals_cleared_count", "clearing", "demand_mw", "market intervals cleared", np.size),
    _of("lmp_min_usd_per_mwh", "lmp", "lmp_usd_per_mwh", "least LMP of any bus and interval", np.min),
    _of("lmp_mean_usd_per_mwh", "lmp", "lmp_usd_per_mwh", "mean LMP of buses and intervals", np.mean),
    _of("lmp_max_usd_per_mwh", "lmp", "lmp_usd_per_mwh", "greatest LMP of any bus and interval", np.max),
    _of(
        "line_binding_intervals_count", "clearing", "lines_bound_count", "intervals in which a line bound",
        _some,
    ),
    _of("penalty_priced_intervals_count", "clearing", "penalty_set", "intervals priced by a penalty"),
    _integral("true_cost_usd", "clearing", "true_cost_usd_per_h", "resource cost of the units"),
    _integral("co2_t", "clearing", "co2_t_per_h", "emissions of the units"),
    _integral("unserved_mwh", "clearing", "shed_mw", "demand that the market did not serve"),
    _integral("surplus_mwh", "clearing", "surplus_mw", "energy with no taker"),
    _integral("lines_over_mwh", "clearing", "lines_over_mw", "market flow above ratings"),
    _integral("market_losses_mwh", "clearing", "loss_mw", "losses of the real-time market's own flows"),
    _figure(
        "ac_losses_mwh", "system", "AC losses of the bulk grid",
        lambda t: float(t.column("system", "losses_mw").sum() * t.step_h),
    ),
    _of(
        "losses_held_intervals_count", "clearing", "loss_held",
        "intervals in which losses were held, since prices made wasting energy worth while",
    ),
    _of(
        "reserve_short_intervals_count", "clearing", "reserve_short_mw",
        "intervals short of a reserve", _short,
    ),
    _of(
        "reserve_price_max_usd_per_mw_h", "reserve", "price_usd_per_mw_h",
        "greatest real-time price of a requirement", np.max,
    ),
    _of("reserve_cost_usd", "account", "reserve_cost_usd", "paid for reserves in both markets"),
    _of(
        "day_ahead_penalty_hours_count", "day_ahead", "penalty_set_count",
        "day-ahead hours priced by a penalty",
    ),
    _of("day_ahead_cost_usd", "day_ahead", "cost_usd", "objective of the day-ahead markets"),
    _of("commitment_gap_max_pct", "day_ahead", "commitment_gap_pct", "greatest gap of a commitment", np.max),
    _of(
        "settlement_unexplained_usd", "account", "unexplained_usd",
        "settlement on which lines, duals and meters do not agree, either way",
        lambda unexplained_usd: float(np.abs(unexplained_usd).sum()),
    ),
    _of("make_whole_usd", "account", "make_whole_usd", "paid to units short of their offer cost"),
    _of("congestion_rent_usd", "account", "congestion_rent_usd", "congestion rent of both markets"),
    _of("td_residual_v_max_pu", "system", "residual_v_pu", "greatest voltage change of a last pass", np.max),
    _of("td_residual_s_max_pu", "system", "residual_s_pu", "greatest T-D power difference", np.max),
    _of("passes_median_count", "system", "passes", "median passes of the T-D fixed point", np.median),
    _of("passes_max_count", "system", "passes", "most passes of the T-D fixed point", np.max),
    _of(
        "fixed_points_missed_count", "system", "accepted", "physical steps that missed the tolerance",
        lambda accepted: _some(1.0 - accepted),
    ),
    _of(
        "branch_overloads_count", "branch", "loading_pct",
        "instants at which a transmission branch was above its rating in AC, by branch",
        lambda loading_pct: float(overloaded(loading_pct).sum()),
    ),
    _of("branch_loading_max_pct", "branch", "loading_pct", "greatest AC loading of a branch", np.max),
    _of("feeder_v_min_pu", "feeder", "v_min_pu", "least voltage of a distribution node", np.min),
    _of("feeder_v_max_pu", "feeder", "v_max_pu", "greatest voltage of a distribution node", np.max),
    _figure(
        "violation_a_node_min", "feeder", "load nodes outside 0.95-1.05 pu, unmultiplied",
        lambda t: _node_min(t, "nodes_outside_a_count"),
    ),
    _figure(
        "violation_b_node_min", "feeder", "load nodes outside 0.917-1.058 pu, unmultiplied",
        lambda t: _node_min(t, "nodes_outside_b_count"),
    ),
    _figure(
        "overload_element_min", "feeder", "feeder lines above their ampacity, unmultiplied",
        lambda t: _node_min(t, "lines_over_count"),
    ),
    _figure(
        "head_limit_violation_min", "feeder", "feeders above their import or export limit, unmultiplied",
        lambda t: _some(t.column("feeder", "head_over_kva")) * t.step_h * MIN_PER_H,
    ),
    _figure(
        "substation_overload_min", "head", "substation transformers above their rating, unmultiplied",
        lambda t: (
            _some(t.column("head", "substation_loading_pct") - FULL_PCT) * t.step_h * MIN_PER_H
        ),
    ),
    _of("tap_moves_count", "feeder", "tap_moves_count", "tap steps of feeder regulators, unmultiplied"),
    _figure(
        "curtailed_mwh", "der_type", "PV available and not injected, multiplicity included",
        lambda t: _reduced_mwh(t, "pv"),
    ),
    _figure(
        "flexible_reduced_mwh", "der_type", "flexible demand not taken, multiplicity included",
        lambda t: _reduced_mwh(t, "flexible"),
    ),
    _of("map_error_max_pu", "dispatch", "map_error_pu", "greatest voltage error of a linear map", np.max),
    _of("messages_count", "message", "size_bytes", "messages of the federation", np.size),
    _of("messages_bytes", "message", "size_bytes", "their size"),
    _figure(
        "bypass_messages_count", "message", "messages between aggregators and the ISO, past the DSO",
        _bypass_count,
    ),
)  # fmt: skip
"""Figures of the whole run."""

LDA_FIGURES: tuple[Grouped, ...] = (
    _grouped(
        "bid_least_mwh", "bid", "energy at the least net import of the real-time bids",
        lambda t: _bid_mwh(t, greatest=False),
    ),
    _grouped(
        "bid_greatest_mwh", "bid", "energy at the greatest net import of the real-time bids",
        lambda t: _bid_mwh(t, greatest=True),
    ),
    _grouped(
        "award_mwh", "award", "net import awarded in real time",
        lambda t: _sums(t, "award", t.column("award", "award_mw") * t.market_h),
    ),
    _grouped(
        "metered_mwh", "head", "net import metered at the interface",
        lambda t: _sums(t, "head", t.column("head", "p_mw") * t.step_h),
    ),
    _grouped(
        "reserve_sold_mwh", "lda_reserve", "reserve awarded in real time, all products, times time",
        lambda t: _sums(
            t, "lda_reserve",
            np.sum([t.column("lda_reserve", f"{name}_mw") for name in DSO_PRODUCTS], axis=0) * t.market_h,
        ),
    ),
    _grouped(
        "reserve_called_mwh", "deployment", "spinning reserve called times time",
        lambda t: _sums(t, "deployment", t.column("deployment", "spin_mw") * t.step_h),
    ),
    _grouped(
        "reserve_delivered_pct", "deployment", "part delivered of the spinning reserve called",
        _delivered_pct,
    ),
    _grouped(
        "capacity_paid_usd", "capacity", "paid for capacity",
        lambda t: _sums(t, "capacity", t.column("capacity", "paid_usd")),
    ),
    _grouped(
        "capacity_called_mwh", "capacity", "capacity called times time",
        lambda t: _sums(t, "capacity", t.column("capacity", "called_mwh")),
    ),
    _grouped(
        "capacity_delivered_pct", "capacity", "part delivered of the capacity called",
        _capacity_delivered_pct,
    ),
    _grouped(
        "payment_usd", "award", "award times LMP, real time only",
        lambda t: _sums(
            t, "award",
            t.column("award", "award_mw") * t.column("award", "lmp_usd_per_mwh") * t.market_h,
        ),
    ),
)  # fmt: skip
"""Figures of each LDA; energy is net import, multiplicity included."""

WALL_FIGURES: tuple[Grouped, ...] = (
    _grouped("busy", "timing", "computing", lambda t: _sums(t, "timing", t.column("timing", "busy_s"))),
    _grouped("wait", "timing", "waiting", lambda t: _sums(t, "timing", t.column("timing", "wait_s"))),
)
"""Seconds of the machine, by federate."""
