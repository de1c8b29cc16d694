"""Study H6, what a total DSO's bid leaves of the joint optimum: ``python -m tests.bench.bid_fidelity``.

A day of two areas with storage on IEEE 13-node feeders whose limits bind (`tests.reference.feeder_day`),
cleared under every bid: curves of 2 to 32 blocks, whose breakpoints are nested, a fixed quantity, one store
beside the curves, and exact cuts; stored energy valued at naive prices (those of the day with stores idle),
at prices advised in five rounds, or at good ones (those of exact cuts). The gap is what the award costs above
the joint optimum, which a linear program of its own finds. Falsified where exact cuts are more than 0.01 %
from it, or where a curve of more blocks costs that much more than one of fewer. Some 40 s of one core.
Written to ``--out``: gaps.csv, verdicts.json and bid_fidelity.html, which opens from its file.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from plotly.offline import get_plotlyjs

from federates.dso.bid_method import FixedQuantity, IntervalCurve
from runner.post import plots
from runner.post.compare.judging import Verdict, at_most, judged, less_than, more_than, untested
from runner.post.figures.drawing import Json, JsonObject, View
from runner.post.figures.traces import CYCLE, bars, height, short
from runner.post.page import Html, document, element, table
from tests.reference.feeder_bids import BidDay, Judged

BLOCKS = (2, 4, 8, 16, 32)
ROUNDS = 5
CURVE, FIXED, STORE, EXACT = "interval_curve", "fixed_quantity", "virtual_storage", "exact_cuts"
NAIVE, ADVISED, GOOD = "naive", f"{ROUNDS} rounds", "good"
EXACT_PCT = 0.01
"""Gap that counts: exact cuts stay within it, a rise from one curve to the next beyond it is one."""
APART_PCT = 0.1
"""Gap of the worst bid from which the day tells bids apart."""
PRACTICAL_PCT = 0.1
"""Gap that a bid of one message should reach."""
LEAST_LIMITS, LEAST_MOVED_MWH = 24, 1.0
"""Limits of feeders at the joint optimum, all hours together, and energy through one set's stores: a day that
has less says nothing of bids that carry both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A bid and what it leaves."""

    kind: str
    """Bid method."""
    prices: str
    """At which stored energy is valued."""
    blocks: int
    """Most blocks of an hour's curve; 0: it has none, or all that it takes."""
    cost_usd: float
    """Cost of the award. [$]"""
    gap_pct: float
    """Above the joint optimum, of it. [%]"""
    missed_mwh: float
    """Awarded and not drawn, or the reverse. [MWh]"""

    @property
    def name(self) -> str:
        """Bid and prices in words."""
        return f"{self.kind}{f':{self.blocks}' if self.blocks else ''}, {self.prices}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What makes the day worth looking at."""

    limits_count: int
    """Limits of feeders at which the joint optimum stands, all hours together."""
    moved_mwh: float
    """Energy through the stores of one set of each area. [MWh]"""


def measured(day: BidDay) -> list[Gap]:
    """Every bid, judged."""
    best = day.joint.cost_usd

    def gap(kind: str, prices: str, blocks: int, found: Judged) -> Gap:
        return Gap(
            kind=kind, prices=prices, blocks=blocks, cost_usd=found.cost_usd,
            gap_pct=100.0 * (found.cost_usd / best - 1.0), missed_mwh=found.missed_mwh,
        )  # fmt: skip

    exact = day.exact().day
    gaps = []
    for prices, forecast in ((NAIVE, day.naive_usd_per_mwh), (GOOD, day.prices(exact))):
        gaps += [gap(CURVE, prices, n, day.bid(forecast, IntervalCurve(blocks_limit=n))) for n in BLOCKS]
        gaps.append(gap(FIXED, prices, 0, day.bid(forecast, FixedQuantity())))
    most = IntervalCurve(blocks_limit=BLOCKS[-1])
    return [
        *gaps,
        gap(CURVE, ADVISED, BLOCKS[-1], day.rounds(ROUNDS, most)),
        gap(STORE, NAIVE, 0, day.virtual_storage()),
        gap(EXACT, "none", 0, day.judged(exact.curve_mw)),
    ]


