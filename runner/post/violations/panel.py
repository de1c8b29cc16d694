"""Violations and their causes as a panel of the report, and in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from runner.post.figures.grid import clock_text
from runner.post.page import Html, element, origin, table
from runner.post.run_tables import RunTables
from runner.post.violations.causes import CAUSES, Explained
from runner.post.violations.read import ALSO, explained_violations
from runner.post.violations.violation import Kind, Side, Violation

KEY = "causes"
TITLE = "Violations and their causes"
NEEDS = ("feeder",)
ROWS_MOST = 500
"""Violations that the page lists: those of the most node-, element- or head-minutes."""
SEES = (
    "A violation is one stretch of steps in which a feeder of the plant was outside one limit on one side,"
    " unmultiplied. Its cause is the first of the rules below that the tables bear out; what none fits is not"
    " explained."
)
AMOUNTS = {
    Kind.RANGE_A: ("outside range A", "node-min"),
    Kind.RANGE_B: ("outside range B", "node-min"),
    Kind.RATING: ("above a rating", "element-min"),
    Kind.HEAD: ("head above its limit", "min"),
}
"""Words for a limit, and the unit in which its violations are added up."""
SIDES = {
    (Kind.RATING, Side.DRAWS): "drawing",
    (Kind.RATING, Side.FEEDS): "feeding back",
    (Kind.HEAD, Side.DRAWS): "drawing",
    (Kind.HEAD, Side.FEEDS): "feeding back",
}
"""Words for a side, where it is not that a voltage is low or high."""
SHORT = (
    "Short is what was over in less than a market interval, and not merely by the next award: a limit that"
    " regulators or the next step restored."
)


def violations_panel(tables: RunTables) -> Html:
    """Totals by cause and by area, the rules, and every violation."""
    found = explained_violations(tables)
    content = [element("h3", TITLE), element("p", SEES, class_="sees")]
    if found:
        content += [
            _totals("cause", found, lambda e: e.cause.title, [cause.title for cause in CAUSES]),
            _totals("LDA", found, lambda e: e.violation.lda, sorted({e.violation.lda for e in found})),
            _rules(),
            _listed(tables, found),
        ]
    else:
        content.append(element("p", "No feeder left a limit.", class_="sees"))
    also = (name for name in ALSO if name in tables.names)
    return element("div", *content, origin(*NEEDS, *also), class_="panel", id=KEY)


def in_one_line(found: Sequence[Explained]) -> str:
    """How many violations there were, and how many of each cause, the most frequent first."""
    if not found:
        return "no feeder left a limit"
    counts = Counter(e.cause.title for e in found).most_common()
    plural = "" if len(found) == 1 else "s"
    return f"{len(found):,} violation{plural}: " + ", ".join(f"{title} {count:,}" for title, count in counts)


def _totals(
    head: str, found: Sequence[Explained], name: Callable[[Explained], str], names: Iterable[str]
) -> Html:
    """Violations by something, and what they amount to by kind; all together at the end."""
    heads = [head, "violations", *(f"{words} [{unit}]" for words, unit in AMOUNTS.values())]
    groups = [(one, [e.violation for e in found if name(e) == one]) for one in names]
    groups = [(one, own) for one, own in groups if own]
    rows = [_total(one, own) for one, own in [*groups, ("all", [e.violation for e in found])]]
    return table(heads, rows, numbers=range(1, len(heads)))


def _total(name: str, own: Sequence[Violation]) -> tuple[str, ...]:
    amounts = {kind: sum(v.amount_min for v in own if v.kind is kind) for kind in Kind}
    return (
        name,
        _data(f"{name}/count", f"{len(own):,}", len(own)),
        *(_data(f"{name}/{kind.value}", f"{amounts[kind]:,.0f}", amounts[kind]) for kind in AMOUNTS),
    )


def _rules() -> Html:
    rows = [(cause.title, cause.rule) for cause in CAUSES]
    return element(
        "details",
        element("summary", "How a cause is found: the first of these rules that holds"),
        element("p", SHORT, class_="sees"),
        table(("cause", "rule"), rows),
    )


def _listed(tables: RunTables, found: Sequence[Explained]) -> Html:
    """Every violation in the order of time; where there are too many, the greatest."""
    greatest = sorted(found, key=lambda e: -e.violation.amount_min)[:ROWS_MOST]
    shown = sorted(greatest, key=lambda e: (e.violation.from_s, e.violation.feeder, e.violation.kind.value))
    heads = ("feeder", "limit", "from", "to", "amount", "worst", "cause", "shown by")
    listed = table(heads, [_row(tables, e) for e in shown], numbers=(4, 5))
    more = len(found) - len(shown)
    title = f"Every violation ({len(found):,})"
    left = f"The {ROWS_MOST:,} greatest are listed; {more:,} smaller ones are left out."
    rest = [element("p", left, class_="sees")] if more else []
    return element("details", element("summary", title), *rest, listed)


def _row(tables: RunTables, e: Explained) -> tuple[str, ...]:
    v = e.violation
    words, unit = AMOUNTS[v.kind]
    side = SIDES.get((v.kind, v.side), "low" if v.side is Side.DRAWS else "high")
    begin, end = (clock_text(tables, t).replace("T", " ").removesuffix(":00") for t in (v.from_s, v.to_s))
    return (
        v.feeder,
        f"{words}, {side}",
        begin,
        end,
        f"{v.amount_min:,.0f} {unit}",
        _worst(v),
        e.cause.title,
        e.shown_by or "-",
    )


def _worst(v: Violation) -> str:
    if v.kind is Kind.RATING:
        return f"{v.extreme:.1f} %"
    return f"{v.extreme:,.1f} kVA over" if v.kind is Kind.HEAD else f"{v.extreme:.4f} pu"


def _data(key: str, text: str, value: float) -> Html:
    return element("data", text, value=repr(value), data_violations=key)
