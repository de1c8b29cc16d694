"""A comparison as files: one table for programs, one page for people, one object of verdicts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from runner.post.compare.comparison import PERCENT, REFERENCE, Comparison, Contender, differing_settings
from runner.post.compare.judging import Verdict
from runner.post.compare.money import EARNING_HEADS, earning_rows
from runner.post.compare.verdicts import ranking, verdicts
from runner.post.compare.wiring import CROSSING_HEADS, HANGING_HEADS, crossing_rows, hanging_rows
from runner.post.headline import number, unit_of
from runner.post.metrics.metric import Family, Metric
from runner.post.metrics.unwinding import NEEDS, Entry, ledger


def as_fields(comparison: Comparison) -> dict[str, object]:
    """The comparison for programs: every metric of every run, the verdicts, the ranking."""
    return {
        "reference": comparison.reference.code,
        "scenario_hash": comparison.reference.tables.run.scenario.scenario_hash,
        "runs": {c.code: str(c.run_dir) for c in comparison.contenders},
        "models": {
            c.code: {metric.key: c.value(metric.key) for metric in _metrics(comparison)}
            for c in comparison.contenders
        },
        "flexibility_value_usd": comparison.flexibility_value.value,
        "flexibility_value_in_study_usd": comparison.flexibility_value_in_study.value,
        "idle_days": None if comparison.idle is None else str(comparison.idle),
        "resolution_usd": comparison.resolution_usd,
        "ranking": [asdict(rank) for rank in ranking(comparison)],
        "verdicts": {verdict.key: _plain(verdict) for verdict in verdicts(comparison)},
    }


def verdicts_json(comparison: Comparison) -> str:
    """The verdicts with their figures and thresholds."""
    found = {verdict.key: _plain(verdict) for verdict in verdicts(comparison)}
    return json.dumps(found, indent=1) + "\n"


def as_csv(comparison: Comparison) -> str:
    """Every metric of every run, each run's difference from the reference, and why a figure is not there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    runs, others = comparison.contenders, _others(comparison)
    reference = comparison.reference.code
    heads = ["family", "metric", "unit", "meaning", "better"]
    writer.writerow(
        [*heads, *(c.code for c in runs), *(f"{c.code} - {reference}" for c in others), "why_not"]
    )
    for family in comparison.families:
        for metric in family.metrics:
            differences = [comparison.difference(c.code, metric.key) for c in others]
            figures = [c.value(metric.key) for c in runs]
            writer.writerow(
                [
                    *(family.key, metric.key, unit_of(metric.key), metric.meaning, metric.better),
                    *(repr(v) if v is not None else "" for v in (*figures, *differences)),
                    _why_not(runs, metric),
                ]
            )
    return out.getvalue()


def as_text(comparison: Comparison) -> str:
    """Key figures and verdicts for a terminal."""
    codes = _codes(comparison)
    width = max(14, *(len(code) + 2 for code in codes))
    lines = [f"{'':<52}{''.join(f'{code:>{width}}' for code in codes)}"]
    for metric in _metrics(comparison):
        if metric.title:
            name = f"{metric.title} [{unit_of(metric.key)}]".replace(" []", "")
            figures = "".join(f"{_figure(c.value(metric.key)):>{width}}" for c in comparison.contenders)
            lines.append(f"{name:<52}{figures}")
    lines.append("")
    lines += [f"{r.code:<6} {f'place {r.place}' if r.place else '':<8} {r.why}" for r in ranking(comparison)]
    lines += ["", flexibility_words(comparison), ""]
    lines += [f"{result:<14} {statement}" for statement, result, *_ in verdict_rows(comparison)]
    return "\n".join(lines)


def as_markdown(comparison: Comparison) -> str:
    """What was compared, what differs, what came of it, and what it supports."""
    run = comparison.reference.tables.run
    lines = [
        f"# {run.study}: {', '.join(c.code for c in comparison.contenders)}",
        "",
        f"One scenario: {run.clock.duration_s / 3_600:g} h from {run.clock.start}. By `tandem compare`.",
        "",
        f"Differences are from {comparison.reference.code}.",
        "",
        *(f"- **{c.code}** {c.title}: `{c.run_dir}`" for c in comparison.contenders),
        "",
        "## Settings that differ",
        "",
        *_table(("key", *_codes(comparison)), _settings_rows(comparison)),
        "",
        "## Ranking by cost",
        "",
        *_table(("run", "place", "cost [$]", "beside it"), ranking_rows(comparison)),
        "",
        f"Costs closer than {number(comparison.resolution_usd)} $ are not told apart. "
        + flexibility_words(comparison),
        "",
        "## Verdicts",
        "",
        *_table(("statement", "verdict", "figure", "threshold", "of what"), verdict_rows(comparison)),
        "",
    ]
    for family in comparison.families:
        rows = list(metric_rows(comparison, family))
        lines += [f"## {family.title}", "", *_table(metric_heads(comparison), rows), ""]
    lines += [
        "## Unwinding ledger",
        "",
        *_table(LEDGER_HEADS, ledger_rows(comparison)),
        "",
        "## What DERs earned",
        "",
        *_table(EARNING_HEADS, earning_rows(comparison)),
        "",
        "## What crosses the T-D interface",
        "",
        *_table(CROSSING_HEADS, crossing_rows(comparison)),
        "",
        "## What falls with whom",
        "",
        *_table(HANGING_HEADS, hanging_rows(comparison)),
        "",
    ]
    return "\n".join(lines)