def verdicts(gaps: Sequence[Gap], day: Day) -> tuple[Verdict, ...]:
    """What the gaps support."""
    exact = next(g for g in gaps if g.kind == EXACT)
    naive = [g for g in gaps if g.prices == NAIVE]
    rises = {
        more.name: more.gap_pct - fewer.gap_pct
        for prices in (NAIVE, GOOD)
        for fewer, more in pairwise(_curves(gaps, prices))
    }
    steepest = max(rises, key=lambda name: rises[name])
    by_kind = {(g.kind, g.blocks): g.gap_pct for g in naive}
    gains = {
        g.name: by_kind[g.kind, g.blocks] - g.gap_pct
        for g in gaps
        if g.prices in {ADVISED, GOOD} and (g.kind, g.blocks) in by_kind
    }
    least = min(gains, key=lambda name: gains[name])
    fixed = next(g for g in naive if g.kind == FIXED)
    other = max((g for g in naive if g.kind != FIXED), key=lambda g: g.gap_pct)
    near = min((g for g in gaps if g.kind != EXACT), key=lambda g: g.gap_pct)
    worst = max(gaps, key=lambda g: g.gap_pct)
    told = (
        at_most("exact_cuts_are_exact", f"Exact cuts are within {EXACT_PCT:g} % of the joint optimum",
                exact.gap_pct, EXACT_PCT, "%", "gap"),
        at_most("more_blocks_cost_no_more", "A curve of more blocks, breakpoints nested, costs no more",
                rises[steepest], EXACT_PCT, "%", f"greatest rise: {steepest}"),
        more_than("better_prices_cost_less", "Better prices expected make every bid cheaper", gains[least],
                  0.0, "%", f"least gain: {least}"),
        less_than("fixed_quantity_is_worst", "At naive prices a fixed quantity costs more than any other bid",
                  other.gap_pct, fixed.gap_pct, "%", f"{other.name} against {fixed.name}"),
        at_most("a_practical_bid_is_near", f"A bid that is no cut is within {PRACTICAL_PCT:g} %",
                near.gap_pct, PRACTICAL_PCT, "%", f"the best: {near.name}"),
    )  # fmt: skip
    tells = worst.gap_pct >= APART_PCT and day.limits_count >= LEAST_LIMITS
    tells = tells and day.moved_mwh >= LEAST_MOVED_MWH
    why = f"{worst.name}; {day.limits_count} limits of feeders bind, {day.moved_mwh:.2g} MWh through stores"
    statement = f"Limits bind, stores move, and the worst bid costs {APART_PCT:g} % more than the optimum"
    guard = judged("bids_differ", statement, worst.gap_pct, APART_PCT, "%", why, holds=tells)
    if not tells:
        told = tuple(untested(v.key, v.statement, "the day does not tell bids apart") for v in told)
    return (guard, *told)


def views(gaps: Sequence[Gap]) -> tuple[View, ...]:
    """Gaps against blocks, what has no blocks as levels; and every bid's as a bar."""
    traces: list[JsonObject] = []
    for prices in (NAIVE, GOOD):
        mine = _curves(gaps, prices)
        traces.append(_trace(f"{CURVE}, {prices}", mine, [g.gap_pct for g in mine], len(traces), "solid"))
    ends = _curves(gaps, NAIVE)
    for g in gaps:
        if g.kind != CURVE or g.prices == ADVISED:
            traces.append(_trace(g.name, ends, [g.gap_pct] * len(ends), len(traces), "dot"))
    blocks: Json = [float(n) for n in BLOCKS]
    title = "gap [%]"
    ranked = sorted(gaps, key=lambda g: -g.gap_pct)
    return (
        View(
            name="against blocks", traces=tuple(traces), y_title=title, x_title="most blocks of a curve",
            layout={"xaxis": {"type": "log", "tickvals": blocks}, "yaxis": {"type": "log"}},
        ),
        View(
            name="every bid", y_title="", x_title=title,
            traces=(bars("gap", [g.name for g in ranked], [g.gap_pct for g in ranked], CYCLE[0], "%"),),
            layout={**height(2 * len(ranked)), "xaxis": {"type": "log"},
                    "yaxis": {"type": "category", "autorange": "reversed"}},
        ),
    )  # fmt: skip


HEADS = (
    "bid",
    "stored energy valued at prices",
    "blocks",
    "cost of the award [$]",
    "gap [%]",
    "missed [MWh]",
)


