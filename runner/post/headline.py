"""What a reader sees first: what ran, and its key figures with their units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from federates.coordination.catalog import MODELS
from federates.core.errors import MissingInputError
from federates.core.run_folder import RunFolder
from federates.core.settings import Study
from runner.manifest import RunManifest
from runner.post.page import Html, element, joined, table
from runner.post.summary import FIGURES, LDA_FIGURES, Summary
from runner.post.vacuity import vacuity

WHOLE_FROM = 1_000.0
"""Figures from here on are shown without decimals."""
UNITS = {
    "_usd_per_mwh": "$/MWh",
    "_usd_per_mw_h": "$/MW/h",
    "_usd": "$",
    "_mwh": "MWh",
    "_node_min": "node-min",
    "_element_min": "element-min",
    "_min": "min",
    "_element_h": "element-h",
    "_kvah": "kVAh",
    "_kva": "kVA",
    "_mw": "MW",
    "_h": "h",
    "_s": "s",
    "_pu": "pu",
    "_pct": "%",
    "_bytes": "B",
    "_count": "",
    "_t": "t",
}
"""Unit that ends a key, as people write it; the first that fits."""
CARDS = {
    "true_cost_usd": "Resource cost of the units",
    "lmp_mean_usd_per_mwh": "Mean real-time LMP",
    "unserved_mwh": "Demand the market did not serve",
    "curtailed_mwh": "PV curtailed",
    "market_losses_mwh": "Losses of the market's own flows",
    "reserve_cost_usd": "Paid for reserves",
    "reserve_short_intervals_count": "Intervals short of a reserve",
    "penalty_priced_intervals_count": "Intervals priced by a penalty",
    "line_binding_intervals_count": "Intervals in which a transmission line bound",
    "violation_a_node_min": "Load nodes outside ANSI range A",
    "overload_element_min": "Feeder lines above ampacity",
    "td_residual_v_max_pu": "Greatest T-D voltage residual",
}
"""Key figures on the first screen, and their words there."""
LDA_HEADS = {
    "bid_least_mwh": "bid, least",
    "bid_greatest_mwh": "bid, greatest",
    "award_mwh": "award",
    "metered_mwh": "metered",
    "payment_usd": "award × LMP",
}
"""Words for the figures of an LDA where room is short."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_CARD_UNITS = dict.fromkeys((key for key in CARDS if key.endswith("_intervals_count")), "intervals")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    """An LDA in the study."""

    bus: str
    feeders_count: int


def number(value: float) -> str:
    """A figure for people: no decimals from a thousand on, else four significant digits."""
    value += 0.0  # no minus before a zero
    if abs(value) >= WHOLE_FROM:
        return f"{value:,.0f}"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}" if exponent else mantissa


def unit_of(key: str) -> str:
    """Unit that ends a key; empty for counts."""
    return next((unit for suffix, unit in UNITS.items() if key.endswith(suffix)), "")


def what_ran(run_dir: Path, run: RunManifest) -> Html:
    """Study, coordination model, horizon, and the LDAs with their multiplicity."""
    study = _study(run_dir)
    model = MODELS.get(run.coordination)
    begin = datetime.fromisoformat(run.clock.start)
    end = begin + timedelta(seconds=run.clock.duration_s)
    coordination = f"{model.code} - {model.title}" if model else run.coordination
    facts = {
        "Coordination": coordination,
        "Horizon": f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, local standard time",
        "Clock": f"{run.clock.step_s} s physics, {run.clock.market_s} s market",
        "Run": run.run_id,
    }
    areas = _areas(study)
    chips = [
        element("li", element("b", f"{lda} × {times}"), _where(areas.get(lda), times))
        for lda, times in run.multiplicity.items()
    ]
    return joined(
        (
            element("h1", run.study),
            element("p", study.description if study else "", class_="lead"),
            _listed(facts),
            element("ul", *chips, class_="chips", aria_label="LDAs and their multiplicity"),
        )
    )


def cards(found: Summary) -> Html:
    """The few key figures of the first screen; one that was not recorded has no card."""
    shown = [
        element(
            "div",
            element("div", label, class_="label"),
            element(
                "data", number(found.figures[key]), _unit(_CARD_UNITS.get(key, unit_of(key))),
                value=repr(found.figures[key]), data_key=key, class_="number",
            ),
            class_="card",
        )
        for key, label in CARDS.items()
        if key in found.figures
    ]  # fmt: skip
    return element("div", *shown, class_="cards")


def key_figures(found: Summary) -> Html:
    """Every key figure, and those of each LDA."""
    rows = [
        (_data(figure.key, found.figures[figure.key]), unit_of(figure.key), figure.meaning,
         element("code", figure.key), element("code", figure.table))
        for figure in FIGURES
        if figure.key in found.figures
    ]  # fmt: skip
    heads = ("value", "unit", "meaning", "key", "table")
    return element(
        "details",
        element("summary", f"All {len(rows)} key figures"),
        table(heads, rows, numbers=(0,)),
    )


def lda_table(run_dir: Path, run: RunManifest, found: Summary) -> Html:
    """Each LDA: what it stands for, bid, award, metered interchange and payment."""
    figures = [f for f in LDA_FIGURES if any(f.key in own for own in found.by_lda.values())]
    areas = _areas(_study(run_dir))
    heads = ["LDA", "bus", "feeders simulated", "multiplicity"]
    heads += [f"{LDA_HEADS.get(f.key, f.meaning)} [{unit_of(f.key)}]" for f in figures]
    rows = []
    for lda, times in run.multiplicity.items():
        area, own = areas.get(lda), found.by_lda.get(lda, {})
        place = (area.bus, str(area.feeders_count)) if area else ("-", "-")
        values = [_data(f"{lda}/{f.key}", own[f.key]) if f.key in own else "-" for f in figures]
        rows.append((lda, *place, f"× {times}", *values))
    return table(heads, rows, numbers=range(2, len(heads)))


def stress(run_dir: Path) -> Html:
    """Whether the run shows anything: limits that bound, and forecasts that erred."""
    try:
        conditions = vacuity(run_dir)
    except MissingInputError as error:
        return element("p", f"Whether the run was under stress cannot be said: {error}", class_="sees")
    rows = [
        (c.meaning, f"{number(c.value)} {c.unit}", f"{number(c.least)} {c.unit}", c.where or "-",
         element("span", "yes" if c.holds else "no", class_="yes" if c.holds else "no"))
        for c in conditions.values()
    ]  # fmt: skip
    return table(("condition", "found", "at least", "where", "holds"), rows, numbers=(1, 2))


def _listed(facts: dict[str, str]) -> Html:
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in facts.items()),
        class_="facts",
    )


def _data(key: str, value: float) -> Html:
    return element("data", number(value), value=repr(value), data_key=key)


def _unit(unit: str) -> Html:
    return element("span", unit, class_="unit") if unit else Html()


def _where(area: _Area | None, times: int) -> str:
    if area is None:
        return ""
    plural = "s" if area.feeders_count > 1 else ""
    return (
        f"  at bus {area.bus}: {area.feeders_count} feeder{plural} simulated,"
        f" {area.feeders_count * times} at the interface"
    )


def _study(run_dir: Path) -> Study | None:
    """The resolved study; None where the run broke off before its federation was set up."""
    path = RunFolder(run_dir).study
    return Study.model_validate_json(path.read_bytes()) if path.exists() else None


def _areas(study: Study | None) -> dict[str, _Area]:
    if study is None:
        return {}
    return {
        lda.name: _Area(bus=lda.bus, feeders_count=sum(group.count for group in lda.feeders))
        for lda in study.ldas
    }
