"""Runs of one scenario beside each other: their metrics, and what can only be told of several.

Energy left in storage is valued for all at one price, the mean day-ahead LMP of the reference run at the
LDA's bus, so that no model looks cheap because it ends with empty batteries. The value of flexibility is what
the same market days cost more where nobody uses it; gaps of forward cost are told relative to it, gaps of
realised cost relative to its part in the hours of the study.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from federates.coordination.catalog import MODELS
from federates.core.errors import ConfigError, MissingInputError
from federates.core.run_folder import RunFolder
from runner.manifest import read_done
from runner.post.metrics.catalog import FAMILIES, METRICS
from runner.post.metrics.economics import (
    Hours,
    bulk_stored_mwh,
    forward_bulk_stored_mwh,
    forward_stored_mwh,
    forward_usd,
    hours_within,
    stored_mwh,
    whole_days,
)
from runner.post.metrics.metric import Family, Measured, Metric, lacking, measured
from runner.post.run_tables import RunTables

REFERENCE = "M4"
"""Model against which the others are held, where it is among them: the one that sees everything."""
MARGIN_PCT = 0.5
"""Share of feeder time with a limit broken, up to which a model holds the limits: the stated margin."""
UNSERVED_MWH = 1e-3
"""Demand not served that counts. [MWh]"""
RESOLVED_SHARE = 1e-4
"""Difference of cost, as a share of it, below which two models are not told apart."""
PERCENT = 100.0
ROUNDS, RULE = "market.day_ahead_rounds", "envelope_rule"
NO_IDLE = f"needs {REFERENCE}, and its market days with DERs idle"
"""Why the value of flexibility is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One run of a comparison."""

    code: str
    """Short name, unique in the comparison: the model's code, and its bid where two runs share a model."""
    model: str
    """Code of the coordination model."""
    title: str
    """One line for people."""
    run_dir: Path
    """Folder of the run."""
    tables: RunTables
    """Its tables."""
    metrics: Mapping[str, Measured]
    """Its metrics by key, those of the comparison included."""

    def value(self, key: str) -> float | None:
        """A metric; None where there is none."""
        return self.metrics[key].value

    @property
    def holds_limits(self) -> bool | None:
        """Whether the feeders' limits were held within the margin and all load served; None: unknown."""
        broken, unserved = self.value("violated_feeder_time_pct"), self.value("unserved_mwh")
        if broken is None or unserved is None:
            return None
        return broken <= MARGIN_PCT and unserved <= UNSERVED_MWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs of one scenario."""

    contenders: tuple[Contender, ...]
    """In the order in which they are shown."""
    reference: Contender
    """To whom the others are held."""
    families: tuple[Family, ...]
    """Metrics by family, those of the comparison included."""
    flexibility_value: Measured
    """What the same market days cost more than M4's if nobody used the DERs' flexibility: its value V. [$]"""
    flexibility_value_in_study: Measured
    """Its part in the hours of the study. [$]"""
    idle: Path | None = None
    """Folder with the day-ahead tables of those days; None: there is none."""

    def of(self, model: str) -> Contender | None:
        """First run of a model, by the model's code."""
        return next((c for c in self.contenders if c.model == model), None)

    def difference(self, code: str, key: str) -> float | None:
        """A metric of one run less that of the reference."""
        one = next(c for c in self.contenders if c.code == code).value(key)
        other = self.reference.value(key)
        return None if one is None or other is None else one - other

    @property
    def resolution_usd(self) -> float:
        """Difference of cost below which two runs are not told apart. [$]

        All start from one commitment, whose gap is therefore not in their differences; where they do not,
        it is.
        """
        cost = self.reference.value("cost_compared_usd") or 0.0
        gaps = [c.value("commitment_gap_max_pct") or 0.0 for c in self.contenders]
        own = {c.tables.run.scenario.plan_hash for c in self.contenders}
        return abs(cost) * (RESOLVED_SHARE + (max(gaps) / PERCENT if len(own) > 1 else 0.0))


