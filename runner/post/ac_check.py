"""The ISO's schedules in AC: what its DC market cleared, beside what the grid then carried.

The market knows active power and ratings as MW. The physical grid adds reactive power, losses, voltages and
the sharing of imbalances: a line at its limit in the market carries more in AC, or less; a line that the
market never looked at may be the one that is overloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from runner.post.run_tables import RunTables

LOADING_LIMIT_PCT = 100.0
NARROW_PU = (0.95, 1.05)
"""Voltages of normal operation."""
WIDE_PU = (0.90, 1.10)
"""Voltages of emergencies; outside, load would be lost."""
TOLERANCE = 1e-6
ROWS_SHOWN_COUNT = 12
SECONDS_MOST = 2**40
"""More than any study has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCheck:
    """One branch that the market held at its rating, or that AC shows above it."""

    branch: str
    market_bound_count: int
    """Intervals in which the market's flow was at the rating."""
    overloaded_count: int
    """Instants at which the branch carried more than its rating, as MVA."""
    loading_max_pct: float
    """Greatest apparent power over rating. [%]"""
    loading_when_bound_pct: float | None
    """Mean of the same where the market bound; None where it never did. [%]"""
    flow_beyond_market_mw: float | None
    """Greatest active flow beyond the market's own where it bound, at the busier end; None likewise. [MW]"""
    shadow_price_max_usd_per_mwh: float
    """Greatest worth of one more MW of rating. [$/MWh]"""

    @property
    def is_unforeseen(self) -> bool:
        """Whether AC shows an overload of a line that never bound in the market."""
        return self.overloaded_count > 0 and self.market_bound_count == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusCheck:
    """One bus whose voltage left normal operation."""

    bus: str
    v_min_pu: float
    v_max_pu: float
    outside_narrow_count: int
    """Instants outside 0.95-1.05 pu."""
    outside_wide_count: int
    """Instants outside 0.90-1.10 pu; they are outside the narrow band too."""
    lmp_mean_usd_per_mwh: float
    """Mean real-time price of the bus. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcCheck:
    """AC check of a run; instants are those of the tables ``branch`` and ``bus``."""

    instants_count: int
    """Instants checked."""
    branch_violations_count: int
    """Branch-instants above 100 % of the rating, as MVA."""
    unforeseen_violations_count: int
    """Of them, on branches that did not bind in the market in that interval."""
    bus_narrow_violations_count: int
    """Bus-instants outside 0.95-1.05 pu."""
    bus_wide_violations_count: int
    """Bus-instants outside 0.90-1.10 pu."""
    loading_max_pct: float
    """Greatest loading of a branch. [%]"""
    v_min_pu: float
    v_max_pu: float
    redispatch_mean_mw: float
    """Mean over instants of what all units give beside their awards, added up as magnitudes. [MW]"""
    branches: tuple[BranchCheck, ...]
    """Branches that bound or were overloaded, the most loaded first."""
    buses: tuple[BusCheck, ...]
    """Buses that left 0.95-1.05 pu, the most often outside first."""

    def to_dict(self) -> dict[str, object]:
        """Return the check as plain values, for JSON."""
        return asdict(self)

    def to_markdown(self) -> str:
        """Return the check as Markdown: one line of totals, a table of branches, a table of buses."""
        return "\n".join(_markdown(self))


def ac_check(run_dir: Path) -> AcCheck:
    """Compare AC state and market of a run.

    Parameters
    ----------
    run_dir
        Folder of a run with the tables ``branch``, ``bus``, ``lmp``, ``unit`` and ``unit_award``; without
        ``line_price`` no line bound.

    Raises
    ------
    MissingInputError
        If one of the five tables was not recorded.
    """
    tables = RunTables(run_dir)
    names, codes = tables.ids("branch")
    loading_pct = tables.column("branch", "loading_pct")
    market = _bound(tables, names)
    over = overloaded(loading_pct)
    held = np.array(list(market), dtype=np.int64).reshape(-1, 2)
    bound = np.isin(_keys(codes, tables.interval("branch")), _keys(held[:, 0], held[:, 1]))
    v_pu = tables.column("bus", "v_pu")
    return AcCheck(
        instants_count=int(np.unique(tables.t_s("branch")).size),
        branch_violations_count=int(over.sum()),
        unforeseen_violations_count=int((over & ~bound).sum()),
        bus_narrow_violations_count=int(_outside(v_pu, NARROW_PU).sum()),
        bus_wide_violations_count=int(_outside(v_pu, WIDE_PU).sum()),
        loading_max_pct=float(loading_pct.max()),
        v_min_pu=float(v_pu.min()),
        v_max_pu=float(v_pu.max()),
        redispatch_mean_mw=_redispatch_mw(tables),
        branches=_branches(tables, names, codes, bound, over, market),
        buses=_buses(tables),
    )


def overloaded(loading_pct: FloatArray) -> BoolArray:
    """Whether each loading is above the rating, by more than rounding; the shape is kept."""
    over: BoolArray = loading_pct > LOADING_LIMIT_PCT * (1.0 + TOLERANCE)
    return over


_Market = dict[tuple[int, int], tuple[float, float]]
"""Market flow [MW] and shadow price [$/MWh] by branch's place and interval."""


def _bound(tables: RunTables, names: tuple[str, ...]) -> _Market:
    if "line_price" not in tables.names:
        return {}
    place = {name: k for k, name in enumerate(names)}
    priced, codes = tables.ids("line_price")
    columns = [tables.column("line_price", c) for c in ("flow_mw", "shadow_price_usd_per_mwh")]
    rows = zip(
        codes.tolist(), tables.interval("line_price").tolist(), *(c.tolist() for c in columns), strict=True
    )
    return {(place[priced[k]], t): (flow, price) for k, t, flow, price in rows if priced[k] in place}