def rows(gaps: Sequence[Gap]) -> list[tuple[str, ...]]:
    """Bids from the nearest on."""
    return [
        (
            *(g.kind, g.prices, str(g.blocks or "-"), f"{g.cost_usd:,.2f}"),
            *(f"{g.gap_pct:.5f}", f"{g.missed_mwh:.4f}"),
        )
        for g in sorted(gaps, key=lambda g: g.gap_pct)
    ]  # fmt: skip


def page(gaps: Sequence[Gap], told: Sequence[Verdict], best_usd: float) -> str:
    """Verdicts, figure and table as one page."""
    data: plots.Data = {}
    figure = plots.figure(
        "gaps", "What a bid leaves of the joint optimum",
        f"Of a day that costs {best_usd:,.2f} $ at best. An award is drawn as far as the areas can, at least "
        "cost with all that their stores carry from hour to hour; the bulk system dispatches for it.",
        views(gaps), file="bid_fidelity", tables=(), data=data,
    )  # fmt: skip
    judged_rows = [(v.statement, v.result, _shown(v.value), _shown(v.threshold), v.unit, v.why) for v in told]
    heads = ("statement", "verdict", "figure", "threshold", "unit", "of what")
    links = (("verdicts", "Verdicts"), ("gaps", "Gaps"), ("bids", "Every bid"))
    entries = [element("li", element("a", title, href=f"#{key}"), class_="section") for key, title in links]
    navigation = element(
        "nav", element("p", "Tandem", class_="mark"), element("ul", *entries), aria_label="Contents"
    )
    main = element(
        "main",
        element("h1", "bid_fidelity: what a total DSO's bid leaves of the joint optimum"),
        _panel("verdicts", "Verdicts", table(heads, judged_rows, numbers=(2, 3))),
        figure,
        _panel("bids", "Every bid", table(HEADS, rows(gaps), numbers=range(2, 6))),
        element("footer", "Written by python -m tests.bench.bid_fidelity. The page fetches nothing."),
    )
    body = element("div", navigation, main, class_="frame")
    return document("bid_fidelity - Tandem", body, data, get_plotlyjs())


def _panel(key: str, title: str, content: Html) -> Html:
    return element("div", element("h3", title), content, class_="panel", id=key)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _curves(gaps: Sequence[Gap], prices: str) -> list[Gap]:
    return sorted((g for g in gaps if g.kind == CURVE and g.prices == prices), key=lambda g: g.blocks)


def _trace(name: str, at: Sequence[Gap], y: Sequence[float], place: int, dash: str) -> JsonObject:
    return {
        "type": "scatter", "mode": "lines+markers" if dash == "solid" else "lines", "name": name,
        "x": short(g.blocks for g in at), "y": short(y),
        "line": {"color": CYCLE[place % len(CYCLE)], "dash": dash, "width": 1.8},
    }  # fmt: skip


def write(folder: Path, gaps: Sequence[Gap], told: Sequence[Verdict], best_usd: float) -> None:
    """Table, verdicts and page."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "gaps.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(asdict(gaps[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(g) for g in gaps)
    plain = {v.key: {k: x for k, x in asdict(v).items() if k != "key"} for v in told}
    (folder / "verdicts.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (folder / "bid_fidelity.html").write_text(page(gaps, told, best_usd), encoding="utf-8")


def main() -> None:
    """Measure, judge, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("results/bid_fidelity"))
    folder: Path = parser.parse_args().out
    day = BidDay()
    gaps = measured(day)
    told = verdicts(gaps, Day(limits_count=day.joint.feeder_limits_count, moved_mwh=day.joint.moved_mwh))
    write(folder, gaps, told, day.joint.cost_usd)
    print(f"joint optimum {day.joint.cost_usd:,.2f} $")
    for kind, prices, blocks, cost, gap, missed in rows(gaps):
        print(f"{kind:<16} {prices:<9} {blocks:>3} {cost:>12} $ {gap:>9} % {missed:>8} MWh missed")
    for v in told:
        held_to = f"{_shown(v.value)} {v.unit}, threshold {_shown(v.threshold)}"
        print(f"{v.result:<14} {v.statement}: {held_to}; {v.why}")
    print(f"written: {folder / 'bid_fidelity.html'}")


if __name__ == "__main__":
    main()