COMPARED = (
    Metric(
        key="storage_left_usd", needs=(), value=lambda _: 0.0, better="more",
        meaning="energy in DER batteries, managed vehicles and units' stores at the end less at the "
        "beginning, at the reference's mean day-ahead LMP of the bus; rooms, tanks and processes are not "
        "counted",
    ),
    Metric(
        key="cost_compared_usd", needs=(), value=lambda _: 0.0, better="less",
        meaning="all resources as it came, less what is left in storage: the figure by which models compare",
        title="COST: all resources, storage left credited",
    ),
    Metric(
        key="gap_of_value_pct", needs=(), value=lambda _: 0.0, better="less",
        meaning=f"cost compared less {REFERENCE}'s, of the value of the DERs' flexibility in the hours of "
        "the study: what the model leaves of it unused", title="flexibility's value left unused, as it came",
    ),
    Metric(
        key="storage_left_forward_usd", needs=(), value=lambda _: 0.0, better="more",
        meaning="what day-ahead schedules put into stores of DERs and units less what they take out, at the "
        "same prices",
    ),
    Metric(
        key="cost_forward_compared_usd", needs=(), value=lambda _: 0.0, better="less",
        meaning="all resources as promised the day before, less what is left in storage: the figure by "
        "which forward costs compare", title="FORWARD COST: all resources, storage left credited",
    ),
    Metric(
        key="gap_forward_of_value_pct", needs=(), value=lambda _: 0.0, better="less",
        meaning=f"forward cost compared less {REFERENCE}'s, of the value of the DERs' flexibility",
        title="flexibility's value left unused, as promised",
    ),
    Metric(
        key="phantom_saving_usd", needs=(), value=lambda _: 0.0,
        meaning=f"forward cost compared less {REFERENCE}'s: negative where the day-ahead market promised "
        "what the feeders cannot carry", title=f"forward cost less {REFERENCE}'s: below 0, a phantom saving",
    ),
    Metric(
        key="cost_over_forward_usd", needs=(), value=lambda _: 0.0, better="less",
        meaning="cost compared less forward cost compared, both of the study's hours: what the promise of "
        "the day before did not tell", title="cost above what was promised",
    ),
)  # fmt: skip
"""Metrics that need the reference run besides their own."""


def compare_runs(run_dirs: Sequence[Path], idle: Path | str = NO_IDLE) -> Comparison:
    """Runs beside each other.

    Parameters
    ----------
    run_dirs
        Their folders.
    idle
        Folder with the day-ahead tables of the reference run's days if nobody used the DERs' flexibility, or
        why there is none.

    Raises
    ------
    ConfigError
        If there are fewer than two, one did not finish, two are the same, or they are of different scenarios.
    MissingInputError
        If a folder holds no run.
    """
    runs = comparable(run_dirs)
    codes = _codes(runs)
    place = reference_place(runs)
    yardstick = _yardstick(runs[place], idle)
    own = [measured(run, METRICS.values()) for run in runs]
    beside = [_compared(run, metrics, yardstick) for run, metrics in zip(runs, own, strict=True)]
    full = beside[place] if yardstick.is_full else {}
    contenders = tuple(
        Contender(
            code=code,
            model=model_code(run),
            title=_title(run),
            run_dir=run.run_dir,
            tables=run,
            metrics={**metrics, **others, **_gaps(others, full, yardstick)},
        )
        for code, run, metrics, others in zip(codes, runs, own, beside, strict=True)
    )
    economics, *others_of = FAMILIES
    whole = Family(key=economics.key, title=economics.title, metrics=(*COMPARED, *economics.metrics))
    return Comparison(
        contenders=contenders,
        reference=contenders[place],
        families=(whole, *others_of),
        flexibility_value=yardstick.value,
        flexibility_value_in_study=yardstick.value_in_study,
        idle=idle if isinstance(idle, Path) else None,
    )


def comparable(run_dirs: Sequence[Path]) -> list[RunTables]:
    """Tables of runs that compare.

    Raises
    ------
    ConfigError
        If there are fewer than two, one did not finish, two are the same, or they are of different scenarios.
    MissingInputError
        If a folder holds no run.
    """
    if len(run_dirs) < 2:
        raise ConfigError("a comparison needs two runs at least")
    runs = [RunTables(path) for path in run_dirs]
    _refuse_unlike(runs)
    return runs


def reference_place(runs: Sequence[RunTables]) -> int:
    """Place of the run to which the others are held: the model that sees everything, else the first."""
    return next((k for k, run in enumerate(runs) if model_code(run) == REFERENCE), 0)


