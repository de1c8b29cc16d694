"""The AC check of the market's schedules as a panel of the report."""

from __future__ import annotations

from runner.post.ac_check import ROWS_SHOWN_COUNT, AcCheck, BranchCheck, BusCheck, ac_check
from runner.post.page import Html, element, origin, table
from runner.post.run_tables import RunTables

KEY = "ac-check"
TITLE = "The market's schedules in AC"
NEEDS = ("branch", "bus", "lmp", "unit", "unit_award")
SEES = (
    "The market holds active power below each rating in a linear grid; the AC grid adds reactive power,"
    " losses and the sharing of imbalances, against the same ratings as MVA. Listed are branches at their"
    " rating in the market or above it in AC, the most loaded first, and buses that left 0.95-1.05 pu."
)
BRANCH_HEADS = (
    "branch", "at rating in market [intervals]", "above rating in AC [instants]", "greatest AC loading [%]",
    "mean AC loading when bound [%]", "most beyond market flow [MW]", "greatest shadow price [$/MWh]",
)  # fmt: skip
BUS_HEADS = (
    "bus", "least [pu]", "greatest [pu]", "outside 0.95-1.05 pu [instants]",
    "outside 0.90-1.10 pu [instants]", "mean LMP [$/MWh]",
)  # fmt: skip


def ac_panel(tables: RunTables) -> Html:
    """Totals, what they mean, the worst branches and the worst buses."""
    check = ac_check(tables.run_dir)
    sources = (*NEEDS, *(name for name in ("line_price",) if name in tables.names))
    return element(
        "div",
        element("h3", TITLE),
        element("p", SEES, class_="sees"),
        _totals(check),
        element("p", meaning(check)),
        *_worst(BRANCH_HEADS, [_branch(b) for b in check.branches], "branches"),
        *_worst(BUS_HEADS, [_bus(b) for b in check.buses], "buses"),
        origin(*sources),
        class_="panel",
        id=KEY,
    )


def meaning(check: AcCheck) -> str:
    """What the counts say, in one sentence."""
    over, unforeseen = check.branch_violations_count, check.unforeseen_violations_count
    if not over and not check.bus_narrow_violations_count:
        return (
            "What the market cleared, the AC grid carried: no branch was above its rating and no bus outside"
            " 0.95-1.05 pu."
        )
    if not over:
        return (
            "No branch was above its rating in AC; but buses left 0.95-1.05 pu, and of voltages the market"
            " knows nothing."
        )
    if not unforeseen:
        return (
            "Every overload is on a branch whose flow in the market was at the rating: the market saw the"
            " limit, and the excess is what lies between its linear grid and the AC grid."
        )
    return (
        f"{over - unforeseen:,} of {over:,} overloads are on branches whose flow in the market was at the"
        " rating in that interval: it saw the limit, and the excess is what lies between its linear grid and"
        f" the AC grid; the other {unforeseen:,} are on branches below their rating in the market then, so"
        " that no price told of them."
    )


def _totals(check: AcCheck) -> Html:
    shown = (
        ("Instants", "instants_count", f"{check.instants_count:,}", ""),
        ("Branch overloads", "branch_violations_count", f"{check.branch_violations_count:,}", ""),
        ("where the market did not bind", "unforeseen_violations_count",
         f"{check.unforeseen_violations_count:,}", ""),
        ("Greatest AC loading", "loading_max_pct", f"{check.loading_max_pct:.1f}", " %"),
        ("Bus-instants outside 0.95-1.05 pu", "bus_narrow_violations_count",
         f"{check.bus_narrow_violations_count:,}", ""),
        ("outside 0.90-1.10 pu", "bus_wide_violations_count", f"{check.bus_wide_violations_count:,}", ""),
        ("Least voltage", "v_min_pu", f"{check.v_min_pu:.3f}", " pu"),
        ("Greatest voltage", "v_max_pu", f"{check.v_max_pu:.3f}", " pu"),
        ("Units beside their awards, mean", "redispatch_mean_mw", f"{check.redispatch_mean_mw:.1f}", " MW"),
    )  # fmt: skip
    plain = check.to_dict()
    return element(
        "dl",
        *(
            element("div", element("dt", words), element("dd", _data(key, text, plain[key]), unit))
            for words, key, text, unit in shown
        ),
        class_="facts",
    )


def _worst(heads: tuple[str, ...], rows: list[tuple[str, ...]], kind: str) -> tuple[Html, ...]:
    """The first rows, and how many more there are."""
    if not rows:
        return (element("p", f"No {kind} to list.", class_="sees"),)
    listed = table(heads, rows[:ROWS_SHOWN_COUNT], numbers=range(1, len(heads)))
    more = len(rows) - ROWS_SHOWN_COUNT
    return (listed, element("p", f"And {more:,} more {kind}.", class_="sees")) if more > 0 else (listed,)


def _branch(b: BranchCheck) -> tuple[str, ...]:
    return (
        b.branch,
        _cell(b.branch, "market_bound_count", b.market_bound_count, 0),
        _cell(b.branch, "overloaded_count", b.overloaded_count, 0),
        _cell(b.branch, "loading_max_pct", b.loading_max_pct, 1),
        _cell(b.branch, "loading_when_bound_pct", b.loading_when_bound_pct, 1),
        _cell(b.branch, "flow_beyond_market_mw", b.flow_beyond_market_mw, 1),
        _cell(b.branch, "shadow_price_max_usd_per_mwh", b.shadow_price_max_usd_per_mwh, 1),
    )


def _bus(b: BusCheck) -> tuple[str, ...]:
    return (
        b.bus,
        _cell(b.bus, "v_min_pu", b.v_min_pu, 4),
        _cell(b.bus, "v_max_pu", b.v_max_pu, 4),
        _cell(b.bus, "outside_narrow_count", b.outside_narrow_count, 0),
        _cell(b.bus, "outside_wide_count", b.outside_wide_count, 0),
        _cell(b.bus, "lmp_mean_usd_per_mwh", b.lmp_mean_usd_per_mwh, 1),
    )


def _cell(owner: str, key: str, value: float | None, decimals: int) -> str:
    """A figure of a row; a dash where the market never bound."""
    return "-" if value is None else _data(f"{owner}/{key}", f"{value:,.{decimals}f}", value)


def _data(key: str, text: str, value: object) -> Html:
    return element("data", text, value=repr(value), data_check=key)