def _branches(
    tables: RunTables,
    names: tuple[str, ...],
    codes: IntArray,
    bound: BoolArray,
    over: BoolArray,
    market: _Market,
) -> tuple[BranchCheck, ...]:
    loading_pct = tables.column("branch", "loading_pct")
    ends = [np.abs(tables.column("branch", c)) for c in ("from_mw", "to_mw")]
    carried_mw = np.maximum(*ends)
    intervals = tables.interval("branch")
    checks = []
    for k in np.unique([*codes[over | bound].tolist(), *(place for place, _ in market)]).astype(int).tolist():
        mine, held = codes == k, (codes == k) & bound
        flows = np.array([abs(market[k, t][0]) for t in intervals[held].tolist()])
        prices = [price for (place, _), (_, price) in market.items() if place == k]
        checks.append(
            BranchCheck(
                branch=names[k],
                market_bound_count=len(prices),
                overloaded_count=int((mine & over).sum()),
                loading_max_pct=float(loading_pct[mine].max()),
                loading_when_bound_pct=float(loading_pct[held].mean()) if held.any() else None,
                flow_beyond_market_mw=float((carried_mw[held] - flows).max()) if held.any() else None,
                shadow_price_max_usd_per_mwh=max(prices, default=0.0),
            )
        )
    return tuple(sorted(checks, key=lambda c: (-c.loading_max_pct, c.branch)))


def _buses(tables: RunTables) -> tuple[BusCheck, ...]:
    names, codes = tables.ids("bus")
    v_pu = tables.column("bus", "v_pu")
    narrow, wide = _outside(v_pu, NARROW_PU), _outside(v_pu, WIDE_PU)
    priced, price_codes = tables.ids("lmp")
    lmp = tables.column("lmp", "lmp_usd_per_mwh")
    means = {name: float(lmp[price_codes == k].mean()) for k, name in enumerate(priced)}
    checks = [
        BusCheck(
            bus=names[k],
            v_min_pu=float(v_pu[codes == k].min()),
            v_max_pu=float(v_pu[codes == k].max()),
            outside_narrow_count=int(narrow[codes == k].sum()),
            outside_wide_count=int(wide[codes == k].sum()),
            lmp_mean_usd_per_mwh=means[names[k]],
        )
        for k in np.unique(codes[narrow]).tolist()
    ]
    return tuple(sorted(checks, key=lambda c: (-c.outside_narrow_count, c.bus)))


def _outside(v_pu: FloatArray, band_pu: tuple[float, float]) -> BoolArray:
    outside: BoolArray = (v_pu < band_pu[0] - TOLERANCE) | (v_pu > band_pu[1] + TOLERANCE)
    return outside


def _redispatch_mw(tables: RunTables) -> float:
    """Mean over instants of the units' outputs beside their awards of the interval. [MW]"""
    awarded, award_codes = tables.ids("unit_award")
    names, codes = tables.ids("unit")
    place = {name: k for k, name in enumerate(awarded)}
    as_awarded = np.array([place.get(name, -1) for name in names], dtype=np.int64)[codes]
    wanted = _keys(as_awarded, tables.interval("unit"))
    keys = _keys(award_codes, tables.t_s("unit_award"))
    order = np.argsort(keys, kind="stable")
    nearest = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), keys.size - 1)]
    has_award = (as_awarded >= 0) & (keys[nearest] == wanted)
    beside_mw = np.abs(
        tables.column("unit", "output_mw") - tables.column("unit_award", "set_point_mw")[nearest]
    )
    return float(beside_mw[has_award].sum() / max(np.unique(tables.t_s("unit")).size, 1))


def _keys(places: IntArray, intervals_s: IntArray) -> IntArray:
    """One whole number for each place and beginning of an interval, shape (rows,)."""
    keys: IntArray = places * SECONDS_MOST + intervals_s
    return keys


def _markdown(check: AcCheck) -> Iterator[str]:
    yield (
        f"{check.instants_count} instants: {check.branch_violations_count} branch overloads in AC "
        f"({check.unforeseen_violations_count} where the market did not bind), greatest loading "
        f"{check.loading_max_pct:.1f} %; voltages {check.v_min_pu:.3f}-{check.v_max_pu:.3f} pu, "
        f"{check.bus_narrow_violations_count} outside 0.95-1.05, {check.bus_wide_violations_count} outside "
        f"0.90-1.10; units stand {check.redispatch_mean_mw:.1f} MW beside their awards in the mean."
    )
    yield ""
    yield (
        "| branch | market at rating | AC above 100 % | AC max % | AC mean % when bound | "
        "beyond market MW | max $/MWh |"
    )
    yield "|---|---|---|---|---|---|---|"
    for b in check.branches[:ROWS_SHOWN_COUNT]:
        yield (
            f"| {b.branch} | {b.market_bound_count} | {b.overloaded_count} | {b.loading_max_pct:.1f} | "
            f"{_number(b.loading_when_bound_pct)} | {_number(b.flow_beyond_market_mw)} | "
            f"{b.shadow_price_max_usd_per_mwh:.1f} |"
        )
    yield ""
    yield "| bus | min pu | max pu | outside 0.95-1.05 | outside 0.90-1.10 | mean LMP $/MWh |"
    yield "|---|---|---|---|---|---|"
    for bus in check.buses[:ROWS_SHOWN_COUNT]:
        yield (
            f"| {bus.bus} | {bus.v_min_pu:.4f} | {bus.v_max_pu:.4f} | {bus.outside_narrow_count} | "
            f"{bus.outside_wide_count} | {bus.lmp_mean_usd_per_mwh:.1f} |"
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
