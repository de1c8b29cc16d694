"""A comparison as one HTML page that opens from its file, without a network."""

from __future__ import annotations

from datetime import datetime, timedelta

from plotly.offline import get_plotlyjs

from runner.post import plots
from runner.post.compare.comparison import MARGIN_PCT, Comparison, Contender, differing_settings
from runner.post.compare.figures import FIGURES, Compared, contenders_without, ledger_views
from runner.post.compare.files import (
    LEDGER_HEADS,
    flexibility_words,
    ledger_rows,
    metric_heads,
    metric_rows,
    ranking_rows,
    verdict_rows,
)
from runner.post.compare.money import EARNING_HEADS, earning_rows
from runner.post.compare.wiring import (
    CROSSING_HEADS,
    CROSSING_WORDS,
    HANGING_HEADS,
    HANGING_WORDS,
    crossing_rows,
    hanging_rows,
)
from runner.post.headline import number, unit_of
from runner.post.metrics.metric import Family, Metric
from runner.post.metrics.unwinding import NEEDS
from runner.post.page import Html, document, element, joined, table
from runner.post.plots import Data

SECTIONS = {
    "overview": "What was compared",
    "key-figures": "Key figures",
    "verdicts": "Verdicts",
    "figures": "The same figures of every run",
    "metrics": "Every metric",
    "provenance": "Provenance",
}
EARNING_WORDS = (
    "Energy: on each DER's own meter in real time, at its DLMP under a total DSO, else at the bus's LMP; "
    "negative where DERs draw more than they give. Forward: what an aggregator with awards of its own has "
    "beyond that from day-ahead positions and shares of the ISO's accounts. Reserves: paid to the DSO that "
    "sold them, which does not hand them on. Multiplicity included."
)
_CLASSES = {"supported": "yes", "not supported": "no"}


def page(comparison: Comparison) -> str:
    """The page."""
    data: Data = {}
    run = comparison.reference.tables.run
    main = element(
        "main",
        _overview(comparison),
        _key_figures(comparison),
        _verdicts(comparison),
        _figures(comparison, data),
        _metrics(comparison),
        _provenance(comparison),
        element("footer", f"Written by Tandem from runs of {run.study}. The page fetches nothing."),
    )
    codes = ", ".join(c.code for c in comparison.contenders)
    frame = element("div", _navigation(), main, class_="frame")
    return document(f"{run.study} - {codes} - Tandem", frame, data, get_plotlyjs())


def _navigation() -> Html:
    entries = (
        element("li", element("a", title, href=f"#{key}"), class_="section")
        for key, title in SECTIONS.items()
    )
    return element(
        "nav", element("p", "Tandem", class_="mark"), element("ul", *entries), aria_label="Contents"
    )


def _section(key: str, *content: str) -> Html:
    return element("section", element("h2", SECTIONS[key]), *content, id=key)