LEDGER_HEADS = ("run", "LDA", "part", "MWh either way", "net MWh", "cost at real-time LMP [$]", "borne by")


def flexibility_words(comparison: Comparison) -> str:
    """The value of flexibility in words."""
    value = comparison.flexibility_value
    if value.value is None:
        return f"The value of the DERs' flexibility is not told: {value.why_not}."
    cost = comparison.reference.value("cost_forward_compared_usd")
    share = f", {PERCENT * value.value / cost:.2g} % of it" if cost else ""
    in_study = comparison.flexibility_value_in_study.value
    part = "" if in_study is None else f" In the hours of the study it is worth {number(in_study)} $."
    loss = (
        f" Below zero: DERs at rest keep no feeder limit, and keeping them costs {REFERENCE} more than "
        "flexibility saves."
    )
    return (
        f"The DERs' flexibility is worth {number(value.value)} $: with batteries idle, vehicles charging on "
        f"arrival and loads at their base the same market days cost so much more than {REFERENCE}'s forward "
        f"cost{share}.{part}{loss if value.value < 0.0 else ''}"
    )


def ledger_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """The unwinding ledger of every run, parts that are nothing left out."""
    rows: list[tuple[str, ...]] = []
    for contender in comparison.contenders:
        for entry in _ledger(contender):
            if entry.mwh > 0.0:
                figures = (number(entry.mwh), number(entry.net_mwh), number(entry.cost_usd))
                rows.append((contender.code, entry.lda, entry.part, *figures, entry.payer))
    return rows


def metric_heads(comparison: Comparison) -> tuple[str, ...]:
    """Headings of a table of metrics."""
    reference = comparison.reference.code
    return (
        "metric",
        "unit",
        *_codes(comparison),
        *(f"{c.code} - {reference}" for c in _others(comparison)),
        "meaning",
    )


def metric_rows(comparison: Comparison, family: Family) -> Iterable[tuple[str, ...]]:
    """Metrics of a family: each run's figure, and its difference from the reference."""
    for metric in family.metrics:
        figures = (_figure(c.value(metric.key)) for c in comparison.contenders)
        differences = (_figure(comparison.difference(c.code, metric.key)) for c in _others(comparison))
        yield (metric.key, unit_of(metric.key), *figures, *differences, metric.meaning)


def verdict_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Verdicts as text, what could not be tested last."""
    return [
        (v.statement, v.result, _with_unit(v.value, v.unit), _with_unit(v.threshold, v.unit), v.why)
        for v in sorted(verdicts(comparison), key=lambda v: v.result == "not tested")
    ]


def ranking_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Ranking as text, the ranked first."""
    ranks = sorted(ranking(comparison), key=lambda rank: (rank.place is None, rank.place or 0))
    return [(r.code, "-" if r.place is None else str(r.place), _figure(r.cost_usd), r.why) for r in ranks]


def _settings_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    found = differing_settings([c.run_dir for c in comparison.contenders])
    return [(key, *values) for key, values in found.items()]


def _metrics(comparison: Comparison) -> tuple[Metric, ...]:
    return tuple(metric for family in comparison.families for metric in family.metrics)


def _ledger(contender: Contender) -> tuple[Entry, ...]:
    there = all(name in contender.tables.names for name in NEEDS)
    return ledger(contender.tables) if there else ()


def _others(comparison: Comparison) -> tuple[Contender, ...]:
    return tuple(c for c in comparison.contenders if c is not comparison.reference)


def _codes(comparison: Comparison) -> tuple[str, ...]:
    return tuple(c.code for c in comparison.contenders)


def _why_not(runs: Sequence[Contender], metric: Metric) -> str:
    reasons = {c.code: c.metrics[metric.key].why_not for c in runs}
    return "; ".join(f"{code}: {why}" for code, why in reasons.items() if why)


def _plain(verdict: Verdict) -> dict[str, object]:
    return {key: value for key, value in asdict(verdict).items() if key != "key"}


def _figure(value: float | None) -> str:
    return "-" if value is None else number(value)


def _with_unit(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{number(value)} {unit}".strip()


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    listed = [line(row) for row in rows]
    return [line(heads), line(["---"] * len(heads)), *(listed or [line(["-"] * len(heads))])]