def settings_of(run_dir: Path) -> dict[str, str]:
    """Every setting of a run's study by dotted key, as text."""
    flat: dict[str, str] = {}

    def unfold(key: str, value: object) -> None:
        if isinstance(value, dict) and value:
            for name, below in value.items():
                unfold(f"{key}.{name}" if key else str(name), below)
        elif isinstance(value, list) and value:
            for k, below in enumerate(value):
                unfold(f"{key}.{k}", below)
        else:
            flat[key] = value if isinstance(value, str) else json.dumps(value)

    unfold("", json.loads(RunFolder(run_dir).study.read_bytes()))
    return flat


def differing_settings(run_dirs: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Settings in which runs differ, each with its value in every run; a dash where it is not there."""
    every = [settings_of(path) for path in run_dirs]
    keys = dict.fromkeys(key for one in every for key in one)
    values = {key: tuple(one.get(key, "-") for one in every) for key in keys}
    return {key: found for key, found in values.items() if len(set(found)) > 1}


def _refuse_unlike(runs: Sequence[RunTables]) -> None:
    """Only whole runs of one scenario are compared, each once."""
    started = [run.run for run in runs]
    for run in runs:
        try:
            read_done(run.run_dir)
        except MissingInputError:
            raise ConfigError(
                f"{run.run_dir} did not finish; compare whole runs, or go on with it: tandem run --resume"
            ) from None
    if len({run.run_dir.resolve() for run in runs}) < len(runs):
        raise ConfigError("a run is named twice; name each once")
    first = runs[0]
    for other, begun in zip(runs[1:], started[1:], strict=True):
        if begun.scenario.scenario_hash != started[0].scenario.scenario_hash:
            differing = ", ".join(list(differing_settings([first.run_dir, other.run_dir]))[:5])
            raise ConfigError(
                f"{first.run_dir} and {other.run_dir} are of different scenarios: they differ in "
                f"{differing or 'the content of a file that the study names'}; only models may differ"
            )


def _codes(runs: Sequence[RunTables]) -> list[str]:
    """Names of runs: the model's code and, where several share it, what they differ in; a number at last."""
    models = [model_code(run) for run in runs]
    settings = [settings_of(run.run_dir) for run in runs]
    codes: list[str] = []
    for model, own in zip(models, settings, strict=True):
        alike = [other for other, code in zip(settings, models, strict=True) if code == model]
        code = " ".join(filter(None, (model, *_traits(own, alike))))
        same = sum(other == code or other.startswith(f"{code} #") for other in codes)
        codes.append(f"{code} #{same + 1}" if same else code)
    return codes


def _traits(own: Mapping[str, str], alike: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """What tells a run from others of its model: bid and day-ahead rounds, rule of its envelopes."""
    if len(alike) > 1:
        rounds = own.get(ROUNDS, "1")
        yield _bid(own) + (f"@{rounds}" if rounds != "1" else "")
    if len({other.get(RULE) for other in alike}) > 1:
        yield own.get(RULE, "")


def _bid(settings: Mapping[str, str]) -> str:
    kind, blocks = settings.get("market.bid.kind", ""), settings.get("market.bid.blocks")
    return f"{kind}:{blocks}" if blocks else kind


def model_code(run: RunTables) -> str:
    """Code of the coordination model of a run."""
    return MODELS[run.run.coordination].code


def _title(run: RunTables) -> str:
    return MODELS[run.run.coordination].title


def _day_ahead_prices(run: RunTables) -> dict[str, float]:
    """Mean day-ahead LMP at the bus of each LDA. [$/MWh]"""
    if "da_interface" not in run.names:
        raise ConfigError(f"{run.run_dir} has no table 'da_interface'; it did not clear a day-ahead market")
    names, codes = run.ids("da_interface")
    prices = run.column("da_interface", "lmp_usd_per_mwh")
    return {name: float(prices[codes == k].mean()) for k, name in enumerate(names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Yardstick:
    """What runs are held to."""

    is_full: bool
    """Whether the reference is the model that sees everything."""
    price_usd_per_mwh: Mapping[str, float]
    """At which energy left in each LDA counts. [$/MWh]"""
    value: Measured
    """Value of the DERs' flexibility over whole market days. [$]"""
    value_in_study: Measured
    """Its part in the hours of the study. [$]"""


def _yardstick(reference: RunTables, idle: Path | str) -> _Yardstick:
    prices = _day_ahead_prices(reference)
    is_full = model_code(reference) == REFERENCE
    if isinstance(idle, str) or not is_full:
        why = NO_IDLE if isinstance(idle, Path) else idle
        values = [Measured(value=None, why_not=why)] * 2
    else:
        days = RunTables(idle, reference.run)
        values = [_value(days, reference, prices, hours) for hours in (whole_days, hours_within)]
    whole, in_study = values
    return _Yardstick(is_full=is_full, price_usd_per_mwh=prices, value=whole, value_in_study=in_study)


def _value(days: RunTables, full: RunTables, prices: Mapping[str, float], hours: Hours) -> Measured:
    """What idle market days cost more than those of full visibility. [$]"""
    costs = [_forward(run, prices, hours) for run in (days, full)]
    if costs[0].value is None or costs[1].value is None:
        return Measured(value=None, why_not=costs[1].why_not or costs[0].why_not)
    return Measured(value=costs[0].value - costs[1].value)


def _forward(run: RunTables, prices: Mapping[str, float], hours: Hours) -> Measured:
    """Forward cost of a run, storage left credited. [$]"""
    left = _left_forward(run, prices, hours)
    if left.value is None:
        return left
    return Measured(value=forward_usd(run, hours) - left.value)


def _left_forward(run: RunTables, prices: Mapping[str, float], hours: Hours) -> Measured:
    """Worth of what day-ahead schedules leave in storage. [$]"""
    if none := lacking(run, ("da_clearing", "da_der")):
        return none
    return _worth(forward_stored_mwh(run, hours), forward_bulk_stored_mwh(run, hours), prices)


def _compared(run: RunTables, own: Mapping[str, Measured], yardstick: _Yardstick) -> dict[str, Measured]:
    prices = yardstick.price_usd_per_mwh
    left, cost = _left(run, prices), own["cost_realised_usd"]
    compared = _difference(cost, left)
    forward = _forward(run, prices, whole_days)
    return {
        "storage_left_usd": left,
        "cost_compared_usd": compared,
        "storage_left_forward_usd": _left_forward(run, prices, whole_days),
        "cost_forward_compared_usd": forward,
        "cost_over_forward_usd": _difference(compared, _forward(run, prices, hours_within)),
    }


def _difference(one: Measured, other: Measured) -> Measured:
    if one.value is None or other.value is None:
        return Measured(value=None, why_not=one.why_not or other.why_not)
    return Measured(value=one.value - other.value)


def _gaps(
    mine: Mapping[str, Measured], full: Mapping[str, Measured], yardstick: _Yardstick
) -> dict[str, Measured]:
    """Costs above those of full visibility: in money as promised, and of the value of flexibility."""
    none = Measured(value=None, why_not=f"{REFERENCE} is not compared")
    forward, realised = "cost_forward_compared_usd", "cost_compared_usd"
    phantom, above = (_difference(mine[key], full.get(key, none)) for key in (forward, realised))
    return {
        "phantom_saving_usd": phantom,
        "gap_forward_of_value_pct": _share(phantom, yardstick.value, full.get(forward, none)),
        "gap_of_value_pct": _share(above, yardstick.value_in_study, full.get(realised, none)),
    }


def _share(gap: Measured, value: Measured, full: Measured) -> Measured:
    """A gap of the value of flexibility, where that can be told. [%]"""
    if gap.value is None or value.value is None or full.value is None:
        return Measured(value=None, why_not=gap.why_not or value.why_not)
    if value.value <= RESOLVED_SHARE * abs(full.value):
        return Measured(value=None, why_not="flexibility is worth too little here")
    return Measured(value=PERCENT * gap.value / value.value)


def _left(run: RunTables, prices: Mapping[str, float]) -> Measured:
    if none := lacking(run, ("der_start", "der_type")):
        return none
    return _worth(stored_mwh(run), bulk_stored_mwh(run), prices)


def _worth(by_lda: Mapping[str, float], bulk_mwh: float, prices: Mapping[str, float]) -> Measured:
    """Worth of energy in LDAs and in units' stores, those at the mean of all LDAs' prices. [$]"""
    mean = sum(prices.values()) / len(prices)
    return Measured(value=sum(mwh * prices[lda] for lda, mwh in by_lda.items()) + bulk_mwh * mean)