def _overview(comparison: Comparison) -> Html:
    run = comparison.reference.tables.run
    begin = datetime.fromisoformat(run.clock.start)
    end = begin + timedelta(seconds=run.clock.duration_s)
    differing = differing_settings([c.run_dir for c in comparison.contenders])
    rows = [(key, *values) for key, values in differing.items()]
    lead = (
        "One scenario under several ways of coordinating its distributed resources: the same weather, "
        "demand, true costs, commitment, forecasts and beginning. Only what the first table names differs."
    )
    models = [element("li", element("b", c.code), f"  {c.title}") for c in comparison.contenders]
    return element(
        "section",
        element("h1", f"{run.study}: models side by side"),
        element("p", lead, class_="lead"),
        element("p", f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, local standard time", class_="sees"),
        element("ul", *models, class_="chips", aria_label="Models compared"),
        _panel(
            "Settings that differ", "Everything else is equal in all runs, by the hash of the scenario.",
            table(("key", *(c.code for c in comparison.contenders)), rows),
        ),
        id="overview",
    )  # fmt: skip


def _key_figures(comparison: Comparison) -> Html:
    shown = [metric for family in comparison.families for metric in family.metrics if metric.title]
    heads = ("", "unit", *(c.code for c in comparison.contenders))
    rows = [
        (metric.title, unit_of(metric.key), *(_cell(c, metric) for c in comparison.contenders))
        for metric in shown
    ]
    limits = [
        element(
            "span",
            "held" if c.holds_limits else "broken",
            class_="yes" if c.holds_limits else "no",
        )
        for c in comparison.contenders
    ]
    rows.insert(0, ("feeder limits and supply", "", *limits))
    words = (
        "A cost is worth what it delivered: a run that broke limits in more than "
        f"{MARGIN_PCT:g} % of feeder time, or left load unserved, has a cost and no place. Energy and money "
        "include the multiplicity of the LDAs; violations are those of the simulated feeders."
    )
    ranked = table(("run", "place", "cost [$]", "beside it"), ranking_rows(comparison), numbers=(1, 2))
    resolved = (
        f"Costs closer than {number(comparison.resolution_usd)} $ are not told apart. "
        + flexibility_words(comparison)
    )
    return _section(
        "key-figures",
        _panel("What each run cost, broke, paid and said", words,
               table(heads, rows, numbers=range(2, len(heads)))),
        _panel("Places by cost", resolved, ranked),
    )  # fmt: skip


def _cell(contender: Contender, metric: Metric) -> str:
    value = contender.value(metric.key)
    if value is None:
        return "-"
    key = f"{contender.code}/{metric.key}"
    return element("data", number(value), value=repr(value), data_key=key)


def _verdicts(comparison: Comparison) -> Html:
    rows = [
        (statement, element("span", result, class_=_CLASSES.get(result, "")), value, threshold, why)
        for statement, result, value, threshold, why in verdict_rows(comparison)
    ]
    words = (
        "Computed from the runs. Not tested: a model, or the stress that the statement takes, is missing. "
        "Not resolved: the difference is too small to tell."
    )
    heads = ("statement", "verdict", "figure", "threshold", "of what")
    return _section("verdicts", element("div", element("p", words, class_="sees"),
                                        table(heads, rows, numbers=(2, 3)), class_="panel"))  # fmt: skip


def _figures(comparison: Comparison, data: Data) -> Html:
    drawn = [_figure(comparison, figure, data) for figure in FIGURES]
    views = ledger_views(comparison)
    if views:
        drawn.append(
            plots.figure(
                "ledger", "From the day-ahead award to the meters",
                "Forecast: what nobody could bargain about came differently. Override: what a DSO took "
                "because a feeder would not carry it. Re-dispatch: what newer clearings changed; under a "
                "total DSO its newer forecast is part of it.",
                views, file=_file(comparison, "ledger"), tables=NEEDS, data=data,
            )
        )  # fmt: skip
    return _section("figures", *drawn)


def _figure(comparison: Comparison, figure: Compared, data: Data) -> Html:
    lacking = contenders_without(comparison, figure)
    if lacking:
        codes = ", ".join(c.code for c in lacking)
        why = f" is not shown: {codes} recorded no table {' or '.join(figure.needs)}."
        return element("p", element("b", figure.title), why, class_="absent", id=figure.key)
    file = _file(comparison, figure.key)
    return plots.figure(
        figure.key, figure.title, figure.sees, figure.views(comparison), file=file, tables=figure.needs,
        data=data,
    )  # fmt: skip


def _file(comparison: Comparison, key: str) -> str:
    return f"{comparison.reference.tables.run.study}-compare-{key}"


def _metrics(comparison: Comparison) -> Html:
    parts = [_family(comparison, family) for family in comparison.families]
    ledger = _panel(
        "Unwinding ledger",
        "Every LDA's change from day-ahead award to meters, cut into its parts, at the real-time LMP.",
        table(LEDGER_HEADS, ledger_rows(comparison), numbers=(3, 4, 5)),
    )
    earnings = _folded(
        "What DERs earned, by LDA, kind, side of the meter, aggregator, owner and product",
        element("p", EARNING_WORDS, class_="sees"),
        table(EARNING_HEADS, earning_rows(comparison), numbers=(7, 8)),
    )
    crossing = _folded(
        "What crosses the T-D interface",
        element("p", CROSSING_WORDS, class_="sees"),
        table(CROSSING_HEADS, crossing_rows(comparison), numbers=(7, 8)),
    )
    fallen = _folded(
        "What falls with whom",
        element("p", HANGING_WORDS, class_="sees"),
        table(HANGING_HEADS, hanging_rows(comparison), numbers=(3, 4)),
    )
    return _section("metrics", *parts, ledger, earnings, crossing, fallen)


def _family(comparison: Comparison, family: Family) -> Html:
    heads = metric_heads(comparison)
    rows = [
        (element("code", key), *cells) for key, *cells in metric_rows(comparison, family)
    ]  # fmt: skip
    shown = table(heads, rows, numbers=range(2, len(heads) - 1))
    return _folded(f"{family.title} ({len(rows)})", shown)


def _provenance(comparison: Comparison) -> Html:
    rows = []
    for c in comparison.contenders:
        run = c.tables.run
        plan = "taken from an earlier run" if run.scenario.plan_reused else "made by this run"
        rows.append((c.code, run.run_id, run.config_hash, run.scenario.plan_hash, plan))
    run = comparison.reference.tables.run
    scenario = element(
        "p", "Scenario of all runs: ", element("code", run.scenario.scenario_hash), class_="sees"
    )
    heads = ("run", "folder", "hash of the study", "hash of the forward plan", "plan")
    return _section("provenance", element("div", scenario, table(heads, rows), class_="panel hash"))


def _panel(title: str, words: str, *content: Html) -> Html:
    return element(
        "div", element("h3", title), element("p", words, class_="sees"), joined(content), class_="panel"
    )


def _folded(title: str, *content: Html) -> Html:
    return element("details", element("summary", title), *content, class_="panel")
